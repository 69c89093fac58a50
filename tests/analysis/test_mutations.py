"""The published numbers would notice: each formula, spoilt in one place, fails the check it has to pass.

A snippet that is no longer in the source fails too, so that a check cannot outlive what it checks.
"""

import math
import types
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

import workspace_kit
from workspace_kit.analysis.replay import Bars
from workspace_kit.config import Execution

NORMAL = {"skewness": 0.0, "kurtosis": 3.0}
RETURNS = [0.1, -0.05, 0.02, 0.03]


class Mutation(NamedTuple):
    """What is spoilt, in which module of ``analysis``, and the check that has to notice."""

    what: str
    module: str
    right: str
    wrong: str
    check: Callable[[Any], None]


def reduced(expression: pl.Expr, values: list[float]) -> Any:
    return pl.DataFrame({"return": values}).select(expression).item()


def psr(module: Any) -> None:
    plain = module.probabilistic_sharpe(0.458, hurdle=0.0, bars=24, **NORMAL)
    assert plain == pytest.approx(0.982, abs=5e-4)
    skewed = module.probabilistic_sharpe(0.458, hurdle=0.0, bars=24, skewness=-2.448, kurtosis=10.164)
    assert skewed == pytest.approx(0.913, abs=5e-4)


def track_record(module: Any) -> None:
    for sharpe, skewness, kurtosis, years in (
        (0.7079, -0.2250, 2.9570, 0.7152),
        (0.8183, -1.4455, 7.0497, 1.1593),
    ):
        shape = {"skewness": skewness, "kurtosis": kurtosis}
        bars = module.min_track_record(sharpe, hurdle=0.0, confidence=0.95, **shape)
        assert bars / 12 == pytest.approx(years, abs=5e-5)


def luck_hurdle(module: Any) -> None:
    assert module.expected_maximum_sharpe(100, deviation=1.0) == pytest.approx(2.5306, abs=5e-5)


def dsr(module: Any) -> None:
    found = module.deflated_sharpe(
        2.5 / math.sqrt(250),
        trials=100,
        deviation=math.sqrt(0.5 / 250),
        bars=1250,
        skewness=-3.0,
        kurtosis=10.0,
    )
    assert found == pytest.approx(0.9004, abs=5e-5)


def backtest_length(module: Any) -> None:
    assert module.min_backtest_length(45, sharpe=1.0) == pytest.approx(4.998, abs=5e-4)


def dispersion(module: Any) -> None:
    assert module.sharpe_dispersion([1.0, 2.0, 3.0]) == pytest.approx(1.0)


def judged(module: Any) -> None:
    # What is judged is the best of all that were tried, however few of them are independent.
    row = module.judge(pl.Series(RETURNS), trials_tried=33, sharpe_deviation=0.05, mean_correlation=0.5)
    _, sharpe, skewness, kurtosis = module.moments(pl.Series(RETURNS))
    expected = module.deflated_sharpe(
        sharpe, trials=33, deviation=0.05, bars=4, skewness=skewness, kurtosis=kurtosis
    )
    assert row["dsr"] == expected < row["psr"]


def effective(module: Any) -> None:
    assert module.effective_trials(33, mean_correlation=0.5) == 17


def normal_kurtosis(module: Any) -> None:
    quantiles = [NormalDist().inv_cdf((place + 0.5) / 20_000) for place in range(20_000)]
    assert reduced(module.kurtosis("return"), quantiles) == pytest.approx(3, abs=0.01)


def volatility(module: Any) -> None:
    found = reduced(module.volatility("return", periods_per_year=12), RETURNS)
    assert found == pytest.approx(stdev(RETURNS) * math.sqrt(12))


def sharpe(module: Any) -> None:
    found = reduced(module.sharpe_ratio("return", periods_per_year=12, risk_free_rate=0.02), RETURNS)
    excess = fmean(RETURNS) - (1.02 ** (1 / 12) - 1)
    assert found == pytest.approx(excess / stdev(RETURNS) * math.sqrt(12))


