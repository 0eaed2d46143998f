"""Tables with and without leaks, as frames with a column `y` or as tasks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from workbench.task import Task
from workbench.tasks.make import make_task

__all__ = ["CLEAN", "LEAKY", "base", "task_of"]

WORDS = [f"word{i}" for i in range(14)]


def base(n: int = 600, seed: int = 0, kind: str = "binary") -> pd.DataFrame:
    """Numbers, categories and gaps, with a target that depends on them and on chance."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": np.exp(rng.normal(10, 0.5, n)).round(2),
            "height": rng.normal(170, 9, n),
            "score": rng.normal(0, 1, n),
            "city": rng.choice(["Bern", "Genf", "Basel", "Chur"], n, p=[0.4, 0.3, 0.2, 0.1]),
            "plan": rng.choice(["a", "b", "c"], n),
        }
    )
    signal = (
        0.03 * (frame["age"] - 49)
        + 0.9 * frame["score"]
        + 0.8 * (np.log(frame["income"]) - 10)
        + (frame["city"] == "Bern") * 0.7
        + rng.normal(0, 1, n)
    )
    frame.loc[rng.random(n) < 0.1, "height"] = np.nan
    if kind == "binary":
        frame["y"] = np.where(signal > 0.3, "yes", "no")
    elif kind == "regression":
        frame["y"] = 10 + 3 * signal
    else:
        frame["y"] = pd.qcut(signal, int(kind), labels=False).map(lambda i: f"class{i}")
    return frame


