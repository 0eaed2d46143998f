"""Calibration: ranges of activations computed from rows, and whether these rows are suitable.

minmax takes the range of all values. percentile leaves out values rarer than one in 100,000.
entropy takes the range whose int8 histogram differs least from that of the float values, by
Kullback-Leibler divergence (Migacz, "8-bit Inference with TensorRT", GTC 2017).
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.events import Report
from workbench.runtimes.onnx_runtime import onnx_predictor
from workbench.techniques.quantization.base import FloatModel
from workbench.techniques.quantization.masks import Magnitude, joined, probed
from workbench.techniques.quantization.naming import FLOAT

if TYPE_CHECKING:
    import pandas as pd
    from onnx import ModelProto

    from workbench.technique import Job
    from workbench.techniques.quantization.naming import Layer

__all__ = [
    "BATCH",
    "calibration_rows",
    "doubts",
    "finite_rows",
    "histograms",
    "magnitudes",
    "observe",
    "ranges_of",
]

BATCH = 64
N_LAYERS = 12  # with a histogram; the first and the last layer are among them
N_BINS = 40
FLOAT16 = 10  # onnx.TensorProto.FLOAT16
HISTOGRAM_COLUMNS = [
    "layer",
    "bin_low",
    "bin_high",
    "count",
    "clip_low",
    "clip_high",
    "clipped",
]


def calibration_rows(job: Job, n_rows: int) -> dict[str, np.ndarray]:
    """The first rows of the calibration split, prepared: named arrays `(n_rows, ...)`."""
    rows = job.task.data.calibration.take(slice(0, n_rows))
    return dict(rows.prepared(job.start.prepare).inputs)


def finite_rows(
    source: FloatModel, rows: dict[str, np.ndarray], report: Report
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The rows without those that make the float outputs NaN or infinite, and a note on them.

    Rows are left out only where their own values are not finite and other rows remain: one of them
    would give every activation an infinite range.
    """
    floats = [array for array in rows.values() if array.dtype.kind == "f"]
    if all(np.isfinite(array).all() for array in floats):
        return rows, ()
    runner = onnx_predictor(source.candidate)
    usable = []
    for batch in _batches(rows, report):
        outputs = runner.predict(batch)
        usable.append(np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1))
    keep = np.concatenate(usable)
    n_left_out = int((~keep).sum())
    if not n_left_out or not keep.any():
        return rows, ()
    note = (
        f"{n_left_out} of {len(keep)} calibration rows were left out: they hold values that are "
        "not finite, and the outputs of the float model for them are not finite."
    )
    return {name: array[keep] for name, array in rows.items()}, (note,)


def _batches(rows: dict[str, np.ndarray], report: Report) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, len(next(iter(rows.values()))), BATCH):
        report.check()
        yield {name: array[start : start + BATCH] for name, array in rows.items()}


def magnitudes(
    source: FloatModel, rows: dict[str, np.ndarray], op_types: Collection[str], report: Report
) -> dict[str, Magnitude]:
    """The magnitude of each float tensor that operators of `op_types` read or write.

    Raises Cancelled on request.
    """
    model = source.network.copy()
    graph = model.graph
    infos = {v.name: v for v in (*graph.value_info, *graph.output, *graph.input)}
    tensors = [
        name
        for node in graph.node
        if node.op_type in op_types
        for name in (*node.input, *node.output)
        if name in infos and infos[name].type.tensor_type.elem_type in (FLOAT, FLOAT16)
    ]
    tensors += [v.name for v in graph.input if v.type.tensor_type.elem_type in (FLOAT, FLOAT16)]
    outputs = probed(model, dict.fromkeys(tensors))
    names = [name for pair in outputs.values() for name in pair]
    totals: dict[str, Magnitude] = {}
    if not names:
        return totals
    session, runner = _session(model), onnx_predictor(source.candidate)
    for batch in _batches(rows, report):
        values = iter(session.run(names, runner.feed(batch)))
        for tensor in outputs:
            each = Magnitude(float(next(values)), float(next(values)))
            totals[tensor] = joined(totals[tensor], each) if tensor in totals else each
    return totals


def doubts(job: Job, n_rows: int) -> tuple[str, ...]:
    """Reasons why the calibration rows may be unsuitable: all are equal, or of one class."""
    rows = job.task.data.calibration.take(slice(0, n_rows))
    inputs = rows.prepared(job.start.prepare).inputs
    targets = np.asarray(rows.targets)
    reasons = []
    if inputs and all(_rows_are_equal(array) for array in inputs.values()):
        reasons.append(
            f"All {len(targets)} calibration rows are equal: the ranges computed from them suit no "
            "other row. Use rows like those that the model will get."
        )
    is_classification = job.task.kind in ("classification", "binary") and targets.ndim == 1
    if is_classification and len(targets) > 1 and len(np.unique(targets)) == 1:
        reasons.append(
            f"All {len(targets)} calibration rows are of the class "
            f"`{_class_name(targets[0], job.task.classes)}`: larger values of other classes will "
            "be clipped. Use rows of all classes."
        )
    return tuple(reasons)


