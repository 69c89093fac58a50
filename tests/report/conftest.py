"""A story from seeded random numbers: SYNTHETIC, shaped like a real run, true of no market."""

import datetime as dt
import itertools
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from workspace_kit.report import Story, page
from workspace_kit.report.keyfigures import GROUPS
from workspace_kit.report.story import LOGITS
from workspace_kit.schema import (
    ACTIVITY,
    BEAR,
    BULL,
    COST_SENSITIVITY,
    HOLDINGS,
    METRIC_NAMES,
    NEUTRAL,
    PRICE_QUALITY,
    ROUND_TRIPS,
    SELECT,
    TABLES,
    TEST,
    TRAIN,
)

WORKSPACE = "workflow_20240102_030405_0a1b2c3d"
GRIDS = {
    "momentum": {"lookback": [3, 6, 9, 12], "threshold": [0.0, 0.02, 0.05]},
    "crossover": {"fast": [2, 3, 4], "slow": [6, 9, 12]},
    "reversion": {"window": [6, 9, 12], "entry": [0.5, 1.0, 1.5]},
    "breakout": {"lookback": [3, 6, 9, 12, 15, 18, 21, 24]},
}
PERIODS = {
    TRAIN: (dt.datetime(1990, 1, 1), dt.datetime(2009, 12, 31, 23, 59, 59)),
    SELECT: (dt.datetime(2010, 1, 1), dt.datetime(2015, 12, 31, 23, 59, 59)),
    TEST: (dt.datetime(2016, 1, 1), dt.datetime(2022, 5, 31, 23, 59, 59)),
}


def month_ends(count: int) -> list[dt.datetime]:
    first = dt.date(1990, 1, 1)
    ends = pl.date_range(first, first + dt.timedelta(days=31 * count + 60), "1mo", eager=True).dt.month_end()
    return ends.head(count).cast(pl.Datetime("us")).dt.offset_by("23h59m59s").to_list()


def trials() -> list[tuple[str, str, dict[str, float]]]:
    """Return trial id, strategy and parameters of 38 trials."""
    sets = [
        (strategy, dict(zip(grid, values, strict=True)))
        for strategy, grid in GRIDS.items()
        for values in itertools.product(*grid.values())
    ]
    return [(f"trial_{at}", strategy, parameters) for at, (strategy, parameters) in enumerate(sets)]


def weight_sets() -> list[dict[str, float]]:
    """Return 286 sets of four weights and equal weight."""
    tenths = [way for way in itertools.product(range(11), repeat=4) if sum(way) == 10]
    sets = [dict(zip(GRIDS, (part / 10 for part in way), strict=True)) for way in tenths]
    return [*sets, dict.fromkeys(GRIDS, 0.25)]


def metrics_of(returns: np.ndarray, rng: np.random.Generator) -> dict[str, float | None]:
    equity = np.cumprod(1 + returns)
    years = len(returns) / 12
    if len(returns) < 2:
        return dict.fromkeys(METRIC_NAMES)
    deviation = returns.std(ddof=1)
    return {
        "total_return": float(equity[-1] - 1),
        "cagr": float(equity[-1] ** (1 / years) - 1),
        "volatility": float(deviation * 12**0.5),
        "sharpe_ratio": float(returns.mean() / deviation * 12**0.5),
        "sortino_ratio": float(returns.mean() / np.minimum(returns, 0).std() * 12**0.5),
        "max_drawdown": float((equity / np.maximum(np.maximum.accumulate(equity), 1) - 1).min()),
        "win_rate": float(rng.uniform(0.45, 0.62)),
    }


