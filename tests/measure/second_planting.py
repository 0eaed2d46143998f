"""Tables with one planted leak each, and clean ones, by somebody who has not read the guard.

`LEAKS` and `CLEAN` map a name to a Planting. `LEAKS[name].make(seed)` gives the table, and
`.make(seed).task()` the task on it. The docstring of each function says what is leaked, or what is
tempting in a clean table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder

import workbench as wb

if TYPE_CHECKING:
    from workbench.tasks.task import Task

__all__ = ["CLEAN", "LEAKS", "Planting", "Table"]


@dataclass(frozen=True)
class Table:
    """What a user has: one frame or given splits, the name of the target, and hints."""

    train: pd.DataFrame
    target: str
    valid: pd.DataFrame | None = None
    test: pd.DataFrame | None = None
    times: str | None = None
    groups: str | None = None
    estimator: Any = None

    def task(self, name: str = "planted") -> Task:
        """The task of `wb.make_task` on this table."""
        return wb.make_task(
            name,
            model=self.estimator,
            train=self.train,
            valid=self.valid,
            test=self.test,
            target=self.target,
            times=self.times,
        )


@dataclass(frozen=True)
class Planting:
    """One table to be made: `kind` and `columns` say what a finding must name, "" is clean."""

    name: str
    what: str
    kind: str
    columns: tuple[str, ...]
    function: Callable[[Generator], Table]

    def make(self, seed: int) -> Table:
        """The table of this seed."""
        return self.function(np.random.default_rng([seed, sum(map(ord, self.name))]))


LEAKS: dict[str, Planting] = {}
CLEAN: dict[str, Planting] = {}
Maker = Callable[[Generator], Table]


def _leak(kind: str, *columns: str) -> Callable[[Maker], Maker]:
    """Registers a table with a leak of this kind, in any of these columns if there are some."""

    def register(function: Maker) -> Maker:
        name, what = function.__name__, (function.__doc__ or "").strip()
        LEAKS[name] = Planting(name, what, kind, columns, function)
        return function

    return register


def _clean(function: Maker) -> Maker:
    """Registers a table without a leak."""
    name, what = function.__name__, (function.__doc__ or "").strip()
    CLEAN[name] = Planting(name, what, "", (), function)
    return function


# Parts of which the tables are made


def _outcome(rng: Generator, score: np.ndarray, rate: float) -> np.ndarray:
    """Zeros and ones by a logistic model, whose mean is about `rate`."""
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.mean(1 / (1 + np.exp(-(score + middle)))) < rate:
            low = middle
        else:
            high = middle
    return (rng.random(len(score)) < 1 / (1 + np.exp(-(score + low)))).astype(int)


def _z(values: np.ndarray | pd.Series) -> np.ndarray:
    """The values with mean 0 and deviation 1."""
    array = np.asarray(values, dtype=float)
    return (array - array.mean()) / (array.std() + 1e-12)


def _gaps(rng: Generator, values: np.ndarray, share: float) -> np.ndarray:
    """The values as floats, of which this share is missing at random."""
    array = np.asarray(values, dtype=float).copy()
    array[rng.random(len(array)) < share] = np.nan
    return array


def _three(frame: pd.DataFrame, rng: Generator | None) -> tuple[pd.DataFrame, ...]:
    """Train, valid and test as 60, 20 and 20 percent: shuffled, or in order without a generator."""
    n = len(frame)
    order = np.arange(n) if rng is None else rng.permutation(n)
    cuts = np.split(order, [int(0.6 * n), int(0.8 * n)])
    return tuple(frame.iloc[cut].reset_index(drop=True) for cut in cuts)


def _given(frame: pd.DataFrame, target: str, rng: Generator | None, **more: Any) -> Table:
    """A table whose three splits are given."""
    train, valid, test = _three(frame, rng)
    return Table(train, target, valid, test, **more)


def _by_owner(frame: pd.DataFrame, owner: str, target: str, rng: Generator, **more: Any) -> Table:
    """A table whose splits share no owner."""
    owners = rng.permutation(frame[owner].unique())
    n = len(owners)
    parts = np.split(owners, [int(0.6 * n), int(0.8 * n)])
    splits = [frame[frame[owner].isin(part)].reset_index(drop=True) for part in parts]
    return Table(splits[0], target, splits[1], splits[2], **more)


def _credit(rng: Generator, n: int) -> pd.DataFrame:
    """Loans, of which 18 percent default."""
    income = rng.lognormal(10.6, 0.5, n).round(-2)
    amount = np.clip(income * rng.uniform(0.1, 0.8, n), 1000, 40000).round(-2)
    grade = rng.choice(list("ABCDE"), n, p=[0.2, 0.3, 0.25, 0.15, 0.1])
    rate = 6 + 3 * np.array(["ABCDE".index(g) for g in grade]) + rng.normal(0, 0.8, n)
    frame = pd.DataFrame(
        {
            "age": np.clip(rng.normal(41, 12, n), 19, 80).astype(int),
            "annual_income": income,
            "loan_amount": amount,
            "term_months": rng.choice([36, 60], n, p=[0.7, 0.3]),
            "interest_rate": rate.round(2),
            "dti": np.clip(rng.gamma(4, 4.5, n), 0, 60).round(1),
            "credit_grade": grade,
            "purpose": rng.choice(
                ["debt", "car", "home", "medical", "business"], n, p=[0.5, 0.15, 0.2, 0.08, 0.07]
            ),
            "home_ownership": rng.choice(["rent", "mortgage", "own"], n, p=[0.45, 0.4, 0.15]),
            "employment_years": _gaps(rng, np.clip(rng.exponential(6, n), 0, 35).round(0), 0.05),
            "delinquencies_2y": rng.poisson(0.3, n),
        }
    )
    score = 0.7 * _z(rate) + 0.4 * _z(frame["dti"]) - 0.3 * _z(np.log(income))
    frame["defaulted"] = _outcome(rng, score + 0.2 * frame["delinquencies_2y"].to_numpy(), 0.18)
    return frame


def _churn(rng: Generator, n: int) -> pd.DataFrame:
    """Customers of a telephone company, of which 26 percent leave."""
    contract = rng.choice(["month-to-month", "one year", "two year"], n, p=[0.55, 0.22, 0.23])
    tenure = np.clip(rng.gamma(1.6, 20, n), 1, 72).astype(int)
    charge = (rng.choice([20, 50, 80], n, p=[0.25, 0.3, 0.45]) + rng.normal(0, 6, n)).round(2)
    frame = pd.DataFrame(
        {
            "tenure_months": tenure,
            "monthly_charge": charge,
            "total_charges": (tenure * charge * rng.uniform(0.95, 1.05, n)).round(2),
            "contract": contract,
            "internet_service": rng.choice(["dsl", "fiber", "none"], n, p=[0.34, 0.44, 0.22]),
            "payment_method": rng.choice(["card", "bank transfer", "check", "e-check"], n),
            "support_calls": rng.poisson(1.2, n),
            "paperless": rng.choice(["yes", "no"], n, p=[0.6, 0.4]),
            "senior": (rng.random(n) < 0.16).astype(int),
        }
    )
    score = 1.2 * (contract == "month-to-month") - 0.7 * _z(tenure) + 0.4 * _z(charge)
    churned = _outcome(rng, score + 0.3 * frame["support_calls"].to_numpy(), 0.26)
    frame["churn"] = np.where(churned == 1, "Yes", "No")
    return frame


def _visits(rng: Generator, n: int) -> pd.DataFrame:
    """Stays in a hospital, of which 15 percent are followed by another one in 30 days."""
    age = np.clip(rng.normal(63, 17, n), 18, 98).astype(int)
    frame = pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["F", "M"], n),
            "bmi": _gaps(rng, rng.normal(27.5, 5, n).round(1), 0.08),
            "systolic_bp": rng.normal(132, 18, n).round(0),
            "glucose": rng.lognormal(4.75, 0.25, n).round(0),
            "creatinine": rng.lognormal(0.05, 0.35, n).round(2),
            "n_medications": rng.poisson(8, n),
            "prior_admissions": rng.negative_binomial(1, 0.55, n),
            "admission_type": rng.choice(
                ["emergency", "elective", "urgent"], n, p=[0.55, 0.3, 0.15]
            ),
            "diagnosis_group": rng.choice(["I", "J", "K", "E", "S", "N", "C"], n),
            "length_of_stay": np.clip(rng.gamma(1.8, 2.6, n), 1, 40).round(0).astype(int),
        }
    )
    score = 0.5 * frame["prior_admissions"] + 0.3 * _z(age) + 0.3 * _z(frame["creatinine"])
    frame["readmitted"] = _outcome(rng, np.asarray(score + 0.3 * _z(frame["n_medications"])), 0.15)
    return frame


def _houses(rng: Generator, n: int) -> pd.DataFrame:
    """Flats and houses with their price."""
    districts = ["Old Town", "Harbour", "Hill", "North", "Airport", "Lakeside"]
    district = rng.integers(0, len(districts), n)
    area = np.clip(rng.lognormal(4.4, 0.4, n), 22, 400).round(0)
    year = rng.choice(np.arange(1900, 2024), n)
    level = np.array([5200, 4300, 4900, 2900, 2400, 5600])[district]
    per_sqm = level * np.exp(rng.normal(0, 0.18, n)) * (1 + 0.002 * (year - 1960))
    return pd.DataFrame(
        {
            "area_sqm": area,
            "rooms": np.clip((area / 28 + rng.normal(0, 0.7, n)).round(0), 1, 12).astype(int),
            "year_built": year,
            "district": np.array(districts)[district],
            "floor": rng.integers(0, 9, n),
            "distance_center_km": np.abs(rng.normal(1 + district, 0.9, n)).round(2),
            "energy_class": rng.choice(list("ABCDEFG"), n),
            "has_balcony": rng.random(n) < 0.5,
            "latitude": (48.1 + 0.02 * district + rng.normal(0, 0.006, n)).round(5),
            "longitude": (11.5 + 0.015 * (district % 3) + rng.normal(0, 0.006, n)).round(5),
            "price": (per_sqm * area).round(-2),
        }
    )


def _machines(rng: Generator, n: int) -> pd.DataFrame:
    """States of milling machines, of which 7 percent end in a failure."""
    air = rng.normal(300, 2, n)
    speed = rng.normal(1540, 170, n)
    torque = np.clip(40 - 0.04 * (speed - 1540) + rng.normal(0, 7, n), 4, None)
    wear = rng.uniform(0, 250, n)
    frame = pd.DataFrame(
        {
            "quality": rng.choice(["L", "M", "H"], n, p=[0.6, 0.3, 0.1]),
            "air_temperature": air.round(1),
            "process_temperature": (air + 10 + rng.normal(0, 1, n)).round(1),
            "spindle_speed": speed.round(0),
            "torque": torque.round(1),
            "tool_wear_minutes": wear.round(0),
            "vibration": rng.gamma(3, 0.4, n).round(3),
            "shift": rng.choice(["early", "late", "night"], n),
        }
    )
    frame["failure"] = _outcome(rng, 0.012 * (wear - 125) + 0.9 * _z(torque), 0.07)
    return frame


def _students(rng: Generator, n: int) -> pd.DataFrame:
    """Students with the points of the final exam and the grade."""
    hours = np.clip(rng.gamma(4, 2.2, n), 0, 40)
    attendance = np.clip(rng.beta(8, 2, n), 0.2, 1)
    midterm = np.clip(38 + 1.4 * hours + 20 * (attendance - 0.8) + rng.normal(0, 11, n), 0, 100)
    final = np.clip(12 + 0.75 * midterm + 0.5 * hours + rng.normal(0, 8, n), 0, 100)
    points = final.round(1)
    grade = pd.cut(points, [-1, 45, 55, 65, 75, 101], labels=list("EDCBA")).astype(str)
    return pd.DataFrame(
        {
            "study_hours": hours.round(1),
            "attendance": attendance.round(2),
            "midterm": midterm.round(0),
            "school": rng.choice(["North", "South", "Central"], n),
            "parents_education": rng.choice(["none", "school", "college", "master"], n),
            "absences": rng.poisson(20 * (1 - attendance)),
            "free_lunch": rng.choice(["yes", "no"], n, p=[0.3, 0.7]),
            "final_points": points,
            "grade": np.asarray(grade),
        }
    )


def _energy(rng: Generator, n: int) -> pd.DataFrame:
    """Load of a town hour by hour, with the seasons of the day, the week and the year."""
    stamp = pd.date_range("2022-03-01", periods=n, freq="h")
    hour, day = stamp.hour.to_numpy(), stamp.dayofyear.to_numpy()
    cold = np.zeros(n)
    for i in range(1, n):
        cold[i] = 0.97 * cold[i - 1] + rng.normal(0, 0.6)
    temperature = (
        10 - 11 * np.cos(2 * np.pi * (day - 20) / 365) + 4 * np.sin(2 * np.pi * (hour - 9) / 24)
    ) + cold
    load = (
        310
        + 70 * np.sin(np.pi * (hour - 6) / 14) * ((hour > 5) & (hour < 21))
        - 45 * (stamp.dayofweek.to_numpy() > 4)
        + 4.0 * np.abs(temperature - 17)
        + rng.normal(0, 14, n)
    )
    return pd.DataFrame(
        {
            "timestamp": stamp,
            "temperature": temperature.round(1),
            "humidity": np.clip(rng.normal(68, 14, n), 10, 100).round(0),
            "wind_speed": rng.weibull(2, n).round(2) * 5,
            "hour": hour,
            "weekday": stamp.day_name().to_numpy().astype(str),
            "holiday": rng.random(n) < 0.03,
            "load_mw": load.round(1),
        }
    )


def _flights(rng: Generator, n: int) -> pd.DataFrame:
    """Flights with their delay at arrival in minutes."""
    carrier = rng.choice(["AA", "DL", "UA", "WN", "B6"], n)
    minute = rng.integers(5 * 60, 23 * 60, n)
    distance = rng.choice([187, 337, 733, 1020, 1598, 2475], n) + rng.integers(-9, 9, n)
    storm = rng.random(n) < 0.12
    delay = (
        rng.gamma(1.1, 14, n)
        - 14
        + 0.014 * (minute - 700)
        + 25 * storm
        + 6 * (carrier == "B6")
        + rng.normal(0, 7, n)
    )
    return pd.DataFrame(
        {
            "carrier": carrier,
            "origin": rng.choice(["ATL", "ORD", "JFK", "LAX", "DEN", "SEA"], n),
            "destination": rng.choice(["BOS", "MIA", "SFO", "DFW", "PHX", "MSP", "CLT"], n),
            "month": rng.integers(1, 13, n),
            "weekday": rng.integers(1, 8, n),
            "scheduled_departure": minute // 60 * 100 + minute % 60,
            "distance_miles": distance,
            "scheduled_minutes": (distance / 7.6 + 42 + rng.normal(0, 5, n)).round(0),
            "storm_forecast": np.where(storm & (rng.random(n) < 0.8), "yes", "no"),
            "arrival_delay": delay.round(0),
        }
    )


def _sales(rng: Generator, n_stores: int, n_days: int) -> pd.DataFrame:
    """Units that stores sell day by day, ordered by day."""
    days = pd.date_range("2023-01-01", periods=n_days)
    level = rng.lognormal(4, 0.4, n_stores)
    wave = np.zeros((n_days, n_stores))
    for i in range(1, n_days):
        wave[i] = 0.85 * wave[i - 1] + rng.normal(0, 0.12, n_stores)
    promotion = rng.random((n_days, n_stores)) < 0.15
    price = rng.choice([1.99, 2.19, 2.49], (n_days, n_stores))
    week = 1 + 0.25 * np.isin(days.dayofweek, [4, 5])
    season = 1 + 0.15 * np.sin(2 * np.pi * days.dayofyear / 365)
    mean = (
        np.asarray(week * season)[:, None]
        * level
        * np.exp(wave)
        * (1 + 0.4 * promotion)
        * 2.2
        / price
    )
    return pd.DataFrame(
        {
            "date": np.repeat(days, n_stores),
            "store": np.tile([f"store_{i:02d}" for i in range(n_stores)], n_days),
            "price": price.ravel(),
            "promotion": promotion.ravel().astype(int),
            "weekday": np.repeat(days.dayofweek, n_stores),
            "school_holiday": np.repeat((days.month == 8).astype(int), n_stores),
            "units": rng.poisson(mean).ravel().astype(float),
        }
    )


def _sessions(rng: Generator, n: int) -> pd.DataFrame:
    """Sessions of a web shop, of which 9 percent buy."""
    pages = 1 + rng.negative_binomial(1, 0.12, n)
    frame = pd.DataFrame(
        {
            "started_at": pd.Timestamp("2024-02-01")
            + pd.to_timedelta(rng.integers(0, 60 * 86400, n), unit="s"),
            "device": rng.choice(["mobile", "desktop", "tablet"], n, p=[0.6, 0.33, 0.07]),
            "browser": rng.choice(["Chrome", "Safari", "Firefox", "Edge"], n),
            "referrer": rng.choice(["search", "ad", "mail", "direct", "social"], n),
            "country": rng.choice(["DE", "FR", "PL", "AT", "CH", "NL"], n),
            "pages_first_5_min": pages,
            "seconds_first_page": rng.lognormal(3, 1, n).round(0),
            "returning": rng.choice(["yes", "no"], n, p=[0.35, 0.65]),
            "items_seen": rng.binomial(pages, 0.4),
        }
    )
    score = 0.8 * _z(np.log(pages)) + 0.7 * (frame["returning"] == "yes").to_numpy()
    frame["bought"] = _outcome(rng, score, 0.09)
    return frame


def _pumps(rng: Generator, n_owners: int, each: int) -> pd.DataFrame:
    """Measurements of pumps, several of each pump, with the state of the pump as a class."""
    owner = np.repeat(np.arange(n_owners), each)
    state = rng.choice(["good", "worn", "broken"], n_owners, p=[0.5, 0.3, 0.2])[owner]
    bad = np.select([state == "worn", state == "broken"], [1, 2], 0)
    base = rng.normal(0, 1, (n_owners, 4))[owner]
    n = len(owner)
    return pd.DataFrame(
        {
            "pump": np.array([f"P-{1000 + 7 * i}" for i in rng.permutation(n_owners)])[owner],
            "pressure": (6 + 0.8 * base[:, 0] - 0.4 * bad + rng.normal(0, 0.2, n)).round(3),
            "flow": (42 + 5 * base[:, 1] - 2 * bad + rng.normal(0, 1.5, n)).round(2),
            "current": (11 + 1.5 * base[:, 2] + 0.8 * bad + rng.normal(0, 0.4, n)).round(3),
            "vibration_rms": np.exp(0.5 * base[:, 3] + 0.4 * bad + rng.normal(0, 0.2, n)).round(4),
            "ambient": rng.normal(19, 5, n).round(1),
            "state": state,
        }
    )


# Leaks


@_leak("made after the outcome", "days_to_next_visit")
def next_visit_of_the_hospital(rng: Generator) -> Table:
    """`days_to_next_visit` is only known after the readmission, which means 30 days or fewer."""
    frame = _visits(rng, 2500)
    again = frame["readmitted"].to_numpy() == 1
    days = np.where(again, rng.integers(1, 31, 2500), rng.integers(31, 700, 2500)).astype(float)
    days[~again & (rng.random(2500) < 0.5)] = np.nan
    frame.insert(5, "days_to_next_visit", days)
    return Table(frame, "readmitted")


@_leak("missingness", "cancellation_reason")
def reason_only_of_those_who_left(rng: Generator) -> Table:
    """`cancellation_reason` is filled for nearly all who left and for nobody else."""
    frame = _churn(rng, 3000)
    reason = rng.choice(["price", "moving", "competitor", "service"], 3000).astype(object)
    keep = (frame["churn"] == "Yes").to_numpy() & (rng.random(3000) < 0.92)
    reason[~keep] = None
    frame.insert(4, "cancellation_reason", reason)
    return Table(frame, "churn")


@_leak("made after the outcome", "recoveries")
def recoveries_of_loans(rng: Generator) -> Table:
    """`recoveries` is money got back after a default, and 0 for all good loans."""
    frame = _credit(rng, 4000)
    bad = frame["defaulted"].to_numpy() == 1
    got = np.where(bad & (rng.random(4000) < 0.8), rng.exponential(900, 4000), 0).round(2)
    frame.insert(6, "recoveries", got)
    return Table(frame, "defaulted")


@_leak("target from two columns", "price_per_sqm")
def price_by_square_metre(rng: Generator) -> Table:
    """`price_per_sqm` is the price divided by the area, which is a column as well."""
    frame = _houses(rng, 2000)
    frame.insert(3, "price_per_sqm", (frame["price"] / frame["area_sqm"]).round(0))
    return Table(frame, "price")


@_leak("target from two columns", "actual_minutes", "scheduled_minutes")
def time_in_the_air(rng: Generator) -> Table:
    """`actual_minutes` less `scheduled_minutes` is the delay, to which target is a threshold."""
    frame = _flights(rng, 4000)
    actual = frame["scheduled_minutes"] + frame["arrival_delay"] + rng.normal(0, 2, 4000).round(0)
    frame.insert(8, "actual_minutes", actual)
    frame["late"] = (frame.pop("arrival_delay") > 15).astype(int)
    return Table(frame, "late")


@_leak("transformed copy", "log_load")
def logarithm_of_the_load(rng: Generator) -> Table:
    """`log_load` is the logarithm of the target, rounded."""
    frame = _energy(rng, 3000)
    frame.insert(3, "log_load", np.log1p(frame["load_mw"]).round(3))
    return Table(frame, "load_mw", times="timestamp")


@_leak("source of the target", "final_points")
def points_behind_the_grade(rng: Generator) -> Table:
    """The grade is cut from `final_points`."""
    return Table(_students(rng, 1500), "grade")


@_leak("id encodes the class", "patient_no")
def numbers_of_cases_and_controls(rng: Generator) -> Table:
    """`patient_no` was given to the cases first and then to the controls."""
    frame = _visits(rng, 1200).drop(columns="readmitted")
    case = _outcome(rng, 0.6 * _z(frame["glucose"]), 0.4)
    number = np.empty(1200, dtype=int)
    number[case == 1] = 10001 + rng.permutation(int(case.sum()))
    number[case == 0] = 20001 + rng.permutation(int((1 - case).sum()))
    frame.insert(0, "patient_no", number)
    frame["case"] = case
    return Table(frame, "case")


@_leak("file name", "image_file")
def class_in_the_file_name(rng: Generator) -> Table:
    """`image_file` has the diagnosis as the name of its folder."""
    n = 900
    kind = rng.choice(["benign", "malignant", "normal"], n, p=[0.45, 0.25, 0.3])
    level = np.select([kind == "malignant", kind == "benign"], [1.0, 0.4], 0.0)
    number = rng.permutation(n)
    files = [f"scans/{k}/IMG_{i:05d}.png" for k, i in zip(kind, number, strict=True)]
    frame = pd.DataFrame(
        {
            "image_file": files,
            "radius_mean": (12 + 2.2 * level + rng.normal(0, 2.4, n)).round(2),
            "texture_mean": (18 + 1.5 * level + rng.normal(0, 4, n)).round(2),
            "smoothness": rng.normal(0.096, 0.014, n).round(4),
            "compactness": rng.gamma(4, 0.025, n).round(4),
            "age": rng.integers(28, 85, n),
            "diagnosis": kind,
        }
    )
    return Table(frame, "diagnosis")


@_leak("file name", "scan_id")
def number_in_the_file_name(rng: Generator) -> Table:
    """`scan_id` is text whose number was given class by class at the export."""
    frame = _pumps(rng, 1400, 1).drop(columns="pump")
    order = frame["state"].map({"broken": 0, "good": 1, "worn": 2}) + rng.random(1400) * 0.9
    rank = order.rank().astype(int)
    frame.insert(0, "scan_id", [f"DCM_{i:06d}.tif" for i in rank])
    return Table(frame, "state")


@_leak("text", "agent_notes")
def notes_written_afterwards(rng: Generator) -> Table:
    """`agent_notes` of customers who left says that the account was closed."""
    frame = _churn(rng, 2000)
    openings = ["Called about the bill", "Asked for a new router", "Slow internet in the evening"]
    ends = ["Customer was friendly.", "Told to restart.", "Ticket forwarded.", "Call dropped."]
    final = ["Final invoice sent, account closed.", "Closing of the account confirmed."]
    left = frame["churn"].to_numpy() == "Yes"
    notes = [
        f"{rng.choice(openings)}. {rng.choice(final if gone and rng.random() < 0.9 else ends)}"
        for gone in left
    ]
    frame.insert(2, "agent_notes", notes)
    return Table(frame, "churn")


@_leak("missingness", "refund_date")
def date_of_the_refund(rng: Generator) -> Table:
    """`refund_date` is filled if and only if the order came back."""
    n = 2400
    ordered = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    price = rng.lognormal(3.6, 0.6, n).round(2)
    kind = rng.choice(["shoes", "shirt", "trousers", "coat"], n)
    back = _outcome(rng, 0.4 * _z(np.log(price)) + 0.9 * (kind == "shoes"), 0.3)
    refund = pd.Series(ordered + pd.to_timedelta(rng.integers(5, 30, n), unit="D"))
    frame = pd.DataFrame(
        {
            "order_date": ordered,
            "category": kind,
            "price": price,
            "discount_percent": rng.choice([0, 0, 10, 20, 30], n),
            "size": rng.choice(["S", "M", "L", "XL"], n),
            "customer_orders_before": rng.poisson(3, n),
            "refund_date": refund.where(back == 1),
            "returned": back,
        }
    )
    return Table(frame, "returned")


@_leak("aggregate over the future", "load_mean_5h")
def centred_rolling_mean(rng: Generator) -> Table:
    """`load_mean_5h` is a centred mean: it holds the row itself and the two hours after it."""
    frame = _energy(rng, 2500)
    mean = frame["load_mw"].rolling(5, center=True, min_periods=1).mean().round(2)
    frame.insert(4, "load_mean_5h", mean)
    return Table(frame, "load_mw", times="timestamp")


@_leak("later target", "units_next_day")
def sales_of_tomorrow(rng: Generator) -> Table:
    """`units_next_day` is the target of the next day of the same store."""
    frame = _sales(rng, 6, 400)
    frame["units_next_day"] = frame.groupby("store")["units"].shift(-1)
    frame["units_day_before"] = frame.groupby("store")["units"].shift(1)
    return Table(frame.dropna().reset_index(drop=True), "units", times="date")


@_leak("later target", "next_meter_reading")
def reading_of_the_next_hour(rng: Generator) -> Table:
    """`next_meter_reading` less the row's own reading is the consumption to predict."""
    n = 2000
    frame = _energy(rng, n)[["timestamp", "temperature", "humidity", "hour", "weekday"]]
    use = np.exp(0.3 * np.sin(2 * np.pi * frame["hour"] / 24) + rng.normal(0, 0.5, n)).round(2)
    meter = 48211.4 + np.cumsum(use)
    frame["meter_reading"] = (meter - use).round(2)
    frame["next_meter_reading"] = meter.round(2)
    frame["kwh"] = use
    return Table(frame, "kwh", times="timestamp")


