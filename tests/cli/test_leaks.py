"""`workbench leaks`: text, JSON, status and refusals."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.measure.leakage.tables import base
from workbench.cli import main as cli
from workbench.task import Task

TASK = "tests.cli.test_leaks:clean"


def clean() -> Task:
    from tests.measure.leakage.tables import task_of

    return task_of(base(300))


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """References to this module work wherever the tests are started."""
    monkeypatch.setitem(sys.modules, "tests.cli.test_leaks", sys.modules[__name__])


@pytest.fixture
def table(tmp_path: Path) -> str:
    frame = base(300)
    frame.assign(answer=(frame["y"] == "yes").astype(int)).to_csv(tmp_path / "t.csv", index=False)
    return str(tmp_path / "t.csv")


@pytest.mark.filterwarnings("ignore::workbench.errors.WorkbenchWarning")
def test_command_names_the_leaking_column_of_a_file(table, capsys):
    assert cli.main(["leaks", table, "--target", "y"]) == 0
    shown = capsys.readouterr().out
    assert "LEAK: a column is a copy or a function of the target (`answer`)." in shown
    assert "What to do: Leave `answer` out" in shown
    assert max(map(len, shown.splitlines())) <= 100


@pytest.mark.filterwarnings("ignore::workbench.errors.WorkbenchWarning")
def test_command_prints_json_and_nothing_else_and_check_sets_the_status(table, capsys):
    assert cli.main(["leaks", table, "--target", "y", "--json", "--check"]) == 3
    shown = json.loads(capsys.readouterr().out)
    assert shown["findings"][0]["kind"] == "copies_target"
    assert shown["text"].startswith("1 leak")


@pytest.mark.usefixtures("importable")
def test_command_takes_a_task_by_reference_and_groups(capsys):
    assert cli.main(["leaks", TASK, "--check"]) == 0
    assert capsys.readouterr().out.startswith("No leak found")
    assert cli.main(["leaks", TASK, "--groups", "city", "--check"]) == 3


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["t.csv"], "A file needs the column to predict"),
        (["digits", "--target", "y"], "`--target` is for a file of rows; `digits` is a task"),
    ],
)
def test_contradicting_words_are_wrong_usage(words, text, capsys):
    assert cli.main(["leaks", *words]) == 2
    assert text in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::workbench.errors.WorkbenchWarning")
def test_command_reports_test_rows_that_are_in_train_and_the_rest_too(table, tmp_path, capsys):
    frame = pd.read_csv(table)
    frame.iloc[::10].to_csv(tmp_path / "test.csv", index=False)
    words = ["leaks", table, "--target", "y", "--test", str(tmp_path / "test.csv"), "--check"]
    assert cli.main(words) == 3
    shown = capsys.readouterr().out
    assert "LEAK: the same rows are in two splits (`train`, `test`)." in shown
    assert "LEAK: a column is a copy or a function of the target (`answer`)." in shown


def test_command_refuses_test_rows_with_other_columns(table, tmp_path, capsys):
    pd.read_csv(table).drop(columns="age").to_csv(tmp_path / "test.csv", index=False)
    words = ["leaks", table, "--target", "y", "--test", str(tmp_path / "test.csv")]
    assert cli.main(words) == 1
    assert "`test` has the inputs" in capsys.readouterr().err