def make_story(bars: int = 389) -> Story:
    rng = np.random.default_rng(7)
    times = month_ends(bars)
    is_in = {name: [start <= time <= end for time in times] for name, (start, end) in PERIODS.items()}
    state = np.sin(np.arange(bars) / 17) + 0.4 * np.sin(np.arange(bars) / 5)
    market = 0.008 + 0.016 * np.clip(state, -1, 1) + rng.normal(0, 0.036, bars)
    style = {strategy: rng.normal(0, 0.018, bars) for strategy in GRIDS}
    tilt = {"momentum": 0.8, "crossover": 0.7, "reversion": 0.35, "breakout": 0.55}
    streams = {
        trial: 0.002
        + tilt[strategy] * market
        + style[strategy]
        + rng.normal(rng.normal(0, 0.002), 0.011, bars)
        for trial, strategy, _ in trials()
    }
    members = np.column_stack(
        [streams[next(trial for trial, of, _ in trials() if of == strategy)] for strategy in GRIDS]
    )
    sets = weight_sets()
    ensembles = {
        f"ensemble_trial_{at}": members @ np.array(list(weights.values())) for at, weights in enumerate(sets)
    }
    tried = [
        ("trial", trial, strategy, parameters, streams[trial]) for trial, strategy, parameters in trials()
    ]
    tried += [
        ("ensemble", name, None, weights, ensembles[name])
        for name, weights in zip(ensembles, sets, strict=True)
    ]

    performance, loose = [], []
    for kind, name, strategy, parameters, stream in tried:
        for period in (TRAIN, SELECT):
            if not any(is_in[period]):
                continue
            numbers = metrics_of(stream[is_in[period]], rng)
            performance.append(
                {
                    "workspace": WORKSPACE,
                    "trial_id": name,
                    "kind": kind,
                    "period": period,
                    "status": "ok",
                    "strategy": strategy,
                    "parameters": json.dumps(parameters),
                    **{
                        key: numbers[key]
                        for key in ("total_return", "sharpe_ratio", "max_drawdown", "win_rate")
                    },
                    "trades": int(rng.integers(40, 300)),
                    "period_start": PERIODS[period][0],
                    "period_end": PERIODS[period][1],
                    "metrics": json.dumps(numbers),
                }
            )
            loose += [
                {"workspace": WORKSPACE, "trial_id": name, "period": period, "name": key, "value": value}
                for key, value in numbers.items()
            ]
    train = {row["trial_id"]: row["sharpe_ratio"] or 0.0 for row in performance if row["period"] == TRAIN}
    best = max((trial for trial, _, _ in trials()), key=lambda trial: train.get(trial, 0))
    chosen = max(ensembles, key=lambda name: train.get(name, 0))
    series = {
        "ensemble": ensembles[chosen],
        "equal_weight": ensembles["ensemble_trial_286"],
        "best_single": streams[best],
        "buy_and_hold": 0.0015 + 1.02 * market + rng.normal(0, 0.008, bars),
        "benchmark": market,
        "trial_4": streams["trial_4"],
    }
    labels = [BULL if now > 0.3 else BEAR if now < -0.45 else NEUTRAL for now in state]
    regimes = [
        {"workspace": WORKSPACE, "timestamp": time, "regime": None if at < 9 else label, "basis": "causal"}
        for at, (time, label) in enumerate(zip(times, labels, strict=True))
        if time <= PERIODS[SELECT][1]
    ]
    by_regime = (
        [
            {
                "workspace": WORKSPACE,
                "trial_id": trial,
                "strategy": strategy,
                "regime": regime,
                "bars": count,
                "episodes": episodes,
                "trades": int(rng.integers(5, 80)),
                **metrics_of(streams[trial][[label == regime for label in labels]], rng),
            }
            for trial, strategy, _ in trials()
            for regime, count, episodes in ((BULL, 139, 24), (NEUTRAL, 41, 28), (BEAR, 50, 8))
        ]
        if bars > 200
        else []
    )
    winners = [
        _winner(regime, strategy, by_regime)
        for strategy in (None, *GRIDS)
        for regime in (BULL, BEAR, NEUTRAL)
        if by_regime
    ]
    correlations = _correlations(streams)
    validations = [
        {
            "workspace": WORKSPACE,
            "candidate": name,
            "period_start": PERIODS[TEST][0],
            "period_end": PERIODS[TEST][1],
            "trades": None if name == "buy_and_hold" else int(rng.integers(60, 140)),
            **metrics_of(series[name][is_in[TEST]], rng),
            "looks": 3,
        }
        for name in ("ensemble", "equal_weight", "best_single", "buy_and_hold")
        if any(is_in[TEST])
    ]
    weights = sets[int(chosen.removeprefix("ensemble_trial_"))]
    rows = {
        "performance": performance,
        "metrics": loose,
        "parameters": [
            {"workspace": WORKSPACE, "trial_id": trial, "name": name, "value": json.dumps(value)}
            for trial, _, parameters in trials()
            for name, value in parameters.items()
        ],
        "performance_by_regime": by_regime,
        "regimes": regimes,
        "regime_params": winners,
        "correlations": correlations,
        "validations": validations,
        "returns": [
            {"workspace": WORKSPACE, "series": name, "timestamp": time, "return": float(value)}
            for name, stream in series.items()
            for time, value in zip(times, stream, strict=True)
        ],
        "ensemble_weights": [
            {
                "workspace": WORKSPACE,
                "member": member,
                "strategy": member,
                "weight": weight,
                "method": "simplex_grid",
                "recommended": "equal",
            }
            for member, weight in weights.items()
        ],
        "overfitting": [
            {
                "workspace": WORKSPACE,
                "subject": subject,
                "psr": 0.9997,
                "dsr": dsr,
                "trials_tried": 325,
                "effective_trials": 96.4,
                "min_track_record": 41.7,
                "pbo": 0.214,
                "spa_p_value": 0.418,
            }
            for subject, dsr in ((best, 0.912), ("ensemble", 0.934))
        ],
        "faults": [
            {
                "workspace": WORKSPACE,
                "path": "signals/trial_7.jsonl",
                "line": 212,
                "byte_offset": 24_311,
                "length": 57,
                "reason": "not JSON: the line ends inside a string",
                "excerpt": '{"timestamp": "1998-04-30T23:59:59Z", "symb',
            }
        ],
    }
    recorded = _records(times[: len(series["ensemble"])], series)
    return Story(
        workspace=WORKSPACE,
        name="trend-and-reversal",
        note="SYNTHETIC random numbers for looking at the page. No market moved like this.",
        created_at=dt.datetime(2024, 1, 2, 3, 4, 5),
        as_of=dt.datetime(2024, 1, 2, 3, 9, 40),
        timezone="UTC",
        verdict=(
            f"Winner {best} of 325 tried; Sharpe 0.74 on select against 1.12 on train; the chance that luck "
            "alone gives this is 9 %; beats equal weight on select: no; "
            "excess Sharpe over buy-and-hold: −0.08."
        ),
        metric="sharpe_ratio",
        periods_per_year=12.0,
        risk_free_rate=0.0,
        recommended="equal_weight",
        reason=None,
        cost_bps=10.0,
        luck_hurdle=0.86,
        luck={
            "pbo": 0.214,
            "probability_of_loss": 0.03,
            "degradation_slope": -0.41,
            "reality_check_p_value": 0.37,
        },
        statistics=_statistics(series),
        intervals={
            period: {
                name: {"sharpe_ratio": (0.21, 1.87), "total_return": (0.1, 2.4), "max_drawdown": None}
                for name in ("ensemble", "equal_weight")
            }
            for period in (SELECT, TEST)
        },
        confidence=0.95,
        near_identical=[["momentum", "crossover"]],
        candidates={"ensemble": chosen, "equal_weight": "ensemble_trial_286", "best_single": best},
        periods=PERIODS,
        tables={**{name: TABLES[name].frame(some) for name, some in rows.items()}, **recorded},
        lineage={
            "Command": "workspace-kit run example.yaml",
            "Configuration": "sha256 5f1c0d9c1f2e6a7b",
            "Prices": "sample:stocks, sha256 91ab27cc40de",
            "Versions": "workspace-kit 0.1.0, polars 2.1.0, numpy 2.4.6",
            "Survivors": "The eight stocks are today's survivors; results flatter every long strategy.",
        },
        warnings=(
            "This was look number 3 at an overlapping test period with the same prices.",
            "The stocks are today's survivors and dividend-adjusted; the benchmark is neither.",
        ),
    )


