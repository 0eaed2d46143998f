"""Leakage guard: finds information in a task that a model will not have when it predicts."""

from workbench.measure.leakage.findings import KINDS, Finding, LeakReport
from workbench.measure.leakage.guard import find_leaks
from workbench.measure.leakage.noise import check_evaluation

__all__ = ["KINDS", "Finding", "LeakReport", "check_evaluation", "find_leaks"]
