"""LedgerView, the results of all runs of a wizard, the latest first: a table and its decisions."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ipywidgets import HTML, VBox

from workbench.ledger.rows import Row, TestLine
from workbench.ledger.tables import html
from workbench.recipe import Recipe
from workbench.widgets.story import DecisionLine, decision_html
from workbench.widgets.wording import shown_value

__all__ = ["LedgerView"]

EMPTY = (
    "<p class='wb-quiet'>Each finished step adds a row with its quality, size and speed, or a "
    "decision.</p>"
)


class LedgerView(VBox):
    """A section a run, the latest first; wide tables scroll inside their section."""

    def __init__(self) -> None:
        self._sections: dict[str, HTML] = {}
        super().__init__([HTML(EMPTY)])
        self.add_class("wb-ledger")

    def show(
        self,
        name: str,
        recipe: Recipe,
        rows: Sequence[Row],
        test: TestLine | None = None,
        *,
        decisions: Sequence[DecisionLine] = (),
    ) -> None:
        """Show the rows and decisions of a run, in the place where the run is shown already."""
        section = self._sections.get(name)
        if section is None:
            section = self._sections[name] = HTML().add_class("wb-section")
            self.children = tuple(reversed(self._sections.values()))
        is_measured = any(row.quality is not None for row in rows)  # else the decisions say it all
        limit = recipe.options.accepted_drop
        body = html(rows, test, accepted_drop=limit) if is_measured else ""
        lines = "".join(decision_html(d, with_numbers=True) for d in decisions)
        if not rows and not decisions:
            body = "<p class='wb-quiet'>No step has finished.</p>"
        head = (
            f"<div class='wb-run-title'><b>{escape(_title(recipe))}</b> <span "
            f"class='wb-quiet'>{escape(name)}</span></div>"
        )
        section.value = f"{head}{_region(name, body)}{lines}"


def _region(name: str, body: str) -> str:
    """A table that scrolls inside its section, by keyboard too; nothing for an empty one."""
    if not body:
        return ""
    return (
        "<div class='wb-scroll' tabindex='0' role='region' aria-label='Result of "
        f"{escape(name)}'>{body}</div>"
    )


def _title(recipe: Recipe) -> str:
    steps = " → ".join(s.technique for s in recipe.steps) or "start only"
    model = f" / {recipe.start}" if recipe.start else ""
    return f"{recipe.task}{model}: {steps}, {shown_value('budget', recipe.budget)}"
