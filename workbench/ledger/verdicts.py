"""Verdicts of the ledger: that of a row against the start, and that on the limit of the user."""

from __future__ import annotations

from typing import Literal

from workbench.ledger.factors import is_busy
from workbench.ledger.rows import Row, TestLine
from workbench.ledger.words import SYMBOLS, quality_verdict
from workbench.measure.statistics.verdict import Verdict, within

__all__ = ["Limit", "drop_in_unit", "judged", "limit_state", "verdict_word"]

QUICK_CHECK = "quick check"

Limit = Literal["kept", "not kept", "undecided", ""]


def verdict_word(row: Row, test: TestLine | None = None) -> str:
    """The verdict of a row against the start: "▼ worse", "drift", "quick check", "≈ equivalent".

    It is that of `test` where it is given. A row that was timed beside other work has the mark
    "busy". Empty for the start.
    """
    if row.quality is None:
        return row.decision.verdict if row.decision is not None else ""
    words = []
    verdict, _ = judged(row, test)
    if verdict is not None and row.budget == "smoke":
        words.append(QUICK_CHECK)
    elif verdict is not None:
        words.append(f"{SYMBOLS[verdict.decision]} {verdict.decision}")
    if row.decision is not None:
        words.append(row.decision.verdict)
    if is_busy(row):
        words.append("busy")
    return ", ".join(words)


def limit_state(verdict: Verdict, accepted_drop: float | None) -> Limit:
    """Whether the limit is kept: the whole interval inside is "kept", outside is "not kept"."""
    if accepted_drop is None:
        return ""
    most = drop_in_unit(accepted_drop, verdict.unit)
    if within(verdict, most):
        return "kept"
    return "not kept" if verdict.loss[1] > most else "undecided"


def drop_in_unit(accepted_drop: float, unit: str) -> float:
    """The drop in the metric's own unit: shares for points."""
    return accepted_drop / 100 if unit == "points" else accepted_drop


def judged(last: Row, test: TestLine | None) -> tuple[Verdict | None, str]:
    """The verdict on the score against the start, and the split that it was measured on."""
    if test is not None and test.verdicts:
        return test.verdicts[0], "test"
    return quality_verdict(last.against_start, last.metric), "valid"
