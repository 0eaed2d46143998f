"""Appraised rows: flipped predictions, milliseconds of the session, no claim beside other work."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import workbench as wb
from workbench.events import Report
from workbench.ledger import appraise as module
from workbench.ledger.appraise import Contestant, appraise
from workbench.measure.timing.latency import TOO_BUSY
from workbench.measure.timing.records import BatchTiming, Timing
from workbench.recipe import Recipe

BEST = {"start": 2.0, "pruning": 0.5}


@pytest.fixture
def busy(request) -> float:
    return getattr(request, "param", 0.0)


@pytest.fixture
def rows(monkeypatch, tmp_path, busy):
    """Rows of two candidates whose outputs differ in five of the predictions."""

    def time_side_by_side(contestants, inputs_of, *, batch_sizes, budget, report):
        return {name: _timing(name, batch_sizes, busy) for name in contestants}

    monkeypatch.setattr(module, "time_side_by_side", time_side_by_side)
    monkeypatch.setattr("workbench.measure.card.peak_share", lambda *_: ("", None))
    task = wb.load_task("digits")
    candidate, _ = task.candidate("cnn", seed=0)
    n = len(np.asarray(task.data.valid.targets))
    outputs = np.eye(10)[np.arange(n) % 10]
    other = outputs.copy()
    other[:5] = np.roll(other[:5], 1, axis=1)
    contestants = [
        Contestant("start", candidate, outputs),
        Contestant("pruning", replace(candidate, name="cnn-pruned"), other),
    ]
    return appraise(
        contestants,
        task,
        report=Report(),
        recipe=Recipe.make("digits", [], start="cnn"),
        seconds=[1.0, 1.0],
        folder=tmp_path,
        origin=contestants[0],
    )


def _timing(name, batch_sizes, busy):
    best = BEST[name]
    blocks = tuple(best * f for f in (1.0, 1.01, 1.02, 1.0, 1.01))
    batches = tuple(
        BatchTiming(n, best * n, best, best, best, best, 100, blocks, blocks, blocks)
        for n in batch_sizes
    )
    return Timing(
        name=name,
        runtime="torch",
        device="cpu",
        threads=1,
        batches=batches,
        load_time_ms=1.0,
        import_time_ms=1.0,
        peak_memory_bytes=1,
        model_memory_bytes=1,
        busy=busy,
        warning="",
        session="1",
        budget="standard",
        rounds=5,
        block_seconds=0.1,
    )


def test_flipped_predictions_are_counted_against_start_and_parent(rows):
    start, step = rows
    assert (step.flipped_start, step.flipped_parent, step.n_valid) == (5, 5, 350)
    assert (start.flipped_start, start.flipped_parent, start.n_valid) == (None, None, 350)


def test_row_keeps_the_milliseconds_of_its_session(rows):
    start, step = rows
    assert step.parent == "start"
    assert step.start_latencies_ms == step.parent_latencies_ms == {1: 2.0, 64: 128.0}
    assert start.start_latencies_ms == start.parent_latencies_ms == {}


@pytest.mark.parametrize(
    ("busy", "decision"),
    [(0.0, "better"), (TOO_BUSY, "better"), (TOO_BUSY + 0.01, "undecided"), (0.8, "undecided")],
    indirect=["busy"],
)
def test_latency_verdict_beside_other_work_is_undecided(rows, busy, decision):
    verdicts = [v for v in rows[1].against_start if v.metric.endswith("latency")]
    assert [v.decision for v in verdicts] == [decision, decision]
    assert rows[1].busy == busy
    assert ("other work used" in verdicts[0].text) is (decision == "undecided")
    others = [v for v in rows[1].against_start if not v.metric.endswith("latency")]
    assert others, "scores are judged all the same"
    assert not any("other work" in v.text for v in others)


@pytest.mark.parametrize(
    ("kind", "before", "after", "flipped"),
    [
        ("classification", np.eye(3), np.eye(3)[[0, 2, 1]], 2),
        ("binary", np.array([1.0, -1.0, 2.0]), np.array([[3.0], [1.0], [-2.0]]), 2),
        ("multilabel", np.array([[1, -1], [1, 1]]), np.array([[1, 1], [1, 1]]), 1),
        ("regression", np.array([1.0]), np.array([2.0]), None),
        ("classification", np.zeros((2, 3, 4)), np.zeros((2, 3, 4)), None),
        ("custom", np.eye(2), np.eye(2)[::-1], None),
    ],
)
def test_prediction_that_flips_is_another_class(kind, before, after, flipped):
    contestants = (Contestant("a", None, before), Contestant("b", None, after))
    assert module._flipped(*contestants, SimpleNamespace(kind=kind)) == flipped