def growth(module: Any) -> None:
    found = reduced(module.cagr("return", periods_per_year=12), RETURNS)
    assert found == pytest.approx((1.1 * 0.95 * 1.02 * 1.03) ** 3 - 1)


def first_loss(module: Any) -> None:
    assert reduced(module.max_drawdown("return"), [-0.1, 0.05]) == pytest.approx(-0.1)


def first_loss_of_a_half(module: Any) -> None:
    assert module.deepest_drawdowns(np.array([[-0.1], [0.05]])).tolist() == pytest.approx([-0.1])


def omega(module: Any) -> None:
    assert reduced(module.omega_ratio("return"), RETURNS) == pytest.approx(0.15 / 0.05)


def pbo(module: Any) -> None:
    returns = np.array([[1, 0], [3, 1], [0, 2], [1, 5]], dtype=float)
    found = module.probability_of_overfitting(returns, blocks=2, metric="mean")
    assert found.logits.tolist() == pytest.approx([-0.693, -0.693], abs=5e-4)
    assert found.probability == 1


def certain_p_values(module: Any) -> None:
    # Nothing that was drawn comes near so good a trial, and still its p-value is not zero.
    noise = np.random.default_rng(1).normal(0, 0.01, (60, 1))
    benchmark = np.zeros(60)
    check = module.reality_check(noise + 0.1, benchmark, draws=99, seed=2)
    assert check == pytest.approx(1 / 100)
    assert module.superior_predictive_ability(noise + 0.1, benchmark, draws=99, seed=2) == pytest.approx(
        (1 / 100,) * 3
    )


def next_bar(module: Any) -> None:
    timestamps = pl.Series([0, 1, 2]).cast(pl.Datetime("us"))
    bars = Bars(timestamps, ("A",), np.array([[100.0], [110.0], [55.0]]), None)
    found = module.replay(np.array([[0.0], [1.0], [1.0]]), bars, execution=Execution(cost_bps=0))
    assert found.bars["return"].to_list() == pytest.approx([0, 0, -0.5])


