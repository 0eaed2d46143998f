"""Methods that find nothing to quantize are refused with those that do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from workbench.errors import CandidateError
from workbench.tasks.make import make_task
from workbench.technique import Job
from workbench.techniques.quantization import QuantizationSettings, quantize

METHODS = ("static", "dynamic", "weight_only", "float16", "bfloat16", "aware")


def _quantized(model: Any, method: str, folder: Any) -> Any:
    x = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    task = make_task("own", model=model.fit(x, y), train=(x, y)).without_test()
    job = Job(task=task, start=task.start, folder=folder)
    return quantize(job, QuantizationSettings(method=method, budget="smoke"))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, LogisticRegression])
def test_model_without_layers_is_refused_by_every_method_with_one_way_out(kind, method, tmp_path):
    with pytest.raises(CandidateError) as refused:
        _quantized(kind(), method, tmp_path)
    text = str(refused.value)
    name = kind.__name__.lower()
    assert text.endswith(f"No method of quantization changes `{name}`: leave this step out.")
    assert "Use the method" not in text


def test_method_without_a_layer_names_the_methods_that_find_some(tmp_path):
    with pytest.raises(CandidateError) as refused:
        _quantized(MLPClassifier(max_iter=5), "aware", tmp_path)
    named = str(refused.value).split("Methods that find something to quantize: ")[1]
    for method in named.rstrip(".").split(", "):
        outcome = _quantized(MLPClassifier(max_iter=5), method, tmp_path)
        assert outcome.candidate.form == "onnx", method
