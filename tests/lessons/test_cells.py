"""Generated cells: papermill reads their parameters, and running them gives the settings that were
meant.
"""

from __future__ import annotations

import nbformat
import pytest
from papermill.inspection import inspect_notebook

from workbench.errors import RecipeError
from workbench.lessons.cells import common_knobs, parameters_cell, recipe_cells, settings_cell
from workbench.settings import RunOptions, TechniqueSettings, knob, knobs
from workbench.techniques import get_technique, technique_names


class AwkwardSettings(TechniqueSettings):
    """What papermill trips over when it is written carelessly."""

    limit: float | None = None
    """Rows with x > limit, # or none: all."""

    word: str = 'it\'s "a" word: {x}, [y]'
    """Any text."""

    ratio: float = knob(0.5, low=0.0, high=1.0)
    """A share."""


def _seen(source: str) -> dict:
    """The parameters as papermill reads them."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})]
    )
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "language": "python",
        "display_name": "Python 3",
    }
    return inspect_notebook(notebook)


def _ran(*sources: str) -> dict:
    names: dict = {}
    for source in sources:
        exec(source, names)
    return names


def test_common_parameters_are_all_read_with_kind_and_help():
    seen = _seen(parameters_cell())
    assert list(seen) == list(RunOptions.model_fields), "declared once, in RunOptions"
    for k in common_knobs():
        assert seen[k.name]["inferred_type_name"] == k.cell_type
        assert seen[k.name]["default"] == repr(k.default)
        assert seen[k.name]["help"] == k.described


@pytest.mark.parametrize("name", technique_names())
def test_every_knob_of_a_technique_is_read(name):
    settings = get_technique(name).settings
    seen = _seen(parameters_cell(settings))
    assert set(seen) == {*RunOptions.model_fields, *(k.name for k in knobs(settings))}


def test_text_that_looks_like_code_hides_no_parameter():
    source = parameters_cell(AwkwardSettings, {"budget": AwkwardSettings().budget})
    seen = _seen(source)
    assert {"limit", "word", "ratio"} <= set(seen)
    names = _ran(source)
    assert (
        AwkwardSettings.from_flat({k.name: names[k.name] for k in knobs(AwkwardSettings)})
        == AwkwardSettings()
    )


def test_values_replace_defaults_of_common_parameters_and_knobs():
    source = parameters_cell(
        AwkwardSettings, {"task": "digits", "seed": 7, "ratio": 0.25, "word": "other"}
    )
    names = _ran(source)
    assert (names["task"], names["seed"], names["ratio"], names["word"]) == (
        "digits",
        7,
        0.25,
        "other",
    )
    assert (names["start"], names["limit"]) == ("resnet20", None)
    assert _seen(source)["ratio"]["default"] == "0.25"


def test_values_that_were_given_are_left_alone():
    values = {"task": "digits"}
    parameters_cell(None, values)
    assert values == {"task": "digits"}


@pytest.mark.parametrize("name", technique_names())
def test_settings_cell_makes_the_settings_of_the_parameters(name):
    declared = get_technique(name)
    chosen = {"task": "digits", "start": "cnn", "seed": 3, "budget": "standard"}
    made = _ran(parameters_cell(declared.settings, chosen), settings_cell(name))
    assert made["settings"] == declared.settings(budget="standard")
    assert made["recipe"].steps[0].settings == made["settings"]
    assert (made["recipe"].task, made["recipe"].start, made["recipe"].seed) == ("digits", "cnn", 3)


def test_settings_cell_takes_a_changed_knob():
    made = _ran(
        parameters_cell(get_technique("pruning").settings, {"pruning_ratio": 0.75}),
        settings_cell("pruning"),
    )
    assert made["settings"].pruning_ratio == 0.75


def test_settings_cell_without_parameters_names_those_that_are_missing():
    with pytest.raises(RecipeError, match="no parameter `task`, .*run the cell of parameters"):
        _ran(settings_cell("pruning"))


def test_settings_cell_refuses_a_wrong_value_in_words():
    source = parameters_cell(get_technique("pruning").settings, {"pruning_ratio": 1.5})
    with pytest.raises(RecipeError, match="`pruning_ratio` must be at most"):
        _ran(source, settings_cell("pruning"))


def test_recipe_cells_make_the_recipe_of_their_steps(capsys):
    steps = "[{pruning: {pruning_ratio: 0.25}}, quantization]"
    parameters, made = recipe_cells(steps)
    assert _seen(parameters)["steps"]["inferred_type_name"] == "str"
    recipe = _ran(parameters, made)["recipe"]
    assert [s.technique for s in recipe.steps] == ["pruning", "quantization"]
    assert recipe.steps[0].settings.pruning_ratio == 0.25
    assert recipe.to_yaml() in capsys.readouterr().out


def test_cells_are_plain_python_lines():
    for name in technique_names():
        source = parameters_cell(get_technique(name).settings)
        assert len(source.splitlines()) == len(_seen(source)), "a line a parameter"
        compile(source, name, "exec")
