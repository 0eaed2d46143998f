"""Tasks: arrays, datasets, models, metrics and options of `make_task` that do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from hypothesis import strategies as st
from torch import nn

import workbench as wb
from tests.generated.checker import attempt, require
from tests.generated.values import ANY, ODD, TEXT, same
from workbench.data.rows import Rows
from workbench.metrics import METRICS

__all__ = ["CASES", "try_case"]

N = 120
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)

INPUTS: dict[str, Callable[[], Any]] = {
    "floats": lambda: X,
    "float64": lambda: X.astype(np.float64),
    "narrow": lambda: X[:, :3],
    "vector": lambda: X[:, 0],
    "images": lambda: RNG.random((N, 1, 4, 4)).astype(np.float32),
    "integers": lambda: (X * 10).astype(np.int64),
    "missing": lambda: np.where(X > 1, np.nan, X),
    "infinite": lambda: np.where(X > 1, np.inf, X),
    "constant": lambda: np.zeros_like(X),
    "huge": lambda: X * np.float32(1e38),
    "texts": lambda: np.array([["a"] * 6] * N),
    "objects": lambda: np.array([[object()] * 6] * N),
    "bytes": lambda: np.array([[b"\xff"] * 6] * N),
    "records": lambda: np.zeros(N, [("a", "f4"), ("b", "i4")]),
    "complex": lambda: X.astype(complex),
    "short": lambda: X[:-1],
    "empty": lambda: X[:0],
    "no columns": lambda: X[:, :0],
    "scalar": lambda: np.float32(1),
    "list": lambda: X.tolist(),
    "ragged": lambda: [[0.0] * (i % 3) for i in range(N)],
    "texts in a list": lambda: [f"a text {i}" for i in range(N)],
    "tensor": lambda: torch.tensor(X),
    "needs grad": lambda: torch.tensor(X, requires_grad=True),
    "meta": lambda: torch.empty(N, 6, device="meta"),
    "sparse": lambda: torch.tensor(X).to_sparse(),
    "mapping": lambda: {"x": X},
    "two": lambda: {"x": X, "z": X[:, :2]},
    "numbered": lambda: {0: X},
    "empty mapping": lambda: {},
    "masked": lambda: np.ma.masked_greater(X, 1),
    "frame": lambda: pd.DataFrame(X),
    "dates": lambda: np.full((N, 6), np.datetime64("2026-01-01")),
    "None": lambda: None,
}
TARGETS: dict[str, Callable[[], Any]] = {
    "two classes": lambda: Y,
    "three classes": lambda: np.arange(N) % 3,
    "floats": lambda: X[:, 1],
    "text": lambda: np.array(["no", "yes"])[Y],
    "booleans": lambda: Y == 1,
    "one class": lambda: np.zeros(N, int),
    "column": lambda: Y[:, None],
    "one hot": lambda: np.eye(2)[Y],
    "many labels": lambda: (X[:, :3] > 0).astype(int),
    "matrix": lambda: X[:, :2],
    "negative": lambda: Y - 1,
    "huge": lambda: Y * 10**15,
    "beyond 64 bits": lambda: [10**30, 0] * (N // 2),
    "from one": lambda: Y + 1,
    "all different": lambda: np.arange(N),
    "missing": lambda: np.where(Y == 1, np.nan, 0.0),
    "None among": lambda: [None if i % 9 == 0 else int(i % 2) for i in range(N)],
    "mixed": lambda: [("a", 1)[i % 2] for i in range(N)],
    "infinite": lambda: np.where(Y == 1, np.inf, 0.5),
    "dates": lambda: np.arange(N).astype("datetime64[D]"),
    "lists": lambda: [[1]] * N,
    "ragged": lambda: [[1] * (i % 3) for i in range(N)],
    "objects": lambda: [object()] * N,
    "complex": lambda: Y * 1j,
    "rare class": lambda: np.where(np.arange(N) == 5, 2, Y),
    "short": lambda: Y[:-2],
    "empty": lambda: Y[:0],
    "scalar": lambda: 1,
    "None": lambda: None,
}


class Odd(nn.Module):
    """A network that fits six inputs and two classes, and gives something else."""

    def __init__(self, gives: str) -> None:
        super().__init__()
        self.gives, self.layer = gives, nn.Linear(6, 2)
        if gives == "nan weights":
            nn.init.constant_(self.layer.weight, float("nan"))

    def forward(self, x: torch.Tensor) -> Any:
        y = self.layer(x)
        return {
            "raises": lambda: _raise(),
            "none": lambda: None,
            "text": lambda: "text",
            "number": lambda: 3.0,
            "numpy": lambda: y.detach().numpy(),
            "list": lambda: [y],
            "tuple": lambda: (y, y[:, :1]),
            "empty tuple": lambda: (),
            "dict": lambda: {"features": y[:, :1], "logits": y},
            "empty dict": dict,
            "odd dict": lambda: {1: y, None: y},
            "one row": lambda: y[:1],
            "no rows": lambda: y[:0],
            "scalar": lambda: y.sum(),
            "deep": lambda: y[:, None, None],
            "nan": lambda: y * float("nan"),
            "complex": lambda: y.to(torch.complex64),
            "integers": lambda: y.long(),
            "nan weights": lambda: y,
            "nested": lambda: (({"a": (y,)},),),
        }[self.gives]()


def _raise(*_: Any, **__: Any) -> Any:
    raise LookupError("of the user's own code")


def _fitted(width: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(np.resize(X, (N, width)), Y)


def _estimator(name: str) -> Any:
    from sklearn import cluster, decomposition, linear_model, svm

    return {
        "regressor": linear_model.LinearRegression,
        "clusters": cluster.KMeans,
        "reduces": decomposition.PCA,
        "one class": svm.OneClassSVM,
    }[name]()


MODELS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "net": lambda: nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)),
    "wide": lambda: nn.Linear(9, 2),
    "three outputs": lambda: nn.Linear(6, 3),
    "one output": lambda: nn.Linear(6, 1),
    "lazy": lambda: nn.LazyLinear(2),
    "empty": lambda: nn.Sequential(),
    "embedding": lambda: nn.Embedding(5, 2),
    "convolution": lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.LazyLinear(2)),
    "lstm": lambda: nn.LSTM(6, 2),
    "softmax": lambda: nn.Sequential(nn.Linear(6, 2), nn.Softmax(-1)),
    "double": lambda: nn.Linear(6, 2).double(),
    "half": lambda: nn.Linear(6, 2).half(),
    "on meta": lambda: nn.Linear(6, 2, device="meta"),
    "scripted": lambda: torch.jit.script(nn.Linear(6, 2)),
    "state": lambda: nn.Linear(6, 2).state_dict(),
    "list of layers": lambda: [nn.Linear(6, 2)],
    "class": lambda: nn.Linear,
    "builder": lambda: lambda: nn.Linear(6, 2),
    "builder of inputs": lambda: lambda n_in: nn.Linear(n_in, 2),
    "builder of two": lambda: lambda n, m: nn.Linear(n, m),
    "builder that raises": lambda: _raise,
    "builder with inputs that raises": lambda: lambda n_in: _raise(),
    "builder of None": lambda: lambda: None,
    "builder of inputs of None": lambda: lambda n_in: None,
    "fitted": lambda: _fitted(6),
    "fitted on others": lambda: _fitted(4),
    "estimator class": lambda: type(_fitted(6)),
    **{
        name: lambda name=name: _estimator(name)
        for name in ("regressor", "clusters", "reduces", "one class")
    },
    **{
        f"gives {what}": lambda what=what: Odd(what)
        for what in (
            "raises",
            "none",
            "text",
            "number",
            "numpy",
            "list",
            "tuple",
            "empty tuple",
            "dict",
            "empty dict",
            "odd dict",
            "one row",
            "no rows",
            "scalar",
            "deep",
            "nan",
            "complex",
            "integers",
            "nan weights",
            "nested",
        )
    },
}


class Raising:
    """A dataset that raises at its fifth row."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, i: int) -> Any:
        return (X[i], Y[i]) if i != 5 else _raise()


