import datetime as dt
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.errors import NameInvalid
from workspace_kit.layout import names
from workspace_kit.layout.names import (
    FOLDERS,
    ID,
    KINDS,
    Workspace,
    check_id,
    classify,
    explanation,
    generate_workspace_path,
    new_workspace_id,
    trial_id,
)

ROOT = Path("results")
# What people, programs and ill will put into a folder.
UNUSUAL = (
    *(
        "",
        ".",
        "..",
        "...",
        "../x",
        "a/b",
        "/etc/passwd",
        "a\nb",
        "trial_0\n",
        "trial_0.json\n",
        "\x00",
        "\x1b[2J",
    ),
    *(
        "trial_",
        "validation_",
        "validation_results",
        "ensemble_trial_",
        "ensemble_",
        "summary",
        "config",
        "a.b.c",
    ),
    *(
        "trial_0.json.json",
        "CON",
        "tr\u202eial",
        "٣",
        "-x",
        "_x",
        ".x",
        "x" * 128,
        "x" * 129,
        "trial_" + "9" * 122,
    ),
    *(
        "trial_" + "9" * 123,
        "current_state",
        "report",
        "correlation_matrix.meta",
        "TRIAL_0",
        "trial_0 ",
        " trial_0",
    ),
)
stems = (
    st.sampled_from(UNUSUAL)
    | st.from_regex(r"\A(trial_|ensemble_trial_|validation_|summary|)[A-Za-z0-9._-]{0,6}\Z")
    | st.text(max_size=8)
)
kinds = st.sampled_from(KINDS)
suffixes = st.sampled_from(sorted({kind.suffix for kind in KINDS} | {"", ".JSON", ".tmp", ".jsonl.gz"}))


@settings(deadline=None, max_examples=100)
@given(kinds, stems)
def test_a_path_is_parsed_back_into_the_kind_and_key_it_was_made_from(kind, key) -> None:
    try:
        path = kind.path(ROOT / "w", key)
    except NameInvalid:
        return
    assert path.parent.parent == ROOT / "w"
    assert kind.key(path.parent.name, path.name) == key
    assert classify(path.parent.name, path.name) == (kind, key)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(FOLDERS), stems, suffixes)
def test_a_name_belongs_to_one_kind_at_most_and_makes_the_same_path_again(folder, stem, suffix) -> None:
    name = f"{stem}{suffix}"
    claims = [kind for kind in KINDS if kind.key(folder, name) is not None]
    assert len(claims) <= 1
    known = classify(folder, name)
    assert known == ((claims[0], claims[0].key(folder, name)) if claims else None)
    if known:
        kind, key = known
        assert kind.path(ROOT / "w", key) == ROOT / "w" / folder / name


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("signals/trial_0.jsonl", names.SIGNALS),
        ("signals/0.jsonl", names.SIGNALS),
        ("signals/validation_3.jsonl", names.VALIDATION_SIGNALS),
        ("performance/trial_0.json", names.TRIAL),
        ("performance/ensemble_trial_0.json", names.ENSEMBLE),
        ("performance/summary.json", names.SUMMARY),
        ("performance/validation_results.json", names.VALIDATION),
        ("performance/phase_1_performance.json", names.PHASE_RESULT),
        ("analysis/regime_optimal_params.json", names.ANALYSIS),
        ("analysis/ensemble_weights.json", names.ANALYSIS),
        ("analysis/correlation_matrix.csv", names.ANALYSIS_TABLE),
        ("metadata/config.yaml", names.CONFIG),
        ("metadata/execution_log.json", names.METADATA),
        ("metadata/phase_timing.json", names.METADATA),
        ("checkpoints/phase_1_complete.checkpoint", names.CHECKPOINT),
        ("checkpoints/phase_1.checkpoint", names.CHECKPOINT),
        ("checkpoints/phase_2.started", names.STARTED),
        ("checkpoints/current_state.json", names.STATE),
        ("visualizations/performance_chart.png", names.PICTURE),
        ("visualizations/report.html", names.PAGE),
    ],
)
def test_every_file_of_the_description_has_its_kind(path: str, kind) -> None:
    folder, name = path.split("/")
    assert classify(folder, name) == (kind, name.removesuffix(kind.suffix))


