"""A user's own model from the door to the ledger and the file: what the built-in tasks do must hold
for these too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from torch import nn

from workbench.errors import CandidateError
from workbench.events import Report
from workbench.recipe import Recipe
from workbench.runs.opening_test import open_test
from workbench.runs.steps import execute
from workbench.tasks.make import make_task


def _run(task, steps, folder, **options):
    recipe = Recipe.make(task.name, steps, budget="smoke", **options)
    (folder / "recipe.yml").write_text(recipe.to_yaml(), encoding="utf-8")
    trail = execute(folder, task.without_test(), recipe, Report())
    open_test(trail, task.data.test, Report())
    return trail


def _mlp(n_in, n_out):
    return nn.Sequential(
        nn.Linear(n_in, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, n_out)
    )


def test_binary_network_with_one_logit_goes_through_pruning_and_quantization(tmp_path):
    x, y = load_breast_cancer(return_X_y=True)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    task = make_task("cancer", model=lambda: _mlp(30, 1), train=(x, y))
    trail = _run(task, [{"pruning": {"round_to": 1}}, "quantization"], tmp_path)
    assert list(trail.ledger.step) == ["start", "onnx", "pruning", "quantization"]
    assert trail.ledger.quality.min() > 0.85
    assert trail.test.chosen[0] > 0.85
    assert type(trail.model) is nn.Sequential


def test_pipeline_of_text_columns_has_nothing_to_quantize_and_is_told_so(tmp_path):
    from workbench.models.estimators import make_estimator

    rng = np.random.default_rng(0)
    n = 1200
    table = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n),
            "income": rng.lognormal(3, 1, n),
            "city": rng.choice(["a", "b", "c"], n),
        }
    )
    late = (table.age + 10 * (table.city == "b") + rng.normal(0, 4, n) > 43).astype(int)
    task = make_task(
        "people",
        model=make_estimator("logistic", {"age": True, "income": True, "city": False}),
        train=table.assign(late=late),
        target="late",
    )
    # Concat, Gather and Reshape only move values: in int8 they would save nothing.
    with pytest.raises(CandidateError, match="No operator of this graph has an int8 form"):
        _run(task, ["quantization"], tmp_path)


def test_regression_network_is_judged_by_its_error(tmp_path):
    x, y = load_diabetes(return_X_y=True)
    x, y = (x / x.std(0)).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    task = make_task("diabetes", model=lambda: _mlp(10, 1), train=(x, y))
    trail = _run(task, [{"pruning": {"pruning_ratio": 0.25, "round_to": 1}}], tmp_path)
    assert trail.ledger.metric.iloc[0] == "mse"
    assert np.isfinite(trail.ledger.quality).all()
    assert trail.test.at_most_lost == {}, "promises in points belong to scores in points"


def test_onnx_file_with_data_is_quantized_and_cannot_be_pruned(tmp_path, digits_task, digits_cnn):
    from workbench.errors import RecipeError
    from workbench.runtimes.to_onnx import to_onnx

    path = tmp_path / "digits.onnx"
    path.write_bytes(to_onnx(digits_cnn, digits_task.example(16)).model)
    train = digits_task.data.train.prepared(digits_task.prepare)
    task = make_task("file", model=path, train=(train.inputs["image"], train.targets))
    (tmp_path / "run").mkdir()
    trail = _run(task, ["quantization"], tmp_path / "run")
    assert list(trail.ledger.step) == ["start", "quantization"], (
        "a model that is ONNX already has no row of its own for the runtime"
    )
    assert trail.ledger.size_ratio.iloc[-1] > 3
    (tmp_path / "other").mkdir()
    with pytest.raises(RecipeError, match="`pruning` takes models in the form torch"):
        _run(task, ["pruning"], tmp_path / "other")
