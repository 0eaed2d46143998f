"""One contract for all techniques: each of ours passes what third parties are asked for."""

from __future__ import annotations

import pytest

from workbench.techniques import get_technique, technique_names
from workbench.testing import TechniqueContract


class TestTechniques(TechniqueContract):
    """On a convolutional network for the digits, which every technique for images takes."""

    # `features` works on tables: its contract is in tests/techniques/features.
    @pytest.fixture(params=[name for name in technique_names() if name != "features"])
    def declared(self, request):
        return get_technique(request.param)

    @pytest.fixture
    def task(self, digits_task):
        return digits_task

    @pytest.fixture
    def candidate(self, digits_cnn):
        return digits_cnn
