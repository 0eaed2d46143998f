"""Boosted ensembles by their rounds: the first of them, early stopping, and what has no rounds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.boosted import EXTRA, NAMES, REGRESSORS, cancer, diabetes, ensemble, mixed, pipeline
from workbench.models import boosted
from workbench.models.estimators import last_step, unfitted

N_LEARNED = 300


def _predicted(model, x):
    return model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)


def _staged(model, x, n):
    """Predictions after `n` rounds, as the library itself gives them."""
    if hasattr(model, "staged_predict"):
        staged = model.staged_predict_proba if hasattr(model, "classes_") else model.staged_predict
        return list(staged(x))[n - 1]
    predict = getattr(model, "predict_proba", model.predict)
    if type(model).__name__.startswith("LGBM"):
        return predict(x, num_iteration=n)
    return predict(x, iteration_range=(0, n))


@pytest.mark.parametrize("name", [*NAMES, *REGRESSORS])
def test_first_rounds_predict_as_the_library_does_after_them(name):
    x, y = diabetes() if name in REGRESSORS else cancer()
    model = ensemble(name).fit(x, y)
    before = _predicted(model, x)
    short = boosted.first_rounds(model, 5)
    np.testing.assert_allclose(_predicted(short, x), _staged(model, x, 5), rtol=1e-6)
    assert boosted.n_rounds(short) == short.get_params()[boosted.rounds_name(short)] == 5
    assert boosted.n_trees(short) == 5
    assert boosted.n_nodes(short) < boosted.n_nodes(model)
    assert boosted.n_rounds(model) == 12
    np.testing.assert_array_equal(_predicted(model, x), before)


@pytest.mark.parametrize("name", NAMES)
def test_first_rounds_are_what_training_with_so_few_rounds_gives(name):
    x, y = cancer()
    three = np.where(x[:, 0] > 17, 2, y)  # a tree a class and round
    short = boosted.first_rounds(ensemble(name).fit(x, three), 4)
    again = unfitted(short).fit(x, three)
    assert boosted.n_trees(short) == 12
    np.testing.assert_allclose(_predicted(short, x), _predicted(again, x), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_first_rounds_behind_pipelines_share_the_steps_before(name):
    model = make_pipeline("passthrough", pipeline(ensemble(name))).fit(*mixed())
    short = boosted.first_rounds(model, 3)
    assert boosted.rounds_name(model).startswith("pipeline__model__")
    assert short[1]["columns"] is model[1]["columns"]
    assert (boosted.n_rounds(short), boosted.n_rounds(model)) == (3, 12)
    assert type(short.predict(mixed()[0])) is np.ndarray


@pytest.mark.parametrize("name", NAMES)
def test_early_stopping_keeps_the_rounds_with_the_best_score_on_the_held_rows(name):
    (x, y), told = cancer(), []
    held = x[N_LEARNED:], y[N_LEARNED:]

    def score(predictions):
        assert predictions.shape == (len(held[1]), 2)
        return float(np.log(predictions[np.arange(len(held[1])), held[1]]).mean())

    model = make_pipeline(StandardScaler(), ensemble(name, 7, learning_rate=0.3))
    followed = boosted.Followed(score, lambda n, value: told.append((n, value)), patience=5)
    fitted = boosted.fitted_early(model, x[:N_LEARNED], y[:N_LEARNED], held, followed, most=300)
    assert 5 < followed.best < 295
    assert len(followed.scores) == followed.best + 5, "it ended after five rounds without a gain"
    assert boosted.n_rounds(fitted) == followed.best
    np.testing.assert_allclose(score(fitted.predict_proba(held[0])), max(followed.scores))
    learned_only = StandardScaler().fit(x[:N_LEARNED]).mean_
    np.testing.assert_allclose(fitted[0].mean_, learned_only)
    assert told[-1] == (len(followed.scores), followed.scores[-1])
    parameters = {**last_step(fitted)[1].get_params(), **model[-1].get_params()}
    assert not [k for k, v in parameters.items() if callable(v)], "no function stays behind"


@pytest.mark.parametrize("name", REGRESSORS)
def test_early_stopping_of_regressors_hears_values(name):
    x, y = diabetes()
    held = x[N_LEARNED:], y[N_LEARNED:]

    def score(predictions):
        return -float(np.mean((predictions - held[1]) ** 2))

    followed = boosted.Followed(score, lambda n, value: None, patience=5)
    model = ensemble(name, learning_rate=0.3)
    fitted = boosted.fitted_early(model, x[:N_LEARNED], y[:N_LEARNED], held, followed, most=200)
    np.testing.assert_allclose(score(fitted.predict(held[0])), max(followed.scores), rtol=1e-5)


def test_an_ensemble_with_more_rounds_of_its_own_may_make_them():
    x, y = cancer()
    followed = boosted.Followed(lambda predictions: len(followed.scores), print, patience=3)
    fitted = boosted.fitted_early(ensemble("gradient", 30), x, y, (x, y), followed, most=10)
    assert boosted.n_rounds(fitted) == 30


def test_of_equal_scores_the_last_counts_and_patience_starts_at_the_first():
    followed = boosted.Followed(lambda _: 1.0, lambda n, value: None, patience=4)
    assert [followed(np.zeros(3)) for _ in range(5)] == [False] * 4 + [True]
    assert followed.best == 5


OWN_STOPPING = {
    "gradient": {"n_iter_no_change": 2},
    "histogram": {"early_stopping": True, "n_iter_no_change": 2},
    "lightgbm": {"early_stopping_round": 2},
    "xgboost": {"early_stopping_rounds": 2},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_number_of_rounds_holds_whatever_the_ensemble_did_to_stop_by_itself(name):
    x, y = cancer()
    model = boosted.with_rounds(ensemble(name, 500, **OWN_STOPPING[name]), 40)
    assert boosted.n_rounds(model.fit(x, y)) == 40


def test_lightgbm_is_cut_by_the_name_of_its_rounds_that_counts():
    x, y = cancer()
    model = ensemble("lightgbm", 99, num_boost_round=8).fit(x, y)
    assert boosted.rounds_name(model) == "num_boost_round"
    short = boosted.first_rounds(model, 3)
    assert unfitted(short).fit(x, y).booster_.current_iteration() == 3
    assert model.get_params()["num_boost_round"] == 8


@pytest.mark.parametrize(
    ("name", "parameters", "problem"),
    [
        ("lightgbm", {"boosting_type": "dart"}, "boosting_type='dart'.*later rounds change"),
        ("xgboost", {"booster": "dart"}, "booster='dart'.*later rounds change"),
        ("xgboost", {"booster": "gblinear"}, "has no trees"),
    ],
)
def test_an_ensemble_whose_first_rounds_are_none_is_refused_with_the_reason(
    name, parameters, problem
):
    import re

    model = pipeline(ensemble(name, **parameters))
    assert re.search(problem, boosted.problem_of(model))
    assert not boosted.is_boosted(model)


def test_other_estimators_are_no_boosted_ensembles():
    xgboost = pytest.importorskip("xgboost", reason=EXTRA)
    assert "one round" in boosted.problem_of(xgboost.XGBRFClassifier())
    assert "RandomForestClassifier" in boosted.problem_of(RandomForestClassifier())
    with pytest.raises(TypeError, match="RandomForestClassifier is no boosted ensemble"):
        boosted.rounds_name(RandomForestClassifier())


def test_a_loss_function_of_the_users_own_is_not_stopped_early():
    def loss(y, predictions):
        return predictions - y, np.ones(len(y))

    model = ensemble("xgboost", objective=loss)
    assert boosted.is_boosted(model)
    assert not boosted.can_stop_early(model)
