import json

from workspace_kit.flows.housekeeping import closing_line


def test_the_last_words_of_a_run_count_what_failed_and_say_where_the_reasons_are(workspace):
    state = {"failed_trials": ["trial_1", "trial_3"]}
    (workspace.path / "checkpoints" / "current_state.json").write_text(json.dumps(state))
    verdict, failed, place = closing_line(workspace).splitlines()
    assert verdict.startswith("No verdict: ")
    assert failed == f"2 trial(s) failed; why: workspace-kit show workflow_1 --results {workspace.root}"
    assert place == f"Workspace: {workspace.path}"


def test_where_nothing_failed_nothing_is_said_of_it(workspace):
    assert closing_line(workspace).splitlines()[1:] == [f"Workspace: {workspace.path}"]
