"""Quantization: weights, and where it pays the arithmetic too, in 8, 4 or 16 bits, as an ONNX
graph.

    method        weights      computes in   needs                  pays where
    static        int8         int8          calibration rows       convolutions, and all else on CPUs with int8 dot products
    dynamic       int8         int8          nothing                matrix products, LSTM
    weight_only   int8, int4   float32       nothing                size of the file
    float16,      half floats  float32       nothing                size of the file
    bfloat16
    aware         int8         int8          train rows, a network  where static loses too much

A file a method; `network` readies the float graph for all of them, `sensitivity` and `mixed` say
which layers to spare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.errors import Cancelled, CandidateError, SettingsError
from workbench.measure.timing.latency import time_side_by_side
from workbench.measure.timing.records import Timing
from workbench.runtimes import predictor
from workbench.runtimes.outputs import predict_rows
from workbench.runtimes.to_onnx import to_onnx
from workbench.settings import TechniqueSettings, free_form, knob, nested, scaled
from workbench.task import Candidate
from workbench.technique import Job, Outcome, technique
from workbench.techniques.quantization import calibration as calibrate
from workbench.techniques.quantization import evidence
from workbench.techniques.quantization.dynamic import dynamic
from workbench.techniques.quantization.mixed import fewest_in_float
from workbench.techniques.quantization.network import Network, excluded, failure, network_of
from workbench.techniques.quantization.sensitivity import Probe, impacts, layer_noise
from workbench.techniques.quantization.small import small
from workbench.techniques.quantization.static import OPERATORS, qdq
from workbench.techniques.quantization.weight_only import half, weights_only
from workbench.training import FitSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["QuantizationSettings", "quantize", "sensitivity"]

FLIP_ROWS = {
    "smoke": 1000,
    "standard": None,
    "thorough": None,
}  # of valid, on which flips are counted
SHORT = {
    "static": "int8",
    "dynamic": "dynamic-int8",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "aware": "int8-aware",
}


class QuantizationSettings(TechniqueSettings):
    """How numbers become small."""

    method: Literal["static", "dynamic", "weight_only", "float16", "bfloat16", "aware"] = "static"
    """What becomes small, and how ranges are found; static fits most networks, dynamic LSTMs, aware
    is static with training.
    """

    weight_bits: Literal[8, 4] = 8
    """Bits of a stored weight, with the method weight_only."""

    activation_type: Literal["auto", "uint8", "int8"] = "auto"
    """Type of activations; auto times both on this machine and takes the faster."""

    per_channel: bool = True
    """A scale for each output channel of a weight, instead of one for the whole tensor."""

    symmetric: bool | None = None
    """Whether ranges of activations lie evenly around zero; if empty, those of int8 do and those of
    uint8 do not.
    """

    calibration: Literal["minmax", "percentile", "entropy"] = "minmax"
    """How the range of activations is read from the calibration rows."""

    calibration_rows: int | None = scaled(smoke=128, standard=512, thorough=1000, low=1)
    """Rows of the calibration split that are run to see the range of activations."""

    keep_float: list[str] = free_form([])
    """Layers, parts of the network or kinds of operators that stay in float."""

    at_most_lost: float | None = knob(None, low=0.0)
    """With static, put as few layers as possible back to float to lose no more than this, in the
    metric's own unit.
    """

    fit: FitSettings = nested(FitSettings, lr=0.0002)
    """Training with the method aware."""


def sensitivity(job: Job, settings: QuantizationSettings) -> Mapping[str, pd.DataFrame]:
    """Which layer hurts: noise of each layer in int8 and what it costs on valid, the most sensitive
    first; scores are saved.
    """
    settings = settings.resolved().model_copy(
        update={"method": "static"}
    )  # the one whose noise depends on the layer
    source, network, rows, keep = _begin(job, settings)
    job.report.progress(0, len(network.layers), f"calibrating on {settings.calibration_rows} rows")
    kind = settings.activation_type if settings.activation_type != "auto" else "uint8"
    ranges = _ranges(network, source, rows, settings, job)
    return {
        "sensitivity": impacts(
            _probe(network, source, ranges, rows, kind, keep, settings, job), rows
        )
    }


@technique(
    "quantization",
    title="Quantization",
    accepts=("torch", "sklearn", "onnx"),
    gives="onnx",
    actions={"sensitivity": sensitivity},
)
def quantize(job: Job, settings: QuantizationSettings) -> Outcome:
    """Stores weights in few bits, and computes in int8 where that is faster, calibrated on real
    rows.
    """
    settings = settings.resolved()
    if settings.at_most_lost is not None and settings.method != "static":
        raise SettingsError(
            f"`at_most_lost` goes with the method static, got {settings.method}; leave it empty."
        )
    job.report.progress(0, 1, f"quantizing, method {settings.method}")
    source, network, rows, keep = _begin(job, settings)
    if settings.method == "static":
        made = _static(network, source, rows, keep, settings, job)
    elif settings.method == "aware":
        made = _aware(settings, job)
    else:
        made = _without_rows(network, keep, settings, job)
    bits = (
        f"int{settings.weight_bits}-weights"
        if settings.method == "weight_only"
        else SHORT[settings.method]
    )
    candidate = source.child(
        f"{job.start.name}-{bits}",
        "quantization",
        model=made.content,
        form="onnx",
        macs=job.start.macs,
    )
    _check_runs(candidate, job, settings)
    flips, counted = _flips(source, candidate, settings, job)
    tables = {
        **made.tables,
        "weights": evidence.weights(source.model, made.content),
        "flips": flips,
    }
    for note in made.notes:
        job.report.message(note)
    return Outcome(candidate, made.resolved, evidence=tables, notes=(*made.notes, *counted))


@dataclass(frozen=True)
class _Made:
    """What a method gives: the file, settings with its choices written down, tables, and notes."""

    content: bytes
    resolved: QuantizationSettings
    tables: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...] = ()


def _begin(
    job: Job, settings: QuantizationSettings
) -> tuple[Candidate, Network, dict[str, np.ndarray], list[str]]:
    """The float candidate as ONNX, its graph made ready, calibration rows, and the nodes that stay
    in float.
    """
    source = job.exported or to_onnx(job.start, job.example(16))
    network = network_of(
        source.model, job.start.name, job.start.model if job.start.form == "torch" else None
    )
    rows = (
        calibrate.calibration_rows(job, settings.calibration_rows or 1)
        if settings.method == "static"
        else {}
    )
    return source, network, rows, excluded(network, settings.keep_float)


def _ranges(
    network: Network,
    source: Candidate,
    rows: dict[str, np.ndarray],
    settings: QuantizationSettings,
    job: Job,
) -> Any:
    try:
        return calibrate.ranges_of(
            network, source, rows, settings.calibration, list(OPERATORS), job
        )
    except (Cancelled, CandidateError):
        raise
    except Exception as error:
        raise failure(error, job.start.name, "static", network.model) from error


def _static(
    network: Network,
    source: Candidate,
    rows: dict[str, np.ndarray],
    keep: list[str],
    settings: QuantizationSettings,
    job: Job,
) -> _Made:
    n = len(next(iter(rows.values())))
    job.report.progress(1, 4, f"calibrating on {n} rows")
    ranges = _ranges(network, source, rows, settings, job)
    notes = [*calibrate.doubts(job, n), *_left_in_float(network)]
    tables: dict[str, pd.DataFrame] = {}
    kind = settings.activation_type
    if kind == "auto":
        job.report.progress(2, 4, "timing uint8 against int8 activations")
        kind, tables["activation_type"], why = _faster(network, source, ranges, keep, settings, job)
        notes.append(why)
    probe = _probe(network, source, ranges, rows, kind, keep, settings, job)
    kept: tuple[str, ...] = ()
    job.report.progress(3, 4, "noise of each layer")
    if settings.at_most_lost is not None:
        mixed = fewest_in_float(
            probe, rows, settings.at_most_lost, estimate=settings.budget == "smoke"
        )
        kept, tables["mixed"] = mixed.kept, mixed.table
        notes += mixed.notes
    tables["sqnr"] = layer_noise(probe, rows)
    tables["ranges"] = calibrate.histograms(network, ranges, rows, source)
    model = probe.graph([n for layer in kept for n in probe.groups[layer]])
    chosen = {
        "activation_type": kind,
        "symmetric": probe.symmetric,
        "at_most_lost": None,
        "keep_float": list(dict.fromkeys([*settings.keep_float, *kept])),
    }
    return _Made(
        small(model, _weight_names(network)),
        settings.model_copy(update=chosen),
        tables,
        tuple(notes),
    )


def _left_in_float(network: Network) -> tuple[str, ...]:
    """Layers that static int8 has no form of, told instead of left to be found."""
    left = [layer.op_type for layer in network.layers if layer.op_type not in OPERATORS]
    if not left:
        return ()
    kinds = ", ".join(f"{left.count(kind)} {kind}" for kind in dict.fromkeys(left))
    other = "dynamic, which has one for LSTM, or weight_only" if "LSTM" in left else "weight_only"
    return (
        f"{kinds} stayed in float, which have no static int8 form: take the method {other} to make "
        "them smaller.",
    )


def _without_rows(
    network: Network, keep: list[str], settings: QuantizationSettings, job: Job
) -> _Made:
    """The methods that look at weights only."""
    try:
        if settings.method == "dynamic":
            model, notes = dynamic(network, per_channel=settings.per_channel, keep=keep)
        elif settings.method == "weight_only":
            model, notes = weights_only(
                network, bits=settings.weight_bits, per_channel=settings.per_channel, keep=keep
            )
        else:
            model, notes = half(network, kind=settings.method, keep=keep)
    except (Cancelled, CandidateError):
        raise
    except Exception as error:
        raise failure(error, job.start.name, settings.method, network.model) from error
    return _Made(small(model), settings, {}, notes)


def _aware(settings: QuantizationSettings, job: Job) -> _Made:
    """Quantization-aware training; `fit` is resolved to what the training measured and chose."""
    import pandas as pd

    from workbench.techniques.quantization.qat import train_aware

    if job.start.form != "torch":
        raise CandidateError(
            f"The method aware trains, and `{job.start.name}` is in the form {job.start.form}: "
            "start from a torch network, or take the method static."
        )
    made = train_aware(job, settings)
    taken = {k: made.choices[k] for k in ("precision", "memory_format")}
    resolved = settings.model_copy(
        update={
            "activation_type": made.choices["activation_type"],
            "fit": settings.fit.model_copy(update=taken),
        }
    )
    said = (
        ()
        if made.choices["trained"]
        else (
            "Training found nothing better on valid than calibration alone, whose ranges are kept.",
        )
    )
    return _Made(made.content, resolved, {"fit": pd.DataFrame(made.history)}, said)


def _probe(
    network: Network,
    source: Candidate,
    ranges: Any,
    rows: dict[str, np.ndarray],
    kind: str,
    keep: list[str],
    settings: QuantizationSettings,
    job: Job,
) -> Probe:
    symmetric = settings.symmetric if settings.symmetric is not None else kind == "int8"
    return Probe.make(
        network,
        source,
        ranges,
        job,
        kind=kind,
        per_channel=settings.per_channel,
        symmetric=symmetric,
        keep=keep,
        rows=rows,
        calibration=settings.calibration,
    )


def _faster(
    network: Network,
    source: Candidate,
    ranges: Any,
    keep: list[str],
    settings: QuantizationSettings,
    job: Job,
) -> tuple[Literal["uint8", "int8"], pd.DataFrame, str]:
    """The type of activations that runs faster here, the timings, and the reason in words."""
    made = {}
    for kind in ("uint8", "int8"):
        symmetric = settings.symmetric if settings.symmetric is not None else kind == "int8"
        model = qdq(
            network, ranges, kind, per_channel=settings.per_channel, symmetric=symmetric, keep=keep
        )
        made[kind] = source.child(
            f"{kind} activations", "quantization", model=small(model), form="onnx"
        )
    timings = _time_both(made, job)
    times = {kind: timings[kind].largest for kind in made}
    best = min(times, key=lambda kind: times[kind].best_ms)
    other = next(kind for kind in times if kind != best)
    fast, slow = times[best].best_ms, times[other].best_ms
    why = (
        f"{best} activations: {fast:.3g} ms for {times[best].batch_size} rows on one thread of "
        f"this machine, {other} {slow:.3g} ms ({slow / fast:.2f} times as long)."
    )
    return best, _table(timings), why


def _time_both(made: dict[str, Candidate], job: Job) -> dict[str, Timing]:
    """Both side by side, on one thread: the difference is large where it exists, so the quick
    setting shows it.
    """
    return time_side_by_side(
        {kind: (candidate, "onnxruntime") for kind, candidate in made.items()},
        lambda candidate, n: job.task.example(n, candidate.prepare),
        batch_sizes=(1, 16),
        rounds=4,
        budget="smoke",
        report=job.report,
    )


def _table(timings: dict[str, Timing]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "activation_type": kind,
                "batch_size": b.batch_size,
                "best_ms": b.best_ms,
                "p50_ms": b.p50_ms,
            }
            for kind, t in timings.items()
            for b in t.batches
        ]
    )


def _weight_names(network: Network) -> dict[str, str]:
    """Quantized weights keep the names of their layers, which readers of the file look for."""
    return {
        f"{w}_quantized": f"{layer.base}.weight"
        for layer in network.layers
        for w in layer.weights[:1]
    }


def _check_runs(candidate: Candidate, job: Job, settings: QuantizationSettings) -> None:
    """The file must load and give finite numbers before it is handed on."""
    try:
        outputs = predictor(candidate).predict(job.example(3))
    except Exception as error:
        raise failure(error, job.start.name, settings.method) from error
    if not np.isfinite(outputs).all():
        raise CandidateError(
            f"`{candidate.name}` gives outputs that are not finite: a range is too wide for "
            f"{settings.method}. Name layers in `keep_float`; the action sensitivity tells which."
        )


def _flips(
    source: Candidate, candidate: Candidate, settings: QuantizationSettings, job: Job
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    valid = job.task.data.valid.take(slice(0, FLIP_ROWS[settings.budget]))
    rows = valid.prepared(job.start.prepare)
    before, after = (
        predict_rows(c, rows, text="counting flips", report=job.report) for c in (source, candidate)
    )
    return evidence.flips(before, after, np.asarray(valid.targets), job.task)
