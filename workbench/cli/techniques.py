"""One command a technique, made lazily: the technique is imported when its command is used.

A command runs the technique alone, as a recipe of one step; its settings and those of the run are
options. An action of the technique, named as second word, is an analysis instead of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.core import ParameterSource

from workbench.cli import options
from workbench.cli.console import console, output
from workbench.errors import SettingsError

if TYPE_CHECKING:
    from workbench.recipe import Recipe
    from workbench.settings import Knob, Settings
    from workbench.technique import Technique

__all__ = ["PANEL", "TechniqueCommand", "flat_settings", "headings"]

PANEL = "Techniques"
RUN = "Options of the run"
OWN = ("action", "detach", "dry_run", "help")  # parameters that are neither settings nor RunOptions


class TechniqueCommand(options.LazyCommand):
    """The command of a technique."""

    def __init__(self, name: str) -> None:
        super().__init__(
            name,
            self._parameters,
            callback=_run,
            short_help=f"Run {name} alone; its settings are options.",
            panel=PANEL,
        )

    @property
    def declared(self) -> Technique:
        from workbench.techniques import get_technique

        return get_technique(self.name or "")

    def _parameters(self) -> list[click.Parameter]:
        """The technique's action and settings, the options of a run, and those of this command."""
        self.help = f"{self.declared.title}. {self.declared.summary}"
        settings = self.declared.settings
        _refuse_clashes(settings)
        shared = options.run_options(RUN)
        shared_names = {p.name for p in shared}
        own: list[click.Parameter] = [*self._action()]
        for heading, knobs in headings(settings).items():
            own += [options.option_of(k, heading) for k in knobs if k.name not in shared_names]
        flags = [
            make() for make in (options.detach_flag(panel=RUN), options.dry_run_flag(panel=RUN))
        ]
        return [*own, *shared, *flags]

    def _action(self) -> list[click.Parameter]:
        words = sorted(self.declared.actions)
        if not words:
            return []
        kind = options.OneOf(f"action of `{self.name}`", words)
        text = f"An analysis instead of a run: {' or '.join(words)}."
        argument = click.RichArgument(
            ["action"],
            type=kind,
            required=False,
            help=text,
            panel=options.ARGUMENT,
            metavar="[ACTION]",
        )
        return [argument]


def headings(settings: type[Settings]) -> dict[str, list[Knob]]:
    """The knobs of a settings class by the heading that they stand under in a help text.

    First those that have an effect at the defaults, then those of other choices, whose heading says
    when they have one, then the expert ones; nested groups follow in the same order.
    """
    from workbench.settings import knobs

    values = settings().flat()
    groups = list(dict.fromkeys(k.path[:-1] for k in knobs(settings)))
    by_heading: dict[str, list[Knob]] = {}
    for group in sorted(groups, key=len):
        members = [k for k in knobs(settings) if k.path[:-1] == group]
        for k in sorted(members, key=lambda k: (k.expert, not k.applies(values))):
            by_heading.setdefault(_heading(k, _title(settings, group), values), []).append(k)
    return by_heading


def _heading(knob: Knob, title: str, values: dict[str, Any]) -> str:
    kind = "expert settings" if knob.expert else ""
    is_told = not knob.applies(values) and (title or not knob.expert)
    condition = f"only if {knob.condition}" if is_told else ""
    words = ", ".join(filter(None, (title, kind, condition))) or "settings"
    return words[0].upper() + words[1:]


def _title(settings: type[Settings], group: tuple[str, ...]) -> str:
    """The title of a nested group, or its name in words; empty for the settings themselves."""
    if not group:
        return ""
    field = settings.model_fields[group[0]]
    extra: Any = field.json_schema_extra or {}
    own = str(extra.get("title") or group[0].replace("_", " ").capitalize())
    inner: Any = field.annotation if len(group) > 1 else None
    return f"{own}, {_title(inner, group[1:]).lower()}" if inner else own


def _refuse_clashes(settings: type[Settings]) -> None:
    from workbench.settings import knobs

    for k in knobs(settings):
        if k.name in OWN:
            raise SettingsError(
                f"`{settings.__name__}.{k.name}` clashes with `{options.flag_of(k.name)}` of the "
                "command line. Give the setting another name."
            )


def flat_settings(words: Sequence[str]) -> dict[str, Any]:
    """The settings that a command line gives a technique, by flat name.

    `words` are the technique's name and its options, as in `pruning --pruning-ratio 0.3`. Settings
    that the words do not name are left out. Raises UsageError for an option that does not exist.
    """
    name, *rest = words
    with TechniqueCommand(name).make_context(name, rest) as context:
        return _split(context)[0]


def _declared(context: click.Context) -> Technique:
    """The technique of the command that was called."""
    assert isinstance(context.command, TechniqueCommand)
    return context.command.declared


def _split(context: click.Context) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values that were typed: the technique's settings, and all the others."""
    from workbench.settings import knobs

    typed = {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    names = {k.name for k in knobs(_declared(context).settings)}
    settings = {k: v for k, v in typed.items() if k in names}
    return settings, {k: v for k, v in typed.items() if k not in names or k == "budget"}


@click.pass_context
def _run(context: click.Context, **_: Any) -> int:
    from workbench.cli.runs import follow

    recipe, others = _recipe(context)
    detach, dry_run = others.get("detach", False), others.get("dry_run", False)
    action = others.get("action")
    if action is None:
        return follow(recipe, detach=detach, dry_run=dry_run)
    if detach or dry_run:
        raise click.UsageError(
            f"`{context.command_path} {action}` is an analysis; `--detach` and `--dry-run` are "
            "for runs.",
            context,
        )
    return _analyse(action, recipe)


def _recipe(context: click.Context) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of one step, and the other values that were typed."""
    from workbench.recipe import Recipe, Step

    declared = _declared(context)
    settings, others = _split(context)
    step = Step(declared.name, declared.settings.from_flat(settings))
    return Recipe((step,), options.run_options_from(others)), others


def _analyse(action: str, recipe: Recipe) -> int:
    from workbench.runs.analyses import analyse
    from workbench.runs.folders import runs_root
    from workbench.tasks import load_task

    (step,) = recipe.steps
    task = load_task(recipe.task, recipe.task_args) if recipe.task_args else recipe.task
    with console() as bar:
        tables = analyse(
            step.technique,
            action,
            task,
            start=recipe.start,
            settings=step.settings,
            seed=recipe.seed,
            device=recipe.device,
            root=recipe.root,
            listener=bar,
        )
    out = output()
    for name, table in tables.items():
        out.print(f"\n[bold]{name}[/bold]")
        text = table.to_string(index=False, max_rows=80)
        out.print(text, soft_wrap=True, markup=False, highlight=False)
    folder = runs_root(recipe.root) / "analyses" / f"{step.technique}-{action}"
    out.print(f"\nTables: {folder}", soft_wrap=True)
    return 0
