"""OpenVINO: same answers, the precision that was asked for and that really ran, and refusals."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from tests.measure.small_models import conv_net
from tests.techniques.pruning import attention_networks
from workbench.data.rows import Rows, Splits
from workbench.errors import CandidateError, RunError
from workbench.metrics import METRICS
from workbench.runtimes import installed_for, openvino_runtime, predictor
from workbench.runtimes.openvino_chains import keep_layers_apart
from workbench.task import Candidate, Task
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.techniques.quantization import QuantizationSettings

pytest.importorskip("openvino", reason="the extra [openvino] is not installed")


def test_answers_are_those_of_onnx_runtime_for_any_number_of_rows(digits_onnx, digits_task):
    ours, theirs = predictor(digits_onnx, "openvino", threads=1), predictor(digits_onnx, threads=1)
    for n in (1, 5, 1, 7, 8, 9, 5):  # more shapes than get a graph of their own
        rows = digits_task.example(n)
        np.testing.assert_allclose(ours.predict(rows), theirs.predict(rows), atol=1e-4)
    ours.close()


def test_fp32_stays_fp32_unless_bf16_is_asked_for(digits_onnx, digits_task):
    plain = predictor(digits_onnx, "openvino", threads=1)
    plain.predict(digits_task.example(2))
    assert plain.details["precision"] == "fp32"
    if "openvino-bf16" in installed_for(digits_onnx):
        half = predictor(digits_onnx, "openvino-bf16", threads=1)
        half.predict(digits_task.example(2))
        assert half.details["precision"].startswith("bf16")


def test_probabilities_become_scores_as_in_every_runtime(digits_onnx, digits_task):
    made = dataclasses.replace(digits_onnx, outputs="label_probabilities")
    rows = digits_task.example(3)
    np.testing.assert_allclose(
        predictor(made, "openvino").predict(rows), predictor(made).predict(rows), atol=1e-3
    )


def test_what_it_cannot_run_is_told(digits_onnx, digits_cnn):
    with pytest.raises(CandidateError, match="OpenVINO cannot read the model"):
        predictor(Candidate("broken", "onnx", b"nothing"), "openvino")
    with pytest.raises(
        CandidateError, match=r"needs the inputs \['image'\]; the data has \['a', 'b'\]"
    ):
        predictor(digits_onnx, "openvino").predict({"a": np.ones((1, 1, 8, 8)), "b": np.ones(1)})
    with pytest.raises(RunError, match="runs on the CPU only"):
        predictor(digits_onnx, "openvino", device="cuda")
    with pytest.raises(CandidateError, match="`openvino` runs onnx models.*Write it as ONNX first"):
        predictor(digits_cnn, "openvino")


def test_missing_extra_is_named_with_its_pip_line(monkeypatch):
    import sys

    from workbench.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        MissingExtra, match=r'pip install "model-optimization-workbench\[openvino\]"'
    ):
        predictor(Candidate("small", "onnx", conv_net()), "openvino")


def test_it_asks_for_no_outside_host(tmp_path):
    import os
    import subprocess
    import sys

    from tests.finished_run import GUARD

    (tmp_path / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    code = (
        "import numpy as np; from tests.measure.small_models import conv_net; from workbench.task "
        "import Candidate;from workbench.runtimes import predictor;print(predictor(Candidate('c', "
        "'onnx', conv_net()), 'openvino').predict({'x': np.zeros((1, 1, 28, 28), 'f')}).shape)"
    )
    paths = os.pathsep.join([str(tmp_path), os.getcwd()])
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "OUTSIDE_HOSTS": str(tmp_path / "o"),
        "GUARDED": str(tmp_path / "g"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.stdout.strip() == "(1, 10)", done.stderr
    assert not (tmp_path / "o").exists()


def _sum_of_int8(op_type: str, axes: list[int], rank: int, keepdims: int) -> Candidate:
    """A sum over axes of `x (rows, ...)`, which is rounded to uint8 before it."""
    make = helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "scale", "zero"], ["int8"]),
        make("DequantizeLinear", ["int8", "scale", "zero"], ["rounded"]),
        make(op_type, ["rounded", "axes"], ["output"], keepdims=keepdims),
    ]
    values = {"scale": np.float32(1 / 250), "zero": np.uint8(3), "axes": np.array(axes, np.int64)}
    shape = ["rows", *[None] * (rank - 1)]
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return Candidate("sum", "onnx", model.SerializeToString())


@pytest.mark.parametrize("op_type", ["ReduceSum", "ReduceMean"])
@pytest.mark.parametrize("axes", [[1], [-2], [1, 2], [2]])
def test_sum_of_int8_is_right_in_all_rows_of_a_batch(op_type, axes):
    """OpenVINO 2026.4 sums integers over axis 1 wrongly, from the second row on."""
    x = np.random.default_rng(0).random((5, 7, 16), dtype=np.float32)
    for keepdims in (0, 1):
        sums = _sum_of_int8(op_type, axes, 3, keepdims)
        expected = predictor(sums, threads=1).predict({"x": x})
        actual = predictor(sums, "openvino", threads=1).predict({"x": x})
        np.testing.assert_allclose(actual, expected, rtol=1e-3)


def _int8_layers(n_rows: int, *, bias: bool) -> tuple[Candidate, dict[str, np.ndarray]]:
    """Two int8 layers, one behind the other, and rows for them.

    Weights have 7 bits, so that sums are exact on processors without VNNI too.
    """
    make, rng = helper.make_node, np.random.default_rng(0)
    values: dict[str, np.ndarray] = {"scale": np.float32(0.02), "zero": np.uint8(128)}
    nodes, source = [], "x"
    for number, (n_in, n_out) in enumerate([(32, 32), (32, 3)]):
        values[f"w{number}"] = rng.integers(-60, 60, (n_in, n_out)).astype(np.int8)
        values[f"s{number}"] = rng.uniform(0.0005, 0.001, n_out).astype(np.float32)
        values[f"b{number}"] = rng.normal(size=n_out).astype(np.float32)
        nodes += [
            make("QuantizeLinear", [source, "scale", "zero"], [f"q{number}"]),
            make("DequantizeLinear", [f"q{number}", "scale", "zero"], [f"r{number}"]),
            make("DequantizeLinear", [f"w{number}", f"s{number}"], [f"v{number}"], axis=1),
            make("MatMul", [f"r{number}", f"v{number}"], [f"y{number}"]),
        ]
        if bias:
            nodes.append(make("Add", [f"y{number}", f"b{number}"], [f"a{number}"]))
        source = f"a{number}" if bias else f"y{number}"
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 32])],
        [helper.make_tensor_value_info(source, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    rows = {"x": rng.normal(size=(n_rows, 32)).astype(np.float32)}
    return Candidate("layers", "onnx", model.SerializeToString()), rows


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n_rows", [1, 3, 64])
def test_int8_layers_one_behind_the_other_are_right(n_rows, bias):
    """OpenVINO 2026.4 runs layers without a bias as one kernel, wrongly, on AVX512-VNNI or AMX."""
    layers, rows = _int8_layers(n_rows, bias=bias)
    expected = predictor(layers, threads=1).predict(rows)
    actual = predictor(layers, "openvino", threads=1).predict(rows)
    np.testing.assert_allclose(actual, expected, atol=0.02 * expected.std())


@pytest.mark.parametrize(("bias", "n_changed"), [(True, 0), (False, 2)])
def test_layers_without_a_bias_get_one_that_changes_nothing(bias, n_changed):
    layers, _ = _int8_layers(1, bias=bias)
    model = openvino_runtime.library().Core().read_model(io.BytesIO(layers.model))
    assert keep_layers_apart(model) == n_changed
    assert keep_layers_apart(model) == 0


def test_mean_over_height_and_width_stays_in_int8():
    image = np.random.default_rng(0).random((3, 8, 6, 6), dtype=np.float32)
    mean = _sum_of_int8("ReduceMean", [2, 3], 4, 0)
    kinds = [operator["op_type"] for operator in openvino_runtime.executed(mean.model)]
    assert "Eltwise" not in kinds
    np.testing.assert_allclose(
        predictor(mean, "openvino", threads=1).predict({"x": image}),
        predictor(mean, threads=1).predict({"x": image}),
        rtol=1e-3,
    )


class MaskedMean(nn.Module):
    """Attention with a mask, and the mean of the words that the mask keeps, as MiniLM has them."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(100, 32), nn.Embedding(16, 32)
        self.block = nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True)
        self.head = nn.Linear(32, 3)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        places = self.places(torch.arange(input_ids.shape[1], device=input_ids.device))
        states = self.block(
            self.words(input_ids) + places, src_key_padding_mask=attention_mask == 0
        )
        kept = attention_mask.unsqueeze(-1).float()
        return self.head((states * kept).sum(1) / kept.sum(1))


