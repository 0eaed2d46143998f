"""The command of a technique: options from its settings and from RunOptions, actions, dry runs."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.cli.sample import SampleSettings, sample
from workbench.cli import main as cli
from workbench.cli.techniques import TechniqueCommand, flat_settings, headings
from workbench.errors import SettingsError
from workbench.recipe import Recipe
from workbench.settings import RunOptions, TechniqueSettings, knob, knobs
from workbench.technique import Job, Outcome, technique
from workbench.techniques import TECHNIQUES


@dataclass
class StartedRun:
    """Stands for a run that was started."""

    folder: Path


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(TECHNIQUES._places, "sample", [sample])
    monkeypatch.setattr(TECHNIQUES, "_loaded", dict(TECHNIQUES._loaded))


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Recipes and places of the runs that commands start, which are not run."""
    import workbench.runs.handle as handle

    seen = []

    def start(recipe, *, root, store):
        seen.append((recipe, root, store))
        return StartedRun(tmp_path)

    monkeypatch.setattr(handle, "start", start)
    return seen


def _params(name="sample"):
    command = TechniqueCommand(name)
    with command.make_context(name, []) as context:
        return {p.name: p for p in command.get_params(context)}


def test_every_setting_and_every_option_of_a_run_is_an_option():
    params = _params()
    for k in (*knobs(SampleSettings), *knobs(RunOptions)):
        option = params[k.name]
        assert option.opts == [f"--{k.name.replace('_', '-')}"]
        assert option.default == k.default
        assert option.help.startswith(k.described_alone)
        assert option.help.endswith(f"[default: {k.default if k.default != '' else chr(34) * 2}]")
    assert set(params) - {k.name for k in (*knobs(SampleSettings), *knobs(RunOptions))} == {
        "action",
        "detach",
        "dry_run",
        "help",
    }


def test_settings_stand_under_headings_by_when_they_apply():
    found = {h: [k.name for k in group] for h, group in headings(SampleSettings).items()}
    assert found == {
        "Settings": ["budget", "method", "ratio"],
        "Only if method is bits": ["n_bits"],
        "Expert settings": ["ratios", "name", "label", "mirror"],
        "Fine-tuning": ["fit_lr"],
        "Fine-tuning, expert settings": ["fit_patience"],
        "Late, expert settings, only if method is bits": ["late_lr", "late_patience"],
    }


