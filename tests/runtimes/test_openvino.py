"""OpenVINO: same answers, the precision that was asked for and that really ran, and refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.measure.small_models import conv_net
from workbench.errors import CandidateError, RunError
from workbench.runtimes import installed_for, predictor
from workbench.task import Candidate

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
