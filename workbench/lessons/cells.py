"""The generated cells of a notebook: its `parameters` and its `settings`, written from what
`knobs()` returns.

papermill reads plain lines only, `name: type = value  # help`; an annotation such as `X | None`, or
an equals sign in the help, would hide a parameter from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.errors import SettingsError, unknown
from workbench.settings import Settings, knobs
from workbench.techniques import get_technique

__all__ = ["COMMON", "parameters_cell", "recipe_cells", "settings_cell"]

COMMON: dict[str, tuple[str, Any, str]] = {
    "task": ("str", "fashion", "built-in task, or package.module:function that makes one"),
    "start": ("str", "resnet20", "model to start from"),
    "seed": ("int", 0, "seed of everything random"),
    "device": ("str", "auto", "auto, cpu, cuda or mps"),
    "store": ("str", "", "URL of an MLflow server; empty is SQLite under the runs"),
    "root": ("str", "", "folder of the runs; empty is ./runs or WORKBENCH_RUNS"),
    "budget": ("str", "smoke", "smoke, standard or thorough"),
}


def parameters_cell(
    settings: type[Settings] | None = None, values: Mapping[str, Any] | None = None
) -> str:
    """The source of a `parameters` cell: what every notebook has, then a line a knob; `values`
    replaces defaults.
    """
    values = dict(values or {})
    lines = [
        _line(name, kind, values.pop(name, default), text)
        for name, (kind, default, text) in COMMON.items()
    ]
    for k in knobs(settings) if settings else ():
        if k.name not in COMMON:
            lines.append(_line(k.name, k.cell_type, values.pop(k.name, k.default), k.described))
    if values:
        known = [*COMMON, *(k.name for k in (knobs(settings) if settings else ()))]
        raise SettingsError(" ".join(unknown("parameter", name, known) for name in values))
    return "\n".join(lines)


def settings_cell(technique: str) -> str:
    """The source of the cell that makes a technique's settings from the parameters, before anything
    runs.
    """
    declared = get_technique(technique)
    names = [k.name for k in knobs(declared.settings)]
    pairs = ", ".join(f"{n}={n}" for n in names)
    return (
        "import workbench as wb\n\n"
        f'settings = wb.get_technique("{technique}").settings.from_flat(dict({pairs}))\n'
        f'recipe = wb.Recipe.make(task, [("{technique}", settings)], start=start, seed=seed, budget=budget, device=device)'
    )


def recipe_cells(steps: str) -> tuple[str, str]:
    """Both cells of a notebook that runs a recipe of several steps, given as YAML text on one line."""
    parameters = (
        parameters_cell()
        + "\n"
        + _line("steps", "str", steps, "YAML list of techniques with their settings")
    )
    made = (
        "import workbench as wb\n\nrecipe = wb.Recipe.make(task, steps, start=start, seed=seed, "
        "budget=budget, device=device)\nprint(recipe.to_yaml())"
    )
    return parameters, made


def _line(name: str, kind: str, value: Any, text: str) -> str:
    shown = repr(value)
    if isinstance(
        value, str
    ):  # papermill takes an equals sign for another assignment, and a hash for the help
        shown = shown.replace("=", "\\x3d").replace("#", "\\x23")
    return f"{name}: {kind} = {shown}  # {text.replace('=', 'is')}"
