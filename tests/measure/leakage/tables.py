"""Tables with and without leaks, as frames with a column `y` or as tasks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from workbench.task import Task
from workbench.tasks.make import make_task

__all__ = ["CLEAN", "base", "task_of"]

WORDS = "ship late price order good bad room street water light table green north river".split()


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
    return task_of((raw.images.astype(np.float32), raw.target))


def _wide() -> Task:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(100, 2000))).add_prefix("gene")
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
            id=np.arange(500), code=[f"C{i:05d}" for i in rng.permutation(500)], zip=rng.integers(1000, 9000, 500)
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
    "rare class": _made("classification", n_samples=2000, weights=[0.96], n_features=12),
}
"""Tables without a leak, by name."""
