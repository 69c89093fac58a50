"""Trials of other workspaces as a sweep of one's own: replayed, never run, validated where they speak."""

import hashlib
import json
import shutil

import pytest

import workspace_kit as wk
from tests.flows.foreign import (
    RULES,
    contents,
    dense_signals,
    document,
    performance,
    write_foreign,
    write_prices,
)
from workspace_kit.errors import (
    ConfigError,
    NotFound,
    PriceError,
    WorkspaceCorruptedError,
    WorkspaceNotFound,
)
from workspace_kit.flows import closing_line, cost_of_run, discovery, trial
from workspace_kit.flows.inherited import inherited_again, inherited_signals
from workspace_kit.flows.market import load_market
from workspace_kit.flows.run import read_config
from workspace_kit.layout.names import Workspace
from workspace_kit.workflow_file import example_text, parse_config

pytestmark = pytest.mark.usefixtures("without_pages")

KEPT = ("signals", "performance", "analysis")
QUICK = {"step: 0.1": "step: 0.5", "draws: 1000, blocks: 16": "draws: 50, blocks: 4"}


@pytest.fixture(autouse=True, scope="module")
def in_this_process():
    """Run trials one after the other where nobody asks for more workers: starting them takes a second."""
    spawned = discovery.each

    def each(function, items, *, shared, workers, **more):
        if workers > 1:
            return spawned(function, items, shared=shared, workers=workers, **more)
        return (function(shared, item) for item in items)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "each", each)
        yield


def config_from(folder, *sources: str, rules: str = RULES):
    path = folder / "workflow.yaml"
    path.write_text(f"{rules}\ndiscovery: {{from: [{', '.join(sources)}]}}\n")
    return path


def run(tmp_path, *sources: str, name: str = "mine", **choices):
    if not (tmp_path / "prices.csv").exists():
        write_prices(tmp_path)
    return wk.run_workflow(
        config_from(tmp_path, *sources), root=tmp_path / "results", workspace_id=name, workers=1, **choices
    ).path


def events(workspace) -> list[str]:
    return [each["event"] for each in document(workspace, "metadata/execution_log.json")]


@pytest.fixture(scope="module")
def inherited(tmp_path_factory, epoch, in_this_process):
    """A run on two workspaces of another program, whose signals reach into test."""
    folder = tmp_path_factory.mktemp("inherited")
    write_foreign(folder / "results", "theirs", [3, 7])
    write_foreign(folder / "results", "others", [5])
    return run(folder, "theirs", "others")


def test_trials_are_numbered_by_source_and_say_where_they_come_from(inherited):
    trials = [document(inherited, f"performance/trial_{number}.json") for number in range(3)]
    assert [each["parameters"] for each in trials] == [{"every": 3}, {"every": 7}, {"every": 5}]
    assert [each["status"] for each in trials] == ["ok"] * 3
    assert {each["strategy"] for each in trials} == {"cycle"}
    came = inherited.parent / "others" / "signals" / "trial_0.jsonl"
    assert trials[2]["source"] == {
        "workspace": "others",
        "trial_id": "trial_0",
        "signals_sha256": hashlib.sha256(came.read_bytes()).hexdigest(),
    }


def test_numbers_are_of_the_replay_and_not_of_the_source(inherited):
    told = document(inherited, "performance/trial_0.json")
    assert told["metrics"]["sharpe_ratio"] != 99.0
    assert told["period"] == {"start": "2000-01-15T23:59:59Z", "end": "2007-12-15T23:59:59Z"}
    assert set(told["metrics_by_regime"]) == {"bull_market", "bear_market", "neutral_market"}


def test_only_changes_up_to_the_end_of_select_are_written(inherited):
    lines = (inherited / "signals" / "trial_0.jsonl").read_text().splitlines()
    assert 4 < len(lines) < len(dense_signals(3, until=2009))
    assert max(json.loads(line)["timestamp"] for line in lines) == "2009-12-15T23:59:59Z"


def test_signals_that_reach_into_test_are_replayed_in_phase_4(inherited):
    validation = document(inherited, "performance/validation_results.json")
    assert validation["period"] == {"start": "2010-01-15T23:59:59Z", "end": "2011-12-15T23:59:59Z"}
    assert validation["candidates"]["best_single"]["metrics"]["total_return"] is not None
    (single, *_) = sorted((inherited / "signals").glob("validation_*.jsonl"))
    times = [json.loads(line)["timestamp"] for line in single.read_text().splitlines()]
    assert min(times) >= "2010-01-01"
    phases = [each for each in events(inherited) if not each.startswith("checkpoint")]
    assert phases[-2:] == ["started", "complete"]
    assert (inherited / "checkpoints" / "phase_4_complete.checkpoint").exists()


