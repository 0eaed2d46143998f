"""Sentences about a step of features: the encoding, the choice, unused columns, cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from workbench.measure.statistics.resampled import fold_scores

if TYPE_CHECKING:
    import pandas as pd

    from workbench.task import Candidate
    from workbench.techniques.features.setup import Setup

__all__ = ["nested_sentence", "notes_of"]

MOST_NAMES = 6


def notes_of(
    setup: Setup, candidate: Candidate, evidence: Mapping[str, pd.DataFrame]
) -> tuple[str, ...]:
    """The notes of a step, in the order of the work."""
    notes = [_encoding(setup, evidence["features"], evidence["columns"])]
    notes += _unused(setup, evidence["columns"])
    if setup.settings.select != "none":
        notes.append(_selection(setup, evidence))
    if setup.is_network and setup.settings.select != "none":
        notes.append(
            "Features were ranked and their number was chosen with a linear model; the network was "
            "trained once, behind the result."
        )
    has_many = bool(setup.columns.of_kind("many")) and setup.settings.encode == "simple"
    if setup.is_network and setup.settings.target_encode and has_many:
        notes.append(
            "Columns of many categories are one-hot, with rare ones together: a network trains on "
            "rows that the preparation has seen, so encoding by the target would leak."
        )
    if "nested" in evidence:
        notes.append(nested_sentence(setup, evidence["nested"]))
    elif setup.is_network and setup.settings.nested_folds:
        notes.append("No nested cross-validation: the network would be trained in every fold.")
    return tuple(notes)


def _encoding(setup: Setup, features: pd.DataFrame, columns: pd.DataFrame) -> str:
    words = {
        "simple": "scikit-learn's encoding",
        "skrub": "skrub's TableVectorizer",
        "none": "the preparation of the start",
    }
    used = columns[columns["kind"] != "unused"]
    counts = used["kind"].replace({"many": "many categories"}).value_counts()
    kinds = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    return (
        f"{len(features):,} features of {len(used):,} columns ({kinds}) by "
        f"{words[setup.settings.encode]}."
    )


def _unused(setup: Setup, columns: pd.DataFrame) -> list[str]:
    """A sentence for each reason why columns are unused."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in setup.columns.unused.items():
        by_reason.setdefault(reason, []).append(f"`{name}`")
    sentences = []
    for reason, names in by_reason.items():
        more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
        sentences.append(f"Not used: {', '.join(names[:MOST_NAMES])}{more}, as {reason}.")
    return sentences


def _selection(setup: Setup, evidence: Mapping[str, pd.DataFrame]) -> str:
    features, columns = evidence["features"], evidence["columns"]
    n_kept = int(features["kept"].sum())
    used = columns[columns["kind"] != "unused"]
    free = used[used["n_kept"] == 0]["column"].tolist()
    scores = evidence["scores"]
    metric = setup.job.task.metric.name
    at = scores.groupby("n_features")["score"].mean()
    tried = setup.settings.n_features or n_kept
    best = ""
    if tried in at.index:
        best = f", mean {metric} {at.loc[tried]:.4g} on {scores['fold'].nunique()} folds of train"
    text = f"`{setup.settings.select}` keeps {n_kept:,} of {len(features):,} features{best}."
    if free and (features["columns"] != "").all():
        names = ", ".join(f"`{name}`" for name in free[:MOST_NAMES])
        more = f" and {len(free) - MOST_NAMES:,} more" if len(free) > MOST_NAMES else ""
        text += (
            f" No feature of {names}{more} is kept; `columns` leaves such columns out of the "
            "preparation too."
        )
    return text


def nested_sentence(setup: Setup, nested: pd.DataFrame) -> str:
    """The scores of nested cross-validation in words, beside the plain model."""
    metric = setup.job.task.metric
    ratio = float(np.mean(nested["n_held"] / nested["n_train"]))
    n_rows = int(nested["n_held"].sum())
    ours = fold_scores(nested["score"].tolist(), metric, n_rows=n_rows, ratio=ratio)
    plain = fold_scores(nested["plain"].tolist(), metric, n_rows=n_rows, ratio=ratio)
    return (
        f"Nested cross-validation, selection and choice inside: {metric.name} "
        f"{ours.shown(ours.mean)} ({ours.shown(ours.low)} to {ours.shown(ours.high)}) over "
        f"{len(nested)} folds; the start's model without this step {plain.shown(plain.mean)}."
    )
