"""Quantization-aware training: int8 in ONNX Runtime, the outputs of torch, and clear refusals."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.networks import Decides, Inverted, Recurrent
from workbench.errors import Cancelled, CandidateError, SettingsError
from workbench.events import Report
from workbench.runtimes import predictor
from workbench.system.machine import lacks_int8_products
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques.quantization import qat, qat_file
from workbench.techniques.quantization.qat import train_aware
from workbench.training import FitSettings


def _settings(**changes):
    fit = FitSettings(lr=qat.DEFAULT_LR, epochs=2, max_steps=changes.pop("max_steps", 12))
    plain = {
        "fit": fit,
        "per_channel": True,
        "activation_type": "auto",
        "symmetric": None,
        "keep_float": [],
        "calibration_rows": 128,
    }
    plain["reduce_range"] = lacks_int8_products()
    settings = SimpleNamespace(**plain | changes)
    settings.fit = settings.fit.resolved()
    return settings


def _optimized(content: bytes, folder: Path) -> onnx.GraphProto:
    """The graph as ONNX Runtime runs it."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return onnx.load(options.optimized_model_filepath).graph


def _operators(content: bytes, folder: Path) -> Counter[str]:
    return Counter(n.op_type for n in _optimized(content, folder).node)


def _outputs(job: Job, content: bytes, n: int = 200) -> np.ndarray:
    result = job.start.child("int8", "quantization", form="onnx", model=content)
    return predictor(result, threads=1).predict(job.example(n))


@pytest.fixture(scope="module")
def resnet(digits_task, tmp_path_factory):
    """A job with resnet20 on digits, batch norms away from their start values, and its result."""
    candidate, _ = digits_task.candidate("resnet20", seed=0)
    with torch.no_grad():
        for _ in range(3):
            candidate.model.train()(torch.from_numpy(digits_task.example(256)["image"]))
    candidate.model.eval()
    job = Job(
        task=digits_task.without_test(), start=candidate, folder=tmp_path_factory.mktemp("qat")
    )
    return job, train_aware(job, _settings())


def test_every_convolution_and_residual_add_is_int8_on_resnet20(resnet, tmp_path):
    operators = _operators(resnet[1].content, tmp_path)
    assert (operators["QLinearConv"], operators["QLinearAdd"]) == (21, 9)
    assert (operators["QLinearGlobalAveragePool"], operators["QGemm"]) == (1, 1)
    assert set(operators) - {"QuantizeLinear", "Transpose", "Reshape"} == {
        "QLinearConv",
        "QLinearAdd",
        "QLinearGlobalAveragePool",
        "QGemm",
    }, "nothing computes in float"


def test_file_is_less_than_a_third_and_batch_is_free(resnet, digits_resnet):
    job, result = resnet
    plain = digits_resnet["exported"]  # of the same size, whatever its weights
    assert len(result.content) <= 0.30 * len(plain.model)
    assert [len(_outputs(job, result.content, n)) for n in (1, 7)] == [1, 7]


def _small_candidate() -> Candidate:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 4, 3, 2),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4, 10),
    ]
    return Candidate("small", "torch", nn.Sequential(*layers).eval())


@pytest.fixture
def small_job(job_of, digits_task):
    return lambda **changes: job_of(
        **{"start": dataclasses.replace(_small_candidate(), prepare=digits_task.prepare)} | changes
    )


@pytest.fixture(scope="module")
def small(digits_task, tmp_path_factory):
    """A job with the small network, and its result."""
    candidate = dataclasses.replace(_small_candidate(), prepare=digits_task.prepare)
    job = Job(
        task=digits_task.without_test(), start=candidate, folder=tmp_path_factory.mktemp("small")
    )
    return job, train_aware(job, _settings())


