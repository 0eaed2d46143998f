"""Jobs of quantization hold the file of their start, as they do in a run."""

from __future__ import annotations

import pytest

from workbench.runtimes.to_onnx import to_onnx


@pytest.fixture(scope="session")
def digits_resnet(digits_task):
    """Changes of a job: an untrained resnet20 as its start, and its file."""
    start, _ = digits_task.candidate("resnet20")
    return {"start": start, "exported": to_onnx(start, digits_task.example(16))}


@pytest.fixture
def job_of(job_of, digits_onnx):
    """Makes a job on digits; one whose start is changed exports it by itself."""

    def make(**changes):
        exported = {} if "start" in changes else {"exported": digits_onnx}
        return job_of(**exported, **changes)

    return make