def _records(times: list[dt.datetime], series: dict[str, np.ndarray]) -> dict[str, pl.DataFrame]:
    """Return what a run records beside its views, shaped like the real thing."""
    names = ("ensemble", "equal_weight", "best_single", "buy_and_hold")
    activity = [
        {
            "series": name,
            "timestamp": time,
            "long": 0.5 + 0.4 * np.sin(at / 9 + place),
            "short": -0.2 if at % 7 == 0 else 0.0,
            "symbols": 3 + at % 4,
            "largest": 0.25,
            "turnover": 0.1 + 0.05 * (at % 3),
            "cost": 0.0001,
        }
        for place, name in enumerate(names)
        for at, time in enumerate(times)
    ]
    holdings = [
        {"series": "equal_weight", "symbol": symbol, "timestamp": time, "share": share}
        for symbol, share in (("AAA", 0.25), ("BBB", -0.1))
        for at, time in enumerate(times)
        if at % 5 == 0
    ]
    trades = [
        {
            "series": "equal_weight",
            "period": (TRAIN, SELECT, TEST)[at % 3],
            "member": "momentum",
            "symbol": "AAA" if at % 2 else "BBB",
            "side": "long" if at % 5 else "short",
            "entered_at": times[0],
            "exited_at": times[-1],
            "bars": 1 + at % 9,
            "return": 0.3 * np.sin(at),
        }
        for at in range(40)
    ]
    costs = [
        {"series": name, "cost_bps": cost, "total_return": 1.0 - cost / 200, "sharpe_ratio": 0.9 - cost / 300}
        for name in names
        for cost in (0.0, 10.0, 100.0)
    ]
    quality = [
        {
            "symbol": symbol,
            "first": times[0],
            "last": times[-1],
            "bars": len(times) - missing,
            "missing": missing,
            "longest_gap": missing,
            "late": 0,
            "early_end": 0,
            "longest_stale": 2,
            "suspicious": 0,
        }
        for symbol, missing in (("AAA", 0), ("BBB", 3))
    ]
    edges = np.linspace(-4.0, 4.0, 41)
    logits = pl.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "splits": list(range(40))}, schema=LOGITS.types
    )
    return {
        ACTIVITY.name: ACTIVITY.frame(activity),
        HOLDINGS.name: HOLDINGS.frame(holdings),
        ROUND_TRIPS.name: ROUND_TRIPS.frame(trades),
        COST_SENSITIVITY.name: COST_SENSITIVITY.frame(costs),
        PRICE_QUALITY.name: PRICE_QUALITY.frame(quality),
        LOGITS.name: logits,
    }


