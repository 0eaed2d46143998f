"""The wizard without a browser: choices make a recipe, and events make the lines of a run."""

from __future__ import annotations

import json
import shlex
import time
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.cli.techniques import TechniqueCommand
from workbench.errors import RecipeError, SettingsError
from workbench.events import Event
from workbench.ledger.rows import Row
from workbench.lessons.cells import common_knobs
from workbench.recipe import Recipe
from workbench.runs.durations import Duration, keep, parts_of
from workbench.runs.launch import launch
from workbench.runtimes.to_onnx import to_onnx
from workbench.settings import BUDGETS, USUAL_BUDGET, RunOptions
from workbench.system.files import write_json, write_text
from workbench.task import Task
from workbench.tasks import load_task
from workbench.tasks.make import make_task
from workbench.technique import Decision
from workbench.techniques import get_technique
from workbench.widgets.ledgerview import LedgerView
from workbench.widgets.runview import RunView
from workbench.widgets.story import DecisionLine, Story, messages_html, progress_html
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


REFERENCE = "tests.widgets.example_tasks:digits_named"
OPTIONS = {
    "choices": {"training 0123": {"precision": "fp32", "memory_format": "contiguous"}},
    "seed": 4,
    "device": "cpu",
    "budget": "standard",
    "task_args": {"name": "it's mine", "suffix": "_x"},
    "threads": 2,
    "batch_sizes": [1, 8],
    "test": "never",
    "cv": 5,
    "baselines": "always",
    "price_per_core_hour": 0.05,
    "accepted_drop": 1.5,
}


def wizard_with_options(tmp_path: Path, *steps: Any) -> Wizard:
    return wizard(REFERENCE, "cnn_x", steps=steps, root=tmp_path, **OPTIONS)


def test_wizard_takes_every_option_of_a_run(tmp_path: Path) -> None:
    own = {"task", "start", *RunOptions.LOCAL}
    assert {*OPTIONS, *own} == set(RunOptions.model_fields)
    assert all(
        value != RunOptions.model_fields[n].default for n, value in OPTIONS.items() if n != "budget"
    )
    wiz = wizard_with_options(tmp_path, "pruning")
    assert wiz.recipe == Recipe.make(REFERENCE, ["pruning"], start="cnn_x", **OPTIONS)
    assert wiz._choices._model.value == "cnn_x"
    with pytest.raises(RecipeError, match="Did you mean `threads`"):
        new_wizard(tmp_path, thread=2)


def test_code_in_python_gives_the_recipe_with_all_its_options(tmp_path: Path) -> None:
    wiz = wizard_with_options(tmp_path, {"pruning": {"pruning_ratio": 0.25}}, "quantization")
    code, _, run = unescape(texts(wiz)[0]).partition("result = wb.run(recipe)")
    assert run
    names: dict[str, Any] = {}
    exec(code.partition(">")[2], names)
    assert names["recipe"] == wiz.recipe


def test_code_in_yaml_gives_the_recipe_with_all_its_options(tmp_path: Path) -> None:
    wiz = wizard_with_options(tmp_path, {"pruning": {"pruning_ratio": 0.25}}, "quantization")
    text = unescape(texts(wiz)[1]).partition(">")[2].removesuffix("</pre>")
    assert Recipe.from_yaml(text) == wiz.recipe


def test_command_gives_the_recipe_with_all_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from workbench.cli import main as cli

    wiz = wizard_with_options(tmp_path, {"pruning": {"pruning_ratio": 0.25}})
    text = unescape(texts(wiz)[2]).partition(">")[2].removesuffix("</pre>")
    _, *words = shlex.split(text)
    assert cli.main([*words, "--dry-run"]) == 0
    assert Recipe.from_yaml(capsys.readouterr().out) == wiz.recipe


def test_options_at_their_default_are_not_in_the_code(tmp_path: Path) -> None:
    for text in texts(new_wizard(tmp_path)):
        assert not any(n in text for n in ("threads", "batch", "task_args", "task-args", "price"))


def test_options_of_the_run_are_a_folded_form_drawn_from_their_declaration(tmp_path: Path) -> None:
    options = new_wizard(tmp_path)._choices._options
    drawn = [c.knob.name for part in options._layout.sections[0]._parts for c in part.shown]
    outside = {"task", "start", "seed", "budget", "accepted_drop", *RunOptions.LOCAL}
    assert drawn == [n for n in RunOptions.model_fields if n not in outside]
    assert options._layout.sections[0].titles == ("Options of the run  (9 settings)",)
    assert options._layout.sections[0].selected_index is None
    assert [c.knob.name for c in options._layout.plain.shown] == ["accepted_drop"]


