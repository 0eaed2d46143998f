"""Runs that version 0.1.0 wrote still show, load and resume.

`files/runs-of-0.1.0.zip` holds three of them as that version left them: `digits` (pruning and
quantization of dscnn, finished), `estimator` (a LogisticRegression of the user's own, which it kept
as ONNX alone), and `killed` (a network class of a script, its task sealed, killed after pruning).
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.errors import RunError
from workbench.ledger.tables import cells
from workbench.store.entries import read_entry
from workbench.system.machine import host

ARCHIVE = Path(__file__).parent / "files" / "runs-of-0.1.0.zip"


@pytest.fixture
def runs(tmp_path):
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    for run in tmp_path.glob("*/run.json"):
        about = json.loads(run.read_text())
        run.write_text(json.dumps({**about, "started_in": str(tmp_path)}))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("digits", ["start", "onnx", "pruning", "quantization"]),
        ("estimator", ["start", "onnx"]),
        ("killed", ["start", "onnx", "pruning"]),
    ],
)
def test_ledger_shows_with_its_latencies(runs, name, steps):
    trail = wb.attach(runs / name).result
    assert list(trail.ledger.step) == steps
    assert (trail.ledger.latency_ms > 0).all()
    assert (trail.ledger.latency_64_ms > 0).all()
    heads, lines = cells(trail.rows)
    assert {"batch 1", "batch 64"} <= set(heads)
    assert len(lines) == len(steps)
    assert trail.scorecard("start").quality
    assert read_entry(runs / name).rows


def test_candidates_load_and_answer_as_they_did(runs):
    """The int8 file was scored on a processor without VNNI, where sums of products saturate.

    With VNNI its answers are those of the network that was quantized.
    """
    trail = wb.attach(runs / "digits").result
    task = wb.load_task("digits")
    before = None
    for step in ("pruning", "quantization"):
        candidate = trail.candidate(step)
        rows = task.data.valid.prepared(candidate.prepare)
        outputs = wb.predictor(candidate).predict(dict(rows.inputs))
        place = next(trail.folder.glob(f"steps/*-{step}"))
        kept = np.load(place / f"valid-{step}.npy")
        expected = [kept, *([before] if before is not None and _adds_exactly() else [])]
        assert max(np.mean(outputs.argmax(1) == e.argmax(1)) for e in expected) > 0.99
        before = outputs
    assert trail.model is not None
    assert trail.test.n == 350


def _adds_exactly() -> bool:
    """Whether this processor adds products of int8 in 32 bits."""
    return any("vnni" in instruction for instruction in host().instructions)


def test_estimator_that_was_kept_as_onnx_alone_comes_back_as_onnx(runs):
    candidate = wb.attach(runs / "estimator").result.candidate()
    assert candidate.form == "onnx"
    outputs = wb.predictor(candidate).predict({"x": np.zeros((3, 6), np.float32)})
    assert outputs.shape == (3, 2)


def test_showing_a_run_imports_no_code_that_its_recipe_names(runs):
    recipe = runs / "digits" / "recipe.yml"
    recipe.write_text(recipe.read_text().replace("task: digits", "task: antigravity:task"))
    run = wb.attach(runs / "digits")
    assert run.recipe.task == "antigravity:task"
    assert "dscnn" in run.result._repr_html_() or run.result.rows
    assert run.result.onnx_path.exists()
    assert "antigravity" not in sys.modules


@pytest.mark.slow
def test_run_killed_between_steps_goes_on_with_what_is_finished(runs):
    folder = runs / "digits"
    shutil.rmtree(folder / "steps" / "02-quantization")
    for name in ("final.json", "ledger.json", "state.json", "process.json"):
        (folder / name).unlink()
    before = list(wb.attach(folder).result.ledger.quality)
    wb.attach(folder).resume().wait(timeout=300)
    trail = wb.attach(folder).result
    assert list(trail.ledger.step) == ["start", "onnx", "pruning", "quantization"]
    assert list(trail.ledger.quality)[:3] == before
    assert trail.test is not None


@pytest.mark.slow
def test_sealed_task_of_an_older_version_is_read_only_if_the_user_vouches_for_it(runs):
    run = wb.attach(runs / "killed")
    assert run.status == "killed"
    with pytest.raises(RunError, match="carry no signature of yours.*--trust"):
        run.resume()
    run.resume(trust=True).wait(timeout=300)
    trail = run.result
    assert list(trail.ledger.step) == ["start", "onnx", "pruning", "quantization"]
    assert not list((run.folder / "private").glob("*.pkl"))
