"""The choice of a decision threshold by costs, on rows and cross-fitted on folds of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.errors import DataError
from workbench.measure.decision_costs import Costs
from workbench.measure.statistics.quality import check_outputs
from workbench.metrics import positive_logit

__all__ = ["checked_probabilities", "checked_targets", "choose", "cross_fitted", "probabilities_of"]

LOGIT_LIMIT = 60.0  # exp(-60) is far below any share that data can show


def checked_targets(targets: np.ndarray) -> np.ndarray:
    """Whether each row is positive; raises DataError for targets of another kind of task."""
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1 or not np.isin(targets, (0, 1)).all():
        shown = ", ".join(str(v) for v in np.unique(targets)[:5])
        raise DataError(
            "A threshold is chosen for a binary task, whose targets are 0 or 1, one a row: got "
            f"shape {targets.shape} with the values {shown}."
        )
    n_positive = int(np.count_nonzero(targets))
    for n, name in ((n_positive, "positive (1)"), (len(targets) - n_positive, "negative (0)")):
        if n < 2:
            raise DataError(
                f"Choosing a threshold needs at least 2 rows of each class, and {n} of these "
                f"{len(targets)} rows is {name}; give more rows of that class."
            )
    return targets.astype(bool)


def checked_probabilities(outputs: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
    """Probabilities `(rows,)` of outputs; raises DataError for NaN, and where all are equal."""
    check_outputs(outputs, is_positive)
    probabilities = probabilities_of(outputs)
    if np.ptp(probabilities) == 0:
        raise DataError(
            f"All {len(outputs)} probabilities are equal ({probabilities[0]:.3g}), so a threshold "
            "flags every row or none; give the outputs of a model that tells rows apart."
        )
    return probabilities


def probabilities_of(outputs: np.ndarray) -> np.ndarray:
    """Probabilities `(rows,)` in double precision, none of them 0: 0 as a threshold flags all."""
    logit = positive_logit(np.asarray(outputs, dtype=np.float64))
    return 1.0 / (1.0 + np.exp(-np.clip(logit, -LOGIT_LIMIT, LOGIT_LIMIT)))


def choose(probabilities: np.ndarray, is_positive: np.ndarray, costs: Costs) -> float:
    """The threshold with the lowest mean cost on these rows, both classes among them.

    Thresholds lie in the middle between two neighbouring probabilities. 0 flags every row, 1 none.
    """
    from sklearn.metrics import roc_curve

    false_rate, true_rate, values = roc_curve(is_positive, probabilities, drop_intermediate=False)
    n_positive = int(is_positive.sum())
    # from no row flagged on, against flagging none; the rest of the cost is the same for all
    mean_costs = (
        costs.of_flagging * false_rate * (len(is_positive) - n_positive)
        - costs.of_passing * true_rate * n_positive
    ) / len(is_positive)
    distinct = values[1:]  # the first one is infinite
    thresholds = np.concatenate([[1.0], (distinct[:-1] + distinct[1:]) / 2, [0.0]])
    calibrated = costs.calibrated_threshold
    thresholds[int((distinct > calibrated).sum())] = calibrated
    tolerance = 1e-12 * (costs.of_flagging + costs.of_passing)
    cheapest = thresholds[mean_costs <= mean_costs.min() + tolerance]
    return float(cheapest[np.abs(cheapest - calibrated).argmin()])


def cross_fitted(
    probabilities: np.ndarray,
    is_positive: np.ndarray,
    costs: Costs,
    blocks: np.ndarray | None,
    n_folds: int,
    seed: int,
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Decisions `(rows,)` by thresholds that the other folds chose, and these thresholds."""
    is_flagged = np.zeros(len(is_positive), dtype=bool)
    chosen = []
    for choosing, held_out in _folds(is_positive, blocks, n_folds, seed):
        if len(np.unique(is_positive[choosing])) < 2:
            raise DataError(
                "All rows of one class lie in one block of `times`, so folds of whole blocks "
                "cannot choose a threshold; give more blocks with rows of both classes."
            )
        threshold = choose(probabilities[choosing], is_positive[choosing], costs)
        is_flagged[held_out] = probabilities[held_out] > threshold
        chosen.append(threshold)
    return is_flagged, tuple(chosen)


def _folds(
    is_positive: np.ndarray, blocks: np.ndarray | None, n_folds: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row numbers that choose, and those held out; each fold has its share of positives."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    n_positive = int(is_positive.sum())
    n = min(n_folds, n_positive, len(is_positive) - n_positive)
    if blocks is None:
        return StratifiedKFold(n, shuffle=True, random_state=seed).split(is_positive, is_positive)
    n = min(n, int(blocks.max()) + 1)
    splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    return splitter.split(is_positive, is_positive, blocks)
