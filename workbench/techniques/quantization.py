"""Static int8 quantization of an ONNX graph: calibrated, per channel, in QDQ form (ONNX Runtime).

Weights become int8. Activations become uint8 or int8, whichever runs faster here: ONNX Runtime fuses residual networks
fully only with uint8, and on processors with VNNI int8 activations were measured three times slower.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.errors import CandidateError
from workbench.measure.latency import Timing, time_side_by_side
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import quiet, to_onnx
from workbench.settings import TechniqueSettings, scaled
from workbench.task import Candidate
from workbench.technique import Job, Outcome, technique

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["QuantizationSettings", "quantize"]


class QuantizationSettings(TechniqueSettings):
    """How numbers become small."""

    activation_type: Literal["auto", "uint8", "int8"] = "auto"
    """Type of activations; auto times both on this machine and takes the faster."""

    per_channel: bool = True
    """A scale for each output channel of a weight, instead of one for the whole tensor."""

    calibration: Literal["minmax", "percentile", "entropy"] = "minmax"
    """How the range of activations is read from the calibration rows."""

    calibration_rows: int | None = scaled(smoke=128, standard=512, thorough=1000, low=1)
    """Rows of the calibration split that are run to see the range of activations."""


@technique("quantization", title="Quantization", accepts=("torch", "sklearn", "onnx"), gives="onnx")
def quantize(job: Job, settings: QuantizationSettings) -> Outcome:
    """Stores weights as int8 and computes in int8, calibrated on real rows."""
    settings = settings.resolved()
    rows = job.task.data.calibration.take(slice(0, settings.calibration_rows)).prepared(job.start.prepare).inputs
    source = to_onnx(job.start, job.example(16))
    kinds = ("uint8", "int8") if settings.activation_type == "auto" else (settings.activation_type,)
    made: dict[str, Candidate] = {}
    for done, kind in enumerate(kinds):
        job.report.progress(done, len(kinds) + 1, f"calibrating on {len(next(iter(rows.values())))} rows, {kind} activations")
        content = _quantized(source, rows, settings, kind, job)
        made[kind] = source.child(f"{job.start.name}-int8", "quantization", model=content, form="onnx", macs=job.start.macs)
    if len(made) == 1:
        return Outcome(made[kinds[0]], settings)
    timings = _time_both(made, job)
    best = min(timings, key=lambda kind: timings[kind].p50_ms(64) if 64 in timings[kind].batch_sizes else timings[kind].p50_ms(1))
    job.report.message(f"{best} activations run faster here.")
    resolved = settings.model_copy(update={"activation_type": best})
    return Outcome(made[best], resolved, evidence={"activation_type": _table(timings, best)})
