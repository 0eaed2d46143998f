"""Kinds of leak in other tables than those that they were found in, and clean ones beside them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tests.measure.leakage.tables import base, task_of
from workbench.measure.leakage import find_leaks

Make = Callable[[pd.DataFrame, np.random.Generator], dict[str, object]]


def _is_yes(frame: pd.DataFrame) -> np.ndarray:
    return (frame["y"] == "yes").to_numpy()


def _numbers(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(np.arange(100_000, 1_000_000), n, replace=False)


def _price(frame: pd.DataFrame) -> np.ndarray:
    return (frame["y"].to_numpy() * 10_000 + 300_000).round()


def _name(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    kinds = frame["y"].str[5:].map(dict(zip("01234", "abcde", strict=True)))
    starts = rng.choice(["rec", "x-rec"], len(frame))
    numbers = _numbers(len(frame), rng)
    return {"leak": [f"{s}-{n}_{k}k.wav" for s, n, k in zip(starts, numbers, kinds, strict=True)]}


def _ratio(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    due = rng.lognormal(7, 0.8, len(frame)).round(2)
    share = np.where(_is_yes(frame), rng.uniform(0.5, 1, len(frame)), rng.uniform(0, 0.5))
    return {"leak": due, "paid": (due * share).round(2)}


def _dates(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    n = len(frame)
    hours = np.where(_is_yes(frame), rng.integers(200, 400, n), rng.integers(10, 200, n))
    start = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 16_000, n), "h")
    return {"leak": start, "end": start + pd.to_timedelta(hours, "h")}


def _mean(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    group = rng.integers(0, len(frame) // 3, len(frame))
    return {"leak": pd.Series(_is_yes(frame)).groupby(group).transform("mean").round(3)}


def _mean_of_others(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    group = rng.integers(0, len(frame) // 3, len(frame))
    yes = pd.Series(_is_yes(frame).astype(float))
    sums, n = (yes.groupby(group).transform(f) for f in ("sum", "count"))
    return {"rate": ((sums - yes) / (n - 1)).fillna(yes.mean()).round(3)}


def _filled(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    values = rng.normal(100, 20, len(frame)).round(1)
    gap = rng.random(len(frame)) < 0.3
    return {"leak": np.where(gap, np.where(_is_yes(frame), 98.5, 101.5), values)}


def _filled_alike(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    values = rng.normal(100, 20, len(frame)).round(1)
    gap = rng.random(len(frame)) < np.where(_is_yes(frame), 0.5, 0.25)
    return {"x": np.where(gap, 100.0, values)}


def _product(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    head, flow = rng.uniform(10, 60, len(frame)), rng.uniform(1, 9, len(frame))
    high = head * flow * rng.normal(1, 0.1, len(frame)) > 150
    return {"head": head.round(2), "flow": flow.round(3), "y": np.where(high, "yes", "no")}


def _size(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    return {"size": pd.qcut(frame["score"] + rng.normal(0, 0.05, len(frame)), 6, labels=False)}


def _stock(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    """What was there less what is left is what was sold, but for some that were counted wrong."""
    there = frame["y"] - frame["y"].min() + rng.integers(50, 200, len(frame))
    left = there - frame["y"] + np.where(rng.random(len(frame)) < 0.15, rng.integers(1, 9), 0)
    return {"leak_there": there, "leak_left": left.where(rng.random(len(frame)) > 0.1)}


def _noisy_stock(frame: pd.DataFrame, rng: np.random.Generator) -> dict[str, object]:
    """The same with an unknown loss in each row."""
    made = _stock(frame, rng)
    loss = frame["y"].std() * rng.normal(0, 0.7, len(frame))
    return {"there": made["leak_there"], "left": made["leak_left"] + loss}


LEAKS: dict[str, tuple[str, Make, set[str]]] = {
    "flag of two classes": (
        "5",
        lambda f, r: {"leak": f["y"].isin(["class0", "class1"])},
        {"flags_predict_target"},
    ),
    "flags of all classes": (
        "5",
        lambda f, r: {f"leak {k}": (f["y"] == k).astype(float) for k in f["y"].unique()},
        {"flags_predict_target"},
    ),
    "class in names of other lengths": ("5", _name, {"text_holds_target"}),
    "letter in a code": (
        "binary",
        lambda f, r: {
            "leak": [
                f"{n}{'K' if yes else r.choice(list('ABCDEF'))}{r.integers(10, 99)}"
                for n, yes in zip(_numbers(len(f), r), _is_yes(f), strict=True)
            ]
        },
        {"text_holds_target"},
    ),
    "amount with dots": (
        "regression",
        lambda f, r: {"leak": [f"Preis: {p:,.0f} EUR".replace(",", ".") for p in _price(f)]},
        {"text_holds_target"},
    ),
    "two bands": (
        "regression",
        lambda f, r: {"leak": f["y"] > f["y"].quantile(0.8)},
        {"bands_of_target"},
    ),
    "twelve bands": (
        "regression",
        lambda f, r: {"leak": pd.qcut(f["y"], 12, labels=False)},
        {"bands_of_target", "copies_target", "predicts_target"},
    ),
    "ratio": ("binary", _ratio, {"combines_to_target"}),
    "difference in most rows": ("regression", _stock, {"combines_to_target"}),
    "time between two dates": ("binary", _dates, {"combines_to_target"}),
    "even numbers": (
        "binary",
        lambda f, r: {"leak": 2 * _numbers(len(f), r) + _is_yes(f)},
        {"identifier_predicts_target"},
    ),
    "mean of few rows": ("binary", _mean, {"encoded_with_targets"}),
    "gaps filled by class": ("binary", _filled, {"value_predicts_target"}),
}
CLEAN: dict[str, tuple[str, Make]] = {
    "mean of other rows": ("binary", _mean_of_others),
    "gaps filled alike": ("binary", _filled_alike),
    "class by a noisy product": ("binary", _product),
    "noisy difference": ("regression", _noisy_stock),
    "mostly nothing": ("regression", lambda f, r: {"y": f["y"].where(r.random(len(f)) < 0.3, 0)}),
    "class of a strong cause": ("regression", _size),
    "random codes": (
        "5",
        lambda f, r: {"code": [f"{r.choice(list('RGB'))}-{n}" for n in _numbers(len(f), r)]},
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_kind_of_leak_is_found(name: str) -> None:
    kind, make, kinds = LEAKS[name]
    frame = base(1200, 3, kind)
    report = find_leaks(task_of(frame.assign(**make(frame, np.random.default_rng(1)))))
    found = [f for f in report.findings if any(w.startswith("leak") for w in f.where)]
    assert {f.kind for f in found} & kinds, report.text
    assert not [note for note in report.notes if "raised" in note]


@pytest.mark.parametrize("name", CLEAN)
def test_honest_column_of_this_kind_is_left_alone(name: str) -> None:
    kind, make = CLEAN[name]
    frame = base(1200, 3, kind)
    report = find_leaks(task_of(frame.assign(**make(frame, np.random.default_rng(1)))))
    assert report.is_clean, report.text


def test_split_sorted_by_class_is_something_to_look_at() -> None:
    frame = base(600)
    parts = {"train": frame[:400], "valid": frame[400:500].sort_values("y"), "test": frame[500:]}
    (finding,) = find_leaks(task_of(parts)).findings
    assert (finding.kind, finding.severity) == ("row_order_predicts_target", "look at it")


def test_pairs_of_a_wide_table_are_limited_with_a_note() -> None:
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(200, 260))).add_prefix("x")
    report = find_leaks(task_of(wide.assign(y=rng.integers(0, 2, 200))))
    assert any("were looked at for 200 of the 260 columns" in note for note in report.notes)
