"""Entries of the index hold the sentence, the short table and the factors of the tables."""

from __future__ import annotations

import pytest

from tests.factories import make_run
from workbench.runs.trail import Trail
from workbench.store.entries import read_entry
from workbench.system.files import read_json, write_json


@pytest.fixture
def folder(tmp_path):
    return make_run(tmp_path)


def test_note_opens_with_the_sentence_and_holds_the_short_table(folder):
    trail = Trail(folder)
    note = read_entry(folder).tags["mlflow.note.content"]
    assert note.startswith(trail.summary)
    assert "| step | accuracy | change | file | latency | verdict |" in note
    assert trail.test.text in note


def test_points_are_the_factors_and_milliseconds_of_the_tables(folder):
    table = Trail(folder).ledger
    for number, entry in enumerate(read_entry(folder).rows):
        points = {p.key: p.value for p in entry.points}
        assert points["cost/latency_ms"] == table.latency_ms[number]
        assert points["against_start/speedup"] == table.speedup_start[number]
        assert points["against_start/size_ratio"] == table.size_ratio[number]


def test_row_timed_beside_other_work_has_a_tag(folder):
    path = folder / "steps" / "02-quantization" / "step.json"
    step = read_json(path)
    step["rows"][0] |= {"busy": 0.7}
    write_json(path, step)
    tags = [entry.tags.get("workbench.busy") for entry in read_entry(folder).rows]
    assert tags == [None, None, None, "timed beside other work"]
