"""Any workspace under a second pair of eyes: what its saved signals say, written under a new name."""

import hashlib
import json
import shutil

import pytest

import workspace_kit as wk
from tests.flows.foreign import RULES, contents, document, write_foreign, write_prices
from workspace_kit.errors import (
    ConfigError,
    DataError,
    FileDamaged,
    NameInvalid,
    PriceError,
    UsageError,
    WorkspaceNotFound,
)
from workspace_kit.flows import discovery, trial
from workspace_kit.workflow_file import example_text

pytestmark = pytest.mark.usefixtures("without_pages")

FILES = {
    "regimes": ["regime_optimal_params.json"],
    "ensemble": ["ensemble_weights.json"],
    "correlation": [
        "correlation_matrix.meta.json",
        "correlation_matrix.csv",
        "position_correlation_matrix.meta.json",
        "position_correlation_matrix.csv",
    ],
    "overfitting": ["overfitting.json"],
}
THEIR_SIGNALS = "".join(
    f'{{"timestamp": "2023-01-01T09:{minute}:00", "symbol": "AAPL", "action": "{action}", '
    f'"strength": {strength}, "strategy": "momentum"}}\n'
    for minute, action, strength in ((30, "BUY", 0.8), (31, "HOLD", 0.6), (32, "SELL", 0.9))
)
THEIR_PERFORMANCE = """\
{
  "trial_id": "trial_0",
  "parameters": {
    "lookback": 20,
    "threshold": 0.02
  },
  "metrics": {
    "total_return": 0.156,
    "sharpe_ratio": 1.45,
    "max_drawdown": -0.082,
    "win_rate": 0.58
  },
  "trades": 145,
  "period": {
    "start": "2023-01-01",
    "end": "2023-12-31"
  }
}
"""


def names(paths) -> list[str]:
    return [path.name for path in paths]


def config(folder, text: str = RULES):
    path = folder / "workflow.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def theirs(tmp_path, epoch):
    """A workspace of another program with four trials, and prices beside it."""
    write_prices(tmp_path)
    config(tmp_path)
    return write_foreign(tmp_path / "results", "workflow_123", [3, 5, 7, 9])


def analyze(workspace, *what: str, name: str = "mine", text: str = RULES):
    """Analyse with the workflow beside the results; everything, unless told what."""
    given = {"what": what} if what else {}
    return wk.analyze(workspace, config(workspace.parent.parent, text), name=name, **given)


def quick_example() -> str:
    text = example_text()
    for old, new in {"draws: 1000, blocks: 16": "draws: 50, blocks: 4"}.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def second_look(example, tmp_path_factory, epoch):
    """The packaged example, analysed with its own configuration but for fewer draws, no strategy at hand."""
    folder = tmp_path_factory.mktemp("second")
    shutil.copytree(example, folder / "results" / example.name)

    def refuse(*_arguments):
        raise AssertionError("a strategy was run")

    with pytest.MonkeyPatch.context() as patch:
        for module in (discovery, trial):
            patch.setattr(module, "BUILT_IN", dict.fromkeys(module.BUILT_IN, refuse))
        paths = analyze(folder / "results" / example.name, name="second", text=quick_example())
    assert names(paths) == [f"second_{each}" for files in FILES.values() for each in files]
    return folder / "results" / example.name


def without(value: object, *left_out: str) -> object:
    if isinstance(value, dict):
        return {key: without(each, *left_out) for key, each in value.items() if key not in left_out}
    return [without(each, *left_out) for each in value] if isinstance(value, list) else value


def test_a_run_analysed_with_its_own_configuration_has_the_same_winners(example, second_look):
    drawn = ("interval", "analysis_metadata")
    first, second = (
        document(folder, name)
        for folder, name in (
            (example, "analysis/regime_optimal_params.json"),
            (second_look, "analysis/second_regime_optimal_params.json"),
        )
    )
    assert without(second, *drawn) == without(first, *drawn)


def test_a_run_analysed_with_its_own_configuration_has_the_same_weights(example, second_look):
    drawn = ("intervals", "deflated", "analysis_metadata", "ensemble_trial")
    first = document(example, "analysis/ensemble_weights.json")
    second = document(second_look, "analysis/second_ensemble_weights.json")
    assert without(second, *drawn) == without(first, *drawn)
    assert second["ensemble_trial"] is None


def test_a_run_analysed_with_its_own_configuration_has_the_same_correlations(example, second_look):
    for name in FILES["correlation"]:
        assert (second_look / "analysis" / f"second_{name}").read_bytes() == (
            example / "analysis" / name
        ).read_bytes()


