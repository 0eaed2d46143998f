"""The contract of every technique, on tables: an estimator, and a network behind its columns."""

from __future__ import annotations

import pytest

from tests.techniques.features.tables import mixed_task, trained
from workbench.techniques import get_technique
from workbench.testing import TechniqueContract
from workbench.testing.examples import ready_candidate, ready_task


class TestOnAnEstimator(TechniqueContract):
    @pytest.fixture
    def declared(self):
        return get_technique("features")

    @pytest.fixture
    def task(self):
        return ready_task(("sklearn",))

    @pytest.fixture
    def candidate(self):
        return ready_candidate(("sklearn",))


class TestOnANetwork(TechniqueContract):
    @pytest.fixture
    def declared(self):
        return get_technique("features")

    @pytest.fixture
    def task(self):
        return mixed_task()

    @pytest.fixture
    def candidate(self, task):
        return trained(task, "net")

    @pytest.fixture
    def settings(self, declared):
        return declared.settings(budget="smoke", encode="simple", select="f_test")

    @pytest.fixture
    def least_quality(self):
        return 0.6
