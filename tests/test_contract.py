"""One contract for all techniques: what every one of them promises, whoever wrote it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import yaml

from workbench.errors import Cancelled, CandidateError, SettingsError, TaskError
from workbench.events import Report
from workbench.ledger.appraise import outputs_on
from workbench.lessons.cells import parameters_cell
from workbench.recipe import Recipe
from workbench.settings import knobs
from workbench.technique import Job
from workbench.techniques import get_technique, technique_names

TECHNIQUES = technique_names()


@pytest.fixture(params=TECHNIQUES)
def declared(request):
    return get_technique(request.param)


@pytest.fixture(scope="module")
def outcomes():
    """Each technique is run once with the defaults of the smoke budget, and again with what was
    resolved.
    """
    return {}


def _first(declared, job_of, outcomes):
    if declared.name not in outcomes:
        outcomes[declared.name] = declared(job_of(), declared.settings(budget="smoke"))
    return outcomes[declared.name]


def _other_values(declared):
    """A value away from the default for every knob, the nested and free-form ones included."""
    values = {}
    for k in knobs(declared.settings):
        if k.kind == "bool":
            values[k.name] = not k.default
        elif k.kind == "choice":
            values[k.name] = next(c for c in k.choices if c != k.default)
        elif k.kind == "int":
            values[k.name] = int(
                k.low if k.low is not None and k.low != k.default else (k.default or 0) + 1
            )
        elif k.kind == "float":
            values[k.name] = (k.low or 0.0) + ((k.high or 1.0) - (k.low or 0.0)) / 7
        elif k.kind == "yaml":
            values[k.name] = "[a.b, c]" if k.default.startswith("[") else "{a.b: 0.25}"
        else:
            values[k.name] = "text"
    return values


def test_defaults_in_the_smoke_budget_give_a_candidate_that_still_solves_the_task(
    declared, job_of, outcomes, digits_task, digits_cnn
):
    outcome = _first(declared, job_of, outcomes)
    assert outcome.candidate is not None or outcome.decision
    if outcome.candidate is None:
        return
    assert outcome.candidate.form == declared.form_after(digits_cnn.form)
    assert outcome.candidate.parent == digits_cnn.name
    valid = digits_task.data.valid
    assert digits_task.metric(outputs_on(outcome.candidate, valid), valid.targets) > 0.8


def test_input_candidate_stays_untouched(declared, digits_cnn, job_of):
    before = copy.deepcopy(digits_cnn.model.state_dict())
    was_training = digits_cnn.model.training
    declared(job_of(), declared.settings(budget="smoke"))
    after = digits_cnn.model.state_dict()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[k].numpy(), after[k].numpy()) for k in before)
    assert digits_cnn.model.training == was_training


def test_same_resolved_settings_give_the_same_result(
    declared, job_of, outcomes, digits_task, tmp_path
):
    first = _first(declared, job_of, outcomes)
    (tmp_path / "again").mkdir()
    again = declared(job_of(folder=tmp_path / "again"), first.resolved)
    assert again.resolved == first.resolved, "settings that are resolved leave nothing to decide"
    rows = digits_task.data.valid
    np.testing.assert_array_equal(
        outputs_on(first.candidate, rows), outputs_on(again.candidate, rows)
    )


def test_every_face_goes_round_to_the_same_settings(declared):
    for settings in (declared.settings(), declared.settings.from_flat(_other_values(declared))):
        flat = settings.flat()
        assert declared.settings.from_flat(flat) == settings, "form and code"
        assert declared.settings(**yaml.safe_load(yaml.safe_dump(settings.tree()))) == settings, (
            "YAML"
        )
        recipe = Recipe.make(
            "digits", [(declared.name, settings)], start="cnn", budget=settings.budget
        )
        assert Recipe.from_yaml(recipe.to_yaml()).steps[0].settings == settings, "recipe"
        assert declared.settings.from_flat(_through_cell(declared, flat)) == settings, (
            "parameters cell"
        )
        assert declared.settings.from_flat(_through_shell(recipe, declared)) == settings, (
            "command line"
        )


def _through_cell(declared, flat):
    """The parameters cell, as papermill reads it and as Python runs it."""
    import nbformat
    from papermill.inspection import inspect_notebook

    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(
                parameters_cell(declared.settings, flat), metadata={"tags": ["parameters"]}
            )
        ]
    )
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "language": "python",
        "display_name": "Python 3",
    }
    seen = inspect_notebook(notebook)
    names = {}
    exec(notebook.cells[0].source, names)
    assert set(flat) <= set(seen), "papermill sees every parameter"
    for k in knobs(declared.settings):
        assert seen[k.name]["inferred_type_name"] == k.cell_type
        assert seen[k.name]["help"], "each with its help"
    return {name: names[name] for name in flat}


def _through_shell(recipe, declared):
    """The equivalent command, parsed by the command line's own parser."""
    import shlex

    from workbench.cli.techniques import flat_settings

    program, *words = shlex.split(recipe.to_command())
    assert (program, words[0]) == ("workbench", declared.name)
    return flat_settings(words)


def test_form_shows_and_gives_back_the_same_settings(declared):
    from workbench.widgets.form import form

    for settings in (declared.settings(), declared.settings.from_flat(_other_values(declared))):
        shown = form(declared.name)
        shown.set(settings)
        assert shown.settings == settings


def test_cancel_stops_the_work_at_once(declared, job_of):
    seen = []

    def listen(event):
        seen.append(event)

    with pytest.raises(Cancelled):
        declared(
            job_of(report=Report(listen, cancelled=lambda: len(seen) >= 1)),
            declared.settings(budget="smoke"),
        )
    assert len(seen) == 1, "nothing is reported after the request"


def test_bad_values_are_refused_with_the_message(declared):
    bounded = [k for k in knobs(declared.settings) if k.high is not None]
    for k in bounded:
        with pytest.raises(SettingsError, match=f"`{k.name}` must be at most"):
            declared.settings.from_flat({k.name: k.high * 2 + 1})
    for k in (k for k in knobs(declared.settings) if k.kind == "choice"):
        with pytest.raises(SettingsError, match=f"`{k.name}` got 'nonsense'.*Valid: "):
            declared.settings.from_flat({k.name: "nonsense"})
    with pytest.raises(SettingsError, match="Unknown setting `nonsense`"):
        declared.settings(nonsense=1)


def test_wrong_form_is_refused_with_the_way_out(declared, job_of, digits_cnn):
    import dataclasses

    wrong = next((f for f in ("onnx", "sklearn", "torch") if f not in declared.accepts), None)
    if wrong is None:
        assert set(declared.accepts) == {"onnx", "sklearn", "torch"}
        return
    with pytest.raises(
        CandidateError, match=f"`{declared.name}` takes models in the form.*is in the form {wrong}"
    ):
        declared(job_of(start=dataclasses.replace(digits_cnn, form=wrong)))


def test_job_refuses_test_rows(digits_task, digits_cnn, tmp_path):
    with pytest.raises(TaskError, match="must not hold test rows"):
        Job(digits_task, digits_cnn, tmp_path)


def test_declaration_is_fit_to_be_shown(declared):
    assert declared.title
    assert declared.summary.endswith(".")
    for k in knobs(declared.settings):
        assert k.help.endswith("."), f"{declared.name}.{k.name}: help is a sentence"
    json_safe = declared.settings.model_validate_json(declared.settings().model_dump_json())
    assert json_safe == declared.settings()
