"""Commands about a run: what they ask of its handle."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import workbench.runs.handle as handle
from tests.factories import make_run
from workbench.cli import main as cli
from workbench.cli.tour import _print_end, _stopped
from workbench.runs.handle import attach


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


def test_show_opens_with_the_sentence_then_the_table_and_then_the_test_line(tmp_path, capsys):
    folder = make_run(tmp_path)
    (folder / "recipe.yml").write_text((folder / "recipe.yml").read_text() + "accepted_drop: 2.5\n")
    step_file = folder / "steps" / "02-quantization" / "step.json"
    step = json.loads(step_file.read_text())
    step["rows"][-1]["notes"] = ["Four layers stay in float."]
    step_file.write_text(json.dumps(step))
    assert cli.main(["show", folder.name, "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    flat = " ".join(out.split())
    assert flat.startswith(attach(folder).result.summary)
    assert "your limit is 2.5 points: kept." in flat
    assert out.index("your limit") < out.index("verdict") < out.index("Test: ")
    assert "samples/s" not in out
    assert "stay in float" not in out
    long = ("Run folder:", "Model file:")
    lines = [line for line in out.splitlines() if not line.startswith(long)]
    assert max(map(len, lines)) <= 100
    assert cli.main(["show", folder.name, "--all", "--root", str(tmp_path)]) == 0
    everything = capsys.readouterr().out
    assert "valid accuracy" in everything
    assert "-0.60 to +0.20" in everything
    assert "quantization: Four layers stay in float." in everything


def test_tour_ends_with_the_sentence_the_table_and_the_files(tmp_path, capsys):
    run = attach(make_run(tmp_path))
    report = tmp_path / "report.html"
    report.write_bytes(b"0" * 2000)
    _print_end(run, [report], 12.0)
    out = capsys.readouterr().out
    flat = " ".join(out.split())
    assert flat.startswith(run.result.summary)
    assert out.index("resnet20 on fashion, budget standard") < out.index("Test: ")
    assert f"{report}  (2 kB)" in out
    assert "Done in 12.0 s." in out


def test_tour_that_stopped_says_why_and_where_its_output_is(tmp_path):
    printed = tmp_path / "papermill.log"
    printed.write_text("Traceback (most recent call last):\nnbclient.x.CellTimeoutError: slow\nx\n")
    text = _stopped(tmp_path / "out.ipynb", printed)
    assert text.startswith(
        "The tour stopped. nbclient.x.CellTimeoutError: slow. The notebook so far"
    )
    assert str(printed) in text
    printed.write_text("")
    assert _stopped(tmp_path / "out.ipynb", printed).startswith("The tour stopped. The notebook")
