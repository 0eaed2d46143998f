"""LedgerView, the ledgers of all runs of a wizard below each other, each growing row by row."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ipywidgets import HTML, VBox

from workbench.ledger.rows import Row, TestLine
from workbench.ledger.tables import html
from workbench.recipe import Recipe

__all__ = ["LedgerView"]

EMPTY = (
    "<p class='wb-quiet'>Each step that finishes adds a row: what it costs, what it bought, and "
    "whether that is real.</p>"
)


class LedgerView(VBox):
    """A section a run, the latest first; wide tables scroll inside of it."""

    def __init__(self) -> None:
        self._sections: dict[str, HTML] = {}
        super().__init__([HTML(EMPTY)])
        self.add_class("wb-ledger")

    def show(
        self, name: str, recipe: Recipe, rows: Sequence[Row], test: TestLine | None = None
    ) -> None:
        """Show the rows of a run; a run that is shown already is brought up to date."""
        section = self._sections.get(name)
        if section is None:
            section = self._sections[name] = HTML().add_class("wb-section")
            self.children = tuple(reversed(self._sections.values()))
        body = html(rows, test) if rows else "<p class='wb-quiet'>No step has finished.</p>"
        head = (
            f"<div class='wb-run-title'><b>{escape(_title(recipe))}</b> <span "
            f"class='wb-quiet'>{escape(name)}</span></div>"
        )
        region = (
            "<div class='wb-scroll' tabindex='0' role='region' aria-label='Ledger of "
            f"{escape(name)}'>"
        )
        section.value = f"{head}{region}{body}</div>"


def _title(recipe: Recipe) -> str:
    steps = " → ".join(s.technique for s in recipe.steps) or "start only"
    model = f" / {recipe.start}" if recipe.start else ""
    return f"{recipe.task}{model}: {steps}, {recipe.budget}"
