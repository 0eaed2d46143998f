"""Every built-in form passes the contract of forms."""

from __future__ import annotations

import pytest

from workbench.model_form import FORMS
from workbench.testing import FormContract


class _BuiltIn(FormContract):
    name = ""

    @pytest.fixture
    def declared(self):
        return FORMS.get(self.name)


class TestTorch(_BuiltIn):
    name = "torch"
    loaded_class = "GraphModule"  # the network's own class is not at hand in the other process


class TestSklearn(_BuiltIn):
    name = "sklearn"


class TestOnnx(_BuiltIn):
    name = "onnx"


def test_every_built_in_form_is_tested():
    assert {one.name for one in _BuiltIn.__subclasses__()} == set(FORMS)
