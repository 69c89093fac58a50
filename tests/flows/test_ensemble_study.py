"""Phase 3 on a small sweep: every way to weigh, in both modes, from the same saved signals."""

import dataclasses
import json
import shutil
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
import pytest

import workspace_kit as wk
from workspace_kit.analysis import estimator
from workspace_kit.analysis.replay import replay, targets
from workspace_kit.config import SIMPLEX_GRID, WEIGHT_METHODS, Ensemble
from workspace_kit.errors import ConfigError
from workspace_kit.flows import choice, ensemble_study
from workspace_kit.flows.journal import Journal
from workspace_kit.flows.market import load_market
from workspace_kit.flows.regime_study import regime_study
from workspace_kit.flows.run import read_config
from workspace_kit.flows.signals import whole_signals
from workspace_kit.flows.trial import measured
from workspace_kit.flows.trip import Trip, silent
from workspace_kit.layout.names import Workspace
from workspace_kit.schema import SELECT, TRAIN

WORKFLOW = """
data: {prices: "sample:stocks", periods_per_year: 12, symbols: [IBM, MSFT, XRX]}
periods: {train: [1990-01-01, 2009-12-31], select: [2010-01-01, 2015-12-31], test: [2016-01-01, 2022-05-31]}
strategies:
  - {name: momentum, function: momentum, parameters: {lookback: [3, 12], threshold: [0.0]}}
  - {name: doomed, function: crossover, parameters: {fast: [9], slow: [6]}}
  - {name: crossover, function: crossover, parameters: {fast: [3], slow: [6]}}
  - {name: reversion, function: reversion, parameters: {window: [6], entry: [0.5]}}
regimes: {minimum: {bars: 12, episodes: 2, trades: 3}}
ensemble: {step: 0.5}
luck: {draws: 20, blocks: 4}
durability: none
"""
MEMBERS = ["crossover", "momentum", "reversion"]
METHODS = (SIMPLEX_GRID, *WEIGHT_METHODS)
MODES = ("return", "signal")
CAP = 0.6