NETWORKS = {
    "masked mean": (MaskedMean, "words"),
    "mean": (attention_networks.Encoder, "steps"),
    "bert": (attention_networks.bert, "words"),
    "distilbert": (attention_networks.distilbert, "words"),
    "vit": (attention_networks.vit, "pixels"),
}


def _attention_inputs(kind: str, n_rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    if kind == "steps":
        return {"x": rng.random((n_rows, 6, 32), dtype=np.float32)}
    if kind == "pixels":
        return {"pixel_values": rng.random((n_rows, 3, 8, 8), dtype=np.float32)}
    mask = (np.arange(8) < rng.integers(3, 9, n_rows)[:, None]).astype(np.int64)
    return {"input_ids": rng.integers(5, 100, (n_rows, 8)) * mask, "attention_mask": mask}


def _static_int8(name: str, folder) -> tuple[Candidate, dict[str, np.ndarray]]:
    """The int8 file of a network, and its inputs."""
    make, kind = NETWORKS[name]
    if name not in ("masked mean", "mean"):
        pytest.importorskip("transformers")
    torch.manual_seed(0)
    network = make().eval()
    rows = Rows(_attention_inputs(kind, 90), np.random.default_rng(1).integers(0, 3, 90))
    data = Splits(rows.take(slice(0, 30)), rows.take(slice(30, 60)), rows.take(slice(60, 90)))
    task = Task(
        "attention", "classification", data, (METRICS["accuracy"],), classes=("a", "b", "c")
    )
    job = Job(task, Candidate(name, "torch", network), folder)
    settings = QuantizationSettings(budget="smoke", activation_type="uint8")
    return get_technique("quantization")(job, settings).candidate, rows.inputs


@pytest.mark.parametrize("name", NETWORKS)
def test_static_int8_of_attention_gives_the_outputs_of_onnx_runtime(name, tmp_path, monkeypatch):
    """The file is right by itself, so that it is right in programs without this runtime too."""
    candidate, inputs = _static_int8(name, tmp_path)
    batch = {key: value[:3] for key, value in inputs.items()}
    reference = predictor(candidate, threads=1)
    spread = float(reference.predict(inputs).std(axis=0).mean())
    ours = predictor(candidate, "openvino", threads=1)
    actual = ours.predict(batch)
    one_by_one = np.concatenate(
        [ours.predict({key: value[n : n + 1] for key, value in batch.items()}) for n in range(3)]
    )
    assert "int8" in ours.details["precision"]
    assert np.abs(actual - reference.predict(batch)).max() < spread
    assert np.abs(actual - one_by_one).max() < 0.5 * spread
    monkeypatch.setattr(openvino_runtime, "keep_sums_in_float", lambda model: 0)
    by_itself = predictor(candidate, "openvino", threads=1).predict(batch)
    assert np.abs(actual - by_itself).max() < 0.5 * spread
