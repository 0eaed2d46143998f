"""Private files of a run are read only if this user sealed them."""

from __future__ import annotations

import stat

import pytest

from workbench.errors import RunError
from workbench.runs.sealed import TASK_FILE, open_data, open_sealed, open_task, seal, trust
from workbench.runs.signing import key_file


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))


def test_sealed_task_and_data_are_read_back(digits_task, tmp_path):
    seal(digits_task, tmp_path / "private", {"window": digits_task.data.valid})
    task = open_task(tmp_path / "private")
    assert task.name == "digits"
    assert task.data.test is None
    assert len(open_sealed(tmp_path / "private")) == len(digits_task.data.test)
    assert len(open_data(tmp_path / "private")["window"]) == len(digits_task.data.valid)


def test_key_is_the_users_alone(digits_task, tmp_path):
    seal(digits_task, tmp_path / "private")
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert len(key_file().read_bytes()) == 32


def test_changed_file_is_not_read(digits_task, tmp_path):
    folder = tmp_path / "private"
    seal(digits_task, folder)
    (folder / TASK_FILE).write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(RunError, match="were changed since they were sealed"):
        open_task(folder)


def test_file_of_another_user_is_not_read_unless_vouched_for(digits_task, tmp_path, monkeypatch):
    folder = tmp_path / "private"
    seal(digits_task, folder)
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "another"))
    with pytest.raises(RunError, match="resume RUN --trust"):
        open_task(folder)
    trust(folder)
    assert open_task(folder).name == "digits"


def test_nothing_sealed_is_none(tmp_path):
    assert open_task(tmp_path) is None
    assert open_data(tmp_path) == {}
