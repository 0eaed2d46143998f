"""Masks stay in float: no scale is infinite or as large as a mask, and the outputs agree."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from workbench.data.rows import Rows, Splits
from workbench.errors import CandidateError
from workbench.metrics import METRICS
from workbench.task import Candidate, Task
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.techniques.quantization import QuantizationSettings
from workbench.techniques.quantization.masks import Magnitude, constant_masks, joined, magnitude
from workbench.techniques.quantization.pt2e_values import unscalable_values

LENGTH, WIDTH, ROWS = 6, 8, 90
LARGEST_SCALE = 2.0  # of an activation; one of a mask of -10000 would be 39


def _file(mask: str) -> bytes:
    """Attention of one head over `x (rows, words, width)`, with a mask from `keep (rows, words)`.

    `mask` says how the mask is made; a last layer with int8 weights gives three classes.
    """
    rng = np.random.default_rng(0)
    constants = {
        f"w{name}": 2 * rng.standard_normal((WIDTH, WIDTH)) / np.sqrt(WIDTH) for name in "qkv"
    }
    constants |= {"wo": rng.standard_normal((WIDTH, 3)), "one": 1.0, "zero": 0.0}
    value = {"infinite": -np.inf, "smallest": np.finfo(np.float32).min}.get(mask, -10_000.0)
    constants["value"] = value
    constants["causal"] = np.triu(np.full((LENGTH, LENGTH), value), 1)[None]
    make = helper.make_node
    nodes = [make("MatMul", ["x", f"w{name}"], [name]) for name in "qkv"]
    nodes += [
        make("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        make("MatMul", ["q", "kt"], ["scores"]),
    ]
    if mask in ("causal", "infinite causal"):
        if mask == "infinite causal":
            constants["causal"] = np.where(constants["causal"] < 0, -np.inf, 0.0)
        nodes.append(make("Add", ["scores", "causal"], ["masked"]))
    elif mask == "where":
        nodes += [
            make("Unsqueeze", ["keep", "axes"], ["keep3"]),
            make("Cast", ["keep3"], ["is_kept"], to=TensorProto.BOOL),
            make("Where", ["is_kept", "scores", "value"], ["filled"]),
            make("Reshape", ["filled", "same"], ["masked"]),
        ]
    elif mask == "product":  # (1 - keep) * -10000, as BERT writes it
        nodes += [
            make("Unsqueeze", ["keep", "axes"], ["keep3"]),
            make("Sub", ["one", "keep3"], ["hidden"]),
            make("Mul", ["hidden", "value"], ["bias"]),
            make("Add", ["scores", "bias"], ["masked"]),
        ]
    else:
        nodes += [
            make("Unsqueeze", ["keep", "axes"], ["keep3"]),
            make("Cast", ["keep3"], ["is_kept"], to=TensorProto.BOOL),
            make("Where", ["is_kept", "zero", "value"], ["bias"]),
            make("Add", ["scores", "bias"], ["masked"]),
        ]
    nodes += [
        make("Softmax", ["masked"], ["shares"], axis=-1),
        make("MatMul", ["shares", "v"], ["attended"]),
        make("ReduceMax", ["attended", "word_axis"], ["state"], keepdims=0),
        make("MatMul", ["state", "wo"], ["output"]),
    ]
    arrays = {name: np.asarray(array, np.float32) for name, array in constants.items()}
    arrays |= {
        "axes": np.array([1]),
        "word_axis": np.array([1]),
        "same": np.array([0, LENGTH, LENGTH]),
    }
    inputs = [("x", ["rows", LENGTH, WIDTH]), ("keep", ["rows", LENGTH])]
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows", 3])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


def _inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    keep = np.ones((ROWS, LENGTH), np.float32)
    keep[::2, 4:] = 0
    return {"x": rng.standard_normal((ROWS, LENGTH, WIDTH)).astype(np.float32), "keep": keep}


def _job(model: bytes | nn.Module, folder, inputs: dict[str, np.ndarray]) -> Job:
    targets = np.random.default_rng(2).integers(0, 3, ROWS)
    rows = Rows(inputs, targets)
    data = Splits(rows.take(slice(0, 30)), rows.take(slice(30, 60)), rows.take(slice(60, 90)))
    task = Task("masks", "classification", data, (METRICS["accuracy"],), classes=("a", "b", "c"))
    form = "onnx" if isinstance(model, bytes) else "torch"
    return Job(task, Candidate("net", form, model), folder)


def _quantize(job: Job, **settings):
    settings = {"budget": "smoke", "activation_type": "uint8", **settings}
    if settings.get("method", "static") not in ("static", "aware"):
        del settings["activation_type"]
    return get_technique("quantization")(job, QuantizationSettings(**settings))


def _scales(content: bytes) -> list[float]:
    """Scales of the activations of a file."""
    graph = onnx.load_from_string(content).graph
    values = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    return [float(values[node.input[1]]) for node in nodes]


def _sqnr(outcome) -> float:
    return float(outcome.evidence["whole_file"].set_index("measure").after["output_sqnr_db"])


MASKS = ("infinite", "smallest", "add", "product", "where", "causal", "infinite causal")


@pytest.mark.parametrize("mask", MASKS)
def test_mask_never_enters_a_scale_and_the_outputs_agree(mask, tmp_path):
    outcome = _quantize(_job(_file(mask), tmp_path, _inputs()))
    scales = _scales(outcome.candidate.model)
    assert scales, "the products are still in int8"
    assert max(scales) < LARGEST_SCALE
    assert _sqnr(outcome) > 20
    assert any("stayed in float" in note and "mask" in note for note in outcome.notes)
    assert outcome.resolved.keep_float, "the resolved settings name the operators"


@pytest.mark.parametrize("calibration", ["percentile", "entropy"])
def test_histograms_of_masked_values_are_not_needed(calibration, tmp_path):
    job = _job(_file("infinite"), tmp_path, _inputs())
    outcome = _quantize(job, calibration=calibration)
    assert max(_scales(outcome.candidate.model)) < LARGEST_SCALE
    assert _sqnr(outcome) > 15


def test_resolved_settings_give_the_same_file_again(tmp_path):
    job = _job(_file("add"), tmp_path, _inputs())
    first = _quantize(job)
    again = get_technique("quantization")(job, first.resolved)
    assert again.candidate.model == first.candidate.model


def test_network_without_a_mask_keeps_nothing_in_float(job_of):
    outcome = _quantize(job_of())
    assert outcome.resolved.keep_float == []
    assert not any("mask" in note for note in outcome.notes)


def test_calibration_rows_that_are_not_finite_are_left_out_and_told(tmp_path):
    inputs = _inputs()
    inputs["x"][[61, 70]] = np.nan
    outcome = _quantize(_job(_file("add"), tmp_path, inputs))
    assert any("2 of 30 calibration rows were left out" in note for note in outcome.notes)
    assert max(_scales(outcome.candidate.model)) < LARGEST_SCALE


def test_infinite_values_of_an_input_that_the_network_guards_stay_in_float(tmp_path):
    """log(0) of a feature: the network replaces it, so its outputs are finite."""

    class Guarded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(WIDTH, 16), nn.Linear(16, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logs = torch.log(x)
            return self.last(torch.relu(self.first(torch.where(torch.isinf(logs), 0.0, logs))))

    x = np.abs(_inputs()["x"][:, 0])
    x[:, 0] = 0
    torch.manual_seed(0)
    outcome = _quantize(_job(Guarded().eval(), tmp_path, {"x": x}))
    scales = _scales(outcome.candidate.model)
    assert scales
    assert np.isfinite(scales).all()
    assert _sqnr(outcome) > 25


def test_inputs_of_zeros_alone_give_finite_scales(tmp_path):
    inputs = _inputs()
    inputs["x"][:] = 0
    outcome = _quantize(_job(_file("add"), tmp_path, inputs))
    assert np.isfinite(_scales(outcome.candidate.model)).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "dynamic"},
        {"method": "weight_only"},
        {"method": "weight_only", "weight_bits": 4},
        {"method": "float16"},
        {"method": "bfloat16"},
    ],
)
@pytest.mark.parametrize("mask", ["smallest", "infinite causal"])
def test_methods_without_calibration_keep_masks_too(settings, mask, tmp_path):
    outcome = _quantize(_job(_file(mask), tmp_path, _inputs()), **settings)
    assert _sqnr(outcome) > (8 if settings.get("weight_bits") == 4 else 20)


def test_table_of_masks_is_no_layer_with_broken_weights(tmp_path):
    """A Gather of rows of a constant causal mask reads no weights."""
    model = onnx.load_from_string(_file("infinite causal"))
    table = np.where(np.triu(np.ones((LENGTH, LENGTH)), 1) > 0, -np.inf, 0).astype(np.float32)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.arange(LENGTH), "positions"),
        ]
    )
    add = next(node for node in model.graph.node if node.op_type == "Add")
    add.input[1] = "rows_of_table"
    gather = helper.make_node("Gather", ["table", "positions"], ["rows_of_table"])
    model.graph.node.insert(0, gather)
    for settings in ({}, {"method": "dynamic"}):
        outcome = _quantize(_job(model.SerializeToString(), tmp_path, _inputs()), **settings)
        assert _sqnr(outcome) > 20


def test_filled_values_before_a_layer_stay_in_float_in_dynamic_and_aware(tmp_path):
    class Filled(nn.Module):
        """Large negative values reach a layer, whose weights for them are zero."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(WIDTH, 16), nn.Linear(16, 3)
            with torch.no_grad():
                self.first.weight[:, 0] = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = torch.zeros_like(x, dtype=torch.bool)
            hidden[:, 0] = True
            return self.last(torch.relu(self.first(x.masked_fill(hidden, -1e9))))

    torch.manual_seed(0)
    job = _job(Filled().eval(), tmp_path, {"x": _inputs()["x"][:, 0]})
    outcome = _quantize(job, method="dynamic")
    assert outcome.resolved.keep_float == ["first"]
    assert _sqnr(outcome) > 25
    fit = {"epochs": 1, "max_steps": 2, "lr": 1e-12}
    outcome = _quantize(job, method="aware", fit=fit)
    assert any("first (Gemm) stayed in float" in note for note in outcome.notes)
    assert max(_scales(outcome.candidate.model), default=0) < LARGEST_SCALE


