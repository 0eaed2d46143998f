"""Measuring: quality, cost and latency of candidates, and verdicts on two of them; techniques are judged here, all alike."""

from workbench.measure.cost import macs_onnx, macs_torch, n_parameters, size_of
from workbench.measure.latency import BUDGETS, time_side_by_side
from workbench.measure.quality import Quality, quality
from workbench.measure.scorecard import Scorecard
from workbench.measure.timing import BatchTiming, Timing, compare_timings
from workbench.measure.verdict import Verdict, compare_many, compare_quality, compare_speed, holm, within

__all__ = [
    "BUDGETS",
    "BatchTiming",
    "Quality",
    "Scorecard",
    "Timing",
    "Verdict",
    "compare_many",
    "compare_quality",
    "compare_speed",
    "compare_timings",
    "holm",
    "macs_onnx",
    "macs_torch",
    "n_parameters",
    "quality",
    "size_of",
    "time_side_by_side",
    "within",
]
