"""Bytes, parameters and multiply-adds are those that can be worked out by hand, in every form of a
graph.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from tests.measure.small_models import conv_net, model_of
from workbench.errors import CandidateError
from workbench.measure import macs_onnx, macs_torch, n_parameters, size_of
from workbench.models.resnet import resnet20
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate

CONV_NET_MACS = 28 * 28 * 9 * 16 + 28 * 28 * 9 * 16 * 16 + 16 * 10
CONV_NET_PARAMETERS = 9 * 16 + 9 * 16 * 16 + 16 * 10 + 10
IMAGE = np.zeros((2, 1, 28, 28), np.float32)


def test_size_counts_bytes_and_what_gzip_makes_of_them(tmp_path: Path) -> None:
    content = b"abc" * 1000
    raw, zipped = size_of(content)
    assert raw == 3000
    assert abs(zipped - len(gzip.compress(content, 6))) < 10
    (tmp_path / "a.bin").write_bytes(content)
    assert size_of(tmp_path / "a.bin") == (raw, zipped)
    (tmp_path / "b.bin").write_bytes(content)
    assert size_of(tmp_path) == (2 * raw, 2 * zipped)
    with pytest.raises(CandidateError, match="no model file"):
        size_of(tmp_path / "c.bin")


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (3, 10, 10), 10 * 10 * 8 * 3 * 9),
        (nn.Conv2d(8, 8, 3, groups=8), (8, 10, 10), 8 * 8 * 8 * 9),
        (nn.Conv1d(4, 6, 5, stride=2), (4, 21), 9 * 6 * 4 * 5),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (4, 5, 5), 5 * 5 * 4 * 6 * 4),
        (nn.Linear(20, 7), (20,), 20 * 7),
        (nn.Linear(20, 7), (5, 20), 5 * 20 * 7),
    ],
    ids=["conv", "depthwise", "strided", "transposed", "linear", "sequence"],
)
def test_macs_of_one_layer_are_those_of_its_formula_in_both_forms(
    layer: nn.Module, shape: tuple[int, ...], macs: int
) -> None:
    inputs = {"x": np.ones((4, *shape), np.float32)}
    assert macs_torch(layer, inputs) == macs
    assert macs_onnx(to_onnx(Candidate("layer", "torch", layer), inputs).model, inputs) == macs


def test_macs_of_torch_and_onnx_agree_on_a_resnet_and_leave_the_module_as_it_was() -> None:
    net = resnet20().train()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.normal_(norm.bias)  # the exporter drops biases that are all zero
    made = to_onnx(Candidate("net", "torch", net), {"x": IMAGE})
    assert (
        macs_torch(net, {"x": IMAGE})
        == macs_onnx(made.model)
        == macs_onnx(made.model, {"x": IMAGE})
        == 31_021_952
    )
    assert net.training
    folded = sum(norm.num_features for norm in norms)
    assert n_parameters(made) == n_parameters(Candidate("net", "torch", net)) - folded


@pytest.mark.parametrize("form", ["QDQ", "QOperator", "dynamic"])
def test_quantized_graph_has_the_macs_and_parameters_of_the_float_one(
    form: str, tmp_path: Path
) -> None:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rows = iter(
                [{"x": np.random.default_rng(0).normal(size=(4, 1, 28, 28)).astype(np.float32)}]
            )

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.rows, None)

    source, target = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    source.write_bytes(conv_net())
    if form == "dynamic":
        quantize_dynamic(source, target)
    else:
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(
            source, target, Reader(), quant_format=QuantFormat[form], per_channel=True, **types
        )
    operators = {node.op_type for node in onnx.load(target).graph.node}
    assert operators & {"DequantizeLinear", "ConvInteger"}
    assert macs_onnx(target.read_bytes()) == macs_onnx(source.read_bytes()) == CONV_NET_MACS
    biases = 26 if form != "dynamic" else 0  # per-channel QDQ graphs may keep the bias, as int32
    counted = n_parameters(Candidate("q", "onnx", target.read_bytes()))
    assert CONV_NET_PARAMETERS <= counted <= CONV_NET_PARAMETERS + biases


def test_free_length_is_taken_from_the_inputs_given() -> None:
    weight = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    content = model_of([node], [weight], ["batch", "length", 4], ["batch", "length", 3])
    assert macs_onnx(content) == 4 * 3
    assert macs_onnx(content, {"x": np.ones((8, 7, 4), np.float32)}) == 7 * 4 * 3


def test_shapes_that_cannot_be_inferred_are_seen_by_running_the_graph() -> None:
    weight = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    nodes = [
        helper.make_node("Gelu", ["x"], ["g"], domain="com.microsoft"),
        helper.make_node("MatMul", ["g", "w"], ["y"]),
    ]
    made = onnx.load_from_string(model_of(nodes, [weight], ["batch", 4], ["batch", 3]))
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert macs_onnx(made.SerializeToString()) == 12
    made.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(CandidateError, match="Give `inputs`"):
        macs_onnx(made.SerializeToString())


def test_recurrent_layer_counts_every_step_and_gate() -> None:
    weights = [
        numpy_helper.from_array(np.ones((1, 4 * 6, 5), np.float32), "w"),
        numpy_helper.from_array(np.ones((1, 4 * 6, 6), np.float32), "r"),
    ]
    node = helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=6)
    content = model_of([node], weights, [7, 1, 5], [7, 1, 1, 6], TensorProto.FLOAT)
    assert macs_onnx(content, {"x": np.ones((7, 1, 5), np.float32)}) in (7 * 24 * 11, 24 * 11)


def test_shared_weights_count_once() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    assert n_parameters(Candidate("tied", "torch", net)) == 16 + 8


def test_estimators_count_coefficients_or_nodes_and_others_none() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    y = (x[:, 0] > 0).astype(int)
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    forest = RandomForestClassifier(3, random_state=0).fit(x, y)
    assert n_parameters(Candidate("linear", "sklearn", linear)) == 6
    assert n_parameters(Candidate("forest", "sklearn", forest)) == sum(
        t.tree_.node_count for t in forest.estimators_
    )
    assert n_parameters(Candidate("near", "sklearn", KNeighborsClassifier().fit(x, y))) is None


def test_counting_leaves_no_trace_on_the_random_state() -> None:
    net, state = nn.Sequential(nn.Dropout(), nn.Linear(3, 2)), torch.get_rng_state()
    macs_torch(net, {"x": np.ones((2, 3), np.float32)})
    assert torch.equal(state, torch.get_rng_state())


def test_a_narrower_feed_forward_of_an_encoder_layer_counts_less() -> None:
    wide, narrow = (
        macs_torch(
            nn.TransformerEncoderLayer(16, 2, width, batch_first=True),
            {"x": np.zeros((2, 8, 16), np.float32)},
        )
        for width in (64, 32)
    )
    assert wide - narrow == 8 * 2 * 16 * 32