def test_a_run_alone_in_its_root_counts_as_many_trials_as_it_did_itself(example, second_look):
    first = document(example, "analysis/overfitting.json")
    second = document(second_look, "analysis/second_overfitting.json")
    assert second["trials_tried"] == first["trials_tried"]
    assert second["subjects"]["ensemble"]["dsr"] == first["subjects"]["ensemble"]["dsr"]
    assert second["analysis_metadata"]["trials_counted_from"] == [example.name]


def test_nothing_else_in_the_workspace_changes_and_the_log_names_what_was_written(example, second_look):
    before, after = contents(example), contents(second_look)
    changed = {name for name in after if after[name] != before.get(name)}
    written = {f"analysis/second_{each}" for files in FILES.values() for each in files}
    assert changed == written | {"metadata/execution_log.json"}
    assert before.keys() <= after.keys()
    *earlier, last = document(second_look, "metadata/execution_log.json")
    assert earlier == document(example, "metadata/execution_log.json")
    assert last["event"] == "analysis second"
    assert {each["path"]: each["sha256"] for each in last["detail"]["files"]} == {
        name: hashlib.sha256(after[name]).hexdigest() for name in written
    }


def test_the_views_still_show_the_runs_own_results_alone(example, second_look):
    for root in (example.parent, second_look.parent):
        with wk.open_catalog(root) as catalog:
            assert catalog.sql("select count(*) as n from regime_params")["n"].item() == 15
            assert catalog.sql("select count(*) as n from faults")["n"].item() == 0


def test_trials_of_the_same_strategies_on_the_same_prices_are_counted_over_the_root(second_look, tmp_path):
    root = tmp_path / "results"
    for name in ("first", "second"):
        shutil.copytree(second_look, root / name)
    shutil.copytree(second_look, root / "other_prices")
    environment = root / "other_prices" / "metadata" / "environment.json"
    told = json.loads(environment.read_text())
    told["prices"]["digest"] = "another"
    environment.write_text(json.dumps(told))
    write_foreign(root, "foreign", [3])
    for number in range(20):
        (root / "second" / "performance" / f"trial_{number}.json").unlink()
    trials = len(list((root / "first" / "performance").glob("trial_*.json")))
    analyze(root / "first", "regimes", name="counted", text=quick_example())
    about = document(root / "first", "analysis/counted_regime_optimal_params.json")["analysis_metadata"]
    assert about["trials_counted_from"] == ["first", "second"]
    assert about["trials_tried"] == 2 * trials - 20
    assert about["trials_analyzed"] == trials


def test_what_the_users_document_shows_is_enough(tmp_path, epoch):
    theirs = tmp_path / "results" / "workflow_123"
    for name, text in (
        ("signals/trial_0.jsonl", THEIR_SIGNALS),
        ("performance/trial_0.json", THEIR_PERFORMANCE),
    ):
        (theirs / name).parent.mkdir(parents=True)
        (theirs / name).write_text(text)
    rows = [
        f"2023-01-0{day}T09:{minute}:00,AAPL,{100 + (minute * day) % 7}"
        for day in (1, 2, 3)
        for minute in range(30, 50)
    ]
    (tmp_path / "prices.csv").write_text("timestamp,symbol,close\n" + "\n".join(rows) + "\n")
    text = """
data: {prices: prices.csv, periods_per_year: 98280}
periods: {train: [2023-01-01, 2023-01-01], select: [2023-01-02, 2023-01-02], test: [2023-01-03, 2023-01-03]}
luck: {draws: 50, blocks: 4}
"""
    assert names(analyze(theirs, text=text)) == [f"mine_{each}" for files in FILES.values() for each in files]
    choice = document(theirs, "analysis/mine_ensemble_weights.json")
    assert choice["weights"] == {"trial_0": 1.0}
    # Bought at the close of 09:30, sold at that of 09:32, ten basis points each.
    assert choice["train"]["trades"] == 1
    assert choice["train"]["total_return"] == pytest.approx(104 / 102 * 0.999 * 0.999 - 1, abs=1e-4)
    best = document(theirs, "analysis/mine_regime_optimal_params.json")
    assert best["by_strategy"].keys() == {"momentum"}
    assert best["regime_optimal_params"]["bull_market"]["lookback"] == 20
    assert (theirs / "performance" / "trial_0.json").read_text() == THEIR_PERFORMANCE


def test_a_foreign_workspace_counts_its_own_trials_alone_and_says_so(theirs):
    write_foreign(theirs.parent, "workflow_124", [3, 5])
    analyze(theirs, "overfitting")
    odds = document(theirs, "analysis/mine_overfitting.json")
    about = odds["analysis_metadata"]
    assert about["trials_counted_from"] == ["workflow_123"]
    assert odds["trials_tried"] == about["trials_tried"] == 4 + odds["weight_sets_tried"]
    assert odds["verdict"].startswith(f"Winner weight set {odds['verdict'].split()[3]} of ")