class Study(NamedTuple):
    """One workspace after phase 3."""

    trip: Trip
    content: dict

    def trials(self) -> list[dict]:
        """Performance documents of the ensemble trials, in order."""
        folder = self.trip.workspace.path / "performance"
        count = len(list(folder.glob("ensemble_trial_*.json")))
        return [json.loads((folder / f"ensemble_trial_{row}.json").read_text()) for row in range(count)]


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """Folder of a sweep after phase 2, and its workflow beside the results."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "workflow.yaml").write_text(WORKFLOW)
    return wk.run_workflow(
        folder / "workflow.yaml", root=folder / "results", workspace_id="sweep", until="phase_2", workers=1
    ).path


@pytest.fixture(scope="module")
def repeated(swept, tmp_path_factory):
    """Copy the sweep into a root of its own, under another choice of weights."""

    def copy(ensemble: Ensemble) -> Trip:
        root = tmp_path_factory.mktemp("copy")
        shutil.copytree(swept, root / swept.name)
        told, folder = read_config(swept.parents[1] / "workflow.yaml")
        config = msgspec.structs.replace(told, ensemble=ensemble)
        return Trip(
            Workspace(root, swept.name), config, folder, load_market(config, folder=folder), 1, silent
        )

    return copy


@pytest.fixture(scope="module")
def study(repeated):
    """Run phase 3 once for each choice of weights."""
    return cache(lambda ensemble: studied(repeated(ensemble)))


def studied(trip: Trip) -> Study:
    ensemble_study.ensemble_study(trip, Journal(trip.workspace))
    path = trip.workspace.path / "analysis" / "ensemble_weights.json"
    return Study(trip, json.loads(path.read_text()))


def capped(method: str, mode: str) -> Ensemble:
    return Ensemble(method=method, mode=mode, cap=CAP, step=0.2)


GRID = Ensemble(step=0.5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", METHODS)
def test_weights_sum_to_one_and_keep_the_cap(study, method, mode):
    content = study(capped(method, mode)).content
    weights = content["weights"]
    assert list(weights) == MEMBERS
    assert sum(weights.values()) == pytest.approx(1, abs=1e-9)
    assert all(0 <= weight <= CAP + 1e-9 for weight in weights.values())
    assert (content["method"], content["mode"]) == (method, mode)
    assert content["effective_members"] == pytest.approx(1 / sum(each**2 for each in weights.values()))


def test_methods_differ(study):
    chosen = [tuple(study(capped(method, "return")).content["weights"].values()) for method in METHODS]
    assert len(set(chosen)) >= 5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", METHODS)
def test_the_ensemble_is_recommended_exactly_where_it_beats_equal_weight_on_select(study, method, mode):
    content = study(capped(method, mode)).content
    beats = content["select"]["sharpe_ratio"] > content["equal_weight"]["select"]["sharpe_ratio"]
    assert content["recommended"] == ("ensemble" if beats else "equal")


def test_both_recommendations_occur(study):
    told = {study(capped(method, mode)).content["recommended"] for method in METHODS for mode in MODES}
    assert told == {"ensemble", "equal"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", METHODS)
def test_equal_weight_is_the_first_ensemble_trial(study, method, mode):
    found = study(capped(method, mode))
    first = found.trials()[0]
    assert first["parameters"] == dict.fromkeys(MEMBERS, pytest.approx(1 / 3))
    for name in ("total_return", "sharpe_ratio", "max_drawdown"):
        assert first["metrics"][name] == found.content["equal_weight"]["train"][name]
        assert first["metrics_by_period"]["select"][name] == found.content["equal_weight"]["select"][name]


@pytest.mark.parametrize("mode", MODES)
def test_a_method_tries_one_set_beside_equal_weight_and_a_grid_all_of_its_sets(study, mode):
    one = study(capped("risk_parity", mode))
    assert one.content["ensemble_trial"] == "ensemble_trial_1"
    assert one.content["weight_sets_tried"] == len(one.trials()) == 2
    assert study(Ensemble(step=0.5, mode=mode)).content["weight_sets_tried"] == 1 + 6


def test_the_grid_chooses_the_best_set_on_train(study):
    found = study(GRID)
    sets = found.trials()[1:]
    best = max(sets, key=lambda each: each["metrics"]["sharpe_ratio"])
    assert found.content["ensemble_trial"] == best["trial_id"]
    assert found.content["weights"] == best["parameters"]


def targets_by_hand(found: Study, period: str) -> dict[str, np.ndarray]:
    """Each member's targets, bar by bar, from the files alone."""
    trip, bars = found.trip, found.trip.market.bars(period)
    labels = pl.read_csv(trip.workspace.path / "analysis" / "regimes.csv", try_parse_dates=True)
    known = dict(zip(labels["timestamp"].dt.replace_time_zone(None), labels["regime"], strict=True))
    by_member = {}
    for name, member in found.content["members"].items():
        trials = {trial for key, trial in member.items() if key != "strategy"}
        asked = {
            trial: targets(
                rows.filter(pl.col("timestamp") <= bars.timestamps.max()),
                bars,
                execution=trip.config.execution,
                on_duplicate="error",
            ).values
            for trial, rows in whole_signals(trip.workspace, sorted(trials)).items()
        }
        followed = [member.get(known[bar] or "", member["otherwise"]) for bar in bars.timestamps]
        by_member[name] = np.array([asked[trial][row] for row, trial in enumerate(followed)])
    return by_member


@pytest.mark.parametrize("period", [TRAIN, SELECT])
def test_mode_signal_nets_the_targets_before_one_account_trades_them(study, period):
    found = study(capped("inverse_volatility", "signal"))
    wanted, weights = targets_by_hand(found, period), found.content["weights"]
    net = sum(weights[name] * each for name, each in wanted.items())
    assert len(np.unique(net)) > 4
    config = found.trip.config
    replayed = replay(net, found.trip.market.bars(period), execution=config.execution)
    expected = measured(replayed, config=config)
    for name in ("total_return", "sharpe_ratio", "max_drawdown", "win_rate"):
        assert found.content[period][name] == pytest.approx(expected[name], rel=1e-9)
    assert found.content[period]["trades"] == replayed.trades.height


