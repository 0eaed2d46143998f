"""Rows with the same inputs in two splits, and their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from workbench.data.overlap import copies_are_natural
from workbench.data.rows import Rows
from workbench.measure.leakage.findings import Finding
from workbench.measure.leakage.view import View
from workbench.system.wording import percent

__all__ = ["shared_rows"]

PAIRS = (("train", "valid"), ("train", "test"), ("valid", "test"))
SHARED = 0.01  # more than this share of a split seen elsewhere is a leak
CONTRADICTING = 3  # rows


def shared_rows(view: View) -> Iterator[Finding]:
    """Findings for rows with the same inputs in two splits, and for their labels in valid."""
    if not view.common:
        return
    hashes = view.hashes
    is_natural = _are_natural(view.whole["train"], hashes["train"])
    for one, other in PAIRS:
        if other not in hashes or not len(hashes[other]):
            continue
        shared = np.isin(hashes[other], hashes[one])
        n, share = int(shared.sum()), float(shared.mean())
        expected = _expected(hashes[one]) if is_natural else 0.0
        deviation = np.sqrt(expected * (1 - expected) / len(shared))
        if n < 2 or share < max(SHARED, expected + 3 * deviation + SHARED * (expected > 0)):
            continue
        yield Finding(
            "same_rows",
            (one, other),
            f"{n:,} of {len(shared):,} {other} rows ({percent(share, None)}) have the inputs of a "
            f"row in {one}, the first is row {int(shared.argmax())} of {other}. By chance it would "
            f"be {percent(expected, None)}.",
            f"Keep each row in one split: drop its copies, or cut the splits so that copies stay "
            f"together (`make_task` does so). The score on {other} counts rows that were learned.",
            numbers={"value": share, "chance": expected},
        )
    if not is_natural:
        yield from _contradicting(view, hashes)


def _are_natural(train: Rows, hashes: np.ndarray) -> bool:
    """Whether rows have copies because they are made of few different values."""
    if len(np.unique(hashes)) == len(hashes):
        return False
    return copies_are_natural(train)


def _expected(hashes: np.ndarray) -> float:
    """The share of rows that have another copy among the same rows."""
    _, counts = np.unique(hashes, return_counts=True)
    return float(counts[counts > 1].sum() / max(1, len(hashes)))


def _contradicting(view: View, hashes: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """A finding where valid rows have other labels than train rows with the same inputs."""
    kind = view.task.kind
    train, valid = view.whole["train"].targets, view.whole["valid"].targets
    if kind not in ("classification", "binary") or train.ndim > 1 or valid.ndim > 1:
        return
    values, first = np.unique(hashes["train"], return_index=True)
    place = np.searchsorted(values, hashes["valid"]).clip(0, len(values) - 1)
    is_shared = values[place] == hashes["valid"]
    differs = is_shared & (train[first[place]] != valid)
    n, n_shared = int(differs.sum()), int(is_shared.sum())
    if n < CONTRADICTING or n < 0.1 * n_shared:
        return
    _, counts = np.unique(train, return_counts=True)
    chance = 1 - float(((counts / counts.sum()) ** 2).sum())
    yield Finding(
        "contradicting_labels",
        ("valid",),
        f"{n:,} of the {n_shared:,} valid rows that are in train too have another label there, the "
        f"first is row {int(differs.argmax())} of valid. Labels without any relation would differ "
        f"in {percent(chance, None)} of them.",
        "Find out which label is right: labels are wrong, a column that tells these rows apart is "
        "missing, or valid was labelled in another way.",
        severity="look at it",
        numbers={"value": n / n_shared, "chance": chance},
    )
