"""The panels of a page, in order. To add one, write a function from a story to blocks and list it here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workspace_kit.report import evidence, research, results
from workspace_kit.report.blocks import Block
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

PANELS = (
    Panel(
        "headline", "Headline numbers", results.headline, "No candidate has been measured in any period yet."
    ),
    Panel("growth", "Growth", results.equity, _NO_RETURNS),
    Panel("drawdowns", "Drawdowns", results.falls),
    Panel("calendar", "Calendar returns", results.calendar),
    Panel("rolling-year", "Rolling year", results.rolling),
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
    Panel("faults", "Faults", evidence.faults),
)


def sections(story: Story) -> list[Section]:
    """Build every panel."""
    return [Section(panel.key, panel.title, tuple(panel.build(story)), panel.missing) for panel in PANELS]
