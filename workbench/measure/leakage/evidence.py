"""Evidence of a column's strength: its score in words, and whether it is beyond chance."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.measure.leakage.strength import Strength, chance_of, score_of, together
from workbench.measure.leakage.view import Aim, Column

__all__ = ["MOST_OTHERS", "explained_by_others", "is_beyond_chance", "score_in_words"]

MOST_OTHERS = 200  # columns that are compared together
DEVIATIONS = 5.0  # beyond those of permuted targets, before the number of columns counts


def is_beyond_chance(strength: Strength, n_columns: int) -> bool:
    """Whether a strength is far above those of permuted targets, for one of `n_columns` columns."""
    if strength.column.type == "text":
        return len(strength.aim.train) >= 20
    from scipy.stats import norm

    mean, deviation = chance_of(strength)
    limit = max(DEVIATIONS, float(norm.isf(0.001 / n_columns)))
    return strength.train > mean + limit * max(deviation, 1e-6)


def explained_by_others(columns: Iterable[Column], aim: Aim, *names: str) -> float:
    """The share of valid that all columns but those of these names explain together, from 0."""
    others = [c for c in columns if c.name not in names]
    return max(0.0, together(others[:MOST_OTHERS], aim))


def score_in_words(strength: Strength) -> tuple[str, str, dict[str, float]]:
    """The score on valid in words and, apart, its value by chance; and both as numbers."""
    name, value, chance = score_of(strength.aim, strength.aim.valid_labels, strength.predicted)
    numbers = {"value": value, "chance": chance, "explained": strength.least}
    return f"{name} {value:.3f} on valid", f"{chance:.2f} by chance", numbers
