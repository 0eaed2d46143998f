"""`workbench settings`: the settings of techniques as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import rich_click as click

from workbench.cli.console import output
from workbench.cli.options import ARGUMENT, Named, command, flag

if TYPE_CHECKING:
    from workbench.settings import Knob
    from workbench.technique import Technique

__all__ = ["settings", "settings_shown"]


def _names() -> tuple[str, ...]:
    from workbench.techniques import technique_names

    return technique_names()


def _technique_argument() -> click.Parameter:
    text = "Technique; all of them if it is left out."
    return click.RichArgument(
        ["technique"], type=Named(_names), required=False, help=text, panel=ARGUMENT
    )


def _method_option() -> click.Parameter:
    text = "Show only the settings that have an effect with this method."
    return click.RichOption(["--method"], metavar="METHOD", default="", help=text)


@command(
    "settings",
    _technique_argument,
    _method_option,
    flag("expert", "Show the expert settings too."),
    panel="Tools",
)
def settings(technique: str | None, method: str, expert: bool) -> None:
    """Print the settings of a technique as a table."""
    from workbench.techniques import get_technique

    if method and not technique:
        raise click.UsageError("`--method` needs a technique: `workbench settings TECHNIQUE`.")
    for name in [technique] if technique else _names():
        declared = get_technique(name)
        _print_table(declared, settings_shown(declared, method=method, expert=expert))


def settings_shown(declared: Technique, *, method: str = "", expert: bool = False) -> list[Knob]:
    """The settings in the table: those of one method, or of all methods.

    `expert` adds the expert settings. Raises SettingsError for a method that does not exist.
    """
    from workbench.settings import knobs

    if method:
        return list(declared.settings.from_flat({"method": method}).visible(expert=expert))
    return [k for k in knobs(declared.settings) if expert or not k.expert]


def _print_table(declared: Technique, shown: Sequence[Knob]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"workbench {declared.name}", title_justify="left")
    for head in ("setting", "type", "default", "only if", "description"):
        table.add_column(head, no_wrap=head == "setting")
    for k in shown:
        cells = (k.name, k.cell_type, str(k.default), k.condition, k.described_alone)
        table.add_row(*map(Text, cells))
    output().print(table)
