"""Groups, such as all rows of one patient, that are on both sides of a split."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from workbench.data.rows import Rows
from workbench.errors import DataError, unknown
from workbench.measure.leakage.findings import Finding, Severity
from workbench.measure.leakage.identifiers import is_identifier_name
from workbench.measure.leakage.strength import Strength, folds_of
from workbench.measure.leakage.strength import of_codes as strength_of_codes
from workbench.measure.leakage.time_order import goes_forward
from workbench.measure.leakage.view import Column, View, codes_of, n_pairs_of
from workbench.system.wording import percent

__all__ = ["group_columns", "groups_on_both_sides", "owners_kept_together"]

OWNERS = re.compile(
    r"(^|[_\W])(patient|subject|person|user|customer|client|household|family|session|speaker|"
    r"author|student|member|account|employee|donor|participant|group|groups|case|device|machine|"
    r"sensor|vehicle|animal|owner|plot|site|scene|video|document|conversation)"
    r"(_?(id|no|nr|number|key|name|code))?$",
    re.IGNORECASE,
)
CODE = re.compile(r"^[A-Za-z]{0,12}[-_#/ ]?\d{1,12}$")
LEAST_GROUPS = 8
MOST_ROWS_A_GROUP = 60
LEAST_ROWS_A_GROUP = 1.5
ONE_TO_ONE = 1.05  # pairs of values of two columns for each value, at most
STRONG = 0.3  # share explained by codes of groups whose column has another name
HELD = ("valid", "test")


def groups_on_both_sides(view: View, groups: Any = None) -> Iterator[Finding]:
    """Findings for groups with rows in train and in a held-out split.

    `groups` are labels of rows by split, or names of columns. Without them, columns that look like
    the owner of several rows are taken, by their name or by codes such as `P0123`, and numbers that
    are constants of an owner, such as its coordinates. Beside given groups, an owner that gathers
    several of them is looked at, such as the speaker of several sessions.
    """
    if groups is not None:
        given = _given(view.whole, groups)
        for name, labels in given.items():
            yield from _shared(view, name, labels, is_given=True, is_sure=True)
        for name in group_columns(view):
            owners = view.whole["train"].inputs[name]
            if any(_gathers(owners, of["train"]) for of in given.values()):
                yield from _shared(view, name, _labels(view.whole, name))
        return
    names = group_columns(view)
    for name in names:
        yield from _shared(view, name, _labels(view.whole, name), is_sure=_is_named(name))
    if not names and (constant := _constant_of_an_owner(view)) is not None:
        yield from _shared(view, constant, _labels(view.whole, constant))


def _labels(splits: Mapping[str, Rows], name: str) -> dict[str, np.ndarray]:
    """The values of a column by split."""
    return {s: rows.inputs[name] for s, rows in splits.items() if name in rows.inputs}


def _gathers(owners: np.ndarray, groups: np.ndarray) -> bool:
    """Whether each group has one owner, and owners have several groups."""
    (codes,), n_owners = codes_of(owners)
    (of_group,), n_groups = codes_of(groups)
    return n_pairs_of(of_group, codes) == n_groups and n_owners < n_groups


def _constant_of_an_owner(view: View) -> str | None:
    """The name of a number whose values each stand for an owner, as another number has them too.

    Fractions repeat in several rows each, and two columns of them determine one another, as the
    coordinates of a tree do in all rows of its leaves.
    """
    found: list[tuple[str, np.ndarray, int]] = []
    for column in view.columns if view.are_columns else ():
        values = view.whole["train"].inputs.get(column.name)
        if values is None or values.ndim > 1 or values.dtype.kind != "f":
            continue
        if not np.isfinite(values).all() or (values % 1 == 0).mean() > 0.5:
            continue
        (codes,), n = codes_of(values)
        if n < 3 * LEAST_GROUPS or not (LEAST_ROWS_A_GROUP <= len(codes) / n <= MOST_ROWS_A_GROUP):
            continue
        for name, others, n_others in found:
            if n_pairs_of(codes, others) <= ONE_TO_ONE * min(n, n_others):
                return name
        found.append((column.name, codes, n))
    return None


def group_columns(view: View) -> tuple[str, ...]:
    """Names of columns that look like the owner of several rows."""
    if not view.are_columns:
        return ()
    return tuple(c.name for c in view.columns if _is_owner(view, c))


def _is_owner(view: View, column: Column) -> bool:
    if column.type not in ("number", "category") or column.name not in view.whole["train"].inputs:
        return False
    values = view.whole["train"].inputs[column.name]
    if values.ndim != 1 or values.dtype.kind not in "iufOU":
        return False
    if values.dtype.kind == "f" and (values[np.isfinite(values)] % 1 != 0).any():
        return False
    (codes,), n = codes_of(values)
    rows_a_group = len(codes) / n
    if n < LEAST_GROUPS or rows_a_group < LEAST_ROWS_A_GROUP:
        return False
    if rows_a_group > MOST_ROWS_A_GROUP:
        return False
    if OWNERS.search(column.name):
        return True
    if is_identifier_name(column.name) and n >= 3 * LEAST_GROUPS:
        return True
    if values.dtype.kind not in "OU" or n < 3 * LEAST_GROUPS:
        return False
    texts = [str(v) for v in values[:200].tolist()]
    return all(CODE.match(t) for t in texts) and any(c.isalpha() for t in texts for c in t)


def _is_named(name: str) -> bool:
    return OWNERS.search(name) is not None or is_identifier_name(name)


def _given(splits: Mapping[str, Rows], groups: Any) -> dict[str, dict[str, np.ndarray]]:
    if isinstance(groups, Mapping):
        wrong = [n for n in groups if n not in splits]
        if wrong:
            raise DataError(unknown("split in `groups`", wrong[0], splits))
        labels = {n: np.asarray(v) for n, v in groups.items()}
        for name, values in labels.items():
            if values.shape != (len(splits[name]),):
                raise DataError(
                    f"`groups` has the shape {values.shape} for the {len(splits[name]):,} rows of "
                    f"{name}: give one value a row."
                )
        if "train" not in labels or len(labels) < 2:
            raise DataError("`groups` must have labels of train and of another split at least.")
        return {"groups": labels}
    names = [groups] if isinstance(groups, str) else groups
    if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) for n in names):
        raise DataError(
            "`groups` must be the name of a column, a list of names, or a mapping of splits to "
            f"labels, as in {{'train': labels, 'valid': labels}}; got {type(groups).__name__}."
        )
    for name in names:
        if name not in splits["train"].inputs:
            raise DataError(unknown("column in `groups`", name, splits["train"].inputs))
    return {name: _labels(splits, name) for name in names}


def _shared(
    view: View,
    name: str,
    labels: Mapping[str, np.ndarray],
    *,
    is_given: bool = False,
    is_sure: bool = False,
) -> Iterator[Finding]:
    """Findings for groups in train and another split.

    Where it is not sure that the labels are owners, they must explain a strong share of a target.
    """
    known: dict[str, float] = {}  # the gain on valid
    is_forward = goes_forward(view)
    for held in HELD:
        if held not in labels or not len(labels[held]):
            continue
        (train, other), _ = codes_of(labels["train"], labels[held])
        shared = np.isin(other, train)
        n_rows, groups = int(shared.sum()), np.unique(other)
        n_groups = int(np.isin(groups, train).sum())
        if not n_groups or (not is_given and shared.mean() < 0.05):
            continue
        gain = _gain(view, train, other) if held == "valid" else None
        if not is_sure and not (known.get(name) or gain or 0.0) > STRONG:
            continue
        known.setdefault(name, gain or 0.0)
        severity: Severity = "leak" if is_given or (gain or 0.0) > 0.02 else "look at it"
        if is_forward:  # groups that are known come again, as they do where the model is used
            if not is_given:
                continue
            severity = "look at it"
        if held == "test" and not is_given:
            severity = "look at it"
        told = (
            ""
            if gain is None
            else f" The group alone explains {percent(max(0, gain), None)} "
            "of the target on valid (0 % by chance)."
        )
        yield Finding(
            "groups_on_both_sides",
            (name, "train", held),
            f"{n_groups:,} of {len(groups):,} groups of `{name}` in {held} have rows in train too; "
            f"they hold {n_rows:,} of {len(other):,} {held} rows ({percent(shared.mean(), None)}). "
            f"With whole groups in one split it would be 0.{told}",
            f"Cut the splits by `{name}`, so that a group is in one split, and cross-validate with "
            "`groups=`; leave the column itself out of the inputs. If the model will predict for "
            "groups that it has seen, this split is right.",
            severity=severity,
            numbers={"value": float(shared.mean()), "chance": 0.0},
        )


def owners_kept_together(view: View, groups: Any = None) -> dict[str, np.ndarray] | None:
    """The owner of each sampled train and valid row, where no owner has rows in both.

    Given groups come first, then those of the rows, then columns that look like owners. None where
    rows have no owner, or owners are in both splits.
    """
    named: list[Mapping[str, np.ndarray]] = []
    if groups is not None:
        named += _given(view.whole, groups).values()
    named += [_labels(view.whole, name) for name in group_columns(view)]
    for labels in named:
        if "train" not in labels or "valid" not in labels:
            continue
        (train, valid), _ = codes_of(labels["train"], labels["valid"])
        if not np.isin(valid, train).any():
            return {"train": train[view.positions], "valid": valid[view.valid_positions]}
    return None


def _gain(view: View, train: np.ndarray, valid: np.ndarray) -> float | None:
    """The largest share of a target that the group explains on valid; None without targets."""
    shares = []
    for aim in view.aims:
        a, b = train[view.positions], valid[view.valid_positions]
        n = int(max(train.max(), valid.max())) + 1
        column = view.columns[0]
        strength: Strength = strength_of_codes(column, aim, folds_of(len(a)), a, b, n)
        shares.append(strength.least)
    return max(shares, default=None)
