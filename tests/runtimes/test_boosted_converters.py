"""LightGBM and XGBoost as ONNX: the same predictions on all rows, and the extra that is missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.boosted import REGRESSORS, cancer, diabetes, ensemble, mixed, pipeline, started
from workbench.errors import ExportError
from workbench.models.boosted import first_rounds
from workbench.runtimes.outputs import outputs_on
from workbench.runtimes.to_onnx import to_onnx

LIBRARIES = ("lightgbm", "xgboost")


def _differences(task, candidate):
    """The largest difference of probabilities or values on each valid row."""
    valid = task.data.valid
    exported = to_onnx(candidate, task.example(32, None))
    ours, theirs = (outputs_on(c, valid, task_report()) for c in (candidate, exported))
    if candidate.outputs != "values":
        ours, theirs = (
            np.exp(o) / (1 + np.exp(o)) if o.ndim == 1 else np.exp(o) for o in (ours, theirs)
        )
    return np.abs(ours - theirs.reshape(ours.shape)).reshape(len(valid), -1).max(axis=1)


def task_report():
    from workbench.events import Report

    return Report()


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_equal_on_all_rows(name, classes):
    x, y = cancer()
    y = y if classes == 2 else np.where(x[:, 0] > 17, 2, y)
    task, start = started(ensemble(name), (x.astype(np.float32), y))
    assert _differences(task, start).max() < 1e-5


@pytest.mark.parametrize("name", [n for n in REGRESSORS if n.startswith(LIBRARIES)])
def test_values_are_equal_on_all_rows(name):
    x, y = diabetes()
    task, start = started(ensemble(name), (x.astype(np.float32), y))
    assert _differences(task, start).max() < 1e-5 * np.ptp(y)


@pytest.mark.parametrize("name", LIBRARIES)
def test_pipeline_with_categories_and_gaps_is_equal_on_all_rows(name):
    task, start = started(pipeline(ensemble(name)), mixed())
    assert _differences(task, start).max() < 1e-5


@pytest.mark.parametrize("name", LIBRARIES)
def test_missing_values_that_the_ensemble_takes_itself_go_the_same_way(name):
    x, y = cancer()
    x = np.where(np.random.default_rng(0).random(x.shape) < 0.3, np.nan, x).astype(np.float32)
    task, start = started(ensemble(name), (x, y))
    assert _differences(task, start).max() < 1e-5


@pytest.mark.parametrize("name", LIBRARIES)
def test_first_rounds_make_a_smaller_file(name):
    x, y = cancer()
    task, start = started(ensemble(name, 40), (x.astype(np.float32), y))
    short = start.child("short", "pruning", model=first_rounds(start.model, 10))
    sizes = [len(to_onnx(c, task.example(32, None)).model) for c in (start, short)]
    assert sizes[1] < 0.4 * sizes[0]
    assert _differences(task, short).max() < 1e-5


@pytest.mark.parametrize("name", LIBRARIES)
def test_missing_converters_name_the_extra(name, monkeypatch):
    task, start = started(pipeline(ensemble(name)), mixed())
    for module in [m for m in sys.modules if m.partition(".")[0] == "onnxmltools"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "onnxmltools", None)
    kind = type(start.model[-1]).__name__
    with pytest.raises(ExportError, match=rf"{kind}.* needs the extra `boosting`.*\[boosting\]"):
        to_onnx(start, task.example(32, None))
