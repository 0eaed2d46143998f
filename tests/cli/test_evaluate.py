"""`workbench evaluate`: a line a metric, the meaning of the interval, JSON, and refusals."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from workbench.cli import main as cli
from workbench.cli.evaluate import text_of
from workbench.measure.cross_validation import CrossValidation
from workbench.measure.statistics.resampled import fold_scores
from workbench.metrics import METRICS
from workbench.task import Task
from workbench.testing import sklearn_task

TASK = "tests.cli.test_evaluate:small_digits"


def small_digits() -> Task:
    task = sklearn_task()
    train = task.data.train.take(slice(0, 300))
    return replace(task, data=replace(task.data, train=train), start=None)


def _result(n_folds: int = 5, repeats: int = 1) -> CrossValidation:
    n = n_folds * repeats
    values = np.random.default_rng(0).uniform(0.8, 0.9, n)
    scores = tuple(
        fold_scores(values, METRICS[name], n_rows=500, ratio=0.25)
        for name in ("accuracy", "log_loss")
    )
    return CrossValidation(
        candidate="net",
        task="digits",
        scores=scores,
        n_folds=n_folds,
        repeats=repeats,
        seed=0,
        budget="standard",
        n_train=(400,) * n,
        n_held=(100,) * n,
        digest="0123",
        notes=("`prepare` is not fitted anew in each fold, as it has no `fitted`.",),
    )


@pytest.mark.parametrize(("n_folds", "repeats"), [(1, 1), (5, 1), (5, 2), (50, 3)])
def test_text_has_a_line_a_metric_and_at_most_100_columns(n_folds: int, repeats: int) -> None:
    lines = text_of(_result(n_folds, repeats)).split("\n")
    assert lines[0].startswith("accuracy  8")
    assert lines[1].startswith("log_loss  0.8")
    assert max(map(len, lines)) <= 100
    assert lines[-1].startswith("`prepare` is not fitted anew")


def test_text_names_each_fold_where_there_is_room_and_the_interval_with_its_meaning() -> None:
    text = text_of(_result())
    result = _result().scores[0]
    shown = ", ".join(f"{100 * v:.2f}" for v in result.values)
    assert f"folds {shown}" in text
    assert f"({100 * result.low:.2f} to {100 * result.high:.2f})" in text
    assert "corrected resampled t-test" in text
    assert "50 folds from 80." in text_of(_result(50))


@pytest.mark.usefixtures("importable")
def test_command_cross_validates_a_model_and_prints_json_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["evaluate", "--task", TASK, "--folds", "3", "--repeats", "2", "--budget", "smoke"]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.startswith("accuracy  ")
    assert cli.main([*words, "--seed", "4", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["n_folds"], shown["repeats"], shown["seed"], shown["budget"]) == (
        3,
        2,
        4,
        "smoke",
    )
    assert len(shown["scores"][0]["values"]) == 6
    assert shown["scores"][0]["mean"] > 0.7
    assert shown["text"].startswith("Quick check, decides nothing: the 95 % interval")
    assert sum(shown["n_held"]) == 600, "the train rows alone, twice"


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--folds", "200"], "and 200 folds need 200 at least: use at most "),
        (["--start", "nothing"], "Unknown candidate `nothing`"),
        (["--seed", "-1"], "`seed` must be at least 0, got -1"),
    ],
)
def test_refusals_are_told_in_words(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", "--task", TASK, *words]) == 1
    assert message in capsys.readouterr().err


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [".", *sys.path])
