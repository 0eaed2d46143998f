"""The ratio of channels that reaches a target of multiply-adds or of measured latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.errors import SettingsError
from workbench.measure import time_side_by_side
from workbench.measure.cost import macs_torch
from workbench.models.networks import shape_of
from workbench.runtimes.to_onnx import to_onnx
from workbench.system.choices import choose_by_clock
from workbench.techniques.pruning.graph import Inputs
from workbench.techniques.pruning.selection import (
    ChannelRatios,
    least_important,
    pruned_copy,
    require_channels_left,
)

if TYPE_CHECKING:
    import numpy as np
    import torch
    from pandas import DataFrame
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings
    from workbench.techniques.pruning.groups import Group

__all__ = ["ratio_for"]

N_HALVINGS = 10  # of the interval that holds the ratio: its error is at most 1/1024
TIMED_RATIOS = (0.25, 0.5, 0.75, 0.875)
Pruner = Callable[[float], "nn.Module"]


def ratio_for(
    settings: PruningSettings,
    model: nn.Module,
    inputs: Inputs,
    groups: Sequence[Group],
    scores: Mapping[str, torch.Tensor],
    job: Job,
) -> tuple[float, DataFrame]:
    """The common ratio that reduces the target by `pruning_ratio`, and a table of trials.

    Raises SettingsError when the narrowest network misses the target, with the largest reduction
    that can be reached.
    """

    def pruned_by(ratio: float) -> nn.Module:
        job.report.check()
        ratios = ChannelRatios.from_settings(settings, ratio)
        removed = least_important(scores, groups, ratios)
        return pruned_copy(model, inputs, removed, groups)

    search = _by_macs if settings.target == "macs" else _by_latency
    return search(settings.pruning_ratio, pruned_by, model, _largest_ratio(settings, groups), job)


def _largest_ratio(settings: PruningSettings, groups: Sequence[Group]) -> float:
    """The largest common ratio that leaves no layer empty."""
    low = 0.0
    high = 0.99
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        try:
            require_channels_left(groups, ChannelRatios.from_settings(settings, middle))
            low = middle
        except SettingsError:
            high = middle
    return low


def _out_of_reach(unit: str, reduction: float, largest: float) -> SettingsError:
    return SettingsError(
        f"Cannot reduce {unit} by {100 * reduction:.3g} %; the largest reduction, with the "
        f"narrowest layers, is {100 * largest:.1f} %. Use a lower `pruning_ratio` or `round_to`, "
        "or name fewer `ignored_layers`."
    )


def _by_macs(
    reduction: float, pruned_by: Pruner, model: nn.Module, largest_ratio: float, job: Job
) -> tuple[float, DataFrame]:
    """Bisection on the multiply-adds of the pruned network."""
    import pandas as pd

    example = job.example(1)
    dense_macs = macs_torch(model, example)
    macs_by_ratio: dict[float, int] = {0.0: dense_macs}

    def reduction_at(ratio: float) -> float:
        macs_by_ratio[ratio] = macs_torch(pruned_by(ratio), example)
        return 1 - macs_by_ratio[ratio] / dense_macs

    largest_reduction = reduction_at(largest_ratio)
    if largest_reduction < reduction:
        raise _out_of_reach("multiply-adds", reduction, largest_reduction)
    low = 0.0
    high = largest_ratio
    for step in range(N_HALVINGS):
        middle = round((low + high) / 2, 4)
        job.report.progress(step, N_HALVINGS, f"Searching the ratio, now {middle:.3f}.")
        if reduction_at(middle) >= reduction:
            high = middle
        else:
            low = middle
    # Widths are whole numbers, so the target is met only nearly: take the closest trial.
    best = min(macs_by_ratio, key=lambda r: (abs(1 - macs_by_ratio[r] / dense_macs - reduction), r))
    rows = [
        (ratio, macs, 1 - macs / dense_macs, ratio == best)
        for ratio, macs in sorted(macs_by_ratio.items())
    ]
    return best, pd.DataFrame(rows, columns=["ratio", "macs", "removed", "chosen"])


def _by_latency(
    reduction: float, pruned_by: Pruner, model: nn.Module, largest_ratio: float, job: Job
) -> tuple[float, DataFrame]:
    """Interpolation between ratios timed side by side in ONNX Runtime (batch 1, one thread)."""
    import numpy as np
    import pandas as pd

    ratios = [0.0, *(r for r in TIMED_RATIOS if r < largest_ratio), round(largest_ratio, 4)]
    networks = [model if ratio == 0 else pruned_by(ratio) for ratio in ratios]
    latencies = _latencies_ms(ratios, networks, job)
    reductions = 1 - latencies / latencies[0]
    # A wider network is not really faster: such differences are noise.
    rising = np.maximum.accumulate(reductions)
    if rising[-1] < reduction:
        raise _out_of_reach("latency", reduction, float(rising[-1]))
    best = _interpolated(ratios, rising, reduction)
    trials = pd.DataFrame({"ratio": ratios, "latency_ms": latencies, "removed": reductions})
    trials["chosen"] = False
    trials.loc[len(trials)] = [best, float(latencies[0] * (1 - reduction)), reduction, True]
    return best, trials.sort_values("ratio", ignore_index=True)


def _latencies_ms(ratios: Sequence[float], networks: Sequence[nn.Module], job: Job) -> np.ndarray:
    """Best latency in milliseconds of each network `(ratios,)`; measured once for these shapes."""
    import numpy as np

    latencies: list[float] = choose_by_clock(
        "latency",
        [shape_of(network) for network in networks],
        measure=lambda: _timed(ratios, networks, job),
        check=job.report.check,
    )
    return np.array(latencies)


def _timed(ratios: Sequence[float], networks: Sequence[nn.Module], job: Job) -> list[float]:
    candidates = {}
    for ratio, network in zip(ratios, networks, strict=True):
        candidate = job.start.child(f"ratio {ratio:g}", "pruning", model=network, macs=None)
        candidates[f"{ratio:g}"] = (to_onnx(candidate, job.example(3)), "onnxruntime")
    timings = time_side_by_side(
        candidates,
        lambda candidate, n: job.task.example(n, candidate.prepare),
        batch_sizes=(1,),
        threads=1,
        budget="smoke",
        report=job.report,
    )
    return [timings[f"{ratio:g}"].at(1).best_ms for ratio in ratios]


def _interpolated(ratios: Sequence[float], reductions: np.ndarray, reduction: float) -> float:
    """The ratio at which the rising `reductions` reach `reduction`."""
    above = int((reductions >= reduction).argmax())
    if above == 0:
        return 0.0
    rise = max(1e-9, reductions[above] - reductions[above - 1])
    fraction = (reduction - reductions[above - 1]) / rise
    ratio = ratios[above - 1] + fraction * (ratios[above] - ratios[above - 1])
    return round(float(ratio), 4)
