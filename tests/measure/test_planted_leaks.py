"""Tables with one planted leak each, and clean tables that look as if they had one.

The tables were written without a look at the code of the guard, and none was changed after its
first run. A leak that the guard misses, and a clean table that it accuses, stay here as expected
failures with the reason: MISSED, ACCUSED_TOO and FALSE_ALARMS.

Counts of the first run: 18 of 23 leaks found; 5 of 25 clean tables with a finding, 4 of them with
one of severity `leak`. Two clean tables were written to repeat a false alarm that had been seen
beside a planted leak: `series_in_order_without_lags` and `shops_of_different_size`. With other
seeds, `same_stays_in_train_and_test` is missed (0 to 5), and `target_means_of_all_rows` once (1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import workbench as wb
from workbench.measure.leakage import find_leaks

SEED = 12
RNG = np.random.Generator
LEAK, LOOK = "leak", "look at it"


@dataclass(frozen=True)
class Case:
    """A task, the options of the guard, and the finding that names the leak.

    A finding names it if one of `names` is a column or split of it, and its kind is one of `kinds`
    (empty: any) and its severity one of `severities`.
    """

    task: wb.Task
    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    severities: tuple[str, ...] = (LEAK,)

    def is_named_by(self, finding: Any) -> bool:
        """The finding says where the leak is; its severity is not looked at."""
        named = set(self.names) & set(finding.where)
        return bool(named) and (not self.kinds or finding.kind in self.kinds)


LEAKY: dict[str, Callable[[RNG], Case]] = {}
CLEAN: dict[str, Callable[[RNG], Case]] = {}


def leaky(make: Callable[[RNG], Case]) -> Callable[[RNG], Case]:
    LEAKY[make.__name__] = make
    return make


def clean(make: Callable[[RNG], Case]) -> Callable[[RNG], Case]:
    CLEAN[make.__name__] = make
    return make


# ---------------------------------------------------------------------------------------------
# Honest tables, on which leaks are planted
# ---------------------------------------------------------------------------------------------


def chance(logit: np.ndarray, rng: RNG) -> np.ndarray:
    """Events `(rows,)` of 0 and 1 with these log odds."""
    return (rng.random(len(logit)) < 1 / (1 + np.exp(-logit))).astype(int)


def with_gaps(values: np.ndarray, share: float, rng: RNG) -> np.ndarray:
    """The values, this share of them missing at random."""
    return np.where(rng.random(len(values)) < share, np.nan, values)


def customers(rng: RNG, n: int, base: float = -2.0, strength: float = 1.0) -> pd.DataFrame:
    """Customers of a telephone company, about 18 % of whom leave: `churn`."""
    tenure = rng.gamma(2.0, 14.0, n).round()
    charge = rng.normal(64, 22, n).clip(15, 140).round(2)
    contract = rng.choice(["monthly", "yearly", "two years"], n, p=[0.55, 0.25, 0.2])
    calls = rng.poisson(1.4, n)
    logit = strength * (
        0.9 * (contract == "monthly")
        - 0.03 * (tenure - 28)
        + 0.45 * (calls - 1.4)
        + 0.012 * (charge - 64)
    )
    return pd.DataFrame(
        {
            "tenure_months": tenure,
            "monthly_charge": charge,
            "contract": contract,
            "service_calls": with_gaps(calls.astype(float), 0.06, rng),
            "age": with_gaps(rng.normal(47, 15, n).clip(18, 95).round(), 0.1, rng),
            "region": rng.choice([f"region {c}" for c in "ABCDEFGH"], n),
            "paperless": rng.random(n) < 0.6,
            "churn": chance(base + logit, rng),
        }
    )


def houses(rng: RNG, n: int, noise: float = 0.22) -> pd.DataFrame:
    """Houses and the price that each was sold for."""
    area = rng.lognormal(4.75, 0.35, n).round()
    district = rng.integers(0, 12, n)
    built = rng.integers(1900, 2023, n).astype(float)
    condition = rng.choice(["poor", "fair", "good", "new"], n, p=[0.1, 0.35, 0.45, 0.1])
    worth = pd.Series(condition).map({"poor": -0.25, "fair": 0.0, "good": 0.1, "new": 0.3})
    log_price = (
        7.6
        + 0.95 * np.log(area)
        + np.linspace(-0.3, 0.4, 12)[district]
        + worth.to_numpy()
        + 0.001 * (built - 1960)
        + rng.normal(0, noise, n)
    )
    return pd.DataFrame(
        {
            "area_m2": area,
            "rooms": (area / 27 + rng.normal(0, 0.8, n)).clip(1).round(),
            "built": with_gaps(built, 0.08, rng),
            "district": [f"district {d:02d}" for d in district],
            "condition": condition,
            "garage": rng.integers(0, 3, n),
            "price": np.exp(log_price).round(-2),
        }
    )


def patients(rng: RNG, n: int) -> pd.DataFrame:
    """Stays in a hospital, and whether the patient came back within 30 days: `readmitted`."""
    age = rng.normal(66, 14, n).clip(18, 99).round()
    crp = rng.lognormal(2.2, 0.9, n).round(1)
    ward = rng.choice(["surgery", "cardiology", "internal", "neurology"], n, p=[0.3, 0.2, 0.4, 0.1])
    nights = 1 + rng.poisson(4, n)
    logit = -2.1 + 0.03 * (age - 66) + 0.35 * (np.log(crp) - 2.2) + 0.08 * (nights - 5)
    return pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["f", "m"], n),
            "ward": ward,
            "nights": nights,
            "crp": with_gaps(crp, 0.12, rng),
            "systolic": with_gaps(rng.normal(134, 18, n).round(), 0.05, rng),
            "n_drugs": rng.poisson(5, n),
            "readmitted": chance(logit, rng),
        }
    )


def sales(rng: RNG, n_shops: int, n_days: int) -> pd.DataFrame:
    """Units sold a day in each shop, in the order of days; weekly rhythm, slow drift, noise."""
    rows = []
    for shop in range(n_shops):
        level = rng.normal(80, 20)
        drift = np.cumsum(rng.normal(0, 1.2, n_days))
        days = np.arange(n_days)
        week = 14 * (days % 7 >= 5)
        promotion = rng.random(n_days) < 0.15
        units = level + drift + week + 18 * promotion + rng.normal(0, 9, n_days)
        rows.append(
            pd.DataFrame(
                {
                    "day": days,
                    "shop": f"shop {shop}",
                    "weekday": days % 7,
                    "promotion": promotion,
                    "temperature": with_gaps(
                        (12 + 9 * np.sin(days / 58) + rng.normal(0, 3, n_days)).round(1), 0.03, rng
                    ),
                    "units": units.clip(0).round(),
                }
            )
        )
    frame = pd.concat(rows, ignore_index=True)
    return frame.sort_values(["day", "shop"], ignore_index=True)


def parts(frame: pd.DataFrame, order: np.ndarray) -> dict[str, pd.DataFrame]:
    """The splits train (60 %), valid (20 %) and test (20 %) of the rows in this order."""
    first, second = int(0.6 * len(order)), int(0.8 * len(order))
    places = {"train": order[:first], "valid": order[first:second], "test": order[second:]}
    return {split: frame.iloc[rows].reset_index(drop=True) for split, rows in places.items()}


def at_random(frame: pd.DataFrame, rng: RNG) -> dict[str, pd.DataFrame]:
    """The splits of the rows in random order."""
    return parts(frame, rng.permutation(len(frame)))


def visits(rng: RNG, n_people: int, per_person: int) -> pd.DataFrame:
    """Several visits of each person; a trait of the person decides most of the diagnosis."""
    person = np.repeat(np.arange(n_people), per_person)
    rng.shuffle(person)
    n = len(person)
    trait = rng.normal(0, 1, (n_people, 3))[person]
    ill = (rng.random(n_people) < 0.3)[person]
    return pd.DataFrame(
        {
            "patient": [f"P{1000 + p}" for p in person],
            "pulse": (72 + 9 * trait[:, 0] + 3 * ill + rng.normal(0, 3, n)).round(),
            "weight_kg": (78 + 13 * trait[:, 1] + rng.normal(0, 1.2, n)).round(1),
            "hemoglobin": with_gaps(
                (13.8 + trait[:, 2] + rng.normal(0, 0.3, n)).round(1), 0.1, rng
            ),
            "cough": rng.random(n) < 0.2 + 0.25 * ill,
            "season": rng.choice(["winter", "spring", "summer", "autumn"], n),
            "diagnosis": np.where(ill, "asthma", "healthy"),
        }
    )


# ---------------------------------------------------------------------------------------------
# Leaky tables: one leak each
# ---------------------------------------------------------------------------------------------


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


def mixed_columns() -> Any:
    """Filling, scaling and one-hot codes for the table of customers."""
    numbers = ["tenure_months", "monthly_charge", "service_calls", "age"]
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), ["contract", "region"]),
    )


def genes(rng: RNG, n: int, n_genes: int, n_real: int = 0) -> pd.DataFrame:
    """Few samples of many genes; `n_real` of them differ by half a standard deviation."""
    ill = rng.integers(0, 2, n)
    levels = rng.normal(0, 1, (n, n_genes))
    levels[:, :n_real] += 0.5 * ill[:, None]
    names = [f"gene_{i:04d}" for i in range(n_genes)]
    return pd.DataFrame(levels.round(3), columns=names).assign(ill=ill)


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


COMPLAINTS = ("chest pain", "a fall at home", "fever", "short breath", "dizziness", "a wound")
COURSES = ("was treated with fluids", "had an operation", "improved slowly", "was observed")
ENDINGS = (
    "Follow up in two weeks.",
    "Drugs as before.",
    "Physiotherapy advised.",
    "Diet explained.",
)
AFTERWARDS = ("Readmitted after a week.", "Came back, see second stay.", "Readmitted with relapse.")


def letter(rng: RNG) -> str:
    """A short letter about a stay, as it is written on the day of discharge."""
    days = rng.integers(1, 15)
    return (
        f"Patient came with {rng.choice(COMPLAINTS)}, {rng.choice(COURSES)} for {days} days. "
        f"{rng.choice(ENDINGS)}"
    )


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


def sensors(rng: RNG, n: int) -> pd.DataFrame:
    """Readings of a pump with 5 sensors, and whether it failed within a week: `failed`."""
    pressure, flow, heat = rng.normal(0, 1, (3, n))
    heat = 0.5 * pressure + heat
    return pd.DataFrame(
        {
            "pressure": 6 + 0.8 * pressure,
            "flow": 40 + 5 * flow,
            "temperature": 55 + 6 * heat,
            "vibration": rng.gamma(3, 0.4, n),
            "current": with_gaps(11 + rng.normal(0, 1.2, n), 0.04, rng),
            "pump": rng.choice(["P1", "P2", "P3"], n),
            "failed": chance(-2.4 + 0.9 * heat - 0.5 * flow, rng),
        }
    )


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


# ---------------------------------------------------------------------------------------------
# Clean tables that look tempting
# ---------------------------------------------------------------------------------------------


@clean
def strong_honest_predictors(rng: RNG) -> Case:
    """A score of a good bureau: AUC of 0.9 alone, known before the loan is given."""
    frame = customers(rng, 3000).rename(columns={"churn": "default"})
    frame.insert(1, "score", (600 - 70 * frame.default + rng.normal(0, 38, 3000)).round())
    return Case(wb.make_task("loans", train=frame, target="default"))


@clean
def tumours_that_can_be_measured(rng: RNG) -> Case:
    """569 real tumours; the largest area alone has an AUC of 0.98."""
    frame = load_breast_cancer(as_frame=True).frame.sample(
        frac=1, random_state=int(rng.integers(99))
    )
    return Case(wb.make_task("tumours", train=frame.reset_index(drop=True), target="target"))


@clean
def random_ids(rng: RNG) -> Case:
    frame = customers(rng, 2500)
    frame.insert(0, "customer_number", rng.permutation(2500) + 500_000)
    frame.insert(1, "device", rng.integers(0, 2**31, 2500))
    return Case(wb.make_task("churn", train=frame, target="churn"))


@clean
def random_gaps(rng: RNG) -> Case:
    """Every column of numbers misses 5 to 55 % of its values, at random."""
    frame = customers(rng, 2000)
    for name, share in (("tenure_months", 0.05), ("monthly_charge", 0.3), ("age", 0.5)):
        frame[name] = with_gaps(frame[name].to_numpy(), share, rng)
    return Case(wb.make_task("churn", train=frame, target="churn"))


@clean
def gaps_that_go_with_age(rng: RNG) -> Case:
    """Older patients give their income less often and come back more often."""
    frame = patients(rng, 2500)
    silent = rng.random(2500) < np.where(frame.age > 70, 0.45, 0.2)
    frame["income"] = np.where(silent, np.nan, rng.lognormal(10, 0.5, 2500).round(-2))
    return Case(wb.make_task("stays", train=frame, target="readmitted"))


@clean
def series_in_order(rng: RNG) -> Case:
    """A trend of sales, cut by time, with the mean of the seven days before as an input."""
    frame = sales(rng, 5, 260)
    by_shop = frame.groupby("shop").units
    frame["units_week_before"] = by_shop.transform(
        lambda units: units.shift(1).rolling(7, min_periods=3).mean()
    ).round(1)
    splits = parts(frame, np.arange(len(frame)))
    return Case(wb.make_task("sales", **splits, target="units", times="day"))


@clean
def order_numbers_while_the_rate_rises(rng: RNG) -> Case:
    """Numbers count upward, and returns rise from 8 to 20 % over the year; cut by time."""
    n = 2600
    frame = customers(rng, n).drop(columns="churn")
    frame.insert(0, "order_number", 10_000 + np.arange(n))
    frame["date"] = np.arange(n) // 8
    frame["returned"] = (rng.random(n) < np.linspace(0.08, 0.2, n)).astype(int)
    return Case(wb.make_task("orders", train=frame, target="returned", times="date"))


@clean
def repeated_patients_kept_together(rng: RNG) -> Case:
    """All visits of a patient are in one split."""
    frame = visits(rng, 240, 6)
    place = dict(zip(frame.patient.unique(), rng.permutation(240) / 240, strict=True))
    where = frame.patient.map(place).to_numpy()
    frames = {
        "train": frame[where < 0.54],
        "calibration": frame[(where >= 0.54) & (where < 0.6)],
        "valid": frame[(where >= 0.6) & (where < 0.8)],
        "test": frame[where >= 0.8],
    }
    splits = {split: rows.reset_index(drop=True) for split, rows in frames.items()}
    groups = {split: rows.pop("patient").to_numpy() for split, rows in splits.items()}
    task = wb.make_task("visits", **splits, target="diagnosis")
    return Case(task, options={"groups": groups})


@clean
def many_categories(rng: RNG) -> Case:
    """350 postal codes, a few rows each, whose rates differ a little."""
    n = 3000
    frame = customers(rng, n)
    code = rng.integers(0, 350, n)
    effect = rng.normal(0, 0.6, 350)[code]
    frame["postal_code"] = [f"{10_000 + 37 * c}" for c in code]
    frame["churn"] = np.maximum(frame.churn, chance(-3.2 + effect, rng))
    return Case(wb.make_task("churn", train=frame, target="churn"))


@clean
def few_rows_of_many_columns(rng: RNG) -> Case:
    return Case(wb.make_task("genes", train=genes(rng, 300, 600, n_real=8), target="ill"))


@clean
def skewed_numbers(rng: RNG) -> Case:
    """Insurance claims over five orders of magnitude; the reserve is a fair guess made before."""
    n = 2000
    size = rng.normal(7, 1.6, n)
    frame = pd.DataFrame(
        {
            "insured_sum": np.exp(size + rng.normal(1.5, 1.0, n)).round(),
            "reserve": with_gaps(np.exp(size + rng.normal(0, 0.8, n)).round(), 0.1, rng),
            "n_parties": 1 + rng.geometric(0.6, n),
            "line": rng.choice(["motor", "home", "liability"], n, p=[0.7, 0.2, 0.1]),
            "claim": np.exp(size + rng.normal(0, 0.5, n)).round(2),
        }
    )
    return Case(wb.make_task("claims", train=frame, target="claim"))


@clean
def rare_events(rng: RNG) -> Case:
    """2 % of 4,500 payments are fraud."""
    frame = customers(rng, 4500, base=-4.7).rename(columns={"churn": "fraud"})
    return Case(wb.make_task("payments", train=frame, target="fraud"))


@clean
def rare_classes(rng: RNG) -> Case:
    """Five faults of a machine, the rarest of which has about 25 rows."""
    n = 1800
    fault = rng.choice(
        ["none", "belt", "motor", "heat", "sensor"], n, p=[0.7, 0.15, 0.09, 0.045, 0.015]
    )
    shift = pd.Series(fault).map(
        {"none": 0.0, "belt": 1.0, "motor": 2.0, "heat": 3.2, "sensor": 0.5}
    )
    frame = pd.DataFrame(
        {
            "vibration": (shift + rng.normal(0, 1, n)).round(3),
            "heat_c": (60 + 9 * (fault == "heat") + rng.normal(0, 4, n)).round(1),
            "hours": rng.gamma(2, 900, n).round(),
            "plant": rng.choice(["A", "B", "C"], n),
            "load": with_gaps(rng.beta(4, 2, n).round(3), 0.2, rng),
            "fault": fault,
        }
    )
    return Case(wb.make_task("machines", train=frame, target="fault"))


@clean
def area_explains_the_price(rng: RNG) -> Case:
    """Little noise: the area alone explains 70 % of the price, all columns 95 %."""
    return Case(wb.make_task("houses", train=houses(rng, 1500, noise=0.08), target="price"))


@clean
def target_means_of_train_out_of_fold(rng: RNG) -> Case:
    """The churn rate of each town from other rows of train, as it must be computed."""
    frame = customers(rng, 2500)
    frame["town"] = [f"town {t}" for t in rng.zipf(1.3, 2500) % 500]
    splits = at_random(frame, rng)
    train = splits["train"]
    usual = train.churn.mean()
    fold = rng.integers(0, 5, len(train))
    rates = np.full(len(train), usual)
    for k in range(5):
        others = train[fold != k].groupby("town").churn.mean()
        rates[fold == k] = train.town[fold == k].map(others).fillna(usual)
    known = train.groupby("town").churn.mean()
    for split in ("valid", "test"):
        splits[split]["town_rate"] = splits[split].town.map(known).fillna(usual).round(4)
    train["town_rate"] = rates.round(4)
    return Case(wb.make_task("churn", **splits, target="churn"))


@clean
def pipeline_fitted_on_train(rng: RNG) -> Case:
    splits = at_random(customers(rng, 900), rng)
    model = make_pipeline(mixed_columns(), LogisticRegression(max_iter=500))
    model.fit(splits["train"].drop(columns="churn"), splits["train"].churn)
    return Case(wb.make_task("churn", model=model, **splits, target="churn"))


@clean
def features_chosen_on_train(rng: RNG) -> Case:
    splits = at_random(genes(rng, 320, 1500, n_real=6), rng)
    model = make_pipeline(SelectKBest(k=25), LogisticRegression())
    model.fit(splits["train"].drop(columns="ill"), splits["train"].ill)
    return Case(wb.make_task("genes", model=model, **splits, target="ill"))


@clean
def letters_of_the_day_of_discharge(rng: RNG) -> Case:
    frame = patients(rng, 1500)
    frame["letter"] = [letter(rng) for _ in range(len(frame))]
    return Case(wb.make_task("stays", train=frame, target="readmitted"))


@clean
def answers_of_few_values(rng: RNG) -> Case:
    """Six questions of five answers: people agree by chance, and equal rows are in all splits."""
    n = 2400
    mood = rng.normal(0, 1, n)
    frame = pd.DataFrame(
        {
            f"question_{i}": np.digitize(mood + rng.normal(0, 0.7, n), [-1.5, -0.5, 0.5, 1.5]) + 1
            for i in range(1, 7)
        }
    )
    frame["leaves"] = chance(-1.6 - 1.1 * mood, rng)
    return Case(wb.make_task("survey", **at_random(frame, rng), target="leaves"))


@clean
def decimals_of_two_clinics(rng: RNG) -> Case:
    """One clinic weighs to 0.01 kg and the other to 0.5 kg; both treat the same patients."""
    frame = patients(rng, 2000)
    weight = rng.normal(78, 14, 2000).clip(40, 160)
    exact = rng.random(2000) < 0.3
    frame.insert(3, "weight_kg", np.where(exact, weight.round(2), (2 * weight).round() / 2))
    return Case(wb.make_task("stays", train=frame, target="readmitted"))


@clean
def series_in_order_without_lags(rng: RNG) -> Case:
    """Weekday, promotion and rounded temperature: some days agree in all of them by chance."""
    frame = sales(rng, 5, 260)
    splits = parts(frame, np.arange(len(frame)))
    return Case(wb.make_task("sales", **splits, target="units", times="day"))


@clean
def shops_of_different_size(rng: RNG) -> Case:
    """The shop alone explains four fifths of the sales, as shops differ in size."""
    frame = sales(rng, 6, 240)
    frame["visitors_day_before"] = rng.poisson(300, len(frame))
    frame["units"] += 25 * (frame.shop == "shop 0") + 60 * (frame.shop == "shop 5")
    return Case(wb.make_task("sales", train=frame, target="units", times="day"))


@clean
def income_of_the_street(rng: RNG) -> Case:
    """A number of the street, from a census: it goes with the price and holds no price."""
    frame = houses(rng, 1600)
    street = rng.integers(0, 400, 1600)
    wealth = rng.normal(0, 0.3, 400)
    frame["price"] = (frame.price * np.exp(wealth[street])).round(-2)
    frame["street_income"] = np.exp(10.4 + wealth + rng.normal(0, 0.1, 400)).round(-2)[street]
    return Case(wb.make_task("houses", **at_random(frame, rng), target="price"))


@clean
def date_of_the_contract(rng: RNG) -> Case:
    """The day on which the contract began, from which the tenure follows."""
    frame = customers(rng, 2400)
    days = (30 * frame.tenure_months + rng.integers(0, 30, 2400)).astype(int)
    began = pd.Timestamp("2023-12-31") - pd.to_timedelta(days, "D")
    frame["began"] = pd.Series(began).dt.strftime("%Y-%m-%d")
    return Case(wb.make_task("churn", train=frame, target="churn"))


@clean
def readings_of_one_logger(rng: RNG) -> Case:
    return Case(wb.make_task("pumps", **at_random(sensors(rng, 1500), rng), target="failed"))


# ---------------------------------------------------------------------------------------------
# The guard on all of them
# ---------------------------------------------------------------------------------------------

MISSED = {
    "rescaled_and_rounded_copy_of_the_target": "The copy is found without gaps and with 5 % of"
    " them, and missed with 10 and 16 % if the other columns explain 70 % of the target, though it"
    " is exact wherever it has a value.",
    "minority_multiplied_before_the_cut": "Copies with noise are found in tables of three or more"
    " columns of many different values; this table has one, beside counts, years and categories.",
    "mean_over_days_to_come": "The mean has a correlation of 0.86 with the target, an honest mean"
    " of the seven days before one of 0.82. Means of later days alone are missed too.",
    "decimals_of_the_source": "Whether the number is a multiple of 0.5 has an AUC of 0.99; the"
    " number as a size has none.",
    "reasons_in_several_columns": "Whether any of the four is ticked has an AUC of 0.88; each alone"
    " has 0.6.",
}
ACCUSED_TOO = {
    "train_is_later_than_valid_and_test": "`same_rows`: days that agree by chance in shop, weekday,"
    " promotion and rounded temperature; the finding says that 0 % would agree by chance.",
    "series_cut_at_random": "`same_rows` as above; and `predicts_target` for `shop`, as shops"
    " differ in size.",
}
FALSE_ALARMS = {
    "pipeline_fitted_on_train": "`make_task` cuts calibration from the rows on which the user"
    " fitted the pipeline. No finding if the user gives calibration.",
    "features_chosen_on_train": "As for `pipeline_fitted_on_train`.",
    "series_in_order_without_lags": "`same_rows`: days that agree by chance, see ACCUSED_TOO.",
    "shops_of_different_size": "`predicts_target`: the shop explains 82 % of the target, and the"
    " other columns 6 %, as shops differ in size.",
    "random_gaps": "`contradicting_labels`, look at it: three rows with two gaps each and two"
    " categories agree by chance.",
}


@cache
def case_and_findings(name: str) -> tuple[Case, tuple[Any, ...]]:
    """The table of this name, and what the guard found in it."""
    case = {**LEAKY, **CLEAN}[name](np.random.default_rng(SEED))
    return case, tuple(find_leaks(case.task, **case.options).findings)


def expected(names: Mapping[str, Any], failures: Mapping[str, str]) -> list[Any]:
    """The names as parameters; those with a reason are expected to fail."""
    return [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=failures[name]))
        if name in failures
        else name
        for name in names
    ]


@pytest.mark.parametrize("name", expected(LEAKY, MISSED))
def test_a_planted_leak_is_found_where_it_is(name: str) -> None:
    case, findings = case_and_findings(name)
    naming = [finding for finding in findings if case.is_named_by(finding)]
    assert {finding.severity for finding in naming} & set(case.severities)


@pytest.mark.parametrize("name", expected(LEAKY, ACCUSED_TOO))
def test_nothing_but_the_planted_leak_is_called_a_leak(name: str) -> None:
    case, findings = case_and_findings(name)
    others = [finding for finding in findings if not case.is_named_by(finding)]
    assert [finding for finding in others if finding.severity == LEAK] == []


@pytest.mark.parametrize("name", expected(CLEAN, FALSE_ALARMS))
def test_a_clean_table_has_no_finding(name: str) -> None:
    assert case_and_findings(name)[1] == ()
