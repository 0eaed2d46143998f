"""Recipe, an ordered list of steps with the options of the run, as YAML or Python.

It is checked before step 1.

version: 1
task: fashion
start: resnet20
seed: 0
budget: standard
steps:
- pruning: {pruning_ratio: 0.5, fit: {epochs: 3}}
- quantization
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workbench.errors import (
    CandidateError,
    RecipeError,
    SettingsError,
    UnknownName,
    all_of,
    shown,
    unknown,
)
from workbench.settings import (
    VERSION,
    RunOptions,
    TechniqueSettings,
    dropping_values_without_effect,
    knobs,
)
from workbench.system.texts import UnreadableText, read_text, read_yaml
from workbench.technique import Technique
from workbench.techniques import get_technique

__all__ = ["Recipe", "Step"]

OPTIONS = tuple(n for n in RunOptions.model_fields if n not in RunOptions.LOCAL)
ALWAYS_WRITTEN = ("task", "start", "seed", "budget", "device")
KEYS = ("version", *OPTIONS, "steps")


@dataclass(frozen=True)
class Step:
    """One technique with its settings."""

    technique: str
    settings: TechniqueSettings

    @property
    def declared(self) -> Technique:
        return get_technique(self.technique)


@dataclass(frozen=True)
class Recipe:
    """The steps in order, and the options of the run: task and start by name, seed, budget.

    The options are attributes of the recipe too: `recipe.seed` is `recipe.options.seed`.
    """

    steps: tuple[Step, ...]
    options: RunOptions

    def __getattr__(self, name: str) -> Any:
        if name in RunOptions.model_fields:
            return getattr(self.options, name)
        raise AttributeError(unknown("attribute of a recipe", name, ("steps", *OPTIONS)))

    @classmethod
    def make(cls, task: str, steps: Sequence[Any] | str, **options: Any) -> Recipe:
        """A recipe from steps in any form, and options of the run (`RunOptions`).

        A step is a `Step`, a name, `{name: settings}` or `(name, settings)`; YAML text of such
        steps will do. Raises RecipeError that tells every problem of every option and step.
        """
        problems: list[str] = []
        try:
            start = options.get("start")
            first = {"task": task, "start": "" if start is None else start}
            chosen = RunOptions(**{**options, **first})
        except SettingsError as error:
            problems += [text for _, text in error.problems]
            chosen = RunOptions()
        read_steps: list[Step] = []
        for number, step in enumerate(_listed(steps), 1):
            try:
                read_steps.append(_step(step, chosen.budget))
            except (RecipeError, SettingsError, UnknownName) as error:
                problems.append(f"step {number}: {error}")
        if problems:
            raise RecipeError(all_of(problems, "The recipe was refused"))
        return cls(tuple(read_steps), chosen)

    @classmethod
    def of_parameters(cls, variables: Mapping[str, Any], technique: str = "") -> Recipe:
        """The recipe of a notebook, from its parameters among the variables (`globals()`).

        With a technique, its settings are parameters too, and it is the only step. Without one, the
        parameter `steps` holds YAML of the steps. A parameter that a notebook of an earlier version
        lacks has its default. Raises RecipeError where the cell of parameters was not run, and for
        values that are refused.
        """
        declared = knobs(get_technique(technique).settings) if technique else ()
        options = [k.name for k in knobs(RunOptions)]
        needed = ["task", "budget", *(() if technique else ("steps",))]
        missing = [f"`{name}`" for name in needed if name not in variables]
        if missing:
            raise RecipeError(
                f"The notebook has no parameter {', '.join(missing)}: run the cell of parameters "
                "first."
            )
        steps: Any = variables.get("steps")
        if technique:
            flat = {k.name: variables[k.name] for k in declared if k.name in variables}
            try:
                steps = [(technique, get_technique(technique).settings.from_flat(flat))]
            except SettingsError as error:
                raise RecipeError(str(error)) from error
        given = [name for name in options if name != "task" and name in variables]
        chosen = {name: variables[name] for name in given}
        return cls.make(variables["task"], steps, **chosen)

    @classmethod
    def from_tree(cls, tree: Any) -> Recipe:
        """A recipe from the content of YAML.

        Raises RecipeError for unknown keys, a missing task, or another version.
        """
        if not isinstance(tree, Mapping):
            raise RecipeError(
                f"A recipe is a mapping with the keys {', '.join(KEYS)}; got {_described(tree)}."
            )
        problems = [unknown("key of a recipe", k, KEYS) for k in tree if k not in KEYS]
        version = tree.get("version", VERSION)
        if type(version) is not int or version != VERSION:
            problems.append(
                f"`version` {shown(version)} is not known here; this package reads version "
                f"{VERSION}."
            )
        if not isinstance(tree.get("task"), str):
            problems.append(
                "`task` is missing: the name of a built-in task, or package.module:function."
            )
        if not isinstance(tree.get("steps", []), list):
            problems.append("`steps` must be a list.")
        if problems:
            raise RecipeError(all_of(problems, "The recipe was refused"))
        options = {k: v for k, v in tree.items() if k not in ("version", "task", "steps")}
        return cls.make(tree["task"], tree.get("steps", []), **options)

    @classmethod
    def from_yaml(cls, source: str | Path) -> Recipe:
        """A recipe from YAML text, or from the path of a YAML file."""
        is_path = isinstance(source, Path) or (
            "\n" not in source and source.lower().endswith((".yml", ".yaml"))
        )
        try:
            tree = read_yaml(read_text(Path(source).expanduser()) if is_path else str(source))
        except UnreadableText as error:
            raise RecipeError(f"The recipe cannot be read. {error}") from error
        return cls.from_tree(tree)

    @classmethod
    def of_run(cls, folder: Path) -> Recipe:
        """The recipe of a run's folder, older versions of this package included."""
        with dropping_values_without_effect():
            return cls.from_yaml(folder / "recipe.yml")

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the steps: their techniques, numbered from the second use on."""
        names = [step.technique for step in self.steps]
        return tuple(
            n if n not in names[:i] else f"{n} {names[: i + 1].count(n)}"
            for i, n in enumerate(names)
        )

    def tree(self) -> dict[str, Any]:
        """Plain data for YAML or JSON; options and settings at their default are left out."""
        changed = self.options.tree(changed_only=True)
        head = {
            name: value
            for name, value in self.options.tree().items()
            if name in OPTIONS and (name in ALWAYS_WRITTEN or name in changed)
        }
        return {"version": VERSION, **head, "steps": [self._step_tree(s) for s in self.steps]}

    def _step_tree(self, step: Step) -> str | dict[str, Any]:
        settings = step.settings.tree(changed_only=True)
        if step.settings.budget == self.options.budget:
            settings.pop("budget", None)
        elif "budget" not in settings:
            settings["budget"] = step.settings.budget
        return {step.technique: settings} if settings else step.technique

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.tree(), sort_keys=False, allow_unicode=True)

    def to_python(self) -> str:
        """The code that runs this recipe."""
        from pprint import pformat

        values = {k: v for k, v in self.tree().items() if k not in ("version", "task", "steps")}
        options = ", ".join(f"{k}={v!r}" for k, v in values.items())
        steps = pformat(self.tree()["steps"], width=88, sort_dicts=False)
        return (
            f"import workbench as wb\n\nsteps = {steps}\n"
            f"recipe = wb.Recipe.make({self.task!r}, steps, {options})\n"
            "result = wb.run(recipe)\nresult.ledger"
        )

    def to_command(self) -> str:
        """The shell command that runs this recipe.

        A recipe of one step is its technique with options. One of several steps is a file, and so
        is one whose step has another budget than the run: the command has one option for both.
        """
        if len(self.steps) != 1 or self.steps[0].settings.budget != self.options.budget:
            return "workbench run recipe.yml"
        step = self.steps[0]
        options = self.options.flat()
        usual = RunOptions().flat()
        common = " ".join(
            f"--{name.replace('_', '-')} {_quoted(options[name])}"
            for name in (*ALWAYS_WRITTEN, *(n for n in OPTIONS if n not in ALWAYS_WRITTEN))
            if options[name] != usual[name] or name in ("task", "start", "seed", "budget")
            if options[name] not in ("", None)
        )
        default = type(step.settings)().flat()
        changed = {
            k: v for k, v in step.settings.flat().items() if v != default[k] and k != "budget"
        }
        own = "".join(f" --{k.replace('_', '-')} {_quoted(v)}" for k, v in changed.items())
        return f"workbench {step.technique} {common}{own}"

    def check_forms(self, form: str, name: str) -> list[str]:
        """The form after each step, starting with `form`.

        Raises RecipeError for a step that does not accept the form before it, with an earlier place
        for the step if there is one where all of them fit, and for settings without an effect on
        the form.
        """
        forms: list[str] = [form]
        problems = []
        for number, step in enumerate(self.steps, 1):
            given = name if number == 1 else f"the result of step {number - 1}"
            try:
                step.declared.check_form(forms[-1], given, self._earlier_place(number, forms))
                step.declared.check_settings(step.settings, forms[-1], given)
            except (CandidateError, SettingsError) as error:
                problems.append(f"step {number}: {error}")
            forms.append(step.declared.form_after(forms[-1]))
        if problems:
            raise RecipeError(all_of(problems, "The recipe was refused"))
        return forms

    def _earlier_place(self, number: int, forms: Sequence[str]) -> str:
        """Advice to move a step before the one that changes the form; empty if that does not help.

        `forms` are those before each step so far. The moved step and all that it passes must fit.
        """
        moved = self.steps[number - 1]
        for place in range(number - 1, 0, -1):
            order = [moved, *self.steps[place - 1 : number - 1]]
            if _fit(order, forms[place - 1]):
                changing = self.steps[place - 1].technique
                return (
                    f"Put this step before step {place} (`{changing}`), which changes the form to "
                    f"{forms[place]}."
                )
        return ""


def _fit(steps: Sequence[Step], form: str) -> bool:
    """Whether each step accepts the form that the steps before it give."""
    for step in steps:
        if form not in step.declared.accepts:
            return False
        form = step.declared.form_after(form)
    return True


def _listed(steps: Any) -> Sequence[Any]:
    """The steps of a list, of YAML text, or of one step; raises RecipeError for anything else."""
    if isinstance(steps, (Step, Mapping)):
        return [steps]
    if isinstance(steps, (list, tuple)):
        return steps
    if not isinstance(steps, str):
        raise RecipeError(
            f"`steps` must be a list such as ['pruning', {{'quantization': {{}}}}], got "
            f"{shown(steps)}."
        )
    try:
        read = read_yaml(steps)
    except UnreadableText as error:
        raise RecipeError(f"`steps` cannot be read. {error}") from error
    return read if isinstance(read, list) else [read]


def _step(step: Any, budget: str) -> Step:
    if isinstance(step, Step):
        return step
    if isinstance(step, str):
        name, settings = step, None
    elif isinstance(step, Mapping) and len(step) == 1:
        ((name, settings),) = step.items()
    elif isinstance(step, (tuple, list)) and len(step) == 2:
        name, settings = step
    else:
        raise RecipeError(f"a step is a technique's name or {{name: settings}}, got {shown(step)}.")
    declared = get_technique(name)
    if isinstance(settings, TechniqueSettings):
        return Step(name, settings)
    if settings is not None and not isinstance(settings, Mapping):
        raise RecipeError(f"the settings of `{name}` must be a mapping, got {shown(settings)}.")
    strange = [key for key in settings or () if not isinstance(key, str)]
    if strange:
        raise RecipeError(f"a setting of `{name}` must be a name, got {shown(strange[0])}.")
    return Step(name, declared.settings(**{"budget": budget, **(settings or {})}))


def _described(tree: Any) -> str:
    """The content of YAML that is no mapping, in a few words."""
    if tree is None:
        return "an empty text"
    if isinstance(tree, str):
        return f"the text {tree[:60]!r} (the name of a file must end in .yml or .yaml)"
    return type(tree).__name__


def _quoted(value: Any) -> str:
    import shlex

    return shlex.quote(str(value))