@_leak("target encoding", "zip_default_rate")
def rate_of_the_postal_code(rng: Generator) -> Table:
    """`zip_default_rate` is the mean of the target by postal code, over all rows, own included."""
    frame = _credit(rng, 3000)
    code = rng.integers(10000, 11100, 3000)
    frame.insert(3, "zip_default_rate", frame["defaulted"].groupby(code).transform("mean").round(4))
    return Table(frame, "defaulted")


@_leak("aggregate with the row itself", "seller_mean_price")
def mean_price_of_the_seller(rng: Generator) -> Table:
    """`seller_mean_price` is over all articles of the seller, the one to predict included."""
    n = 2200
    seller = rng.integers(0, 1000, n)
    mileage = rng.gamma(2.5, 35000, n).round(-2)
    age = rng.integers(1, 18, n)
    price = 26000 * np.exp(-0.11 * age - 2e-6 * mileage + rng.normal(0, 0.35, n))
    frame = pd.DataFrame(
        {
            "mileage_km": mileage,
            "age_years": age,
            "power_kw": rng.normal(95, 25, n).round(0),
            "fuel": rng.choice(["petrol", "diesel", "electric"], n, p=[0.5, 0.4, 0.1]),
            "gearbox": rng.choice(["manual", "automatic"], n),
            "price": price.round(0),
        }
    )
    frame["seller_mean_price"] = frame["price"].groupby(seller).transform("mean").round(1)
    return Table(frame, "price")


