"""Honest tables, on which leaks are planted, and clean tables are made from.

They, and the leaks, were written by somebody who had not read the code of the guard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import workbench as wb
from workbench.measure.leakage import Finding, find_leaks

__all__ = [
    "LEAK",
    "LOOK",
    "RNG",
    "Case",
    "at_random",
    "case_and_findings",
    "chance",
    "customers",
    "genes",
    "houses",
    "letter",
    "mixed_columns",
    "parts",
    "patients",
    "sales",
    "sensors",
    "visits",
    "with_gaps",
]

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


def case_and_findings(make: Callable[[RNG], Case]) -> tuple[Case, tuple[Finding, ...]]:
    """The table of a function, and the findings of the guard."""
    case = make(np.random.default_rng(SEED))
    return case, find_leaks(case.task, **case.options).findings


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


def genes(rng: RNG, n: int, n_genes: int, n_real: int = 0) -> pd.DataFrame:
    """Few samples of many genes; `n_real` of them differ by half a standard deviation."""
    ill = rng.integers(0, 2, n)
    levels = rng.normal(0, 1, (n, n_genes))
    levels[:, :n_real] += 0.5 * ill[:, None]
    names = [f"gene_{i:04d}" for i in range(n_genes)]
    return pd.DataFrame(levels.round(3), columns=names).assign(ill=ill)


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


def mixed_columns() -> Any:
    """Filling, scaling and one-hot codes for the table of customers."""
    numbers = ["tenure_months", "monthly_charge", "service_calls", "age"]
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), ["contract", "region"]),
    )


COMPLAINTS = ("chest pain", "a fall at home", "fever", "short breath", "dizziness", "a wound")
COURSES = ("was treated with fluids", "had an operation", "improved slowly", "was observed")
ENDINGS = (
    "Follow up in two weeks.",
    "Drugs as before.",
    "Physiotherapy advised.",
    "Diet explained.",
)


def letter(rng: RNG) -> str:
    """A short letter about a stay, as it is written on the day of discharge."""
    days = rng.integers(1, 15)
    return (
        f"Patient came with {rng.choice(COMPLAINTS)}, {rng.choice(COURSES)} for {days} days. "
        f"{rng.choice(ENDINGS)}"
    )


def parts(frame: pd.DataFrame, order: np.ndarray) -> dict[str, pd.DataFrame]:
    """The splits train (60 %), valid (20 %) and test (20 %) of the rows in this order."""
    first, second = int(0.6 * len(order)), int(0.8 * len(order))
    places = {"train": order[:first], "valid": order[first:second], "test": order[second:]}
    return {split: frame.iloc[rows].reset_index(drop=True) for split, rows in places.items()}


def at_random(frame: pd.DataFrame, rng: RNG) -> dict[str, pd.DataFrame]:
    """The splits of the rows in random order."""
    return parts(frame, rng.permutation(len(frame)))
