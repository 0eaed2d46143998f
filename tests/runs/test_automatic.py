"""Same seed, same result: a run's automatic choices are settled, written down, and carried on."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

from workbench.errors import RunError
from workbench.events import Report
from workbench.recipe import Recipe
from workbench.runs.automatic import (
    RESOLVED_FILE,
    choices_text,
    settle_threads,
    threads_of,
)
from workbench.runs.handle import start
from workbench.settings import RunOptions

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these tests use POSIX signals")


def _weights(run):
    from safetensors.numpy import load_file

    return [
        load_file(folder / "model.safetensors")
        for folder in run.result.steps
        if (folder / "model.safetensors").exists()
    ]


def _same_networks(one, other):
    pairs = zip(_weights(one), _weights(other), strict=True)
    same = [np.array_equal(a[k], b[k]) for a, b in pairs for k in a]
    assert same, "both runs have networks"
    return all(same) and one.result.onnx_path.read_bytes() == other.result.onnx_path.read_bytes()


@pytest.fixture
def run(digits_run):
    """A run of a user whose folder was empty: nothing was chosen before it."""
    return digits_run


def test_run_writes_every_automatic_choice_and_the_versions_into_a_recipe(run):
    text = (run.folder / RESOLVED_FILE).read_text()
    tree = yaml.safe_load(text)
    assert tree["threads"] == 1
    assert tree["device"] in ("cpu", "cuda", "mps")
    names = {key.split()[0] for key in tree["choices"]}
    assert names == {"training", "activation"}
    assert tree["steps"][1]["quantization"]["activation_type"] in ("uint8", "int8")
    assert "torch " in text.splitlines()[1], "versions stand in a comment"
    assert Recipe.from_yaml(text).labels == ("pruning", "quantization")


def test_choices_of_a_run_are_named(run, tmp_path):
    text = choices_text(run.folder)
    assert text.startswith("Chosen by a clock: "), text
    assert "thread" not in text, "the recipe set it"
    assert "the type of activations" in text
    assert text.endswith("see recipe.resolved.yml.")
    assert choices_text(tmp_path) == ""
    settle_threads(tmp_path, RunOptions(), Report())
    assert "of training" in choices_text(tmp_path)


def test_resolved_recipe_gives_the_same_networks_though_killed_and_beside_other_work(
    run, digits_task, monkeypatch, tmp_path
):
    """Another user's folder, as on another machine, which loses its choices when the run is killed;
    a task that is sent to the run; and busy neighbours while it trains.
    """
    home, root = tmp_path / "home", tmp_path / "runs"
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    own = dataclasses.replace(digits_task, built_in=False)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        again = start(Recipe.from_yaml(run.folder / RESOLVED_FILE), own, root=root)
        _wait_for(again, lambda: max(_trained_steps(again), default=0) >= 100)
        os.killpg(again._state()["pid"], signal.SIGKILL)
        _wait_for(again, lambda: again.status == "killed")
        assert [p.name for p in (again.folder / "steps").iterdir()] == ["00-start"]
        stamp = (again.folder / "steps" / "00-start" / "step.json").stat().st_mtime_ns
        with pytest.raises(
            RunError, match="was killed; finished steps are kept. Go on with `workbench resume"
        ):
            again.check()
        last = max(_trained_steps(again))
        assert threads_of(again.folder) == 1
        shutil.rmtree(home / "cache")
        again.resume()
        _wait_for(again, lambda: any(e.step == "quantization" for e, _ in again.events()))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    again.wait(timeout=300)
    assert (again.folder / "steps" / "00-start" / "step.json").stat().st_mtime_ns == stamp, (
        "the finished step was not run again"
    )
    assert _trained_steps(again).count(10) == 1, (
        f"training went on from its checkpoint, and did not begin again (killed at step {last})"
    )
    assert _same_networks(run, again), "it ends where the unbroken run does"
    carried = Recipe.from_yaml(again.folder / RESOLVED_FILE).options.choices
    assert carried == Recipe.from_yaml(run.folder / RESOLVED_FILE).options.choices


def _trained_steps(run):
    """Steps of the fine-tuning after pruning that told their loss."""
    return [
        e.data["x"]
        for e, _ in run.events()
        if e.kind == "curve" and e.step == "pruning" and e.data["name"] == "train loss"
    ]


def _wait_for(run, condition, seconds=300.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"waited too long: {run.status}"
        time.sleep(0.02)


def test_threads_are_settled_once_for_a_run(monkeypatch, tmp_path):
    from workbench.runs import automatic

    monkeypatch.setattr(automatic, "threads_for_now", lambda: 3)
    told = []
    report = Report(told.append)
    assert settle_threads(tmp_path, RunOptions(), report) == 3
    monkeypatch.setattr(automatic, "threads_for_now", lambda: 1)
    assert settle_threads(tmp_path, RunOptions(), report) == 3, "as at the start of the run"
    assert threads_of(tmp_path) == 3


def test_fewer_threads_than_cores_are_told(monkeypatch, tmp_path):
    from workbench.runs import automatic

    monkeypatch.setattr(automatic, "threads_for_now", lambda: 1)
    monkeypatch.setattr(automatic, "n_threads", lambda: 4)
    told = []
    settle_threads(tmp_path, RunOptions(), Report(told.append))
    assert "uses 1 of 4 threads, as the machine is busy" in told[0].data["text"]


def test_threads_of_the_recipe_are_not_measured(monkeypatch, tmp_path):
    from workbench.runs import automatic

    monkeypatch.setattr(automatic, "threads_for_now", lambda: pytest.fail("measured"))
    assert settle_threads(tmp_path, RunOptions(threads=2), Report()) == 2
