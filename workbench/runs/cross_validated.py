"""Cross-validation of a run's candidates, where its option `cv` asks for that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from workbench.errors import Cancelled, WorkbenchError, sentence_of
from workbench.events import Report
from workbench.ledger.rows import NOT_VALIDATED, Row
from workbench.measure.cross_validation import cross_validate
from workbench.runs.context import RunContext
from workbench.system.files import write_json, write_text
from workbench.task import Candidate

__all__ = ["cross_validated"]


def cross_validated(
    context: RunContext, row: Row, candidate: Candidate, work: Path, report: Report
) -> Row:
    """The row with the mean score of its candidate over the folds, where the run asks for that.

    The result is written beside the scorecard, and a table of the folds beside the evidence. A
    candidate that cannot be trained anew, and folds that the rows do not give, end in a note.
    """
    n_folds = context.options.cv
    if n_folds is None:
        return row
    try:
        result = cross_validate(
            candidate,
            context.required_task,
            folds=n_folds,
            seed=context.options.seed,
            budget=context.options.budget,
            device=context.device,
            report=report,
            cache=work,
        )
    except Cancelled:
        raise
    except Exception as error:  # the user's code too: the result of the step counts
        is_ours = isinstance(error, WorkbenchError)
        text = str(error) if is_ours else f"{type(error).__name__}: {sentence_of(error)}"
        note = f"{NOT_VALIDATED}{text}"
        report.message(note)
        return replace(row, notes=(*row.notes, note))
    for file in work.glob("folds-*.jsonl"):
        file.unlink()
    write_json(work / f"cross-validation-{row.step}.json", result.to_json())
    write_text(
        work / "evidence" / f"cross-validation-{row.step}.csv",
        result.to_frame().to_csv(index=False),
    )
    first = result.scores[0]
    cv = {"mean": first.mean, "low": first.low, "high": first.high, "n_folds": float(n_folds)}
    return replace(row, cv=cv, notes=(*row.notes, *result.notes))
