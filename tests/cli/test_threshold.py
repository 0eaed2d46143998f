"""`workbench threshold`: its lines, its JSON and its refusals."""

from __future__ import annotations

import json

import pytest

from tests.runs.test_threshold import cancer, folder  # noqa: F401
from workbench.cli import main as cli
from workbench.runs.trail import Trail


@pytest.fixture
def words(folder, monkeypatch):  # noqa: F811
    """The words of the command for a run whose task is at hand."""
    monkeypatch.setattr(Trail, "task", cancer()[0])
    return ["threshold", folder.name, "--root", str(folder.parent)]


def test_choice_is_told_in_six_lines_of_at_most_100_columns(words, folder, capsys):  # noqa: F811
    assert cli.main([*words, "--cost-false-negative", "10"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) <= 100
    chosen = Trail(folder).threshold()
    assert lines[:5] == list(chosen.lines)
    assert lines[5] == "Kept in steps/02-quantization/threshold.json of the run."
    assert chosen.costs.cost_false_negative == 10
    assert chosen.costs.cost_false_positive == 1


def test_smoke_run_says_that_it_decides_nothing(words, folder, capsys):  # noqa: F811
    recipe = folder / "recipe.yml"
    recipe.write_text(recipe.read_text().replace("standard", "smoke"))
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[5].startswith("A smoke run decides nothing. Kept in steps/")


def test_json_holds_the_threshold_its_costs_and_its_file(words, folder, capsys):  # noqa: F811
    gains = ["--gain-true-positive", "2", "--gain-true-negative", "0.5"]
    assert cli.main([*words, "--step", "pruning", *gains, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    chosen = Trail(folder).threshold("pruning")
    assert told["threshold"] == chosen.threshold
    assert told["costs"] == {
        "cost_false_positive": 1.0,
        "cost_false_negative": 1.0,
        "gain_true_positive": 2.0,
        "gain_true_negative": 0.5,
    }
    assert told["file"] == str(folder / "steps" / "01-pruning" / "threshold.json")
    assert told["is_smoke"] is False


def test_wrong_costs_steps_and_numbers_end_with_their_status(words, capsys):
    assert cli.main([*words, "--cost-false-negative", "0"]) == 1
    assert "`cost_false_negative` + `gain_true_positive` must be above 0" in capsys.readouterr().err
    assert cli.main([*words, "--step", "prunning"]) == 1
    assert "Did you mean `pruning`" in capsys.readouterr().err
    assert cli.main([*words, "--cost-false-negative", "ten"]) == 2
    assert "not a valid float" in capsys.readouterr().err
