"""What all tests share: runs go to a folder that is thrown away, one small trained network is made
once a worker, and one finished run is made once for all workers.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from tests.sharing import Costs, Sharing, folder_of_session

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers on two cores
os.environ["WORKBENCH_RUNS"] = str(Path(tempfile.mkdtemp(prefix="workbench-tests-")) / "runs")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["WORKBENCH_HOME"] = tempfile.mkdtemp(prefix="workbench-tests-home-")


def pytest_configure(config):
    from workbench.system.own_process import settle_in

    settle_in()  # all tests together take an eighth less
    config.pluginmanager.register(Sharing(folder_of_session()), "sharing")
    config.pluginmanager.register(Costs(), "costs")


@pytest.fixture(scope="session")
def digits_task():
    from workbench.tasks import load_task

    return load_task("digits")


@pytest.fixture(scope="session")
def digits_cnn(digits_task):
    """A trained cnn on digits: a candidate that scores above 0.9 on valid."""
    from workbench.training import FitSettings, fit

    candidate, trained = digits_task.candidate("cnn", seed=0)
    assert not trained
    fitted = fit(
        candidate.model,
        digits_task.without_test(),
        FitSettings(epochs=6, precision="fp32", memory_format="contiguous"),
    )
    return candidate.fitted(fitted.model, fitted.choices)


@pytest.fixture(scope="session")
def digits_onnx(digits_task, digits_cnn):
    """The ONNX file of `digits_cnn`, as a candidate."""
    from workbench.runtimes.to_onnx import to_onnx

    return to_onnx(digits_cnn, digits_task.example(16))


@pytest.fixture
def job_of(digits_task, digits_cnn, tmp_path):
    """Makes a job on digits; `job_of(report=...)` changes parts of it."""
    from workbench.technique import Job

    def make(**changes):
        return Job(
            **{
                "task": digits_task.without_test(),
                "start": digits_cnn,
                "folder": tmp_path,
                **changes,
            }
        )

    return make


@pytest.fixture(scope="session")
def digits_run_folder(tmp_path_factory):
    """The folder of a finished run of pruning and quantization on digits, one for all workers.

    `tests/finished_run.py` makes it. Tests only look at it; one that changes a file copies it.
    """
    from tests import finished_run

    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished-run"
    with FileLock(f"{place}.lock"):
        if not (place / "folder.txt").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            folder = finished_run.make(place)
            (place / "folder.txt").write_text(str(folder), encoding="utf-8")
        return Path((place / "folder.txt").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def digits_run(digits_run_folder):
    """A handle on the finished run of `digits_run_folder`."""
    from workbench.runs.handle import attach

    return attach(digits_run_folder)
