"""Jobs of quantization hold the file of their start, as they do in a run."""

from __future__ import annotations

import pytest


@pytest.fixture
def job_of(job_of, digits_onnx):
    """Makes a job on digits; one whose start is changed exports it by itself."""

    def make(**changes):
        exported = {} if "start" in changes else {"exported": digits_onnx}
        return job_of(**exported, **changes)

    return make
