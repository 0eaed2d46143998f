"""The check of a whole evaluation: on permuted targets it must score as chance does.

A selection of columns or an encoding by targets that is fitted before the folds scores well above
chance even then, as it has seen the targets of the held-out rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.errors import DataError, SettingsError, WorkbenchError, sentence_of, shown
from workbench.events import Report
from workbench.measure.leakage.findings import Finding

__all__ = ["Evaluate", "check_evaluation"]

Evaluate = Callable[[Any, Any], float]

LEAST_GAIN = 0.05  # above chance
ALPHA = 0.001


def check_evaluation(
    evaluate: Evaluate,
    inputs: Any,
    targets: Any,
    *,
    chance: float | None = None,
    n: int = 12,
    seed: int = 0,
    report: Report | None = None,
) -> Finding | None:
    """Whether an evaluation scores above chance on targets that were permuted; None if it does not.

    Parameters
    ----------
    evaluate
        `evaluate(inputs, targets) -> score`: all that is done with the rows, selection, folds and
        fit included. A larger score is better.
    inputs, targets
        Rows as the function takes them: arrays, or a DataFrame and a Series.
    chance
        Score without a relation. None: the share of the largest class, which is that of accuracy
        (0.5 for two classes of equal size, as for AUC); 0 for amounts, which is that of R2.
    n
        Number of permutations.
    seed
        Seed of the permutations.

    Raises SettingsError for fewer than 5 permutations, and DataError where the function raises an
    error or gives no number.
    """
    from scipy.stats import ttest_1samp

    if n < 5:
        raise SettingsError(f"`n` must be at least 5, got {n}.")
    report = report or Report()
    values = np.asarray(targets)
    chance = _chance(values) if chance is None else float(chance)
    rng = np.random.default_rng(seed)
    scores = []
    for i in range(n):
        report.progress(i, n, "evaluation on permuted targets")
        scores.append(_score(evaluate, inputs, _permuted(targets, rng)))
    mean = float(np.mean(scores))
    if mean - chance < LEAST_GAIN:
        return None
    if np.ptp(scores) > 0 and ttest_1samp(scores, chance, alternative="greater").pvalue > ALPHA:
        return None
    return Finding(
        "selected_before_split",
        ("evaluation",),
        f"On targets that were permuted {n} times, so that nothing can be learned, the evaluation "
        f"gives {mean:.3f} on average ({min(scores):.3f} to {max(scores):.3f}); chance gives "
        f"{chance:.3f}.",
        "Put every step that is fitted (selection of columns, encoding, scaling, resampling) into "
        "one pipeline, and cross-validate the pipeline, so that each fold fits it on its own train "
        "rows.",
        numbers={"value": mean, "chance": chance},
    )


def _chance(targets: np.ndarray) -> float:
    if targets.dtype.kind == "f" and len(np.unique(targets)) > 10:
        return 0.0
    flat = targets.ravel()
    _, counts = np.unique(flat.astype(str) if flat.dtype.kind == "O" else flat, return_counts=True)
    return float(counts.max() / counts.sum())


def _permuted(targets: Any, rng: np.random.Generator) -> Any:
    """The targets in another order, in the kind of object that they came in."""
    order = rng.permutation(len(targets))
    if hasattr(targets, "iloc"):
        permuted = targets.iloc[order]
        permuted.index = targets.index
        return permuted
    return np.asarray(targets)[order]


def _score(evaluate: Evaluate, inputs: Any, targets: Any) -> float:
    try:
        score = float(evaluate(inputs, targets))
    except WorkbenchError:
        raise
    except Exception as error:  # the user's code
        raise DataError(
            f"`evaluate` raised {type(error).__name__} on permuted targets: {sentence_of(error)} "
            "It must take (inputs, targets) and give one number."
        ) from error
    if not np.isfinite(score):
        raise DataError(f"`evaluate` gave {shown(score)}: it must give a finite number.")
    return score
