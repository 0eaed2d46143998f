"""Checks of a quantized file: it loads, its outputs are finite, and the loss on valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import CandidateError
from workbench.runtimes import predictor
from workbench.runtimes.outputs import predict_rows
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques.quantization.evidence import flips, whole_file
from workbench.techniques.quantization.network import failure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_file", "compared"]

FLIP_ROWS = {"smoke": 1000, "standard": None, "thorough": None}  # rows of valid; None: all


def check_file(candidate: Candidate, job: Job, method: str) -> None:
    """Raise CandidateError when the file does not run, or gives outputs that are not finite."""
    try:
        outputs = predictor(candidate).predict(job.example(3))
    except Exception as error:
        raise failure(error, job.start.name, method) from error
    if not np.isfinite(outputs).all():
        raise CandidateError(
            f"`{candidate.name}` gives outputs that are not finite: some values are too large for "
            f"the method {method}. Name layers in `keep_float`; the action sensitivity lists the "
            "layers with the most noise."
        )


def compared(
    before: Candidate, after: Candidate, budget: str, job: Job
) -> tuple[dict[str, pd.DataFrame], tuple[str, ...]]:
    """The tables whole_file and flips, which compare both on valid, and a note on each."""
    valid = job.task.data.valid.take(slice(0, FLIP_ROWS[budget]))
    rows = valid.prepared(job.start.prepare)
    outputs_before, outputs_after = (
        predict_rows(candidate, rows, text="comparing predictions", report=job.report)
        for candidate in (before, after)
    )
    targets = np.asarray(valid.targets)
    loss, note = whole_file(outputs_before, outputs_after, targets, job.task)
    changed, notes = flips(outputs_before, outputs_after, targets, job.task)
    return {"whole_file": loss, "flips": changed}, (note, *notes)