def test_help_shows_headings_in_order_and_unit_range_and_default(capsys):
    assert cli.main(["sample", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    order = [*headings(SampleSettings), "Options of the run"]
    places = [text.index(f"{heading}:") for heading in order]
    assert places == sorted(places)
    assert text.count("Only if method is bits") == 1, "in the heading, not in each line"
    assert "<FLOAT> Fraction to remove. (of the channels; 0 to 0.9)" in text
    assert "Only if method is channels. [default: 0.5]" in text
    assert "Bits of a weight. (bits; 1 to 16) [default: 8]" in text, "its heading says when"
    assert "ACTION" in text


def test_values_reach_the_recipe_as_given(started, tmp_path):
    (tmp_path / "ratios.yml").write_text("conv1: 0.5")
    command = (
        "sample --task digits --start cnn --seed 3 --threads 2 --test never --budget smoke "
        "--task-args '{rows: [1, 2]}' --price-per-core-hour 0.1 --method bits --n-bits 4 "
        f"--ratios {tmp_path / 'ratios.yml'} --mirror false --label '' --fit-lr 1e-3 --detach "
        "--root here --store sqlite:///x.db"
    )
    assert cli.main(shlex.split(command)) == 0
    ((recipe, root, store),) = started
    assert (root, store) == ("here", "sqlite:///x.db")
    (step,) = recipe.steps
    assert step.settings == SampleSettings(
        budget="smoke",
        method="bits",
        n_bits=4,
        ratios={"conv1": 0.5},
        mirror=False,
        fit={"lr": 0.001},
    )
    options = recipe.options
    assert (options.task, options.start, options.seed, options.budget) == (
        "digits",
        "cnn",
        3,
        "smoke",
    )
    assert (options.threads, options.test, options.price_per_core_hour) == (2, "never", 0.1)
    assert options.task_args == {"rows": [1, 2]}


def test_yaml_text_with_dots_and_quotes_is_read():
    words = shlex.split("sample --ratios '{a.b: 0.25, \"c d\": 0.5}'")
    assert SampleSettings.from_flat(flat_settings(words)).ratios == {"a.b": 0.25, "c d": 0.5}


@pytest.mark.parametrize("text", ["None", "none"])
def test_none_as_text_is_no_value_where_a_setting_can_be_empty(text):
    flat = flat_settings(["sample", "--name", text, "--label", text])
    assert flat["name"] is None
    assert flat["label"] == text


def test_command_of_a_recipe_is_read_back_equal(capsys):
    settings = SampleSettings(
        method="bits",
        n_bits=3,
        ratios={"a.b": 0.25, "it's": 1e-05},
        name="-x 'y' $HOME",
        label="None",
        mirror=False,
        fit={"lr": 1e-05, "patience": 7},
    )
    options = {
        "start": "cnn",
        "threads": 1,
        "test": "never",
        "device": "cpu",
        "price_per_core_hour": 0.25,
        "task_args": {"text": "it's", "rate": 1e-05},
    }
    recipe = Recipe.make("digits", [("sample", settings)], **options)
    _, *words = shlex.split(recipe.to_command())
    assert SampleSettings.from_flat(flat_settings(words)) == settings
    assert cli.main([*words, "--dry-run"]) == 0
    assert Recipe.from_yaml(capsys.readouterr().out) == recipe


def test_dry_run_prints_the_recipe_and_starts_nothing(started, capsys):
    command = "sample --task digits --ratio 0.25 --threads 2 --dry-run"
    assert cli.main(shlex.split(command)) == 0
    assert not started
    out = capsys.readouterr().out
    assert out.startswith("# First run of this kind here: no estimate.\n"), "a comment of YAML"
    read = Recipe.from_yaml(out)
    assert read == Recipe.make("digits", [{"sample": {"ratio": 0.25}}], threads=2)


def test_dry_run_of_a_recipe_file_checks_task_and_order(started, tmp_path, capsys):
    def run(**values):
        path = tmp_path / "recipe.yml"
        path.write_text(yaml.safe_dump({"version": 1, **values}))
        return cli.main(["run", str(path), "--dry-run"]), capsys.readouterr()

    status, shown = run(task="digits", steps=["pruning", "sample"])
    assert status == 0
    assert yaml.safe_load(shown.out)["steps"] == ["pruning", "sample"]
    assert not shown.err
    status, shown = run(task="digit", steps=["pruning"])
    assert status == 1
    assert "Unknown task `digit`. Did you mean `digits`?" in shown.err
    status, shown = run(task="digits", steps=["sample", "pruning"])
    assert status == 1
    assert "step 2: `pruning` takes models in the form torch" in shown.err
    assert not shown.out
    assert not started


def test_estimate_stands_before_the_start(started, capsys):
    assert cli.main(["sample", "--task", "digits", "--detach"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "First run of this kind here: no estimate."
    assert second.startswith("Run folder: ")


def test_recipe_is_started_where_the_options_say(started, tmp_path):
    path = tmp_path / "recipe.yml"
    path.write_text(json.dumps({"version": 1, "task": "digits", "steps": ["sample"]}))
    place = ["--root", str(tmp_path / "r"), "--store", "sqlite:///s.db"]
    assert cli.main(["run", str(path), "--detach", *place]) == 0
    ((recipe, root, store),) = started
    assert recipe.labels == ("sample",)
    assert [root, store] == [place[1], place[3]]


def test_action_as_second_word_is_an_analysis(started, monkeypatch, tmp_path, capsys):
    import workbench.runs.analyses as analyses

    seen = {}

    def analyse(technique, action, task, **options):
        seen.update(technique=technique, action=action, task=task, **options)
        return {"noise": pd.DataFrame({"layer": ["a[b]"], "noise": [0.5]})}

    monkeypatch.setattr(analyses, "analyse", analyse)
    command = f"sample look --task digits --ratio 0.25 --seed 4 --root {tmp_path}"
    assert cli.main(shlex.split(command)) == 0
    assert (seen["technique"], seen["action"], seen["task"]) == ("sample", "look", "digits")
    assert (seen["seed"], seen["root"]) == (4, str(tmp_path))
    assert seen["settings"] == SampleSettings(ratio=0.25)
    shown = capsys.readouterr().out
    assert "a[b]" in shown
    assert str(tmp_path / "analyses" / "sample-look") in shown
    assert not started


def test_analysis_makes_its_task_with_the_arguments_given(monkeypatch, tmp_path):
    import workbench.runs.analyses as analyses
    import workbench.tasks

    tasks = []
    monkeypatch.setattr(workbench.tasks, "load_task", lambda name, args: (name, dict(args)))
    monkeypatch.setattr(analyses, "analyse", lambda *words, **_: tasks.append(words[2]) or {})
    command = ["sample", "look", "--task", "my.package:make", "--task-args", "{n: 3}"]
    assert cli.main([*command, "--root", str(tmp_path)]) == 0
    assert tasks == [("my.package:make", {"n": 3})]


class ClashingSettings(TechniqueSettings):
    """Settings with a name that the command line takes."""

    detach: bool = knob(False)
    """Whether to detach."""


@technique("clashing", title="Clashing", accepts=("torch",))
def clashing(job: Job, settings: ClashingSettings) -> Outcome:
    """Does nothing."""
    return Outcome(job.start, settings)


def test_setting_named_like_an_option_of_the_command_is_refused(monkeypatch):
    monkeypatch.setitem(TECHNIQUES._places, "clashing", [clashing])
    with pytest.raises(SettingsError, match="`ClashingSettings.detach` clashes with `--detach`"):
        _params("clashing")


def test_completion_of_a_technique_that_cannot_be_imported_is_silent(monkeypatch, capsys):
    monkeypatch.setitem(TECHNIQUES._places, "broken", ["workbench.nowhere"])
    monkeypatch.setenv("_WORKBENCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "workbench broken --r")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert cli.main([]) == 1
    assert capsys.readouterr() == ("", "")
    monkeypatch.delenv("_WORKBENCH_COMPLETE")
    assert cli.main(["--help"]) == 0
    assert "broken" in capsys.readouterr().out, "help needs no import"
    assert cli.main(["broken"]) == 1
    assert "cannot be imported" in capsys.readouterr().err
