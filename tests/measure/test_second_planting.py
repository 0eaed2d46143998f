"""Leaks planted by somebody who has not read the guard are found, and clean tables are left alone.

`MISSED` and `ACCUSED` are what the guard got wrong when it saw these tables first, with what a user
would expect instead.
"""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.measure.second_planting import CLEAN, LEAKS, Planting
from workbench.errors import DataError

MISSED = {
    "time_in_the_air": "a class that is a threshold on the difference of two columns",
    "orders_of_the_whole_life": "a class that is a threshold on the difference of two columns",
    "class_in_the_file_name": "a part of a text between signs tells the class",
    "price_in_the_listing": "a number in a text is the target",
    "rate_of_the_postal_code": "a mean of targets over two or three rows each",
    "insulin_filled_by_class": "one value repeats, and all rows with it are of one class",
    "order_of_the_rows": "valid is sorted by class",
    "last_digit_of_the_account": "the last digit of an id tells the class",
    "band_of_the_price": "bands of the target do not overlap",
    "flags_of_two_grades": "a flag that is one class, without an exception",
}
ACCUSED = {
    "reviews_with_plain_words": "texts of few words repeat by chance, as the other columns differ",
    "spending_of_the_past": "known customers come again: cut in order of time, this is right",
}
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


def marked(tables: dict[str, Planting], wrong: dict[str, str]) -> list[object]:
    """Names of tables as parameters, the known failures marked."""
    marks = {name: [pytest.mark.xfail(reason=wrong[name], strict=False)] for name in wrong}
    return [pytest.param(name, marks=marks.get(name, [])) for name in tables]


@pytest.mark.parametrize("name", marked(LEAKS, MISSED))
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


@pytest.mark.parametrize("name", marked(CLEAN, ACCUSED))
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