class Endless(torch.utils.data.IterableDataset):
    """An iterable dataset that raises at its fifth row."""

    def __iter__(self) -> Iterator[Any]:
        for i in range(N):
            yield (X[i], Y[i]) if i != 5 else _raise()


def _loader(data: Any, **options: Any) -> Any:
    return torch.utils.data.DataLoader(data, **options)


def _set(x: Any = X, y: Any = Y) -> Any:
    return torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))


# Wholes in place of a pair of inputs and targets.
WHOLES: dict[str, Callable[[], Any]] = {
    "dataset": lambda: _set(),
    "loader": lambda: _loader(_set(), batch_size=16),
    "loader without batches": lambda: _loader(_set(), batch_size=None),
    "loader of an empty set": lambda: _loader(_set(X[:0], Y[:0])),
    "collate raises": lambda: _loader(_set(), batch_size=16, collate_fn=_raise),
    "collate gives None": lambda: _loader(_set(), batch_size=16, collate_fn=lambda rows: None),
    "collate gives text": lambda: _loader(_set(), batch_size=16, collate_fn=lambda rows: "x"),
    "dataset raises": Raising,
    "iterable raises": Endless,
    "generator": lambda: ((x, y) for x, y in zip(X, Y, strict=True)),
    "empty generator": lambda: iter(()),
    "generator raises": lambda: (_raise() for _ in range(3)),
    "generator of None": lambda: (None for _ in range(9)),
    "list of pairs": lambda: list(zip(X, Y, strict=True)),
    "list of mappings": lambda: [{"x": x, "label": y} for x, y in zip(X, Y, strict=True)],
    "list of unequal pairs": lambda: [
        (x[: i % 5 + 1], y) for i, (x, y) in enumerate(zip(X, Y, strict=True))
    ],
    "list of nothing": lambda: [],
    "list of triples": lambda: [(1,), (2, 3), (4, 5, 6)],
    "mapping": lambda: {"x": X, "labels": Y},
    "mapping without targets": lambda: {"x": X},
    "mapping of two targets": lambda: {"x": X, "label": Y, "target": Y},
    "Rows": lambda: Rows({"x": X}, Y),
    "array": lambda: X,
    "tensor": lambda: torch.tensor(X),
    "single": lambda: (X,),
    "three": lambda: (X, X[:, :2], Y),
    "path": lambda: "missing.csv",
    "folder": lambda: ".",
    "None": lambda: None,
    "number": lambda: 3,
    "class": lambda: Raising,
    "function": lambda: _raise,
    "module": lambda: nn.Linear(6, 2),
}


