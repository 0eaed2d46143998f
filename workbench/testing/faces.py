"""Settings through every face and back: YAML, recipe, notebook cell, command line, form."""

from __future__ import annotations

import shlex
from typing import Any

import yaml

from workbench.lessons.cells import parameters_cell
from workbench.recipe import Recipe
from workbench.settings import TechniqueSettings, knobs
from workbench.system.texts import read_yaml
from workbench.technique import Technique

__all__ = ["through_cell", "through_form", "through_recipe", "through_shell", "through_yaml"]


def through_yaml(settings: TechniqueSettings) -> TechniqueSettings:
    """The settings from the YAML of their own tree."""
    return type(settings)(**read_yaml(yaml.safe_dump(settings.tree())))


def recipe_of(declared: Technique, settings: TechniqueSettings) -> Recipe:
    """A recipe of one step with these settings."""
    return Recipe.make("digits", [(declared.name, settings)], start="cnn", budget=settings.budget)


def through_recipe(declared: Technique, settings: TechniqueSettings) -> TechniqueSettings:
    """The settings from a recipe's YAML."""
    return Recipe.from_yaml(recipe_of(declared, settings).to_yaml()).steps[0].settings


def through_cell(declared: Technique, settings: TechniqueSettings) -> TechniqueSettings:
    """The settings from the `parameters` cell, as papermill reads it and as Python runs it.

    Raises AssertionError for a parameter that papermill does not see, or sees without type or help.
    """
    import nbformat
    from papermill.inspection import inspect_notebook

    flat = settings.flat()
    cell = nbformat.v4.new_code_cell(
        parameters_cell(declared.settings, flat), metadata={"tags": ["parameters"]}
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "language": "python",
        "display_name": "Python 3",
    }
    seen = inspect_notebook(notebook)
    names: dict[str, Any] = {}
    exec(cell.source, names)
    assert set(flat) <= set(seen), "papermill sees every parameter"
    for k in knobs(declared.settings):
        assert seen[k.name]["inferred_type_name"] == k.cell_type
        assert seen[k.name]["help"], "each with its help"
    return declared.settings.from_flat({name: names[name] for name in flat})


def through_shell(declared: Technique, settings: TechniqueSettings) -> TechniqueSettings:
    """The settings from the equivalent command, parsed by the command line's own parser."""
    from workbench.cli.techniques import flat_settings

    program, *words = shlex.split(recipe_of(declared, settings).to_command())
    assert (program, words[0]) == ("workbench", declared.name)
    return declared.settings.from_flat(flat_settings(words))


def through_form(declared: Technique, settings: TechniqueSettings) -> TechniqueSettings:
    """The settings that a form holds after it was set to them."""
    from workbench.widgets.form import form

    shown = form(declared.name)
    shown.set(settings)
    return declared.settings.from_flat(shown.settings.flat())
