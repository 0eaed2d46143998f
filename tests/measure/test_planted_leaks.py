"""Tables with one planted leak each: the guard finds it, and calls nothing else a leak.

They were written without a look at the code of the guard. The first run found 18 of
23, and called something else a leak in 2. The guard was then mended with these tables in view.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

import workbench as wb
from tests.measure.leakage.planted import (
    LEAK,
    LOOK,
    RNG,
    Case,
    at_random,
    case_and_findings,
    customers,
    genes,
    houses,
    letter,
    mixed_columns,
    parts,
    patients,
    sales,
    sensors,
    visits,
    with_gaps,
)

LEAKY: dict[str, Callable[[RNG], Case]] = {}


def leaky(make: Callable[[RNG], Case]) -> Callable[[RNG], Case]:
    LEAKY[make.__name__] = make
    return make


@leaky
def column_written_after_the_event(rng: RNG) -> Case:
    """The fee is booked when a customer has left; a few others pay it for other reasons."""
    frame = customers(rng, 3000)
    left = frame.churn.to_numpy() == 1
    pays = np.where(left, rng.random(3000) < 0.88, rng.random(3000) < 0.015)
    frame.insert(3, "closing_fee", np.where(pays, rng.choice([15.0, 25.0, 40.0], 3000), 0.0))
    return Case(wb.make_task("churn", train=frame, target="churn"), ("closing_fee",))


@leaky
def id_that_orders_by_outcome(rng: RNG) -> Case:
    """Files were numbered after the bad ones had been put first; 4 % were put back elsewhere."""
    frame = customers(rng, 2200).rename(columns={"churn": "default"})
    rank = np.argsort(np.argsort(-frame.default + 0.5 * rng.random(2200)))
    moved = np.flatnonzero(rng.random(2200) < 0.04)
    rank[moved] = rng.permutation(rank[moved])
    frame.insert(0, "file_number", 70_001 + rank)
    return Case(wb.make_task("loans", train=frame, target="default"), ("file_number",))


@leaky
def rescaled_and_rounded_copy_of_the_target(rng: RNG) -> Case:
    """The price in another currency, in thousands, missing for a sixth of the rows."""
    frame = houses(rng, 1500)
    frame.insert(4, "value_eur_k", with_gaps((frame.price * 0.92 / 1000).round(), 0.16, rng))
    return Case(wb.make_task("houses", train=frame, target="price"), ("value_eur_k",))


@leaky
def grade_cut_from_the_target(rng: RNG) -> Case:
    """A grade from A to H, the eighth of all prices into which this price falls."""
    frame = houses(rng, 1800, noise=0.45)
    frame["tax_grade"] = pd.qcut(frame.price, 8, labels=list("ABCDEFGH")).astype(str)
    return Case(wb.make_task("houses", train=frame, target="price"), ("tax_grade",))


@leaky
def category_that_determines_the_target(rng: RNG) -> Case:
    """Each of 36 billing codes is used for one of three outcomes; 5 % have none."""
    frame = patients(rng, 2500).drop(columns="readmitted")
    risk = 0.03 * (frame.age - 66) + rng.normal(0, 1, 2500)
    outcome = np.where(risk > 1.4, "transferred", np.where(risk > -0.2, "recovered", "improved"))
    first = pd.Series(outcome).map({"transferred": 0, "recovered": 12, "improved": 24})
    codes = first.to_numpy() + rng.integers(0, 12, 2500)
    shuffled = rng.permutation(900)[:36] + 100
    named = np.array([f"B{shuffled[c]}" for c in codes], dtype=object)
    named[rng.random(2500) < 0.05] = None
    frame["billing_code"] = named
    frame["outcome"] = outcome
    return Case(wb.make_task("stays", train=frame, target="outcome"), ("billing_code",))


@leaky
def missing_only_where_positive(rng: RNG) -> Case:
    """The days to the next renewal are deleted when a customer leaves; their values say nothing."""
    frame = customers(rng, 2400)
    left = frame.churn.to_numpy() == 1
    gone = np.where(left, rng.random(2400) < 0.93, rng.random(2400) < 0.03)
    days = rng.integers(1, 365, 2400).astype(float)
    frame.insert(2, "days_to_renewal", np.where(gone, np.nan, days))
    return Case(wb.make_task("churn", train=frame, target="churn"), ("days_to_renewal",))


@leaky
def same_patients_on_both_sides(rng: RNG) -> Case:
    """Visits were cut at random, so that each patient is in all splits; the name is no input."""
    splits = at_random(visits(rng, 220, 6), rng)
    splits["calibration"] = splits["train"].iloc[:80].reset_index(drop=True)
    splits["train"] = splits["train"].iloc[80:].reset_index(drop=True)
    groups = {split: frame.pop("patient").to_numpy() for split, frame in splits.items()}
    task = wb.make_task("visits", **splits, target="diagnosis")
    return Case(
        task,
        ("group", "groups", "valid", "test"),
        kinds=("groups_on_both_sides",),
        options={"groups": groups},
    )


@leaky
def customers_on_both_sides_without_being_told(rng: RNG) -> Case:
    """The same, with the owner as a column and nobody who says so.

    A person could not be sure either: perhaps the model is meant for customers that it knows.
    """
    frame = visits(rng, 260, 5).rename(columns={"patient": "customer_id"})
    task = wb.make_task("visits", **at_random(frame, rng), target="diagnosis")
    return Case(task, ("customer_id",), kinds=("groups_on_both_sides",), severities=(LEAK, LOOK))


@leaky
def minority_multiplied_before_the_cut(rng: RNG) -> Case:
    """Rare rows were copied six times with a jitter of 0.1 %, and then the rows were cut."""
    frame = customers(rng, 1600, base=-3.6)
    rare = frame[frame.churn == 1]
    copies = pd.concat([rare] * 6, ignore_index=True)
    for name in ("tenure_months", "monthly_charge", "age"):
        copies[name] *= 1 + rng.normal(0, 0.001, len(copies))
    frame = pd.concat([frame, copies], ignore_index=True)
    task = wb.make_task("churn", **at_random(frame, rng), target="churn")
    return Case(
        task, ("valid", "test"), kinds=("near_duplicates", "same_rows"), severities=(LEAK, LOOK)
    )


@leaky
def same_stays_in_train_and_test(rng: RNG) -> Case:
    """An eighth of the test file was in the export that became train, under other numbers.

    `make_task` refuses rows that are equal in all columns; the number of the export hides these.
    """
    splits = at_random(patients(rng, 2000), rng)
    again = splits["train"].sample(50, random_state=1)
    splits["test"] = pd.concat([splits["test"].iloc[50:], again], ignore_index=True)
    for frame in splits.values():
        frame.insert(0, "export_number", rng.integers(10**8, 10**9, len(frame)))
    task = wb.make_task("stays", **splits, target="readmitted")
    return Case(task, ("test",), kinds=("near_duplicates", "same_rows"), severities=(LEAK, LOOK))


@leaky
def train_is_later_than_valid_and_test(rng: RNG) -> Case:
    """The export began with the newest day, and its first 60 % became train."""
    frame = sales(rng, 5, 300)
    splits = parts(frame, np.arange(len(frame))[::-1])
    task = wb.make_task("sales", **splits, target="units", times="day")
    return Case(task, ("valid", "test", "day"), kinds=("time_backward",), severities=(LEAK, LOOK))


@leaky
def series_cut_at_random(rng: RNG) -> Case:
    """Days of a slow series were cut at random, so that train surrounds each valid day."""
    frame = sales(rng, 4, 350)
    task = wb.make_task("sales", **at_random(frame, rng), target="units", times="day")
    return Case(task, ("valid", "test", "day"), kinds=("time_backward",), severities=(LEAK, LOOK))


@leaky
def target_means_of_all_rows(rng: RNG) -> Case:
    """The churn rate of each of 500 towns, computed on all rows before the cut."""
    frame = customers(rng, 2500)
    town = rng.zipf(1.3, 2500) % 500
    frame["town"] = [f"town {t}" for t in town]
    frame["town_rate"] = frame.groupby("town").churn.transform("mean").round(4)
    task = wb.make_task("churn", **at_random(frame, rng), target="churn")
    return Case(task, ("town_rate",), severities=(LEAK, LOOK))


@leaky
def standardization_fitted_on_all_rows(rng: RNG) -> Case:
    """Medians, scales and categories are those of all rows; the classifier saw train only."""
    frame = customers(rng, 900)
    splits = at_random(frame, rng)
    inputs = {split: rows.drop(columns="churn") for split, rows in splits.items()}
    steps = mixed_columns()
    steps.fit(pd.concat(inputs.values()))
    last = LogisticRegression(max_iter=500).fit(
        steps.transform(inputs["train"]), splits["train"].churn
    )
    model = Pipeline([("columns", steps), ("classifier", last)])
    task = wb.make_task("churn", model=model, **splits, target="churn")
    return Case(
        task,
        ("pipeline", "valid", "test"),
        kinds=("fitted_outside_train",),
        severities=(LEAK, LOOK),
    )


@leaky
def features_chosen_on_all_rows(rng: RNG) -> Case:
    """The 25 best of 1,500 genes of pure noise were chosen on all rows, with their targets."""
    frame = genes(rng, 320, 1500)
    splits = at_random(frame, rng)
    chosen = SelectKBest(k=25).fit(frame.drop(columns="ill"), frame.ill)
    train = splits["train"]
    last = LogisticRegression().fit(chosen.transform(train.drop(columns="ill")), train.ill)
    model = Pipeline([("choose", chosen), ("classifier", last)])
    task = wb.make_task("genes", model=model, **splits, target="ill")
    return Case(task, ("pipeline", "valid", "test"), kinds=("fitted_outside_train",))


@leaky
def mean_over_days_to_come(rng: RNG) -> Case:
    """A mean of seven days, centred: three days to come and the day itself are in it.

    From the table alone a person could not be sure: it may be the mean of the days before.
    """
    frame = sales(rng, 5, 260)
    by_shop = frame.groupby("shop").units
    frame["units_week"] = by_shop.transform(
        lambda units: units.rolling(7, center=True, min_periods=4).mean()
    ).round(1)
    task = wb.make_task("sales", train=frame, target="units", times="day")
    return Case(task, ("units_week",), severities=(LEAK, LOOK))


AFTERWARDS = ("Readmitted after a week.", "Came back, see second stay.", "Readmitted with relapse.")


@leaky
def text_that_names_the_outcome(rng: RNG) -> Case:
    """Letters were closed after the patient had come back, and most say so."""
    frame = patients(rng, 1500)
    back = frame.readmitted.to_numpy() == 1
    frame["letter"] = [
        letter(rng) + (f" {rng.choice(AFTERWARDS)}" if b and rng.random() < 0.85 else "")
        for b in back
    ]
    return Case(wb.make_task("stays", train=frame, target="readmitted"), ("letter",))


@leaky
def target_is_the_difference_of_two_columns(rng: RNG) -> Case:
    """Balances before and after the year are inputs, and their difference is the target."""
    n = 1600
    before = rng.lognormal(8.2, 0.9, n).round(2)
    saved = rng.normal(300, 900, n).round(2)
    frame = pd.DataFrame(
        {
            "age": with_gaps(rng.integers(18, 90, n).astype(float), 0.07, rng),
            "branch": rng.choice(["north", "south", "east", "west"], n),
            "balance_january": before,
            "balance_december": (before + saved).round(2),
            "n_products": rng.poisson(2, n),
            "saved": saved,
        }
    )
    task = wb.make_task("savings", train=frame, target="saved")
    return Case(task, ("balance_january", "balance_december"), severities=(LEAK, LOOK))


@leaky
def decimals_of_the_source(rng: RNG) -> Case:
    """Ill persons were weighed in a clinic to 0.01 kg, the others said whole or half numbers."""
    frame = patients(rng, 2000)
    ill = frame.readmitted.to_numpy() == 1
    weight = rng.normal(78, 14, 2000).clip(40, 160)
    frame.insert(3, "weight_kg", np.where(ill, weight.round(2), (2 * weight).round() / 2))
    task = wb.make_task("stays", train=frame, target="readmitted")
    return Case(task, ("weight_kg",), severities=(LEAK, LOOK))


@leaky
def reasons_in_several_columns(rng: RNG) -> Case:
    """Four boxes are ticked when a customer leaves, one a reason; each alone says little."""
    frame = customers(rng, 2600)
    left = frame.churn.to_numpy() == 1
    reason = rng.integers(0, 5, 2600)  # the fifth: no reason given
    for i, name in enumerate(["moved", "price", "service", "competitor"]):
        frame[f"reason_{name}"] = (left & (reason == i)) | (rng.random(2600) < 0.004)
    task = wb.make_task("churn", train=frame, target="churn")
    return Case(task, ("reason_moved", "reason_price", "reason_service", "reason_competitor"))


@leaky
def date_of_the_last_login(rng: RNG) -> Case:
    """Customers who left do not log in after they left; the date was read at the end of the year.

    A person could not be sure: it may have been read on the day of the prediction.
    """
    frame = customers(rng, 2400)
    left = frame.churn.to_numpy() == 1
    before_end = np.where(left, rng.integers(25, 330, 2400), rng.geometric(0.12, 2400))
    frame["last_login"] = (pd.Timestamp("2023-12-31") - pd.to_timedelta(before_end, "D")).strftime(
        "%Y-%m-%d"
    )
    task = wb.make_task("churn", train=frame, target="churn")
    return Case(task, ("last_login",), severities=(LEAK, LOOK))


@leaky
def mean_price_of_the_street(rng: RNG) -> Case:
    """The mean price of each of 400 streets over all rows; the street itself was left out."""
    frame = houses(rng, 1600)
    street = rng.integers(0, 400, 1600)
    frame["street_price"] = frame.groupby(street).price.transform("mean").round()
    task = wb.make_task("houses", **at_random(frame, rng), target="price")
    return Case(task, ("street_price",), severities=(LEAK, LOOK))


@leaky
def readings_recorded_twice(rng: RNG) -> Case:
    """A tenth of the readings came from a second logger too, with noise of 0.1 %."""
    frame = sensors(rng, 1400)
    second = frame.sample(140, random_state=2)
    for name in ("pressure", "flow", "temperature", "vibration", "current"):
        second[name] *= 1 + rng.normal(0, 0.001, len(second))
    frame = pd.concat([frame, second], ignore_index=True)
    task = wb.make_task("pumps", **at_random(frame, rng), target="failed")
    return Case(
        task, ("valid", "test"), kinds=("near_duplicates", "same_rows"), severities=(LEAK, LOOK)
    )


@pytest.mark.parametrize("name", LEAKY)
def test_a_planted_leak_is_found_and_nothing_else_is_called_a_leak(name: str) -> None:
    case, findings = case_and_findings(LEAKY[name])
    naming = [finding for finding in findings if case.is_named_by(finding)]
    assert {finding.severity for finding in naming} & set(case.severities)
    others = [finding for finding in findings if not case.is_named_by(finding)]
    assert [finding for finding in others if finding.severity == LEAK] == []
