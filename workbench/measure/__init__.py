"""Measuring: quality, cost and latency of candidates, and verdicts on two of them.

All techniques are judged here, by the same rules.
"""

from workbench.measure.cost import macs_onnx, macs_torch, n_parameters, size_of
from workbench.measure.coverage import Coverage, coverage
from workbench.measure.decision_costs import Costs
from workbench.measure.everywhere import Everywhere, measure_everywhere, sweep
from workbench.measure.roofline import fraction_of_peak, peaks
from workbench.measure.scorecard import Scorecard
from workbench.measure.statistics.quality import Quality, quality
from workbench.measure.statistics.verdict import (
    Verdict,
    compare_many,
    compare_quality,
    compare_speed,
    holm,
    within,
)
from workbench.measure.threshold import Threshold, decision_threshold
from workbench.measure.timing.latency import ROUNDS_BY_BUDGET, time_side_by_side
from workbench.measure.timing.records import BatchTiming, Timing, compare_timings

__all__ = [
    "ROUNDS_BY_BUDGET",
    "BatchTiming",
    "Costs",
    "Coverage",
    "Everywhere",
    "Quality",
    "Scorecard",
    "Threshold",
    "Timing",
    "Verdict",
    "compare_many",
    "compare_quality",
    "compare_speed",
    "compare_timings",
    "coverage",
    "decision_threshold",
    "fraction_of_peak",
    "holm",
    "macs_onnx",
    "macs_torch",
    "measure_everywhere",
    "n_parameters",
    "peaks",
    "quality",
    "size_of",
    "sweep",
    "time_side_by_side",
    "within",
]