@pytest.mark.parametrize(
    "path",
    [
        "signals/trial_0.json",
        "signals/.trial_0.jsonl.17.0a0b0c0d.tmp",
        "signals/.trial_0.jsonl",
        "signals/validation_.jsonl",
        "performance/trial_0.jsonl",
        "performance/trial_.json",
        "metadata/other.yaml",
        "checkpoints/other.json",
        "analysis/table.parquet",
        "visualizations/page.htm",
        "elsewhere/trial_0.json",
        "signals/trial_0.jsonl\n",
    ],
)
def test_other_names_have_none(path: str) -> None:
    folder, _, name = path.partition("/")
    assert classify(folder, name) is None


def test_zero_in_any_spelling_is_the_same_trial() -> None:
    assert [trial_id(each) for each in (0, "0", "trial_0")] == ["trial_0"] * 3
    assert [trial_id(each) for each in (12, "12", "007", "momentum-a.b")] == ["trial_12"] * 2 + [
        "007",
        "momentum-a.b",
    ]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**30) | stems)
def test_a_trial_id_is_a_name_that_stays_itself_or_is_refused(trial) -> None:
    try:
        name = trial_id(trial)
    except NameInvalid:
        return
    assert ID.fullmatch(name) or name == f"trial_{trial}"
    assert trial_id(name) == name


@pytest.mark.parametrize(
    "name", [each for each in UNUSUAL if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,127}", each, re.ASCII)]
)
def test_a_name_that_could_leave_its_folder_or_hide_is_refused(name: str) -> None:
    for make in (
        lambda: check_id(name, what="id"),
        lambda: Workspace(ROOT, name),
        lambda: trial_id(name),
        lambda: names.SIGNALS.path(ROOT, name),
        lambda: generate_workspace_path(name, "phase_1", "signals"),
        lambda: generate_workspace_path("w", name, "signals"),
    ):
        with pytest.raises(NameInvalid):
            make()


def test_a_refusal_shows_the_name_harmlessly() -> None:
    with pytest.raises(NameInvalid) as caught:
        check_id("../\x1b[2J", what="workspace id")
    assert str(caught.value) == (
        "workspace id: found '../\\x1b[2J', expected 1 to 128 letters, digits, dots, dashes or underscores, "
        "the first a letter or digit; choose another name"
    )


def test_a_new_id_tells_its_instant_and_never_comes_twice() -> None:
    now = dt.datetime(2024, 1, 15, 14, 30)
    ids = {new_workspace_id(now) for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"workflow_20240115_143000_[0-9a-f]{8}", each) for each in ids)
    assert all(check_id(each, what="id") == each for each in ids)


@pytest.mark.parametrize(
    ("result_type", "path"),
    [
        ("signals", "results/workflow_123/signals/phase_1_signals.jsonl"),
        ("performance", "results/workflow_123/performance/phase_1_performance.json"),
        ("analysis", "results/workflow_123/analysis/phase_1_analysis.json"),
        ("metadata", "results/workflow_123/metadata/phase_1_metadata.json"),
        ("checkpoint", "results/workflow_123/checkpoints/phase_1_checkpoint.checkpoint"),
        ("visualizations", "results/workflow_123/visualizations/phase_1_visualizations.png"),
    ],
)
def test_a_named_result_lies_in_the_folder_of_its_type_and_is_a_known_file(
    result_type: str, path: str
) -> None:
    made = generate_workspace_path("workflow_123", "phase_1", result_type)
    assert made == Path(path)
    assert classify(made.parent.name, made.name) is not None
    assert generate_workspace_path("workflow_123", "phase_1", result_type, Path("/r")) == Path(
        "/r", *made.parts[1:]
    )


def test_an_unknown_result_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(NameInvalid) as caught:
        generate_workspace_path("workflow_123", "phase_1", "pictures")
    assert str(caught.value) == (
        "result type: found 'pictures', expected one of signals, performance, analysis, metadata, "
        "checkpoint, visualizations; correct it"
    )


def test_the_document_that_explains_a_table_lies_beside_it_whatever_its_name() -> None:
    assert explanation(Path("w/analysis/correlation_matrix.csv")) == Path(
        "w/analysis/correlation_matrix.meta.json"
    )
    longest = names.ANALYSIS_TABLE.path(Path("w"), "x" * 128)
    assert explanation(longest).name == "x" * 128 + ".meta.json"
