"""Ratios by layer that lose the least quality within a limit on multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from workbench.errors import SettingsError
from workbench.techniques.pruning.cost import WidthCost
from workbench.techniques.pruning.selection import n_kept

if TYPE_CHECKING:
    from pandas import DataFrame

    from workbench.techniques.pruning import PruningSettings
    from workbench.techniques.pruning.groups import Group

__all__ = ["macs_limit", "plan_ratios"]

STEP = 1 / 16  # fraction of a group's channels that is removed at a time
TIE_BREAK = 1e-6  # among layers without any loss, the one with the smaller ratio is preferred
LossCurve = Callable[[float], float]


class _Removal(NamedTuple):
    """One step of a plan: the new width of a group, and its loss for each multiply-add saved."""

    root: str
    width: int
    macs: float
    price: float


def macs_limit(settings: PruningSettings, groups: Sequence[Group], cost: WidthCost) -> float:
    """Multiply-adds that the pruned network may have.

    With `target` macs the limit follows from `pruning_ratio`; otherwise it is the cost of the same
    ratio in all layers.
    """
    if settings.target == "macs":
        return cost.total * (1 - settings.pruning_ratio)
    uniform = {
        g.root: n_kept(g, settings.pruning_ratio, settings.round_to) / g.channels
        for g in groups
        if not g.protected
    }
    return cost.of(uniform)


def plan_ratios(
    table: DataFrame,
    groups: Sequence[Group],
    cost: WidthCost,
    limit: float,
    *,
    round_to: int = 1,
    min_fraction: float = 0.125,
) -> dict[str, float]:
    """Ratios by the root of each group, so that the network has at most `limit` multiply-adds.

    Greedy: in each step, the group with the smallest loss for each multiply-add saved loses some
    channels. The loss curves are made convex: otherwise a layer that has lost all quality would
    seem to lose nothing more. No group keeps less than `min_fraction` of its channels. Raises
    SettingsError when the limit cannot be reached.
    """
    unprotected = {g.root: g for g in groups if not g.protected}
    curves = {root: _convex_curve(table[table["layer"] == root]) for root in unprotected}
    widths = {root: g.channels for root, g in unprotected.items()}
    macs = cost.of(_fractions(widths, unprotected))
    while macs > limit:
        removals = []
        for root, group in unprotected.items():
            width = _next_width(group, widths[root], round_to, min_fraction)
            if width is None:
                continue
            macs_after = cost.of(_fractions({**widths, root: width}, unprotected))
            loss_after = curves[root](1 - width / group.channels)
            loss_before = curves[root](1 - widths[root] / group.channels)
            price = (loss_after - loss_before) / max(macs - macs_after, 1e-9)
            removals.append(_Removal(root, width, macs_after, price))
        if not removals:
            raise SettingsError(
                f"Cannot reduce the multiply-adds to {100 * limit / cost.total:.1f} %; the "
                f"narrowest plan keeps {100 * macs / cost.total:.1f} %. Use a lower "
                "`pruning_ratio` or `round_to`."
            )
        cheapest = min(removals, key=lambda removal: removal.price)
        widths[cheapest.root] = cheapest.width
        macs = cheapest.macs
    return {root: 1 - width / unprotected[root].channels for root, width in widths.items()}


def _fractions(widths: Mapping[str, int], groups: Mapping[str, Group]) -> dict[str, float]:
    return {root: width / groups[root].channels for root, width in widths.items()}


def _next_width(group: Group, width: int, round_to: int, min_fraction: float) -> int | None:
    """The next smaller width that a group can have; None if it is at its smallest."""
    unit = group.unit_size
    if not group.attention:
        unit = math.lcm(unit, round_to)
    step = max(1, round(STEP * group.channels))
    narrower = (width - step) // unit * unit
    smallest = round(min_fraction * group.channels) // unit * unit
    return narrower if narrower >= max(smallest, group.unit_size) else None


def _convex_curve(rows: DataFrame) -> LossCurve:
    """Loss of a group as a function of its ratio: the largest convex curve below the points.

    Beyond the last point the curve rises twice as fast as before it. Where the task has no loss,
    the fall in quality is used.
    """
    has_loss = rows["loss"].notna().all()
    worse = rows["loss"] - rows["loss"].iloc[0] if has_loss else -rows["change"]
    ratios = rows["ratio"].to_numpy(float)
    losses = np.maximum.accumulate(np.maximum(worse.to_numpy(float), 0.0))
    hull: list[tuple[float, float]] = []
    for point in zip(ratios, losses, strict=True):
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-2], point):
            hull.pop()
        hull.append(point)
    hull_ratios = np.array([ratio for ratio, _ in hull])
    hull_losses = np.array([loss for _, loss in hull])
    last_slope = _slope(hull[-2], hull[-1]) if len(hull) > 1 else 0.0

    def loss_at(ratio: float) -> float:
        inside = np.interp(ratio, hull_ratios, hull_losses)
        beyond = max(0.0, ratio - hull_ratios[-1]) * 2 * last_slope
        return float(inside + beyond + TIE_BREAK * ratio * ratio)

    return loss_at


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / max(b[0] - a[0], 1e-12)
