"""Every method on every kind of network: a file whose outputs agree, or a clear refusal."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests import networks
from workbench.data.rows import Rows, Splits
from workbench.errors import CandidateError, SettingsError
from workbench.measure.coverage import coverage
from workbench.metrics import METRICS
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate, Task
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.techniques.quantization import QuantizationSettings

METHODS = (
    {"method": "static", "activation_type": "uint8"},
    {"method": "dynamic"},
    {"method": "weight_only"},
    {"method": "weight_only", "weight_bits": 4},
    {"method": "float16"},
    {"method": "bfloat16"},
)
NETWORKS = {
    "depthwise, squeeze-excite": (networks.Inverted, (1, 8, 8)),
    "concatenation": (networks.Dense, (1, 8, 8)),
    "LSTM": (lambda: _Sequence(nn.LSTM), (7, 4)),
    "GRU": (lambda: _Sequence(nn.GRU), (7, 4)),
    "transformer encoder": (networks.Encoder, "tokens"),
}


EXPORTED: dict[str, Candidate] = {}  # the file of each network, which takes seconds to write


class _Sequence(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn, self.head = kind(4, 16, batch_first=True), nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def _job(name, folder) -> Job:
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    model, rng = make().eval(), np.random.default_rng(0)
    if shape == "tokens":
        inputs = {"tokens": rng.integers(1, 50, (120, 5))}
    else:
        inputs = {"x": rng.standard_normal((120, *shape)).astype(np.float32)}
    rows = Rows(inputs, rng.integers(0, 3, 120))
    data = Splits(rows.take(slice(0, 40)), rows.take(slice(40, 80)), rows.take(slice(80, 120)))
    task = Task(name, "classification", data, (METRICS["accuracy"],), classes=("a", "b", "c"))
    job = Job(task, Candidate("net", "torch", model), folder)
    if name not in EXPORTED:
        EXPORTED[name] = to_onnx(job.start, job.example(40))
    return dataclasses.replace(job, exported=EXPORTED[name])


def _quantize(job, **settings):
    return get_technique("quantization")(
        job, QuantizationSettings(**{"budget": "smoke", **settings})
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_every_method_gives_a_file_that_agrees_or_a_refusal_with_the_way_out(name, tmp_path):
    job = _job(name, tmp_path)
    rows = job.example(40)
    job = dataclasses.replace(job, start=job.exported, exported=None)
    expected = predictor(job.start).predict(rows)
    n_files, refused = 0, []
    for settings in METHODS:
        try:
            candidate = _quantize(job, **settings).candidate
        except CandidateError as error:
            refused.append(str(error))
            continue
        n_files += 1
        noise = predictor(candidate).predict(rows) - expected
        sqnr = 10 * np.log10(np.sum(expected**2) / max(np.sum(noise**2), 1e-12))
        assert sqnr > (6 if settings.get("weight_bits") == 4 else 15), f"{settings}: {sqnr:.1f} dB"
    assert n_files >= 5, f"at most one method refuses: {refused}"
    assert all(
        any(word in text for word in ("keep_float", "method", "int8 form")) for text in refused
    )


def test_layers_that_static_leaves_in_float_are_told(tmp_path):
    notes = " ".join(_quantize(_job("GRU", tmp_path), activation_type="uint8").notes)
    assert "1 GRU stayed in float" in notes


def test_small_weights_make_small_files_that_compute_as_before(job_of, digits_task, digits_onnx):
    job, plain = job_of(), digits_onnx
    rows = digits_task.example(200)
    classes = predictor(plain).predict(rows).argmax(1)
    for settings, most in (
        ({"method": "weight_only"}, 0.27),
        ({"method": "weight_only", "weight_bits": 4}, 0.17),
        ({"method": "float16"}, 0.51),
        ({"method": "bfloat16"}, 0.51),
    ):
        outcome = _quantize(job, **settings)
        weights = outcome.evidence["weights"].set_index("part")
        assert weights.loc["weights", "share"] < most, settings
        assert weights.loc["file", "after_bytes"] == len(outcome.candidate.model)
        agreement = np.mean(predictor(outcome.candidate).predict(rows).argmax(1) == classes)
        assert agreement > (0.9 if settings.get("weight_bits") == 4 else 0.99), settings


def test_weights_turned_back_are_folded_when_the_file_is_loaded(job_of):
    for settings in (
        {"method": "weight_only"},
        {"method": "weight_only", "weight_bits": 4},
        {"method": "float16"},
    ):
        covered = coverage(_quantize(job_of(), **settings).candidate.model)
        op_types = set(covered.operators.op_type)
        assert not op_types & {"Mul", "Sub", "BitShift", "BitwiseAnd"}, (
            f"{settings} computes its weights at every call: {op_types}"
        )


def test_static_covers_residual_networks_wholly(job_of, digits_resnet):
    outcome = _quantize(job_of(**digits_resnet), activation_type="uint8")
    covered = coverage(outcome.candidate.model)
    counts = covered.operators[covered.operators.precision == "int8"].op_type.value_counts()
    assert (counts["QLinearConv"], counts["QLinearAdd"]) == (21, 9)
    assert covered.share == 1.0, covered.text
    weights = outcome.evidence["weights"].set_index("part").share
    assert weights["weights"] <= 0.26
    assert weights["file"] <= 0.30


def test_layers_named_by_keep_float_stay_in_float_and_wrong_names_are_refused(
    job_of, digits_resnet
):
    content = _quantize(
        job_of(**digits_resnet), activation_type="uint8", keep_float=["blocks.1"]
    ).candidate.model
    graph = onnx.load_from_string(content).graph
    floats = {
        w.name
        for w in graph.initializer
        if w.data_type == onnx.TensorProto.FLOAT and len(w.dims) == 4
    }
    assert len(floats) == 2, "both convolutions of the block"
    operators = coverage(content).operators
    is_conv = operators.op_type.isin(("Conv", "FusedConv"))
    assert (is_conv & (operators.precision == "fp32")).sum() == 2, "and the runtime leaves them so"
    with pytest.raises(
        SettingsError, match=r"`keep_float`.*`blocks.1.conv9`. Did you mean `blocks.1.conv"
    ):
        _quantize(job_of(**digits_resnet), keep_float=["blocks.1.conv9"])


def test_weights_that_are_not_finite_are_found_before(job_of, digits_onnx):
    import copy

    plain = digits_onnx
    model = onnx.load_from_string(plain.model)
    weight = next(w for w in model.graph.initializer if len(w.dims) == 4)
    values = onnx.numpy_helper.to_array(weight).copy()
    values.ravel()[0] = np.nan
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    broken = dataclasses.replace(copy.copy(plain), model=model.SerializeToString())
    with pytest.raises(CandidateError, match="holds 1 values that are not finite"):
        _quantize(job_of(start=broken))


def test_calibration_rows_that_are_in_test_are_refused_at_the_door(digits_task):
    from workbench.errors import DataError
    from workbench.tasks.checks import check_task

    data = dataclasses.replace(digits_task.data, calibration=digits_task.data.test)
    with pytest.raises(DataError, match="calibration too.*keep a row in one split only"):
        check_task(dataclasses.replace(digits_task, data=data), digits_task.candidate("cnn")[0])


def test_calibration_on_rows_of_one_class_is_doubted(job_of, digits_task):
    rows = digits_task.data.calibration
    one = rows.take(np.flatnonzero(rows.targets == rows.targets[0]))
    task = dataclasses.replace(
        digits_task, data=dataclasses.replace(digits_task.data, calibration=one)
    ).without_test()
    notes = " ".join(_quantize(job_of(task=task), activation_type="uint8").notes)
    assert "class" in notes
    assert (
        "class"
        not in " ".join(_quantize(job_of(), activation_type="uint8").notes).split("wrong class")[0]
    )