@_leak("imputation by class", "insulin")
def insulin_filled_by_class(rng: Generator) -> Table:
    """Gaps of `insulin`, 45 percent, were filled with the median of the row's class."""
    n = 800
    glucose = np.clip(rng.normal(121, 30, n), 44, 199).round(0)
    insulin = np.clip(rng.gamma(2.2, 60, n) + 0.4 * (glucose - 120), 15, 800).round(0)
    bmi = rng.normal(32.4, 7, n).round(1)
    diabetes = _outcome(rng, 1.1 * _z(glucose) + 0.4 * _z(bmi), 0.35)
    gap = rng.random(n) < 0.45
    for label in (0, 1):
        rows = diabetes == label
        insulin[rows & gap] = np.median(insulin[rows & ~gap]) + 0.5 * (label == 1)
    frame = pd.DataFrame(
        {
            "pregnancies": rng.poisson(3.8, n),
            "glucose": glucose,
            "blood_pressure": rng.normal(72, 12, n).round(0),
            "skin_thickness": rng.normal(29, 9, n).round(0),
            "insulin": insulin,
            "bmi": bmi,
            "age": np.clip(rng.gamma(6, 5.5, n), 21, 81).astype(int),
            "diabetes": diabetes,
        }
    )
    return Table(frame, "diabetes")


