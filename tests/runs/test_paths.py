"""Every path of the runner, walked in this process by techniques that take milliseconds.

Latencies are made up, and a network is written as ONNX only where a test says so: both take seconds
and have tests of their own.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pandas as pd
import pytest

from tests.runs import example_techniques
from tests.runs.example_techniques import JOBS
from workbench.data.rows import Rows
from workbench.errors import ExportError, UnknownName
from workbench.events import Report
from workbench.measure.cross_validation import CrossValidation
from workbench.measure.timing.records import BatchTiming, Timing
from workbench.recipe import Recipe
from workbench.runs import child
from workbench.runs.candidates import load_candidate
from workbench.runs.handle import Run
from workbench.runs.opening_test import wants_test
from workbench.runs.sealed import open_data, seal
from workbench.runs.steps import execute
from workbench.runs.trail import Trail
from workbench.settings import VERSION
from workbench.system import registry
from workbench.system.files import read_json, write_json, write_text
from workbench.tasks.make import make_task
from workbench.techniques import TECHNIQUES
from workbench.testing import sklearn_task, torch_candidate, torch_task


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The example techniques, registered as another package would register them."""
    home = example_techniques.__name__
    group = "workbench.techniques"
    points = [EntryPoint(name, f"{home}:{name}", group) for name in example_techniques.NAMES]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: _of(points, group))
    TECHNIQUES.refresh()
    JOBS.clear()
    yield
    monkeypatch.undo()
    TECHNIQUES.refresh()


def _of(points, group):
    return [point for point in points if point.group == group]


@pytest.fixture(autouse=True)
def timed(monkeypatch):
    """The names of all that were timed, session by session; their latencies are made up."""
    sessions = []

    def time_side_by_side(contestants, inputs_of, *, batch_sizes, budget, report):
        sessions.append(tuple(contestants))
        for candidate, _ in contestants.values():
            assert inputs_of(candidate, 2)
        session = str(len(sessions))
        return {n: _timing(n, r, batch_sizes, session) for n, (_, r) in contestants.items()}

    monkeypatch.setattr("workbench.ledger.appraise.time_side_by_side", time_side_by_side)
    monkeypatch.setattr("workbench.measure.card.peak_share", lambda *_: ("", None))
    return sessions


def _timing(name, runtime, batch_sizes, session):
    blocks = (1.0, 1.01, 1.02, 1.0, 1.01)
    batches = tuple(
        BatchTiming(size, 1.0, 1.0, 1.1, 1.2, 1.0, 100, blocks, blocks, blocks)
        for size in batch_sizes
    )
    return Timing(
        name=name,
        runtime=runtime,
        device="cpu",
        threads=1,
        batches=batches,
        load_time_ms=1.0,
        import_time_ms=1.0,
        peak_memory_bytes=1,
        model_memory_bytes=1,
        busy=0.0,
        warning="",
        session=session,
        budget="smoke",
        rounds=5,
        block_seconds=0.1,
    )


@pytest.fixture(autouse=True)
def exported(monkeypatch, request):
    """Whether networks are written as ONNX: no, unless a test is marked by this parameter."""
    if getattr(request, "param", False):
        return

    def refuse(candidate, inputs):
        raise ExportError(f"`{candidate.name}` is not written as ONNX in this test.")

    monkeypatch.setattr("workbench.keeping.candidates.to_onnx", refuse)


with_export = pytest.mark.parametrize("exported", [True], indirect=True)


@pytest.fixture
def walk(tmp_path):
    """Runs steps in this process, from a trained network unless a task is given.

    Returns the trail and all events.
    """

    def run(steps, task=None, *, folder=None, data=None, **options):
        task = task or replace(torch_task(), start=torch_candidate())
        folder = folder or tmp_path / "runs" / "run"
        recipe = Recipe.make(task.name, steps, budget="smoke", **options)
        write_text(folder / "recipe.yml", recipe.to_yaml())
        events = []
        trail = execute(folder, task.without_test(), recipe, Report(events.append), data)
        return trail, events

    return run


def _steps(trail):
    return [path.name for path in trail.steps]


def _finished(events, step):
    return next(e.data for e in events if e.kind == "step_finished" and e.step == step)


# Run, keep, appraise, place


