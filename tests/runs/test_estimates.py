"""Estimates of time: from the file of this machine, from the table of the package, and in words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from workbench.events import Event
from workbench.recipe import Recipe
from workbench.runs import durations as kept
from workbench.runs import estimates
from workbench.runs.durations import PROCESS, TEST, Duration, Stopwatch, keep, parts_of
from workbench.runs.estimates import Table, estimate
from workbench.runs.launch import run
from workbench.tasks import load_task
from workbench.tasks.make import make_task

NOTHING = "First run of this kind here: no estimate."


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine on which nothing ran yet, and a package without a table."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(estimates, "_table", Table)
    return tmp_path / "home"


def _recipe(*steps, **options):
    return Recipe.make("digits", list(steps) or ["pruning"], start="cnn", budget="smoke", **options)


def _keep(recipe, seconds, *labels):
    for label, part in parts_of(recipe).items():
        if not labels or label in labels:
            starts = (part.start,)
            keep(Duration(part.name, part.task, seconds, starts, part.budget, part.settings))


def test_nothing_is_known_before_the_first_run(home):
    assert estimate(_recipe()).text == NOTHING
    assert not home.exists(), "asking writes nothing"


def test_times_of_start_and_test_alone_say_nothing():
    _keep(_recipe(), 10, PROCESS, "start", TEST)
    assert estimate(_recipe()).text == NOTHING


def test_estimate_is_the_sum_of_the_parts_and_the_median_of_the_last_runs():
    for seconds in (500, 10, 12, 3):  # the oldest does not count
        _keep(_recipe(), seconds)
    made = estimate(_recipe())
    assert made.low == made.high == 4 * 10  # process, start, pruning and test
    assert made.text == "About 40 s (as the last 3 runs here)."


def test_a_single_run_is_told_as_one():
    _keep(_recipe(), 10)
    assert estimate(_recipe()).text == "About 40 s (as the last run here)."


def test_other_settings_give_a_range():
    for ratio, seconds in ((0.2, 20), (0.3, 60)):
        _keep(_recipe({"pruning": {"pruning_ratio": ratio}}), seconds, "pruning")
    assert estimate(_recipe()).text == "About 20 s to 1 min (other settings took that)."


@pytest.mark.parametrize(
    "other",
    [
        {"budget": "standard"},
        {"start": "mlp"},
        {"task": "fashion"},
        {"task_args": {"fold": 2}},
    ],
)
def test_other_budget_start_or_task_says_nothing(other):
    _keep(_recipe(), 10)
    options = {"task": "digits", "start": "cnn", "budget": "smoke", **other}
    recipe = Recipe.make(options.pop("task"), ["pruning"], **options)
    assert estimate(recipe).text == NOTHING


@pytest.mark.parametrize("other", [{"device": "cpu"}, {"batch_sizes": [1]}])
def test_device_and_batch_sizes_count_as_settings(other):
    _keep(_recipe(), 10)
    assert "other settings" in estimate(_recipe(**other)).text


def test_seed_threads_and_place_do_not_matter():
    _keep(_recipe(), 10)
    assert "last run here" in estimate(_recipe(seed=3, threads=2)).text


def test_effort_of_the_run_counts_beside_that_of_the_step():
    mixed = _recipe({"pruning": {"budget": "standard"}})
    _keep(mixed, 10)
    assert "last run here" in estimate(mixed).text
    whole = Recipe.make("digits", ["pruning"], start="cnn", budget="standard")
    assert estimate(whole).text == NOTHING


def test_step_that_never_ran_is_named():
    _keep(_recipe(), 10)
    recipe = _recipe("pruning", "quantization")
    assert estimate(recipe).text == "At least 40 s, without `quantization`: not run here yet."


def test_test_that_stays_closed_takes_no_time():
    _keep(_recipe(), 10)
    assert estimate(_recipe(test="never")).low == 30


def test_empty_start_and_the_name_of_the_first_model_are_the_same():
    task = load_task("digits")
    first = next(iter(task.builders))
    named = Recipe.make("digits", ["pruning"], start=first, budget="smoke")
    watch = Stopwatch(named, task, None, frozenset(), 0.0)
    watch(Event("step_started", "pruning"))
    watch(Event("step_finished", "pruning"))
    unnamed = Recipe.make("digits", ["pruning"], budget="smoke")
    assert "last run here" in estimate(unnamed).text
    assert "last run here" in estimate(named).text


def test_table_of_the_package_is_used_where_nothing_ran_here(monkeypatch):
    part = parts_of(_recipe())["pruning"]
    line = Duration(part.name, part.task, 130.0, (part.start,), part.budget)
    monkeypatch.setattr(estimates, "_table", lambda: Table("AMD EPYC, 2 cores", durations=(line,)))
    text = "About 2 min (measured on AMD EPYC, 2 cores; not run here yet)."
    assert estimate(_recipe()).text == text
    busy = Table("AMD EPYC, 2 cores", load=3.0, durations=(line,))
    monkeypatch.setattr(estimates, "_table", lambda: busy)
    assert "2 cores, beside other work; not run here yet" in estimate(_recipe()).text
    _keep(_recipe({"pruning": {"pruning_ratio": 0.2}}), 20, "pruning")
    assert estimate(_recipe()).text == "About 20 s (other settings took that)."


def test_table_of_the_package_is_whole_and_knows_the_built_in_tasks(monkeypatch):
    monkeypatch.undo()
    estimates._table.cache_clear()
    table = estimates._table()
    assert table.processor
    assert {d.task for d in table.durations} >= {"digits", "fashion"}
    assert all(d.seconds > 0 and not d.settings for d in table.durations)
    assert {"pruning", "quantization", "distillation"} <= {d.name for d in table.durations}


@pytest.mark.parametrize("content", ["", "[]", '{"processor": 1}', "{", '{"durations": [{}]}'])
def test_damaged_table_counts_as_empty(content, tmp_path, monkeypatch):
    monkeypatch.undo()
    (tmp_path / "durations.json").write_text(content)
    monkeypatch.setattr(estimates, "TABLE", tmp_path / "durations.json")
    estimates._table.cache_clear()
    try:
        assert estimates._table() == Table()
    finally:
        estimates._table.cache_clear()


def test_damaged_lines_are_passed_over():
    _keep(_recipe(), 10)
    path = kept._file()
    good = path.read_bytes()
    bad = [b'{"name": "pruning"', b"\xff\xfe", b"[]", b"null", b'{"name": 1, "task": 2}']
    line = json.loads(good.strip().splitlines()[-1])
    bad += [json.dumps({**line, "seconds": s}).encode() for s in (-1, 0, "NaN", None, 1e999)]
    path.write_bytes(b"\n".join([*bad, good, b'{"name": "pru']))
    assert estimate(_recipe()).text == "About 40 s (as the last run here)."
    _keep(_recipe(), 10)
    assert estimate(_recipe()).n_runs == 2, "a new line goes after the one partly written"


def test_file_is_kept_short_and_keeps_the_newest(monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 2000)
    for seconds in range(1, 60):
        _keep(_recipe(), seconds, "pruning")
    assert kept._file().stat().st_size <= 2000
    assert [d.seconds for d in kept.durations()][-3:] == [57, 58, 59]


@pytest.mark.parametrize("place", ["file", "folder"])
def test_home_that_cannot_be_used_stops_nothing(place, home):
    if place == "file":
        home.write_text("")
    else:
        kept._file().mkdir(parents=True)
    _keep(_recipe(), 10)
    assert estimate(_recipe()).text == NOTHING


def test_file_is_read_once_for_many_estimates(monkeypatch):
    _keep(_recipe(), 10)
    estimate(_recipe())
    monkeypatch.setattr(kept, "record", None)
    assert estimate(_recipe()).n_runs == 1


def test_part_that_an_earlier_process_began_is_not_kept():
    recipe, task = _recipe("pruning", "quantization"), load_task("digits")
    watch = Stopwatch(recipe, task, None, frozenset({"", "start", "pruning"}), 0.0)
    watch(Event("run_started"))
    for label in ("pruning", "quantization"):
        watch(Event("step_started", label))
        watch(Event("step_finished", label))
    assert [d.name for d in kept.durations()] == ["quantization"]


def test_part_that_does_not_end_well_is_not_kept():
    watch = Stopwatch(_recipe(), load_task("digits"), None, frozenset(), 0.0)
    watch(Event("step_started", "pruning"))
    watch(Event("run_failed"))
    assert not kept.durations()


def test_tasks_of_a_notebook_with_other_rows_are_told_apart():
    from torch import nn

    def mine(n):
        rows = np.random.default_rng(0).normal(size=(n, 4)).astype("float32")
        targets = np.arange(n) % 2
        return make_task("mine", model=nn.Linear(4, 2), train=(rows, targets))

    small, large = mine(200), mine(400)
    recipe = Recipe.make("mine", ["quantization"], budget="smoke")
    watch = Stopwatch(recipe, small, small, frozenset(), 0.0)
    watch(Event("step_started", "quantization"))
    watch(Event("step_finished", "quantization"))
    assert "last run here" in estimate(recipe, small).text
    assert estimate(recipe, large).text == NOTHING
    assert estimate(recipe).text == NOTHING


def test_built_in_task_is_the_same_by_object_and_by_name():
    _keep(_recipe(), 10)
    task = load_task("digits")
    assert estimate(_recipe(), task) == estimate(_recipe(), "digits") == estimate(_recipe())
    changed = replace(task, data=replace(task.data, train=task.data.train.take(range(100))))
    assert estimate(_recipe(), changed).text == NOTHING


@pytest.mark.slow
def test_real_run_is_estimated_afterwards(tmp_path):
    steps = [{"pruning": {"fit": {"max_steps": 5}}}]
    recipe = _recipe(*steps)
    assert estimate(recipe).text == NOTHING
    trail = run(recipe, root=tmp_path / "runs")
    names = [d.name for d in kept.durations()]
    assert names == [PROCESS, "start", "pruning", TEST]
    made = estimate(recipe)
    assert made.text.endswith("(as the last run here).")
    events = [
        json.loads(line) for line in (trail.folder / "events.jsonl").read_bytes().splitlines()
    ]
    whole = events[-1]["time"] - json.loads((trail.folder / "run.json").read_text())["created"]
    assert 0.5 * whole < made.low < 1.1 * whole
    assert "other settings" in estimate(_recipe("pruning")).text
