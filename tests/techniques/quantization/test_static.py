"""Static int8: small, close, chosen by timing, and calibrated on calibration rows only."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from workbench.errors import CandidateError
from workbench.measure import coverage
from workbench.runtimes import predictor
from workbench.task import Candidate
from workbench.techniques import get_technique
from workbench.techniques.quantization import QuantizationSettings


def _quantize(job, **settings):
    return get_technique("quantization")(
        job, QuantizationSettings(**{"budget": "smoke", "activation_type": "uint8", **settings})
    )


def test_int8_file_is_about_a_quarter_and_its_outputs_are_nearly_the_same(
    job_of, digits_task, digits_onnx
):
    quantized = _quantize(job_of()).candidate
    plain = digits_onnx
    assert len(quantized.model) < 0.32 * len(plain.model)
    rows = digits_task.example(200)
    int8, floats = predictor(quantized).predict(rows), predictor(plain).predict(rows)
    assert np.mean(int8.argmax(1) == floats.argmax(1)) > 0.98
    assert np.abs(int8 - floats).max() > 0, "it is another model, not the same one"


@pytest.mark.parametrize(
    ("kind", "tensor_type"), [("uint8", onnx.TensorProto.UINT8), ("int8", onnx.TensorProto.INT8)]
)
def test_activations_have_the_type_that_was_asked_for(job_of, kind, tensor_type):
    graph = onnx.load_from_string(_quantize(job_of(), activation_type=kind).candidate.model).graph
    first = next(
        n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == graph.input[0].name
    )
    zero = next(w for w in graph.initializer if w.name == first.input[2])
    assert zero.data_type == tensor_type
    weights = [
        w for w in graph.initializer if w.data_type == onnx.TensorProto.INT8 and len(w.dims) == 4
    ]
    assert len(weights) == 4, "the four convolutions hold int8 weights"


def test_file_holds_no_zero_points_without_need_and_all_of_it_is_still_fused(job_of):
    content = _quantize(job_of()).candidate.model
    graph = onnx.load_from_string(content).graph
    values = {w.name: onnx.numpy_helper.to_array(w) for w in graph.initializer}
    readers = {
        name: (node.op_type, place) for node in graph.node for place, name in enumerate(node.input)
    }
    constants = [n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in values]
    with_zero = {readers[n.output[0]] for n in constants if len(n.input) == 3}
    assert {readers[n.output[0]] for n in constants} == {
        ("Conv", 1),
        ("Conv", 2),
        ("Gemm", 1),
        ("Gemm", 2),
    }
    assert with_zero == {("Gemm", 1)}, "without it ONNX Runtime would leave the Gemm in float"
    covered = coverage(content)
    assert covered.n_low == covered.n_all, covered.text


def test_per_channel_gives_each_output_channel_its_scale(job_of):
    def scales(per_channel):
        graph = onnx.load_from_string(
            _quantize(job_of(), per_channel=per_channel).candidate.model
        ).graph
        read = {n.input[1] for n in graph.node if n.op_type == "DequantizeLinear"}
        return max(np.prod(w.dims, dtype=int) for w in graph.initializer if w.name in read)

    assert scales(True) == 64
    assert scales(False) == 1


def test_activation_type_is_chosen_by_timing_both_and_written_down(job_of):
    outcome = _quantize(job_of(), activation_type="auto")
    assert outcome.resolved.activation_type in ("uint8", "int8")
    table = outcome.evidence["activation_type"]
    largest = table[table.batch_size == table.batch_size.max()].set_index("activation_type").best_ms
    assert largest.idxmin() == outcome.resolved.activation_type


def test_only_calibration_rows_are_seen(job_of, digits_task, monkeypatch):
    import dataclasses

    broken = dataclasses.replace(
        digits_task.data.calibration,
        inputs={"image": digits_task.data.calibration.inputs["image"] * 0},
    )
    task = dataclasses.replace(
        digits_task, data=dataclasses.replace(digits_task.data, calibration=broken)
    ).without_test()
    blind, seeing = _quantize(job_of(task=task)).candidate, _quantize(job_of()).candidate
    rows = digits_task.example(100)
    gap = [
        np.abs(predictor(c).predict(rows) - predictor(job_of().start).predict(rows)).max()
        for c in (blind, seeing)
    ]
    assert gap[0] > 2 * gap[1], "ranges read from black images fit nothing"


def test_model_that_cannot_be_loaded_is_refused(job_of):
    with pytest.raises(CandidateError, match="cannot"):
        _quantize(
            job_of(start=Candidate("broken", "onnx", b"nothing", prepare=job_of().start.prepare))
        )


@pytest.mark.parametrize("calibration", ["percentile", "entropy"])
def test_histograms_of_batches_that_are_not_alike_are_merged(
    job_of, digits_task, digits_onnx, calibration
):
    """97 rows are a batch of 64 and one of 33; outputs must be near those of minmax, not equal."""
    job = job_of()
    assert len(job.task.data.calibration.targets) % 64, "the last batch is a shorter one"
    rows = digits_task.example(200)
    plain = predictor(digits_onnx).predict(rows).argmax(1)
    outputs = predictor(_quantize(job, calibration=calibration).candidate).predict(rows)
    assert np.mean(outputs.argmax(1) == plain) > 0.95
    assert np.abs(outputs - predictor(_quantize(job).candidate).predict(rows)).max() > 0


def test_nothing_is_clipped_by_minmax_and_something_by_percentile(job_of):
    plain = _quantize(job_of()).evidence["ranges"]
    assert (plain.clipped == 0).all()
    assert (_quantize(job_of(), calibration="percentile").evidence["ranges"].clipped > 0).any()
    assert (plain.groupby("layer")["count"].sum() > 0).all()
