"""Commands about a run: what they ask of its handle."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import workbench.runs.handle as handle
from workbench.cli import main as cli


class Run:
    """Stands for a run's handle and keeps what it was asked."""

    name = "20260101-digits"
    status = "cancelled"
    folder = Path("runs/20260101-digits")

    def __init__(self) -> None:
        self.asked = []

    def resume(self, **options):
        self.asked.append(("resume", options))
        return self

    def cancel(self):
        self.asked.append(("cancel", {}))

    def open_test(self):
        self.asked.append(("open_test", {}))
        return SimpleNamespace(text="Test: cnn has accuracy 95.0 %.")


@pytest.fixture
def run(monkeypatch):
    made = Run()
    monkeypatch.setattr(handle, "find_run", lambda name, root: made)
    return made


def test_test_opens_the_test_split_and_prints_the_line(run, capsys):
    assert cli.main(["test", "last"]) == 0
    assert run.asked == [("open_test", {})]
    assert capsys.readouterr().out == "Test: cnn has accuracy 95.0 %.\n"


@pytest.mark.parametrize(("words", "options"), [([], {}), (["--trust"], {"trust": True})])
def test_resume_hands_trust_on_only_when_given(words, options, run, monkeypatch):
    monkeypatch.setattr("workbench.cli.runs._watch", lambda run: 0)
    assert cli.main(["resume", "last", *words]) == 0
    assert run.asked == [("resume", options)]


def test_run_resumes_and_returns_at_once_when_detached(run, capsys):
    assert cli.main(["run", "--resume", "last", "--detach"]) == 0
    assert run.asked == [("resume", {})]
    assert f"Run folder: {run.folder}" in capsys.readouterr().out


def test_cancel_tells_what_became_of_the_run(run, capsys):
    assert cli.main(["cancel", "last"]) == 0
    assert run.asked == [("cancel", {})]
    assert "cancelled; finished steps are kept" in capsys.readouterr().out
