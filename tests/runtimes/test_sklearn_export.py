"""Estimators as ONNX: names of columns, scores, and converters that need help."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

import workbench as wb
from workbench.errors import ExportError
from workbench.runtimes.to_onnx import to_onnx

pytestmark = pytest.mark.filterwarnings("ignore")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4))
THREE = np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])
FRAME = pd.DataFrame(X, columns=["sepal length (cm)", "a b", "a_b", "x[0]"]).assign(
    colour=np.where(X[:, 2] > 0, "red", "blue")
)
NUMBERS = FRAME.drop(columns="colour")


def written(model, x, y):
    """The ONNX form; `to_onnx` compares its outputs with the estimator's."""
    task = wb.make_task("t", model=model.fit(x, y), train=(x, y))
    return to_onnx(task.start, task.example(32, None))


@pytest.mark.parametrize(
    "model",
    [SVC(), LinearSVC(), RidgeClassifier(), SGDClassifier(), Perceptron(),
     make_pipeline(StandardScaler(), SVC()), make_pipeline(StandardScaler(), LinearSVC())],
    ids=lambda m: "-".join(type(s).__name__ for s in getattr(m, "named_steps", {"": m}).values()),
)  # fmt: skip
@pytest.mark.parametrize("classes", [2, 3])
def test_scores_of_classifiers_without_probabilities(model, classes):
    assert written(model, X, np.minimum(THREE, classes - 1)).outputs == "logits"


@pytest.mark.parametrize("x", [X, NUMBERS], ids=["matrix", "columns"])
@pytest.mark.parametrize(
    ("model", "y"),
    [
        (HistGradientBoostingClassifier(max_iter=5), THREE),
        (HistGradientBoostingClassifier(max_iter=5), np.minimum(THREE, 1)),
        (HistGradientBoostingRegressor(max_iter=5), X[:, 0]),
        (LogisticRegression(), THREE),
    ],
    ids=["3 classes", "2 classes", "regression", "linear"],
)
def test_histogram_boosting_and_bare_models_of_columns(model, y, x):
    written(model, x, y)


def test_names_of_columns_stay_as_they_are_in_the_data():
    import onnx

    steps = make_column_transformer(
        (OneHotEncoder(), ["colour"]),
        (StandardScaler(), ["sepal length (cm)", "a b"]),
        remainder="passthrough",
    )
    made = written(make_pipeline(steps, LogisticRegression()), FRAME, THREE)
    graph = onnx.load_from_string(made.model).graph
    assert {i.name for i in graph.input} == set(FRAME.columns)


def test_a_step_without_a_converter_is_named():
    model = make_pipeline(FunctionTransformer(np.sin), LogisticRegression())
    with pytest.raises(ExportError, match="FunctionTransformer"):
        written(model, X, THREE)


UNKNOWN = OneHotEncoder(handle_unknown="infrequent_if_exist")
RARE = OneHotEncoder(handle_unknown="ignore", min_frequency=0.3)


def test_unknown_categories_give_zeros_where_none_is_infrequent():
    model = make_pipeline(make_column_transformer((UNKNOWN, ["colour"])), LogisticRegression())
    candidate = written(model, FRAME, np.minimum(THREE, 1))
    other = {"colour": np.array(["green", "red"], object)}
    others = {n: FRAME[n].to_numpy()[:2] for n in NUMBERS} | other
    outputs = wb.predictor(candidate).predict(others)
    expected = model.predict_proba(pd.DataFrame(others))
    assert np.allclose(
        outputs[:, 1] - outputs[:, 0], np.log(expected[:, 1] / expected[:, 0]), atol=1e-4
    )


def test_infrequent_categories_are_refused_and_not_passed_over():
    frame = FRAME.assign(colour=["rare" if i == 0 else c for i, c in enumerate(FRAME.colour)])
    model = make_pipeline(make_column_transformer((RARE, ["colour"])), LogisticRegression())
    with pytest.raises(ExportError, match="infrequent categories"):
        written(model, frame, np.minimum(THREE, 1))
