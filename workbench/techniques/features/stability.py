"""Stability: how often folds and seeds choose the same features.

The index is that of Nogueira, Sechidis and Brown, "On the Stability of Feature Selection
Algorithms", JMLR 2018: 1 for sets that are all equal, 0 for sets that agree as by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.techniques.features.choice import Choice, choose
from workbench.techniques.features.setup import with_settings

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.features.setup import Setup

__all__ = ["chosen_table", "measure_stability", "stability_index"]


def measure_stability(setup: Setup, n_seeds: int) -> dict[str, pd.DataFrame]:
    """Tables `stability` (a row a feature, fold and seed), `frequency`, and `index`.

    The number of features is chosen once, by the first seed, if the settings leave it open.
    """
    import pandas as pd

    report = setup.job.report
    choices = []
    n_features = setup.settings.n_features
    for number in range(n_seeds):
        part = report.part(number, n_seeds, f"seed {number + 1} of {n_seeds}")
        seeded = replace(setup, job=replace(setup.job, seed=setup.job.seed + number))
        if n_features:
            seeded = with_settings(seeded, n_features=n_features)
        choice = choose(seeded, seeded.sample, part, n_features=n_features)
        n_features = n_features or choice.n_features
        choices.append((f"seed {setup.job.seed + number}", choice))
    table = chosen_table(choices)
    frequency = (
        table.groupby("feature", sort=False)["chosen"]
        .mean()
        .sort_values(ascending=False, kind="stable")
        .rename("frequency")
        .reset_index()
    )
    index = stability_index(_matrix(table))
    told = {"index": index, "n_sets": table["set"].nunique(), "n_features": n_features}
    return {"stability": table, "frequency": frequency, "index": pd.DataFrame([told])}


def chosen_table(choices: Sequence[tuple[str, Choice]]) -> pd.DataFrame:
    """A row a feature and set: feature, set (its label and fold), and whether it was chosen.

    Features that no fold chooses are left out, if any was chosen.
    """
    import pandas as pd

    sets: Mapping[str, frozenset[str]] = {
        f"{label}, fold {number}": frozenset(names)
        for label, choice in choices
        for number, names in enumerate(choice.chosen, 1)
    }
    every = list(dict.fromkeys(name for _, choice in choices for name in choice.names))
    rows = [
        {"feature": name, "set": label, "chosen": name in names}
        for name in every
        for label, names in sets.items()
    ]
    return pd.DataFrame(rows, columns=["feature", "set", "chosen"])


def _matrix(table: pd.DataFrame) -> np.ndarray:
    """The chosen features as 0 and 1 `(sets, features)`."""
    wide = table.pivot(index="set", columns="feature", values="chosen")
    return wide.fillna(False).to_numpy(float)


def stability_index(chosen: np.ndarray) -> float:
    """The index of sets `(sets, features)` of 0 and 1; NaN for one set, and for all or no features.

    It is 1 - mean variance of the features, corrected, over that of sets drawn at random.
    """
    n_sets, n_features = chosen.shape
    share = chosen.sum(axis=1).mean() / n_features
    if n_sets < 2 or share in (0.0, 1.0):
        return float("nan")
    variance = chosen.var(axis=0, ddof=1).mean()
    return float(1 - variance / (share * (1 - share)))
