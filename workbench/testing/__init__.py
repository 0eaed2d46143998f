"""The contract of every technique, form, runtime, metric and task, as pytest classes.

A package that brings one of them subclasses the class of its kind, gives the declaration, and gets
all tests:

    from workbench.testing import TechniqueContract

    class TestRounding(TechniqueContract):
        @pytest.fixture
        def declared(self):
            return rounding

Every other fixture has a small ready value and can be overridden in the same way.
"""

from __future__ import annotations

from workbench.testing.assertions import REWRITTEN
from workbench.testing.examples import (
    onnx_candidate,
    sklearn_candidate,
    sklearn_task,
    torch_candidate,
    torch_task,
)
from workbench.testing.forms import FormContract
from workbench.testing.metrics import MetricContract
from workbench.testing.runtimes import RuntimeContract
from workbench.testing.tasks import TaskContract
from workbench.testing.techniques import TechniqueContract

__all__ = [
    "REWRITTEN",
    "FormContract",
    "MetricContract",
    "RuntimeContract",
    "TaskContract",
    "TechniqueContract",
    "onnx_candidate",
    "sklearn_candidate",
    "sklearn_task",
    "torch_candidate",
    "torch_task",
]
