"""Temperature against alpha: the student trained at each pair, over seeds, from answers that the
teacher gave once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.techniques.distillation.progress import Share

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.distillation.lessons import Plan

__all__ = ["GRIDS", "grid_of", "summary"]

GRIDS: dict[
    str, tuple[tuple[float, ...], tuple[float, ...], int]
] = {  # temperatures, alphas, seeds
    "smoke": ((1.0, 4.0), (0.5, 1.0), 1),
    "standard": ((1.0, 2.0, 4.0, 8.0), (0.0, 0.5, 0.9, 1.0), 3),
    "thorough": ((1.0, 2.0, 4.0, 8.0, 16.0), (0.0, 0.25, 0.5, 0.75, 0.9, 1.0), 5),
}


def grid_of(
    plan: Plan, temperatures: Sequence[float], alphas: Sequence[float], n_seeds: int
) -> pd.DataFrame:
    """A row a temperature, alpha and seed, with the score on valid; a cell that an earlier run
    computed is not trained again.

    Alpha 0 is the control, which knows no temperature: it is trained once a seed.
    """
    import pandas as pd

    cells = [(s, t, a) for s in range(n_seeds) for t in temperatures for a in alphas]
    rows = []
    for number, (offset, temperature, alpha) in enumerate(cells):
        seed = plan.job.seed + offset
        share = Share(
            plan.job.report,
            number,
            len(cells),
            f"T {temperature:g}, alpha {alpha:g}, seed {seed}",
            curves=False,
        )
        outputs = plan.outputs(seed, temperature=temperature, alpha=alpha, report=share)
        rows.append(
            {"temperature": temperature, "alpha": alpha, "seed": seed, "score": plan.score(outputs)}
        )
    return pd.DataFrame(rows, columns=["temperature", "alpha", "seed", "score"])


def summary(grid: pd.DataFrame) -> pd.DataFrame:
    """A row a cell: temperature, alpha, mean and spread (standard deviation) of the score over
    seeds, and n seeds.
    """
    cells = grid.groupby(["temperature", "alpha"], sort=True)["score"]
    return cells.agg(mean="mean", spread="std", n="count").reset_index()