def test_numbers_of_the_documents_are_not_believed(theirs):
    analyze(theirs, "regimes")
    best = document(theirs, "analysis/mine_regime_optimal_params.json")["regime_optimal_params"]
    assert {each["strategy"] for each in best.values()} == {"cycle"}
    assert all(each["performance"] != 99.0 for each in best.values())
    assert any(each["bars"] for each in best.values())


@pytest.mark.parametrize("what", FILES)
def test_only_what_is_asked_for_is_written(theirs, what):
    before = contents(theirs)
    assert names(analyze(theirs, what, what)) == [f"mine_{each}" for each in FILES[what]]
    added = contents(theirs).keys() - before.keys()
    assert added == {f"analysis/mine_{each}" for each in FILES[what]} | {"metadata/execution_log.json"}


def test_signals_after_select_change_nothing(theirs):
    shorter = write_foreign(theirs.parent, "shorter", [3, 5, 7, 9], until=2009)
    for each in (theirs, shorter):
        analyze(each, "correlation", "ensemble")
    kept = ("mine_correlation_matrix.csv", "mine_position_correlation_matrix.csv")
    for name in kept:
        assert (theirs / "analysis" / name).read_bytes() == (shorter / "analysis" / name).read_bytes()
    first, second = (document(each, "analysis/mine_ensemble_weights.json") for each in (theirs, shorter))
    assert without(first, "analysis_metadata") == without(second, "analysis_metadata")


def test_a_damaged_signal_file_is_left_out_counted_and_named(theirs):
    with (theirs / "signals" / "trial_1.jsonl").open("a") as file:
        file.write('{"timestamp": "2005')
    (theirs / "signals" / "trial_3.jsonl").unlink()
    analyze(theirs, "correlation", "regimes")
    about = document(theirs, "analysis/mine_regime_optimal_params.json")["analysis_metadata"]
    assert (about["trials_analyzed"], about["trials_tried"]) == (2, 4)
    assert about["left_out"].keys() == {"trial_1", "trial_3"}
    assert about["left_out"]["trial_1"].startswith(
        "FileDamaged: workflow_123/signals/trial_1.jsonl, line 289"
    )
    (head, *_) = (theirs / "analysis" / "mine_correlation_matrix.csv").read_text().splitlines()
    assert head.split(",")[1:] == ["trial_0", "trial_2"]


def test_without_one_readable_trial_nothing_is_written(theirs):
    shutil.rmtree(theirs / "signals")
    before = contents(theirs)
    with pytest.raises(DataError, match=r"workflow_123: found NotFound: workflow_123/signals/trial_0.jsonl"):
        analyze(theirs)
    assert contents(theirs) == before


def test_a_name_that_is_taken_is_refused_and_nothing_changes(theirs):
    analyze(theirs, "correlation")
    before = contents(theirs)
    with pytest.raises(NameInvalid, match=r"analysis mine: found analysis/mine_correlation_matrix, .* --as"):
        analyze(theirs, "regimes")
    with pytest.raises(NameInvalid, match="analysis/position_correlation_matrix, which is there or a run"):
        analyze(theirs, name="position")
    with pytest.raises(NameInvalid, match=r"name of the analysis: found '\.\./mine'"):
        analyze(theirs, name="../mine")
    assert contents(theirs) == before
    analyze(theirs, "regimes", name="other")


def test_a_workspace_on_other_prices_is_refused_with_both_digests(second_look, tmp_path):
    workspace = tmp_path / "results" / second_look.name
    shutil.copytree(second_look, workspace)
    write_prices(tmp_path)
    digest = document(workspace, "metadata/environment.json")["prices"]["digest"]
    with pytest.raises(
        PriceError, match=f"found prices {digest}, expected those of this workflow, [0-9a-f]+;"
    ):
        analyze(workspace)
    assert contents(workspace) == contents(second_look)


def test_a_log_that_cannot_be_added_to_stops_before_anything_is_written(theirs):
    (theirs / "metadata").mkdir()
    (theirs / "metadata" / "execution_log.json").write_text("{}")
    before = contents(theirs)
    with pytest.raises(FileDamaged, match=r"execution_log\.json: found dict, expected a JSON array"):
        analyze(theirs)
    assert contents(theirs) == before


def test_what_cannot_be_asked_says_what_can(theirs, tmp_path):
    with pytest.raises(UsageError, match=r"found no configuration, .*pass --config FILE"):
        wk.analyze(theirs, None, name="mine")
    with pytest.raises(UsageError, match="found 'regime', expected regimes, ensemble, correlation"):
        analyze(theirs, "regime")
    with pytest.raises(WorkspaceNotFound):
        analyze(theirs.with_name("nowhere"))
    with pytest.raises(ConfigError, match="key metrik"):
        analyze(theirs, text=RULES + "metrik: cagr\n")
