"""Built-in tasks and the small ready ones pass the contract of tasks."""

from __future__ import annotations

import pytest

from workbench.tasks import load_task
from workbench.testing import TaskContract, sklearn_task, torch_task


class TestTasks(TaskContract):
    @pytest.fixture(params=["digits", "flights"])
    def declared(self, request):
        return load_task(request.param)


class TestReadyTasks(TaskContract):
    @pytest.fixture(params=[torch_task, sklearn_task])
    def declared(self, request):
        return request.param()
