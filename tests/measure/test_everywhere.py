"""One candidate on all runtimes: the fastest that answers the same is picked, and what fails takes
nothing with it.
"""

from __future__ import annotations

import numpy as np
import pytest

from workbench.measure.everywhere import (
    _agreement,
    _compared,
    _distance,
    measure_everywhere,
    sweep,
)
from workbench.measure.timing.records import BatchTiming, Timing


def _timing(name: str, ms: float) -> Timing:
    rng = np.random.default_rng(len(name))
    blocks = tuple(float(ms * (1 + 0.01 * rng.random())) for _ in range(12))
    batch = BatchTiming(1, ms, ms, ms, ms, ms, 100, blocks, blocks, blocks)
    return Timing(
        name,
        name,
        "cpu",
        1,
        (batch,),
        1.0,
        1.0,
        1,
        1,
        0.0,
        "",
        "session",
        "smoke",
        12,
        0.1,
        {"precision": "fp32"},
    )


def test_fastest_that_answers_the_same_is_compared():
    right = np.eye(10)[np.arange(100) % 10]
    wrong = np.roll(right, 1, axis=1)
    timings = {
        "slow": _timing("slow", 4.0),
        "quick": _timing("quick", 1.0),
        "other": _timing("other", 0.5),
    }
    answers = {"slow": right, "quick": right, "other": wrong}
    found = _compared(timings, dict.fromkeys(timings, "fp32"), answers, {}, 1)
    assert found.best == "quick"
    rows = found.table.set_index("runtime")
    assert rows.loc["other", "agreement"] == 0.0
    assert "its predictions differ from those of slow" in rows.loc["other", "note"]
    assert rows.loc["other", "distance"] > 1
    assert (
        "other gives other outputs than slow for a batch of rows: 0 % of the predictions are the "
        "same, and the outputs are 1.5 standard deviations apart. Do not use it"
    ) in found.text
    assert (
        3.8
        < rows.loc["quick", "low"]
        < rows.loc["quick", "speedup"]
        < rows.loc["quick", "high"]
        < 4.2
    )
    assert found.verdicts["slow"].decision == "better"
    assert "quick (fp32) is the fastest here at batch 1: 1.00 ms, 4 times slow" in found.text


def test_agreement_counts_classes_and_close_numbers():
    assert _agreement(np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([[0.0, 5.0], [0.0, 1.0]])) == 0.5
    assert _agreement(np.array([0.0, 10.0]), np.array([[0.05], [12.0]])) == 0.5


def test_distance_is_in_deviations_and_infinite_where_one_has_no_number():
    rng = np.random.default_rng(0)
    right = rng.standard_normal((200, 3))
    assert _distance(right, right + 0.1) == pytest.approx(0.1, rel=0.1)
    assert _distance(right, rng.standard_normal((200, 3))) > 1
    assert _distance(right, np.where(right > 2, np.nan, right)) == np.inf
    with_minus_infinity = np.where(right > 2, -np.inf, right)
    assert _distance(with_minus_infinity, with_minus_infinity.copy()) == 0
    assert _distance(with_minus_infinity, right) == np.inf
    assert _distance(np.full((9, 2), 5.0), np.full((9, 2), 5.01)) < 0.1


def test_runtime_with_the_same_classes_and_other_outputs_is_refused():
    """A class that nearly all rows have hides rows that are wrong."""
    right = np.random.default_rng(0).standard_normal((100, 2)) + np.array([6.0, 0.0])
    wrong = right.copy()
    wrong[1:] = right[:1]
    timings = {"slow": _timing("slow", 4.0), "quick": _timing("quick", 1.0)}
    found = _compared(
        timings, dict.fromkeys(timings, "int8"), {"slow": right, "quick": wrong}, {}, 1
    )
    assert found.best == "slow"
    note = found.table.set_index("runtime").loc["quick", "note"]
    assert note == "not chosen: its outputs differ from those of slow"
    shape = _compared(
        timings, dict.fromkeys(timings, "int8"), {"slow": right, "quick": right[:1]}, {}, 1
    )
    assert shape.best == "slow"
    note = shape.table.set_index("runtime").loc["quick", "note"]
    assert note == "not chosen: its outputs have the shape (1, 2), not (100, 2)"


def test_runtime_that_is_wrong_after_the_first_row_is_refused(digits_task, digits_cnn, monkeypatch):
    """One row at a time is right, as in the int8 sums of OpenVINO 2026.4."""
    from workbench.measure import everywhere

    plain = everywhere.predictor

    class WrongInBatches:
        def __init__(self, right):
            self.right = right

        def predict(self, inputs):
            scores = self.right.predict(inputs)
            return np.repeat(scores[:1], len(scores), axis=0)

    def chosen(candidate, runtime, **options):
        right = plain(candidate, runtime, **options)
        return WrongInBatches(right) if runtime == "onnxruntime" else right

    monkeypatch.setattr(everywhere, "predictor", chosen)
    found = measure_everywhere(
        digits_cnn,
        lambda c, n: digits_task.example(n, c.prepare),
        runtimes=("torch", "onnxruntime"),
        budget="smoke",
    )
    assert found.best == "torch"
    assert "onnxruntime gives other outputs than torch for a batch of rows" in found.text
    assert "Do not use it for this model" in found.text


def test_real_runtimes_are_measured_side_by_side(digits_task, digits_cnn):
    found = measure_everywhere(
        digits_cnn,
        lambda c, n: digits_task.example(n, c.prepare),
        runtimes=("torch", "onnxruntime"),
        budget="smoke",
    )
    assert set(found.table.runtime) == {"torch", "onnxruntime"}
    assert (found.table.agreement >= 0.99).all()
    assert found.best == "onnxruntime", "a small network is bound by eager calls"
    assert not found.failed


def test_runtime_that_cannot_run_it_is_told_and_the_rest_measured(
    digits_task, digits_cnn, monkeypatch
):
    from workbench.errors import RunError
    from workbench.measure import everywhere

    plain = everywhere.predictor

    def broken(candidate, runtime, **options):
        if runtime == "onnxruntime":
            raise RunError("no such provider")
        return plain(candidate, runtime, **options)

    monkeypatch.setattr(everywhere, "predictor", broken)
    found = measure_everywhere(
        digits_cnn,
        lambda c, n: digits_task.example(n, c.prepare),
        runtimes=("torch", "onnxruntime"),
        budget="smoke",
    )
    assert found.failed == {"onnxruntime": "no such provider"}
    assert list(found.table.runtime) == ["torch"]


def test_sweep_has_a_row_for_each_thread_count_and_batch(digits_task, digits_cnn):
    table = sweep(
        {"eager": (digits_cnn, "torch")},
        lambda c, n: digits_task.example(n, c.prepare),
        threads=(1, 2),
        batch_sizes=(1, 8),
    )
    assert sorted(zip(table.threads, table.batch_size, strict=True)) == [
        (1, 1),
        (1, 8),
        (2, 1),
        (2, 8),
    ]
    assert table.throughput.to_numpy() == pytest.approx(
        (1000 * table.batch_size / table.best_ms).to_numpy()
    )
