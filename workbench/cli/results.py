"""The result of a run in a terminal: its sentence, its table, and the places of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.cli.console import output

if TYPE_CHECKING:
    from workbench.runs.trail import Trail

__all__ = ["print_result"]


def print_result(trail: Trail, title: str, *, everything: bool = False) -> None:
    """Print the sentence, the short table and the test line of a trail.

    `everything` prints the tables of all numbers and the notes of the steps too. No line of a table
    is wider than the terminal, nor than 100 columns.
    """
    from rich.text import Text

    from workbench.ledger.tables import (
        MOST_COLUMNS,
        all_numbers,
        all_numbers_legend,
        legend,
        rich_table,
        step_notes,
    )
    from workbench.runs.automatic import choices_text

    out, rows = output(), [*trail.baselines, *trail.rows]
    width = min(out.width, MOST_COLUMNS)

    def say(text: str, style: str = "") -> None:
        out.print(Text(text, style), width=width)

    say(trail.summary, "bold")
    out.print()
    out.print(rich_table(rows, title, width=width))
    say(legend(rows), "dim")
    if everything:
        for table in all_numbers(rows, width=width):
            out.print(table)
        say(all_numbers_legend(rows), "dim")
        for note in step_notes(rows):
            say(note)
        chosen = choices_text(trail.folder)
        if chosen:
            say(chosen, "dim")
    if trail.test:
        say(trail.test.text)