@pytest.fixture(scope="module")
def hostile(digits_task, digits_cnn, tmp_path_factory):
    """A cnn whose channels are scaled by 1/64 to 64 (the next layer undoes it), and its result."""
    net = copy.deepcopy(digits_cnn.model)
    stretch = 2.0 ** torch.linspace(-6, 6, len(net[1].weight))
    with torch.no_grad():
        net[1].weight.mul_(stretch)
        net[1].bias.mul_(stretch)
        net[3].weight.div_(stretch[:, None, None])
    start = dataclasses.replace(digits_cnn, model=net)
    job = Job(
        task=digits_task.without_test(), start=start, folder=tmp_path_factory.mktemp("hostile")
    )
    programs = []
    written = qat.written
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            qat,
            "written",
            lambda program, *rest: programs.append(program) or written(program, *rest),
        )
        result = train_aware(job, _settings(fit=FitSettings(lr=0.002, epochs=3, max_steps=24)))
    return job, result, programs[0]


def test_file_answers_as_the_trained_program_does(hostile):
    job, result, program = hostile
    with torch.no_grad():
        expected = program(torch.from_numpy(job.example(200)["image"])).numpy()
    outputs = _outputs(job, result.content)
    assert np.mean(outputs.argmax(1) == expected.argmax(1)) > 0.98
    assert np.abs(outputs - expected).mean() < 0.01 * np.abs(expected).max(), (
        "kernels round otherwise here and there, by a step"
    )
    assert np.abs(outputs - expected).max() < qat_file.MAX_DIFFERENCE * np.abs(expected).max()
    floats = predictor(job.start).predict(job.example(200))
    assert np.abs(outputs - floats).max() > np.abs(outputs - expected).max(), (
        "closer to the program than to the float network"
    )


def test_training_repairs_what_calibration_alone_loses_when_ranges_are_hostile(hostile):
    job, result, _ = hostile
    valid = job.task.data.valid
    candidate = job.start.child("int8", "quantization", form="onnx", model=result.content)
    outputs = predictor(candidate, threads=1).predict(valid.prepared(job.start.prepare).inputs)
    after = float(np.mean(outputs.argmax(1) == np.asarray(valid.targets)))
    assert after > result.choices["valid_score_calibrated"] + 0.02
    assert result.choices["trained"]


def test_network_given_is_not_touched(small):
    job, _ = small
    fresh = _small_candidate().model.state_dict()
    assert all(
        torch.equal(value, fresh[name]) for name, value in job.start.model.state_dict().items()
    )
    assert not job.start.model.training


def test_calibrated_ranges_are_kept_when_training_makes_it_worse(small_job):
    result = train_aware(small_job(), _settings(fit=FitSettings(lr=9.0, epochs=1, max_steps=4)))
    assert not result.choices["trained"]
    assert (
        max(row["valid_score"] for row in result.history) < result.choices["valid_score_calibrated"]
    )


def test_file_is_the_same_when_seed_is(small_job, small):
    assert train_aware(small_job(), _settings()).content == small[1].content


def test_file_is_the_same_when_training_was_cut_short_and_resumed(small_job, small):
    seen: list[str] = []
    stopping = Report(
        lambda event: seen.append(event.data.get("name", "")),
        cancelled=lambda: "train loss" in seen,
    )
    with pytest.raises(Cancelled):
        train_aware(small_job(report=stopping), _settings())
    resumed = train_aware(small_job(), _settings())
    assert resumed.content == small[1].content
    assert resumed.history == small[1].history


def test_cancel_is_noticed_at_the_first_event(small_job):
    events: list[str] = []
    report = Report(lambda event: events.append(event.kind), cancelled=lambda: bool(events))
    with pytest.raises(Cancelled):
        train_aware(small_job(report=report), _settings())
    assert len(events) == 1


@pytest.mark.parametrize(("name", "n_conv", "n_gemm"), [("2", 1, 1), ("Gemm", 2, 0)])
def test_layer_stays_in_float_when_keep_float_names_it_or_its_kind(
    small_job, tmp_path, name, n_conv, n_gemm
):
    result = train_aware(small_job(), _settings(keep_float=[name], max_steps=1))
    operators = _operators(result.content, tmp_path)
    assert (operators["QLinearConv"], operators["QGemm"]) == (n_conv, n_gemm)
    assert ("2" in result.choices["float"]) == (name == "2")