def test_option_that_is_typed_reaches_the_recipe_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path)
    controls = wiz._choices._options._controls
    threads, price = controls["threads"], controls["price_per_core_hour"]
    assert (threads._drawn.field.placeholder, price._drawn.field.placeholder) == (
        "auto",
        "no price",
    )
    assert [label for label, _ in controls["test"]._drawn.field.options] == ["at the end", "never"]
    controls["threads"]._drawn.field.value = "3"
    controls["batch_sizes"]._drawn.field.value = "[4, 2]"
    controls["test"]._drawn.field.value = "never"
    assert (wiz.recipe.threads, wiz.recipe.batch_sizes, wiz.recipe.test) == (3, [2, 4], "never")
    assert "--threads 3" in texts(wiz)[2]
    controls["threads"]._drawn.field.value = "0"
    assert wiz._run.disabled
    assert "`threads` must be at least 1, got 0" in wiz._choices.problem
    controls["threads"]._drawn.field.value = ""
    assert not wiz._run.disabled
    assert wiz.recipe.threads is None


def test_task_is_loaded_again_when_its_arguments_change(tmp_path: Path) -> None:
    wiz = wizard_with_options(tmp_path, "pruning")
    args = wiz._choices._options._controls["task_args"]._drawn.field
    args.value = "{name: mine, suffix: _y}"
    assert "cnn_y" in wiz._choices._model.options
    assert "cnn_x" not in wiz._choices._model.options
    assert wiz.recipe.start == wiz._choices._model.options[0]
    assert wiz.recipe.task_args == {"name": "mine", "suffix": "_y"}
    wiz._choices._model.value = "cnn_y"
    args.value = "{name: yours, suffix: _y}"
    assert wiz.recipe.start == "cnn_y"
    args.value = "{title: mine}"
    assert "cannot be loaded" in wiz._choices.problem
    assert wiz._run.disabled


def test_arguments_stay_with_the_task_that_they_are_for(tmp_path: Path) -> None:
    wiz = wizard_with_options(tmp_path, "pruning")
    wiz._choices._task.value = "digits"
    assert wiz.recipe.task_args == {}
    assert not wiz._run.disabled
    wiz._choices._task.value = REFERENCE
    assert wiz.recipe.task_args == OPTIONS["task_args"]


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


def test_settings_for_another_form_of_model_are_hidden(tmp_path: Path) -> None:
    wiz = wizard("flights", start="table_net", root=tmp_path, steps=["regularization"])
    step = wiz._choices._steps._forms[0]
    assert not step._controls["penalty"].has_effect
    assert step._controls["fit_dropout"].has_effect
    step._controls["penalty"].show("lasso")
    assert step.settings.penalty == "own"  # hidden, it counts as its default
    wiz._choices._model.value = "logistic"
    assert step.settings.penalty == "lasso"
    assert not step._controls["fit_dropout"].has_effect


def test_settings_for_another_form_of_model_are_refused_before_a_run(tmp_path: Path) -> None:
    recipe = Recipe.make("flights", [{"regularization": {"penalty": "lasso"}}], start="table_net")
    with pytest.raises(RecipeError, match="`penalty` is for sklearn models, and `table_net` is in"):
        recipe.check_forms("torch", "table_net")
    assert recipe.check_forms("sklearn", "logistic") == ["sklearn", "sklearn"]


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


def test_settings_that_exclude_each_other_are_told_before_a_run(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path)
    field_of(wiz, "scope").value = "sensitivity"
    field_of(wiz, "method").value = "unstructured"
    form = wiz._choices._steps._forms[0]
    assert list(form.problems) == ["scope"], "under the control that it is about"
    assert (
        "cannot be used with `method` unstructured. Allowed: uniform, global."
        in (form.problems["scope"])
    )
    assert wiz._run.disabled
    with pytest.raises(RecipeError, match="step 1: .*`scope` sensitivity cannot be used"):
        Recipe.make("digits", [{"pruning": {"method": "unstructured", "scope": "sensitivity"}}])
    field_of(wiz, "scope").value = "global"
    assert not wiz._run.disabled


@pytest.mark.parametrize("typed", ["", "-1", "one", "1.5"])
def test_wrong_seed_is_told(tmp_path: Path, typed: str) -> None:
    wiz = new_wizard(tmp_path)
    wiz._choices._seed.value = typed
    assert wiz._run.disabled
    assert "must be a whole number" in wiz._choices.problem


def test_steps_in_an_order_that_cannot_work_are_told_before_a_run(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path, steps=["quantization", "pruning"])
    assert wiz._run.disabled
    assert "Put this step before step 1 (`quantization`)" in wiz._choices.problem


