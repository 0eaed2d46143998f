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

    @pytest.mark.xfail(
        strict=True, reason="Task.example prepares rows for an estimator, which takes raw ones"
    )
    def test_example_rows_fit_each_model(self, declared):
        super().test_example_rows_fit_each_model(declared)

    @pytest.mark.xfail(
        strict=True, reason="the builders `logistic` and `boosting` hold all splits, test included"
    )
    def test_task_travels_to_another_process_without_its_test_rows(self, declared):
        super().test_task_travels_to_another_process_without_its_test_rows(declared)


class TestReadyTasks(TaskContract):
    @pytest.fixture(params=[torch_task, sklearn_task])
    def declared(self, request):
        return request.param()
