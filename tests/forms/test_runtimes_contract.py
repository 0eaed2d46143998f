"""Every built-in runtime passes the contract of runtimes, as far as this machine can run it."""

from __future__ import annotations

import pytest

from workbench.runtimes import RUNTIMES
from workbench.testing import RuntimeContract

COMPILED = "torch-compiled"
TOLERANCES = {"openvino-bf16": 3e-2}  # bf16 keeps 8 bits of a number


class TestRuntimes(RuntimeContract):
    @pytest.fixture(params=[name for name in RUNTIMES if name != COMPILED])
    def declared(self, request):
        return RUNTIMES.get(request.param)

    @pytest.fixture
    def tolerance(self, declared, candidate):
        from workbench.model_form import form_named

        return TOLERANCES.get(declared.name, form_named(candidate.form).tolerance)


class TestCompiled(RuntimeContract):
    """Compiling takes a minute, so only the parts that compile nothing run each time."""

    @pytest.fixture
    def declared(self):
        return RUNTIMES.get(COMPILED)

    @pytest.fixture
    def usable(self, request):
        pytest.skip("compiling takes a minute; tests/runtimes compiles once")