@with_export
def test_network_is_run_kept_appraised_and_put_in_place(walk, timed):
    trail, events = walk([{"scaled": {"factor": 0.9}}])
    assert _steps(trail) == ["00-start", "01-scaled"]
    assert [row.step for row in trail.rows] == ["start", "onnx", "scaled"]
    assert [row.runtime for row in trail.rows] == ["torch", "onnxruntime", "onnxruntime"]
    assert timed == [("start", "onnx"), ("start", "onnx", "scaled")]
    place = trail.steps[-1]
    written = {path.name for path in place.iterdir()}
    assert {"candidate.json", "model.safetensors", "model.onnx", "scorecard-scaled.json"} <= written
    assert not list(trail.folder.rglob("*.pt")), "checkpoints are gone"
    assert not list((trail.folder / "work").glob("*")), "nothing is under way"
    about = read_json(place / "step.json")
    assert (about["technique"], about["settings"]["factor"]) == ("scaled", 0.9)
    assert about["notes"][0] == "Scaled."
    assert about["decision"] is None
    assert trail.evidence("scaled")["factor"].factor.item() == 0.9
    assert np.load(place / "valid-scaled.npy").shape == (350, 10)
    assert read_json(trail.folder / "ledger.json") == [row.to_json() for row in trail.rows]
    assert trail.rows[-1].quality > 0.8
    assert trail.rows[-1].latency_ms == 1.0
    told = [(e.kind, e.step) for e in events if e.kind.startswith("step_")]
    assert told == [
        ("step_started", "start"),
        ("step_finished", "start"),
        ("step_started", "scaled"),
        ("step_finished", "scaled"),
    ]
    assert _finished(events, "scaled")["rows"] == about["rows"]
    assert JOBS[0].job.exported.form == "onnx", "the start's ONNX file is at hand"


@with_export
def test_estimator_is_run_kept_appraised_and_put_in_place(walk):
    trail, _ = walk(["refitted"], sklearn_task())
    assert [row.step for row in trail.rows] == ["start", "onnx", "refitted"]
    assert [row.runtime for row in trail.rows] == ["sklearn", "onnxruntime", "onnxruntime"]
    assert trail.candidate().form == "sklearn"
    assert type(trail.model).__name__ == "Pipeline"
    assert (trail.steps[-1] / "model.skops").exists()


def test_second_step_starts_from_the_result_of_the_first(walk):
    trail, _ = walk(["scaled", {"scaled": {"factor": 1.5}}])
    assert [row.step for row in trail.rows] == ["start", "scaled", "scaled 2"]
    assert JOBS[1].job.start.name == "net-scaled"
    assert trail.candidate().parent == "net-scaled"
    assert not np.allclose(JOBS[1].outputs, JOBS[0].outputs)


# Decisions


def test_decision_has_a_row_an_event_a_line_in_the_step_and_a_place_in_the_trail(walk, timed):
    trail, events = walk(["checked"])
    row = trail.rows[-1]
    assert (row.step, row.decision.verdict, row.quality) == ("checked", "keep", None)
    assert row.latencies_ms == {}
    kept = read_json(trail.steps[-1] / "step.json")
    assert kept["decision"]["reason"] == "Nothing has changed."
    assert kept["notes"] == ["Checked."]
    assert _finished(events, "checked")["decision"] == kept["decision"]
    assert trail.decision.numbers == {"rows": 5.0}
    assert trail.decisions == [("checked", trail.decision)]
    assert trail.ledger.decision.tolist()[-1] == "keep"
    assert not any("checked" in session for session in timed), "nothing was there to be timed"
    assert trail.candidate().name == "net", "the last candidate is the start"


def test_step_after_a_decision_starts_where_the_decision_did(walk):
    trail, _ = walk(["scaled", "checked", {"scaled": {"factor": 2.0}}])
    assert [seen.job.start.name for seen in JOBS] == ["net", "net-scaled", "net-scaled"]
    np.testing.assert_array_equal(JOBS[2].outputs, JOBS[1].outputs)
    assert [row.step for row in trail.rows] == ["start", "scaled", "checked", "scaled 2"]
    assert trail.decision.verdict == "keep"


def test_step_with_candidate_and_decision_has_both_in_one_row(walk):
    trail, events = walk(["approved"])
    row = trail.rows[-1]
    assert (row.step, row.decision.verdict) == ("approved", "promote")
    assert row.quality is not None
    assert _finished(events, "approved")["decision"]["numbers"] == {"factor": 0.5}
    assert trail.candidate().name == "net-approved"
    assert trail.decision.verdict == "promote"


def test_decision_names_the_candidate_that_goes_on(walk):
    trail, _ = walk([{"chosen": {"challenger": "small"}}, "scaled"])
    challenger = JOBS[0].job.others["small"]
    assert JOBS[1].job.start is challenger
    assert JOBS[1].job.start.name == "small"
    assert trail.candidate().parent == "small"
    assert trail.rows[-1].against_start, "rows are still compared with the start of the run"
    assert (trail.steps[-1] / "valid-chosen-choice.npy").exists(), "and with the chosen one"


# Steps that need less