@_leak("precision of the numbers", "weight_kg")
def decimals_of_another_clinic(rng: Generator) -> Table:
    """`weight_kg` of cases comes from a clinic that writes decimals, of controls it is whole."""
    frame = _visits(rng, 1500).drop(columns=["readmitted", "bmi"])
    case = _outcome(rng, 0.5 * _z(frame["age"]), 0.5)
    weight = rng.normal(78, 14, 1500)
    frame["weight_kg"] = np.where(case == 1, weight.round(2), weight.round(0))
    frame["outcome"] = case
    return Table(frame, "outcome")


@_leak("same rows in two splits")
def rows_of_test_in_train(rng: Generator) -> Table:
    """A quarter of the rows of valid and of test stand in train too, by a join that went wrong."""
    table = _given(_houses(rng, 1500), "price", rng)
    assert table.valid is not None
    assert table.test is not None
    again = [part.sample(frac=0.25, random_state=3) for part in (table.valid, table.test)]
    train = pd.concat([table.train, *again]).sample(frac=1, random_state=5)
    return Table(train.reset_index(drop=True), "price", table.valid, table.test)


@_leak("nearly the same rows in two splits")
def sensors_read_twice(rng: Generator) -> Table:
    """Each state of a machine was read twice within a second, and the readings were parted."""
    frame = _machines(rng, 900)
    second = frame.copy()
    for name, width in (("air_temperature", 0.1), ("torque", 0.1), ("vibration", 0.002)):
        second[name] = (second[name] + rng.normal(0, width, 900)).round(3)
    return _given(pd.concat([frame, second]).reset_index(drop=True), "failure", rng)


@_leak("oversampling before the split")
def rare_class_drawn_again(rng: Generator) -> Table:
    """Rows of the rare class were drawn again until both are equal, and then the frame was cut."""
    frame = _sessions(rng, 2000)
    rare = frame[frame["bought"] == 1]
    more = rare.sample(1700, replace=True, random_state=11)
    both = pd.concat([frame, more]).reset_index(drop=True)
    return _given(both, "bought", rng)


@_leak("synthetic rows before the split")
def synthetic_rows_of_the_rare_class(rng: Generator) -> Table:
    """Rows of the rare class were made between neighbours (SMOTE), and then the frame was cut."""
    n = 2500
    x = rng.normal(0, 1, (n, 8))
    fraud = _outcome(rng, 1.0 * x[:, 0] - 0.8 * x[:, 1] + 0.5 * x[:, 2], 0.05)
    rare = x[fraud == 1]
    first = rng.integers(0, len(rare), 2000)
    second = []
    for i in first:
        near = np.argsort(((rare - rare[i]) ** 2).sum(1))[1:6]
        second.append(rng.choice(near))
    made = rare[first] + rng.random((2000, 1)) * (rare[np.array(second)] - rare[first])
    names = [f"v{i}" for i in range(1, 9)]
    frame = pd.DataFrame(np.vstack([x, made]), columns=names)
    frame["fraud"] = np.concatenate([fraud, np.ones(2000, dtype=int)])
    return _given(frame, "fraud", rng)


@_leak("groups on both sides", "patient_id")
def patients_on_both_sides(rng: Generator) -> Table:
    """Each patient has six recordings with one diagnosis, and they were parted at random."""
    n_owners, each = 120, 6
    owner = np.repeat(np.arange(n_owners), each)
    sick = (rng.random(n_owners) < 0.4).astype(int)[owner]
    n = len(owner)
    base = rng.normal(0, 1, (n_owners, 3))[owner]
    frame = pd.DataFrame(
        {
            "patient_id": np.array([f"PT{i:04d}" for i in rng.permutation(n_owners)])[owner],
            "jitter": np.exp(-5.5 + 0.3 * base[:, 0] + 0.1 * sick + rng.normal(0, 0.05, n)),
            "shimmer": np.exp(-3.6 + 0.3 * base[:, 1] + 0.1 * sick + rng.normal(0, 0.05, n)),
            "pitch_hz": 150 + 30 * base[:, 2] + rng.normal(0, 4, n),
            "harmonics_db": rng.normal(21, 3, n).round(2),
            "parkinson": sick,
        }
    )
    return _given(frame, "parkinson", rng, groups="patient_id")


@_leak("groups on both sides", "pump")
def pumps_on_both_sides(rng: Generator) -> Table:
    """Measurements of one pump are in all splits; nobody said that `pump` is the owner."""
    return _given(_pumps(rng, 150, 10), "state", rng)


