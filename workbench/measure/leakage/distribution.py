"""Train and valid rows that can be told apart: splits that were not drawn from the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.groups import group_columns, owners_kept_together
from workbench.measure.leakage.identifiers import identifier_column
from workbench.measure.leakage.strength import as_numbers
from workbench.measure.leakage.view import Column, View, codes_of, is_time_name

__all__ = ["different_distribution"]

MOST_ROWS = 3_000  # of a split
MOST_COLUMNS = 300
LEAST_ROWS = 20
LEAST_OWNERS = 5  # groups of a split
APART = 0.62  # AUC of telling valid from train
COLUMN = 0.15  # largest difference of the distribution functions of a column
DEVIATIONS = 6.0


def different_distribution(view: View, groups: Any, notes: list[str]) -> Iterator[Finding]:
    """A finding where a classifier tells valid from train rows (adversarial validation).

    A column must show the difference by itself too. Dates, identifiers and groups are not used,
    nor are rows in order of time, which differ by nature. Where splits hold whole groups, chance
    is that of so many groups: rows of one group are alike.
    """
    if view.in_time:
        notes.append(
            "Train and valid were not compared as samples: in order of time they may differ."
        )
        return
    columns = _usable(view)
    n = min(len(view.columns[0].train), len(view.columns[0].values["valid"])) if columns else 0
    if n < LEAST_ROWS:
        return
    owners = owners_kept_together(view, groups)
    n_owners = None if owners is None else [len(np.unique(owners[s])) for s in ("train", "valid")]
    if n_owners is not None and min(n_owners) < LEAST_OWNERS:
        return
    apart = {c.name: _apart(c, len(columns), n_owners) for c in columns}
    different = sorted((name for name, d in apart.items() if d > 0), key=lambda k: -apart[k])
    if not different:
        return
    auc, deviation = _auc(columns, owners)
    if auc < max(APART, 0.5 + DEVIATIONS * deviation):
        return
    largest = ", ".join(f"`{name}` {apart[name]:.2f}" for name in different[:3])
    yield Finding(
        "different_distribution",
        ("train", "valid", *different[:3]),
        f"A classifier tells valid from train rows with an AUC of {auc:.2f} (0.50 by chance, with "
        f"a deviation of {deviation:.2f}). The distributions differ most in {largest} (0 to 1).",
        "Find out how the splits were made. If the model will meet rows like valid, this shows "
        "what it must bear; if not, cut the splits at random, by group, or by time.",
        severity="look at it",
        numbers={"value": auc, "chance": 0.5},
    )


def _usable(view: View) -> list[Column]:
    groups = group_columns(view)
    n_rows = sum(len(rows) for rows in view.whole.values())
    usable = [
        c
        for c in view.columns
        if c.type in ("number", "category")
        and c.name not in groups
        and not (is_time_name(c.name) or identifier_column(c, n_rows) is not None)
    ]
    step = max(1, len(usable) // MOST_COLUMNS)
    return usable[::step]


def _apart(column: Column, n_columns: int, n_owners: list[int] | None = None) -> float:
    """The largest difference of the distribution functions, 0 where chance may give it.

    Rows of one value count as one, as rows of one group do.
    """
    from scipy.stats import norm

    if column.type == "category":
        (train, valid), n = codes_of(column.train, column.values["valid"])
        shares = [np.bincount(v, minlength=n) / len(v) for v in (train, valid)]
        size = min(len(train), len(valid), *(n_owners or ()))
        if n > size / 5:
            return 0.0
        difference = float(np.abs(shares[0] - shares[1]).sum() / 2)
        limit = np.sqrt(n / size)
        return difference if difference > COLUMN + limit else 0.0
    train, valid = column.numbers("train"), column.numbers("valid")
    gap = abs(float(np.isnan(train).mean() - np.isnan(valid).mean()))
    least_gap = 0.3 if n_owners is None else 0.3 + np.sqrt(sum(1 / n for n in n_owners))
    train, valid = (np.sort(v[np.isfinite(v)]) for v in (train, valid))
    if min(len(train), len(valid)) < LEAST_ROWS:
        return gap if gap > max(2 * COLUMN, least_gap) else 0.0
    grid = np.concatenate([train, valid])
    functions = [np.searchsorted(v, grid, "right") / len(v) for v in (train, valid)]
    difference = float(np.abs(functions[0] - functions[1]).max())
    are_few = len(np.unique(grid)) < 30
    sizes = [len(v) if are_few else len(np.unique(v)) for v in (train, valid)]
    if n_owners is not None:
        sizes = [min(s, n) for s, n in zip(sizes, n_owners, strict=True)]
    limit = (1.2 + 0.5 * float(norm.isf(0.001 / n_columns))) * np.sqrt(sum(1 / s for s in sizes))
    return max(
        difference if difference > max(COLUMN, limit) else 0.0, gap if gap > least_gap else 0.0
    )


def _auc(columns: list[Column], owners: Mapping[str, np.ndarray] | None) -> tuple[float, float]:
    """The AUC of telling valid from train, out of fold, and its deviation by chance."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict

    parts = [
        np.column_stack([as_numbers(c, split)[:MOST_ROWS] for c in columns])
        for split in ("train", "valid")
    ]
    n, m = map(len, parts)
    x, y = np.concatenate(parts), np.repeat([0, 1], [n, m])
    forest = ExtraTreesClassifier(
        60, min_samples_leaf=5, max_depth=10, class_weight="balanced", random_state=0, n_jobs=1
    )
    groups, folds = None, StratifiedKFold(3, shuffle=True, random_state=0)
    if owners is not None:
        parted = [owners[s][:MOST_ROWS] for s in ("train", "valid")]
        groups = np.concatenate(parted)
        folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
        n, m = (len(np.unique(part)) for part in parted)
    predicted = cross_val_predict(forest, x, y, groups=groups, cv=folds, method="predict_proba")[
        :, 1
    ]
    return float(roc_auc_score(y, predicted)), float(np.sqrt((n + m + 1) / (12 * n * m)))
