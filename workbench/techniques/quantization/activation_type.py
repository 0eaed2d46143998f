"""Choose the integer type of activations, uint8 or int8, by timing both on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from workbench.measure.timing.latency import time_side_by_side
from workbench.measure.timing.records import Timing
from workbench.runtimes.graphs import graph_shape
from workbench.system.choices import choose_by_clock
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques.quantization.base import FloatModel, is_symmetric
from workbench.techniques.quantization.qdq import qdq
from workbench.techniques.quantization.strip import compacted

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.quantization import QuantizationSettings

__all__ = ["faster_activation_type"]


def faster_activation_type(
    source: FloatModel, ranges: Any, settings: QuantizationSettings, job: Job
) -> tuple[Literal["uint8", "int8"], pd.DataFrame, str]:
    """The faster type of activations, the timings of both types, and a note with the reason.

    Columns of the timings: activation_type, batch_size, best_ms, p50_ms. They are measured once for
    a graph of this shape on this machine, and kept.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = choose_by_clock(
        "activation type",
        graph_shape(source.candidate.model),
        (settings.per_channel, settings.reduce_range, sorted(source.float_nodes)),
        measure=lambda: _timed(source, ranges, settings, job),
        check=job.report.check,
    )
    table = pd.DataFrame(rows)
    n_rows = int(table["batch_size"].max())
    largest = table[table["batch_size"] == n_rows].set_index("activation_type")["best_ms"]
    best: Literal["uint8", "int8"] = "uint8" if largest["uint8"] <= largest["int8"] else "int8"
    other = "int8" if best == "uint8" else "uint8"
    fast_ms, slow_ms = float(largest[best]), float(largest[other])
    note = (
        f"{best} activations: {fast_ms:.3g} ms for {n_rows} rows on one "
        f"thread of this machine, {other} {slow_ms:.3g} ms ({slow_ms / fast_ms:.2f} times as long)."
    )
    return best, table, note


def _timed(
    source: FloatModel, ranges: Any, settings: QuantizationSettings, job: Job
) -> list[dict[str, Any]]:
    candidates = {
        "uint8": _candidate(source, ranges, "uint8", settings),
        "int8": _candidate(source, ranges, "int8", settings),
    }
    return _rows(_time_both(candidates, job))


def _candidate(
    source: FloatModel, ranges: Any, activation_type: str, settings: QuantizationSettings
) -> Candidate:
    model = qdq(
        source.network,
        ranges,
        activation_type,
        per_channel=settings.per_channel,
        symmetric=is_symmetric(settings, activation_type),
        reduce_range=bool(settings.reduce_range),
        float_nodes=source.float_nodes,
    )
    return source.candidate.child(
        f"{activation_type} activations", "quantization", model=compacted(model), form="onnx"
    )


def _time_both(candidates: dict[str, Candidate], job: Job) -> dict[str, Timing]:
    """Time both on one thread; the difference is large where it exists, so a short timing does."""
    return time_side_by_side(
        {name: (candidate, "onnxruntime") for name, candidate in candidates.items()},
        lambda candidate, n: job.task.example(n, candidate.prepare),
        batch_sizes=(1, 16),
        rounds=4,
        budget="smoke",
        report=job.report,
    )


def _rows(timings: dict[str, Timing]) -> list[dict[str, Any]]:
    return [
        {
            "activation_type": activation_type,
            "batch_size": batch.batch_size,
            "best_ms": batch.best_ms,
            "p50_ms": batch.p50_ms,
        }
        for activation_type, timing in timings.items()
        for batch in timing.batches
    ]
