"""scikit-learn estimators and transformers on disk: kept natively, loaded without foreign code."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer, StandardScaler
from torch import nn

from workbench.errors import CandidateError
from workbench.keeping.candidates import describe, keep, load_kept, onnx_of
from workbench.keeping.skops_files import read_skops, write_skops
from workbench.models.transformed import Transformed
from workbench.runs.candidates import load_candidate
from workbench.task import Candidate
from workbench.tasks.make import make_task

RAN = []


class Threshold(ClassifierMixin, BaseEstimator):
    """An estimator of the user's own, in a module that another process could import."""

    def __init__(self, at=0.0):
        self.at = at

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, x):
        return (x[:, 0] > self.at).astype(int)

    def __setstate__(self, state):
        RAN.append(state)
        super().__setstate__(state)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6))
    return x, (x[:, 0] + x[:, 1] ** 2 > 1).astype(int)


def _kept(model, rows, folder, **values):
    task = make_task("t", model=model, train=rows)
    candidate, is_trained = task.candidate()
    assert is_trained
    keep(candidate, folder, task.example(16, candidate.prepare), task=task)
    return task, candidate


ESTIMATORS = {
    "boosting": HistGradientBoostingClassifier(max_iter=5),
    "forest": RandomForestClassifier(5),
    "splines": make_pipeline(SplineTransformer(), LogisticRegression()),
    "functions": make_pipeline(FunctionTransformer(np.abs), LogisticRegression()),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator_comes_back_as_the_same_class_with_equal_probabilities(name, rows, tmp_path):
    model = ESTIMATORS[name].fit(*rows)
    _kept(model, rows, tmp_path)
    loaded = load_kept(tmp_path)
    assert loaded.form == "sklearn"
    assert type(loaded.model) is type(model)
    np.testing.assert_array_equal(loaded.model.predict_proba(rows[0]), model.predict_proba(rows[0]))
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".pkl", ".joblib", ".pickle")]


def test_reason_why_there_is_no_onnx_file_is_kept(rows, tmp_path):
    _kept(ESTIMATORS["splines"].fit(*rows), rows, tmp_path)
    assert "SplineTransformer" in describe(tmp_path)["onnx_error"]
    assert onnx_of(tmp_path) is None


def test_foreign_class_is_refused_by_name_and_its_code_does_not_run(rows, tmp_path):
    model = Threshold().fit(*rows)
    task, _ = _kept(model, rows, tmp_path)
    RAN.clear()
    with pytest.raises(CandidateError, match=r"test_estimators\.Threshold.*load_kept\(folder"):
        load_kept(tmp_path)
    assert RAN == []
    assert isinstance(load_kept(tmp_path, trusted=[Threshold]).model, Threshold)
    assert isinstance(load_candidate(tmp_path, task).model, Threshold), "the task at hand has it"


def test_foreign_class_is_refused_in_a_new_process_without_being_imported(
    rows, tmp_path, monkeypatch
):
    (tmp_path / "foreign_estimator.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "print('IMPORTED')\nclass Mine(LogisticRegression):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = importlib.import_module("foreign_estimator").Mine().fit(*rows)
    monkeypatch.delitem(sys.modules, "foreign_estimator")
    keep(Candidate("m", "sklearn", mine), tmp_path / "kept", {"x": rows[0][:16]})
    read = "from workbench.keeping.candidates import load_kept\nload_kept('kept')"
    run = [sys.executable, "-c", read]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert "foreign_estimator.Mine" in done.stderr
    assert "IMPORTED" not in done.stdout


def test_estimator_with_a_lambda_is_trained_again_on_the_same_rows(rows, tmp_path):
    model = make_pipeline(FunctionTransformer(lambda x: x[:, :3]), LogisticRegression()).fit(*rows)
    task, candidate = _kept(model, rows, tmp_path)
    about = describe(tmp_path)
    assert about["kept"] == "refit"
    assert "lambda" in about["reason"]
    with pytest.raises(CandidateError, match="trained again on the task's rows, and the task"):
        load_kept(tmp_path)
    again = load_kept(tmp_path, task=task).model
    assert again.predict(rows[0]).shape == (300,)
    assert again is not candidate.model


def test_file_that_unpacks_to_something_huge_is_refused(tmp_path):
    path = tmp_path / "bomb.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * (80 * 1024**2))
    with pytest.raises(CandidateError, match="unpacks from"):
        read_skops(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04rest"])
def test_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "x.skops").write_bytes(content)
    with pytest.raises(CandidateError, match="is no skops file"):
        read_skops(tmp_path / "x.skops")


def test_changed_file_is_refused(rows, tmp_path):
    _kept(ESTIMATORS["forest"].fit(*rows), rows, tmp_path)
    content = write_skops(LogisticRegression().fit(*rows))
    (tmp_path / "model.skops").write_bytes(content)
    assert zipfile.is_zipfile(io.BytesIO(content))
    with pytest.raises(CandidateError, match="changed"):
        load_kept(tmp_path)


def test_transformer_before_a_network_is_kept_and_never_replaced(rows, tmp_path):
    x, y = rows
    network = nn.Linear(6, 2)
    task = make_task("t", model=network, train=(x, y), prepare=StandardScaler())
    assert isinstance(task.prepare, Transformed)
    candidate, _ = task.candidate()
    other = replace(candidate, prepare=Transformed.fitted(StandardScaler().fit(10 * x), None))
    keep(other, tmp_path, task.example(16, other.prepare), task=task)
    loaded = load_candidate(tmp_path, task)
    raw = {"x": x[:5]}
    np.testing.assert_array_equal(loaded.prepare(raw)["x"], other.prepare(raw)["x"])
    assert not np.allclose(loaded.prepare(raw)["x"], task.prepare(raw)["x"]), "not the task's"
    assert describe(tmp_path)["onnx_takes"] == "prepared rows"


def test_function_of_the_users_own_is_not_called_before_its_module_was_imported(tmp_path):
    inputs = {"x": np.zeros((16, 4), np.float32)}
    candidate = Candidate("net", "torch", nn.Linear(4, 2), prepare=_scale)
    keep(candidate, tmp_path, inputs)
    assert load_kept(tmp_path).prepare({"x": np.ones(3)})["x"][0] == 2
    text = (tmp_path / "candidate.json").read_text()
    (tmp_path / "candidate.json").write_text(
        text.replace(f"{__name__}:_scale", "antigravity:geohash")
    )
    with pytest.raises(CandidateError, match="code that was not loaded here. Import `antigravity`"):
        load_kept(tmp_path).prepare({"x": np.ones(3)})


def _scale(inputs):
    return {name: 2 * a for name, a in inputs.items()}
