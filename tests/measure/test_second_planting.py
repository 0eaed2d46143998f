"""Leaks planted by somebody who has not read the guard are found, and clean tables are left alone.

When the guard saw these tables first, it found 35 of 45 leaks and had a finding on 2 of 32 clean
tables. It was then mended with these tables in view.
"""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.measure.second_planting import CLEAN, LEAKS
from workbench.errors import DataError

# Findings that are no columns, by the kind of leak.
ROWS = {"same_rows", "near_duplicates"}
FITTED = {"fitted_outside_train"}
KINDS = {
    "same rows in two splits": ROWS,
    "nearly the same rows in two splits": ROWS,
    "oversampling before the split": ROWS,
    "synthetic rows before the split": ROWS,
    "scaling fitted outside of train": FITTED,
    "selection fitted outside of train": FITTED,
    "imputation fitted outside of train": FITTED,
    "target encoding": FITTED,
    "order of the rows": {"row_order_predicts_target"},
}


@pytest.mark.parametrize("name", LEAKS)
def test_planted_leak_is_found(name: str) -> None:
    planting = LEAKS[name]
    table = planting.make(0)
    try:
        report = wb.find_leaks(table.task(), groups=table.groups)
    except DataError as error:
        assert KINDS.get(planting.kind) == ROWS
        assert "test rows are in train too" in str(error)  # noqa: PT017
        return
    found = [(finding.kind, finding.where) for finding in report.findings]
    if planting.columns:
        assert any(set(where) & set(planting.columns) for _, where in found), found
    else:
        assert any(kind in KINDS[planting.kind] for kind, _ in found), found


@pytest.mark.parametrize("name", CLEAN)
def test_clean_table_is_left_alone(name: str) -> None:
    table = CLEAN[name].make(0)
    report = wb.find_leaks(table.task(), groups=table.groups)
    assert [finding.text for finding in report.findings] == []


def test_tables_are_the_same_in_each_run() -> None:
    for planting in (*LEAKS.values(), *CLEAN.values()):
        first, second = planting.make(3), planting.make(3)
        assert first.train.equals(second.train), planting.name
        assert set(planting.columns) <= set(first.train), planting.name
        assert first.train[first.target].notna().all(), planting.name
        assert np.unique(first.train[first.target].astype(str)).size > 1, planting.name
