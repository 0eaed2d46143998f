"""The result of a run in a terminal: its sentence, its table, and the places of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.cli.console import output

if TYPE_CHECKING:
    from workbench.runs.trail import Trail

__all__ = ["print_result"]


def print_result(trail: Trail, title: str, *, everything: bool = False) -> None:
    """Print the sentence, the short table and the test line of a trail.

    `everything` prints the tables of all numbers too. No line of a table is wider than the
    terminal, nor than 100 columns.
    """
    from rich.text import Text

    from workbench.ledger.tables import all_numbers, all_numbers_legend, legend, rich_table

    out, rows = output(), trail.rows
    out.print(Text(trail.summary, "bold"))
    out.print()
    out.print(rich_table(rows, title, width=out.width))
    out.print(Text(legend(rows), "dim"))
    if everything:
        for table in all_numbers(rows, width=out.width):
            out.print(table)
        out.print(Text(all_numbers_legend(rows), "dim"))
    if trail.test:
        out.print(Text(trail.test.text))