def task_of(frame: Any, **values: Any) -> Task:
    """The task of a frame, or of splits by name, without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = frame if isinstance(frame, dict) else {"train": frame}
        if "target" not in values and isinstance(data["train"], (pd.DataFrame, str)):
            values["target"] = "y"
        return make_task(values.pop("name", "table"), **data, **values)


def _sklearn(name: str) -> Task:
    import sklearn.datasets as sets

    return task_of(getattr(sets, f"load_{name}")(as_frame=True).frame, target="target", name=name)


def _digits() -> Task:
    from sklearn.datasets import load_digits

    raw = load_digits()
    return task_of((raw.images[:900].astype(np.float32), raw.target[:900]))


def _wide() -> Task:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(100, 500))).add_prefix("gene")
    return task_of(frame.assign(y=rng.permutation(np.arange(100) % 2)))


def _gaps() -> Task:
    rng = np.random.default_rng(4)
    frame = base(500, 4)
    for name in ("age", "income", "score", "city"):
        frame.loc[rng.random(500) < 0.3 + 0.1 * (frame["y"] == "yes"), name] = np.nan
    return task_of(frame.assign(empty=np.nan, constant=1.0))


def _groups_kept_together() -> Task:
    rng = np.random.default_rng(5)
    n = 60
    patient = np.repeat(np.arange(n), 8)
    risk = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "patient_id": patient,
            "sex": rng.integers(0, 2, n)[patient],
            "birth_weight": (risk + rng.normal(0, 1, n))[patient],
            "pulse": risk[patient] + rng.normal(0, 1, n * 8),
            "pressure": rng.normal(size=n * 8),
            "y": (risk[patient] + rng.normal(0, 0.7, n * 8) > 0).astype(int),
        }
    )
    order = rng.permutation(n)
    parts = np.split(order, [36, 48, 52])
    names = ("train", "valid", "calibration", "test")
    return task_of({s: frame[np.isin(patient, p)] for s, p in zip(names, parts, strict=True)})


def _in_time() -> Task:
    rng = np.random.default_rng(6)
    frame = base(800, 6).assign(day=pd.date_range("2024-01-01", periods=800, freq="h"))
    frame["load"] = np.cumsum(rng.normal(size=800))
    return task_of(frame, times="day")


def _dates() -> Task:
    rng = np.random.default_rng(7)
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 700), "D")
    born = pd.to_datetime("1980-01-01") + pd.to_timedelta(rng.integers(0, 9000, 700), "D")
    return task_of(base(700, 7).assign(signup=days, born=born.strftime("%Y-%m-%d")))


def _texts() -> Task:
    rng = np.random.default_rng(8)
    texts, labels = [], []
    for _ in range(500):
        label = int(rng.random() < 0.5)
        weights = np.ones(len(WORDS))
        weights[4 + label] = 2.5
        texts.append(" ".join(rng.choice(WORDS, 14, p=weights / weights.sum())))
        labels.append(label)
    return task_of(pd.DataFrame({"text": texts, "y": labels}))


def _identifiers() -> Task:
    frame = base(500, 9)
    rng = np.random.default_rng(9)
    return task_of(
        frame.assign(
            id=np.arange(500),
            code=[f"C{i:05d}" for i in rng.permutation(500)],
            zip=rng.integers(1000, 9000, 500),
        )
    )


def _categories_only() -> Task:
    rng = np.random.default_rng(10)
    frame = pd.DataFrame({f"q{i}": rng.choice(list("abc"), 900) for i in range(4)})
    frame["y"] = ((frame["q0"] == "a") + rng.normal(0, 0.7, 900) > 0.6).astype(int)
    return task_of(frame)


def _made(kind: str, **values: Any) -> Callable[[], Task]:
    def make() -> Task:
        import sklearn.datasets as sets

        x, y = getattr(sets, f"make_{kind}")(random_state=1, **values)
        return task_of((x, y))

    return make


def _one_strong() -> Task:
    rng = np.random.default_rng(11)
    x = rng.normal(size=(500, 6))
    return task_of(
        pd.DataFrame(x).add_prefix("x").assign(y=2 * x[:, 0] + x[:, 1] + rng.normal(size=500))
    )


def _weather() -> Task:
    """Rounded temperatures that go with the month: days of valid and test agree by chance."""
    rng = np.random.default_rng(0)
    date = pd.date_range("2019-01-01", periods=1500)
    warm = 12 + 10 * np.sin(np.arange(1500) / 58)
    frame = pd.DataFrame(
        {
            "date": date,
            "month": date.month,
            "temperature": (warm + rng.normal(0, 2, 1500)).round(),
            "rain": rng.random(1500) < 0.3,
            "weekday": np.arange(1500) % 7,
        }
    )
    return task_of(frame.assign(y=(50 + 2 * warm + rng.normal(0, 6, 1500)).round()), times="date")


def _season() -> Task:
    """A smooth season beside a target that is nearly as smooth: no sum of later targets."""
    rng = np.random.default_rng(0)
    day = np.arange(1200)
    frame = pd.DataFrame({"day": day, "season": np.sin(day / 30 + 1).round(4)})
    frame = frame.assign(trend=day / 100, x=rng.normal(0, 1, 1200))
    return task_of(frame.assign(y=10 * np.sin(day / 30) + rng.normal(0, 0.3, 1200)), times="day")


CLEAN: dict[str, Callable[[], Task]] = {
    **{n: (lambda n=n: _sklearn(n)) for n in ("iris", "wine", "breast_cancer", "diabetes")},
    "digits": _digits,
    "binary": lambda: task_of(base()),
    "regression": lambda: task_of(base(kind="regression")),
    "few rows": lambda: task_of(base(60, 1)),
    "many classes": lambda: task_of(base(1500, 2, "20")),
    "wide noise": _wide,
    "gaps and constants": _gaps,
    "one column": lambda: task_of(base(400, 3)[["score", "y"]]),
    "groups kept together": _groups_kept_together,
    "in time": _in_time,
    "weather": _weather,
    "season": _season,
    "dates": _dates,
    "texts": _texts,
    "identifiers": _identifiers,
    "categories only": _categories_only,
    "one strong column": _one_strong,
    "made classes": _made("classification", n_samples=500, n_features=20, n_informative=5),
    "made amounts": _made("regression", n_samples=300, n_features=30, noise=5.0),
    "made exact amounts": _made("regression", n_samples=300, n_features=30, n_informative=10),
    "friedman": _made("friedman1", n_samples=400, noise=1.0),
    "moons": _made("moons", n_samples=400, noise=0.25),
    "blobs": _made("blobs", n_samples=400, centers=4, n_features=5),
    "far classes": _made("classification", n_samples=400, n_features=10, class_sep=2.0),
    "rare class": _made("classification", n_samples=2000, weights=[0.96], n_features=12),
}
"""Tables without a leak, by name."""


def _with_column(make: Callable[[pd.DataFrame, np.random.Generator], Any], kind: str = "binary"):
    """A table with one more column `leak`, made of the frame."""

    def task() -> Task:
        frame = base(kind=kind)
        return task_of(frame.assign(leak=make(frame, np.random.default_rng(42))))

    return task


def _is_yes(frame: pd.DataFrame) -> np.ndarray:
    return (frame["y"] == "yes").to_numpy()


def _flag(frame: pd.DataFrame, rng: np.random.Generator) -> Any:
    return np.where(rng.random(len(frame)) < 0.04, ~_is_yes(frame), _is_yes(frame)).astype(int)


def _note(frame: pd.DataFrame, rng: np.random.Generator) -> Any:
    return [
        " ".join([*rng.choice(WORDS, 7), "cancelled" if yes else "kept", *rng.choice(WORDS, 4)])
        for yes in _is_yes(frame)
    ]


def _closed(frame: pd.DataFrame, rng: np.random.Generator) -> Any:
    days = pd.to_datetime("2021-01-01") + pd.to_timedelta(rng.integers(0, 500, len(frame)), "D")
    return days.to_series().where(_is_yes(frame)).to_numpy()


def _later_date(frame: pd.DataFrame, rng: np.random.Generator) -> Any:
    days = rng.integers(0, 300, len(frame)) + np.where(_is_yes(frame), 330, 0)
    return (pd.to_datetime("2021-01-01") + pd.to_timedelta(days, "D")).strftime("%Y-%m-%d")


def _sorted_identifier() -> Task:
    frame = base().sort_values("y", kind="stable").reset_index(drop=True)
    return task_of(frame.assign(record_id=[f"R{i:06d}" for i in range(len(frame))]))


def _split(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    n = len(frame)
    ends = [0, int(0.6 * n), int(0.8 * n), int(0.85 * n), n]
    names = ("train", "valid", "calibration", "test")
    return {
        s: frame.iloc[a:b].reset_index(drop=True)
        for s, a, b in zip(names, ends, ends[1:], strict=False)
    }


def _sorted_rows() -> Task:
    parts = _split(base())
    return task_of({s: f.sort_values("y", kind="stable") for s, f in parts.items()})


def _same_rows() -> Task:
    parts = _split(base())
    copies = parts["valid"].iloc[:25]
    return task_of({**parts, "train": pd.concat([parts["train"], copies], ignore_index=True)})


def _relabelled_rows() -> Task:
    parts = _split(base())
    copies = parts["valid"].iloc[:40].copy()
    copies["y"] = np.where(copies["y"] == "yes", "no", "yes")
    return task_of({**parts, "train": pd.concat([parts["train"], copies], ignore_index=True)})


def _noisy_copies() -> Task:
    rng = np.random.default_rng(1)
    frame = base(400)
    copies = frame.copy()
    for name in ("income", "height", "score"):
        copies[name] *= 1 + rng.normal(0, 1e-4, len(frame))
    return task_of(pd.concat([frame, copies], ignore_index=True))


def _noisy_images() -> Task:
    from sklearn.datasets import load_digits

    raw = load_digits()
    rng = np.random.default_rng(1)
    images = raw.images[:500].astype(np.float32)
    noisy = np.clip(images + rng.normal(0, 0.05, images.shape), 0, 16).astype(np.float32)
    return task_of((np.concatenate([images, noisy]), np.tile(raw.target[:500], 2)))


def _reworded_texts() -> Task:
    rng = np.random.default_rng(2)
    words = [f"w{i}" for i in range(400)]
    texts = [" ".join(rng.choice(words, 20)) for _ in range(300)]
    again = [t.upper().replace(" ", "  ") + "." for t in texts]
    labels = rng.integers(0, 2, 300)
    return task_of(pd.DataFrame({"text": texts + again, "y": np.tile(labels, 2)}))


def _patients(name: str = "patient_id", text: bool = False) -> Task:
    rng = np.random.default_rng(5)
    n = 80
    patient = np.repeat(np.arange(n), 8)
    risk = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            name: [f"P{i:04d}" for i in patient] if text else patient,
            "pulse": 0.3 * risk[patient] + rng.normal(0, 1, n * 8),
            "pressure": rng.normal(size=n * 8),
            "y": (risk[patient] + rng.normal(0, 0.4, n * 8) > 0).astype(int),
        }
    )
    return task_of(frame.sample(frac=1, random_state=0))


def _backward() -> Task:
    frame = base(600, 6).assign(day=pd.date_range("2024-01-01", periods=600, freq="D"))
    parts = _split(frame.iloc[::-1])
    return task_of(parts, times="day")


def _backward_column() -> Task:
    frame = base(600, 6).assign(day=pd.date_range("2024-01-01", periods=600, freq="D"))
    return task_of(_split(frame.iloc[::-1]))


def _drift_cut_at_random() -> Task:
    rng = np.random.default_rng(6)
    days = pd.date_range("2024-01-01", periods=800, freq="D")
    level = np.cumsum(rng.normal(size=800))
    frame = pd.DataFrame({"day": days, "x": rng.normal(size=800)})
    return task_of(frame.assign(y=level + 0.3 * frame["x"] + rng.normal(0, 0.5, 800)))


def _mean_targets_of_all() -> Task:
    frame = _shops()
    frame["shop_mean"] = frame.groupby("shop")["y"].transform("mean")
    return task_of(frame)


def _mean_targets_of_train() -> Task:
    parts = _split(_shops(signal=0.0))
    means = parts["train"].groupby("shop")["y"].mean()
    return task_of(
        {s: f.assign(shop_mean=f["shop"].map(means).fillna(0.5)) for s, f in parts.items()}
    )


def _shops(n: int = 1500, signal: float = 0.4) -> pd.DataFrame:
    rng = np.random.default_rng(12)
    shop = rng.integers(0, 250, n)
    effect = rng.normal(size=250)
    x = rng.normal(size=(n, 3))
    y = (signal * effect[shop] + 0.5 * x[:, 0] + rng.normal(size=n) > 0).astype(int)
    return pd.DataFrame(x).add_prefix("x").assign(shop=[f"shop {i}" for i in shop], y=y)


def _shifted() -> Task:
    parts = _split(base())
    parts["valid"] = parts["valid"].assign(score=parts["valid"]["score"] + 1.5)
    return task_of(parts)


def _total() -> Task:
    rng = np.random.default_rng(13)
    frame = base(kind="regression").drop(columns="y")
    frame = frame.assign(price=rng.gamma(2, 5, 600), tax=rng.gamma(2, 1, 600))
    return task_of(frame.assign(y=frame["price"] + frame["tax"]))


LEAKY: dict[str, tuple[Callable[[], Task], tuple[str, ...]]] = {
    "flag after the fact": (_with_column(_flag), ("predicts_target",)),
    "noisy amount": (
        _with_column(lambda f, r: f["y"] + r.normal(0, 0.15 * f["y"].std(), len(f)), "regression"),
        ("predicts_target",),
    ),
    "category": (
        _with_column(
            lambda f, r: np.where(r.random(len(f)) < 0.05, "open", np.where(_is_yes(f), "x", "z"))
        ),
        ("predicts_target",),
    ),
    "copy as text": (
        _with_column(lambda f, r: np.where(_is_yes(f), "J", "N")),
        ("copies_target",),
    ),
    "log of the amount": (
        _with_column(lambda f, r: np.log(f["y"] - f["y"].min() + 1), "regression"),
        ("copies_target",),
    ),
    "class number": (
        _with_column(lambda f, r: f["y"].str[5:].astype(int) * 3 + 7, "6"),
        ("copies_target",),
    ),
    "word in a text": (_with_column(_note), ("predicts_target", "copies_target")),
    "filled after the fact": (
        _with_column(_closed),
        ("missing_predicts_target", "copies_target"),
    ),
    "date after the fact": (_with_column(_later_date), ("predicts_target", "copies_target")),
    "total of two": (_total, ("combines_to_target",)),
    "sorted identifier": (
        _sorted_identifier,
        ("identifier_predicts_target", "predicts_target", "copies_target"),
    ),
    "sorted rows": (_sorted_rows, ("row_order_predicts_target",)),
    "same rows": (_same_rows, ("same_rows",)),
    "same rows with other labels": (_relabelled_rows, ("contradicting_labels",)),
    "noisy copies": (_noisy_copies, ("near_duplicates",)),
    "noisy images": (_noisy_images, ("near_duplicates",)),
    "reworded texts": (_reworded_texts, ("near_duplicates",)),
    "patients": (_patients, ("groups_on_both_sides",)),
    "codes of patients": (lambda: _patients("who", text=True), ("groups_on_both_sides",)),
    "backward in time": (_backward, ("time_backward",)),
    "backward by a column": (_backward_column, ("time_backward",)),
    "drift cut at random": (_drift_cut_at_random, ("time_backward",)),
    "mean targets of all": (_mean_targets_of_all, ("encoded_with_targets",)),
    "mean targets of train": (_mean_targets_of_train, ("stronger_on_train",)),
    "shifted": (_shifted, ("different_distribution",)),
}
"""Tables with a leak, each with the kinds of which one must be found."""