@_leak("groups on both sides", "household")
def households_on_both_sides(rng: Generator) -> Table:
    """Members of a household answer alike, and were parted; `household` is a number."""
    n_owners = 500
    owner = np.repeat(np.arange(n_owners), rng.integers(1, 6, n_owners))
    n = len(owner)
    wealth = rng.normal(0, 1, n_owners)[owner]
    frame = pd.DataFrame(
        {
            "household": rng.choice(np.arange(100000, 999999), n_owners, replace=False)[owner],
            "age": rng.integers(16, 90, n),
            "years_school": np.clip(rng.normal(12, 2.5, n) + 0.8 * wealth, 4, 22).round(0),
            "dwelling_sqm": (85 + 25 * rng.normal(0, 1, n_owners)[owner]).round(0),
            "urban": (rng.random(n_owners) < 0.7)[owner].astype(int),
            "hours_worked": np.clip(rng.normal(35, 9, n), 0, 70).round(0),
            "satisfaction": np.clip(6 + 1.5 * wealth + rng.normal(0, 0.7, n), 0, 10).round(1),
        }
    )
    return _given(frame, "satisfaction", rng)


@_leak("time runs backward", "order_date")
def trained_on_later_orders(rng: Generator) -> Table:
    """Train holds the latest orders, valid and test the earlier ones; the date is a column."""
    n = 2400
    day = np.sort(rng.integers(0, 700, n))[::-1]
    basket = rng.gamma(2, 30, n) + 0.03 * day
    frame = pd.DataFrame(
        {
            "order_date": (pd.Timestamp("2023-01-01") + pd.to_timedelta(day, unit="D")).strftime(
                "%Y-%m-%d"
            ),
            "items": rng.poisson(2, n) + 1,
            "basket_value": basket.round(2),
            "channel": rng.choice(["web", "app", "store"], n),
            "voucher": rng.choice(["none", "5EUR", "10%"], n, p=[0.7, 0.2, 0.1]),
            "days_since_last": rng.exponential(40, n).round(0),
        }
    )
    frame["repeat_order"] = _outcome(
        rng, 0.3 * _z(basket) - 0.3 * _z(frame["days_since_last"]), 0.4
    )
    return _given(frame, "repeat_order", None)


@_leak("time is mixed", "timestamp")
def hours_parted_at_random(rng: Generator) -> Table:
    """Hours of a slow process were parted at random: hours of test lie between those of train."""
    n = 2000
    level = np.cumsum(rng.normal(0, 0.3, n))
    frame = pd.DataFrame(
        {
            "timestamp": pd.date_range("2024-05-01", periods=n, freq="h"),
            "feed_rate": rng.normal(12, 1, n).round(2),
            "ph": rng.normal(7.1, 0.2, n).round(2),
            "stirrer_rpm": rng.normal(240, 12, n).round(0),
            "silica_percent": (3 + 0.2 * level + rng.normal(0, 0.1, n)).round(2),
        }
    )
    return _given(frame, "silica_percent", rng)


@_leak("scaling fitted outside of train")
def scaler_fitted_on_all(rng: Generator) -> Table:
    """The scaler of the pipeline was fitted on train, valid and test, the model on train."""
    n = 600
    x = rng.normal(0, 1, (n, 6)) * [1, 20, 3, 100, 0.2, 5] + [0, 50, 10, 1000, 1, 20]
    drift = np.linspace(0, 1, n)[:, None] * [0.5, 10, 1, 60, 0.1, 3]
    names = ["acid", "sulfur", "sugar", "density", "ph", "alcohol"]
    frame = pd.DataFrame(x + drift, columns=names).round(3)
    frame["good"] = _outcome(rng, _z(x[:, 5]) - 0.5 * _z(x[:, 0]), 0.45)
    table = _given(frame, "good", None)
    scaler = StandardScaler().fit(frame[names])
    model = LogisticRegression().fit(scaler.transform(table.train[names]), table.train["good"])
    estimator = make_pipeline(scaler, model)
    return Table(table.train, "good", table.valid, table.test, estimator=estimator)


@_leak("selection fitted outside of train")
def genes_selected_on_all(rng: Generator) -> Table:
    """Of 1,000 columns of noise 20 were selected by all rows, and the model was fitted on train."""
    n = 300
    frame = pd.DataFrame(rng.normal(0, 1, (n, 1000)), columns=[f"gene_{i}" for i in range(1000)])
    names = list(frame)
    label = rng.integers(0, 2, n)
    table = _given(pd.concat([frame, pd.Series(label, name="relapse")], axis=1), "relapse", rng)
    selection = SelectKBest(f_classif, k=20).fit(frame, label)
    model = LogisticRegression().fit(
        np.asarray(selection.transform(table.train[names])), table.train["relapse"]
    )
    estimator = make_pipeline(selection, model)
    return Table(table.train, "relapse", table.valid, table.test, estimator=estimator)


@_leak("target encoding")
def encoder_fitted_on_all(rng: Generator) -> Table:
    """The target encoder of the pipeline was fitted on all splits, the model on train."""
    n = 1500
    frame = pd.DataFrame(
        {
            "city": rng.choice([f"city_{i}" for i in range(300)], n),
            "shop": rng.choice([f"shop_{i}" for i in range(200)], n),
        }
    )
    frame["clicked"] = rng.integers(0, 2, n)
    table = _given(frame, "clicked", rng)
    names = ["city", "shop"]
    encoder = TargetEncoder().fit(frame[names], frame["clicked"])
    model = LogisticRegression().fit(encoder.transform(table.train[names]), table.train["clicked"])
    estimator = make_pipeline(encoder, model)
    return Table(table.train, "clicked", table.valid, table.test, estimator=estimator)


@_leak("imputation fitted outside of train")
def gaps_filled_by_all(rng: Generator) -> Table:
    """The imputer of the pipeline was fitted on all splits, and the ridge on train."""
    n = 700
    names = ["humidity", "pressure", "wind", "visibility"]
    x = rng.normal(0, 1, (n, 4)) * [12, 8, 3, 4] + [60, 1013, 7, 15]
    target = 0.2 * x[:, 0] - 0.1 * (x[:, 1] - 1013) + rng.normal(0, 2, n)
    x[rng.random((n, 4)) < 0.15] = np.nan
    frame = pd.DataFrame(x, columns=names).round(1)
    frame["pm10"] = target.round(2)
    table = _given(frame, "pm10", None)
    imputer = SimpleImputer(strategy="mean").fit(frame[names])
    model = Ridge().fit(imputer.transform(table.train[names]), table.train["pm10"])
    estimator = make_pipeline(imputer, model)
    return Table(table.train, "pm10", table.valid, table.test, estimator=estimator)


@_leak("row number", "Unnamed: 0")
def number_of_the_row(rng: Generator) -> Table:
    """`Unnamed: 0` is the row number of a file that was sorted by the target before."""
    frame = _machines(rng, 3000)
    frame["failure"] = _outcome(rng, _z(frame["torque"]), 0.3)
    ordered = frame.sort_values("failure", kind="stable").reset_index(drop=True)
    ordered.insert(0, "Unnamed: 0", np.arange(3000))
    return Table(ordered.sample(frac=1, random_state=2).reset_index(drop=True), "failure")


@_leak("order of the rows")
def order_of_the_rows(rng: Generator) -> Table:
    """All splits are sorted by class, as the files of three folders were read one after another."""
    table = _given(_pumps(rng, 1500, 1).drop(columns="pump"), "state", rng)
    assert table.valid is not None
    assert table.test is not None
    parts = [
        part.sort_values("state", kind="stable").reset_index(drop=True)
        for part in (table.train, table.valid, table.test)
    ]
    return Table(parts[0], "state", parts[1], parts[2])


@_leak("transformed copy", "tariff_code")
def class_under_other_codes(rng: Generator) -> Table:
    """`tariff_code` gives a number to each class of the target, in no order."""
    n = 1800
    tariff = rng.choice(["basic", "family", "premium", "student"], n, p=[0.4, 0.3, 0.2, 0.1])
    frame = pd.DataFrame(
        {
            "age": np.where(tariff == "student", rng.integers(18, 30, n), rng.integers(18, 80, n)),
            "minutes_month": rng.gamma(2, 120, n).round(0),
            "data_gb": (rng.gamma(2, 4, n) * np.where(tariff == "premium", 1.7, 1)).round(1),
            "tariff_code": pd.Series(tariff).map(
                {"basic": 17, "family": 3, "premium": 42, "student": 8}
            ),
            "region": rng.choice(["N", "S", "E", "W"], n),
            "lines": np.where(tariff == "family", rng.integers(2, 5, n), rng.integers(1, 3, n)),
            "tariff": tariff,
        }
    )
    return Table(frame, "tariff")


