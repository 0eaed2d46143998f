"""ONNX files as people have them."""

from __future__ import annotations

import gzip
import io
import pickle

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from workbench.errors import TaskError
from workbench.runtimes.found_graphs import free_batch, read_graph
from workbench.runtimes.graphs import with_output
from workbench.runtimes.onnx_runtime import OnnxPredictor

pytestmark = pytest.mark.filterwarnings("ignore")
X = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)


def product(opset: int = 17, batch: str | int = "N") -> onnx.ModelProto:
    weights = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 6])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3]),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, [batch, 3]),
        ],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)


def test_a_graph_that_runs_here_is_left_as_it_is():
    content = product().SerializeToString()
    assert read_graph(content) == (content, ())


@pytest.mark.parametrize("opset", [7, 9, 11, 12])
def test_an_old_opset_is_converted_and_computes_the_same(opset):
    old = product(opset).SerializeToString()
    new, notes = read_graph(old)
    assert onnx.load_from_string(new).opset_import[0].version == 13
    assert f"was of opset {opset}" in notes[0]
    np.testing.assert_allclose(
        OnnxPredictor(new, outputs="values").predict({"x": X}),
        OnnxPredictor(old, outputs="values").predict({"x": X}),
    )


def test_an_old_opset_that_cannot_be_converted_is_refused_with_both_numbers():
    model = product(11)
    model.graph.node.append(helper.make_node("NoSuchOperator", ["z"], ["q"]))
    model.graph.output[1].name = "q"
    with pytest.raises(TaskError, match="opset 11.*opset 13.*opset_version=13"):
        read_graph(model.SerializeToString())


def test_weights_beside_the_file_are_taken_in(tmp_path):
    onnx.save_model(
        product(), tmp_path / "net.onnx", save_as_external_data=True, size_threshold=0,
        location="weights.bin",
    )  # fmt: skip
    content, _ = read_graph(tmp_path / "net.onnx")
    assert OnnxPredictor(content, outputs="values").predict({"x": X}).shape == (20, 3)
    with pytest.raises(TaskError, match=r"they are in weights\.bin beside its file"):
        read_graph((tmp_path / "net.onnx").read_bytes())
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(TaskError, match=r"in weights\.bin, which cannot be read"):
        read_graph(tmp_path / "net.onnx")


def bytes_of(kind: str) -> bytes:
    whole = product().SerializeToString()
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, buffer)
    return {
        "empty": b"",
        "text": b"hello",
        "lines": b"name,age\n1,2\n",
        "half": whole[: len(whole) // 2],
        "start": whole[:10],
        "noise": np.random.default_rng(2).bytes(400),
        "checkpoint": buffer.getvalue(),
        "gzip": gzip.compress(whole, mtime=0),
        "pickle": pickle.dumps([1, 2], protocol=4),
        "no nodes": onnx.ModelProto().SerializeToString() or b"\x08\x07",
    }[kind]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", "is empty"),
        ("text", "it is text, which begins with 'hello'"),
        ("lines", "it is text, which begins with 'name,age'"),
        ("half", "no ONNX file"),
        ("start", "no ONNX file"),
        ("noise", "no ONNX file"),
        ("checkpoint", "zip archive"),
        ("gzip", "gzip file"),
        ("pickle", "pickle"),
        ("no nodes", "no ONNX file"),
    ],
)
def test_bytes_that_are_no_graph_are_refused_for_what_they_are(kind, words):
    with pytest.raises(TaskError, match=words):
        read_graph(bytes_of(kind))


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(TaskError, match=r"names no file .*none\.onnx"):
        read_graph(tmp_path / "none.onnx")
    with pytest.raises(TaskError, match="is the folder"):
        read_graph(tmp_path)


def test_zipmap_gives_way_to_an_array():
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(X, np.arange(20) % 3)
    content, notes = read_graph(to_onnx(fitted, X[:1]).SerializeToString())
    outputs = OnnxPredictor(content, outputs="values").predict({"X": X})
    np.testing.assert_allclose(outputs, fitted.predict_proba(X), atol=1e-6)
    assert "ZipMap was left out" in notes[0]


def test_one_of_several_outputs_is_chosen_by_name_or_place():
    content = product().SerializeToString()
    every = OnnxPredictor(content).every_output({"x": X})
    assert list(every) == ["y", "z"]
    for chosen in ("z", 1, -1):
        alone = with_output(content, chosen)
        graph = onnx.load_from_string(alone).graph
        assert [o.name for o in graph.output] == ["z"]
        got = OnnxPredictor(alone, outputs="values").predict({"x": X})
        np.testing.assert_array_equal(got, every["z"])
    assert len(onnx.load_from_string(with_output(content, "y")).graph.node) == 1
    with pytest.raises(TaskError, match=r"`output='p'` is no output.*\['y', 'z'\]"):
        with_output(content, "p")


def test_an_output_called_logits_counts_before_the_first():
    model = product()
    model.graph.node[1].output[0] = model.graph.output[1].name = "logits"
    assert next(iter(OnnxPredictor(model.SerializeToString()).every_output({"x": X}))) == "logits"


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_graph_of_a_fixed_batch_predicts_any_number_of_rows(batch, runtime):
    from workbench.runtimes import predictor
    from workbench.task import Candidate

    if runtime == "openvino":
        pytest.importorskip("openvino")
    free = OnnxPredictor(product().SerializeToString(), outputs="values").predict({"x": X})
    fixed = Candidate("g", "onnx", product(batch=batch).SerializeToString(), outputs="values")
    got = predictor(fixed, runtime).predict({"x": X})
    np.testing.assert_allclose(got, free, rtol=1e-5, atol=1e-6)


def test_a_fixed_batch_is_made_free_where_that_computes_the_same():
    from workbench.runtimes.graphs import fixed_batch

    freed = free_batch(product(batch=4).SerializeToString())
    assert fixed_batch(freed) == 0
    whole = OnnxPredictor(product().SerializeToString(), outputs="values").predict({"x": X})
    np.testing.assert_allclose(
        OnnxPredictor(freed, outputs="values").predict({"x": X}), whole, rtol=1e-5
    )


def test_a_fixed_batch_stays_where_a_shape_inside_holds_it():
    model = product(batch=1)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 3]), "shape"))
    model.graph.node.append(helper.make_node("Reshape", ["z", "shape"], ["out"]))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3]))
    content = model.SerializeToString()
    assert free_batch(content) == content
    assert OnnxPredictor(content, outputs="values").predict({"x": X}).shape == (20, 3)


def test_length_of_rows_in_forward_stays_free_in_the_file():
    from workbench.runtimes.torch_export import exported

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.head = nn.Parameter(torch.ones(1, 1, 6)), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.cat([self.token.expand(len(x), -1, -1), x], 1).mean(1))

    rows = np.random.default_rng(0).normal(size=(7, 5, 6)).astype(np.float32)
    net = Net().eval()
    got = OnnxPredictor(exported(net, {"x": rows}, "net"), outputs="values").predict({"x": rows})
    with torch.no_grad():
        np.testing.assert_allclose(got, net(torch.tensor(rows)), rtol=1e-4, atol=1e-5)
