"""Sensitivity: the noise that int8 adds to each layer, and its effect on the whole network.

Noise is measured as SQNR, the signal-to-quantization-noise ratio in dB:
10 log10(sum y^2 / sum (y - y')^2). 6 dB are one bit.

    sqnr_db         output of a layer against that of its int8 form, on the same float inputs
    output_sqnr_db  output of the network against that with only this layer in int8

`output_sqnr_db` includes the effect of the layers after this one, and it changes even where the
accuracy on a few hundred rows does not. It ranks the layers that go back to float.

Sources: Lin, Talathi and Annapureddy, "Fixed Point Quantization of Deep Convolutional Networks",
ICML 2016 (SQNR of a layer; noise of layers adds up at the output); Pandey et al., "A Practical
Mixed Precision Algorithm for Post-Training Quantization", BMVC 2023 (SQNR at the network's output
as the measure of sensitivity).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.runtimes import predictor
from workbench.system.cache import Cache, fingerprint
from workbench.techniques.quantization.base import FloatModel, is_symmetric
from workbench.techniques.quantization.layer_noise import layer_noise, sqnr_db
from workbench.techniques.quantization.qdq import qdq
from workbench.techniques.quantization.strip import compacted

if TYPE_CHECKING:
    import pandas as pd
    from onnx import ModelProto

    from workbench.technique import Job
    from workbench.techniques.quantization import QuantizationSettings

__all__ = ["Probe", "impacts"]

N_ROWS = 256  # rows of calibration on which outputs are compared, and rows of a batch
RANKED = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # operators whose layers can go back to float
KEY_VERSION = 2  # of the saved scores


@dataclass(frozen=True)
class Probe:
    """Makes and runs int8 graphs with any of the layers in float, and saves their scores."""

    source: FloatModel
    ranges: Any
    activation_type: str
    per_channel: bool
    symmetric: bool
    job: Job
    cache: Cache
    reduce_range: bool = False

    @classmethod
    def make(
        cls,
        source: FloatModel,
        ranges: Any,
        rows: Mapping[str, np.ndarray],
        activation_type: str,
        settings: QuantizationSettings,
        job: Job,
    ) -> Probe:
        """A probe whose scores are saved under everything that they depend on.

        `rows` are the calibration rows from which `ranges` were computed.
        """
        symmetric = is_symmetric(settings, activation_type)
        key = fingerprint(
            source.network.model.SerializeToString(deterministic=True),
            dict(rows),
            job.task.data.valid,
            activation_type,
            settings.per_channel,
            symmetric,
            bool(settings.reduce_range),
            sorted(source.float_nodes),
            settings.calibration,
            job.task.metric.name,
            KEY_VERSION,
        )
        cache = Cache(job.cache, f"quantization-{key}")
        return cls(
            source,
            ranges,
            activation_type,
            settings.per_channel,
            symmetric,
            job,
            cache,
            reduce_range=bool(settings.reduce_range),
        )

    @property
    def groups(self) -> dict[str, list[str]]:
        """Nodes of each layer that can be quantized, by the layer's name."""
        groups: dict[str, list[str]] = {}
        for layer in self.source.network.layers:
            if layer.node not in self.source.float_nodes and layer.op_type in RANKED:
                groups.setdefault(layer.base, []).append(layer.node)
        return groups

    def graph(self, float_nodes: Iterable[str] = (), only: Sequence[str] = ()) -> ModelProto:
        """The int8 graph with `float_nodes` in float too, or with none but `only` in int8."""
        return qdq(
            self.source.network,
            self.ranges,
            self.activation_type,
            per_channel=self.per_channel,
            symmetric=self.symmetric,
            reduce_range=self.reduce_range,
            float_nodes=[*self.source.float_nodes, *float_nodes],
            only=only,
        )

    def outputs(self, model: ModelProto | None, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Outputs `(rows, ...)` of a graph on prepared rows; None stands for the float graph.

        Raises Cancelled on request, between two batches.
        """
        candidate = self.source.candidate
        if model is not None:
            candidate = replace(candidate, model=compacted(model))
        runner = predictor(candidate)
        n_rows = len(next(iter(inputs.values())))
        outputs = []
        for start in range(0, n_rows, N_ROWS):
            self.job.report.check()
            batch = {name: array[start : start + N_ROWS] for name, array in inputs.items()}
            outputs.append(runner.predict(batch))
        return np.concatenate(outputs)


def impacts(probe: Probe, rows: Mapping[str, np.ndarray], *, accuracy: bool = True) -> pd.DataFrame:
    """Effect of each layer in int8 on the whole network, the most sensitive layer first.

    Columns layer, op_type, parameters, sqnr_db, output_sqnr_db. With `accuracy` also the change of
    the metric on valid against float, below 0 for a loss: only_this (only this layer in int8) and
    without_this (all other layers in int8). Each score is saved at once; saved scores are read.
    """
    table = layer_noise(probe, rows)
    table["layer"] = table["layer"].str.split(":").str[0]
    table = table.groupby("layer", sort=False, as_index=False).agg(
        {"op_type": "first", "parameters": "max", "sqnr_db": "min"}
    )
    groups = probe.groups
    table = table[table["layer"].isin(groups)].reset_index(drop=True)
    scores = []
    for number, name in enumerate(table["layer"]):
        probe.job.report.progress(number, len(table), f"sensitivity of `{name}`")
        scores.append(_impact(probe, name, groups[name], rows, accuracy))
    columns = ("output_sqnr_db", "only_this", "without_this") if accuracy else ("output_sqnr_db",)
    for column in columns:
        table[column] = [score[column] for score in scores]
    return table.sort_values("output_sqnr_db", kind="stable").reset_index(drop=True)


def _impact(
    probe: Probe, name: str, nodes: list[str], rows: Mapping[str, np.ndarray], accuracy: bool
) -> dict[str, float]:
    scores = dict(probe.cache.get(f"layer {name}") or {})
    if "output_sqnr_db" in scores and ("only_this" in scores or not accuracy):
        return scores
    first_rows = {key: array[:N_ROWS] for key, array in rows.items()}
    only_this = probe.graph(only=nodes)
    scores["output_sqnr_db"] = sqnr_db(
        probe.outputs(None, first_rows), probe.outputs(only_this, first_rows)
    )
    if accuracy:
        scores["only_this"] = _change_of_metric(probe, only_this)
        scores["without_this"] = _change_of_metric(probe, probe.graph(float_nodes=nodes))
    probe.cache.put(f"layer {name}", scores)
    return scores


def _change_of_metric(probe: Probe, model: ModelProto) -> float:
    """Change of the metric on valid against the float network, in its own unit; below 0 is a loss.

    The sign is reversed for a metric where lower is better.
    """
    valid, metric = probe.job.task.data.valid, probe.job.task.metric
    prepared: Any = valid.prepared(probe.job.start.prepare)
    inputs = dict(prepared.inputs)
    float_score = probe.cache.get("float")
    if float_score is None:
        float_score = float(metric(probe.outputs(None, inputs), valid.targets))
        probe.cache.put("float", float_score)
    change = float(metric(probe.outputs(model, inputs), valid.targets)) - float_score
    return metric.sign * change
