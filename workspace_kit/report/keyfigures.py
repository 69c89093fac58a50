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
    """A statistic's name, its title, how its value reads, and its formula in words."""

    name: str
    title: str
    unit: str
    meaning: str


GROUPS: dict[str, tuple[Measure, ...]] = {
    "Return": (
        Measure("total_return", "Cumulative return", SHARE, "Π(1 + r) − 1 over the returns r of all bars"),
        Measure("cagr", "Growth a year", SHARE, "(1 + cumulative return)^(bars a year / bars) − 1"),
        Measure(
            "expected_bar",
            "Expected per bar",
            SHARE,
            "geometric mean of bar returns, (Π(1 + r))^(1 / bars) − 1; not annualised",
        ),
        Measure(
            "expected_month",
            "Expected per month",
            SHARE,
            "geometric mean of the returns of calendar months; not annualised",
        ),
        Measure(
            "expected_year", "Expected per year", SHARE, "geometric mean of the returns of calendar years"
        ),
        Measure("time_in_market", "Bars in the market", SHARE, "share of bars whose return is not zero"),
        Measure(
            "stability",
            "Stability, R² of log growth on time",
            RATIO,
            "squared correlation of the running sum of log(1 + r) with time; 1 is steady growth",
        ),
    ),
    "Risk-adjusted": (
        Measure(
            "sharpe_ratio",
            "Sharpe ratio",
            RATIO,
            "√(bars a year) · mean excess return of a bar / its sample deviation",
        ),
        Measure(
            "psr",
            "Probability that the Sharpe ratio exceeds zero",
            ODDS,
            "Φ(ratio per bar / its standard error, which counts skewness and kurtosis in)",
        ),
        Measure(
            "sharpe_adjusted",
            "Sharpe ratio, autocorrelation counted in",
            RATIO,
            "Sharpe ratio annualised with the correlation of neighbouring bars counted in (Lo 2002)",
        ),
        Measure(
            "sortino_ratio",
            "Sortino ratio",
            RATIO,
            "√(bars a year) · mean excess return of a bar / root mean square of its negative part",
        ),
        Measure(
            "sortino_over_root_two",
            "Sortino ratio / √2",
            RATIO,
            "Sortino ratio / √2, which is near the Sharpe ratio where gains and losses are alike",
        ),
        Measure(
            "sortino_adjusted",
            "Sortino ratio, autocorrelation counted in",
            RATIO,
            "Sortino ratio times the factor by which autocorrelation changes the Sharpe ratio (Lo 2002)",
        ),
        Measure("calmar_ratio", "Calmar ratio", RATIO, "growth a year / depth of the deepest drawdown"),
        Measure("omega_ratio", "Omega ratio", RATIO, "sum of gains / sum of losses, bar by bar, about zero"),
        Measure(
            "gain_to_pain",
            "Gain to pain",
            RATIO,
            "sum of bar returns / sum of losses of bars; not annualised",
        ),
        Measure(
            "gain_to_pain_month",
            "Gain to pain by month",
            RATIO,
            "Schwager's: sum of all months / sum of losses, a month being the sum of its bar returns",
        ),
        Measure(
            "common_sense_ratio",
            "Common sense ratio",
            RATIO,
            "profit factor of bars · tail ratio; above 1, both sums and extremes favour gains",
        ),
        Measure(
            "serenity_index",
            "Serenity index",
            RATIO,
            "Σ excess returns · deviation of a bar / (ulcer index · mean of the deepest 5 % of drawdowns)",
        ),
    ),
    "Risk": (
        Measure("volatility", "Volatility a year", SHARE, "√(bars a year) · sample deviation of bar returns"),
        Measure(
            "skewness",
            "Skewness",
            RATIO,
            "third standardised moment of bar returns; below zero, losses are the larger surprises",
        ),
        Measure("kurtosis", "Kurtosis, 3 if normal", RATIO, "fourth standardised moment of bar returns"),
        Measure(
            "value_at_risk",
            "Value at risk of a bar, 95 %",
            SHARE,
            "5 % quantile of bar returns: one bar in twenty falls below",
        ),
        Measure(
            "conditional_value_at_risk",
            "Expected shortfall of a bar, 95 %",
            SHARE,
            "mean of the bar returns at or below the value at risk",
        ),
        Measure(
            "tail_ratio",
            "Tail ratio",
            RATIO,
            "size of the 95 % quantile / size of the 5 % quantile of bar returns",
        ),
        Measure(
            "outlier_win",
            "99 % quantile over the mean gain",
            RATIO,
            "99 % quantile of bar returns / mean gain of a bar",
        ),
        Measure(
            "outlier_loss",
            "1 % quantile over the mean loss",
            RATIO,
            "1 % quantile of bar returns / mean loss of a bar",
        ),
    ),
    "Drawdown": (
        Measure(
            "max_drawdown",
            "Deepest drawdown",
            SHARE,
            "least of equity / highest equity so far − 1; equity starts at 1",
        ),
        Measure(
            "longest_drawdown",
            "Longest drawdown, bars",
            WHOLE,
            "most bars in a row below the highest equity so far",
        ),
        Measure(
            "average_drawdown",
            "Mean drawdown",
            SHARE,
            "mean, over the stretches below the peak, of the deepest point of each",
        ),
        Measure(
            "average_drawdown_bars",
            "Mean length of a drawdown, bars",
            RATIO,
            "mean number of bars of the stretches below the peak",
        ),
        Measure(
            "recovery_factor",
            "Recovery factor",
            RATIO,
            "cumulative return / depth of the deepest drawdown; not annualised",
        ),
        Measure("ulcer_index", "Ulcer index", SHARE, "root mean square of the drawdowns of all bars"),
    ),
    "Wins and losses": (
        Measure("win_bars", "Bars won", SHARE, "bars with a gain / bars with a gain or a loss"),
        Measure(
            "win_months", "Months won", SHARE, "calendar months with a gain / those with a gain or a loss"
        ),
        Measure(
            "win_quarters",
            "Quarters won",
            SHARE,
            "calendar quarters with a gain / those with a gain or a loss",
        ),
        Measure("win_years", "Years won", SHARE, "calendar years with a gain / those with a gain or a loss"),
        Measure("average_gain", "Mean gain of a bar", SHARE, "mean return of the bars with a gain"),
        Measure("average_loss", "Mean loss of a bar", SHARE, "mean return of the bars with a loss"),
        Measure("average_up_month", "Mean month up", SHARE, "mean return of the calendar months with a gain"),
        Measure(
            "average_down_month", "Mean month down", SHARE, "mean return of the calendar months with a loss"
        ),
        Measure("payoff_ratio", "Payoff ratio", RATIO, "mean gain / mean loss of a bar"),
        Measure(
            "bar_profit_factor", "Profit factor of bars", RATIO, "sum of gains / sum of losses, bar by bar"
        ),
        Measure("cpc_index", "CPC index", RATIO, "profit factor of bars · bars won · payoff ratio"),
        Measure("kelly", "Kelly fraction", SHARE, "w − (1 − w) / payoff ratio, w the share of bars won"),
        Measure("longest_wins", "Longest run of gains, bars", WHOLE, "most bars in a row with a gain"),
        Measure("longest_losses", "Longest run of losses, bars", WHOLE, "most bars in a row with a loss"),
    ),
    "Best and worst": tuple(
        Measure(f"{end}_{span}", f"{end.capitalize()} {span}", SHARE, f"{most} return of a {of}")
        for span, of in (("bar", "bar"), ("month", "calendar month"), ("year", "calendar year"))
        for end, most in (("best", "highest"), ("worst", "lowest"))
    ),
    "Up to the last bar": (
        Measure(
            "month_to_date",
            "Month to date",
            SHARE,
            "compounded return since the calendar month of the last bar began",
        ),
        Measure(
            "three_months", "Three months", SHARE, "compounded return of the three months up to the last bar"
        ),
        Measure("six_months", "Six months", SHARE, "compounded return of the six months up to the last bar"),
        Measure(
            "year_to_date",
            "Year to date",
            SHARE,
            "compounded return since the calendar year of the last bar began",
        ),
        Measure("one_year", "One year", SHARE, "compounded return of the twelve months up to the last bar"),
        Measure(
            "three_years",
            "Three years, a year",
            SHARE,
            "(1 + compounded return of the last three years)^(1/3) − 1",
        ),
        Measure(
            "five_years",
            "Five years, a year",
            SHARE,
            "(1 + compounded return of the last five years)^(1/5) − 1",
        ),
        Measure(
            "ten_years",
            "Ten years, a year",
            SHARE,
            "(1 + compounded return of the last ten years)^(1/10) − 1",
        ),
    ),
    "Against the benchmark": (
        Measure(
            "alpha",
            "Alpha a year",
            SHARE,
            "bars a year · (mean excess return − beta · mean excess return of the benchmark)",
        ),
        Measure(
            "beta",
            "Beta",
            RATIO,
            "covariance with the benchmark / variance of the benchmark, of excess returns of bars",
        ),
        Measure(
            "correlation",
            "Correlation",
            RATIO,
            "Pearson's, of excess returns of bars with those of the benchmark",
        ),
        Measure("r_squared", "R²", RATIO, "square of the correlation with the benchmark"),
        Measure(
            "tracking_error",
            "Tracking error a year",
            SHARE,
            "√(bars a year) · sample deviation of the difference from the benchmark",
        ),
        Measure(
            "information_ratio",
            "Information ratio",
            RATIO,
            "√(bars a year) · mean difference from the benchmark / its sample deviation",
        ),
        Measure("treynor_ratio", "Treynor ratio", SHARE, "bars a year · mean excess return of a bar / beta"),
        Measure(
            "up_capture",
            "Up capture",
            SHARE,
            "mean return / mean return of the benchmark, over the bars on which the benchmark rose",
        ),
        Measure(
            "down_capture",
            "Down capture",
            SHARE,
            "mean return / mean return of the benchmark, over the bars on which the benchmark fell",
        ),
    ),
}


