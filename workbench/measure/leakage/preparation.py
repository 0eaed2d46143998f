"""Preparations and selections that were fitted on rows outside train, found by fitting them again.

The fitted numbers (means, categories, scores of columns) are compared with those of the same
preparation fitted on train, and on train with held-out splits. Test takes part by its inputs alone:
its targets are replaced by targets drawn from train, and only where targets have no effect.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.data.rows import Rows
from workbench.measure.anew import refitted
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.states import State, distance, new_names, state_of
from workbench.measure.leakage.view import View
from workbench.task import Candidate

__all__ = ["fitted_outside_train"]

EQUAL = 1e-6  # distance of states that are the same up to rounding
MATCH = 0.05  # of the distance to the state of train: fitted on these rows
NEARER = 0.72  # of it, for states of many numbers: fitted on these rows and others
MANY = 40  # numbers
OWN = ("train", "calibration")  # rows that it may be fitted on, beside train alone
UNIONS = (
    OWN,
    ("train", "valid"),
    ("train", "valid", "calibration"),
    ("train", "test"),
    ("train", "valid", "test"),
    ("train", "valid", "calibration", "test"),
    ("valid",),
    ("test",),
)
Refit = Callable[[Rows], Any]


def fitted_outside_train(
    view: View, candidate: Candidate | None, notes: list[str]
) -> Iterator[Finding]:
    """Findings for the `prepare` of a candidate, and for the steps of its scikit-learn pipeline."""
    prepare = view.task.prepare if candidate is None else candidate.prepare
    if prepare is not None:
        yield from _compared(view, "prepare", prepare, lambda rows: refitted(prepare, rows), notes)
    steps = _steps(candidate)
    if steps is not None:
        from workbench.models.estimators import as_features, unfitted

        def again(rows: Rows) -> Any:
            return unfitted(steps).fit(as_features(rows.inputs), rows.targets)

        yield from _compared(view, "pipeline", steps, again, notes)


def _steps(candidate: Candidate | None) -> Any:
    """The fitted steps of a pipeline before its model; None where there are none."""
    from workbench.models.estimators import is_fitted

    model: Any = None if candidate is None else candidate.model
    if not hasattr(model, "steps") or len(model.steps) < 2:
        return None
    return model[:-1] if is_fitted(model) else None


def _compared(
    view: View, what: str, fitted: Any, refit: Refit, notes: list[str]
) -> Iterator[Finding]:
    train = view.whole["train"]
    state = state_of(fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = refit(train)
        if again is None:
            notes.append(
                f"`{what}` has no method that fits it anew, so the rows it was fitted on are not "
                "known."
            )
            return
        on_train = state_of(again)
        to_train, n_different = distance(state, on_train)
        if to_train < EQUAL:
            return
        distances = _distances(view, state, on_train, refit)
    # `make_task` cuts calibration from the rows that the user calls train.
    own = distances.get(OWN, np.inf)
    unions = {u: d for u, d in distances.items() if u != OWN and d < own}
    if own < EQUAL:
        return
    best = min(unions, key=lambda u: (unions[u], len(u)), default=None)
    new = new_names(state, on_train)
    if best is None:
        return
    ratio = unions[best] / to_train
    is_match = ratio < MATCH
    is_nearer = ratio < NEARER and n_different >= MANY
    if is_match or is_nearer or (new and _are_held_out(view, new)):
        yield _finding(what, best, n_different, ratio, new, is_match)
        return
    notes.append(
        f"`{what}` holds other numbers than one fitted on these train rows, and not those of "
        "held-out rows: it was fitted on other rows, or with chance."
    )


def _distances(
    view: View, state: State, on_train: State, refit: Refit
) -> dict[tuple[str, ...], float]:
    """The distance to the same preparation fitted on each union of splits."""
    train, rng = view.whole["train"], np.random.default_rng(0)
    permuted = replace(train, targets=rng.permutation(train.targets))
    uses_targets = distance(on_train, state_of(refit(permuted)))[0] > EQUAL
    found: dict[tuple[str, ...], float] = {}
    for union in UNIONS:
        if any(name not in view.whole for name in union) or (uses_targets and "test" in union):
            continue
        try:
            rows = _joined([_without_test_targets(view, name, rng) for name in union])
            found[union] = distance(state, state_of(refit(rows)))[0]
        except Exception:  # the user's code, on rows that it was not written for
            continue
        if found[union] < EQUAL:
            break
    return found


def _without_test_targets(view: View, name: str, rng: np.random.Generator) -> Rows:
    rows = view.whole[name]
    if name != "test":
        return rows
    targets = view.whole["train"].targets
    return Rows(rows.inputs, targets[rng.integers(0, len(targets), len(rows))])


def _joined(parts: list[Rows]) -> Rows:
    inputs = {n: np.concatenate([p.inputs[n] for p in parts]) for n in parts[0].inputs}
    return Rows(inputs, np.concatenate([p.targets for p in parts]))


def _are_held_out(view: View, names: list[str]) -> bool:
    """Whether texts occur in held-out rows and not in train."""

    def texts(split: str) -> set[str]:
        rows = view.whole.get(split)
        columns = [] if rows is None else [a for a in rows.inputs.values() if a.dtype.kind in "OU"]
        return {str(v) for a in columns for v in np.unique(a.astype(str)).tolist()}

    own = texts("train") | texts("calibration")
    return bool(set(names) & ((texts("valid") | texts("test")) - own))


def _finding(
    what: str, union: tuple[str, ...], n: int, ratio: float, new: list[str], is_match: bool
) -> Finding:
    rows = " and ".join(union)
    held = " and ".join(u for u in union if u not in OWN)
    if new and not is_match:
        shown = ", ".join(f"`{name}`" for name in new[:3])
        evidence = (
            f"It holds {len(new):,} categories or words that no train row has ({shown}), and that "
            "held-out rows have."
        )
    else:
        how = "are those of" if is_match else "are much nearer to those of"
        evidence = (
            f"{n:,} of its fitted numbers differ from those of the same preparation fitted on "
            f"train, and {how} {rows} (distance {ratio:.2g} of that to train; 1 or more without a "
            "leak)."
        )
    return Finding(
        "fitted_outside_train",
        (what, *(u for u in union if u not in OWN)),
        evidence,
        f"Fit it on train only: give `{what}` unfitted, inside the pipeline of the model, so that "
        f"every fold fits it anew. Scores on {held} are too good, most of all after a selection "
        "of columns.",
        numbers={"value": ratio, "chance": 1.0},
    )
