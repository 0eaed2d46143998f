"""Models that were trained on valid rows, found by training the same model on train alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from workbench.data.rows import Rows
from workbench.errors import WorkbenchError
from workbench.events import Report
from workbench.measure.anew import Anew
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.view import View
from workbench.model_form import form_named
from workbench.runtimes.outputs import predict_rows
from workbench.task import Candidate

__all__ = ["trained_on_valid"]

MOST_ROWS = 30_000  # train rows with which a model is trained again
PART = 0.3  # of the gap of the model trained on train alone, that is left
DEVIATIONS = 4.0
LEAST_ROWS = 20


def trained_on_valid(
    view: View, candidate: Candidate | None, notes: list[str], report: Report
) -> Iterator[Finding]:
    """A finding for an estimator whose errors on valid are as few as on train, and should not be.

    The same estimator trained on train alone shows how much larger errors on valid are. Networks
    and files are left out.
    """
    if candidate is None or not view.aims or not _can_be_trained(view, candidate, notes):
        return
    train, valid = view.whole["train"], view.whole["valid"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            anew = Anew.of(candidate, view.task)
            fresh, _ = anew.trained(
                np.arange(len(train)), budget="smoke", seed=0, device="cpu", report=Report()
            )
            own, other = (
                [_errors(c, rows, view.task.kind) for rows in (train, valid)]
                for c in (candidate, fresh)
            )
    except WorkbenchError as error:
        notes.append(f"The model was not trained again: {error}")
        return
    gap = other[1].mean() - other[0].mean()
    own_gap = own[1].mean() - own[0].mean()
    deviation = np.sqrt(np.var(other[0]) / len(train) + np.var(other[1]) / len(valid))
    if gap <= DEVIATIONS * max(deviation, 1e-9) or own_gap > PART * gap:
        return
    if other[1].mean() - own[1].mean() < (1 - PART) * gap:
        return
    noun = "mean squared error" if view.task.kind == "regression" else "share of errors"
    yield Finding(
        "trained_on_valid",
        (candidate.name, "valid"),
        f"The {noun} of `{candidate.name}` is {own[0].mean():.3g} on train and {own[1].mean():.3g} "
        f"on valid. Trained on train alone, the same model has {other[0].mean():.3g} and "
        f"{other[1].mean():.3g}.",
        "Train the model on train rows only, or give the splits that it was trained on: its score "
        "on valid, and perhaps on test, is of rows that it has learned.",
        numbers={"value": float(own[1].mean()), "chance": float(other[1].mean())},
    )


def _can_be_trained(view: View, candidate: Candidate, notes: list[str]) -> bool:
    form = form_named(candidate.form)
    if form.trained_by_loss or not candidate.trains_anew or not form.is_trained(candidate.model):
        return False
    if len(view.whole["train"]) > MOST_ROWS or len(view.whole["valid"]) < LEAST_ROWS:
        notes.append(
            f"The model was not trained again on train alone: that is done up to {MOST_ROWS:,} "
            f"train rows and from {LEAST_ROWS} valid rows on."
        )
        return False
    return True


def _errors(candidate: Candidate, rows: Rows, kind: str) -> np.ndarray:
    """The error of each row `(rows,)`: 1 for a wrong class, the square of an amount."""
    outputs = np.asarray(predict_rows(candidate, rows.prepared(candidate.prepare), report=Report()))
    targets = np.asarray(rows.targets)
    if kind == "regression":
        wide = [a.reshape(len(targets), -1).astype(np.float64) for a in (outputs, targets)]
        return np.square(wide[0] - wide[1]).mean(axis=1)
    if kind == "multilabel":
        return ((outputs > 0) != (targets > 0)).mean(axis=1)
    flat = outputs.reshape(len(targets), -1)
    chosen = flat[:, 0] > 0 if flat.shape[1] == 1 else flat.argmax(axis=1)
    return (chosen != targets).astype(np.float64)
