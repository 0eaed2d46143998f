"""Reference pipelines for tables, features for estimators, and properties of estimators."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

from workbench.errors import UnknownName
from workbench.models.estimators import (
    as_features,
    fills_missing,
    is_estimator,
    is_fitted,
    make_estimator,
    unfitted,
)

NUMERIC = {"age": True, "city": False}


class _OwnKind:
    """An estimator that is not derived from a class of scikit-learn."""

    def __init__(self) -> None:
        self.depth = [3]

    def fit(self, x, y):
        self.mean_ = 0.5
        return self

    def predict(self, x):
        return np.full(len(x), self.mean_)


def _people(n: int = 1500) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.normal(40, 10, n), "city": rng.choice(["a", "b", "c"], n)})
    targets = (table.age + 10 * (table.city == "b") > 43).to_numpy().astype(int)
    table.loc[::10, "age"] = np.nan
    return table, targets


@pytest.mark.parametrize("kind", ["logistic", "boosting", "lightgbm", "xgboost"])
def test_pipeline_learns_from_numbers_and_categories_with_missing_and_unseen_ones(kind):
    if kind in ("lightgbm", "xgboost"):
        pytest.importorskip(kind, reason='pip install "model-optimization-workbench[boosting]"')
    table, targets = _people()
    model = make_estimator(kind, NUMERIC)
    assert not is_fitted(model)
    model.fit(table, targets)
    assert is_fitted(model)
    assert model.score(table, targets) > targets.mean() + 0.1
    strange = pd.DataFrame({"age": [np.nan, 50.0], "city": ["elsewhere", "a"]})
    assert np.isfinite(model.predict_proba(strange)).all()


@pytest.mark.parametrize("numeric", [{"age": True}, {"city": False}])
def test_pipeline_works_with_columns_of_one_kind(numeric):
    table, targets = _people()
    assert make_estimator("logistic", numeric).fit(
        table[list(numeric)], targets
    ).classes_.tolist() == [0, 1]


def test_unknown_estimator_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownName, match="Unknown estimator `logistics`. Did you mean `logistic`"):
        make_estimator("logistics", NUMERIC)


def test_columns_become_a_table_with_their_names():
    features = as_features({"age": np.array([1.0, 2.0]), "city": np.array(["a", "b"])})
    assert list(features.columns) == ["age", "city"]
    assert features.city.tolist() == ["a", "b"]


@pytest.mark.parametrize("shape", [(3,), (3, 4)])
def test_single_array_is_unchanged(shape):
    x = np.ones(shape)
    assert as_features({"x": x}) is x


def test_arrays_of_more_dimensions_are_flattened_and_joined_as_columns():
    x = np.arange(24.0).reshape(3, 2, 4)
    np.testing.assert_array_equal(as_features({"x": x}), x.reshape(3, 8))
    both = as_features({"image": x, "age": np.array([7.0, 8.0, 9.0])})
    assert both.shape == (3, 9)
    assert both[:, -1].tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (LogisticRegression(), True),
        (LogisticRegression, False),
        (nn.Linear(2, 2), False),
        (_OwnKind(), True),
        (print, False),
    ],
)
def test_estimators_are_distinguished_from_classes_and_networks(model, expected):
    assert is_estimator(model) is expected


def test_is_fitted_works_for_estimators_of_any_class():
    x, y = np.eye(4), np.array([0, 1, 0, 1])
    for model in (
        LogisticRegression(),
        make_pipeline(SimpleImputer(), LogisticRegression()),
        _OwnKind(),
    ):
        assert not is_fitted(model)
        assert is_fitted(model.fit(x, y))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (LogisticRegression(), False),
        (HistGradientBoostingClassifier(), True),
        (_OwnKind(), True),
        (make_pipeline(SimpleImputer(), LogisticRegression()), True),
        (make_estimator("logistic", NUMERIC), True),
        (make_pipeline(LogisticRegression()), False),
    ],
)
def test_fills_missing_says_whether_an_estimator_takes_missing_values(model, expected):
    assert fills_missing(model) is expected


def test_unfitted_copy_has_the_settings_and_no_fitted_attribute():
    fitted = LogisticRegression(C=3.0).fit(np.eye(2), [0, 1])
    fresh = unfitted(fitted)
    assert fresh.C == 3.0
    assert not is_fitted(fresh)
    assert is_fitted(fitted)
    own = _OwnKind()
    unfitted(own).depth.append(4)
    assert own.depth == [3]
