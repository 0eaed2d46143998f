"""Everything that this package brings passes the contract of its kind."""

from __future__ import annotations

import pytest
from wb_example.form import FORM
from wb_example.metric import TOP2_ACCURACY
from wb_example.runtime import RUNTIME
from wb_example.task import example_digits
from wb_example.technique import decimal_rounding

from workbench.model_form import Training
from workbench.testing import (
    FormContract,
    MetricContract,
    RuntimeContract,
    TaskContract,
    TechniqueContract,
)


class OnLinear:
    """The fixtures of a trained linear model."""

    @pytest.fixture
    def task(self):
        return example_digits()

    @pytest.fixture
    def candidate(self, task):
        return FORM.fit(task.candidate("linear")[0], task.without_test(), Training("smoke"))


class TestRoundingOfLinear(OnLinear, TechniqueContract):
    @pytest.fixture
    def declared(self):
        return decimal_rounding


class TestRoundingOfNetworks(TechniqueContract):
    @pytest.fixture
    def declared(self):
        return decimal_rounding


class TestForm(OnLinear, FormContract):
    @pytest.fixture
    def declared(self):
        return FORM


class TestRuntime(OnLinear, RuntimeContract):
    @pytest.fixture
    def declared(self):
        return RUNTIME


class TestMetric(MetricContract):
    @pytest.fixture
    def declared(self):
        return TOP2_ACCURACY


class TestTask(TaskContract):
    @pytest.fixture
    def declared(self):
        return example_digits()
