"""Options of the command line, made from knobs: of `RunOptions`, and of a technique's settings.

A command makes its options when they are first needed: for its help, or when it is called. So
`workbench --help` imports no technique and no settings class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.shell_completion import CompletionItem

from workbench.errors import unknown

if TYPE_CHECKING:
    from workbench.settings import Knob, RunOptions

__all__ = [
    "ARGUMENT",
    "LazyCommand",
    "Named",
    "OneOf",
    "command",
    "detach_flag",
    "dry_run_flag",
    "flag",
    "flag_of",
    "json_flag",
    "option_of",
    "run_argument",
    "run_option",
    "run_options",
    "run_options_from",
    "task_names",
]

ARGUMENT = "Argument"  # the panel of words that are no options; it comes before those of options
Parameters = Iterable[click.Parameter]


class LazyCommand(click.RichCommand):
    """A command whose parameters are made when they are first asked for."""

    def __init__(self, name: str, make_parameters: Callable[[], Parameters], **values: Any) -> None:
        super().__init__(name, **values)
        self._make_parameters: Callable[[], Parameters] | None = make_parameters

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if self._make_parameters is not None:
            self.params = list(self._make_parameters())
            self._make_parameters = None
        return super().get_params(ctx)


def command(
    name: str, *make_parameters: Callable[[], click.Parameter], panel: str, **values: Any
) -> Callable[[Callable[..., Any]], LazyCommand]:
    """Make a function the command `name`, its docstring the help.

    `panel` heads its group in `workbench --help`; each of `make_parameters` makes one parameter.
    """

    def declare(function: Callable[..., Any]) -> LazyCommand:
        def parameters() -> Parameters:
            return [make() for make in make_parameters]

        return LazyCommand(
            name, parameters, callback=function, help=function.__doc__, panel=panel, **values
        )

    return declare


class KnobText(click.ParamType):
    """Text for a knob, which its settings class reads and checks; `None` is no value."""

    def __init__(self, knob: Knob) -> None:
        self.knob = knob
        self.name = "choice" if knob.choices else knob.kind

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return None if self.knob.optional and value in ("None", "none") else value

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        words = {"bool": ("true", "false")}.get(self.knob.kind, self.knob.choices)
        if self.knob.name == "task":
            words = task_names()
        none = ("None",) if self.knob.optional and words else ()
        return _beginning([*map(str, words), *none], incomplete)


class OneOf(click.ParamType):
    """One of a few words; another one is wrong usage, and the nearest is named."""

    name = "text"

    def __init__(self, noun: str, words: Iterable[str]) -> None:
        self.noun = noun
        self.words = tuple(words)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value not in self.words:
            raise click.UsageError(unknown(self.noun, value, self.words), ctx)
        return value

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        return _beginning(self.words, incomplete)


class Named(click.ParamType):
    """A name that the command itself looks up; `names` are completed."""

    name = "text"

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self.names = names

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        return _beginning(self.names(), incomplete)


def _beginning(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def flag_of(name: str) -> str:
    """The option of a knob, by the knob's name: `fit_lr` is `--fit-lr`."""
    return f"--{name.replace('_', '-')}"


def option_of(knob: Knob, heading: str = "", **values: Any) -> click.Parameter:
    """The option of a knob; `heading` is the panel that it stands in.

    Help, default and metavar can be replaced through `values`.
    """
    about = {
        "type": KnobText(knob),
        "default": knob.default,
        "metavar": "CHOICE" if knob.choices else knob.kind.upper(),
        "help": _help_of(knob, heading),
        "panel": heading or None,
    }
    return click.RichOption([flag_of(knob.name), knob.name], **{**about, **values})


def _help_of(knob: Knob, heading: str) -> str:
    """Help with unit, range or choices, condition and default."""
    condition = f" Only if {knob.condition}." if knob.condition else ""
    if knob.condition and knob.condition in heading:
        condition = ""
    default = '""' if knob.default == "" else knob.default
    return f"{knob.described_alone}{condition} [default: {default}]"


def run_options(heading: str) -> list[click.Parameter]:
    """The options that every run has, as `RunOptions` declares them."""
    from workbench.settings import RunOptions, knobs

    return [option_of(k, heading) for k in knobs(RunOptions)]


def run_option(name: str, **values: Any) -> Callable[[], click.Parameter]:
    """Makes one of the options that every run has."""

    def make() -> click.Parameter:
        from workbench.settings import RunOptions, knobs

        return option_of(next(k for k in knobs(RunOptions) if k.name == name), **values)

    return make


def run_options_from(values: Mapping[str, Any]) -> RunOptions:
    """`RunOptions` from values by name; other names are left out. Raises SettingsError."""
    from workbench.settings import RunOptions, knobs

    names = {k.name for k in knobs(RunOptions)}
    return RunOptions.from_flat({k: v for k, v in values.items() if k in names})


def flag(name: str, text: str, **values: Any) -> Callable[[], click.Parameter]:
    """Makes an option without a value, False unless it is given."""
    return lambda: click.RichOption([flag_of(name), name], is_flag=True, help=text, **values)


def detach_flag(**values: Any) -> Callable[[], click.Parameter]:
    """Makes the flag of a command that starts a run and need not wait for its end."""
    return flag("detach", "Return at once; the run goes on by itself.", **values)


def dry_run_flag(**values: Any) -> Callable[[], click.Parameter]:
    """Makes the flag of a command that can check a recipe without starting it."""
    text = "Check the recipe and print it as YAML; start nothing."
    return flag("dry_run", text, **values)


json_flag = flag("json", "Print JSON, and nothing else, on standard output.")


def run_argument() -> click.Parameter:
    """The run that a command is about."""
    text = "Name of a run, beginning of its name, its folder, or `last`."
    return click.RichArgument(["run"], type=Named(_runs), help=text, panel=ARGUMENT)


def task_names() -> tuple[str, ...]:
    """The built-in tasks."""
    from workbench.tasks import TASKS

    return TASKS.names()


def _runs() -> list[str]:
    from workbench.runs.folders import run_folders

    return ["last", *(folder.name for folder in run_folders())]
