"""Calibration: the ranges of activations read from real rows, and whether these rows can stand for
what will come.

min-max takes all that was seen; percentile clips what is rarer than one in 100,000; entropy takes
the range whose int8 histogram tells least apart from the float one (Migacz, "8-bit Inference with
TensorRT", GTC 2017).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.runtimes import predictor
from workbench.task import Candidate

if TYPE_CHECKING:
    import pandas as pd

    from workbench.technique import Job
    from workbench.techniques.quantization.network import Network

__all__ = ["BATCH", "calibration_rows", "doubts", "histograms", "observe", "ranges_of"]

BATCH = 64
N_LAYERS = 12  # whose histograms are kept: the first and last of the network among them
N_BINS = 40


def calibration_rows(job: Job, n: int) -> dict[str, np.ndarray]:
    """The first `n` rows of the calibration split, prepared: named arrays `(n, ...)`."""
    return dict(job.task.data.calibration.take(slice(0, n)).prepared(job.start.prepare).inputs)


def doubts(job: Job, n: int) -> tuple[str, ...]:
    """Why these rows may not stand for what will come: all alike, or of one class only."""
    rows = job.task.data.calibration.take(slice(0, n))
    inputs = rows.prepared(job.start.prepare).inputs
    found = []
    same = [
        name
        for name, a in inputs.items()
        if a.dtype.kind in "biuf" and len(a) > 1 and bool((a == a[:1]).all())
    ]
    if same and len(same) == len(inputs):
        found.append(
            f"All {len(rows.targets)} calibration rows are the same: the ranges read from them fit "
            "nothing else. Give rows as the model will meet them."
        )
    targets = np.asarray(rows.targets)
    if (
        job.task.kind in ("classification", "binary")
        and targets.ndim == 1
        and len(targets) > 1
        and len(np.unique(targets)) == 1
    ):
        label = int(targets[0]) if targets.dtype.kind in "biuf" else targets[0]
        named = (
            job.task.classes[label]
            if isinstance(label, int) and label < len(job.task.classes)
            else label
        )
        found.append(
            f"All {len(targets)} calibration rows are of the class `{named}`: what other classes "
            "need will be clipped. Take rows of all classes."
        )
    return tuple(found)


def ranges_of(
    network: Network,
    source: Candidate,
    rows: dict[str, np.ndarray],
    method: str,
    kinds: list[str],
    job: Job,
) -> Any:
    """The range of every activation of the operators of `kinds`, as ONNX Runtime's quantizer takes
    it.
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
        plain = Path(scratch) / "plain.onnx"
        onnx.save(network.model, plain)
        calibrator = create_calibrator(
            plain,
            kinds,
            augmented_model_path=str(Path(scratch) / "augmented.onnx"),
            calibrate_method=methods[method],
        )
        runner, n = predictor(source), len(next(iter(rows.values())))
        for at in range(0, n, BATCH):
            job.report.check()
            calibrator.collect_data(
                _Batch(runner.feed({name: a[at : at + BATCH] for name, a in rows.items()}))
            )
        return calibrator.compute_data()


class _Batch:
    """One batch, as ONNX Runtime's calibrator asks for it.

    It is handed one at a time: of several it keeps every inner value until the last is there, and
    stacks them, which takes gigabytes, and fails where the last batch is a shorter one.
    """

    def __init__(self, inputs: dict[str, np.ndarray]) -> None:
        self._left = [inputs]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self._left.pop() if self._left else None


def observe(
    network: Network, tensors: list[str], rows: dict[str, np.ndarray], source: Candidate
) -> dict[str, np.ndarray]:
    """Values of inner tensors `(rows, ...)` of the float graph on prepared rows."""
    import onnxruntime as ort
    from onnx import helper

    model = network.copy()
    given = {v.name for v in (*model.graph.input, *model.graph.output)}
    known = {v.name: v for v in model.graph.value_info}
    for name in tensors:
        if name not in given:
            model.graph.output.append(known.get(name) or helper.make_empty_tensor_value_info(name))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = predictor(source).feed(rows)
    fed = [t for t in tensors if t in feed]
    asked = [t for t in tensors if t not in feed]
    found = session.run(asked, feed) if asked else []  # an empty list would ask for all outputs
    return dict(zip(asked, found, strict=True)) | {t: feed[t] for t in fed}


def histograms(
    network: Network, ranges: Any, rows: dict[str, np.ndarray], source: Candidate
) -> pd.DataFrame:
    """What each layer reads, and where int8 cuts it off.

    Columns layer, bin_low, bin_high, count, clip_low, clip_high, clipped (the share of values
    beyond the lines); at most 12 layers, spread over the depth of the network, and 40 bins each.
    """
    import pandas as pd

    layers = [layer for layer in network.layers if layer.source in ranges.keys()]  # noqa: SIM118 (no mapping)
    if not layers:
        return pd.DataFrame(
            columns=["layer", "bin_low", "bin_high", "count", "clip_low", "clip_high", "clipped"]
        )
    chosen = [
        layers[i]
        for i in dict.fromkeys(
            np.linspace(0, len(layers) - 1, N_LAYERS).round().astype(int).tolist()
        )
    ]
    some = {name: a[: 2 * BATCH] for name, a in rows.items()}
    values = observe(network, list(dict.fromkeys(layer.source for layer in chosen)), some, source)
    table = []
    for layer in chosen:
        seen = np.asarray(values[layer.source], dtype=np.float64).ravel()
        low, high = (float(np.asarray(v).ravel()[0]) for v in ranges[layer.source].range_value)
        counts, edges = np.histogram(seen, N_BINS)
        slack = 1e-5 * (
            high - low
        )  # two sessions round the largest value differently; min-max clips nothing of its own rows
        clipped = float(np.mean((seen < low - slack) | (seen > high + slack)))
        table += [
            (layer.name, edges[i], edges[i + 1], int(counts[i]), low, high, clipped)
            for i in range(N_BINS)
        ]
    return pd.DataFrame(
        table, columns=["layer", "bin_low", "bin_high", "count", "clip_low", "clip_high", "clipped"]
    )