def _rows_are_equal(array: np.ndarray) -> bool:
    return array.dtype.kind in "biuf" and len(array) > 1 and bool((array == array[:1]).all())


def _class_name(target: Any, classes: tuple[str, ...]) -> Any:
    is_number = isinstance(target, (bool, int, float, np.bool_, np.number))
    if is_number and int(target) < len(classes):
        return classes[int(target)]
    return int(target) if is_number else target


def ranges_of(
    source: FloatModel,
    rows: dict[str, np.ndarray],
    method: str,
    op_types: list[str],
    report: Report,
    unscalable: Collection[str] = (),
) -> Any:
    """The range of every activation of operators of `op_types`.

    Returned as ONNX Runtime's `TensorsData`, by tensor name. `method` is minmax, percentile or
    entropy; `unscalable` names tensors without a useful range, which have no histogram. Raises
    Cancelled on request.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    from workbench.runtimes.to_onnx import quiet

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    with tempfile.TemporaryDirectory() as scratch, quiet():
        path = Path(scratch) / "plain.onnx"
        onnx.save(source.network.model, path)
        calibrator = create_calibrator(
            path,
            op_types,
            augmented_model_path=str(Path(scratch) / "augmented.onnx"),
            calibrate_method=methods[method],
        )
        if method != "minmax":
            calibrator.tensors_to_calibrate -= set(unscalable)
        runner = onnx_predictor(source.candidate)
        for batch in _batches(rows, report):
            calibrator.collect_data(_OneBatch(runner.feed(batch)))
        return calibrator.compute_data()


class _OneBatch:
    """A calibration data reader of ONNX Runtime that holds one batch.

    With several batches in one reader, the calibrator keeps the values of all tensors until the
    last batch and stacks them. That takes gigabytes, and fails when the last batch is shorter.
    """

    def __init__(self, inputs: dict[str, np.ndarray]) -> None:
        self._batches = [inputs]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self._batches.pop() if self._batches else None


def observe(
    source: FloatModel, tensors: list[str], rows: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Values `(rows, ...)` of inputs and inner tensors of the float graph on prepared rows."""
    from onnx import helper

    model = source.network.copy()
    graph_tensors = {value.name for value in (*model.graph.input, *model.graph.output)}
    infos = {value.name: value for value in model.graph.value_info}
    for name in tensors:
        if name not in graph_tensors:
            model.graph.output.append(infos.get(name) or helper.make_empty_tensor_value_info(name))
    session = _session(model)
    feed = onnx_predictor(source.candidate).feed(rows)
    inner = [name for name in tensors if name not in feed]
    values = {name: feed[name] for name in tensors if name in feed}
    if inner:  # ONNX Runtime would return all outputs for an empty list
        values |= dict(zip(inner, session.run(inner, feed), strict=True))
    return values


def _session(model: ModelProto) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def histograms(source: FloatModel, ranges: Any, rows: dict[str, np.ndarray]) -> pd.DataFrame:
    """Histogram of the input of each layer, and the ends of its int8 range.

    Columns layer, bin_low, bin_high, count, clip_low, clip_high, clipped (share of values outside
    the range). At most 12 layers, at even steps through the network, with 40 bins each.
    """
    import pandas as pd

    names = set(ranges.keys())
    layers = [layer for layer in source.network.layers if layer.node not in source.float_nodes]
    layers = _evenly([layer for layer in layers if layer.source in names])
    if not layers:
        return pd.DataFrame(columns=HISTOGRAM_COLUMNS)
    first_rows = {name: array[: 2 * BATCH] for name, array in rows.items()}
    tensors = list(dict.fromkeys(layer.source for layer in layers))
    values = observe(source, tensors, first_rows)
    table = []
    for layer in layers:
        inputs = np.asarray(values[layer.source], dtype=np.float64).ravel()
        inputs = inputs[np.isfinite(inputs)]
        low, high = (float(np.asarray(v).ravel()[0]) for v in ranges[layer.source].range_value)
        counts, edges = np.histogram(inputs, N_BINS)
        clipped = _share_outside(inputs, low, high)
        table += [
            (layer.name, edges[i], edges[i + 1], int(counts[i]), low, high, clipped)
            for i in range(N_BINS)
        ]
    return pd.DataFrame(table, columns=HISTOGRAM_COLUMNS)


def _evenly(layers: list[Layer]) -> list[Layer]:
    """At most `N_LAYERS` of the layers, at even steps."""
    if not layers:
        return []
    positions = np.linspace(0, len(layers) - 1, N_LAYERS).round().astype(int).tolist()
    return [layers[position] for position in dict.fromkeys(positions)]


def _share_outside(values: np.ndarray, low: float, high: float) -> float:
    # two sessions can round the largest value differently, and minmax clips none of its own rows
    tolerance = 1e-5 * (high - low)
    return float(np.mean((values < low - tolerance) | (values > high + tolerance)))
