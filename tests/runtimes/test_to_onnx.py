"""ONNX files: same answers at any batch size, or a refusal that names what cannot be written."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from workbench.errors import ExportError
from workbench.runtimes import predictor
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate


def test_exported_network_gives_the_same_answers_at_every_batch_size(digits_cnn, digits_task):
    made = to_onnx(digits_cnn, digits_task.example(16))
    runner, source = predictor(made), predictor(digits_cnn)
    for n in (1, 2, 7, 64):
        rows = digits_task.example(n)
        np.testing.assert_allclose(runner.predict(rows), source.predict(rows), rtol=1e-3, atol=1e-4)
    onnx.checker.check_model(onnx.load_from_string(made.model))


class Tokens(nn.Module):
    """Two named inputs, a length that varies, and an object with `.logits`."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(50, 8), nn.Linear(8, 3)

    def forward(self, input_ids, attention_mask):
        weights = attention_mask.unsqueeze(-1).float()
        return self.head((self.embed(input_ids) * weights).sum(1) / weights.sum(1).clamp(min=1))


def test_named_inputs_and_dynamic_length_are_kept():
    rng = np.random.default_rng(0)

    def rows(n, length):
        return {
            "input_ids": rng.integers(0, 50, (n, length)),
            "attention_mask": np.ones((n, length), np.int64),
        }

    made = to_onnx(Candidate("tokens", "torch", Tokens().eval()), rows(4, 12))
    for n, length in ((1, 5), (3, 12), (2, 30)):
        assert predictor(made).predict(rows(n, length)).shape == (n, 3)


class Branches(nn.Module):
    def forward(self, x):
        return x * 2 if x.sum().item() > 0 else x


def test_control_flow_on_values_is_refused_with_the_reason():
    with pytest.raises(ExportError, match="`branches` cannot be written as ONNX.*control flow"):
        to_onnx(Candidate("branches", "torch", Branches()), {"x": np.ones((4, 3), np.float32)})


class Drifts(nn.Module):
    """What no exporter can follow: an answer that depends on how often it was asked."""

    def forward(self, x):
        return x + torch.rand(()) * 100


def test_file_that_answers_differently_is_not_accepted():
    with pytest.raises(ExportError, match="gives other outputs"):
        to_onnx(Candidate("drifts", "torch", Drifts()), {"x": np.ones((4, 3), np.float32)})


@pytest.fixture
def wine():
    from sklearn.datasets import load_wine

    raw = load_wine()
    return raw.data.astype(np.float32), raw.target


def test_pipeline_of_scikit_learn_becomes_onnx_with_the_same_probabilities(wine):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = wine
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    candidate = Candidate("pipeline", "sklearn", fitted)
    made = to_onnx(candidate, {"x": x})
    got = predictor(made).predict({"x": x})
    np.testing.assert_allclose(np.exp(got), fitted.predict_proba(x), atol=1e-4)


def test_step_without_a_converter_is_named(wine):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer

    x, y = wine
    fitted = make_pipeline(SplineTransformer(n_knots=3), LogisticRegression(max_iter=2000)).fit(
        x, y
    )
    with pytest.raises(ExportError, match="no converter for `SplineTransformer`"):
        to_onnx(Candidate("pipeline", "sklearn", fitted), {"x": x})


def test_candidate_that_is_onnx_already_is_given_back(digits_cnn, digits_onnx):
    assert to_onnx(digits_onnx, {}) is digits_onnx
    assert dataclasses.replace(digits_onnx).parent == digits_cnn.parent, (
        "another form of the same model is no child"
    )