def test_mode_return_weighs_what_the_members_earned(study):
    found = study(capped("inverse_volatility", "return"))
    execution, bars = found.trip.config.execution, found.trip.market.bars(TRAIN)
    earned = sum(
        weight * replay(each, bars, execution=execution).bars["return"].to_numpy()
        for weight, each in zip(
            found.content["weights"].values(), targets_by_hand(found, TRAIN).values(), strict=True
        )
    )
    assert found.content["train"]["total_return"] == pytest.approx(np.prod(1 + earned) - 1, rel=1e-9)


def test_mode_return_pools_the_trades_of_members_with_weight_alone(study):
    sets = study(GRID).trials()[1:]
    alone = {
        name: each["trades"] for each in sets for name, weight in each["parameters"].items() if weight == 1
    }
    assert sorted(alone) == MEMBERS
    for each in sets:
        weighed = [name for name, weight in each["parameters"].items() if weight > 0]
        assert each["trades"] == sum(alone[name] for name in weighed) > 0


def test_a_strategy_all_of_whose_trials_fail_has_no_member(study):
    found = study(GRID)
    failed = [
        document["strategy"]
        for path in (found.trip.workspace.path / "performance").glob("trial_*.json")
        if (document := json.loads(path.read_text()))["status"] == "failed"
    ]
    assert failed == ["doomed"]
    assert list(found.content["members"]) == MEMBERS


def test_a_single_strategy_gives_its_distinct_winners_as_members(repeated):
    trip = repeated(GRID)
    folder = trip.workspace.path
    for path in (folder / "performance").glob("trial_*.json"):
        if json.loads(path.read_text())["strategy"] != "momentum":
            path.unlink()
            (folder / "signals" / f"{path.stem}.jsonl").unlink(missing_ok=True)
    regime_study(trip, Journal(trip.workspace))
    best = json.loads((folder / "analysis" / "regime_optimal_params.json").read_text())
    winners = {each["trial_id"] for each in best["regime_optimal_params"].values()}
    content = studied(trip).content
    assert len(winners) == 2
    assert set(content["members"]) == winners
    for name, member in content["members"].items():
        assert member == {"strategy": "momentum", "otherwise": name}


def test_a_simplex_too_large_is_sampled_with_the_seed(repeated, monkeypatch):
    monkeypatch.setattr(choice, "MOST_SETS", 5)
    first, again = (studied(repeated(Ensemble(step=0.5, cap=0.9))) for _ in range(2))
    sets = [each["parameters"] for each in first.trials()]
    assert len(sets) == 1 + 5
    assert sets == [each["parameters"] for each in again.trials()]
    for each in sets[1:]:
        assert sum(each.values()) == pytest.approx(1, abs=1e-9)
        assert max(each.values()) <= 0.9
        assert any(weight not in {0.0, 0.5, 1.0} for weight in each.values())


def test_members_that_all_lose_are_weighed_equally_and_the_reason_is_given(repeated):
    trip = repeated(GRID)
    costly = msgspec.structs.replace(
        trip.config, execution=msgspec.structs.replace(trip.config.execution, cost_bps=1_000.0)
    )
    market = dataclasses.replace(trip.market, config=costly)
    content = studied(dataclasses.replace(trip, config=costly, market=market)).content
    assert content["recommended"] == "equal"
    assert "is negative for all 7 weight sets" in content["reason"]


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        ("{method: 'skfolio:InverseVolatility'}", "found no package skfolio, expected pip install"),
        ("{step: 0.3}", "found 0.3, expected a step that divides 1"),
    ],
)
def test_what_phase_3_cannot_do_is_refused_before_anything_is_written(
    tmp_path, monkeypatch, ensemble, message
):
    monkeypatch.setattr(estimator, "PACKAGE", "a_package_that_is_not_installed")
    workflow = tmp_path / "workflow.yaml"
    workflow.write_text(WORKFLOW.replace("{step: 0.5}", ensemble))
    with pytest.raises(ConfigError, match=message):
        wk.run_workflow(workflow, root=tmp_path / "results", workers=1)
    assert not (tmp_path / "results").exists()
