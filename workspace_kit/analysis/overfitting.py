"""How much of a result is luck: what a Sharpe ratio proves, and what the best of many trials proves less.

Sharpe ratios are per bar here, never annualised. ``kurtosis`` is the fourth standardised moment, 3 for
normal data; the excess over 3 that many libraries call by the same name gives wrong answers.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import polars as pl

from workspace_kit.analysis import measures

EULER_MASCHERONI = 0.5772156649015329
CONFIDENCE = 0.95

_NORMAL = NormalDist()


class Moments(NamedTuple):
    """What the judgement of a series of returns rests on; None where all returns are equal."""

    bars: int
    sharpe: float | None
    skewness: float | None
    kurtosis: float | None


def moments(returns: pl.Series) -> Moments:
    """Return bars, Sharpe ratio per bar, skewness and non-excess kurtosis of returns in excess of cash."""
    known = returns.drop_nulls().alias("return").to_frame()
    values = known.select(
        measures.sharpe_ratio("return", periods_per_year=1, risk_free_rate=0.0).alias("sharpe"),
        measures.skewness("return").alias("skewness"),
        measures.kurtosis("return").alias("kurtosis"),
    )
    return Moments(known.height, *values.row(0))


def probabilistic_sharpe(
    sharpe: float, *, hurdle: float, bars: int, skewness: float, kurtosis: float
) -> float | None:
    """Return the probability that the true Sharpe ratio exceeds the hurdle (PSR).

    Null for fewer than two bars, or where the ratio has no sampling error.

    Source: Bailey and López de Prado (2012), "The Sharpe Ratio Efficient Frontier".
    """
    spread = _spread(sharpe, skewness=skewness, kurtosis=kurtosis)
    if bars < 2 or spread <= 0:
        return None
    return _NORMAL.cdf((sharpe - hurdle) * math.sqrt((bars - 1) / spread))


def min_track_record(
    sharpe: float, *, hurdle: float, confidence: float, skewness: float, kurtosis: float
) -> float | None:
    """Return the bars needed to be this confident that the true Sharpe ratio exceeds the hurdle (MinTRL).

    Null where it does not exceed the hurdle itself: no length would do.

    Source: Bailey and López de Prado (2012).
    """
    if sharpe <= hurdle:
        return None
    spread = _spread(sharpe, skewness=skewness, kurtosis=kurtosis)
    return 1 + spread * (_NORMAL.inv_cdf(confidence) / (sharpe - hurdle)) ** 2


def expected_maximum_sharpe(trials: float, *, deviation: float) -> float:
    """Return the Sharpe ratio that the best of many worthless trials reaches by luck; 0 for a single one.

    ``deviation`` is the standard deviation of the Sharpe ratios over the trials, per bar.

    Source: Bailey and López de Prado (2014), "The Deflated Sharpe Ratio", the False Strategy theorem.
    """
    return deviation * _expected_maximum(trials)


def luck_hurdle(trials: int, *, deviation: float | None) -> float | None:
    """Return what the best of the trials reaches by luck; null where nobody knows how far they spread."""
    if deviation is None:
        return 0.0 if trials == 1 else None
    return expected_maximum_sharpe(trials, deviation=deviation)


def deflated_sharpe(
    sharpe: float, *, trials: float, deviation: float, bars: int, skewness: float, kurtosis: float
) -> float | None:
    """Return the probability that the true Sharpe ratio exceeds what luck gives the best of the trials (DSR).

    Source: Bailey and López de Prado (2014).
    """
    hurdle = expected_maximum_sharpe(trials, deviation=deviation)
    return probabilistic_sharpe(sharpe, hurdle=hurdle, bars=bars, skewness=skewness, kurtosis=kurtosis)


def min_backtest_length(trials: float, *, sharpe: float) -> float:
    """Return the years after which the best of worthless trials no longer shows this annual Sharpe ratio.

    Source: Bailey, Borwein, López de Prado and Zhu (2014), "Pseudo-Mathematics and Financial Charlatanism".
    """
    return (_expected_maximum(trials) / sharpe) ** 2


def effective_trials(trials: int, *, mean_correlation: float) -> float:
    """Return how many independent trials the tried ones amount to: rho + (1 - rho) N.

    ``mean_correlation`` is the mean over all pairs; below 0 it counts as 0.
    """
    correlation = max(0.0, mean_correlation)
    return correlation + (1 - correlation) * trials


def sharpe_dispersion(sharpes: Sequence[float | None]) -> float | None:
    """Return the sample deviation of the trials' Sharpe ratios; null for fewer than two."""
    known = [sharpe for sharpe in sharpes if sharpe is not None]
    if len(known) < 2:
        return None
    mean = math.fsum(known) / len(known)
    return math.sqrt(math.fsum((sharpe - mean) ** 2 for sharpe in known) / (len(known) - 1))


