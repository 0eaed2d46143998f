"""Runs in processes of their own: real processes, really killed."""

from __future__ import annotations

import json
import os
import pickle
import time

import numpy as np
import pytest

from workbench.errors import RunError
from workbench.recipe import Recipe
from workbench.runs.handle import attach, find_run, start
from workbench.runs.trail import Trail

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="these tests use POSIX signals; jobs themselves run on Windows"
)

LONG = [{"quantization": {"activation_type": "uint8"}}]


def _recipe(steps, **options):
    return Recipe.make("digits", steps, **{"start": "cnn", "budget": "smoke", **options})


def _wait_for(condition, seconds=120.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.02)


@pytest.fixture
def finished(digits_run):
    """One run of two steps, from start to test."""
    return digits_run


def test_finished_run_leaves_a_ledger_a_test_line_and_files(finished):
    trail = finished.result
    assert finished.status == "finished"
    assert list(trail.ledger.step) == ["start", "onnx", "pruning", "quantization"]
    assert trail.test.looks == 1
    assert trail.test.n == 350
    assert trail.ledger.size_bytes.iloc[-1] < trail.ledger.size_bytes.iloc[0] / 5
    assert {"better", "worse", "equivalent", "undecided"} >= set(trail.ledger.verdict[1:])
    assert trail.onnx_path.exists()
    assert type(trail.model).__name__ == "Sequential", (
        "the plain torch module of the last step that has one"
    )
    kinds = [event.kind for event, _ in finished.events()]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    assert "curve" in kinds
    assert not [p for p in finished.folder.rglob("*") if p.suffix in (".pkl", ".pickle", ".pt")], (
        "nothing kept is a pickle"
    )


def test_run_is_reattached_by_its_folder_and_listed_by_name(finished):
    again = attach(finished.folder)
    assert again.result.ledger.equals(finished.result.ledger)
    assert find_run(finished.name[:12], finished.folder.parent).folder == finished.folder
    assert find_run("last", finished.folder.parent).folder == finished.folder
    with pytest.raises(RunError, match="No run matches `nothing`"):
        find_run("nothing", finished.folder.parent)


def test_resuming_a_finished_run_does_nothing(finished):
    before = (finished.folder / "events.jsonl").read_bytes()
    assert finished.resume().status == "finished"
    assert (finished.folder / "events.jsonl").read_bytes() == before


def test_kept_ledger_of_a_run_is_what_its_steps_say(finished):
    rows = json.loads((finished.folder / "ledger.json").read_text())
    assert [r["step"] for r in rows] == ["start", "onnx", "pruning", "quantization"]
    assert rows == [r.to_json() for r in Trail(finished.folder).rows]


def test_cancelled_run_stops_within_seconds_and_keeps_what_it_has(tmp_path):
    run = start(
        _recipe([{"pruning": {"fit": {"epochs": 5000, "max_steps": 100000, "patience": 5000}}}]),
        root=tmp_path,
    )
    _wait_for(lambda: any(e.kind == "curve" and e.step == "pruning" for e, _ in run.events()))
    pid = run._state()["pid"]
    run.cancel()
    assert run.status == "cancelled"
    _wait_for(lambda: not _runs(pid), 10)
    assert (run.folder / "steps" / "00-start" / "candidate.json").exists()


def _runs(pid):
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_failing_step_is_told_and_what_was_finished_is_kept(tmp_path):
    run = start(_recipe([{"pruning": {"ignored_layers": ["nowhere"]}}]), root=tmp_path)
    with pytest.raises(
        RunError, match=r"(?s)failed: Unknown layer `nowhere`.*Finished steps are kept"
    ):
        run.wait(timeout=120)
    assert [p.name for p in (run.folder / "steps").iterdir()] == ["00-start"]


def test_run_outlives_the_process_that_started_it(finished):
    """A command with `--detach` started it, and ended at once."""
    assert finished.status == "finished"


MARK = 100  # no pixel of digits is above 16


def test_run_on_a_task_of_the_users_own_is_sent_no_test_row_and_looks_at_test_once(
    tmp_path, digits_task, digits_cnn
):
    """Its test rows are marked, so that their bytes can be looked for, and its `prepare`, which
    takes the mark away, is the user's own.
    """
    import dataclasses

    built_in = digits_task.prepare

    def prepare(inputs):
        image = inputs["image"]
        return built_in({"image": np.where(image >= MARK, image - MARK, image)})

    marked = digits_task.data.test.inputs["image"] + MARK
    test = dataclasses.replace(digits_task.data.test, inputs={"image": marked})
    task = dataclasses.replace(
        digits_task,
        name="mine",
        start=dataclasses.replace(digits_cnn, prepare=prepare),
        prepare=prepare,
        data=dataclasses.replace(digits_task.data, test=test),
    )  # still says built_in: it is not
    run = start(Recipe.make("mine", LONG, budget="smoke"), task, root=tmp_path)
    private = run.folder / "private"
    blob, sealed = (private / "task.pkl").read_bytes(), (private / "test.pkl").read_bytes()
    assert not [row for row in marked if row.tobytes() in blob]
    assert all(row.tobytes() in sealed for row in marked)
    assert pickle.loads(blob).data.test is None
    run.wait(timeout=300)
    assert not list(private.glob("*")), "both are gone once the run has finished"
    assert (run.result.test.n, run.result.test.looks) == (350, 1)
    assert run.result.test.chosen[0] > 0.9
    assert attach(run.folder).result.ledger.quality.min() > 0.9


def test_task_that_cannot_travel_is_refused_by_name(tmp_path, digits_task):
    import dataclasses
    import threading

    lock = threading.Lock()
    own = dataclasses.replace(digits_task, built_in=False, loss=lambda o, t: (lock, o.sum())[1])
    with pytest.raises(RunError, match="cannot travel to another process: `loss`"):
        start(_recipe(LONG), own, root=tmp_path)


def test_every_row_has_its_scorecard_with_all_percentiles(finished):
    for row in finished.result.rows:
        card = finished.result.scorecard(row.step)
        batch = card.leading.at(1)
        assert batch.best_ms == row.latency_ms
        assert batch.best_ms <= batch.p10_ms <= batch.p50_ms <= batch.p95_ms
        assert {q.metric for q in card.quality} == {"accuracy", "log_loss"}
    with pytest.raises(
        RunError, match="Unknown row of the ledger `prunin`. Did you mean `pruning`"
    ):
        finished.result.scorecard("prunin")


def test_run_that_is_being_started_is_neither_killed_nor_started_twice(tmp_path):
    run = start(_recipe(LONG), root=tmp_path)
    assert run.status in ("starting", "running")
    pid = run._state()["pid"]
    assert run.resume()._state()["pid"] == pid
    run.cancel()
    assert run.status == "cancelled"


def test_changed_built_in_task_is_the_one_that_runs(tmp_path, digits_task):
    import dataclasses

    from workbench.metrics import METRICS

    changed = dataclasses.replace(digits_task, metrics=(METRICS["log_loss"],))
    run = start(_recipe(LONG), changed, root=tmp_path)
    assert (run.folder / "private" / "task.pkl").exists()
    run.cancel()
