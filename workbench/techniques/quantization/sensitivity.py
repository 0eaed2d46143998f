"""Sensitivity: how much noise int8 puts into each layer, and what each layer costs the whole
network.

Noise is told as SQNR, the signal-to-quantization-noise ratio in dB: 10 log10(sum y^2 / sum (y -
y')^2); 6 dB are one bit. `sqnr_db` compares a layer's output with that of its int8 twin, both fed
the same float values, all layers in two passes. `output_sqnr_db` compares the outputs of the whole
network when only this layer is int8: it knows what the layers after it do with the noise, moves
where accuracy on a few hundred rows does not, and so decides which layer is put back first.

Sources: Lin, Talathi and Annapureddy, "Fixed Point Quantization of Deep Convolutional Networks",
ICML 2016 (SQNR a layer, and that noise of layers adds up at the output); Pandey et al., "A
Practical Mixed Precision Algorithm for Post-Training Quantization", BMVC 2023 (SQNR at the
network's output as the list of sensitivities).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.runtimes import predictor
from workbench.system.cache import Cache, fingerprint
from workbench.techniques.quantization.network import failure
from workbench.techniques.quantization.small import small
from workbench.techniques.quantization.static import qdq

if TYPE_CHECKING:
    import pandas as pd
    from onnx import ModelProto, NodeProto

    from workbench.task import Candidate
    from workbench.technique import Job
    from workbench.techniques.quantization.network import Network

__all__ = ["MOST_DB", "Probe", "impacts", "layer_noise", "sqnr_db"]

MOST_DB = 150.0  # float32 itself has about this much
N_ROWS = 256  # of calibration, on which outputs are compared


def sqnr_db(signal: np.ndarray, noisy: np.ndarray) -> float:
    """Signal-to-quantization-noise ratio in dB of arrays of one shape; 150 where they are equal."""
    signal, noisy = np.asarray(signal, np.float64), np.asarray(noisy, np.float64)
    return _db(float(np.sum(signal**2)), float(np.sum((signal - noisy) ** 2)))


def _db(signal: float, noise: float) -> float:
    if noise <= 0:
        return MOST_DB
    return float(min(10 * np.log10(max(signal, 1e-30) / noise), MOST_DB))


@dataclass(frozen=True)
class Probe:
    """All that is needed to try the network with any of its layers in float."""

    network: Network
    source: Candidate
    ranges: Any
    kind: str
    per_channel: bool
    symmetric: bool
    keep: tuple[str, ...]
    job: Job
    cache: Cache

    @classmethod
    def make(
        cls,
        network: Network,
        source: Candidate,
        ranges: Any,
        job: Job,
        *,
        kind: str,
        per_channel: bool,
        symmetric: bool,
        keep: Iterable[str],
        rows: Mapping[str, np.ndarray],
        calibration: str,
    ) -> Probe:
        """A probe whose scores are kept under all that decides them: weights, calibration rows,
        valid and settings.
        """
        key = fingerprint(
            network.model.SerializeToString(deterministic=True),
            dict(rows),
            job.task.data.valid,
            kind,
            per_channel,
            symmetric,
            sorted(keep),
            calibration,
            job.task.metric.name,
            2,
        )
        return cls(
            network,
            source,
            ranges,
            kind,
            per_channel,
            symmetric,
            tuple(keep),
            job,
            Cache(job.cache, f"quantization-{key}"),
        )

    @property
    def groups(self) -> dict[str, list[str]]:
        """Nodes of each layer that is quantized, by its name."""
        found: dict[str, list[str]] = {}
        for layer in self.network.layers:
            if layer.node not in self.keep and layer.op_type in (
                "Conv",
                "ConvTranspose",
                "Gemm",
                "MatMul",
            ):
                found.setdefault(layer.base, []).append(layer.node)
        return found

    def graph(self, keep: Iterable[str] = (), only: list[str] | None = None) -> ModelProto:
        """The int8 graph with the nodes `keep` in float besides those that always are."""
        return qdq(
            self.network,
            self.ranges,
            self.kind,
            per_channel=self.per_channel,
            symmetric=self.symmetric,
            keep=[*self.keep, *keep],
            only=only,
        )

    def outputs(self, model: ModelProto | None, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Outputs `(rows, ...)` of a graph on prepared rows, in batches that notice a request to
        cancel; None is the float one.
        """
        from dataclasses import replace

        made = self.source if model is None else replace(self.source, model=small(model))
        runner = predictor(made)
        n = len(next(iter(inputs.values())))
        found = []
        for at in range(0, n, N_ROWS):
            self.job.report.check()
            found.append(runner.predict({k: a[at : at + N_ROWS] for k, a in inputs.items()}))
        return np.concatenate(found)


