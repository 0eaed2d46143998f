"""Tables with and without leaks, and what a report says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.measure.leakage.tables import CLEAN, LEAKY, base, task_of
from workbench.errors import Cancelled, DataError
from workbench.events import Report
from workbench.measure.leakage import KINDS, LeakReport, find_leaks


@pytest.mark.parametrize("name", LEAKY)
def test_leak_is_found_with_its_numbers_and_what_to_do(name):
    make, kinds = LEAKY[name]
    report = find_leaks(make())
    found = [f for f in report.findings if f.kind in kinds]
    assert found, report.text
    for finding in found:
        assert np.isfinite([finding.numbers["value"], finding.numbers["chance"]]).all()
        assert (finding.evidence[-1], finding.advice[-1]) == (".", ".")
    assert not [note for note in report.notes if "raised" in note]


def test_clean_tables_have_one_false_alarm_at_most():
    alarms = {}
    for name, make in CLEAN.items():
        report = find_leaks(make())
        assert not [note for note in report.notes if "raised" in note], name
        if report.findings:
            alarms[name] = report.text
    assert len(alarms) <= 1, "\n".join(alarms.values())


def test_as_many_tables_are_clean_as_have_leaks_and_eight_kinds_are_planted():
    assert len(CLEAN) >= len(LEAKY)
    assert len({kind for _, kinds in LEAKY.values() for kind in kinds}) >= 8


def test_groups_given_by_split_or_by_name_are_compared():
    task = task_of(base())
    data = task.data.named()
    labels = {name: np.arange(len(rows)) % 50 for name, rows in data.items()}
    found = find_leaks(task, groups=labels).of("groups_on_both_sides")
    assert {f.where[2] for f in found} == {"valid", "test"}
    assert found[0].severity == "leak"
    apart = {name: np.arange(len(rows)) + 1000 * i for i, (name, rows) in enumerate(data.items())}
    assert not find_leaks(task, groups=apart).findings
    assert find_leaks(task, groups="city").of("groups_on_both_sides")


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ("citty", "Unknown column in `groups` `citty`. Did you mean `city`"),
        ({"train": [1, 2], "valid": [1]}, "`groups` has the shape"),
        ({"traim": [1]}, "Unknown split in `groups` `traim`"),
        (3, "must be the name of a column"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups, words):
    with pytest.raises(DataError, match=words):
        find_leaks(task_of(base()), groups=groups)


def test_test_targets_are_never_used():
    task = task_of(base())
    test = task.data.test

    class Closed(np.ndarray):
        def __array_ufunc__(self, *_: object, **__: object) -> None:
            raise AssertionError("test targets were read")

        def __getitem__(self, _: object) -> None:
            raise AssertionError("test targets were read")

    closed = replace(test, targets=np.asarray(test.targets).view(Closed))
    report = find_leaks(replace(task, data=replace(task.data, test=closed)))
    assert not report.findings
    assert not [note for note in report.notes if "raised" in note], report.notes


def test_task_without_test_is_looked_at():
    assert find_leaks(task_of(base()).without_test()).is_clean


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["binary", "regression", "4"])
def test_clean_tables_of_other_seeds_have_no_leak(seed, kind):
    report = find_leaks(task_of(base(300, 100 + seed, kind)))
    assert not report.leaks, report.text


def test_several_labels_a_row_are_looked_at_one_by_one():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 4))).add_prefix("x")
    labels = rng.integers(0, 2, (400, 3))
    frame["late"] = labels[:, 1]
    task = task_of((frame, labels))
    (finding,) = find_leaks(task).findings
    assert (finding.kind, finding.where) == ("copies_target", ("late",))


def test_report_keeps_its_findings_as_json_and_as_a_table():
    report = find_leaks(LEAKY["flag after the fact"][0]())
    again = LeakReport.from_json(report.to_json())
    assert again == report
    assert again.sentence.startswith("1 leak: ")
    table = report.to_frame()
    assert list(table["where"]) == ["leak"]
    assert max(map(len, report.text.splitlines())) <= 100
    assert report.plot().data
    assert "selected_before_split" not in report.checks
    assert set(report.checks) == set(KINDS) - {"selected_before_split"}


def test_report_without_findings_says_that_it_proves_nothing():
    report = LeakReport("table", checks=("same_rows",))
    assert report.is_clean
    assert "No leak found" in report.text
    assert "other kinds are possible" in report.text
    with pytest.raises(DataError, match="Unknown kind of leak `same_row`"):
        report.of("same_row")
    with pytest.raises(DataError, match="without findings there is no figure"):
        report.plot()


def test_analysis_is_cancelled_on_request():
    with pytest.raises(Cancelled):
        find_leaks(task_of(base()), report=Report(cancelled=lambda: True))
