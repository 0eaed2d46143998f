"""From a target (so much of the multiply-adds or of the measured latency gone) to the ratio of
channels that reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from workbench.errors import SettingsError
from workbench.measure import time_side_by_side
from workbench.measure.cost import macs_torch
from workbench.runtimes.to_onnx import to_onnx
from workbench.techniques.pruning.structured import Plan, check_ratio, least_important, pruned

if TYPE_CHECKING:
    import torch
    from pandas import DataFrame
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings
    from workbench.techniques.pruning.graph import Group

__all__ = ["ratio_for"]

N_HALVINGS = 10  # the ratio is known to 1/1024
TIMED = (0.25, 0.5, 0.75, 0.875)  # ratios that are timed for a target of latency


def ratio_for(
    settings: PruningSettings,
    model: nn.Module,
    inputs: Mapping[str, torch.Tensor],
    groups: tuple[Group, ...],
    scores: Mapping[str, torch.Tensor],
    job: Job,
) -> tuple[float, DataFrame]:
    """The common ratio that removes `pruning_ratio` of what `target` names, and a table of what was
    tried.

    Raises SettingsError when the narrowest network is still above the target, with the largest
    share that can be reached.
    """

    def at(ratio: float) -> nn.Module:
        job.report.check()
        return pruned(model, inputs, least_important(scores, groups, Plan.of(settings, ratio)))

    if settings.target == "macs":
        return _by_macs(settings.pruning_ratio, at, model, _largest(settings, groups), job)
    return _by_latency(settings.pruning_ratio, at, model, _largest(settings, groups), job)


def _largest(settings: PruningSettings, groups: tuple[Group, ...]) -> float:
    """The largest common ratio that leaves no layer empty."""
    low, high = 0.0, 0.99
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        try:
            check_ratio(groups, Plan.of(settings, middle))
            low = middle
        except SettingsError:
            high = middle
    return low


def _refuse(target: str, wanted: float, largest: float) -> SettingsError:
    return SettingsError(
        f"`pruning_ratio` {wanted:g} of the {target} cannot be removed: with the narrowest layers "
        f"{largest:.3f} go. Lower it, lower `round_to`, or name fewer `ignored_layers`."
    )


def _by_macs(
    wanted: float, at: Callable[[float], nn.Module], model: nn.Module, largest: float, job: Job
) -> tuple[float, DataFrame]:
    import pandas as pd

    example = job.example(1)
    dense = macs_torch(model, example)
    tried: dict[float, int] = {0.0: dense}

    def share(ratio: float) -> float:
        tried[ratio] = macs_torch(at(ratio), example)
        return 1 - tried[ratio] / dense

    reached = share(largest)
    if reached < wanted:
        raise _refuse("multiply-adds", wanted, reached)
    low, high = 0.0, largest
    for step in range(N_HALVINGS):
        middle = round((low + high) / 2, 4)
        job.report.progress(step, N_HALVINGS, f"looking for the ratio, now {middle:.3f}")
        low, high = (low, middle) if share(middle) >= wanted else (middle, high)
    best = min(
        tried, key=lambda r: (abs(1 - tried[r] / dense - wanted), r)
    )  # widths are whole: the nearest there is
    rows = [(r, m, 1 - m / dense, r == best) for r, m in sorted(tried.items())]
    return best, pd.DataFrame(rows, columns=["ratio", "macs", "removed", "chosen"])


def _by_latency(
    wanted: float, at: Callable[[float], nn.Module], model: nn.Module, largest: float, job: Job
) -> tuple[float, DataFrame]:
    """Some ratios timed side by side in ONNX Runtime (batch 1, one thread); the one between is read
    off the line.
    """
    import numpy as np
    import pandas as pd

    ratios = [0.0, *(r for r in TIMED if r < largest), round(largest, 4)]
    candidates = {}
    for ratio in ratios:
        network = model if ratio == 0 else at(ratio)
        made = to_onnx(
            job.start.child(f"ratio {ratio:g}", "pruning", model=network, macs=None), job.example(3)
        )
        candidates[f"{ratio:g}"] = (made, "onnxruntime")
    timings = time_side_by_side(
        candidates,
        lambda c, n: job.task.example(n, c.prepare),
        batch_sizes=(1,),
        threads=1,
        budget="smoke",
        report=job.report,
    )
    times = np.array([timings[f"{r:g}"].at(1).best_ms for r in ratios])
    removed = np.maximum.accumulate(
        1 - times / times[0]
    )  # a wider network is never faster: noise is flattened
    if removed[-1] < wanted:
        raise _refuse("latency", wanted, float(removed[-1]))
    above = int(np.argmax(removed >= wanted))
    part = (
        (wanted - removed[above - 1]) / max(1e-9, removed[above] - removed[above - 1])
        if above
        else 0.0
    )
    best = (
        round(float(ratios[above - 1] + part * (ratios[above] - ratios[above - 1])), 4)
        if above
        else 0.0
    )
    rows = pd.DataFrame({"ratio": ratios, "latency_ms": times, "removed": 1 - times / times[0]})
    rows["chosen"] = False
    rows.loc[len(rows)] = [best, float(times[0] * (1 - wanted)), wanted, True]
    return best, rows.sort_values("ratio", ignore_index=True)
