"""Estimators: parameters at a strength, through pipelines, and penalties of linear models."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import all_estimators

from tests.techniques.regularization.examples import estimator_job, settings
from workbench.errors import CandidateError, SettingsError
from workbench.measure.anew import Anew
from workbench.techniques import get_technique
from workbench.techniques.regularization.estimators import (
    TABLE,
    check_parameters,
    configured,
    parameters_of,
    strengthened,
)

OF_OTHERS = {"LGBM", "XGB", "CatBoost"}  # libraries that need not be installed


def test_every_parameter_of_the_table_exists():
    classes = dict(all_estimators())
    own = [name for name in TABLE if not any(name.startswith(other) for other in OF_OTHERS)]
    assert set(own) <= set(classes)
    for name in own:
        assert set(TABLE[name]) <= set(classes[name]().get_params()), name


@pytest.mark.parametrize(
    ("estimator", "strength", "expected"),
    [
        (LogisticRegression(C=2.0), 4, {"C": 0.5}),
        (LogisticRegression(C=2.0), 0, {"C": 1e10}),
        (Ridge(alpha=0.5), 10, {"alpha": 5.0}),
        (Ridge(alpha=0.5), 0, {"alpha": 0.0}),
        (RandomForestClassifier(max_depth=8), 4, {"max_depth": 6, "min_samples_leaf": 4}),
        (RandomForestClassifier(max_depth=2), 64, {"max_depth": 1}),
        (RandomForestClassifier(max_depth=2), 0, {"max_depth": None, "min_samples_leaf": 1}),
        (HistGradientBoostingClassifier(), 4, {"l2_regularization": 3.0, "max_leaf_nodes": 16}),
        (HistGradientBoostingClassifier(), 0.25, {"l2_regularization": 0.0, "max_leaf_nodes": 62}),
    ],
)
def test_parameters_follow_a_strength_by_their_rule(estimator, strength, expected):
    params = strengthened(estimator, strength).get_params()
    assert {name: params[name] for name in expected} == pytest.approx(expected)


def test_strength_one_leaves_an_estimator_as_it_is():
    for model in (LogisticRegression(C=3), HistGradientBoostingClassifier(max_depth=4)):
        assert strengthened(model, 1).get_params() == model.get_params()


def test_parameters_are_found_inside_pipelines_and_columns():
    columns = ColumnTransformer([("l1", SelectFromModel(Lasso(alpha=0.1)), [0, 1])])
    model = make_pipeline(columns, StandardScaler(), LogisticRegression())
    names = {p.name for p in parameters_of(model)}
    assert names == {"columntransformer__l1__estimator__alpha", "logisticregression__C"}
    changed = strengthened(model, 10, only="logisticregression__C")
    assert pytest.approx(0.1) == changed.named_steps["logisticregression"].C
    assert changed.get_params()["columntransformer__l1__estimator__alpha"] == 0.1
    assert model.named_steps["logisticregression"].C == 1.0, "the one given stays"


def test_estimator_without_a_known_parameter_is_refused():
    with pytest.raises(CandidateError, match="has no parameter that is known to regularize it"):
        check_parameters(DummyClassifier(), "dummy")


@pytest.mark.parametrize(
    ("model", "penalty", "kind"),
    [
        (LinearRegression(fit_intercept=False), "ridge", Ridge),
        (LinearRegression(fit_intercept=False), "lasso", Lasso),
        (Ridge(alpha=3, fit_intercept=False), "elastic_net", ElasticNet),
        (RidgeClassifier(), "ridge", RidgeClassifier),
        (SGDClassifier(), "lasso", SGDClassifier),
        (LinearSVC(), "lasso", LinearSVC),
    ],
)
def test_linear_model_gets_the_penalty_and_keeps_its_other_settings(model, penalty, kind):
    fresh, notes = configured(make_pipeline(StandardScaler(), model), settings(penalty=penalty))
    last = fresh.steps[-1][1]
    assert type(last) is kind
    assert last.get_params().get("fit_intercept") == model.get_params().get("fit_intercept")
    assert penalty in notes[0]


def test_lasso_makes_coefficients_zero_and_ridge_does_not():
    x = np.random.default_rng(0).normal(size=(200, 20))
    y = (x[:, 0] + 0.3 * np.random.default_rng(1).normal(size=200) > 0).astype(int)
    zeros = {}
    for penalty in ("ridge", "lasso", "elastic_net"):
        model, _ = configured(LogisticRegression(C=0.1, max_iter=500), settings(penalty=penalty))
        zeros[penalty] = int((model.fit(x, y).coef_ == 0).sum())
    assert zeros["ridge"] == 0 < zeros["elastic_net"] <= zeros["lasso"]


def test_penalty_of_a_forest_is_refused():
    with pytest.raises(SettingsError, match="`penalty` lasso is for linear estimators"):
        configured(RandomForestClassifier(), settings(penalty="lasso"))


# The technique


def test_run_chooses_a_strength_and_its_parameters_travel(tmp_path):
    technique, job = get_technique("regularization"), estimator_job(tmp_path)
    outcome = technique(job, settings())
    strength = outcome.resolved.strength
    assert strength in (0.1, 1.0, 10.0)
    assert outcome.evidence["parameters"]["parameter"].tolist() == ["logisticregression__C"]
    model = outcome.candidate.model
    assert pytest.approx(1 / strength) == model.named_steps["logisticregression"].C
    assert outcome.control.model.named_steps["logisticregression"].C == 1.0
    anew = Anew.of(outcome.candidate, job.task)
    trained, _ = anew.trained(
        np.arange(200), budget="smoke", seed=0, device="cpu", report=job.report
    )
    assert pytest.approx(1 / strength) == trained.model.named_steps["logisticregression"].C
    assert any("the best mean" in note for note in outcome.notes)
    (tmp_path / "again").mkdir()
    again = technique(estimator_job(tmp_path / "again"), outcome.resolved)
    assert again.resolved == outcome.resolved
    np.testing.assert_array_equal(
        again.candidate.model.named_steps["logisticregression"].coef_,
        model.named_steps["logisticregression"].coef_,
    )


def test_given_strength_is_used_without_a_choice(tmp_path):
    outcome = get_technique("regularization")(estimator_job(tmp_path), settings(strength=100))
    assert pytest.approx(0.01) == outcome.candidate.model.named_steps["logisticregression"].C
    assert "summary" not in outcome.evidence
    assert "logisticregression__C 1 to 0.01" in outcome.notes[-1]


def test_setting_of_networks_is_refused_for_an_estimator(tmp_path):
    chosen = settings(fit={"dropout": 0.5})
    with pytest.raises(SettingsError, match="`fit_dropout` is for torch models"):
        get_technique("regularization")(estimator_job(tmp_path), chosen)
    swept = settings(swept="dropout")
    with pytest.raises(SettingsError, match="`swept` dropout is a switch of torch networks"):
        get_technique("regularization").actions["sweep"](estimator_job(tmp_path), swept)