def test_depthwise_and_squeeze_excite_are_int8_but_for_hardswish(job_of, tmp_path, digits_task):
    torch.manual_seed(0)
    net = Inverted().eval()
    net.head = nn.Linear(8, 10)
    job = job_of(start=Candidate("inverted", "torch", net, prepare=digits_task.prepare))
    operators = _operators(train_aware(job, _settings(max_steps=2)).content, tmp_path)
    assert (operators["QLinearConv"], operators["QLinearMul"], operators["QLinearAdd"]) == (6, 1, 1)
    assert (
        operators["QLinearSigmoid"],
        operators["QLinearGlobalAveragePool"],
        operators["QGemm"],
    ) == (1, 2, 1)
    assert not {"Conv", "Gemm", "BatchNormalization", "ReduceMean", "Add"} & set(operators)


def test_type_of_activations_and_number_of_scales_are_as_asked_for(small_job, small):
    def read(result):
        graph = onnx.load_from_string(result.content).graph
        values = {w.name: w for w in graph.initializer}
        first = next(n for n in graph.node if n.op_type == "QuantizeLinear")
        scales = {n.input[1] for n in graph.node if n.op_type == "DequantizeLinear"}
        return values[first.input[2]].data_type, max(
            np.prod(values[s].dims, dtype=int) for s in scales
        )

    assert read(small[1]) == (onnx.TensorProto.UINT8, 10)
    assert small[1].choices["activation_type"] == "uint8"
    assert read(train_aware(small_job(), _settings(activation_type="int8", per_channel=False))) == (
        onnx.TensorProto.INT8,
        1,
    )


def _shaped(*shape: int) -> list[nn.Module]:
    return [nn.Flatten(), nn.Unflatten(1, shape)]


def _steps() -> list[nn.Module]:
    """Layers that make four steps of four numbers of an image; each step takes time to record."""
    return [nn.AvgPool2d(2), nn.Flatten(1, 2)]


REFUSED = {
    "recurrent": (
        lambda: nn.Sequential(*_steps(), Recurrent(nn.LSTM)),
        r"`2\.rnn` \(LSTM\).*keep_float: \[2\.rnn\]",
    ),
    "decides": (
        lambda: nn.Sequential(*_shaped(16, 4), nn.Flatten(), nn.Linear(64, 4), Decides()),
        r"`4` \(Decides\).*static",
    ),
    "nothing": (
        lambda: nn.Sequential(nn.Flatten(), nn.LayerNorm(64)),
        r"nothing that can be trained for int8.*layer_norm",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_network_is_refused_with_the_layer_and_the_way_out_when_it_has_no_int8_form(
    job_of, digits_task, kind
):
    make, words = REFUSED[kind]
    with pytest.raises(CandidateError, match=words):
        train_aware(
            job_of(start=Candidate(kind, "torch", make().eval(), prepare=digits_task.prepare)),
            _settings(),
        )


def test_rest_is_trained_when_keep_float_names_the_recurrent_layer(job_of, digits_task, tmp_path):
    net = nn.Sequential(*_steps(), Recurrent(nn.GRU))
    net[2].head = nn.Linear(12, 10)
    job = job_of(start=Candidate("gru", "torch", net.eval(), prepare=digits_task.prepare))
    operators = _operators(
        train_aware(job, _settings(keep_float=["2.rnn"], max_steps=1)).content, tmp_path
    )
    assert (operators["GRU"], operators["QGemm"]) == (2, 1)


def test_candidate_in_another_form_is_refused(job_of):
    with pytest.raises(CandidateError, match="form onnx.*static"):
        train_aware(
            job_of(start=Candidate("file", "onnx", b"", prepare=job_of().start.prepare)),
            _settings(),
        )


def test_weights_that_are_not_finite_are_found_before_training(small_job):
    job = small_job()
    with torch.no_grad():
        job.start.model[2].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(CandidateError, match=r"1 values that are not finite in `2\.weight`"):
        train_aware(job, _settings())


def test_unknown_name_in_keep_float_is_refused_with_the_nearest(small_job):
    with pytest.raises(SettingsError, match="`keep_float`.*Did you mean `Conv`"):
        train_aware(small_job(), _settings(keep_float=["Convs"]))
