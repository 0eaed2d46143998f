"""A candidate's outputs on many rows: batch by batch, with progress told and requests to cancel noticed."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.events import Report
from workbench.runtimes import predictor
from workbench.task import Candidate

__all__ = ["predict_rows"]

BATCH = 256


def predict_rows(
    candidate: Candidate, rows: Any, *, text: str = "measuring quality", batch_size: int = BATCH, threads: int | None = None,
    device: str = "cpu", report: Report | None = None, runtime: str = "auto",
) -> np.ndarray:  # fmt: skip
    """Outputs `(rows, ...)` on rows that are prepared already, by `runtime` or the one that the candidate's form prefers."""
    runner = predictor(candidate, runtime, threads=threads, device=device if candidate.form == "torch" else "cpu")
    report, parts = report or Report(), []
    for done, (inputs, _) in enumerate(rows.batches(batch_size)):
        report.progress(done * batch_size, len(rows), text)
        parts.append(runner.predict(inputs))
    runner.close()
    return np.concatenate(parts)
