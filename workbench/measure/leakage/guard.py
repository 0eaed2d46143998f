"""find_leaks(): all checks of the leakage guard on one task."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from workbench.errors import WorkbenchError, line_of
from workbench.events import Report
from workbench.measure.leakage.bands import bands_of_target
from workbench.measure.leakage.chains import rows_in_chains
from workbench.measure.leakage.combinations import combinations_to_target
from workbench.measure.leakage.distribution import different_distribution
from workbench.measure.leakage.encoded import encoded_with_targets, stronger_on_train
from workbench.measure.leakage.findings import Finding, LeakReport
from workbench.measure.leakage.groups import groups_on_both_sides
from workbench.measure.leakage.identifiers import identifiers, row_order
from workbench.measure.leakage.last_digits import last_digits
from workbench.measure.leakage.near_rows import near_duplicates
from workbench.measure.leakage.noise import Evaluate, check_evaluation
from workbench.measure.leakage.own_means import own_means
from workbench.measure.leakage.preparation import fitted_outside_train
from workbench.measure.leakage.shared_rows import shared_rows
from workbench.measure.leakage.single_columns import single_columns
from workbench.measure.leakage.texts_to_target import texts_to_target
from workbench.measure.leakage.time_order import time_backward
from workbench.measure.leakage.times_of_day import times_of_day
from workbench.measure.leakage.traces import flags_to_target
from workbench.measure.leakage.trained_rows import trained_on_valid
from workbench.measure.leakage.values_to_target import values_to_target
from workbench.measure.leakage.view import View
from workbench.measure.leakage.windows import later_targets
from workbench.measure.leakage.within_categories import exact_within_categories
from workbench.task import Candidate, Task

__all__ = ["find_leaks"]

Check = tuple[tuple[str, ...], Callable[[], Iterable[Finding]]]

# A column that is told by one of the first is not told again by one of the second.
_COLUMN_ITSELF = (
    "value_predicts_target",
    "identifier_predicts_target",
    "stronger_on_train",
    "time_backward",
)
TOLD_BY = {
    "groups_on_both_sides": (
        "predicts_target",
        "copies_target",
        "stronger_on_train",
        "text_holds_target",
    ),
    "encoded_with_targets": ("predicts_target", "stronger_on_train", "value_predicts_target"),
    "copies_target": (*_COLUMN_ITSELF, "bands_of_target", "flags_predict_target"),
    "predicts_target": ("identifier_predicts_target", "stronger_on_train", "value_predicts_target"),
    "missing_predicts_target": ("stronger_on_train", "time_backward", "value_predicts_target"),
    "flags_predict_target": ("value_predicts_target",),
    "combines_to_target": ("predicts_target",),
    "bands_of_target": ("predicts_target",),
    "identifier_predicts_target": ("text_holds_target",),
}
OF_COLUMNS = {"flags_predict_target", "combines_to_target"}  # each of `where` is a column


def find_leaks(
    task: Task,
    *,
    candidate: Candidate | None = None,
    groups: Any = None,
    evaluate: Evaluate | None = None,
    report: Report | None = None,
) -> LeakReport:
    """Look for information that the model will not have when it predicts.

    Train and valid rows are compared with one another and with their targets. Of the test split
    only inputs are looked at, for rows, groups and times that are in train too, and for the rows on
    which a preparation was fitted; its targets are never used. Nothing is changed.

    Parameters
    ----------
    candidate
        Model whose fitted `prepare` and pipeline are compared with ones fitted on train; by default
        the task's own start.
    groups
        Owner of each row, such as the patient: the name of a column, a list of names, or a mapping
        of splits to labels `(rows,)`. None: the groups of the task, else columns that look like
        owners.
    evaluate
        Your own evaluation `(inputs, targets) -> score`, which is run on permuted targets of train
        (`check_evaluation`).
    report
        Progress; a request to cancel raises Cancelled.

    The limits keep a table of independent columns without a finding; corrected for the number of
    columns. A finding of severity `look at it` may have a good reason.

    Raises DataError for a split without rows and for `groups` that do not fit them.
    """
    report = report or Report()
    began = time.perf_counter()
    view = View.of(task)
    groups = groups if groups is not None else _groups_of_rows(view)
    candidate = candidate if candidate is not None else task.start
    notes = list(view.notes)
    findings: list[Finding] = []
    done: list[str] = []
    checks = _checks(view, candidate, groups, evaluate, notes, report)
    for number, (kinds, check) in enumerate(checks):
        report.progress(number, len(checks), kinds[0].replace("_", " "))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                findings += check()
        except WorkbenchError:
            raise
        except Exception as error:  # data of a kind that one check cannot read
            notes.append(
                f"Not looked for: {', '.join(kinds)}. The check raised {type(error).__name__}: "
                f"{line_of(error)}"
            )
            continue
        done += kinds
    report.progress(len(checks), len(checks), "all kinds of leak were looked for")
    return LeakReport(
        task.name,
        tuple(sorted(_once(findings), key=lambda f: f.severity != "leak")),
        tuple(done),
        tuple(dict.fromkeys(notes)),
        time.perf_counter() - began,
    )


def _groups_of_rows(view: View) -> dict[str, np.ndarray] | None:
    """The labels of the groups of each split; None unless train and another one have them."""
    labels = {n: rows.groups for n, rows in view.whole.items() if rows.groups is not None}
    return labels if "train" in labels and len(labels) > 1 else None


def _checks(
    view: View,
    candidate: Candidate | None,
    groups: Any,
    evaluate: Evaluate | None,
    notes: list[str],
    report: Report,
) -> list[Check]:
    checks: list[Check] = [
        (
            ("predicts_target", "copies_target", "missing_predicts_target"),
            lambda: (*single_columns(view, notes), *times_of_day(view)),
        ),
        (
            ("combines_to_target",),
            lambda: (*combinations_to_target(view, notes), *exact_within_categories(view)),
        ),
        (("flags_predict_target",), lambda: flags_to_target(view)),
        (("value_predicts_target",), lambda: values_to_target(view)),
        (("bands_of_target",), lambda: bands_of_target(view)),
        (("text_holds_target",), lambda: texts_to_target(view)),
        (("later_targets",), lambda: later_targets(view)),
        (("identifier_predicts_target",), lambda: (*identifiers(view), *last_digits(view))),
        (("row_order_predicts_target",), lambda: row_order(view)),
        (("stronger_on_train",), lambda: stronger_on_train(view)),
        (("encoded_with_targets",), lambda: (*encoded_with_targets(view), *own_means(view))),
        (("same_rows", "contradicting_labels"), lambda: shared_rows(view)),
        (("near_duplicates",), lambda: (*near_duplicates(view), *rows_in_chains(view))),
        (("groups_on_both_sides",), lambda: groups_on_both_sides(view, groups)),
        (("time_backward",), lambda: time_backward(view)),
        (("different_distribution",), lambda: different_distribution(view, groups, notes)),
        (("fitted_outside_train",), lambda: fitted_outside_train(view, candidate, notes)),
        (("trained_on_valid",), lambda: trained_on_valid(view, candidate, notes, report)),
    ]
    if evaluate is not None:
        checks.append((("selected_before_split",), lambda: _evaluated(view, evaluate, report)))
    return checks


def _evaluated(view: View, evaluate: Evaluate, report: Report) -> list[Finding]:
    from workbench.models.estimators import as_features

    train = view.whole["train"]
    chance = 0.0 if view.task.kind == "regression" else None
    finding = check_evaluation(
        evaluate, as_features(train.inputs), train.targets, chance=chance, report=report
    )
    return [] if finding is None else [finding]


def _once(findings: list[Finding]) -> list[Finding]:
    """The findings without those on a column that a more telling one names."""
    dropped = {
        (kind, name)
        for finding in findings
        for name in (finding.where if finding.kind in OF_COLUMNS else finding.where[:1])
        for kind in TOLD_BY.get(finding.kind, ())
    }
    kept = [f for f in findings if (f.kind, f.where[0]) not in dropped]
    return list({(f.kind, f.where): f for f in reversed(kept)}.values())[::-1]