def test_the_sources_stay_as_they_were(tmp_path, epoch):
    theirs = write_foreign(tmp_path / "results", "theirs", [3, 7])
    before = contents(theirs)
    run(tmp_path, "theirs", until="phase_3")
    assert contents(theirs) == before


def test_the_same_bytes_come_out_in_another_root_with_more_workers(inherited, tmp_path, epoch):
    write_foreign(tmp_path / "results", "theirs", [3, 7])
    write_foreign(tmp_path / "results", "others", [5])
    write_prices(tmp_path)
    workflow = config_from(tmp_path, "theirs", "others")
    again = wk.run_workflow(
        workflow, root=tmp_path / "results", workspace_id="mine", workers=2, until="phase_3"
    ).path
    second = {name: data for name, data in contents(again).items() if name.startswith(KEPT)}
    assert len(second) > 3 * 2 + 7
    assert {name: (inherited / name).read_bytes() for name in second} == second


def test_without_signals_in_test_the_run_ends_after_phase_3_and_says_so(tmp_path, epoch):
    write_foreign(tmp_path / "results", "theirs", [3, 7], until=2009)
    mine = run(tmp_path, "theirs")
    assert not (mine / "performance" / "validation_results.json").exists()
    assert not list((mine / "signals").glob("validation_*"))
    assert not (mine / "checkpoints" / "phase_4_complete.checkpoint").exists()
    assert document(mine, "checkpoints/current_state.json")["phase"] == "phase_3"
    assert events(mine)[-1] == "no validation"
    page = wk.write_report(mine)
    verdict, report, *told = closing_line(Workspace(mine.parent, mine.name)).splitlines()
    assert verdict.startswith("Winner ")
    assert report == f"Report: {page}"
    (line,) = told
    assert line.startswith("Ended after phase 3: no signal in the test period of trial_")


def quick_example(*sources: str) -> str:
    text = example_text()
    before, _, rest = text.partition("strategies:")
    text = before + f"discovery: {{from: [{', '.join(sources)}]}}\n" + rest[rest.index("search:") :]
    for old, new in QUICK.items():
        assert old in text
        text = text.replace(old, new)
    return text


def refuse(*_arguments):
    raise AssertionError("a strategy was run")


def test_a_run_of_ours_as_source_gives_the_same_trials_and_winners_without_a_strategy(
    example, tmp_path, epoch, monkeypatch
):
    for module in (discovery, trial):
        monkeypatch.setattr(module, "BUILT_IN", dict.fromkeys(module.BUILT_IN, refuse))
    root = tmp_path / "results"
    shutil.copytree(example, root / example.name)
    workflow = tmp_path / "workflow.yaml"
    workflow.write_text(quick_example(example.name))
    mine = wk.run_workflow(workflow, root=root, workspace_id="mine", workers=1, until="phase_2").path
    count = len(list((example / "performance").glob("trial_*.json")))
    for number in range(count):
        name = f"performance/trial_{number}.json"
        own, source = document(mine, name), document(example, name)
        assert own.pop("source")["trial_id"] == f"trial_{number}"
        assert own == source
    regimes = "analysis/regime_optimal_params.json"
    first, second = (document(each, regimes)["regime_optimal_params"] for each in (example, mine))
    assert [each["trial_id"] for each in first.values()] == [each["trial_id"] for each in second.values()]


def test_a_faulty_signal_file_fails_its_trial_alone(tmp_path, epoch):
    theirs = write_foreign(tmp_path / "results", "theirs", [3, 5, 7, 9])
    with (theirs / "signals" / "trial_1.jsonl").open("a") as file:
        file.write("{torn")
    (theirs / "signals" / "trial_2.jsonl").unlink()
    mine = run(tmp_path, "theirs", until="phase_3")
    trials = [document(mine, f"performance/trial_{number}.json") for number in range(4)]
    assert [each["status"] for each in trials] == ["ok", "failed", "failed", "ok"]
    assert trials[1]["error"].startswith(
        "FileDamaged: theirs/signals/trial_1.jsonl, line 289: found no newline"
    )
    assert trials[2]["error"].startswith("NotFound: theirs/signals/trial_2.jsonl: found nothing")
    assert trials[2]["source"]["signals_sha256"] is None
    assert document(mine, "performance/summary.json")["trials_tried"] == 4


def test_lines_that_end_in_crlf_are_no_fault(tmp_path, epoch):
    theirs = write_foreign(tmp_path / "results", "theirs", [3])
    path = theirs / "signals" / "trial_0.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    mine = run(tmp_path, "theirs", until="phase_1")
    assert document(mine, "performance/trial_0.json")["error"] is None


def test_the_documents_strategy_goes_before_that_of_the_signals_and_unnamed_is_last(tmp_path, epoch):
    theirs = write_foreign(tmp_path / "results", "theirs", [3, 5])
    told = theirs / "performance" / "trial_0.json"
    told.write_text(json.dumps({**performance(0, 3), "strategy": "told"}))
    silent = theirs / "signals" / "trial_1.jsonl"
    silent.write_text(silent.read_text().replace('"cycle"', '""'))
    mine = run(tmp_path, "theirs", until="phase_1")
    named = [document(mine, f"performance/trial_{number}.json")["strategy"] for number in range(2)]
    assert named == ["told", "unnamed"]


