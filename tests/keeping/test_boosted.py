"""Boosted ensembles on disk: equal in a new process, and the extra that is missing there."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tests.boosted import cancer, diabetes, ensemble, mixed, pipeline, started
from workbench.errors import MissingExtra
from workbench.keeping.candidates import keep, load_kept
from workbench.models.boosted import first_rounds

LIBRARIES = ("lightgbm", "xgboost")
ROWS = (mixed, cancer, diabetes)
READ = """
import sys, numpy as np
from workbench.keeping.candidates import load_kept
from tests.boosted import cancer, diabetes, mixed
folders = sys.argv[1:]
for folder, rows in zip(folders, 2 * (mixed, cancer, diabetes), strict=True):
    model, x = load_kept(folder).model, rows()[0]
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    np.save(folder + "/again.npy", predict(x))
"""


def _predicted(model, x):
    return model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)


def test_ensembles_predict_the_same_in_a_new_process(tmp_path):
    """A pipeline with categories and gaps, the first rounds of a bare one, and a regressor."""
    expected = {}
    for name in LIBRARIES:
        models = (pipeline(ensemble(name)), ensemble(name), ensemble(f"{name}_regressor"))
        for number, (model, rows) in enumerate(zip(models, ROWS, strict=True)):
            task, start = started(model, rows())
            if number == 1:
                start = start.child("short", "pruning", model=first_rounds(start.model, 5))
            folder = tmp_path / f"{name}-{number}"
            folder.mkdir()
            keep(start, folder, task.example(16, None), task=task)
            assert (folder / "model.skops").exists()
            expected[folder] = _predicted(start.model, rows()[0])
    subprocess.run([sys.executable, "-c", READ, *map(str, expected)], check=True)
    for folder, values in expected.items():
        np.testing.assert_array_equal(np.load(folder / "again.npy"), values)


@pytest.mark.parametrize("name", LIBRARIES)
def test_kept_ensemble_names_the_extra_where_its_library_is_missing(name, tmp_path, monkeypatch):
    task, start = started(pipeline(ensemble(name)), mixed())
    keep(start, tmp_path, task.example(16, None), task=task)
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"model.skops.*needs the extra `boosting`"):
        load_kept(tmp_path)