def test_untrained_start_is_not_trained_where_no_step_needs_it(walk, timed):
    trail, events = walk(["inspected"], torch_task())
    assert _steps(trail) == ["01-inspected"]
    assert [row.step for row in trail.rows] == ["inspected"]
    fresh = torch_task().candidate("net", seed=0)[0].model.state_dict()
    seen = JOBS[0].job.start.model.state_dict()
    assert all(np.array_equal(seen[name], fresh[name]) for name in fresh)
    assert not [e for e in events if e.kind == "curve"], "nothing was trained"
    assert timed == []
    assert not wants_test(Recipe.make("t", ["inspected"]))


def test_untrained_start_is_trained_for_a_later_step_that_needs_it(walk):
    trail, _ = walk(["inspected", "scaled"], torch_task())
    assert _steps(trail) == ["00-start", "01-inspected", "02-scaled"]
    assert trail.rows[0].quality > 0.8
    np.testing.assert_array_equal(JOBS[0].outputs, JOBS[1].outputs)


def test_untrained_start_stays_untrained_where_an_earlier_step_makes_the_network(walk):
    trail, events = walk(["rebuilt", "scaled"], torch_task())
    assert _steps(trail) == ["01-rebuilt", "02-scaled"]
    assert not [e for e in events if e.step == "start"]
    assert trail.rows[0].quality > 0.6
    assert JOBS[1].job.start.name == "rebuilt"
    assert not trail.rows[0].against_start, "the first result is what later rows compare with"
    assert trail.rows[1].against_start


def test_step_without_timing_has_a_row_without_latencies(walk, timed):
    trail, _ = walk(["untimed"])
    assert timed == []
    for row in trail.rows:
        assert row.latencies_ms == {}
        assert row.latency_ms is None
    last = trail.rows[-1]
    assert (last.speedup_start, last.speedup_parent, last.throughput) == (None, None, None)
    assert last.quality is not None
    assert [verdict.metric for verdict in last.against_start] == ["accuracy", "log_loss"]


def test_only_steps_that_need_it_are_timed(walk, timed):
    trail, _ = walk(["untimed", "scaled"])
    assert [bool(row.latencies_ms) for row in trail.rows] == [True, False, True]
    assert timed[-1][-1] == "scaled"


def test_step_without_task_and_start_works_on_its_data_alone(tmp_path):
    recipe = Recipe.make("digits", ["counted"], budget="smoke")
    write_text(tmp_path / "run" / "recipe.yml", recipe.to_yaml())
    log = pd.DataFrame({"latency": [1.0, 2.0, 3.0]})
    trail = execute(tmp_path / "run", None, recipe, Report(), {"window": log})
    assert (JOBS[0].job.task, JOBS[0].job.start) == (None, None)
    assert trail.decision.numbers == {"n": 3.0}
    assert _steps(trail) == ["01-counted"]


# Further rows


@pytest.fixture(scope="module")
def flowers():
    """A task with labels of text, and a table of further rows with the same columns."""
    from sklearn.datasets import load_iris
    from torch import nn

    raw = load_iris(as_frame=True)
    table = raw.data.assign(species=raw.target_names[raw.target])
    task = make_task(
        "flowers", model=lambda n: nn.Linear(n, 3), train=table.iloc[::2], target="species"
    )
    return task, table.iloc[1::2].reset_index(drop=True)


def test_sealed_data_reach_the_technique_as_rows_with_the_labels_of_the_task(
    walk, flowers, tmp_path
):
    task, further = flowers
    seal(task, tmp_path / "private", {"window": further})
    trail, _ = walk(["watched"], task, data=open_data(tmp_path / "private"))
    rows = JOBS[0].job.data["window"]
    assert isinstance(rows, Rows)
    assert [task.classes[label] for label in rows.targets] == further.species.tolist()
    assert list(rows.inputs) == list(task.data.train.inputs)
    assert trail.decision.verdict == "same"


def test_stream_of_tables_is_read_window_by_window(walk, flowers):
    task, further = flowers
    windows = (further[further.species == name] for name in task.classes[::-1])
    trail, _ = walk(["watched"], task, data={"window": windows})
    assert trail.decision.numbers == {"first label 0": 2, "first label 1": 1, "first label 2": 0}


def test_data_that_nobody_handed_over_are_refused_with_those_that_there_are(walk, flowers):
    with pytest.raises(UnknownName, match="Unknown data `windo`. Did you mean `window`"):
        walk([{"watched": {"window": "windo"}}], flowers[0], data={"window": flowers[1]})


# Going on after a kill

LONG = [
    "scaled",
    "checked",
    {"chosen": {"challenger": "small"}},
    "untimed",
    "approved",
]


def _noted():
    return [(seen.technique, seen.job.start.name, seen.outputs) for seen in JOBS]


def _plain(trail):
    """The rows without what a clock says."""
    rows = [replace(row, seconds=0.0, prepare_ms=None) for row in trail.rows]
    return json.dumps([row.to_json() for row in rows])


