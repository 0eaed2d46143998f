"""Points of the index: the numbers of a ledger under the names that MLflow shows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.ledger.columns import columns_of
from workbench.ledger.rows import Row, TestLine

__all__ = ["Point", "points_of", "points_of_test", "valid_key"]


@dataclass(frozen=True)
class Point:
    """One number under its name, at a position of the ledger."""

    key: str
    value: float
    step: int = 0


def points_of(row: Row, step: int) -> Iterator[Point]:
    """The numbers of one row: its columns that are logged, and its changes."""
    named: dict[str, float | None] = {
        column.logged.format(metric=row.metric): column.value(row)
        for column in columns_of([row])
        if column.logged and (row.metric or "{metric}" not in column.logged)
    }
    if row.quality is not None:
        named |= {
            f"valid/{row.metric}_low": row.quality_low,
            f"valid/{row.metric}_high": row.quality_high,
            "against_start/speedup": row.speedup_start,
            "against_start/size_ratio": row.size_ratio,
            "against_parent/speedup": row.speedup_parent,
            **{f"against_start/{v.metric}": v.difference for v in row.against_start},
        }
    if row.decision is not None:
        named |= {f"decision/{name}": value for name, value in row.decision.numbers.items()}
    return _finite(named, step)


def points_of_test(test: TestLine, step: int) -> Iterator[Point]:
    """The numbers of the look at test."""
    values: dict[str, float | None] = {"test/looks": test.looks, "test/rows": test.n}
    for prefix, interval in (("", test.chosen), ("start_", test.start)):
        values |= {
            f"test/{prefix}{test.metric}{end}": v
            for end, v in zip(("", "_low", "_high"), interval, strict=True)
        }
    return _finite(
        {**values, **{f"test/against_start_{v.metric}": v.difference for v in test.verdicts}}, step
    )


def _finite(values: Mapping[str, float | None], step: int) -> Iterator[Point]:
    return (
        Point(valid_key(k), float(v), step)
        for k, v in values.items()
        if v is not None and math.isfinite(v)
    )


def valid_key(name: str) -> str:
    """A name with only the characters that MLflow allows."""
    return re.sub(r"[^\w\-./: ]", "_", name)[:250]
