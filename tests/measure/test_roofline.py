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


@pytest.fixture
def own_home(monkeypatch, tmp_path):
    """A machine of which nothing is known yet."""
    from workbench.measure import roofline

    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    for cached in (roofline.peak_of, roofline._peak_again):
        cached.cache_clear()
    yield tmp_path
    for cached in (roofline.peak_of, roofline._peak_again):
        cached.cache_clear()


def _counted(monkeypatch, peaks_in_turn, *, disturbed=False):
    from workbench.measure import roofline

    calls = []

    def measured(precision, threads):
        calls.append(precision)
        return peaks_in_turn[min(len(calls), len(peaks_in_turn)) - 1], disturbed

    monkeypatch.setattr(roofline, "_measured", measured)
    return calls


def test_peak_is_kept_for_the_machine_and_measured_again_after_a_week(own_home, monkeypatch):
    from workbench.measure import roofline

    calls = _counted(monkeypatch, [100.0, 110.0])
    assert roofline.peak_of("fp32") == 100.0
    roofline.peak_of.cache_clear()
    assert roofline.peak_of("fp32") == 100.0, "as another process reads it"
    assert calls == ["fp32"]
    roofline.peak_of.cache_clear()
    later = roofline.time.time() + roofline.KEPT_SECONDS + 1
    monkeypatch.setattr(roofline.time, "time", lambda: later)
    assert roofline.peak_of("fp32") == 110.0


def test_peak_measured_beside_other_work_is_not_kept(own_home, monkeypatch):
    from workbench.measure import roofline

    calls = _counted(monkeypatch, [50.0, 100.0], disturbed=True)
    assert roofline.peak_of("fp32") == 50.0
    roofline.peak_of.cache_clear()
    assert roofline.peak_of("fp32") == 100.0
    assert len(calls) == 2


def test_share_above_the_peak_measures_the_peak_once_more_and_only_once(own_home, monkeypatch):
    from types import SimpleNamespace

    from workbench.measure import roofline

    calls = _counted(monkeypatch, [100.0, 120.0])
    batch = SimpleNamespace(best_ms=1.0, batch_size=1)
    timing = SimpleNamespace(device="cpu", threads=1, largest=batch)
    assert roofline.peak_share(None, 55_000_000, timing) == ("fp32", pytest.approx(110 / 120))
    assert roofline.peak_share(None, 90_000_000, timing) == ("fp32", None), "above any peak"
    assert roofline.peak_share(None, 90_000_000, timing) == ("fp32", None)
    assert calls == ["fp32", "fp32"]
    roofline.peak_of.cache_clear()
    assert roofline.peak_of("fp32") == 120.0, "the higher one is kept"