def own_task(start: str, folder: Path) -> Task:
    """A task of two classes whose trained start is a linear model, a boosted one or an ONNX file;
    it can build a network as well.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from torch import nn

    x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    kinds = {"linear": LogisticRegression, "boosting": HistGradientBoostingClassifier}
    model = kinds.get(start, LogisticRegression)().fit(x, y)
    if start == "onnx":
        exported = to_onnx(make_task("first", model=model, train=(x, y)).start, {"x": x[:16]})
        model = folder / "model.onnx"
        model.write_bytes(exported.model)
    return make_task("own", model=model, train=(x, y), models={"net": lambda: nn.Linear(4, 2)})


@pytest.mark.parametrize("start", ["linear", "boosting", "onnx"])
def test_steps_offered_and_advised_fit_the_form_of_the_start(start: str, tmp_path: Path) -> None:
    task = own_task(start, tmp_path)
    form = task.start.form
    wiz = wizard(task, root=tmp_path)
    steps = wiz._choices._steps
    assert [s.technique for s in wiz.recipe.steps] == ["quantization"]
    assert not wiz._run.disabled
    labels = [label for label, _ in steps._technique.options]
    assert f"Distillation (not for {form} models)" in labels
    some = "not for onnx models" if form == "onnx" else "boosted ensembles only"
    assert f"Pruning ({some})" in labels
    assert "Quantization" in labels
    steps._technique.value = "distillation"
    problem = wiz._choices.problem
    assert (
        f"`distillation` takes models in the form torch; `{task.start.name}` is in the form {form}"
        in (problem)
    )
    assert "Start from a model in the form torch, or leave this step out." in problem
    assert "before" not in problem
    assert problem.endswith("These steps can start from `net`.")
    wiz._choices._model.value = "net"
    assert wiz._choices.problem == ""
    assert "Distillation" in [label for label, _ in steps._technique.options]
    assert [s.technique for s in wiz.recipe.steps] == ["distillation"]


def test_added_step_takes_the_model_of_the_last_step(tmp_path: Path) -> None:
    wiz = new_wizard(tmp_path, steps=["pruning"])
    steps = wiz._choices._steps
    steps._add_step()
    steps._add_step()
    assert wiz._choices.problem == ""
    assert [s.technique for s in wiz.recipe.steps] == ["pruning", "quantization", "quantization"]
    assert "Pruning (not for onnx models)" in [label for label, _ in steps._technique.options]
    steps._chips.index = 0
    assert "Pruning" in [label for label, _ in steps._technique.options]


def test_task_that_cannot_be_loaded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.widgets import choices

    def broken(name: str, args: Any) -> Any:
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
    assert (story.stages["test"].state, story.stages["test"].text) == ("skipped", "not run")


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


def test_result_of_decisions_alone_has_no_table_of_measurements() -> None:
    recipe, result = Recipe.make("digits", ["pruning"]), LedgerView()
    decision = Decision("no drift", "Nothing has changed.")
    rows = [Row("pruning", "pruning", decision=decision, seconds=1.0)]
    line = DecisionLine.of("Pruning", decision.to_json())
    result.show("a run", recipe, rows, decisions=[line])
    section = result.children[0].value
    assert "Decision: no drift - Nothing has changed." in section
    assert "<table" not in section
    assert "wb-scroll" not in section
    result.show("a run", recipe, [Row.from_json(row("start", 0.9)), *rows], decisions=[line])
    assert "<table" in result.children[0].value


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
    choices = new_wizard(tmp_path, budget="smoke")._choices
    controls = (choices._task, choices._model, choices._budget, choices._seed)
    assert [c.description for c in controls] == ["Data", "Model", "Effort", "Seed"]
    assert [label for label, _ in choices._budget.options] == [
        "quick check",
        "standard",
        "thorough",
    ]
    assert "Quick check: " in choices._about.value
    assert choices.recipe.budget == "smoke"


def test_effort_is_the_same_wherever_none_is_named(tmp_path: Path) -> None:
    with TechniqueCommand("pruning").make_context("pruning", []) as context:
        of_shell = context.params["budget"]
    of_cell = {k.name: k.default for k in common_knobs()}["budget"]
    assert new_wizard(tmp_path).recipe.budget == of_shell == USUAL_BUDGET
    assert Recipe.make("digits", ["pruning"]).budget == USUAL_BUDGET
    assert get_technique("pruning").settings().budget == USUAL_BUDGET
    assert of_cell == "smoke", "a committed notebook names its own"


def test_estimate_stands_beside_the_button_and_follows_the_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    first = new_wizard(tmp_path, steps=["pruning"], budget="smoke").recipe
    for name, part in parts_of(first).items():
        seconds = 30.0 if name == "pruning" else 5.0
        starts = (part.start,)
        keep(Duration(part.name, part.task, seconds, starts, part.budget, part.settings))
    wiz = new_wizard(tmp_path, steps=["pruning"], budget="smoke")
    bar = wiz.children[2].children[1].children[0]
    assert list(bar.children[:3]) == [wiz._run, wiz._cancel, wiz._estimate]
    assert "About 45 s (as the last run here)." in wiz._estimate.value
    field_of(wiz, "pruning_ratio").value = "0.7"
    assert "other settings took that" in wiz._estimate.value
    field_of(wiz, "pruning_ratio").value = "7"
    assert wiz._estimate.value == ""


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
