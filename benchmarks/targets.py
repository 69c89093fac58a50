"""Targets as ratios within one run, or as limits of their own."""

from benchmarks.measure import MEGABYTE, Figure, Figures, Target

OURS = "workspace_kit"


def times_as_quick(times: float, as_what: str, *, ours: str = OURS) -> Target:
    """Ask for a multiple of a peer's speed."""

    def ratio(figures: Figures) -> float:
        return figures[as_what].median / figures[ours].median

    return Target(f"≥ {times:g}x as quick as {as_what}", ratio, times, "x", at_least=True)


def times_as_quick_as_all(times: float, *peers: str, ours: str = OURS) -> Target:
    """Ask for a multiple of the quickest peer's speed."""

    def ratio(figures: Figures) -> float:
        return min(figures[peer].median for peer in peers) / figures[ours].median

    return Target(f"≥ {times:g}x as quick as the best peer", ratio, times, "x", at_least=True)


def times_the_time(times: float, of_what: str, *, ours: str = OURS) -> Target:
    """Allow a multiple of another way's time."""

    def ratio(figures: Figures) -> float:
        return figures[ours].median / figures[of_what].median

    return Target(f"≤ {times:g}x the time of {of_what}", ratio, times, "x")


def seconds(limit: float, *, of: str = OURS) -> Target:
    """Allow so many seconds."""

    def median(figures: Figures) -> float:
        return figures[of].median

    return Target(f"≤ {limit:g} s", median, limit, "s")


def megabytes(limit: float, *, of: str = OURS) -> Target:
    """Allow a process so many megabytes."""

    def peak(figures: Figures) -> float:
        found: Figure = figures[of]
        return found.peak / MEGABYTE

    return Target(f"≤ {limit:g} MB at most", peak, limit, "MB")
