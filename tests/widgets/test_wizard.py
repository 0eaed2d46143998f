"""The wizard without a browser: choices make a recipe, and events make the lines of a run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import RecipeError, SettingsError
from workbench.events import Event
from workbench.ledger.rows import Row
from workbench.recipe import Recipe
from workbench.runs.launch import launch
from workbench.settings import BUDGETS, RunOptions
from workbench.system.files import write_json, write_text
from workbench.tasks import load_task
from workbench.widgets.ledgerview import LedgerView
from workbench.widgets.runview import RunView
from workbench.widgets.story import Story, messages_html, progress_html
from workbench.widgets.wizard import Wizard, wizard
from workbench.widgets.wording import BUTTONS, EFFORT_HELP, label_of_option


def row(step: str, quality: float) -> dict[str, Any]:
    return Row(
        step=step,
        technique=step,
        candidate=step,
        runtime="onnxruntime",
        metric="accuracy",
        unit="points",
        quality=quality,
        quality_low=quality - 0.01,
        quality_high=quality + 0.01,
        size_bytes=1000,
        size_gzip_bytes=900,
        parameters=10,
        macs=10,
        latencies_ms={1: 0.5, 64: 5.0},
        throughput=1000.0,
        core_seconds_per_million=5.0,
        memory_bytes=None,
        load_ms=1.0,
        seconds=2.0,
    ).to_json()


def events() -> list[Event]:
    """The events of a run of one step."""
    return [
        Event("run_started", "", {}, 100.0),
        Event("step_started", "start", {"text": "cnn on digits"}, 100.0),
        Event("curve", "start", {"name": "train loss", "x": 1, "y": 2.0}, 101.0),
        Event("curve", "start", {"name": "valid accuracy", "x": 1, "y": 0.5}, 101.0),
        Event("step_finished", "start", {"rows": [row("start", 0.99)]}, 102.5),
        Event("step_started", "pruning", {"text": "Pruning"}, 103.0),
        Event("message", "pruning", {"text": "Removing <50%> of the channels."}, 103.0),
        Event("progress", "pruning", {"done": 3, "total": 4, "text": "step 3/4"}, 104.0),
    ]


def written_run(
    root: Path, status: str, *, error: str = "", name: str = "20261122-101500-digits-cnn"
) -> Path:
    """The folder of a run, written without a process."""
    folder = root / name
    folder.mkdir(parents=True)
    write_text(
        folder / "recipe.yml",
        Recipe.make("digits", ["pruning"], start="cnn", budget="smoke").to_yaml(),
    )
    write_json(
        folder / "run.json",
        {"version": 1, "name": name, "store": "", "created": 0, "started_in": str(root)},
    )
    write_json(
        folder / "state.json",
        {"status": status, "error": error, "time": 0, "pid": None, "born": None},
    )
    write_text(folder / "events.jsonl", "".join(e.to_json() + "\n" for e in events()))
    return folder


def new_wizard(tmp_path: Path, **options: Any) -> Wizard:
    return wizard("digits", start="cnn", root=tmp_path, **options)


def settle(wiz: Wizard) -> None:
    """Wait until the wizard has followed its run to the end."""
    wiz._worker.join(20)
    assert not wiz._worker.is_alive()


def field_of(wiz: Wizard, name: str, step: int = 0) -> Any:
    return wiz._choices._steps._forms[step]._controls[name]._drawn.field


def texts(wiz: Wizard) -> list[str]:
    return [html.value for html in wiz._code._texts]


def test_wizard_holds_the_choices_it_was_made_with(tmp_path: Path) -> None:
    steps = [{"pruning": {"pruning_ratio": 0.3}}, "quantization"]
    wiz = new_wizard(tmp_path, steps=steps, seed=3, budget="standard")
    assert wiz.recipe == Recipe.make("digits", steps, start="cnn", seed=3, budget="standard")
    assert wiz.run is None
    assert wiz.result is None


def test_making_a_wizard_starts_nothing_and_writes_nothing(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    bundle = wiz._repr_mimebundle_()
    assert bundle["text/plain"] == "Wizard: run this cell to see it"


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"at most 0\.99, got 2"):
        new_wizard(tmp_path, steps=[{"pruning": {"pruning_ratio": 2}}])
    with pytest.raises(RecipeError, match=r"`budget` got 'smok'\. Unknown value"):
        new_wizard(tmp_path, budget="smok")


def test_code_follows_every_choice(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path)
    field_of(wiz, "pruning_ratio").value = "0.7"
    wiz._choices._seed.value = "5"
    python, tree, command = texts(wiz)
    assert "&#x27;pruning_ratio&#x27;: 0.7" in python
    assert "seed: 5" in tree
    assert "--pruning-ratio 0.7" in command
    wiz._choices._steps._add_step()
    assert "- quantization" in texts(wiz)[1]
    assert "workbench run recipe.yml" in texts(wiz)[2]


def test_task_of_the_notebook_is_named_in_the_code(tmp_path: Path) -> None:
    from dataclasses import replace

    own = replace(load_task("digits"), name="mine", built_in=False)
    wiz = wizard(own, start="cnn", root=tmp_path)
    assert wiz._choices.task is own
    assert "wb.run(recipe, task)" in texts(wiz)[0]
    assert "package.module:function" in texts(wiz)[1]
    wiz._choices._task.value = "digits"
    assert wiz._choices.task == "digits"
    assert "wb.run(recipe)" in texts(wiz)[0]


def test_steps_are_added_switched_and_removed(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path)
    steps = wiz._choices._steps
    assert steps._remove.disabled
    steps._add_step()
    assert [s.technique for s in wiz.recipe.steps] == ["pruning", "quantization"]
    assert steps._technique.value == "quantization"
    steps._chips.index = 0
    assert steps._technique.value == "pruning"
    steps._remove_step()
    assert [s.technique for s in wiz.recipe.steps] == ["quantization"]
    steps._technique.value = "pruning"
    assert [s.technique for s in wiz.recipe.steps] == ["pruning"]


def test_each_step_keeps_its_choices_when_another_is_open(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path, steps=["pruning", "pruning"])
    steps = wiz._choices._steps
    field_of(wiz, "pruning_ratio", 0).value = "0.1"
    steps._chips.index = 1
    field_of(wiz, "pruning_ratio", 1).value = "0.2"
    steps._chips.index = 0
    assert [s.settings.pruning_ratio for s in wiz.recipe.steps] == [0.1, 0.2]
    assert steps._place.children == (steps._forms[0],)


def test_budget_reaches_every_step_but_one_with_its_own(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path, steps=["pruning", {"quantization": {"budget": "thorough"}}])
    wiz._choices._budget.value = "standard"
    assert [s.settings.budget for s in wiz.recipe.steps] == ["standard", "thorough"]
    assert wiz.recipe.budget == "standard"
    assert [label for label, _ in wiz._choices._steps._chips.options] == [
        "1  Pruning",
        "2  Quantization, thorough",
    ]


def test_wrong_knob_is_told_and_keeps_run_from_starting(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path)
    field_of(wiz, "pruning_ratio").value = "1.5"
    assert wiz._run.disabled
    assert "at most 0.99, got 1.5" in wiz._choices._problem.value
    assert "at most 0.99, got 1.5" in texts(wiz)[0]
    assert "(!)" in wiz._choices._steps._chips.options[0][0]
    with pytest.raises(SettingsError):
        _ = wiz.recipe
    field_of(wiz, "pruning_ratio").value = "0.5"
    assert not wiz._run.disabled
    assert wiz._choices._problem.value == ""


@pytest.mark.parametrize("typed", ["", "-1", "one", "1.5"])
def test_wrong_seed_is_told(tmp_path: Path, typed: str) -> None:
    wiz = new_wizard(tmp_path)
    wiz._choices._seed.value = typed
    assert wiz._run.disabled
    assert "must be a whole number" in wiz._choices.problem


def test_steps_in_an_order_that_cannot_work_are_told_before_a_run(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path, steps=["quantization", "pruning"])
    assert wiz._run.disabled
    assert "Put the step before" in wiz._choices.problem


def test_task_that_cannot_be_loaded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.widgets import choices

    def broken(name: str) -> Any:
        raise OSError("no such file")

    wiz = new_wizard(tmp_path)
    monkeypatch.setattr(choices, "load_task", broken)
    wiz._choices._task.value = "fashion"
    assert "Task `fashion` cannot be loaded: no such file" in wiz._choices.problem
    assert wiz._run.disabled
    monkeypatch.undo()
    wiz._choices._task.value = "digits"
    assert wiz._choices._model.options == tuple(load_task("digits").builders)
    assert not wiz._run.disabled


def test_story_adds_up_steps_rows_and_messages() -> None:
    story = Story.of(Recipe.make("digits", ["pruning"], start="cnn"))
    for event in events():
        story.take(event)
    assert [(s.label, s.state, s.done) for s in story.stages.values()] == [
        ("Start", "done", 1.0),
        ("Pruning", "running", 0.75),
        ("Test", "waiting", 0.0),
    ]
    assert story.stages["start"].seconds == 2.5
    assert [r.step for r in story.rows] == ["start"]
    assert "Removing &lt;50%&gt; of" in messages_html(story)
    assert "aria-valuenow='75'" in progress_html(story)
    story.end()
    assert story.stages["pruning"].state == "stopped"


DECISION = {
    "verdict": "drift found",
    "reason": "2 of 8 inputs differ <a lot>",
    "numbers": {"largest distance": 0.314159, "inputs": 2},
    "action": "train again on rows of the last week.",
}


def test_decision_of_a_step_is_told_in_its_line_and_in_the_result() -> None:
    recipe = Recipe.make("digits", ["pruning"], start="cnn")
    view, result = RunView(), LedgerView()
    view.begin(recipe)
    view.take([Event("step_finished", "pruning", {"rows": [], "decision": DECISION}, 104.0)])
    line = (
        "Decision: drift found - 2 of 8 inputs differ &lt;a lot&gt;. "
        "Next: train again on rows of the last week."
    )
    assert line in view._progress.value
    result.show("a run", recipe, view.story.rows, decisions=view.story.decisions)
    section = result.children[0].value
    assert f"<b>Pruning</b> {line}" in section
    assert "largest distance 0.3142; inputs 2" in section
    assert "No step has finished" not in section


def test_decision_without_reason_and_action_is_a_sentence() -> None:
    story = Story.of(Recipe.make("digits", ["pruning"], start="cnn"))
    story.take(Event("step_finished", "pruning", {"decision": {"verdict": "no drift"}}))
    assert [d.text for d in story.decisions] == ["Decision: no drift."]
    story.take(Event("step_finished", "start", {"rows": [], "decision": None}))
    assert len(story.decisions) == 1


def test_decision_of_an_earlier_run_is_shown_when_attached(tmp_path: Path) -> None:
    folder = written_run(tmp_path, "finished")
    more = Event("step_finished", "pruning", {"rows": [], "decision": DECISION}, 105.0)
    with (folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(more.to_json() + "\n")
    wiz = new_wizard(tmp_path)
    wiz._reattach()
    settle(wiz)
    assert "Decision: drift found" in wiz._view._progress.value
    assert "Decision: drift found" in wiz._ledger.children[0].value
    assert "99.00" in wiz._ledger.children[0].value


def test_screen_uses_the_words_of_the_table(tmp_path: Path) -> None:
    choices = new_wizard(tmp_path)._choices
    controls = (choices._task, choices._model, choices._budget, choices._seed)
    assert [c.description for c in controls] == ["Data", "Model", "Effort", "Seed"]
    assert [label for label, _ in choices._budget.options] == [
        "quick check",
        "standard",
        "thorough",
    ]
    assert "Quick check: " in choices._about.value
    assert choices.recipe.budget == "smoke"


def test_every_option_and_button_of_the_wizard_has_words() -> None:
    assert set(EFFORT_HELP) == set(BUDGETS)
    assert all(text.label and text.tooltip.endswith(".") for text in BUTTONS.values())
    assert {label_of_option(name) for name in RunOptions.model_fields} >= {"Data", "Model"}


def test_step_told_twice_by_a_resumed_run_is_one_row() -> None:
    story = Story.of(Recipe.make("digits", ["pruning"]))
    for quality in (0.9, 0.8):
        story.take(Event("step_finished", "start", {"rows": [row("start", quality)]}))
    assert [r.quality for r in story.rows] == [0.8]


def test_same_technique_twice_has_a_line_each() -> None:
    story = Story.of(Recipe.make("digits", ["pruning", "pruning"]))
    assert [s.label for s in story.stages.values()] == ["Start", "Pruning", "Pruning 2", "Test"]


@pytest.mark.parametrize(
    ("status", "text"),
    [("finished", "All files are in"), ("failed", "out of memory"), ("cancelled", "are kept")],
)
def test_earlier_run_is_shown_when_attached(tmp_path: Path, status: str, text: str) -> None:
    folder = written_run(tmp_path, status, error="out of memory" if status == "failed" else "")
    wiz = new_wizard(tmp_path)
    assert wiz._earlier.options == ((f"{folder.name}  ({status})", str(folder)),)
    wiz._reattach()
    settle(wiz)
    assert wiz.run is not None
    assert wiz.run.folder == folder
    assert f"wb-state-{status}" in wiz._view.status.value
    assert text in wiz._view.status.value
    assert "99.00" in wiz._ledger.children[0].value
    assert len(wiz._view._charts.children) == 2
    assert wiz._cancel.disabled
    assert not wiz._run.disabled


def test_run_without_a_process_is_told_as_killed(tmp_path: Path) -> None:
    written_run(tmp_path, "running")
    wiz = new_wizard(tmp_path)
    wiz._reattach()
    settle(wiz)
    assert "workbench resume" in wiz._view.status.value


def test_ledgers_of_all_runs_stay_the_latest_first(tmp_path: Path) -> None:
    names = ["20261122-101500-a", "20261122-101600-b"]
    for name in names:
        written_run(tmp_path, "finished", name=name)
    wiz = new_wizard(tmp_path)
    for folder in (tmp_path / n for n in names):
        wiz._earlier.value = str(folder)
        wiz._reattach()
        settle(wiz)
    sections = [s.value for s in wiz._ledger.children]
    assert [next(n for n in names if n in s) for s in sections] == names[::-1]


def test_launch_that_fails_is_told_in_the_wizard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise PermissionError("the disk is read-only")

    monkeypatch.setattr("workbench.widgets.wizard.launch", refused)
    wiz = new_wizard(tmp_path)
    wiz._run.click()
    settle(wiz)
    assert "PermissionError: the disk is read-only" in wiz._view.status.value
    assert not wiz._run.disabled


def test_run_going_on_is_offered_followed_and_cancelled_by_a_new_wizard(tmp_path: Path) -> None:
    run = launch(
        Recipe.make("digits", ["pruning"], start="cnn", budget="thorough"), "digits", root=tmp_path
    )
    try:
        wiz = new_wizard(tmp_path)
        assert "Show follows this run" in wiz._view.status.value
        wiz._attach.click()
        limit = time.monotonic() + 20
        while wiz._cancel.disabled and time.monotonic() < limit:
            time.sleep(0.05)
        assert wiz._run.disabled
        wiz._cancel.click()
        settle(wiz)
        assert "wb-state-cancelled" in wiz._view.status.value
    finally:
        run.cancel()
    assert (
        json.loads((run.folder / "state.json").read_text(encoding="utf-8"))["status"] == "cancelled"
    )