def judged(story: Story) -> list[str]:
    """Name the series that have key figures: the main one, and what it is held against."""
    return list(dict.fromkeys((*list(curves_of(story))[:1], BUY_AND_HOLD, BENCHMARK)))


def key_figures(story: Story) -> list[Block]:
    """Return every statistic of the main series, buy and hold and the benchmark, and what each means."""
    figures = _figures(story)
    return [*figures, _meanings()] if figures else []


def _meanings() -> Grid:
    groups = tuple(
        Rows(title, tuple((Cell(measure.title), Cell(measure.meaning)) for measure in measures))
        for title, measures in GROUPS.items()
    )
    heads = (Head("Key figure", is_number=False), Head("Meaning", is_number=False))
    caption = (
        "What these mean. Excess returns are those beyond the risk-free rate; a loss counts by its size where"
        " it divides; what says nothing of a year is over all bars of the span."
    )
    return Grid("key-figures-meanings", caption, heads, groups, is_folded=True)


def _figures(story: Story) -> list[Block]:
    spans = {name: title for name, title in _SPANS.items() if story.statistics.get(name)}
    columns = [(span, name) for span in spans for name in judged(story) if name in story.statistics[span]]
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
                    Cell(measure.title, hint=measure.meaning),
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
        "Every number of a tear sheet, net of cost. Excess returns are those beyond a risk-free rate of"
        f" {words.percent(story.risk_free_rate, decimals=2)} a year. Bars that returned zero are out of the"
        f" market; weeks, months and years that are only begun count as they stand. {LACKING}"
    ) + (_IN_SAMPLE if "all" in spans else "")
    return [Grid("key-figures-table", caption, heads, groups)]


def _cell(measure: Measure, value: float | None) -> Cell:
    if measure.unit == SHARE:
        return Cell(words.percent(value, decimals=2 if value is not None and abs(value) < 0.1 else 1), value)
    if measure.unit == ODDS:
        return Cell(words.probability(value), value)
    return Cell(words.number(value, decimals=0 if measure.unit == WHOLE else 2), value)
