"""Reports: events reach all listeners and files, and a request to cancel stops the work."""

from __future__ import annotations

import io
import json

import pytest

from workbench.cli.console import console
from workbench.errors import Cancelled
from workbench.events import Event, Report, append_to, read_events


def test_every_listener_gets_every_event_in_order():
    first = []
    second = []
    report = Report(first.append, second.append)
    report.progress(1, 2, "half")
    report.curve("loss", 3, 0.5)
    report.message("hello")
    assert first == second
    assert [e.kind for e in first] == ["progress", "curve", "message"]
    assert [e.data for e in first] == [
        {"done": 1, "total": 2, "text": "half"},
        {"name": "loss", "x": 3, "y": 0.5},
        {"text": "hello"},
    ]


def test_events_carry_their_step_and_the_parent_report_stays_without_one():
    seen = []
    report = Report(seen.append)
    report.for_step("01-pruning").message("inside")
    report.message("outside")
    assert [e.step for e in seen] == ["01-pruning", ""]


def test_report_without_listeners_accepts_all_events():
    Report().progress(0, 0)


def test_next_call_raises_and_sends_nothing_when_cancelled():
    seen = []
    asked = []
    report = Report(seen.append, cancelled=lambda: bool(asked))
    report.message("before")
    asked.append(True)
    with pytest.raises(Cancelled, match="finished steps are kept"):
        report.message("after")
    with pytest.raises(Cancelled):
        report.check()
    assert [e.data["text"] for e in seen] == ["before"]


def test_a_step_is_cancelled_with_its_run():
    asked = []
    step = Report(cancelled=lambda: bool(asked)).for_step("00-start")
    step.check()
    asked.append(True)
    with pytest.raises(Cancelled):
        step.progress(1, 2)


def test_events_read_from_a_file_equal_those_sent(tmp_path):
    path = tmp_path / "events.jsonl"
    sent = [
        Event("message", "a", {"text": "größer ≈ 1\nsecond line"}),
        Event("curve", "b", {"name": "loss", "x": 1, "y": 0.25}),
    ]
    listen = append_to(path)
    for event in sent:
        listen(event)
    assert [e for e, _ in read_events(path)] == sent
    assert [json.loads(line)["kind"] for line in path.read_text(encoding="utf-8").splitlines()] == [
        "message",
        "curve",
    ]


def test_reading_resumes_at_the_offset_of_the_last_event(tmp_path):
    path = tmp_path / "events.jsonl"
    listen = append_to(path)
    listen(Event("message", data={"text": "ä"}))
    listen(Event("message", data={"text": "two"}))
    (_, after_first), (second, after_second) = read_events(path)
    assert list(read_events(path, after_first)) == [(second, after_second)]
    assert after_second == path.stat().st_size
    assert list(read_events(path, after_second)) == []


def test_a_half_written_line_waits_until_it_is_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    append_to(path)(Event("message", data={"text": "whole"}))
    ((_, offset),) = read_events(path)
    line = (Event("message", data={"text": "late ä"}).to_json() + "\n").encode()
    with path.open("ab") as file:
        file.write(line[:20])
    assert list(read_events(path, offset)) == []
    with path.open("ab") as file:
        file.write(line[20:])
    ((event, after),) = read_events(path, offset)
    assert event.data == {"text": "late ä"}
    assert after == path.stat().st_size


def test_a_partly_written_line_is_left_out_and_the_lines_after_it_are_read(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"kind": "mess\n')
    append_to(path)(Event("message", data={"text": "next"}))
    ((event, after),) = read_events(path)
    assert event.data == {"text": "next"}
    assert after == path.stat().st_size


def test_a_file_that_does_not_exist_has_no_events(tmp_path):
    assert list(read_events(tmp_path / "none.jsonl")) == []


@pytest.fixture
def drawn(monkeypatch):
    """A console listener that draws into a string, and a function that returns this string."""
    listener = console()
    text = io.StringIO()
    monkeypatch.setattr(listener._progress.live.console, "file", text)
    return listener, text.getvalue


def test_console_draws_bars_and_messages(drawn):
    listener, text = drawn
    with listener as bar:
        for event in (
            Event("run_started"),
            Event("step_started", "00-start"),
            Event("progress", "00-start", {"done": 1, "total": 4, "text": "fitting"}),
            Event("curve", "00-start", {"name": "loss", "x": 1, "y": 2.0}),
            Event("message", "00-start", {"text": "a word"}),
            Event("step_finished", "00-start", {"row": {}}),
            Event("step_started", "01-pruning"),
            Event("progress", "01-pruning", {"done": 1, "total": 4, "text": "pruning"}),
            Event("run_finished"),
        ):
            bar(event)
    shown = text()
    assert "00-start: a word" in shown
    last = shown.splitlines()
    assert any("00-start" in line and "100%" in line and "done" in line for line in last)
    assert any("01-pruning" in line and "25%" in line and "pruning" in line for line in last)


@pytest.mark.parametrize("data", [{"done": 0, "total": 0}, {"done": 3, "total": None}, {}])
def test_console_draws_progress_without_a_total(drawn, data):
    listener, text = drawn
    with listener as bar:
        bar(Event("progress", "", data))
    assert "run" in text()


def test_quiet_console_draws_no_bar(capsys):
    with console(quiet=True) as bar:
        bar(Event("progress", "a", {"done": 1, "total": 2, "text": "x"}))
    assert capsys.readouterr() == ("", "")