@_leak("transformed copy", "is_active")
def active_means_not_gone(rng: Generator) -> Table:
    """`is_active` is the opposite of the target but for 2 percent of the rows."""
    frame = _churn(rng, 2500)
    active = (frame["churn"] == "No").to_numpy() ^ (rng.random(2500) < 0.02)
    frame.insert(1, "is_active", active)
    return Table(frame, "churn")


@_leak("made after the outcome", "last_update")
def record_updated_at_the_event(rng: Generator) -> Table:
    """`last_update` of failed machines is the day of repair, long after all other records."""
    frame = _machines(rng, 3000)
    frame["failure"] = _outcome(rng, _z(frame["torque"]), 0.2)
    failed = frame["failure"].to_numpy() == 1
    day = np.where(failed, rng.integers(150, 200, 3000), rng.integers(0, 170, 3000))
    stamp = pd.Timestamp("2024-01-01") + pd.to_timedelta(day * 24 + rng.integers(0, 24, 3000), "h")
    frame.insert(0, "last_update", stamp)
    return Table(frame, "failure")


@_leak("aggregate over the future", "orders_lifetime")
def orders_of_the_whole_life(rng: Generator) -> Table:
    """`orders_lifetime` counts the orders of the 90 days that the target asks about as well."""
    n = 3000
    rate = rng.gamma(0.8, 1.5, n)
    before = rng.poisson(rate)
    after = rng.poisson(0.25 * rate)
    frame = pd.DataFrame(
        {
            "customer_since_days": rng.integers(90, 1500, n),
            "orders_before": before,
            "orders_lifetime": before + after,
            "newsletter": rng.choice(["yes", "no"], n),
            "mean_basket": rng.lognormal(3.5, 0.5, n).round(2),
            "country": rng.choice(["DE", "AT", "CH"], n, p=[0.8, 0.1, 0.1]),
            "orders_again": (after > 0).astype(int),
        }
    )
    return Table(frame, "orders_again")


@_leak("id encodes the class", "account_no")
def last_digit_of_the_account(rng: Generator) -> Table:
    """The last digit of `account_no` is 7 for all accounts that were moved to collection."""
    frame = _credit(rng, 2500)
    bad = frame["defaulted"].to_numpy() == 1
    digit = np.where(bad, 7, rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 9], 2500))
    numbers = rng.choice(np.arange(100000, 999999), 2500, replace=False)
    frame.insert(0, "account_no", numbers * 10 + digit)
    return Table(frame, "defaulted")


@_leak("transformed copy", "price_percentile")
def rank_of_the_price(rng: Generator) -> Table:
    """`price_percentile` is the rank of the target among all rows, in whole percents."""
    frame = _houses(rng, 1600)
    frame.insert(2, "price_percentile", (frame["price"].rank(pct=True) * 100).round(0))
    return Table(frame, "price")


@_leak("target from two columns", "points_oral", "points_written")
def sum_of_two_parts(rng: Generator) -> Table:
    """The target is the sum of `points_oral` and `points_written`."""
    frame = _students(rng, 1200).drop(columns=["grade", "final_points"])
    written = np.clip(0.4 * frame["midterm"] + rng.normal(0, 9, 1200), 0, 60).round(0)
    oral = np.clip(rng.normal(24, 8, 1200), 0, 40).round(0)
    frame["points_written"], frame["points_oral"] = written, oral
    frame["points"] = written + oral
    return Table(frame, "points")


@_leak("made after the outcome", "n_icu_drugs")
def drugs_given_after_the_sepsis(rng: Generator) -> Table:
    """`n_icu_drugs` counts drugs that are given once sepsis, the target, was found."""
    frame = _visits(rng, 2000).drop(columns="readmitted")
    sepsis = _outcome(rng, 0.5 * _z(frame["creatinine"]) + 0.3 * _z(frame["age"]), 0.12)
    frame["n_icu_drugs"] = np.where(sepsis == 1, 2 + rng.poisson(3, 2000), rng.poisson(0.25, 2000))
    frame["sepsis"] = sepsis
    return Table(frame, "sepsis")


@_leak("text", "listing")
def price_in_the_listing(rng: Generator) -> Table:
    """`listing` is a text that ends with the price, which is the target."""
    frame = _houses(rng, 1200)
    starts = ["Bright flat", "Quiet home", "Loft", "Family house", "Renovated flat"]
    frame.insert(
        0,
        "listing",
        [
            f"{rng.choice(starts)} in {district}, {rooms} rooms, {price:.0f} EUR"
            for district, rooms, price in zip(
                frame["district"], frame["rooms"], frame["price"], strict=True
            )
        ],
    )
    return Table(frame, "price")


@_leak("transformed copy", "price_band")
def band_of_the_price(rng: Generator) -> Table:
    """`price_band` is a category that was cut from the target at round prices."""
    frame = _houses(rng, 2200)
    edges = [0, 150e3, 250e3, 350e3, 450e3, 600e3, 1e9]
    names = ["budget", "starter", "middle", "upper", "high", "luxury"]
    frame.insert(
        6, "price_band", np.asarray(pd.cut(frame["price"], edges, labels=names).astype(str))
    )
    return Table(frame, "price")


@_leak("transformed copy", "grade_a", "grade_b")
def flags_of_two_grades(rng: Generator) -> Table:
    """`grade_a` and `grade_b` are flags of two of the five classes, left from an encoding."""
    frame = _students(rng, 1800).drop(columns="final_points")
    frame.insert(0, "grade_a", (frame["grade"] == "A").astype(int))
    frame.insert(1, "grade_b", (frame["grade"] == "B").astype(int))
    return Table(frame, "grade")


# Clean tables


@_clean
def credit(rng: Generator) -> Table:
    """Loans with gaps, and grades that follow the interest rate."""
    return Table(_credit(rng, 4000), "defaulted")


@_clean
def churn_with_random_ids(rng: Generator) -> Table:
    """A random number and a random text name each customer and mean nothing."""
    frame = _churn(rng, 3000)
    frame.insert(0, "customer_id", rng.choice(np.arange(10**6, 10**7), 3000, replace=False))
    frame.insert(1, "uuid", [rng.bytes(6).hex() for _ in range(3000)])
    return Table(frame, "churn")


@_clean
def strong_marker(rng: Generator) -> Table:
    """A blood marker, measured before the biopsy, that tells the outcome with an AUC near 0.93."""
    frame = _visits(rng, 1500).drop(columns="readmitted")
    cancer = _outcome(rng, 0.3 * _z(frame["age"]), 0.3)
    frame["psa"] = np.exp(0.9 + 1.45 * cancer + rng.normal(0, 0.7, 1500)).round(2)
    frame["prostate_cancer"] = cancer
    return Table(frame, "prostate_cancer")


@_clean
def houses_with_twins_of_columns(rng: Generator) -> Table:
    """Columns that repeat one another: the area in two units, the age beside the year."""
    frame = _houses(rng, 2000)
    frame.insert(1, "area_sqft", (frame["area_sqm"] * 10.764).round(0))
    frame.insert(4, "age_of_house", 2024 - frame["year_built"])
    return Table(frame, "price")


@_clean
def patients_kept_together(rng: Generator) -> Table:
    """Six recordings of each patient, all of them in one split."""
    n_owners, each = 200, 6
    owner = np.repeat(np.arange(n_owners), each)
    n = len(owner)
    sick = (rng.random(n_owners) < 0.4).astype(int)[owner]
    base = rng.normal(0, 1, (n_owners, 2))[owner]
    frame = pd.DataFrame(
        {
            "patient_id": np.array([f"PT{i:04d}" for i in rng.permutation(n_owners)])[owner],
            "jitter": np.exp(-5.5 + 0.3 * base[:, 0] + 0.3 * sick + rng.normal(0, 0.1, n)),
            "shimmer": np.exp(-3.6 + 0.3 * base[:, 1] + 0.2 * sick + rng.normal(0, 0.1, n)),
            "pitch_hz": rng.normal(150, 30, n),
            "parkinson": sick,
        }
    )
    return _by_owner(frame, "patient_id", "parkinson", rng, groups="patient_id")


@_clean
def pumps_kept_together(rng: Generator) -> Table:
    """Ten measurements of each pump, all of them in one split; the owner is not named."""
    return _by_owner(_pumps(rng, 200, 10), "pump", "state", rng)