def test_run_that_goes_on_after_any_step_ends_where_an_unbroken_one_does(walk, tmp_path):
    unbroken, _ = walk(LONG)
    whole = _noted()
    assert [name for _, name, _ in whole] == [
        "net",
        "net-scaled",
        "net-scaled",
        "small",
        "small-untimed",
    ]
    for n_done in range(1, len(LONG) + 2):
        folder = tmp_path / "runs" / f"broken-{n_done}"
        shutil.copytree(unbroken.folder, folder)
        (folder / "ledger.json").unlink()
        for place in sorted((folder / "steps").iterdir())[n_done:]:
            shutil.rmtree(place)
        JOBS.clear()
        trail, events = walk(LONG, folder=folder)
        again = _noted()
        assert [a[:2] for a in again] == [w[:2] for w in whole[n_done - 1 :]]
        for (*_, ours), (*_, theirs) in zip(again, whole[n_done - 1 :], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert _plain(trail) == _plain(unbroken)
        assert trail.decisions == unbroken.decisions
        assert trail.candidate().name == "small-untimed-approved"
        assert len([e for e in events if e.kind == "step_started"]) == len(LONG) + 1 - n_done


# Test


@pytest.fixture
def whole_run(tmp_path, monkeypatch):
    """Runs steps as the run's own process does, test included; the store is left out."""
    monkeypatch.setattr("workbench.store.index.record_run", lambda folder, store: None)

    def run(steps, **options):
        folder = tmp_path / "runs" / "run"
        task = replace(torch_task(), start=torch_candidate())
        recipe = Recipe.make(task.name, steps, budget="smoke", **options)
        write_text(folder / "recipe.yml", recipe.to_yaml())
        write_json(folder / "run.json", {"version": VERSION, "store": "", "own_task": True})
        seal(task, folder / "private")
        child._execute(Run(folder), Report())
        return Trail(folder, task=task)

    return run


def test_test_is_opened_once_at_the_end(whole_run):
    trail = whole_run(["scaled"])
    assert (trail.test.looks, trail.test.n) == (1, 397)
    assert not list((trail.folder / "private").glob("*")), "private files are gone"


def test_test_stays_closed_where_the_run_is_told_so(whole_run):
    trail = whole_run(["scaled"], test="never")
    assert trail.test is None
    assert not (trail.folder / "final.json").exists()
    assert (trail.folder / "private" / "test.pkl").exists(), "it can still be opened later"


def test_test_stays_closed_where_no_step_asks_for_it(whole_run):
    trail = whole_run(["inspected"])
    assert (trail.folder / "ledger.json").exists(), "the run ended well"
    assert not (trail.folder / "final.json").exists()


# Cross-validation


def test_start_and_steps_that_are_trained_anew_are_cross_validated_and_others_are_noted(walk):
    trail, events = walk(["tuned", "scaled", "checked"], cv=2)
    start, tuned, scaled, checked = trail.rows
    for row in (start, tuned):
        assert 0 <= row.cv["low"] < 0.8 < row.cv["mean"] < row.cv["high"] <= 1
        assert row.cv["n_folds"] == 2
    assert start.cv == tuned.cv, "the same candidate on the same folds"
    assert scaled.cv == checked.cv == {}
    note = scaled.notes[-1]
    assert note.startswith("Not cross-validated: `tuned-scaled` cannot be trained anew: `scaled`")
    assert read_json(trail.steps[2] / "step.json")["notes"][-1] == note
    assert note in [e.data["text"] for e in events if e.kind == "message"]
    place = trail.steps[1]
    kept = CrossValidation.from_json(read_json(place / "cross-validation-tuned.json"))
    assert kept.mean == tuned.cv["mean"]
    assert len(trail.evidence("tuned")["cross-validation-tuned"]) == 2
    assert Trail(trail.folder).candidate().name == "tuned-scaled"
    assert not load_candidate(trail.steps[2], None).trains_anew
    assert load_candidate(place, None).trains_anew


def test_estimator_is_cross_validated_and_its_refitted_copy_is_not(walk):
    trail, _ = walk(["refitted"], sklearn_task(), cv=2)
    assert trail.rows[0].cv["mean"] > 0.8
    assert trail.rows[1].cv == {}


def test_folds_that_the_rows_do_not_give_end_in_a_note(walk):
    task = replace(torch_task(), start=torch_candidate())
    few = replace(task, data=replace(task.data, train=task.data.train.take(slice(0, 100))))
    trail, _ = walk([], few, cv=50)
    assert "use at most" in trail.rows[0].notes[-1]
    assert trail.rows[0].quality is not None


def test_run_without_the_option_is_not_cross_validated(walk):
    trail, _ = walk(["tuned"])
    assert [row.cv for row in trail.rows] == [{}, {}]