def test_failed_trials_and_metrics_that_are_not_numbers_are_no_obstacle(tmp_path, epoch):
    theirs = write_foreign(tmp_path / "results", "theirs", [3, 5, 7])
    failed, odd = (theirs / "performance" / f"trial_{number}.json" for number in (0, 1))
    failed.write_text(json.dumps({**performance(0, 3), "status": "failed"}))
    odd.write_text(odd.read_text().replace("99.0", "NaN"))
    mine = run(tmp_path, "theirs", until="phase_1")
    taken = [document(mine, f"performance/trial_{number}.json")["source"]["trial_id"] for number in range(2)]
    assert taken == ["trial_1", "trial_2"]
    assert not (mine / "performance" / "trial_2.json").exists()


def test_times_without_an_offset_are_read_as_this_workflow_says_where_the_source_says_nothing(
    tmp_path, epoch
):
    theirs = write_foreign(tmp_path / "results", "theirs", [3])
    write_prices(tmp_path)
    rules = RULES.replace("periods_per_year", "timezone: Asia/Tokyo, periods_per_year")
    assert rules != RULES
    mine = wk.run_workflow(
        config_from(tmp_path, "theirs", rules=rules), root=tmp_path / "results", until="phase_1", workers=1
    ).path
    (first, *_) = (mine / "signals" / "trial_0.jsonl").read_text().splitlines()
    assert json.loads(first)["timestamp"] == "2000-01-15T14:59:59Z"
    assert document(mine, "performance/trial_0.json")["status"] == "ok"
    assert theirs.exists()


def test_a_source_on_other_prices_stops_before_anything_is_written(inherited, tmp_path):
    shutil.copytree(inherited, tmp_path / "results" / "mine")
    write_prices(tmp_path, factor=2.0)
    recorded = document(inherited, "metadata/environment.json")["prices"]["digest"]
    with pytest.raises(PriceError, match=f"workspace mine: found prices {recorded}, expected those of this"):
        run(tmp_path, "mine", name="second")
    assert not (tmp_path / "results" / "second").exists()


def test_signals_that_change_after_they_were_taken_are_refused(tmp_path, epoch):
    theirs = write_foreign(tmp_path / "results", "theirs", [3])
    mine = run(tmp_path, "theirs", until="phase_1")
    path = theirs / "signals" / "trial_0.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    taken = inherited_again(Workspace(mine.parent, mine.name), ["trial_0"])["trial_0"]
    config, folder = read_config(tmp_path / "workflow.yaml")
    with pytest.raises(WorkspaceCorruptedError, match="as when the trial was taken"):
        inherited_signals(taken, load_market(config, folder=folder))


def test_a_source_that_is_not_there_or_has_no_trial_is_not_found(tmp_path):
    (tmp_path / "results" / "empty" / "signals").mkdir(parents=True)
    with pytest.raises(WorkspaceNotFound, match="no workspace 'nowhere'"):
        run(tmp_path, "nowhere")
    with pytest.raises(NotFound, match="empty: found no trial that did not fail"):
        run(tmp_path, "empty")
    assert not (tmp_path / "results" / "mine").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("discovery: {from: [a, b, a]}", "key discovery.from: found 'a' twice, expected each workspace once"),
        ("discovery: {from: []}", r"key discovery.from: found \[\], expected"),
        ("discovery: {form: [a]}", "key discovery.form: found an unknown key 'form'.* did you mean 'from'"),
        ("discovery: {from: ['../a']}", r"key discovery.from\[0\]: found '../a'"),
        (
            "discovery: {from: [a]}\nstrategies: [{name: m, function: momentum}]",
            "key discovery: found strategies beside it",
        ),
    ],
)
def test_a_discovery_that_cannot_be_meant_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(RULES + text, where="flow.yaml")


def test_a_run_needs_trials_from_somewhere(tmp_path):
    workflow = tmp_path / "workflow.yaml"
    workflow.write_text(RULES)
    with pytest.raises(ConfigError, match=r"key strategies: found no strategy, .*discovery: \{from"):
        read_config(workflow)


def test_a_dry_run_counts_the_trials_it_would_take(tmp_path):
    write_foreign(tmp_path / "results", "theirs", [3, 5, 7])
    write_prices(tmp_path)
    estimate = cost_of_run(config_from(tmp_path, "theirs"), root=tmp_path / "results", workers=1)
    assert estimate.trials == 3
    assert [path.name for path in sorted((tmp_path / "results").iterdir()) if path.name[0] != "."] == [
        "theirs"
    ]
