"""Choices by a clock: measured once, kept for the run and the machine, carried by a recipe."""

from __future__ import annotations

import pytest

from workbench.system.choices import VARIABLE, choices_in, choose_by_clock, put_choices
from workbench.system.machine import machine_file


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "run" / "choices.jsonl"))


def _never():
    pytest.fail("measured again")


def test_choice_is_measured_once_for_the_same_parts(tmp_path):
    assert choose_by_clock("format", "a", 1, measure=lambda: {"best": "x"}) == {"best": "x"}
    assert choose_by_clock("format", "a", 1, measure=_never) == {"best": "x"}
    assert choose_by_clock("format", "a", 2, measure=lambda: {"best": "y"}) == {"best": "y"}
    assert choose_by_clock("other", "a", 1, measure=lambda: 3) == 3
    assert list(choices_in(tmp_path / "run" / "choices.jsonl").values()) == [
        {"best": "x"},
        {"best": "y"},
        3,
    ]


def test_choice_of_the_machine_is_taken_by_a_later_run_and_written_to_its_file(
    monkeypatch, tmp_path
):
    choose_by_clock("format", "a", measure=lambda: "x")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "later.jsonl"))
    assert choose_by_clock("format", "a", measure=_never) == "x"
    assert list(choices_in(tmp_path / "later.jsonl").values()) == ["x"]


def test_choice_of_the_run_comes_before_that_of_the_machine(monkeypatch, tmp_path):
    choose_by_clock("format", "a", measure=lambda: "of the machine")
    (key,) = choices_in(machine_file("choices"))
    put_choices(tmp_path / "carried.jsonl", {key: "carried"})
    monkeypatch.setenv(VARIABLE, str(tmp_path / "carried.jsonl"))
    assert choose_by_clock("format", "a", measure=_never) == "carried"
    assert choices_in(machine_file("choices")) == {key: "of the machine"}, "kept as it was"


def test_put_choices_keeps_what_a_file_has(tmp_path):
    put_choices(tmp_path / "c.jsonl", {"a": 1})
    put_choices(tmp_path / "c.jsonl", {"a": 2, "b": 3})
    assert choices_in(tmp_path / "c.jsonl") == {"a": 1, "b": 3}


def test_choice_is_made_where_nothing_can_be_kept(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "file"))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "choices.jsonl"))
    assert choose_by_clock("format", "a", measure=lambda: "x") == "x"


def test_file_of_the_machine_changes_with_the_versions(monkeypatch):
    from workbench.system import machine

    before = machine_file("choices")
    assert machine_file("choices") == before
    monkeypatch.setattr(machine, "_versions", lambda: {"torch": "99"})
    assert machine_file("choices") != before