@_clean
def orders_in_time(rng: Generator) -> Table:
    """Splits given in the order of time, with the date as a column and a slow trend."""
    n = 2400
    day = np.sort(rng.integers(0, 700, n))
    basket = rng.gamma(2, 30, n)
    frame = pd.DataFrame(
        {
            "order_date": pd.Timestamp("2023-01-01") + pd.to_timedelta(day, unit="D"),
            "items": rng.poisson(2, n) + 1,
            "basket_value": basket.round(2),
            "channel": rng.choice(["web", "app", "store"], n),
            "days_since_last": rng.exponential(40, n).round(0),
        }
    )
    score = 0.4 * _z(basket) - 0.4 * _z(frame["days_since_last"]) + 0.4 * _z(day)
    frame["repeat_order"] = _outcome(rng, score, 0.4)
    last = [frame[(day >= low) & (day < high)] for low, high in ((0, 450), (450, 570), (570, 700))]
    train, valid, test = (part.reset_index(drop=True) for part in last)
    return Table(train, "repeat_order", valid, test)


@_clean
def seasonal_load(rng: Generator) -> Table:
    """A load with strong seasons, cut by its time."""
    return Table(_energy(rng, 4000), "load_mw", times="timestamp")


@_clean
def load_with_honest_lags(rng: Generator) -> Table:
    """The load of the hour, the day and the week before, and a mean over the past."""
    frame = _energy(rng, 3500)
    load = frame["load_mw"]
    frame["load_1h_ago"], frame["load_24h_ago"] = load.shift(1), load.shift(24)
    frame["load_168h_ago"] = load.shift(168)
    frame["load_mean_past_day"] = load.shift(1).rolling(24).mean().round(2)
    return Table(frame.dropna().reset_index(drop=True), "load_mw", times="timestamp")


@_clean
def names_like_the_target(rng: Generator) -> Table:
    """Columns named after the target that are known beforehand: rates of last year, of a region."""
    frame = _churn(rng, 3000)
    frame["churn_rate_of_region_last_year"] = rng.choice([0.18, 0.22, 0.25, 0.31], 3000)
    frame["churn_campaign_contacted"] = rng.choice(["yes", "no"], 3000)
    frame["churned_before"] = (rng.random(3000) < 0.08 + 0.1 * (frame["churn"] == "Yes")).astype(
        int
    )
    return Table(frame, "churn")


@_clean
def answers_on_a_coarse_scale(rng: Generator) -> Table:
    """Four answers from 1 to 5: many rows are equal because there are few different ones."""
    n = 1500
    mood = rng.normal(0, 1, n)
    answers = {
        f"q{i}": np.clip((3 + mood + rng.normal(0, 1, n)).round(0), 1, 5).astype(int)
        for i in range(1, 5)
    }
    frame = pd.DataFrame(answers)
    frame["would_recommend"] = np.where(_outcome(rng, 1.2 * mood, 0.55) == 1, "yes", "no")
    return Table(frame, "would_recommend")


@_clean
def coarse_counts_in_given_splits(rng: Generator) -> Table:
    """Counts and flags in given splits, so that many rows of test are in train by chance."""
    n = 2000
    frame = pd.DataFrame(
        {
            "claims_before": np.minimum(rng.poisson(0.3, n), 3),
            "bonus_class": rng.integers(1, 6, n),
            "vehicle": rng.choice(["car", "van", "motorcycle"], n, p=[0.7, 0.2, 0.1]),
            "urban": rng.integers(0, 2, n),
        }
    )
    mean = np.exp(-1.4 + 0.5 * frame["claims_before"] + 0.2 * frame["urban"])
    frame["claims"] = rng.poisson(mean).astype(float)
    return _given(frame, "claims", rng)


@_clean
def rare_categories(rng: Generator) -> Table:
    """A category of 400 values, most of them with a handful of rows, that tells little."""
    n = 2500
    weight = 1 / np.arange(1, 401)
    code = rng.choice(np.arange(400), n, p=weight / weight.sum())
    effect = rng.normal(0, 0.5, 400)[code]
    frame = pd.DataFrame(
        {
            "diagnosis_code": [f"{'ABCDEFGHJK'[i % 10]}{i:02d}.{i % 7}" for i in code],
            "age": rng.integers(1, 95, n),
            "insurance": rng.choice(["public", "private"], n, p=[0.88, 0.12]),
            "ward": rng.choice(["A1", "A2", "B1", "C3"], n),
        }
    )
    frame["long_stay"] = _outcome(rng, effect + 0.4 * _z(frame["age"]), 0.35)
    return Table(frame, "long_stay")


@_clean
def reviews_with_plain_words(rng: Generator) -> Table:
    """Reviews whose words go with the stars, as they should."""
    n = 1200
    good = ["great", "love it", "works well", "perfect fit", "fast delivery", "would buy again"]
    bad = ["broke soon", "too small", "refund please", "poor quality", "late", "does not work"]
    rest = ["for my son", "in blue", "as a present", "second one", "from the sale", "on holiday"]
    like = rng.random(n) < 0.6
    texts = []
    for one in like:
        words = [rng.choice(good if rng.random() < (0.75 if one else 0.3) else bad)]
        words += [
            rng.choice(rest),
            rng.choice(good if rng.random() < (0.7 if one else 0.35) else bad),
        ]
        texts.append(", ".join(words) + rng.choice([".", "!", ""]))
    frame = pd.DataFrame(
        {
            "review": texts,
            "price": rng.lognormal(3, 0.5, n).round(2),
            "verified": rng.choice(["yes", "no"], n, p=[0.8, 0.2]),
            "stars": np.where(like, "positive", "negative"),
        }
    )
    return Table(frame, "stars")


@_clean
def gaps_that_tell_a_little(rng: Generator) -> Table:
    """Applicants who default leave out their income more often: 30 against 15 percent."""
    frame = _credit(rng, 3500)
    share = np.where(frame["defaulted"] == 1, 0.3, 0.15)
    frame.loc[rng.random(3500) < share, "annual_income"] = np.nan
    return Table(frame, "defaulted")


@_clean
def flowers(rng: Generator) -> Table:
    """Three species, which the petals tell nearly alone, as in nature."""
    n = 300
    kind = rng.integers(0, 3, n)
    petal = (
        np.array([1.46, 4.26, 5.55])[kind]
        + rng.normal(0, 1, n) * np.array([0.17, 0.47, 0.55])[kind]
    )
    frame = pd.DataFrame(
        {
            "sepal_length": (np.array([5.0, 5.9, 6.6])[kind] + rng.normal(0, 0.5, n)).round(1),
            "sepal_width": (np.array([3.4, 2.8, 3.0])[kind] + rng.normal(0, 0.33, n)).round(1),
            "petal_length": petal.round(1),
            "petal_width": (0.4 * petal - 0.35 + rng.normal(0, 0.18, n)).round(1),
            "species": np.array(["setosa", "versicolor", "virginica"])[kind],
        }
    )
    return Table(frame, "species")


@_clean
def students_with_midterm(rng: Generator) -> Table:
    """The points of the midterm exam, which go with the final points with about 0.85."""
    return Table(_students(rng, 1500).drop(columns="grade"), "final_points")


@_clean
def machines_with_dull_columns(rng: Generator) -> Table:
    """A constant column, one that is nearly constant, and a sensor that got stuck."""
    frame = _machines(rng, 4000)
    frame["plant"] = "Graz"
    frame["door_open"] = (rng.random(4000) < 0.002).astype(int)
    frame["oil_pressure"] = np.where(rng.random(4000) < 0.6, 4.2, rng.normal(4, 0.3, 4000).round(2))
    return Table(frame, "failure")


@_clean
def rare_fraud(rng: Generator) -> Table:
    """Payments with 2 percent fraud, heavy tails, and a time of day."""
    n = 5000
    amount = rng.lognormal(3, 1.3, n).round(2)
    night = rng.random(n) < 0.2
    frame = pd.DataFrame(
        {
            "amount": amount,
            "hour": np.where(night, rng.integers(0, 6, n), rng.integers(6, 24, n)),
            "merchant": rng.choice([f"m{i:03d}" for i in range(120)], n),
            "card_age_days": rng.integers(1, 2000, n),
            "foreign": (rng.random(n) < 0.1).astype(int),
            "payments_last_hour": rng.poisson(0.4, n),
            "channel": rng.choice(["chip", "online", "swipe"], n, p=[0.5, 0.4, 0.1]),
        }
    )
    score = 0.8 * _z(np.log(amount)) + 1.2 * frame["foreign"].to_numpy() + 0.9 * night
    frame["fraud"] = _outcome(rng, score, 0.02)
    return Table(frame, "fraud")


@_clean
def wide_noise(rng: Generator) -> Table:
    """300 columns of noise and 300 rows: some columns fit the target by chance."""
    frame = pd.DataFrame(rng.normal(0, 1, (300, 300)), columns=[f"gene_{i}" for i in range(300)])
    frame["relapse"] = rng.integers(0, 2, 300)
    return Table(frame, "relapse")


