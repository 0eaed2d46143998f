"""The generated cells of a notebook, `parameters` and `settings`, made from `knobs()`.

papermill reads plain lines only, `name: type = value  # help`. It does not see a parameter with an
annotation such as `X | None`, or with an equals sign in its help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.errors import SettingsError, unknown
from workbench.settings import Knob, RunOptions, Settings, knobs

__all__ = ["common_knobs", "parameters_cell", "recipe_cells", "settings_cell"]

STARTS_WITH: dict[str, Any] = {"start": "resnet20", "budget": "smoke"}  # in a committed notebook


def common_knobs() -> tuple[Knob, ...]:
    """The parameters that every notebook has: the options of a run, as a notebook starts."""
    return tuple(replace(k, default=STARTS_WITH.get(k.name, k.default)) for k in knobs(RunOptions))


def parameters_cell(
    settings: type[Settings] | None = None, values: Mapping[str, Any] | None = None
) -> str:
    """The source of a `parameters` cell: the options of a run, then a line a setting.

    `values` replaces defaults. Raises SettingsError for a name that is no parameter.
    """
    values = dict(values or {})
    parameters = {k.name: k for k in (*common_knobs(), *(knobs(settings) if settings else ()))}
    parameters |= {k.name: k for k in common_knobs()}  # the effort of a step is that of the run
    problems = [unknown("parameter", name, parameters) for name in values if name not in parameters]
    if problems:
        raise SettingsError(" ".join(problems))
    return "\n".join(
        _line(name, k.cell_type, values.get(name, k.default), k.described)
        for name, k in parameters.items()
    )


def settings_cell(technique: str) -> str:
    """The source of the cell that makes and checks settings and recipe from the parameters."""
    return (
        "import workbench as wb\n\n"
        f'recipe = wb.begin(globals(), "{technique}")\n'
        "settings = recipe.steps[0].settings"
    )


def recipe_cells(steps: str, values: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """Both cells of a notebook that runs a recipe of several steps, given as YAML on one line.

    `values` replaces defaults, as for `parameters_cell`.
    """
    parameters = (
        parameters_cell(values=values)
        + "\n"
        + _line("steps", "str", steps, "YAML list of techniques with their settings")
    )
    code = "import workbench as wb\n\nrecipe = wb.begin(globals())\nprint(recipe.to_yaml())"
    return parameters, code


def _line(name: str, kind: str, value: Any, text: str) -> str:
    shown = repr(value)
    if isinstance(value, str):
        # papermill reads an equals sign as another assignment, and a hash as the help.
        shown = shown.replace("=", "\\x3d").replace("#", "\\x23")
    return f"{name}: {kind} = {shown}  # {text.replace('=', 'is')}"
