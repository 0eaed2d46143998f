"""Preparations, pipelines and models that saw rows outside train, and evaluations on noise."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from tests.measure.leakage.tables import task_of
from workbench.errors import DataError, SettingsError
from workbench.measure.leakage import LeakReport, check_evaluation, find_leaks
from workbench.measure.leakage.states import distance, state_of


def _noise(n: int = 100, n_columns: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, n_columns)).astype(np.float32), rng.permutation(np.arange(n) % 2)


def _kinds(report: LeakReport) -> set[str]:
    assert not [note for note in report.notes if "raised" in note]
    return {finding.kind for finding in report.findings}


def _network(n_in: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_in, 4), nn.ReLU(), nn.Linear(4, 1))


@pytest.mark.parametrize(
    ("transformer", "n_in"), [(StandardScaler(), 200), (SelectKBest(f_classif, k=20), 20)]
)
def test_preparation_fitted_on_all_rows_is_found_and_one_fitted_on_train_is_not(transformer, n_in):
    x, y = _noise()
    fitted = transformer.fit(x, y)
    task = task_of((x, y), model=lambda: _network(n_in), prepare=fitted)
    report = find_leaks(task, candidate=task.candidate()[0])
    (finding,) = report.of("fitted_outside_train")
    assert finding.severity == "leak"
    assert finding.numbers["value"] < 0.72
    assert "valid" in finding.where
    fresh = task_of((x, y), model=lambda: _network(n_in), prepare=clone(transformer))
    found = find_leaks(fresh, candidate=fresh.candidate()[0])
    assert "fitted_outside_train" not in _kinds(found)


def test_pipeline_fitted_on_all_rows_is_found_with_its_selection():
    x, y = _noise()
    pipeline = make_pipeline(StandardScaler(), SelectKBest(k=20), LogisticRegression()).fit(x, y)
    report = find_leaks(task_of((x, y), model=pipeline))
    (finding,) = report.of("fitted_outside_train")
    assert finding.where[0] == "pipeline"


def test_pipeline_fitted_on_train_is_no_finding():
    x, y = _noise(300, 40)
    parts = {"train": slice(0, 180), "valid": slice(180, 240), "test": slice(240, 300)}
    pipeline = make_pipeline(StandardScaler(), SelectKBest(k=20), LogisticRegression())
    data = {name: (x[part], y[part]) for name, part in parts.items()}
    task = task_of({**data, "calibration": data["valid"]}, model=pipeline.fit(x[:180], y[:180]))
    assert not _kinds(find_leaks(task)) & {"fitted_outside_train", "trained_on_valid"}


def test_model_trained_on_valid_is_found_and_one_trained_on_train_is_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 6)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=500) > 0).astype(int)
    forest = RandomForestClassifier(40, random_state=0).fit(x, y)
    report = find_leaks(task_of((x, y), model=forest))
    (finding,) = report.of("trained_on_valid")
    assert finding.numbers["value"] < finding.numbers["chance"]
    task = task_of((x, y), model=RandomForestClassifier(40, random_state=0))
    train = task.data.train
    honest = replace(task, start=None)
    fitted = RandomForestClassifier(40, random_state=0).fit(train.inputs["x"], train.targets)
    candidate = replace(honest.candidate()[0], model=fitted)
    assert "trained_on_valid" not in _kinds(find_leaks(honest, candidate=candidate))


def _selected_before(x, y):
    chosen = SelectKBest(k=20).fit_transform(x, y)
    return cross_val_score(LogisticRegression(), chosen, y, cv=4).mean()


def _selected_inside(x, y):
    return cross_val_score(
        make_pipeline(SelectKBest(k=20), LogisticRegression()), x, y, cv=4
    ).mean()


def test_selection_before_the_folds_is_found_and_selection_inside_them_scores_chance():
    x, y = _noise()
    finding = check_evaluation(_selected_before, x, y)
    assert finding is not None
    assert finding.kind == "selected_before_split"
    assert finding.numbers["value"] > 0.7 > finding.numbers["chance"] == 0.5
    assert check_evaluation(_selected_inside, pd.DataFrame(x), pd.Series(y)) is None
    assert abs(_selected_inside(x, y) - 0.5) < 0.15


def test_guard_runs_an_evaluation_of_the_user_on_permuted_targets():
    x, y = _noise(160, 150)
    task = task_of((x, y))
    assert "selected_before_split" in _kinds(find_leaks(task, evaluate=_selected_before))
    assert "selected_before_split" not in _kinds(find_leaks(task, evaluate=_selected_inside))


def test_evaluation_of_amounts_has_chance_zero():
    x, _ = _noise()
    y = np.random.default_rng(1).normal(size=100)
    finding = check_evaluation(lambda x, y: 0.3, x, y, n=5)
    assert finding is not None
    assert finding.numbers["chance"] == 0.0
    assert check_evaluation(lambda x, y: 0.3, x, y, n=5, chance=0.3) is None


@pytest.mark.parametrize(
    ("evaluate", "words"),
    [(lambda x, y: 1 / 0, "raised ZeroDivisionError"), (lambda x, y: float("nan"), "gave nan")],
)
def test_evaluation_that_gives_no_number_is_refused(evaluate, words):
    x, y = _noise()
    with pytest.raises(DataError, match=words):
        check_evaluation(evaluate, x, y)
    with pytest.raises(SettingsError, match="`n` must be at least 5, got 2"):
        check_evaluation(_selected_inside, x, y, n=2)


def test_states_of_equal_objects_are_equal_and_others_are_apart():
    x, _ = _noise()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same, other = (StandardScaler().fit(rows) for rows in (x, x[:50]))
    assert distance(state_of(same), state_of(StandardScaler().fit(x))) == (0.0, 0)
    apart, n = distance(state_of(same), state_of(other))
    assert apart > 0.01
    assert n > 500