def layer_noise(probe: Probe, rows: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """SQNR of each layer's output when only its own weights and inputs are int8.

    Columns layer, op_type, parameters, sqnr_db; the noisiest first.
    """
    import onnxruntime as ort
    import pandas as pd

    from workbench.techniques.quantization.network import constants

    model, names = _twins(probe)
    table: list[tuple[str, str, int, float]] = []
    if names:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        try:
            session = ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            some = {k: a[:N_ROWS] for k, a in rows.items()}
            sums = session.run(
                [o for pair in names.values() for o in pair], predictor(probe.source).feed(some)
            )
        except Exception as error:
            raise failure(error, probe.source.name, "static", model) from error
        values = constants(probe.network.model)
        layers = {layer.node: layer for layer in probe.network.layers}
        for number, node in enumerate(names):
            layer = layers[node]
            n = sum(int(np.prod(values[w].dims)) for w in layer.weights)
            table.append(
                (
                    layer.name,
                    layer.op_type,
                    n,
                    _db(float(sums[2 * number]), float(sums[2 * number + 1])),
                )
            )
    found = pd.DataFrame(table, columns=["layer", "op_type", "parameters", "sqnr_db"])
    return found.sort_values("sqnr_db", kind="stable").reset_index(drop=True)


def _twins(probe: Probe) -> tuple[ModelProto, dict[str, tuple[str, str]]]:
    """The float graph with an int8 twin beside each layer, and the names of (signal, noise) sums
    for each.
    """
    from onnx import TensorProto, helper

    int8, model = probe.graph(), probe.network.copy()
    made_by = {o: n for n in int8.graph.node for o in n.output}
    twins = {n.name: n for n in int8.graph.node}
    known = {w.name for w in model.graph.initializer}
    model.graph.initializer.extend(w for w in int8.graph.initializer if w.name not in known)
    int8_only = {
        o
        for n in int8.graph.node
        if n.op_type in ("QuantizeLinear", "DequantizeLinear")
        for o in n.output
    }
    copied: set[str] = set()
    names: dict[str, tuple[str, str]] = {}
    for layer in probe.network.layers:
        twin = twins.get(layer.node)
        if twin is None or not any(
            made_by[i].op_type == "DequantizeLinear" for i in twin.input if i in made_by
        ):
            continue
        chain = [n for i in twin.input if i in made_by for n in _chain(made_by, i)]
        for node in chain:
            if node.output[0] not in copied:
                copied.add(node.output[0])
                model.graph.node.append(_renamed(node, int8_only))
        signal, noise, other = (f"{layer.output}_{part}" for part in ("signal", "noise", "twin"))
        inputs = list(_renamed(twin, int8_only).input)
        new = helper.make_node(
            twin.op_type, inputs, [other, *[""] * (len(twin.output) - 1)], f"{layer.name} twin"
        )
        new.attribute.extend(twin.attribute)
        new.domain = twin.domain
        gap = helper.make_node("Sub", [layer.output, other], [f"{other}_gap"])
        sums = [
            helper.make_node("ReduceSumSquare", [a], [b], keepdims=0)
            for a, b in ((layer.output, signal), (f"{other}_gap", noise))
        ]
        model.graph.node.extend([new, gap, *sums])
        model.graph.output.extend(
            helper.make_tensor_value_info(n, TensorProto.FLOAT, []) for n in (signal, noise)
        )
        names[layer.node] = (signal, noise)
    return model, names


def _chain(made_by: Mapping[str, Any], tensor: str) -> list[Any]:
    """The dequantize node behind a tensor, and the quantize node behind that where it is no
    constant.
    """
    node = made_by[tensor]
    if node.op_type != "DequantizeLinear":
        return []
    before = made_by.get(node.input[0])
    return [before, node] if before is not None and before.op_type == "QuantizeLinear" else [node]


def _renamed(node: NodeProto, tensors: set[str]) -> NodeProto:
    """A copy that reads and writes `tensors` under names of their own: a bias gives its name to
    what dequantizes it.
    """
    import copy

    made = copy.deepcopy(node)
    # where an output of the graph is quantized, the quantizer renames what comes out of its
    # operator
    made.input[:] = [
        f"{i} int8" if i in tensors else i.removesuffix("_QuantizeLinear_Input") for i in node.input
    ]
    made.output[:] = [f"{o} int8" if o in tensors else o for o in node.output]
    made.name = ""
    return made


def impacts(probe: Probe, rows: Mapping[str, np.ndarray], *, accuracy: bool = True) -> pd.DataFrame:
    """What each layer costs the whole network; scores are saved as they are found, and read where
    they are known.

    Columns layer, op_type, parameters, sqnr_db, output_sqnr_db, and with `accuracy` also only_this
    (change of the metric on valid when only this layer is int8) and without_this (when all but this
    one are int8), both against float; the most sensitive first.
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
    for column in ("output_sqnr_db", *(("only_this", "without_this") if accuracy else ())):
        table[column] = [s[column] for s in scores]
    return table.sort_values("output_sqnr_db", kind="stable").reset_index(drop=True)


def _impact(
    probe: Probe, name: str, nodes: list[str], rows: Mapping[str, np.ndarray], accuracy: bool
) -> dict[str, float]:
    known = dict(probe.cache.get(f"layer {name}") or {})
    if "output_sqnr_db" not in known or (accuracy and "only_this" not in known):
        some = {k: a[:N_ROWS] for k, a in rows.items()}
        alone = probe.graph(only=nodes)
        known["output_sqnr_db"] = sqnr_db(probe.outputs(None, some), probe.outputs(alone, some))
        if accuracy:
            known["only_this"] = change_of(probe, alone)
            known["without_this"] = change_of(probe, probe.graph(keep=nodes))
        probe.cache.put(f"layer {name}", known)
    return known


def change_of(probe: Probe, model: ModelProto) -> float:
    """Change of the metric on valid against the float network, in the metric's own unit; below 0 is
    a loss.

    For a metric where lower is better the sign is turned, so that a loss is below 0 there too.
    """
    valid, metric = probe.job.task.data.valid, probe.job.task.metric
    inputs = dict(valid.prepared(probe.job.start.prepare).inputs)
    key = "float"
    before = probe.cache.get(key)
    if before is None:
        before = float(metric(probe.outputs(None, inputs), valid.targets))
        probe.cache.put(key, before)
    change = float(metric(probe.outputs(model, inputs), valid.targets)) - before
    return change if metric.higher_is_better else -change
