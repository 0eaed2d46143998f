"""Built-in tasks and the small ready ones pass the contract of tasks."""

from __future__ import annotations

import pytest

from workbench.tasks import load_task
from workbench.testing import TaskContract, sklearn_task, torch_task


class TestDigits(TaskContract):
    @pytest.fixture
    def declared(self):
        return load_task("digits")


class TestFlights(TaskContract):
    @pytest.fixture
    def declared(self):
        return load_task("flights")


class TestReadyTasks(TaskContract):
    @pytest.fixture(params=[torch_task, sklearn_task])
    def declared(self, request):
        return request.param()