def test_graph_of_machine_learning_operators_alone_is_refused(tmp_path):
    from sklearn.linear_model import LogisticRegression

    x = _inputs()["x"][:, 0]
    job = _job(b"", tmp_path, {"x": x})
    model = LogisticRegression().fit(x, np.asarray(job.task.data.train.targets.repeat(3)))
    job = Job(job.task, Candidate("net", "sklearn", model, outputs="probabilities"), tmp_path)
    for method in ("static", "dynamic"):
        with pytest.raises(CandidateError, match="int8 form") as refusal:
            _quantize(job, method=method)
        assert "domain" not in str(refusal.value)


def test_magnitudes_tell_masks_from_values_of_one_size():
    scores = np.random.default_rng(0).standard_normal(500)
    assert magnitude(scores).has_scale
    assert not magnitude(np.append(scores, -10_000)).has_scale
    assert not magnitude(np.append(scores, -np.inf)).has_scale
    assert not magnitude(np.append(scores, np.nan)).has_scale
    assert magnitude(np.zeros(3)).has_scale
    assert magnitude(np.array([0.0, 0.0, -10_000.0])).has_scale, "both values are exact"
    parts = [magnitude(scores), magnitude(np.array([-10_000.0, -10_001.0]))]
    assert not joined(*parts).has_scale, "a mask in one batch, scores in another"
    assert joined(Magnitude(1.0, 0.4), Magnitude(1.5, 0.7)) == Magnitude(1.5, 0.7)


def test_constant_masks_are_told_from_weights():
    arrays = {
        "infinite": np.array([0, -np.inf]),
        "slopes": np.array([0, -0.5, -np.inf]),
        "large": np.array([0, -10_000]),
        "weight": np.array([-2000.0, 3.0]),
        "broken": np.array([0.5, np.inf]),
    }
    constants = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()]
    model = helper.make_model(helper.make_graph([], "g", [], [], constants))
    assert constant_masks(model) == {"infinite", "slopes", "large"}


def test_values_of_a_recorded_graph_are_found_over_batches():
    class Filled(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.masked_fill(x > 5, -1e9) * 2.0

    rows = torch.cat([torch.randn(6, 4), torch.full((2, 4), 6.0)])
    graph = torch.export.export(Filled(), (rows,)).module(check_guards=False)
    names = {node.name for node in unscalable_values(graph, (rows,), rows_at_once=8)}
    assert names == {"masked_fill", "mul"}
