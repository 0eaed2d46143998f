"""`workbench list`: the runs with their result, filtered and sorted, from files alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest

from tests.factories import make_run
from workbench.cli import main as cli
from workbench.cli.run_entries import age_text, moment, read_entries, seconds_of
from workbench.errors import WorkbenchError
from workbench.system.files import read_json, write_json

HOUR, DAY = 3600.0, 86400.0


@pytest.fixture
def root(tmp_path):
    """Three finished runs and one that failed, of two tasks."""
    now = time.time()
    folders = [
        make_run(tmp_path, "20261101-101500-fashion-resnet20", created=now - 40 * DAY),
        make_run(tmp_path, "20261120-101500-digits-cnn", task="digits", created=now - 3 * DAY),
        make_run(tmp_path, "20261122-101500-fashion-mlp", created=now - 3 * HOUR, budget="smoke"),
    ]
    for folder, (difference, size) in zip(
        folders, [(-0.012, 110_000), (0.004, 50_000), (-0.002, 400_000)], strict=True
    ):
        _change(folder, difference, size)
    make_run(tmp_path, "20261123-101500-fashion-x", created=now - 60, status="failed")
    return tmp_path


def _change(folder, difference, size_bytes):
    rows = read_json(folder / "ledger.json")
    rows[-1] |= {"size_bytes": size_bytes}
    write_json(folder / "ledger.json", rows)
    line = read_json(folder / "final.json")
    decision = "worse" if difference < -0.01 else "better" if difference > 0 else "equivalent"
    line["verdicts"][0] |= {"difference": difference, "decision": decision}
    write_json(folder / "final.json", line)


def _listed(capsys, root, *words) -> list[str]:
    """Names of the listed runs, in order."""
    assert cli.main(["list", "--json", "--root", str(root), *words]) == 0
    return [run["name"].rpartition("-")[2] for run in json.loads(capsys.readouterr().out)]


def test_list_shows_change_verdict_factors_and_age(root, capsys):
    assert cli.main(["list", "--root", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = lines[1].split()
    assert head == ["run", "age", "status", "steps", "change", "verdict", "size", "speed"]
    digits = next(line for line in lines if "digits" in line).split()
    for text in ("3", "d", "finished", "+0.40", "▲", "better", "20x"):
        assert text in digits
    quick = next(line for line in lines if "fashion-mlp" in line)
    assert "quick check" in quick
    assert "~2.5x" in quick
    assert "~2.5x" not in " ".join(digits)
    assert "~: a quick check" in " ".join(lines)
    assert "percentage points" in " ".join(" ".join(lines).split())
    assert max(map(len, lines[1:])) <= 100


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ["resnet20", "cnn", "mlp", "x"]),
        ("--status finished", ["resnet20", "cnn", "mlp"]),
        ("--status failed", ["x"]),
        ("--task digits", ["cnn"]),
        ("--task unknown", []),
        ("--since 5d", ["cnn", "mlp", "x"]),
        ("--since 1h", ["x"]),
        ("--since 5d --task fashion --status finished", ["mlp"]),
        ("--sort name", ["resnet20", "cnn", "mlp", "x"]),
        ("--sort quality --status finished", ["cnn", "mlp", "resnet20"]),
        ("--sort size --status finished", ["cnn", "resnet20", "mlp"]),
        ("--sort speed --task digits", ["cnn"]),
    ],
)
def test_runs_are_filtered_and_sorted(words, names, root, capsys):
    assert _listed(capsys, root, *words.split()) == names


def test_since_takes_a_date(root, capsys):
    date = (datetime.now() - timedelta(days=2)).date().isoformat()
    assert _listed(capsys, root, "--since", date) == ["mlp", "x"]


def test_json_holds_all_numbers(root, capsys):
    assert cli.main(["list", "--json", "--root", str(root), "--task", "digits"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert run["size_factor"] == pytest.approx(20.0)
    assert run["speed_factor"] == pytest.approx(2.5)
    assert run["change"]["difference"] == 0.004
    assert run["change"]["split"] == "test"
    assert (run["verdict"], run["limit"], run["busy"]) == ("▲ better", "", False)
    assert run["age_seconds"] == pytest.approx(3 * DAY, abs=120)
    assert run["steps"] == ["pruning", "quantization"]


def test_limit_of_a_run_is_in_the_json(root, capsys):
    folder = root / "20261101-101500-fashion-resnet20"
    recipe = folder / "recipe.yml"
    for drop, limit in (("2.0", "kept"), ("0.5", "not kept"), ("1.2", "undecided")):
        recipe.write_text(recipe.read_text().partition("accepted_drop")[0].rstrip() + "\n")
        recipe.write_text(f"{recipe.read_text()}accepted_drop: {drop}\n")
        line = read_json(folder / "final.json")
        line["verdicts"][0] |= {"low": -0.016, "high": -0.008}
        write_json(folder / "final.json", line)
        (entry,) = [e for e in read_entries(str(root)) if e.folder == folder]
        assert entry.limit == limit


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ("--status done", 2, "Unknown status `done`"),
        ("--sort best", 2, "Unknown order `best`"),
        ("--since yesterday", 1, "`--since` must be a duration such as 45m"),
    ],
)
def test_wrong_values_are_refused_in_words(words, status, text, root, capsys):
    assert cli.main(["list", "--root", str(root), *words.split()]) == status
    assert text in capsys.readouterr().err


def test_no_runs_and_no_matching_run_are_told(root, tmp_path, capsys):
    assert cli.main(["list", "--root", str(tmp_path / "empty")]) == 0
    assert "No runs yet." in capsys.readouterr().out
    assert cli.main(["list", "--root", str(root), "--task", "unknown"]) == 0
    assert "No run matches." in capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_narrow_terminals_drop_columns_and_cut_no_number(width, root, monkeypatch, capsys):
    from rich.console import Console

    import workbench.cli.listing as listing

    monkeypatch.setattr(listing, "output", lambda: Console(width=width))
    assert cli.main(["list", "--root", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert all(len(line.rstrip()) <= width for line in lines)
    assert "…" not in "".join(lines)
    if "size" in lines[0]:
        assert "20x" in "".join(lines)


def test_run_whose_files_cannot_be_read_is_listed(tmp_path, capsys):
    folder = tmp_path / "20260101-000000-digits-cnn"
    folder.mkdir()
    for name, text in (("run.json", "{"), ("recipe.yml", "task: ["), ("ledger.json", "[1]")):
        (folder / name).write_text(text)
    assert cli.main(["list", "--root", str(tmp_path)]) == 0
    assert "its recipe" in capsys.readouterr().out
    assert cli.main(["list", "--root", str(tmp_path), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["task"], run["steps"], run["size_factor"], run["verdict"]) == (None, None, None, "")


def test_listing_loads_no_torch_and_no_pandas(root):
    code = (
        "import sys; from workbench.cli.main import main; main(['list']); "
        "print([n for n in ('torch', 'pandas', 'mlflow', 'onnx') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "WORKBENCH_RUNS": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 min"),
        (2400, "40 min"),
        (3 * HOUR + 60, "3 h"),
        (2 * DAY + HOUR, "2 d"),
        (400 * DAY, "400 d"),
    ],
)
def test_age_is_told_in_its_largest_unit(seconds, text):
    assert age_text(seconds) == text


def test_durations_and_moments():
    assert [seconds_of(t, "--older") for t in ("45m", "3h", "1.5d", " 2w ")] == [
        2700.0,
        3 * HOUR,
        1.5 * DAY,
        14 * DAY,
    ]
    for wrong in ("", "3", "d", "3 days", "-1d", "3y"):
        with pytest.raises(WorkbenchError, match="`--older` must be a number of minutes"):
            seconds_of(wrong, "--older")
    assert moment("2d", "--since") == pytest.approx(time.time() - 2 * DAY, abs=60)
    assert moment("2026-11-20", "--since") == datetime(2026, 11, 20).timestamp()
    with pytest.raises(WorkbenchError, match="or a date such as"):
        moment("tomorrow", "--since")