MUTATIONS = (
    Mutation("excess kurtosis", "measures", "fisher=False", "fisher=True", normal_kurtosis),
    Mutation("excess kurtosis wanted", "overfitting", "(kurtosis - 1) / 4", "(kurtosis + 2) / 4", psr),
    Mutation("excess kurtosis wanted", "overfitting", "(kurtosis - 1) / 4", "(kurtosis + 2) / 4", dsr),
    Mutation("sign of skewness", "overfitting", "1 - skewness * sharpe", "1 + skewness * sharpe", psr),
    Mutation(
        "sign of skewness", "overfitting", "1 - skewness * sharpe", "1 + skewness * sharpe", track_record
    ),
    Mutation("one bar more", "overfitting", "(bars - 1) / spread", "bars / spread", psr),
    Mutation("one bar less", "overfitting", "return 1 + spread *", "return spread *", track_record),
    Mutation(
        "one trial less", "overfitting", "inv_cdf(1 - 1 / trials)", "inv_cdf(1 - 1 / (trials - 1))", dsr
    ),
    Mutation(
        "one trial less",
        "overfitting",
        "inv_cdf(1 - 1 / trials)",
        "inv_cdf(1 - 1 / (trials - 1))",
        luck_hurdle,
    ),
    Mutation("no e", "overfitting", "1 / (trials * math.e)", "1 / trials", luck_hurdle),
    Mutation("gamma", "overfitting", "0.5772156649015329", "0.5", luck_hurdle),
    Mutation("gamma", "overfitting", "0.5772156649015329", "0.5", dsr),
    Mutation("gamma", "overfitting", "0.5772156649015329", "0.5", backtest_length),
    Mutation(
        "no square",
        "overfitting",
        "(_expected_maximum(trials) / sharpe) ** 2",
        "_expected_maximum(trials) / sharpe",
        backtest_length,
    ),
    Mutation("ddof 0 over trials", "overfitting", "/ (len(known) - 1)", "/ len(known)", dispersion),
    Mutation(
        "trials not counted",
        "overfitting",
        "luck_hurdle(trials_tried, deviation",
        "expected_maximum_sharpe(1, deviation",
        judged,
    ),
    Mutation(
        "effective trials for tried ones",
        "overfitting",
        "(1 - correlation) * trials",
        "(1 - correlation) * (trials - 1)",
        effective,
    ),
    Mutation(
        "ddof 0", "measures", "deviation = returns.std(ddof=1)", "deviation = returns.std(ddof=0)", volatility
    ),
    Mutation("ddof 0", "measures", "excess / returns.std(ddof=1)", "excess / returns.std(ddof=0)", sharpe),
    Mutation(
        "days for months",
        "measures",
        "excess / returns.std(ddof=1) * math.sqrt(periods_per_year)",
        "excess / returns.std(ddof=1) * math.sqrt(252)",
        sharpe,
    ),
    Mutation(
        "not annual",
        "measures",
        "deviation = returns.std(ddof=1) * math.sqrt(periods_per_year)",
        "deviation = returns.std(ddof=1)",
        volatility,
    ),
    Mutation(
        "linear rate",
        "measures",
        "(1 + rate) ** (1 / periods_per_year) - 1",
        "rate / periods_per_year",
        sharpe,
    ),
    Mutation("days for months", "measures", "(periods_per_year / pl.col", "(252 / pl.col", growth),
    Mutation(
        "drawdown not anchored",
        "measures",
        "equity.cum_max().clip(lower_bound=1.0)",
        "equity.cum_max()",
        first_loss,
    ),
    Mutation(
        "drawdown not anchored",
        "cross_validation",
        "np.maximum(np.maximum.accumulate(equity, axis=0), 1.0)",
        "np.maximum.accumulate(equity, axis=0)",
        first_loss_of_a_half,
    ),
    Mutation(
        "threshold of omega",
        "measures",
        "values.clip(lower_bound=0.0)",
        "values.clip(lower_bound=0.01)",
        omega,
    ),
    Mutation(
        "rank over N", "cross_validation", "rank / (inside.shape[1] + 1)", "rank / inside.shape[1]", pbo
    ),
    Mutation(
        "best of the other half",
        "cross_validation",
        "there.append(_follow(one, other))",
        "there.append(_follow(one, one))",
        pbo,
    ),
    Mutation(
        "p-value over B",
        "bootstrap",
        "return (1 + exceeding) / (draws + 1)",
        "return exceeding / draws",
        certain_p_values,
    ),
    Mutation(
        "p-value over B",
        "bootstrap",
        "((1 + exceeding) / (draws + 1)).tolist()",
        "(exceeding / draws).tolist()",
        certain_p_values,
    ),
    Mutation(
        "same bar",
        "replay.accounts",
        "carried = shifted(filled, by=1, fill=0)\n    no_move",
        "carried = filled\n    no_move",
        next_bar,
    ),
)


def spoilt(mutation: Mutation) -> types.ModuleType:
    """Run a module's source with one snippet replaced, under its own name, without touching the module."""
    path = Path(workspace_kit.__file__).parent / "analysis" / f"{mutation.module.replace('.', '/')}.py"
    source = path.read_text(encoding="utf-8")
    if source.count(mutation.right) != 1:
        pytest.fail(f"{path.name} has {mutation.right!r} {source.count(mutation.right)} times, not once")
    module = types.ModuleType(f"workspace_kit.analysis.{mutation.module}")
    code = compile(source.replace(mutation.right, mutation.wrong), str(path), "exec")
    exec(code, module.__dict__)  # noqa: S102 - our own source, spoilt on purpose
    return module


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: f"{each.what}, {each.check.__name__}")
def test_a_spoilt_formula_fails_the_numbers_it_has_to_give(mutation):
    mutation.check(import_module(f"workspace_kit.analysis.{mutation.module}"))
    with pytest.raises(AssertionError):
        mutation.check(spoilt(mutation))
