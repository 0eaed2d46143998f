"""The threshold of a run: chosen on its kept outputs on valid, and kept beside the candidate."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.factories import make_run
from workbench.data.rows import Rows, Splits
from workbench.errors import DataError, RunError, TaskError
from workbench.measure.threshold import decision_threshold
from workbench.metrics import BY_KIND, METRICS
from workbench.recipe import Recipe
from workbench.runs import threshold as threshold_module
from workbench.runs.handle import start
from workbench.runs.threshold import choose_threshold
from workbench.runs.trail import Trail
from workbench.runs.valid_rows import limit_valid
from workbench.task import Task
from workbench.tasks.make import make_task


@cache
def cancer(kind: str = "binary") -> tuple[Task, np.ndarray]:
    """A task of real rows, and outputs of a logistic regression on its valid rows `(300,)`."""
    x, y = load_breast_cancer(return_X_y=True)
    rows = Rows({"x": x[:, 1:3]}, y.astype(np.int64))
    cuts = {"train": (0, 200), "valid": (200, 500), "calibration": (500, 530), "test": (530, 569)}
    data = Splits(**{name: rows.take(np.arange(*cut)) for name, cut in cuts.items()})
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(data.train.inputs["x"], data.train.targets)
    metrics = tuple(METRICS[name] for name in BY_KIND[kind])
    task = Task("cancer", kind, data, metrics)
    return task, model.decision_function(data.valid.inputs["x"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run of that task: a start with its ONNX file, and two steps after it."""
    made = make_run(tmp_path, task="cancer", start="logistic")
    _, outputs = cancer()
    for place, labels in {
        "00-start": ("start", "onnx"),
        "01-pruning": ("pruning",),
        "02-quantization": ("quantization",),
    }.items():
        path = made / "steps" / place / "step.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "label": labels[0]}))
        for number, label in enumerate(labels):
            keep(path.parent, label, outputs + number)
    keep(made / "steps" / "01-pruning", "pruning", outputs - 2)
    return made


def keep(place: Path, label: str, outputs: np.ndarray) -> None:
    """Write outputs on the first rows of valid, and their score in the row of the ledger."""
    np.save(place / f"valid-{label}.npy", outputs)
    task, _ = cancer()
    score = task.metric(outputs, task.data.valid.targets[: len(outputs)])
    about = json.loads((place / "step.json").read_text())
    rows = [row | ({"quality": score} if row["step"] == label else {}) for row in about["rows"]]
    (place / "step.json").write_text(json.dumps({**about, "rows": rows}))


def trail(folder: Path, kind: str = "binary") -> Trail:
    return Trail(folder, task=cancer(kind)[0])


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_threshold_of_the_last_candidate_is_that_of_its_outputs_on_valid(folder: Path) -> None:
    task, outputs = cancer()
    targets = task.data.valid.targets
    chosen = choose_threshold(trail(folder), cost_false_positive=3)
    assert chosen == decision_threshold(outputs, targets, cost_false_positive=3)
    assert chosen.n == 300


def test_it_is_written_beside_the_candidate_and_nothing_else_changes(folder: Path) -> None:
    before = contents(folder)
    chosen = choose_threshold(trail(folder), cost_false_negative=3)
    after = contents(folder)
    kept = after.pop("steps/02-quantization/threshold.json")
    assert after == before
    about = json.loads(kept)
    assert about["version"] == 1
    assert about["step"] == "quantization"
    assert about["split"] == "valid"
    assert trail(folder).threshold() == trail(folder).threshold("quantization") == chosen


def test_new_costs_replace_the_threshold(folder: Path) -> None:
    choose_threshold(trail(folder))
    again = choose_threshold(trail(folder), cost_false_positive=20)
    assert trail(folder).threshold() == again
    assert again.costs.cost_false_positive == 20


def test_step_is_named_as_in_the_ledger_and_the_start_stands_for_its_onnx_file(
    folder: Path,
) -> None:
    task, outputs = cancer()
    chosen = choose_threshold(trail(folder), "pruning")
    assert chosen == decision_threshold(outputs - 2, task.data.valid.targets)
    start = choose_threshold(trail(folder), "start")
    assert start == decision_threshold(outputs + 1, task.data.valid.targets)
    assert trail(folder).threshold("pruning") == chosen
    with pytest.raises(RunError, match="Unknown finished step `prunning`. Did you mean `pruning`"):
        choose_threshold(trail(folder), "prunning")