def _metric_shape(outputs: Any, targets: Any) -> Any:
    return np.zeros((2, 2))


METRIC_VALUES: tuple[Any, ...] = (
    *METRICS, "acuracy", "", [], ["accuracy", "accuracy"], ["accuracy", "mae"], _raise,
    lambda o, t: 1.0, lambda o, t: "x", lambda o, t: None, lambda o, t: np.nan, lambda: 1.0,
    _metric_shape, lambda o, t: (o.argmax(-1) == t), 3, {"accuracy"}, ("mse",), len,
)  # fmt: skip


def _among(*values: Any) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(values), ANY)


KINDS = ("classification", "binary", "multilabel", "regression", "custom", "classifier")
OUTPUTS = ("logits", "probabilities", "values", "label_probabilities", "logit")
CLASSES = (
    [], ["a"], ["a", "b"], ["a", "a"], [0, 1], [1, 0], ["no", "yes"], "ab", 2, {"a", "b"},
    ["a", "b", "c"], [None, None], [1.5, 2],
)  # fmt: skip
NAMED_TIMES = ("count", "equal", "short", "dates", "texts", "missing", "matrix", "mixed")
MORE: dict[str, st.SearchStrategy[Any]] = {
    "kind": _among(*KINDS),
    "classes": _among(*CLASSES),
    "metric": _among(*METRIC_VALUES),
    "output": _among("logits", "y", 0, 1, -1, 99, 0.0, True),
    "outputs": _among(*OUTPUTS),
    "loss": _among(
        nn.CrossEntropyLoss(),
        nn.functional.mse_loss,
        _raise,
        lambda o, t: 1.0,
        lambda o, t: o,
        lambda o: o.sum(),
    ),
    "train_step": _among(_raise, lambda m, x, y: None),
    "prepare": _among(
        _raise,
        lambda rows: rows,
        lambda rows: None,
        lambda rows: {},
        lambda rows: {"x": rows},
        dict,
    ),
    "augment": _among(_raise),
    "reword": _among(_raise),
    "times": st.one_of(
        st.sampled_from(("a", "label")),
        st.sampled_from(NAMED_TIMES).map(lambda name: ("times", name)),
        ANY,
    ),
    "seed": _among(0, 1, -1, 2**32 - 1, 2**32, 10**30, 1.5, "1", None, True),
    "models": _among(
        {"a": _raise},
        {"a": lambda: nn.Linear(6, 2)},
        {"a": 3},
        [],
        ["a"],
        {1: nn.Linear},
        {"a": None},
    ),
    "target": _among("label", ["a", "b"]),
}
TIMES: dict[str, Callable[[], Any]] = {
    "count": lambda: np.arange(N),
    "equal": lambda: np.zeros(N),
    "short": lambda: np.arange(N - 1),
    "dates": lambda: pd.date_range("2026-01-01", periods=N),
    "texts": lambda: [f"t{i}" for i in range(N)],
    "missing": lambda: np.where(Y == 1, np.nan, 1.0),
    "matrix": lambda: X,
    "mixed": lambda: [("a", 1, None)[i % 3] for i in range(N)],
}


