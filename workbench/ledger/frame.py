"""The ledger as a table of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.ledger.factors import with_factors
from workbench.ledger.rows import Row
from workbench.ledger.words import quality_verdict
from workbench.measure.statistics.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["frame"]

LEFT_OUT = (
    "against_parent",
    "against_start",
    "cv",
    "notes",
    "parent",
    "start_latencies_ms",
    "parent_latencies_ms",
)
CV_COLUMNS = {"cv": "mean", "cv_low": "low", "cv_high": "high", "cv_folds": "n_folds"}


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The ledger's numbers as a table, one row a step.

    Latencies and factors are those that the tables show (`workbench.ledger.factors`). Latencies
    stand in `latency_ms`, of the smallest batch size, and `latency_<size>_ms`; `verdict` judges the
    score against the start, `<column>_verdict` a column against the row before. `cv`, `cv_low` and
    `cv_high` are the mean over folds with its interval, where a run was cross-validated.
    """
    import pandas as pd

    rows = with_factors(rows)
    sizes = sorted({size for row in rows for size in row.latencies_ms})
    names = {size: "latency_ms" if size == sizes[0] else f"latency_{size}_ms" for size in sizes}
    has_cv = any(row.cv for row in rows)
    table = pd.DataFrame([_numbers(row, names, has_cv=has_cv) for row in rows])
    if not len(table):
        return table
    metric = next((row.metric for row in rows if row.metric), "")
    table["verdict"] = [_judged(row.against_start, row.metric) for row in rows]
    judged = {
        "quality": metric,
        **{names[size]: f"batch-{size} latency" for size in sizes},
    }
    for column, name in judged.items():
        table[f"{column}_verdict"] = [_judged(row.against_parent, name) for row in rows]
    return table


def _numbers(row: Row, names: Mapping[int, str], *, has_cv: bool) -> dict[str, Any]:
    """The fields of a row that hold numbers and names, a latency a column."""
    values: dict[str, Any] = {}
    for name, value in row.__dict__.items():
        if name == "latencies_ms":
            values |= {column: value.get(size) for size, column in names.items()}
        elif name == "decision":
            values[name] = "" if value is None else value.verdict
        elif name not in LEFT_OUT:
            values[name] = value
    if has_cv:
        values |= {n: row.cv.get(k) for n, k in CV_COLUMNS.items()}
    return values


def _judged(verdicts: Sequence[Verdict], metric: str) -> str:
    verdict = quality_verdict(verdicts, metric)
    return "" if verdict is None else verdict.decision
