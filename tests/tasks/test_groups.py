"""Rows that belong together: in one split, in one fold, in one block of an interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.utils.data import TensorDataset

import workbench as wb
from workbench.data.folds import fold_indices
from workbench.data.rows import Rows
from workbench.errors import DataError, TaskError
from workbench.measure.cross_validation import cross_validate
from workbench.measure.leakage import find_leaks
from workbench.measure.statistics.quality import quality
from workbench.tasks.make import make_task

N_PATIENTS, N_VISITS = 60, 6


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    """Visits of patients, who differ from one another more than their visits do."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(N_PATIENTS), N_VISITS)
    person = rng.normal(size=N_PATIENTS)[patient]
    is_ill = (person + rng.normal(0, 0.6, N_PATIENTS)[patient] > 0).astype(int)
    pressure = person + rng.normal(0, 0.1, len(patient))
    order = rng.permutation(len(patient))
    frame = pd.DataFrame(
        {"patient": [f"p{i}" for i in patient], "pressure": pressure, "ill": is_ill}
    )
    return frame.assign(weight=rng.normal(size=len(patient))).iloc[order].reset_index(drop=True)


@pytest.fixture(scope="module")
def task(visits):
    return make_task(
        "visits", model=LogisticRegression(), train=visits, target="ill", groups="patient"
    )


@pytest.fixture(scope="module")
def start(task):
    candidate, _ = task.candidate()
    return candidate


def _patients(rows: Rows) -> set[str]:
    assert rows.groups is not None
    return set(rows.groups.tolist())


def test_group_column_is_no_input_and_no_patient_is_in_two_splits(task, visits):
    splits = task.data.named()
    assert all(set(rows.inputs) == {"pressure", "weight"} for rows in splits.values())
    together = [patient for rows in splits.values() for patient in _patients(rows)]
    assert sorted(together) == sorted(set(visits["patient"]))
    assert all(len(rows) == N_VISITS * len(_patients(rows)) for rows in splits.values())
    shares = [rows.targets.mean() for rows in (task.data.train, task.data.valid, task.data.test)]
    assert np.ptp(shares) < 0.15


def test_array_of_groups_does_the_same_as_the_column(task, visits):
    given = make_task(
        "visits",
        model=LogisticRegression(),
        train=visits.drop(columns="patient"),
        target="ill",
        groups=visits["patient"],
    )
    assert given.data.valid.digest == task.data.valid.digest


def test_groups_are_part_of_the_digest(task):
    assert replace(task.data.valid, groups=None).digest != task.data.valid.digest


def test_folds_and_cross_validation_keep_the_groups_of_the_task(task, start):
    train = task.data.train
    for rest, held in fold_indices(train, "binary", 4):
        assert not set(train.groups[rest]) & set(train.groups[held])
    result = cross_validate(start, task, folds=4)
    own = cross_validate(start, task, folds=4, groups=train.groups)
    assert result.digest == own.digest
    parted = cross_validate(start, task, folds=4, groups=np.arange(len(train)))
    assert parted.digest != result.digest


def test_interval_resamples_patients_so_it_is_wider(task):
    rows = task.data.train
    table = pd.DataFrame(dict(rows.inputs))
    outputs = LogisticRegression().fit(table, rows.targets).predict_proba(table)
    alone = quality(outputs, rows.targets, task.metric)
    together = quality(outputs, rows.targets, task.metric, blocks=rows.blocks)
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_trials_of_tuning_see_no_patient_on_both_sides(task, start, tmp_path):
    from workbench.technique import Job
    from workbench.techniques.tuning.problem import Problem

    technique = wb.get_technique("tuning")
    job = Job(task.without_test(), start, tmp_path, build=lambda: LogisticRegression())
    problem = Problem(job, job.resolved(technique.settings(folds=3)))
    groups = task.data.train.groups
    assert len(problem.folds) == 3
    assert all(not set(groups[rest]) & set(groups[held]) for rest, held in problem.folds)


def test_groups_of_a_torch_dataset_are_kept_together():
    groups = np.arange(80) // 4
    dataset = TensorDataset(torch.randn(80, 3), torch.arange(80) % 2)
    made = make_task(
        "sensors", model=torch.nn.Linear(3, 2), train=dataset, groups=groups, kind="classification"
    )
    held = set(made.data.valid.take(slice(None)).groups)
    assert held
    assert not held & set(made.data.train.take(slice(None)).groups)


def test_guard_looks_at_the_groups_of_the_task(task, visits):
    assert "groups_on_both_sides" not in {f.kind for f in find_leaks(task).findings}
    parts = {"train": visits.iloc[::2], "valid": visits.iloc[1::4], "test": visits.iloc[3::4]}
    mixed = make_task("visits", model=LogisticRegression(), target="ill", groups="patient", **parts)
    assert "groups_on_both_sides" in {f.kind for f in find_leaks(mixed).findings}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("patent", "patent"),
        (np.arange(59), r"`groups` has the shape \(59,\) for 360 rows: give one value a row"),
        (
            np.array([*range(359), None], object),
            "1 values of `groups` are missing, the first in row 359",
        ),
        (np.zeros(360), "360 rows with 1 different groups cannot be cut"),
    ],
)
def test_groups_that_do_not_fit_are_refused(visits, groups, message):
    with pytest.raises(DataError, match=message):
        make_task("visits", model=LogisticRegression(), train=visits, target="ill", groups=groups)


def test_times_and_groups_together_are_refused_with_the_way_out(visits):
    with pytest.raises(DataError, match="Give `groups` if the model will predict for new groups"):
        make_task(
            "visits",
            model=LogisticRegression(),
            train=visits.assign(day=range(len(visits))),
            target="ill",
            groups="patient",
            times="day",
        )


def test_split_of_one_group_is_refused(visits):
    one = visits[visits["patient"] == "p0"]
    rest = visits[visits["patient"] != "p0"]
    with pytest.raises((DataError, TaskError), match="`valid` holds one group only"):
        make_task(
            "visits",
            model=LogisticRegression(),
            train=rest,
            valid=one,
            target="ill",
            groups="patient",
        )
