"""Same seed, same result: a run's automatic choices are settled, written down, and carried on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

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

STEPS = [{"pruning": {"fit": {"max_steps": 50}}}, "quantization"]


def _recipe(**options):
    return Recipe.make(
        "digits", STEPS, **{"start": "cnn", "budget": "smoke", "test": "never", **options}
    )


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


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run alone, with a user's folder of its own: nothing is chosen before it."""
    folder = tmp_path_factory.mktemp("alone")
    patch = pytest.MonkeyPatch()
    patch.setenv("WORKBENCH_HOME", str(folder / "home"))
    try:
        yield start(_recipe(threads=1), root=folder / "runs").wait(timeout=300)
    finally:
        patch.undo()


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


def test_resolved_recipe_gives_the_same_networks_beside_other_work(run, monkeypatch, tmp_path):
    """Another user's folder, as on another machine, and a busy neighbour while it trains."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        again = start(Recipe.from_yaml(run.folder / RESOLVED_FILE), root=tmp_path / "runs").wait(
            timeout=600
        )
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert _same_networks(run, again)
    carried = Recipe.from_yaml(again.folder / RESOLVED_FILE).options.choices
    assert carried == Recipe.from_yaml(run.folder / RESOLVED_FILE).options.choices


def test_killed_run_makes_the_choices_of_its_first_start_again(run, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    recipe = Recipe.from_yaml(run.folder / RESOLVED_FILE)
    broken = start(recipe, root=tmp_path / "runs")
    limit = time.monotonic() + 200
    while not any(e.kind == "curve" and e.step == "pruning" for e, _ in broken.events()):
        assert time.monotonic() < limit
        time.sleep(0.02)
    os.killpg(broken._state()["pid"], signal.SIGKILL)
    while broken.status != "killed":
        time.sleep(0.02)
    assert threads_of(broken.folder) == 1
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "another-home"))
    assert _same_networks(run, broken.resume().wait(timeout=300))


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
