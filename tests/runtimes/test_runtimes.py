"""Runtimes: one call for all, refusals that say what else to do, and no silent fallback."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import CandidateError, RunError, UnknownName
from workbench.runtimes import predictor, runtimes_for
from workbench.runtimes.onnx_runtime import OnnxPredictor
from workbench.runtimes.torch_runtime import compiler


def test_compiled_network_answers_like_the_eager_one_where_a_compiler_is_found(
    digits_cnn, digits_task
):
    if compiler() is None:
        with pytest.raises(RunError, match="torch.compile needs a C\\+\\+ compiler"):
            predictor(digits_cnn, "torch-compiled")
        return
    rows = digits_task.example(4)
    np.testing.assert_allclose(
        predictor(digits_cnn, "torch-compiled").predict(rows),
        predictor(digits_cnn).predict(rows),
        atol=1e-4,
    )


def test_failure_of_compiling_is_said_in_our_words(digits_cnn, digits_task, monkeypatch):
    if compiler() is None:
        pytest.skip("needs a C++ compiler: apt-get install g++")
    from torch._dynamo.exc import BackendCompilerFailed

    def failing(*given):
        raise BackendCompilerFailed(lambda: None, AssertionError("no distutils"), None)

    compiled = predictor(digits_cnn, "torch-compiled")
    monkeypatch.setattr(compiled, "_model", failing)
    with pytest.raises(RunError, match="torch.compile failed here: .*Use the runtime `torch`"):
        compiled.predict(digits_task.example(4))


def test_missing_compiler_is_said(digits_cnn, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RunError, match="needs a C\\+\\+ compiler, and none is on the PATH"):
        predictor(digits_cnn, "torch-compiled")


def test_runtime_that_cannot_run_a_form_names_the_way_out(digits_cnn):
    assert runtimes_for(digits_cnn)[0] == "torch"
    with pytest.raises(
        CandidateError, match="`onnxruntime` runs onnx models.*Write it as ONNX first"
    ):
        predictor(digits_cnn, "onnxruntime")
    with pytest.raises(UnknownName, match="Unknown runtime `onnxrt`. Did you mean `onnxruntime`"):
        predictor(digits_cnn, "onnxrt")


def test_provider_that_is_not_there_is_an_error_and_no_fallback(digits_onnx):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build has the CUDA provider")
    with pytest.raises(RunError, match="has no provider for `cuda`"):
        OnnxPredictor(digits_onnx.model, device="cuda")


def test_broken_file_and_wrong_inputs_are_told(digits_onnx):
    with pytest.raises(CandidateError, match="ONNX Runtime cannot load the model"):
        OnnxPredictor(b"not a model")
    runner = predictor(digits_onnx)
    with pytest.raises(
        CandidateError, match=r"needs the inputs \['image'\]; the data has \['a', 'b'\]"
    ):
        runner.predict({"a": np.ones((1, 1, 8, 8)), "b": np.ones(1)})
