"""Grid over temperature and alpha: the student trained at each pair, with several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.distillation.trainer import StudentTrainer

__all__ = ["GRIDS", "Grid", "score_grid", "summary"]


@dataclass(frozen=True)
class Grid:
    """Temperatures, alphas and number of seeds."""

    temperatures: tuple[float, ...]
    alphas: tuple[float, ...]
    n_seeds: int


GRIDS = {
    "smoke": Grid((1.0, 4.0), (0.5, 1.0), 1),
    "standard": Grid((1.0, 2.0, 4.0, 8.0), (0.0, 0.5, 0.9, 1.0), 3),
    "thorough": Grid((1.0, 2.0, 4.0, 8.0, 16.0), (0.0, 0.25, 0.5, 0.75, 0.9, 1.0), 5),
}


def score_grid(
    trainer: StudentTrainer, temperatures: Sequence[float], alphas: Sequence[float], n_seeds: int
) -> pd.DataFrame:
    """Table of temperature, alpha, seed and score on valid; scores in the cache are not recomputed.

    At alpha 0 the temperature has no effect: the student is trained once for each seed.
    """
    import pandas as pd

    cells = [(s, t, a) for s in range(n_seeds) for t in temperatures for a in alphas]
    rows = []
    for number, (offset, temperature, alpha) in enumerate(cells):
        seed = trainer.job.seed + offset
        text = f"T {temperature:g}, alpha {alpha:g}, seed {seed}"
        report = trainer.job.report.part(number, len(cells), text, curves=False)
        outputs = trainer.outputs(seed, temperature=temperature, alpha=alpha, report=report)
        score = trainer.score(outputs)
        rows.append({"temperature": temperature, "alpha": alpha, "seed": seed, "score": score})
    return pd.DataFrame(rows, columns=["temperature", "alpha", "seed", "score"])


def summary(grid: pd.DataFrame) -> pd.DataFrame:
    """Table of temperature, alpha, and the mean, standard deviation and number of the scores.

    The columns are temperature, alpha, mean, spread and n.
    """
    cells = grid.groupby(["temperature", "alpha"], sort=True)["score"]
    return cells.agg(mean="mean", spread="std", n="count").reset_index()