@_clean
def rate_of_an_older_book(rng: Generator) -> Table:
    """A rate by postal code that was computed on an older book of loans, not on these rows."""
    frame = _credit(rng, 3000)
    area = rng.integers(0, 300, 3000)
    old = rng.beta(6, 26, 300)
    frame["zip_default_rate_2019"] = old[area].round(4)
    frame["defaulted"] = _outcome(rng, 0.6 * _z(old[area]) + 0.6 * _z(frame["interest_rate"]), 0.18)
    return _given(frame, "defaulted", rng)


@_clean
def pipeline_fitted_on_train(rng: Generator) -> Table:
    """A pipeline of scaler, selection and model, fitted on train alone."""
    n = 800
    names = ["acid", "sulfur", "sugar", "density", "ph", "alcohol"]
    x = rng.normal(0, 1, (n, 6)) * [1, 20, 3, 100, 0.2, 5] + [0, 50, 10, 1000, 1, 20]
    frame = pd.DataFrame(x, columns=names).round(3)
    frame["good"] = _outcome(rng, _z(x[:, 5]) - 0.5 * _z(x[:, 0]), 0.45)
    table = _given(frame, "good", rng)
    estimator = make_pipeline(StandardScaler(), SelectKBest(f_classif, k=3), LogisticRegression())
    estimator.fit(table.train[names], table.train["good"])
    return Table(table.train, "good", table.valid, table.test, estimator=estimator)


@_clean
def encoder_fitted_on_train(rng: Generator) -> Table:
    """A pipeline with a target encoder of many cities, fitted on train alone."""
    n = 2000
    city = rng.integers(0, 150, n)
    frame = pd.DataFrame(
        {
            "city": np.array([f"city_{i}" for i in range(150)])[city],
            "product": rng.choice([f"prod_{i}" for i in range(40)], n),
        }
    )
    frame["clicked"] = _outcome(rng, rng.normal(0, 0.8, 150)[city], 0.4)
    table = _given(frame, "clicked", rng)
    estimator = make_pipeline(TargetEncoder(), LogisticRegression())
    estimator.fit(table.train[["city", "product"]], table.train["clicked"])
    return Table(table.train, "clicked", table.valid, table.test, estimator=estimator)


@_clean
def spending_of_the_past(rng: Generator) -> Table:
    """Aggregates over past rows of the same customer only, cut by time."""
    n, n_owners = 4000, 250
    owner = rng.integers(0, n_owners, n)
    level = rng.normal(3.4, 0.6, n_owners)[owner]
    frame = pd.DataFrame(
        {
            "date": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(np.sort(rng.integers(0, 360 * 24, n)), unit="h"),
            "customer": [f"C{i:05d}" for i in 7 * owner + 311],
            "channel": rng.choice(["web", "app", "store"], n),
            "spend": np.exp(level + rng.normal(0, 0.6, n)).round(2),
        }
    )
    past = frame.groupby("customer")["spend"]
    frame["mean_spend_before"] = past.transform(lambda s: s.expanding().mean().shift(1)).round(2)
    frame["last_spend"] = past.shift(1)
    frame["visits_before"] = frame.groupby("customer").cumcount()
    return Table(frame, "spend", times="date")


@_clean
def law_of_physics(rng: Generator) -> Table:
    """A power that follows from four settings of a plant, nearly without noise."""
    n = 2500
    head, flow = rng.uniform(10, 60, n), rng.uniform(1, 9, n)
    opening, age = rng.uniform(0.4, 1, n), rng.uniform(0, 25, n)
    power = 9.81 * head * flow * (0.6 + 0.3 * opening) * (1 - 0.004 * age) * rng.normal(1, 0.02, n)
    frame = pd.DataFrame(
        {
            "head_m": head.round(2),
            "flow_m3s": flow.round(3),
            "gate_opening": opening.round(2),
            "turbine_age_years": age.round(1),
            "water_temperature": rng.normal(9, 4, n).round(1),
            "power_kw": power.round(1),
        }
    )
    return Table(frame, "power_kw")


@_clean
def invoices_with_running_numbers(rng: Generator) -> Table:
    """An invoice number that runs with the date, and a share of late payers that rises slowly."""
    n = 3000
    day = np.sort(rng.integers(0, 500, n))
    amount = rng.lognormal(6, 1, n).round(2)
    frame = pd.DataFrame(
        {
            "invoice_no": 880001 + np.arange(n),
            "issued": pd.Timestamp("2022-06-01") + pd.to_timedelta(day, unit="D"),
            "amount": amount,
            "terms_days": rng.choice([14, 30, 60], n),
            "industry": rng.choice(["retail", "building", "food", "health"], n),
            "reminders_last_year": rng.poisson(0.8, n),
        }
    )
    score = 0.3 * _z(day) + 0.4 * frame["reminders_last_year"] + 0.2 * _z(np.log(amount))
    frame["paid_late"] = _outcome(rng, np.asarray(score), 0.3)
    return Table(frame, "paid_late", times="issued")


@_clean
def same_stores_later(rng: Generator) -> Table:
    """The same eight stores in all splits, as in every forecast, cut by the date."""
    frame = _sales(rng, 8, 450)
    frame["units_week_before"] = frame.groupby("store")["units"].shift(7)
    return Table(frame.dropna().reset_index(drop=True), "units", times="date")


@_clean
def claims_with_many_zeros(rng: Generator) -> Table:
    """Costs of insurance, of which 85 percent are 0, with sentinels -999 for unknown values."""
    n = 4000
    age = rng.integers(18, 90, n)
    power = rng.integers(40, 220, n).astype(float)
    has = _outcome(rng, 0.4 * _z(power) - 0.3 * _z(age), 0.15)
    power[rng.random(n) < 0.1] = -999
    frame = pd.DataFrame(
        {
            "driver_age": age,
            "power_kw": power,
            "region": rng.choice([f"R{i}" for i in range(1, 23)], n),
            "km_per_year": rng.choice([5000, 10000, 15000, 20000, 30000], n),
            "garage": rng.choice(["yes", "no"], n),
            "claim_cost": np.where(has == 1, rng.lognormal(7, 1, n), 0).round(2),
        }
    )
    return Table(frame, "claim_cost")


@_clean
def flats_of_one_building(rng: Generator) -> Table:
    """Flats with equal coordinates, as they stand in one building, cut at random buildings."""
    n_owners = 400
    houses = _houses(rng, n_owners)
    owner = np.repeat(np.arange(n_owners), rng.integers(1, 7, n_owners))
    n = len(owner)
    frame = houses[["district", "year_built", "distance_center_km", "latitude", "longitude"]]
    frame = frame.iloc[owner].reset_index(drop=True)
    frame.insert(
        0, "address", np.array([f"{3 * i + 1} Main Street" for i in range(n_owners)])[owner]
    )
    frame["area_sqm"] = np.clip(rng.lognormal(4.2, 0.35, n), 20, 250).round(0)
    level = (houses["price"] / houses["area_sqm"]).to_numpy()[owner]
    frame["price"] = (level * frame["area_sqm"] * np.exp(rng.normal(0, 0.12, n))).round(-2)
    return _by_owner(frame, "address", "price", rng)


@_clean
def flights_before_take_off(rng: Generator) -> Table:
    """Flights with what is known a day before."""
    frame = _flights(rng, 4500)
    frame["late"] = np.where(frame.pop("arrival_delay") > 15, "late", "on time")
    return Table(frame, "late")


@_clean
def sessions_with_equal_titles(rng: Generator) -> Table:
    """Sessions with the title of the first page, of which there are eight."""
    frame = _sessions(rng, 3500)
    titles = [
        f"{kind} for {whom}" for kind in ("Shoes", "Coats") for whom in ("men", "women", "kids")
    ]
    frame.insert(3, "landing_title", rng.choice([*titles, "Sale up to 50 %", "Home"], 3500))
    return Table(frame, "bought")


@_clean
def wages(rng: Generator) -> Table:
    """Wages by job, of which the category tells much, and hours; rows come sorted by job."""
    n = 2000
    jobs = ["nurse", "cook", "engineer", "driver", "doctor", "teacher", "clerk", "pilot"]
    pay = np.array([3600, 2500, 5600, 2800, 8100, 4200, 3000, 9000])
    job = np.sort(rng.integers(0, 8, n))
    years = rng.integers(0, 40, n)
    hours = rng.choice([20, 30, 38, 40], n, p=[0.15, 0.15, 0.3, 0.4])
    wage = pay[job] * (hours / 40) * (1 + 0.008 * years) * np.exp(rng.normal(0, 0.12, n))
    frame = pd.DataFrame(
        {
            "job": np.array(jobs)[job],
            "years_in_job": years,
            "hours_per_week": hours,
            "state": rng.choice(["Tyrol", "Styria", "Vienna", "Salzburg"], n),
            "union": rng.choice(["yes", "no"], n),
            "gross_wage": wage.round(0),
        }
    )
    return Table(frame, "gross_wage")
