"""The panels of a page, in order. To add one, write a function from a story to blocks and list it here."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from workspace_kit.errors import UsageError
from workspace_kit.report import evidence, keyfigures, research, results, trading, trips, years
from workspace_kit.report.blocks import Block, Chart, Grid
from workspace_kit.report.story import Story


@dataclass(frozen=True, slots=True)
class Panel:
    """One part of a page; ``missing`` is said where there is nothing to show, empty if pointless."""

    key: str
    title: str
    build: Callable[[Story], Sequence[Block]]
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A panel with what it shows of one story; where that is nothing, ``missing`` says why."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    missing: str


_NO_RETURNS = (
    "This workspace holds no return series; a run of all four phases, or a replay against prices, makes them."
)

_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# The picture of the whole that every page comes with.
CHART = "performance_chart"
# Ids that the page itself uses, and that picture.
_OWN = ("main", "verdict", "missing", "lineage", "theme", CHART.replace("_", "-"))

PANELS = (
    Panel(
        "headline", "Headline numbers", results.headline, "No candidate has been measured in any period yet."
    ),
    Panel("growth", "Growth", results.equity, _NO_RETURNS),
    Panel("drawdowns", "Drawdowns", results.falls),
    Panel("calendar", "Calendar returns", years.calendar),
    Panel("distribution", "Distribution", years.spread),
    Panel("rolling-year", "Rolling year", years.rolling),
    Panel("crises", "Crises", years.crises),
    Panel("key-figures", "Key figures", keyfigures.key_figures),
    Panel(
        "exposure-and-turnover",
        "Exposure",
        trading.exposure,
        "What was held and traded was not recorded; phase 4 of a run does.",
    ),
    Panel("trades", "Round trips", trips.round_trips),
    Panel("costs", "Cost sensitivity", trading.costs),
    Panel(
        "market-regimes",
        "Regimes",
        research.regimes,
        "No regime has been labelled and no parameters were chosen per regime.",
    ),
    Panel(
        "surfaces",
        "Parameters",
        research.parameters,
        "No strategy has a numeric parameter that was varied and scored.",
    ),
    Panel(
        "resemblance",
        "Correlation",
        research.correlations,
        "No correlations between trials have been computed.",
    ),
    Panel("ensemble", "Ensemble weights", research.weights, "No ensemble has been formed."),
    Panel("odds-of-luck", "Luck", evidence.luck, "Nothing has been computed about the odds of luck."),
    Panel("validation", "Validation", evidence.validation, "Nothing has been validated on a test period."),
    Panel("all-trials", "Trials", evidence.trials, "This workspace holds no trial."),
    Panel(
        "data-quality",
        "Data quality",
        evidence.price_quality,
        "What prices lack was not recorded; phase 4 does.",
    ),
    Panel("faults", "Faults", evidence.faults),
    Panel("limits", "Limits", evidence.limits),
)


def sections(story: Story, panels: Sequence[Panel]) -> list[Section]:
    """Build every panel.

    Raises
    ------
    UsageError
        A key of a panel, chart or table that is not lower-case words joined by dashes, or that the page has
        already: it would double an id, or write one picture over another.
    """
    _refuse_unusable([("panel", panel.key) for panel in panels])
    built = [Section(panel.key, panel.title, tuple(panel.build(story)), panel.missing) for panel in panels]
    _refuse_unusable([each for section in built for each in _keys(section)])
    return built


def _refuse_unusable(keys: Iterable[tuple[str, str]]) -> None:
    known: set[str] = set(_OWN)
    for what, key in keys:
        if not _KEY.fullmatch(key) or key in known:
            raise UsageError(
                f"{what} {key!r}",
                found="a key that the page has already" if key in known else "a key that is no id",
                expected="lower-case words joined by dashes, each key once",
                remedy=f"give the {what} another key",
            )
        known.add(key)


def _keys(section: Section) -> Iterator[tuple[str, str]]:
    yield "panel", section.key
    for block in section.blocks:
        if isinstance(block, Chart | Grid):
            yield "chart" if isinstance(block, Chart) else "table", block.key
