"""Coverage: what really runs in int8 is read off the runtime's own graph, with the reason for the
rest.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.measure.small_models import conv_net, model_of
from workbench.errors import CandidateError, UnknownName
from workbench.measure.coverage import coverage

INT8 = {"activation_type": "uint8", "budget": "smoke"}


@pytest.fixture(scope="module")
def int8(digits_task, digits_cnn, tmp_path_factory):
    """The digits cnn quantized with `settings`."""
    from workbench.technique import Job
    from workbench.techniques import get_technique

    def make(**settings) -> bytes:
        job = Job(digits_task.without_test(), digits_cnn, tmp_path_factory.mktemp("job"))
        declared = get_technique("quantization")
        return declared(job, declared.settings(**{**INT8, **settings})).candidate.model

    return make


def test_float_graph_has_no_operator_in_int8():
    found = coverage(conv_net())
    assert found.n_low == 0
    assert found.n_all >= 4, "two convolutions, a pool, a product"
    assert found.text == f"0 of {found.n_all} operators run in int8 in onnxruntime."
    assert (found.operators.precision == "fp32").all()


def test_quantized_convolutions_run_in_int8_and_conversions_are_told_apart(int8):
    found = coverage(int8())
    convolutions = found.operators[found.operators.op_type.str.contains("Conv")]
    assert len(convolutions) == 4
    assert (convolutions.precision == "int8").all()
    assert found.n_conversions >= 1, "into integers at the input at least"
    assert found.share > 0.7


def test_operator_kept_in_float_is_told_with_its_reason():
    made = _with_softmax()
    found = coverage(made)
    row = found.operators.set_index("op_type").loc["Exp"]
    assert (row.precision, row.why) == ("fp32", "ONNX Runtime has no int8 kernel for Exp")
    assert "in float stay 1 Exp" in found.text
    assert found.n_low == found.n_all - 1


def _with_softmax() -> bytes:
    """A quantized Add whose result goes through Exp, which has no int8 form."""
    scale, zero = (
        helper.make_tensor("s", TensorProto.FLOAT, [], [0.1]),
        helper.make_tensor("z", TensorProto.UINT8, [], [128]),
    )
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("Add", ["d", "d"], ["a"], name="twice"),
        helper.make_node("QuantizeLinear", ["a", "s", "z"], ["qa"]),
        helper.make_node("DequantizeLinear", ["qa", "s", "z"], ["da"]),
        helper.make_node("Exp", ["da"], ["y"], name="rises"),
    ]
    return model_of(nodes, [scale, zero], ["batch", 8], ["batch", 8])


def test_graph_that_cannot_be_loaded_and_unknown_runtimes_are_refused():
    with pytest.raises(CandidateError, match="cannot load the model"):
        coverage(b"nothing")
    with pytest.raises(UnknownName, match="Unknown runtime with a coverage `torch`"):
        coverage(conv_net(), "torch")


def test_openvino_tells_its_own_precisions(int8):
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    found = coverage(int8(), "openvino")
    convolutions = found.operators[found.operators.op_type.str.contains("Convolution")]
    assert len(convolutions) == 4
    if not (
        convolutions.precision == "int8"
    ).all():  # a processor without int8 instructions falls back to floats, and says so
        assert (found.operators.why != "").any()
    assert coverage(conv_net(), "openvino").n_low == 0


def test_ledger_and_scorecard_hold_coverage_and_share_of_the_peak(digits_run):
    trail = digits_run.result
    start, exported, _, row = trail.rows
    assert start.operators is None, "eager torch has no graph to look at"
    assert exported.int8_operators == 0
    assert row.int8_operators >= 4
    assert row.peak_precision == "int8"
    assert row.peak_share is None or 0 < row.peak_share <= 1, (
        "None where other work disturbed the probe"
    )
    card = trail.scorecard("quantization")
    assert card.coverage["n_low"] == row.int8_operators
    table = trail.evidence("quantization")["operators-quantization"]
    assert len(table) == row.operators
    assert np.isin(["name", "op_type", "precision", "why"], table.columns).all()
    assert onnx.load(trail.onnx_path) is not None
