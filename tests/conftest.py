"""What all tests share: runs go to a folder that is thrown away, and one small trained network is
made once.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.sharing import Sharing, folder_of_session

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers on two cores
os.environ["WORKBENCH_RUNS"] = str(Path(tempfile.mkdtemp(prefix="workbench-tests-")) / "runs")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["WORKBENCH_HOME"] = tempfile.mkdtemp(prefix="workbench-tests-home-")


def pytest_configure(config):
    config.pluginmanager.register(Sharing(folder_of_session()), "sharing")


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
