"""Which layers can give: quality against ratio, one group of layers at a time and without training,
and the plan from it.

Quick and pessimistic: fine-tuning wins most of the loss back. What counts is the order, which
layers cost little for the multiply-adds that they save (Li et al., "Pruning Filters for Efficient
ConvNets", 2017, section 3.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.tensors import TensorRows, tensor
from workbench.errors import SettingsError
from workbench.metrics import like_targets
from workbench.system.cache import Cache, fingerprint
from workbench.techniques.pruning.cost import WidthCost
from workbench.techniques.pruning.structured import (
    Plan,
    least_important,
    n_kept,
    prunable,
    pruned,
    scores_of,
)
from workbench.training.evaluate import predict_batches
from workbench.training.losses import loss_for

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings
    from workbench.techniques.pruning.graph import Group

__all__ = ["Quick", "analyse", "plan", "sensitivity"]

RATIOS = {
    "smoke": (0.5, 0.75),
    "standard": (0.25, 0.5, 0.75, 0.875),
    "thorough": tuple(i / 8 for i in range(1, 8)),
}
N_ROWS = {"smoke": 256, "standard": 1000, "thorough": 1_000_000}
STEP = 1 / 16  # share of a group's channels that the plan takes at a time


def sensitivity(job: Job, settings: PruningSettings) -> dict[str, DataFrame]:
    """Quality against ratio for each group of layers (`sensitivity`), and the ratios that follow
    from it (`plan`).
    """
    import pandas as pd

    table, groups, cost = analyse(job, settings)
    budget = budget_of(settings, groups, cost)
    ratios = plan(table, groups, cost, budget, round_to=settings.round_to)
    kept = {root: 1 - ratio for root, ratio in ratios.items()}
    before, after = cost.by_layer({}), cost.by_layer(kept)
    rows = [
        (
            g.root,
            g.channels,
            round(g.channels * kept.get(g.root, 1.0)),
            ratios.get(g.root, 0.0),
            sum(before.get(m, 0) for m in g.layers),
            round(sum(after.get(m, 0) for m in g.layers)),
            g.protected,
        )
        for g in groups
    ]
    columns = ["layer", "channels", "channels_after", "ratio", "macs", "macs_after", "protected"]
    return {"sensitivity": table, "plan": pd.DataFrame(rows, columns=columns)}


def analyse(job: Job, settings: PruningSettings) -> tuple[DataFrame, tuple[Group, ...], WidthCost]:
    """The table (columns layer, ratio, quality, change, loss, macs), the groups, and what their
    widths cost.

    Each result is kept in the job's cache as it is found, by the network, the rows and how channels
    are judged: a run that was cancelled goes on where it stopped, and one that is repeated has all
    at once.
    """
    import pandas as pd

    model = job.start.model
    inputs = {name: tensor(a, "cpu") for name, a in job.example(2).items()}
    groups, _ = prunable(model, inputs, settings.ignored_layers)
    cost = WidthCost(model, inputs, job.example(1), groups)
    quick = Quick(job, settings, "sensitivity")
    free = [g for g in groups if not g.protected]
    scores, cells = None, [(g, r) for g in free for r in RATIOS[settings.budget]]
    quality, loss = quick("", lambda: model)
    rows: list[tuple[Any, ...]] = []
    for n, (group, ratio) in enumerate(cells):
        job.report.progress(n, len(cells), f"trying {group.root} without {ratio:.0%}")
        keep = max(n_kept(group, ratio), group.blocks)

        def narrowed(group: Group = group, ratio: float = ratio) -> nn.Module:
            nonlocal scores
            scores = scores or scores_of(model, inputs, groups, settings.importance, job)
            only = Plan(0.0, {group.root: min(ratio, 1 - group.blocks / group.channels)})
            return pruned(model, inputs, least_important(scores, groups, only))

        got, lost = quick(f"{group.root} {ratio:g}", narrowed)
        if ratio == RATIOS[settings.budget][0]:
            rows.append((group.root, 0.0, quality, 0.0, loss, cost.all))
        rows.append(
            (
                group.root,
                ratio,
                got,
                got - quality,
                lost,
                round(cost({group.root: keep / group.channels})),
            )
        )
    job.report.progress(len(cells), len(cells), "sensitivity known")
    return (
        pd.DataFrame(rows, columns=["layer", "ratio", "quality", "change", "loss", "macs"]),
        groups,
        cost,
    )


class Quick:
    """Quality and loss on a fixed part of valid, from the cache where they are known."""

    def __init__(self, job: Job, settings: PruningSettings, what: str) -> None:
        self.job, task, valid = job, job.task, job.task.data.valid
        n = min(N_ROWS[settings.budget], len(valid))
        chosen = np.sort(np.random.default_rng(0).permutation(len(valid))[:n])
        rows = valid.take(chosen)
        self.targets = np.asarray(rows.targets)
        self.rows = TensorRows(rows, job.start.prepare or task.prepare, job.device)
        seed = job.seed if settings.importance in ("random", "taylor") else 0
        key = fingerprint(
            f"{what} 1",
            job.start.model,
            valid.digest if hasattr(valid, "digest") else self.targets,
            n,
            settings.importance,
            seed,
            task.metric.name,
        )
        self.cache = Cache(job.cache, f"{what}-{key}")

    def __call__(self, name: str, make: Any) -> tuple[float, float | None]:
        """Quality and loss of the network that `make` makes, which it does only where they are not
        known.
        """
        import copy

        known = self.cache.get(name)
        if known is None:
            model = copy.deepcopy(make()).to(self.job.device)
            outputs = np.concatenate(
                list(predict_batches(model, self.rows, self.job.device, {}, self.job.report))
            )
            known = [
                float(self.job.task.metric(like_targets(outputs, self.targets), self.targets)),
                self._loss(outputs),
            ]
            self.cache.put(name, known)
        return tuple(known)

    def _loss(self, outputs: np.ndarray) -> float | None:
        task = self.job.task
        loss = task.loss or (None if task.train_step else loss_for(task.kind))
        return (
            None
            if loss is None
            else float(loss(tensor(outputs, "cpu"), tensor(self.targets, "cpu")))
        )


def budget_of(settings: PruningSettings, groups: Sequence[Group], cost: WidthCost) -> float:
    """Multiply-adds that a plan may leave: what `target` says, or what the same ratio everywhere
    would leave.
    """
    if settings.target == "macs":
        return cost.all * (1 - settings.pruning_ratio)
    uniform = {
        g.root: n_kept(g, settings.pruning_ratio, settings.round_to) / g.channels
        for g in groups
        if not g.protected
    }
    return cost(uniform)


def plan(
    table: DataFrame,
    groups: Sequence[Group],
    cost: WidthCost,
    budget: float,
    *,
    round_to: int = 1,
    floor: float = 0.125,
) -> dict[str, float]:
    """Ratios by the root of each group, so that the network costs at most `budget` multiply-adds.

    Greedy: again and again the group that loses least for each multiply-add saved gives some
    channels. Losses are made to grow with the ratio, and ever faster, so that a curve that has hit
    the bottom does not look free. No group keeps less than the share `floor`. Raises SettingsError
    when that cannot reach the budget.
    """
    free = {g.root: g for g in groups if not g.protected}
    losses = {root: _convex(table[table["layer"] == root], cost) for root in free}
    kept = {root: g.channels for root, g in free.items()}
    lowest = {
        root: _step_down(g, round(floor * g.channels) + 1, round_to, 0) for root, g in free.items()
    }

    def shares(changed: Mapping[str, int] | None = None) -> dict[str, float]:
        return {root: n / free[root].channels for root, n in {**kept, **(changed or {})}.items()}

    now = cost(shares())
    while now > budget:
        best, best_price, best_cost = None, np.inf, now
        for root, group in free.items():
            fewer = _step_down(group, kept[root], round_to, max(1, round(STEP * group.channels)))
            if fewer < max(lowest[root], group.blocks) or fewer >= kept[root]:
                continue
            after = cost(shares({root: fewer}))
            lost = losses[root](1 - fewer / group.channels) - losses[root](
                1 - kept[root] / group.channels
            )
            price = lost / max(now - after, 1e-9)
            if price < best_price:
                best, best_price, best_cost = (root, fewer), price, after
        if best is None:
            raise SettingsError(
                f"The plan cannot go below {now / cost.all:.3f} of the multiply-adds, and "
                f"{budget / cost.all:.3f} are wanted: lower `pruning_ratio` or `round_to`."
            )
        kept[best[0]], now = best[1], best_cost
    return {root: 1 - n / free[root].channels for root, n in kept.items()}


def _step_down(group: Group, n: int, round_to: int, step: int) -> int:
    """The next smaller width that a group can have, `step` channels or a few more below."""
    import math

    unit = group.blocks * (round_to // math.gcd(round_to, group.blocks))
    return (n - max(step, 1)) // unit * unit


def _convex(rows: DataFrame, cost: WidthCost) -> Any:
    """Loss of a group as a function of the ratio, from its rows: the largest convex curve below the
    measured points.
    """
    worse = rows["loss"] - rows["loss"].iloc[0] if rows["loss"].notna().all() else -rows["change"]
    x, y = (
        rows["ratio"].to_numpy(float),
        np.maximum.accumulate(np.maximum(worse.to_numpy(float), 0.0)),
    )
    hull: list[tuple[float, float]] = []
    for point in zip(x, y, strict=True):
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-2], point):
            hull.pop()
        hull.append(point)
    tiny = 1e-6  # among layers that lose nothing, the smaller ratio is preferred
    xs, ys = np.array([p[0] for p in hull]), np.array([p[1] for p in hull])
    last = _slope(hull[-2], hull[-1]) if len(hull) > 1 else 0.0
    return lambda r: float(np.interp(r, xs, ys) + max(0.0, r - xs[-1]) * 2 * last + tiny * r * r)


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / max(b[0] - a[0], 1e-12)
