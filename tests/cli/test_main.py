"""The command line: real commands in real processes, refusals in words, and options made from the
settings.
"""

from __future__ import annotations

import shlex

import pytest

from workbench.cli import main as cli
from workbench.recipe import Recipe
from workbench.runs.handle import start
from workbench.settings import knobs
from workbench.techniques import get_technique, technique_names


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    recipe = Recipe.make(
        "digits",
        [{"quantization": {"activation_type": "uint8"}}],
        start="cnn",
        budget="smoke",
        price_per_core_hour=0.1,
    )
    return start(recipe, root=tmp_path_factory.mktemp("runs")).wait(timeout=300)


def _root(run):
    return ["--root", str(run.folder.parent)]


def test_list_and_show_tell_the_runs_and_the_ledger(finished, capsys):
    assert cli.main(["list", *_root(finished)]) == 0
    assert finished.name in capsys.readouterr().out
    assert cli.main(["show", "last", *_root(finished)]) == 0
    shown = capsys.readouterr().out
    assert "quantization" in shown
    assert "core-s/1M" in shown
    assert "Test: cnn-int8" in shown
    assert str(finished.result.onnx_path) in shown


def test_resume_of_a_finished_run_shows_it_again(finished, capsys):
    assert cli.main(["run", "--resume", finished.name, *_root(finished)]) == 0
    assert "quantization" in capsys.readouterr().out


def test_measure_takes_any_onnx_file_and_a_kept_candidate(finished, tmp_path, capsys):
    lonely = tmp_path / "lonely.onnx"
    lonely.write_bytes(finished.result.onnx_path.read_bytes())
    assert (
        cli.main(["measure", str(lonely), "--budget", "smoke", "--price-per-core-hour", "0.1"]) == 0
    )
    out = capsys.readouterr().out
    assert all(
        word in out for word in ("latency, batch 1", "multiply-adds", "core-seconds", "price")
    )
    assert (
        cli.main(
            [
                "measure",
                str(finished.folder / "steps" / "01-quantization"),
                "--task",
                "digits",
                "--budget",
                "smoke",
            ]
        )
        == 0
    )
    assert "accuracy (valid)" in capsys.readouterr().out


def test_store_is_rebuilt_from_the_run_folders(finished, capsys):
    (finished.folder.parent / "store.db").unlink()
    assert cli.main(["store", "rebuild", *_root(finished)]) == 0
    assert "Recorded 1 runs" in capsys.readouterr().out
    assert (finished.folder.parent / "store.db").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("run nowhere.yml", "The recipe cannot be read"),
        ("run", "Name a recipe"),
        ("pruning --pruning-ratio 3", "`pruning_ratio` must be at most 0.99, got 3"),
        ("show nothing", "No run matches `nothing`"),
        ("measure nothing.onnx", "There is no file"),
        ("settings prunning", "Did you mean `pruning`"),
    ],
)
def test_refusals_are_told_in_words_and_by_the_exit_status(
    command, words, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split(command)) == 1
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*/run.json")), "nothing was started"


@pytest.mark.parametrize("name", technique_names())
def test_help_of_a_technique_names_every_setting(name, capsys):
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    text = capsys.readouterr().out
    assert all(f"--{k.name.replace('_', '-')}" in text for k in knobs(get_technique(name).settings))


def test_settings_of_a_technique_are_shown_as_a_table(capsys):
    assert cli.main(["settings", "pruning"]) == 0
    assert "pruning_ratio" in capsys.readouterr().out
