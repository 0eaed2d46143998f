"""Baselines are made from the rows alone, and predict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.data.rows import Rows
from workbench.errors import DataError, WorkbenchWarning
from workbench.model_form import Training, form_named
from workbench.models.baselines import baselines_for

RNG = np.random.default_rng(0)
N = 300
FRAME = pd.DataFrame(
    {
        "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(40, 9, N)),
        "plan": RNG.choice(["basic", "gold"], N),
        "user": [f"u{i}" for i in range(N)],
    }
)
CHURN = FRAME.assign(churn=np.where(FRAME.plan.eq("gold") ^ (RNG.random(N) < 0.1), "no", "yes"))
IMAGES = RNG.integers(0, 255, (120, 8, 8)).astype(np.uint8)
TEXTS = np.array(
    [f"a {'good' if i % 2 else 'bad'} film number {i % 7}" for i in range(120)], object
)


def score_of(task: wb.Task, name: str) -> float:
    candidate, is_trained = task.candidate(name)
    assert not is_trained
    fitted = form_named(candidate.form).fit(candidate, task, Training(budget="smoke"))
    rows = task.data.valid.prepared(fitted.prepare)
    return task.metric(wb.predictor(fitted).predict(dict(rows.inputs)), task.data.valid.targets)


def test_task_from_a_file_without_a_model_begins_with_simple_ones(tmp_path):
    CHURN.to_csv(tmp_path / "churn.csv", index=False)
    task = wb.make_task("churn", train=str(tmp_path / "churn.csv"), target="churn")
    assert list(task.builders) == ["linear", "boosting", "dummy"]
    assert task.candidate()[0].name == "linear"
    scores = {name: score_of(task, name) for name in task.builders}
    assert scores["linear"] > 0.8 > 0.6 > scores["dummy"], "only one of them knows the plan"
    assert scores["boosting"] > 0.8


@pytest.mark.parametrize(
    ("train", "names"),
    [
        ((RNG.normal(size=(90, 3)), RNG.normal(size=90)), ["linear", "boosting", "dummy"]),
        ((RNG.normal(size=(90, 3)), RNG.integers(0, 2, (90, 2))), ["linear", "boosting", "dummy"]),
        ((IMAGES, np.arange(120) % 3), ["linear", "dummy", "convnet"]),
        ((np.repeat(IMAGES[:, None], 3, 1), np.arange(120) % 3), ["linear", "dummy", "convnet"]),
        ((TEXTS, np.arange(120) % 2), ["linear", "dummy", "text_cnn"]),
    ],
    ids=["regression", "labels", "grey images", "colour images", "texts"],
)
def test_each_kind_of_rows_has_baselines_that_predict(train, names):
    task = wb.make_task("t", train=train)
    assert list(task.builders) == names
    for name in names:
        assert np.isfinite(score_of(task, name))


def test_dates_of_a_csv_file_are_no_categories(tmp_path):
    days = pd.date_range("2025-01-01", periods=400).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"since": days, "n": np.arange(400) % 7, "y": np.arange(400) % 2})
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(WorkbenchWarning, match="do not use `since`.* `features` uses dates"):
        task = wb.make_task("t", train=tmp_path / "t.csv", target="y")
    assert "since" not in repr(task.candidate("linear")[0].model)


def test_columns_that_are_no_number_and_no_category_are_left_out_and_named():
    frame = CHURN.assign(since=pd.date_range("2024", periods=N))
    with pytest.warns(WorkbenchWarning, match="do not use `since`"):
        task = wb.make_task("t", train=frame, target="churn")
    assert score_of(task, "linear") > 0.8


def test_rows_without_a_baseline_are_told_and_the_task_stands():
    with pytest.raises(DataError, match="No column is a number or a category"):
        baselines_for("binary", Rows({"at": np.array(["2020"] * 9, "M8[Y]")}, np.arange(9) % 2))
    frame = pd.DataFrame({"at": pd.date_range("2024", periods=90), "y": np.arange(90) % 2})
    with pytest.warns(WorkbenchWarning, match="No column"):
        assert wb.make_task("t", train=frame, target="y").builders == {}


def test_trees_see_all_rows_of_a_small_table_and_part_of_a_large_one():
    small, large = (
        baselines_for("binary", Rows({"x": np.zeros((n, 2))}, np.arange(n) % 2)).builders
        for n in (100, 50_000)
    )
    assert small["boosting"]().named_steps["model"].subsample == 1.0
    assert large["boosting"]().named_steps["model"].subsample == 0.1
