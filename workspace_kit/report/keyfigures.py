"""The panel of every number: one tear sheet's worth, for the main series and what it is held against."""

from typing import NamedTuple

from workspace_kit.report import words
from workspace_kit.report.blocks import Block, Cell, Grid, Head, Rows
from workspace_kit.report.results import LACKING, curves_of
from workspace_kit.report.story import BENCHMARK, BUY_AND_HOLD, Story
from workspace_kit.schema import TEST

SHARE, RATIO, WHOLE, ODDS = "share", "ratio", "whole", "odds"
_IN_SAMPLE = " All periods include train, where these were chosen, and select."
_SPANS = {TEST: "Test", "all": "All periods"}


class Measure(NamedTuple):
    """A statistic's name, its title and how its value reads."""

    name: str
    title: str
    unit: str


GROUPS: dict[str, tuple[Measure, ...]] = {
    "Return": (
        Measure("total_return", "Cumulative return", SHARE),
        Measure("cagr", "Growth a year", SHARE),
        Measure("expected_bar", "Expected per bar", SHARE),
        Measure("expected_month", "Expected per month", SHARE),
        Measure("expected_year", "Expected per year", SHARE),
        Measure("time_in_market", "Bars in the market", SHARE),
        Measure("stability", "Stability, R² of log growth on time", RATIO),
    ),
    "Risk-adjusted": (
        Measure("sharpe_ratio", "Sharpe ratio", RATIO),
        Measure("psr", "Probability that the Sharpe ratio exceeds zero", ODDS),
        Measure("sharpe_adjusted", "Sharpe ratio, autocorrelation counted in", RATIO),
        Measure("sortino_ratio", "Sortino ratio", RATIO),
        Measure("calmar_ratio", "Calmar ratio", RATIO),
        Measure("omega_ratio", "Omega ratio", RATIO),
        Measure("gain_to_pain", "Gain to pain", RATIO),
        Measure("serenity_index", "Serenity index", RATIO),
    ),
    "Risk": (
        Measure("volatility", "Volatility a year", SHARE),
        Measure("skewness", "Skewness", RATIO),
        Measure("kurtosis", "Kurtosis, 3 if normal", RATIO),
        Measure("value_at_risk", "Value at risk of a bar, 95 %", SHARE),
        Measure("conditional_value_at_risk", "Expected shortfall of a bar, 95 %", SHARE),
        Measure("tail_ratio", "Tail ratio", RATIO),
        Measure("outlier_win", "99 % quantile over the mean gain", RATIO),
        Measure("outlier_loss", "1 % quantile over the mean loss", RATIO),
    ),
    "Drawdown": (
        Measure("max_drawdown", "Deepest drawdown", SHARE),
        Measure("longest_drawdown", "Longest drawdown, bars", WHOLE),
        Measure("average_drawdown", "Mean drawdown", SHARE),
        Measure("average_drawdown_bars", "Mean length of a drawdown, bars", RATIO),
        Measure("recovery_factor", "Recovery factor", RATIO),
        Measure("ulcer_index", "Ulcer index", SHARE),
    ),
    "Wins and losses": (
        Measure("win_bars", "Bars won", SHARE),
        Measure("win_months", "Months won", SHARE),
        Measure("win_quarters", "Quarters won", SHARE),
        Measure("win_years", "Years won", SHARE),
        Measure("average_gain", "Mean gain of a bar", SHARE),
        Measure("average_loss", "Mean loss of a bar", SHARE),
        Measure("average_up_month", "Mean month up", SHARE),
        Measure("average_down_month", "Mean month down", SHARE),
        Measure("payoff_ratio", "Payoff ratio", RATIO),
        Measure("bar_profit_factor", "Profit factor of bars", RATIO),
        Measure("cpc_index", "CPC index", RATIO),
        Measure("kelly", "Kelly fraction", SHARE),
        Measure("longest_wins", "Longest run of gains, bars", WHOLE),
        Measure("longest_losses", "Longest run of losses, bars", WHOLE),
    ),
    "Best and worst": tuple(
        Measure(f"{end}_{span}", f"{end.capitalize()} {span}", SHARE)
        for span in ("bar", "month", "year")
        for end in ("best", "worst")
    ),
    "Up to the last bar": (
        Measure("month_to_date", "Month to date", SHARE),
        Measure("three_months", "Three months", SHARE),
        Measure("six_months", "Six months", SHARE),
        Measure("year_to_date", "Year to date", SHARE),
        Measure("one_year", "One year", SHARE),
        Measure("three_years", "Three years, a year", SHARE),
        Measure("five_years", "Five years, a year", SHARE),
        Measure("ten_years", "Ten years, a year", SHARE),
    ),
    "Against the benchmark": (
        Measure("alpha", "Alpha a year", SHARE),
        Measure("beta", "Beta", RATIO),
        Measure("correlation", "Correlation", RATIO),
        Measure("r_squared", "R²", RATIO),
        Measure("tracking_error", "Tracking error a year", SHARE),
        Measure("information_ratio", "Information ratio", RATIO),
        Measure("treynor_ratio", "Treynor ratio", SHARE),
        Measure("up_capture", "Up capture", SHARE),
        Measure("down_capture", "Down capture", SHARE),
    ),
}


def key_figures(story: Story) -> list[Block]:
    """Return every statistic of the main series, buy and hold and the benchmark, over test and over all."""
    spans = {name: title for name, title in _SPANS.items() if story.statistics.get(name)}
    shown = [*list(curves_of(story))[:1], BUY_AND_HOLD, BENCHMARK]
    columns = [
        (span, name) for span in spans for name in dict.fromkeys(shown) if name in story.statistics[span]
    ]
    if not columns:
        return []
    heads = (
        Head("", is_number=False),
        *(Head(words.short(words.named(name), most=24), group=spans[span]) for span, name in columns),
    )
    groups = tuple(
        Rows(
            title,
            tuple(
                (
                    Cell(measure.title),
                    *(
                        _cell(measure, story.statistics[span][name].get(measure.name))
                        for span, name in columns
                    ),
                )
                for measure in measures
            ),
        )
        for title, measures in GROUPS.items()
    )
    caption = (
        "Every number of a tear sheet, net of cost. Bars that returned zero are out of the market; weeks,"
        f" months and years that are only begun count as they stand. {LACKING}"
    ) + (_IN_SAMPLE if "all" in spans else "")
    return [Grid("key-figures-table", caption, heads, groups)]


def _cell(measure: Measure, value: float | None) -> Cell:
    if measure.unit == SHARE:
        return Cell(words.percent(value, decimals=2 if value is not None and abs(value) < 0.1 else 1), value)
    if measure.unit == ODDS:
        return Cell(words.probability(value), value)
    return Cell(words.number(value, decimals=0 if measure.unit == WHOLE else 2), value)
