"""Every built-in metric passes the contract of metrics."""

from __future__ import annotations

import pytest

from workbench.metrics import METRIC_REGISTRY, METRICS
from workbench.testing import MetricContract


class TestMetrics(MetricContract):
    @pytest.fixture(params=METRICS)
    def declared(self, request):
        return METRIC_REGISTRY.get(request.param)
