"""The process of a run that a command or notebook begins before it knows the run."""

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
from workbench.system import threads
from workbench.system.process import children

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no spare processes")

NONE_LEFT = "a process that waits for a run outlived its command"
SMOKE = ["--task", "digits", "--start", "cnn", "--budget", "smoke"]


@pytest.fixture
def begun(monkeypatch):
    """The processes that are started in this test, each with its words."""
    seen = []
    start = processes._popen

    def popen(words, *others, **options):
        process = start(words, *others, **options)
        seen.append((words, process))
        return process

    monkeypatch.setattr(processes, "_popen", popen)
    yield seen
    for _, process in seen:
        process.kill()
        process.wait()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return path


def _is_there(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_command_starts_its_run_in_the_process_that_it_began_before(tmp_path, begun, capsys):
    assert cli.main(["quantization", *SMOKE, "--detach", "--root", str(tmp_path)]) == 0
    ((words, process),) = begun
    assert words == [], "it was begun without a folder"
    run = find_run("last", tmp_path)
    assert json.loads((run.folder / "process.json").read_text())["pid"] == process.pid
    assert process in children
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
def test_a_refused_command_leaves_no_process(words, tmp_path, begun, capsys):
    assert cli.main([*words, "--root", str(tmp_path)]) in (1, 2)
    ((_, process),) = begun
    assert process.returncode is not None, NONE_LEFT


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--task", "digits", "--dry-run"], ["sensitivity", "--no-such-option"]],
    ids=" ".join,
)
def test_commands_that_start_no_run_begin_none(words, begun, capsys):
    cli.main(["pruning", *words])
    assert not begun


def test_a_killed_command_leaves_no_process():
    code = (
        "import time\nfrom workbench.runs.processes import spare_process\n"
        "with spare_process():\n    print('begun', flush=True)\n    time.sleep(60)\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    assert command.stdout.readline() == "begun\n"
    (spare,) = psutil.Process(command.pid).children()
    command.send_signal(signal.SIGKILL)
    command.wait()
    command.stdout.close()
    limit = time.monotonic() + 60
    while _is_there(spare):
        assert time.monotonic() < limit, NONE_LEFT
        time.sleep(0.1)


def _variable(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")  # counts when a library is imported


def _own_value(monkeypatch, tmp_path):
    monkeypatch.setenv("KMP_DUPLICATE_LIB_OK", "TRUE")  # scikit-learn writes it as True


def _working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("change", [_variable, _own_value, _working_folder])
def test_a_process_begun_under_other_circumstances_is_not_used(
    change, folder, tmp_path, monkeypatch, begun
):
    here = os.getcwd()
    monkeypatch.delenv("KMP_DUPLICATE_LIB_OK", raising=False)
    with processes.spare_process():
        change(monkeypatch, tmp_path)
        pid = processes.start_process(folder, here)
    (_, spare), (words, process) = begun
    assert (pid, words) == (process.pid, [str(folder)])
    assert spare.returncode is not None, NONE_LEFT


def test_a_run_that_looks_for_its_code_elsewhere_has_its_own_process(folder, tmp_path, begun):
    with processes.spare_process():
        processes.start_process(folder, str(tmp_path))
    assert [words for words, _ in begun] == [[], [str(folder)]]


def test_variables_that_libraries_set_when_imported_do_not_count(folder, monkeypatch, begun):
    monkeypatch.delenv("KMP_INIT_AT_FORK", raising=False)
    with processes.spare_process():
        monkeypatch.setenv("KMP_INIT_AT_FORK", "FALSE")
        pid = processes.start_process(folder, os.getcwd())
    ((_, spare),) = begun
    assert pid == spare.pid


def test_a_process_that_has_died_is_not_used(folder, begun):
    with processes.spare_process():
        ((_, spare),) = begun
        spare.kill()
        spare.wait()
        assert processes.start_process(folder, os.getcwd()) != spare.pid
    assert len(begun) == 2


def test_a_process_that_cannot_import_begins_afresh_as_the_same_one(folder, tmp_path, monkeypatch):
    """Here torch fails when it is imported; the run then fails as any run would, and says so."""
    (tmp_path / "torch.py").write_text("raise ImportError('torch is broken here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with processes.spare_process():
        pid = processes.start_process(folder, os.getcwd())
    process = children[-1]
    assert process.pid == pid
    assert process.wait(60) != 0
    assert "Traceback" in (folder / "output.log").read_text()


def test_a_notebook_keeps_its_process_for_a_while_only(monkeypatch, begun):
    monkeypatch.setattr(processes, "KEPT_SECONDS", 0.2)
    processes.begin_spare()
    ((_, spare),) = begun
    limit = time.monotonic() + 30
    while spare.returncode is None:
        assert time.monotonic() < limit, "nobody ended it"
        time.sleep(0.1)


def test_the_settings_cell_run_again_leaves_one_process(begun):
    processes.begin_spare()
    processes.begin_spare()
    (_, first), (_, second) = begun
    assert first.returncode is not None
    assert second.poll() is None


def test_training_that_measures_its_threads_is_not_beside_the_imports(monkeypatch, begun):
    monkeypatch.setattr(threads, "threads_for_now", lambda: begun[0][1].wait(30))
    processes.begin_spare()
    assert threads._threads_of_process.__wrapped__() == -signal.SIGKILL