def test_smoke_run_is_compared_with_the_part_of_valid_that_it_scored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.runs.valid_rows.SMOKE_ROWS", 200)
    recipe = folder / "recipe.yml"
    recipe.write_text(recipe.read_text().replace("standard", "smoke"))
    task, outputs = cancer()
    assert len(limit_valid(task, "smoke").data.valid) == 200
    with pytest.raises(RunError, match=r"kept 300 outputs on valid, and valid of `cancer` has 200"):
        choose_threshold(trail(folder))
    keep(folder / "steps" / "02-quantization", "quantization", outputs[:200])
    chosen = choose_threshold(trail(folder))
    assert chosen == decision_threshold(outputs[:200], task.data.valid.targets[:200])


def test_task_with_other_rows_of_the_same_number_is_refused(folder: Path) -> None:
    task, _ = cancer()
    other = replace(task.data, valid=task.data.valid.take(np.arange(300)[::-1]))
    with pytest.raises(RunError, match="these are not the rows of the run"):
        choose_threshold(Trail(folder, task=replace(task, data=other)))
    assert not list(folder.rglob("threshold.json"))


def test_threshold_that_nobody_chose_names_the_command(folder: Path) -> None:
    with pytest.raises(RunError, match=rf"`02-quantization`.*threshold {folder.name} --cost-false"):
        trail(folder).threshold()


def test_task_that_is_not_at_hand_is_asked_for(folder: Path) -> None:
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**about, "own_task": True}))
    with pytest.raises(RunError, match=r"Hand it over: `wb.choose_threshold\(wb.Trail"):
        choose_threshold(Trail(folder))


def test_sealed_task_of_a_run_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**about, "own_task": True}))
    monkeypatch.setattr(threshold_module, "open_task", lambda private: cancer()[0])
    assert choose_threshold(Trail(folder)).n == 300


def test_task_of_another_kind_is_refused(folder: Path) -> None:
    with pytest.raises(TaskError, match="tasks of kind binary, and `cancer` is of kind classific"):
        choose_threshold(trail(folder, "classification"))


def test_missing_and_damaged_files_are_named(folder: Path) -> None:
    place = folder / "steps" / "02-quantization"
    (place / "threshold.json").write_text('{"threshold": {"threshold": 0.5}}')
    with pytest.raises(RunError, match=r"threshold\.json is damaged"):
        trail(folder).threshold()
    np.save(place / "valid-quantization.npy", np.full(300, np.nan))
    with pytest.raises(DataError, match=r"not numbers \(NaN\) on 300 of 300 rows"):
        choose_threshold(trail(folder))
    (place / "valid-quantization.npy").unlink()
    with pytest.raises(RunError, match=r"valid-quantization\.npy is missing: .* Run the recipe"):
        choose_threshold(trail(folder))
    (folder / "steps" / "01-pruning" / "candidate.json").unlink()
    with pytest.raises(RunError, match="`01-pruning` made no candidate"):
        choose_threshold(trail(folder), "pruning")


@pytest.mark.slow
def test_real_run_of_an_estimator_keeps_what_its_threshold_needs(tmp_path: Path) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[:300, 1:3], y[:300])
    task = make_task(
        "cancer", model=model, train=(x[:300, 1:3], y[:300]), valid=(x[300:, 1:3], y[300:])
    )
    recipe = Recipe.make("cancer", [], budget="smoke", test="never")
    run = start(recipe, task, root=tmp_path).wait(timeout=300)
    # another session has no task at hand, and opens the one that was sealed beside the run
    chosen = choose_threshold(Trail(run.folder), cost_false_positive=10)
    logits = model.decision_function(x[300:, 1:3])
    here = decision_threshold(logits, y[300:], cost_false_positive=10)
    assert chosen.threshold == pytest.approx(here.threshold, abs=1e-5)
    assert chosen.cost.value == pytest.approx(here.cost.value)
    assert chosen.flags(logits).tolist() == here.flags(logits).tolist()
    assert Trail(run.folder).threshold() == chosen