@dataclass(frozen=True)
class Case:
    """Names of data and model in the tables above, and further arguments of `make_task`."""

    train: Any
    model: str = "net"
    others: tuple[tuple[str, Any], ...] = ()
    more: tuple[tuple[str, Any], ...] = ()
    name: Any = "t"


PAIR = st.one_of(
    st.just(("floats", "two classes")),
    st.tuples(st.sampled_from(tuple(INPUTS)), st.just("two classes")),
    st.tuples(st.just("floats"), st.sampled_from(tuple(TARGETS))),
    st.tuples(st.sampled_from(tuple(INPUTS)), st.sampled_from(tuple(TARGETS))),
)
DATA = st.one_of(PAIR, PAIR, st.sampled_from(tuple(WHOLES)))
OTHERS = st.lists(
    st.tuples(st.sampled_from(("valid", "test", "calibration")), DATA), max_size=2
).map(tuple)
MORES = st.lists(
    st.sampled_from(tuple(MORE)).flatmap(lambda name: st.tuples(st.just(name), MORE[name])),
    max_size=2,
).map(tuple)
CASES = st.builds(
    Case,
    DATA,
    st.one_of(st.just("net"), st.just("none"), st.sampled_from(tuple(MODELS))),
    st.one_of(st.just(()), OTHERS),
    st.one_of(st.just(()), MORES, MORES),
    st.one_of(st.just("t"), st.just("t"), st.just("t"), TEXT, ODD),
)


def try_case(case: Case) -> str:
    """Make the task; one that is accepted says what it was told."""
    arguments: dict[str, Any] = {"train": _made(case.train), "model": MODELS[case.model]()}
    arguments |= {split: _made(data) for split, data in case.others}
    for name, value in case.more:
        is_named = name == "times" and isinstance(value, tuple) and value[:1] == ("times",)
        arguments[name] = TIMES[value[1]]() if is_named else value
    ended = attempt(lambda: wb.make_task(case.name, **arguments))
    if ended.refusal is not None:
        return "refused"
    _check(ended.value, case, arguments)
    return "accepted"


def _made(data: Any) -> Any:
    return (INPUTS[data[0]](), TARGETS[data[1]]()) if isinstance(data, tuple) else WHOLES[data]()


def _check(task: Any, case: Case, arguments: dict[str, Any]) -> None:
    """Raise Silent for an argument that was given, and that the task does not hold."""
    require(same(case.name, task.name), "name", case.name, task.name)
    if arguments.get("kind") is not None:
        require(
            task.kind == arguments["kind"],
            "kind",
            arguments["kind"],
            task.kind,
        )
    for name in ("loss", "train_step", "augment", "reword", "output"):
        if name in arguments:
            got = getattr(task, name)
            require(
                got is arguments[name] or same(arguments[name], got),
                name,
                arguments[name],
                got,
            )
    for name in ("loss", "train_step", "augment", "reword"):
        given = arguments.get(name)
        require(given is None or callable(given), name, given)
    if isinstance(arguments.get("metric"), str):
        require(
            task.metric.name == arguments["metric"],
            "metric",
            arguments["metric"],
            task.metric.name,
        )
    if arguments.get("outputs") is not None and task.start is not None:
        require(
            task.start.outputs == arguments["outputs"],
            "outputs",
            arguments["outputs"],
            task.start.outputs,
        )
    if isinstance(arguments.get("classes"), (list, tuple)) and arguments["classes"]:
        n = len(arguments["classes"])
        require(
            len(task.classes) == n,
            "classes",
            arguments["classes"],
            task.classes,
        )
    for split in dict(case.others):
        require(
            split in task.data.named(),
            "split",
            split,
        )
