"""The panel of round trips tells what plain sums over its trades give."""

import statistics
from dataclasses import replace

import pytest
from scipy.special import betaincinv

from workspace_kit.report.blocks import Grid, Note, Tiles
from workspace_kit.report.ink import house_style
from workspace_kit.report.story import prepared
from workspace_kit.report.trips import beta_quantile, round_trips
from workspace_kit.schema import ROUND_TRIPS

RETURNS = {"long": [0.04, 0.02, -0.01, 0.0, 0.09, -0.05], "short": [0.03, -0.02, -0.06]}
BARS = [1, 2, 2, 9, 4, 1, 3, 7, 5]


def told(story, returns):
    rows = [(side, value) for side, values in returns.items() for value in values]
    first, last = story.periods["train"]
    trades = [
        {
            "series": "equal_weight",
            "period": "train",
            "symbol": "AAA",
            "side": side,
            "entered_at": first,
            "exited_at": last,
            "bars": bars,
            "return": value,
        }
        for (side, value), bars in zip(rows, BARS, strict=False)
    ]
    tables = {**story.tables, "round_trips": ROUND_TRIPS.frame(trades)}
    with house_style():
        return round_trips(prepared(replace(story, tables=tables)))


def numbers(blocks):
    """Return the numbers of all, long and short trades by title."""
    grid = next(block for block in blocks if isinstance(block, Grid) and block.key == "trade-statistics")
    assert [head.title for head in grid.heads] == ["", "All", "Long", "Short"]
    return {row[0].text: [cell.value for cell in row[1:]] for row in grid.groups[0].rows}


def test_trades_are_counted_and_averaged_for_all_long_and_short(story):
    found = numbers(told(story, RETURNS))
    for at, some in enumerate(([*RETURNS["long"], *RETURNS["short"]], RETURNS["long"], RETURNS["short"])):
        gains, losses = [each for each in some if each > 0], [each for each in some if each < 0]
        wanted = {
            "Trades": len(some),
            "Won": len(gains),
            "Lost": len(losses),
            "Even": some.count(0.0),
            "Share won": len(gains) / len(some),
            "Mean": statistics.mean(some),
            "Median": statistics.median(some),
            "Median gain": statistics.median(gains),
            "Median loss": statistics.median(losses),
            "Payoff ratio": statistics.mean(gains) / -statistics.mean(losses),
            "Profit factor": sum(gains) / -sum(losses),
        }
        assert {title: found[title][at] for title in wanted} == pytest.approx(wanted)
    assert found["Median bars"] == [statistics.median(each) for each in (BARS, BARS[:6], BARS[6:])]


def test_where_no_trade_was_short_all_are_not_told_twice(story):
    blocks = told(story, {"long": [0.1, -0.2]})
    titles = [[head.title for head in block.heads] for block in blocks if isinstance(block, Grid)]
    assert titles[0] == ["", "Long"]
    (rows,) = next(block for block in blocks if getattr(block, "key", "") == "round-trips").groups
    assert [row[0].text for row in rows.rows] == ["Long"]


def test_trades_that_never_lost_have_no_loss_to_divide_by(story):
    found = numbers(told(story, {"long": [0.1, 0.2], "short": [0.3]}))
    for title in ("Mean loss", "Median loss", "Payoff ratio", "Profit factor"):
        assert found[title] == [None, None, None]


@pytest.mark.parametrize(("won", "others"), [(1, 1), (4, 5), (300, 40), (2_000, 3_000), (1, 900)])
@pytest.mark.parametrize("share", [0.025, 0.5, 0.975])
def test_quantiles_of_the_beta_distribution_are_those_of_scipy(won, others, share):
    assert beta_quantile(share, won, others) == pytest.approx(betaincinv(won, others, share), abs=1e-9)


def test_the_chance_of_a_profit_has_two_ends_and_says_what_it_assumes(story):
    (note,) = [block for block in told(story, RETURNS) if isinstance(block, Note)]
    low, high = (100 * betaincinv(4, 5, share) for share in (0.025, 0.975))
    assert f"between {low:.1f}\u00a0% and {high:.1f}\u00a0%" in note.text
    assert "independent" in note.text
    assert not [block for block in told(story, {"long": [0.1] * 9}) if isinstance(block, Note)]


def test_holding_times_and_lifetimes_are_drawn_beside_returns_and_few_trades_are_not(story):
    (tiles,) = [block for block in told(story, RETURNS) if isinstance(block, Tiles)]
    assert len(tiles.drawings) == 3
    assert not [block for block in told(story, {"long": [0.1, -0.1]}) if isinstance(block, Tiles)]
