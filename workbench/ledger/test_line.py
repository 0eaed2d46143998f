"""The one look at test, as a line of the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.data.rows import AnyRows
from workbench.events import Report
from workbench.ledger.factors import with_factors
from workbench.ledger.rows import Row, TestLine
from workbench.measure.statistics.quality import quality
from workbench.measure.statistics.verdict import compare_many, within
from workbench.runtimes.outputs import outputs_on
from workbench.task import Candidate, Task

__all__ = ["test_line"]


AT_MOST_LOST = (
    0.0025,
    0.005,
    0.01,
    0.02,
)  # the promises that the test line is held against, of metrics in points


def test_line(
    first: Candidate,
    last: Candidate,
    task: Task,
    test: AnyRows,
    *,
    rows: Sequence[Row],
    looks: int,
    report: Report,
) -> TestLine:
    """Start and last candidate on the same test rows, paired.

    The line holds the promises ("at most 0.5 points lost") that the interval keeps.
    """
    before, after = (outputs_on(c, test, report) for c in (first, last))
    targets = np.asarray(test.targets)
    verdicts = compare_many(before, after, targets, task.metrics, blocks=test.blocks)
    intervals = [quality(o, targets, task.metric, blocks=test.blocks) for o in (before, after)]
    promises = (
        {f"{100 * lost:g}": within(verdicts[0], lost) for lost in AT_MOST_LOST}
        if task.metric.unit == "points"
        else {}
    )
    final = next(row for row in reversed(with_factors(rows)) if row.quality is not None)
    return TestLine(
        candidate=last.name,
        metric=task.metric.name,
        unit=task.metric.unit,
        n=len(targets),
        start=(intervals[0].value, intervals[0].low, intervals[0].high),
        chosen=(intervals[1].value, intervals[1].low, intervals[1].high),
        verdicts=verdicts,
        looks=looks,
        size_ratio=final.size_ratio or 1.0,
        speedup=final.speedup_start or 1.0,
        at_most_lost=promises,
    )


vars(test_line)["__test__"] = False  # not a test, whatever pytest thinks of its name
