"""The measured peak: plausible by its own arithmetic, kept once measured, and a fraction is what it
says.
"""

from __future__ import annotations

import pytest
import torch

from workbench.measure.roofline import fraction_of_peak, peaks
from workbench.system.machine import host


def test_peaks_are_measured_once_and_leave_the_threads_alone():
    before = torch.get_num_threads()
    found = peaks(1)
    assert set(found) == {"fp32", "bf16", "int8"}
    assert min(found["fp32"], found["int8"]) > 1, (
        "a core of the last ten years does more than a billion a second"
    )
    has_bf16 = any("bf16" in name for name in host().instructions)
    assert found["bf16"] > (1 if has_bf16 else 0), "in software it is far slower"
    assert peaks(1) == found
    assert torch.get_num_threads() == before


def test_fraction_counts_a_multiply_add_as_two_operations():
    # 50 M multiply-adds in 1 ms are 100 billion operations a second
    assert fraction_of_peak(50_000_000, 1.0, 1, 200.0) == pytest.approx(0.5)
    assert fraction_of_peak(50_000_000, 64.0, 64, 200.0) == pytest.approx(0.5)
