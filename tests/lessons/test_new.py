"""`workbench new`: the notebook runs as it is, and its run shows the baselines as rows."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.cli import main as cli
from workbench.lessons.new import notebook_for_table
from workbench.recipe import Recipe
from workbench.runs.folders import run_folders
from workbench.runs.trail import Trail

RNG = np.random.default_rng(0)
N = 400
FRAME = pd.DataFrame({"age": RNG.normal(40, 9, N), "plan": RNG.choice(["basic", "gold"], N)})
CHURN = FRAME.assign(churn=np.where(FRAME.plan.eq("gold") ^ (RNG.random(N) < 0.1), "no", "yes"))


@pytest.fixture
def table(tmp_path, monkeypatch):
    CHURN.to_csv(tmp_path / "churn.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "churn.csv"


@pytest.mark.slow
def test_notebook_runs_by_papermill_and_shows_every_baseline(table, tmp_path, capsys):
    assert cli.main(["new", "churn.csv", "--target", "churn"]) == 0
    assert "models: linear, boosting, dummy" in capsys.readouterr().out
    words = [sys.executable, "-m", "papermill", "churn.ipynb", "out.ipynb", "-k", "python3"]
    words += ["--engine", "workbench"]
    options = ["-p", "budget", "smoke", "-p", "root", str(tmp_path / "runs")]
    subprocess.run([*words, *options], check=True, capture_output=True, env=dict(os.environ))
    executed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert not [o for c in executed.cells for o in c.get("outputs", ()) if o.output_type == "error"]
    (folder,) = run_folders(tmp_path / "runs")
    assert folder.name.endswith("churn-model")
    trail = Trail(folder)
    assert [row.step for row in trail.rows] == ["start", "onnx"], "baselines are no steps"
    assert [row.step for row in trail.baselines] == ["baseline dummy", "baseline boosting"]
    dummy = trail.baselines[0]
    assert dummy.quality < 0.7 < trail.rows[0].quality
    assert dummy.against_start[0].difference == pytest.approx(dummy.quality - trail.rows[0].quality)
    assert "baseline dummy" in trail._repr_html_()
    events = (folder / "events.jsonl").read_text(encoding="utf-8")
    assert "start is better than baseline dummy, the best simpler model" in events


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["churn.csv", "--target", "chum"], "churn"),
        (["churn.csv", "--target", "churn", "--out", "notes.txt"], "must end in .ipynb"),
        (["churn.csv", "--target", "churn", "--out", "old.ipynb"], "exists already"),
    ],
)
def test_wrong_words_are_told_and_nothing_is_written(table, tmp_path, capsys, words, told):
    (tmp_path / "old.ipynb").write_text("mine", encoding="utf-8")
    assert cli.main(["new", *words]) == 1
    assert told in capsys.readouterr().err
    assert (tmp_path / "old.ipynb").read_text(encoding="utf-8") == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["churn.csv", "old.ipynb"]


def test_line_for_the_shell_names_the_same_task(table, capsys):
    assert cli.main(["new", "churn.csv", "--target", "churn"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert cli.main([*shlex.split(line)[1:], "--dry-run"]) == 0
    recipe = Recipe.from_yaml(capsys.readouterr().out)
    assert recipe.task_args == {"name": "churn", "train": str(table), "target": "churn"}
    assert [step.technique for step in recipe.steps] == ["features"]


def test_names_with_quotes_and_signs_stay_as_they_are(tmp_path):
    notebook = notebook_for_table("x", tmp_path / "a'b #1=2.csv", 'will "it" = rain? #3')
    values: dict = {}
    exec(notebook.cells[2].source, values)
    import yaml

    read = yaml.safe_load(values["task_args"])
    assert read["target"] == 'will "it" = rain? #3'
    assert read["train"] == str(tmp_path / "a'b #1=2.csv")


@pytest.mark.parametrize(("option", "column"), [("groups", "owner"), ("times", "day")])
def test_columns_of_times_and_groups_are_arguments_of_the_task(table, tmp_path, option, column):
    labels = np.arange(N) // 4
    CHURN.assign(**{column: labels}).to_csv(table, index=False)
    assert cli.main(["new", "churn.csv", "--target", "churn", f"--{option}", column]) == 0
    notebook = nbformat.read(tmp_path / "churn.ipynb", as_version=4)
    values: dict = {}
    exec(notebook.cells[2].source, values)
    task = wb.load_task(values["task"], json.loads(values["task_args"]))
    assert set(task.data.train.inputs) == {"age", "plan"}
    held = set(getattr(task.data.valid, option).tolist())
    assert not held & set(getattr(task.data.train, option).tolist())
