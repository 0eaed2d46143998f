"""Static int8 quantization of an ONNX graph: calibrated, per channel, in QDQ form (ONNX Runtime).

Weights become int8. Activations become uint8 or int8, whichever runs faster here: ONNX Runtime fuses residual networks
fully only with uint8, and on processors with VNNI int8 activations were measured three times slower.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.errors import Cancelled, CandidateError
from workbench.measure.latency import time_side_by_side
from workbench.measure.timing import Timing
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import quiet, to_onnx, trimmed
from workbench.settings import TechniqueSettings, scaled
from workbench.task import Candidate
from workbench.technique import Job, Outcome, technique

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["QuantizationSettings", "quantize"]

BATCH = 64


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
    best = min(kinds, key=lambda kind: timings[kind].largest.best_ms)
    job.report.message(f"{best} activations run faster on this machine.")
    resolved = settings.model_copy(update={"activation_type": best})
    return Outcome(made[best], resolved, evidence={"activation_type": _table(timings)})


def _time_both(made: dict[str, Candidate], job: Job) -> dict[str, Timing]:
    """Both side by side, on one thread: the difference is large where it exists, so the quick setting shows it."""
    return time_side_by_side(
        {kind: (candidate, "onnxruntime") for kind, candidate in made.items()},
        lambda candidate, n: job.task.example(n, candidate.prepare), batch_sizes=(1, 16), rounds=4, budget="smoke", report=job.report,
    )  # fmt: skip


def _table(timings: dict[str, Timing]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {"activation_type": kind, "batch_size": b.batch_size, "best_ms": b.best_ms, "p50_ms": b.p50_ms}
            for kind, t in timings.items()
            for b in t.batches
        ]
    )


def _quantized(source: Candidate, rows: dict[str, np.ndarray], settings: QuantizationSettings, kind: str, job: Job) -> bytes:
    """The graph with quantize and dequantize nodes around every operator that has an int8 form."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    with tempfile.TemporaryDirectory() as scratch:
        plain, inferred, out = (Path(scratch) / name for name in ("plain.onnx", "inferred.onnx", "int8.onnx"))
        plain.write_bytes(source.model)
        try:
            with quiet():
                quant_pre_process(plain, inferred, skip_symbolic_shape=True)
                quantize_static(
                    inferred, out, _Reader(predictor(source), rows, job), quant_format=QuantFormat.QDQ,
                    per_channel=settings.per_channel, calibrate_method=methods[settings.calibration],
                    activation_type=QuantType.QUInt8 if kind == "uint8" else QuantType.QInt8, weight_type=QuantType.QInt8,
                    extra_options={"ActivationSymmetric": kind == "int8", "WeightSymmetric": True},
                )  # fmt: skip
        except Cancelled:
            raise
        except Exception as error:
            raise CandidateError(f"ONNX Runtime cannot quantize `{job.start.name}`: {error}") from error
        return trimmed(out.read_bytes())


class _Reader:
    """Calibration rows in batches, as ONNX Runtime's calibrator asks for them; notices a request to cancel."""

    def __init__(self, runner: Any, rows: dict[str, np.ndarray], job: Job) -> None:
        n = len(next(iter(rows.values())))
        self._batches = iter([runner.feed({k: a[i : i + BATCH] for k, a in rows.items()}) for i in range(0, n, BATCH)])
        self._report = job.report

    def get_next(self) -> dict[str, np.ndarray] | None:
        self._report.check()
        return next(self._batches, None)
