"""A database and its proxy as the storage of trials, with real processes."""

import socket
import subprocess
import sys
import time

import pytest

import workbench as wb
from tests.techniques.tuning.small import RANGE, C, job, tuned, wine
from workbench.errors import MissingExtra, SettingsError
from workbench.techniques.tuning.proxy import main

CLUSTER = 'pip install "model-optimization-workbench[cluster]"'


@pytest.fixture(scope="module")
def pair():
    return wine()


def test_study_in_a_database_is_shared_by_runs(pair, tmp_path):
    shared = {"storage": f"sqlite:///{tmp_path}/trials.db", "study": "wines", "space": {C: RANGE}}
    tuned(tmp_path / "a", pair, n_trials=3, **shared)
    more = tuned(tmp_path / "b", pair, n_trials=5, **shared).evidence["trials"]
    assert list(more["number"]) == [0, 1, 2, 3, 4]


def test_worker_needs_a_storage(pair, tmp_path):
    tuning = wb.get_technique("tuning")
    with pytest.raises(SettingsError, match="A worker needs `storage`.*and `study`"):
        tuning.actions["worker"](job(tmp_path, *pair), tuning.settings(n_trials=2))


def test_database_that_cannot_be_reached_is_named(pair, tmp_path):
    with pytest.raises(SettingsError, match="nothing-here.* cannot be used"):
        tuned(tmp_path, pair, n_trials=2, study="s", storage="sqlite:////nothing-here/at/all/x.db")


def test_proxy_of_a_database_that_cannot_be_opened(tmp_path):
    pytest.importorskip("grpc", reason=CLUSTER)
    with pytest.raises(SettingsError, match="cannot be opened"):
        main(["sqlite:////nothing-here/at/all/x.db"])


def test_proxy_without_grpc_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(MissingExtra, match="needs the extra `cluster`"):
        main(["sqlite:///x.db"])


@pytest.mark.slow
def test_workers_share_a_study_through_the_proxy(pair, tmp_path):
    """One process serves; a worker and a run use the same study, each with trials of its own."""
    pytest.importorskip("grpc", reason=CLUSTER)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = ["-m", "workbench.techniques.tuning.proxy", f"sqlite:///{tmp_path}/t.db", "--port"]
    server = subprocess.Popen([sys.executable, *command, str(port)])
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with socket.socket() as client:
                if client.connect_ex(("localhost", port)) == 0:
                    break
            time.sleep(0.2)
        shared = {
            "storage": f"grpc://localhost:{port}",
            "study": "wines",
            "space": {C: RANGE},
            "folds": 2,
        }
        tuning = wb.get_technique("tuning")
        settings = tuning.settings(n_trials=4, **shared)
        by_worker = tuning.actions["worker"](job(tmp_path / "w", *pair), settings)["trials"]
        assert len(by_worker) == 4
        both = tuned(tmp_path / "r", pair, n_trials=7, **shared).evidence["trials"]
        assert list(both["number"]) == list(range(7))
    finally:
        server.kill()
        server.wait()
