"""The process of a run that a command begins before it knows the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from workbench.cli import main as cli
from workbench.runs import processes
from workbench.runs.handle import find_run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no spare processes")

NONE_LEFT = "a process that waits for a run outlived its command"


def _waiting():
    """Spare processes of this user: a run's process without a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[-2:] == ["-m", "workbench.runs.child"]:
            found.append(process)
    return found


def _of(parent):
    return [p for p in parent.children() if p in _waiting()]


def test_a_command_starts_its_run_in_the_process_that_it_began_before(tmp_path, capsys):
    words = ["quantization", "--task", "digits", "--start", "cnn", "--budget", "smoke"]
    assert cli.main([*words, "--detach", "--root", str(tmp_path)]) == 0
    run = find_run("last", tmp_path)
    born = json.loads((run.folder / "process.json").read_text())["born"]
    created = json.loads((run.folder / "run.json").read_text())["created"]
    assert born < created
    run.cancel()
    assert run.status == "cancelled"
    assert "Traceback" not in (run.folder / "output.log").read_text()


def test_what_the_process_prints_is_kept_with_the_run(tmp_path):
    """A task that cannot be imported fails in the run's process, which prints where."""
    module = tmp_path / "broken_task_of_mine.py"
    module.write_text("print('printed by the task')\nraise ValueError('no such data')\n")
    recipe = tmp_path / "recipe.yml"
    recipe.write_text("task: broken_task_of_mine:make\nsteps: [quantization]\nbudget: smoke\n")
    command = [sys.executable, "-m", "workbench.cli", "run", str(recipe), "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 1
    printed = (find_run("last", tmp_path).folder / "output.log").read_text()
    assert "printed by the task" in printed
    assert "no such data" in printed


@pytest.mark.parametrize(
    "words",
    [
        ["quantization", "--no-such-option"],
        ["quantization", "--budget", "endless"],
        ["resume", "nowhere"],
        ["run", "nowhere.yml"],
    ],
    ids=" ".join,
)
def test_a_refused_command_leaves_no_process(words, tmp_path, capsys):
    assert cli.main([*words, "--root", str(tmp_path)]) in (1, 2)
    assert not _of(psutil.Process()), NONE_LEFT


@pytest.mark.parametrize(
    "words", [["--help"], ["--task", "digits", "--dry-run"], ["sensitivity", "--help"]]
)
def test_commands_that_start_no_run_begin_none(words, monkeypatch, capsys):
    begun = []
    monkeypatch.setattr(processes, "_popen", lambda *a, **k: begun.append(a))
    cli.main(["pruning", *words])
    assert not begun


def test_a_killed_command_leaves_no_process(tmp_path):
    code = (
        "import time\nfrom workbench.runs.processes import spare_process\n"
        "with spare_process():\n    print('begun', flush=True)\n    time.sleep(60)\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    assert command.stdout.readline() == "begun\n"
    (spare,) = _of(psutil.Process(command.pid))
    command.send_signal(signal.SIGKILL)
    command.wait()
    command.stdout.close()
    limit = time.monotonic() + 60
    while spare.is_running() and spare.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < limit, NONE_LEFT
        time.sleep(0.1)


def test_a_process_begun_under_other_variables_is_not_used(tmp_path, monkeypatch):
    """A variable such as OMP_NUM_THREADS counts when a library is imported."""
    folder = tmp_path / "run"
    folder.mkdir()
    with processes.spare_process():
        (spare,) = _of(psutil.Process())
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert processes.start_process(folder, str(tmp_path)) != spare.pid
        assert not spare.is_running(), NONE_LEFT
    assert (folder / "output.log").exists()


def test_a_process_that_has_died_is_not_used(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with processes.spare_process():
        (spare,) = _of(psutil.Process())
        spare.kill()
        spare.wait()
        assert processes.start_process(folder, os.getcwd()) != spare.pid


def test_a_notebook_keeps_its_process_for_a_while_only(monkeypatch):
    monkeypatch.setattr(processes, "KEPT_SECONDS", 0.5)
    processes.begin_spare()
    (spare,) = _of(psutil.Process())
    processes.begin_spare()
    assert _of(psutil.Process()) == [spare], "one is enough"
    limit = time.monotonic() + 30
    while spare.is_running():
        assert time.monotonic() < limit, "nobody ended it"
        time.sleep(0.1)


def test_variables_that_libraries_set_when_imported_do_not_count(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.delenv("KMP_INIT_AT_FORK", raising=False)
    with processes.spare_process():
        (spare,) = _of(psutil.Process())
        monkeypatch.setenv("KMP_INIT_AT_FORK", "FALSE")
        assert processes.start_process(folder, os.getcwd()) == spare.pid