def judge(
    returns: pl.Series,
    *,
    trials_tried: int,
    sharpe_deviation: float | None,
    mean_correlation: float | None,
) -> dict[str, float | int | None]:
    """Return what table ``overfitting`` says of one subject, from its returns in excess of cash over train.

    ``psr`` (hurdle 0), ``dsr`` (for every trial tried; None where `luck_hurdle` is), ``trials_tried``,
    ``effective_trials`` (None without a mean correlation), ``min_track_record`` (bars, 95 % confidence,
    hurdle 0).
    """
    bars, sharpe, skewness, kurtosis = moments(returns)
    psr = dsr = track_record = None
    if sharpe is not None and skewness is not None and kurtosis is not None:
        shape = {"skewness": skewness, "kurtosis": kurtosis}
        psr = probabilistic_sharpe(sharpe, hurdle=0.0, bars=bars, **shape)
        hurdle = luck_hurdle(trials_tried, deviation=sharpe_deviation)
        if hurdle is not None:
            dsr = probabilistic_sharpe(sharpe, hurdle=hurdle, bars=bars, **shape)
        track_record = min_track_record(sharpe, hurdle=0.0, confidence=CONFIDENCE, **shape)
    effective = (
        None
        if mean_correlation is None
        else effective_trials(trials_tried, mean_correlation=mean_correlation)
    )
    return {
        "psr": psr,
        "dsr": dsr,
        "trials_tried": trials_tried,
        "effective_trials": effective,
        "min_track_record": track_record,
    }


def verdict(
    winner: str,
    *,
    trials_tried: int,
    train_sharpe: float | None,
    select_sharpe: float | None,
    dsr: float | None,
    beats_equal_weight: bool | None,
    excess_sharpe: float | None,
) -> str:
    """Return the result in plain words, for the top of every page.

    ``excess_sharpe`` is the winner's Sharpe ratio on select less that of buy-and-hold; Sharpe ratios are
    annual here. What is not known is said to be unknown.
    """
    luck = "unknown" if dsr is None else _percent(1 - dsr)
    beats = {True: "yes", False: "no", None: "unknown"}[beats_equal_weight]
    trails = excess_sharpe is not None and excess_sharpe <= 0
    sentences = [
        f"Winner {winner} of {trials_tried} tried; Sharpe {_number(select_sharpe)} on select against"
        f" {_number(train_sharpe)} on train; the chance that luck alone gives this is {luck};"
        f" beats equal weight on select: {beats}; excess Sharpe over buy-and-hold: {_number(excess_sharpe)}.",
        "Buying and holding did as well or better." if trails else "",
    ]
    return " ".join(filter(None, sentences))


def sweep_verdict(*, pbo: float | None, spa_p_value: float | None) -> str:
    """Return what choosing the best of a sweep is worth in plain words, empty where nothing is known."""
    sentences = []
    if pbo is not None:
        sentences.append(
            f"Chosen on one half of train, the best falls below the median of the other half in"
            f" {_percent(pbo)} of splits."
        )
    if spa_p_value is not None:
        shown = "Something" if spa_p_value < 1 - CONFIDENCE else "Nothing"
        sentences.append(f"{shown} tried is shown to beat buy-and-hold beyond luck (p = {spa_p_value:.2f}).")
    return " ".join(sentences)


def validation_verdict(sharpes: Mapping[str, float | None], *, looks: int) -> str:
    """Return how the candidates did on test in plain words; ``looks`` counts this one too."""
    told = ", ".join(f"{name.replace('_', ' ')} {_number(sharpe)}" for name, sharpe in sharpes.items())
    seen = "seen for the first time" if looks == 1 else f"seen {looks} times by now"
    return f"Sharpe on test, {seen}: {told}."


def _spread(sharpe: float, *, skewness: float, kurtosis: float) -> float:
    """Sampling variance of a Sharpe ratio, times the bars less one."""
    return 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2


def _expected_maximum(trials: float) -> float:
    """Expected maximum of so many standard normal draws, by extreme value theory; 0 up to one."""
    if trials <= 1:
        return 0.0
    typical = _NORMAL.inv_cdf(1 - 1 / trials)
    rare = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return max(0.0, (1 - EULER_MASCHERONI) * typical + EULER_MASCHERONI * rare)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _percent(share: float) -> str:
    if share < 0.001:
        return "below 0.1 %"
    return "above 99.9 %" if share > 0.999 else f"{share:.1%}".replace("%", " %")