def _statistics(series: dict[str, np.ndarray]) -> dict[str, dict[str, dict[str, float]]]:
    """Return a number for every measure that the page knows."""
    measures = [measure.name for group in GROUPS.values() for measure in group]
    return {
        span: {
            name: {measure: 0.0173 * (at + 1) for at, measure in enumerate(measures)}
            for name in series
            if not name.startswith("trial_")
        }
        for span in ("all", TEST)
    }


def _winner(regime: str, strategy: str | None, by_regime: list[dict[str, object]]) -> dict[str, object]:
    rows = [row for row in by_regime if row["regime"] == regime and strategy in {None, row["strategy"]}]
    best = max(rows, key=lambda row: row["sharpe_ratio"])
    parameters = next(parameters for trial, _, parameters in trials() if trial == best["trial_id"])
    return {
        "workspace": WORKSPACE,
        "regime": regime,
        "strategy": strategy,
        "trial_id": best["trial_id"],
        "parameters": json.dumps(parameters),
        "metric": "sharpe_ratio",
        "performance": best["sharpe_ratio"],
        "bars": best["bars"],
        "episodes": best["episodes"],
        "trades": best["trades"],
        "plateau_score": best["sharpe_ratio"] * 0.93,
        "edge_of_grid": regime == BULL,
        "fallback_reason": "8 episodes and 6 closed trades, 10 trades needed"
        if regime == BEAR and strategy == "breakout"
        else None,
    }


def _correlations(streams: dict[str, np.ndarray]) -> list[dict[str, object]]:
    names = list(streams)
    if len(next(iter(streams.values()))) < 3:
        return []
    matrix = np.corrcoef(np.array(list(streams.values())))
    return [
        {
            "workspace": WORKSPACE,
            "kind": "returns",
            "trial_a": names[one],
            "trial_b": names[other],
            "correlation": float(matrix[one, other]),
            "bars": 240,
        }
        for one, other in itertools.combinations(range(len(names)), 2)
    ]


@pytest.fixture(scope="session")
def story() -> Story:
    return make_story()


@pytest.fixture(scope="session")
def told(story: Story) -> str:
    """Return the page of the synthetic story."""
    return page(story)


@pytest.fixture(scope="session")
def empty_story(story: Story) -> Story:
    """Return a story of which nothing is known but its id."""
    return replace(
        story,
        name="",
        note="",
        created_at=None,
        verdict="",
        periods_per_year=None,
        recommended=None,
        cost_bps=None,
        luck_hurdle=None,
        luck={},
        statistics={},
        intervals={},
        confidence=None,
        near_identical=(),
        candidates={},
        periods={},
        tables={},
        lineage={},
        warnings=(),
    )


@pytest.fixture(scope="session")
def short_story() -> Story:
    """Return a story of one bar."""
    return make_story(1)


@pytest.fixture(scope="session")
def foreign_story(story: Story, empty_story: Story) -> Story:
    """Return a story of performance files alone, as another program leaves them: one period, no strategy."""
    trials = story.table("performance").filter(pl.col("kind") == "trial", pl.col("period") == TRAIN)
    foreign = trials.with_columns(
        pl.lit("all").alias("period"), pl.lit(None, dtype=pl.String).alias("strategy")
    ).filter(pl.col("trial_id").is_in([f"trial_{at}" for at in range(12)]))
    return replace(
        empty_story,
        tables={"performance": foreign, "parameters": story.table("parameters")},
    )
