"""The front doors: make_task() turns what a user has - a model and data in whatever shape - into a Task.

    arrays, datasets, loaders, DataFrames  ->  Rows  ->  labels numbered  ->  splits cut  -.
    module, function, estimator, ONNX file, reference  ->  builders and start candidate  ---+->  checked Task
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.checks import check_task, outputs_of, row_hashes
from workbench.data.prepare import Columns
from workbench.data.rows import SPLIT_NAMES, AnyRows, DatasetRows, Rows, Splits, named_batch
from workbench.errors import DataError, TaskError, WorkbenchError, all_of, unknown
from workbench.metrics import BY_KIND, METRICS, Metric, metric_named
from workbench.models.estimators import as_features, is_estimator, is_fitted, unfitted
from workbench.references import resolve
from workbench.task import Candidate, Form, Kind, Task

__all__ = ["infer_kind", "make_task"]

SHARES = {"valid": 0.20, "calibration": 0.05, "test": 0.15}  # of the train rows given; the rest stays train
ENOUGH_CALIBRATION = 64  # rows; small data give up to a tenth of their rows to get there
MOST_CLASSES = 1000


def make_task(
    name: str, *, model: Any = None, train: Any, valid: Any = None, calibration: Any = None, test: Any = None,
    target: str | list[str] | None = None, kind: Kind | None = None, classes: Iterable[Any] | None = None,
    loss: Callable[..., Any] | None = None, metric: Any = None, train_step: Callable[..., Any] | None = None,
    prepare: Any = None, augment: Callable[..., Any] | None = None, times: Any = None, seed: int = 0,
    outputs: str | None = None,
) -> Task:  # fmt: skip
    """A checked Task, with its start candidate if the model is trained, from what a user has.

    Data (`train`, and `valid`, `calibration`, `test` where there are any), each one of
      - `(x, y)`: arrays or tensors; `x` may be a mapping of named arrays or a DataFrame, `(x1, x2, y)` works too;
      - a DataFrame with `target="column"`, or a list of columns for several labels a row;
      - a map-style torch Dataset, or a DataLoader (its dataset and collate function are used, not its sampler), whose
        batches are tuples `(inputs, ..., targets)` or mappings with `labels`, `target` or `y`;
      - an iterable dataset, or a loader of one: read into memory, once;
      - `Rows`.
    Splits not given are cut from train: 20 % valid, 15 % test, 5 % calibration (up to 10 % in small data, to reach 64
    rows), 60 % or more stay train. The cut is decided by `seed`, stratified by class, and keeps identical rows together.
    With `times` (an array for train, or a DataFrame's column, which is then no input) the latest rows are test, and rows
    of one time are never parted. Splits that are given are never touched.

    `kind` is inferred (see `infer_kind`). Text labels become 0..n-1, in the order of `classes`, of a fitted classifier's
    own `classes_`, or of the alphabet. `classes` otherwise names the classes.

    `model`: a torch module (trained; a builder `untrained` is made too if all its layers can be reset); a function without
    arguments that makes an untrained one, or with one argument, the number of inputs (dimension 1 of the first prepared
    array); a scikit-learn-style estimator, fitted or not, which gets rows as it was trained on; the path or the bytes of
    an ONNX file; `package.module:function`; or None. A DataFrame for a torch model without `prepare` is prepared by
    `Columns`, fitted on train; a network trained on columns prepared otherwise needs its own `prepare`.

    `metric`: names, Metrics, or functions `(outputs, targets) -> float or (rows,)`, of which larger is better unless they
    have an attribute `higher_is_better = False`; the first decides. `outputs` says what a trained model gives, `logits`,
    `probabilities` or `values`; it is found out for ONNX files that give probabilities.

    Raises DataError or TaskError with all problems that were found, UnknownName for names nobody knows.
    """
    given = _model_of(model)
    if given.form == "sklearn" and prepare is not None:
        raise TaskError("An estimator takes its rows as they are: put what `prepare` does into a scikit-learn Pipeline.")
    read = {n: d for n, d in zip(SPLIT_NAMES, (train, valid, calibration, test), strict=True) if d is not None}
    rows = _read_all(read, target, times)
    rows = {n: _columns_for(given, r) if prepare is None else r for n, r in rows.items()}
    targets, known = np.asarray(rows["train"].targets), tuple(classes or ())
    _refuse_missing(targets)
    kind = kind or _kind_of(given, targets, known)
    coding = _coding(kind, targets, known, given.instance)
    rows = _coded(rows, coding)
    names = coding.names or (tuple(target) if isinstance(target, list) else ())
    splits = _cut(rows, kind, seed, None if times is None or isinstance(times, str) else np.asarray(times))
    if isinstance(prepare, type) and hasattr(prepare, "fitted"):
        prepare = prepare.fitted(splits.train)
    elif prepare is None and given.form == "torch" and (hasattr(train, "iloc") or _is_table_pair(train)):
        prepare = Columns.fitted(splits.train)
    if kind == "custom" and not (metric and (loss or train_step or given.form in ("onnx", "sklearn"))):
        raise TaskError("A task of kind `custom` needs `metric=`, and `loss=` or `train_step=`: the usual ones do not fit it.")
    task = Task(name, kind, splits, (), prepare=prepare, loss=loss, train_step=train_step, augment=augment, classes=names)
    task = given.fill(task, outputs)
    task = replace(task, metrics=_metrics(metric, task))
    check_task(task)
    return task


def infer_kind(targets: np.ndarray) -> Kind:
    """The kind of task that targets `(rows, ...)` speak of.

    0 and 1 alone, or any two labels: binary; other floats: regression; whole numbers and text: classification; several
    columns of 0 and 1: multilabel, of other floats: regression; all else: custom. Raises DataError when whole numbers or
    texts have so many values that they are hardly classes.
    """
    targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    floating = targets.dtype.kind == "f"
    if targets.ndim == 2 and (floating or targets.dtype.kind in "biu"):
        if np.isin(targets, (0, 1)).all():
            return "multilabel"
        return "regression" if floating else "custom"
    if targets.ndim != 1:
        return "custom"
    values = set(targets.tolist())
    if floating:
        return "binary" if values == {0.0, 1.0} else "regression"
    if len(values) > MOST_CLASSES or len(values) > max(30, len(targets) // 5):
        raise DataError(
            f"The targets have {len(values):,} different values in {len(targets):,} rows: say `kind='regression'` or "
            "`kind='classification'`."
        )
    return "binary" if len(values) == 2 else "classification"


# ---- data ----


def _read_all(data: Mapping[str, Any], target: Any, times: Any) -> dict[str, AnyRows]:
    rows, problems = {}, []
    for split, given in data.items():
        try:
            rows[split] = _read(given, target, times if isinstance(times, str) else None)
            if not len(rows[split]):
                problems.append(f"`{split}` is empty")
        except WorkbenchError as error:
            problems.append(f"`{split}`: {error}")
    if problems:
        raise DataError(all_of(problems, "The data cannot be read"))
    return rows


def _read(data: Any, target: Any, time_column: str | None) -> AnyRows:
    if isinstance(data, (Rows, DatasetRows)):
        return data
    if hasattr(data, "iloc"):
        return _from_frame(data, target, time_column)
    if time_column is not None:
        raise DataError(f"`times={time_column!r}` names a column, and this is no DataFrame: give an array, one time a row.")
    samples = isinstance(data, list) and bool(data) and isinstance(data[0], (tuple, Mapping))
    if isinstance(data, (tuple, Mapping)) or (isinstance(data, list) and not samples):
        if _is_table_pair(data):
            return Rows(_columns(data[0]), np.asarray(data[1]))
        return Rows(*named_batch(data, ()))
    loader = hasattr(data, "dataset") and hasattr(data, "collate_fn")
    dataset = data.dataset if loader else data
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not hasattr(dataset, "shape"):
        batched = loader and data.batch_size is not None  # without a batch size, a loader's collate takes one sample
        return DatasetRows(dataset, (), data.collate_fn if batched else None)
    if hasattr(data, "__iter__") and not hasattr(data, "shape"):
        return _from_iterable(data, loader)
    raise DataError(
        f"{type(data).__name__} holds no targets: give a tuple (x, y), a mapping, a Dataset, a DataLoader, a DataFrame "
        "with `target=`, or Rows."
    )


def _is_table_pair(data: Any) -> bool:
    """Whether this is `(DataFrame, targets)`, as scikit-learn's users write it."""
    return isinstance(data, (tuple, list)) and len(data) == 2 and hasattr(data[0], "iloc")


def _from_frame(frame: Any, target: Any, time_column: str | None) -> Rows:
    if target is None:
        raise DataError(f"a DataFrame needs `target=`, the name of a column among {', '.join(map(str, frame.columns))}.")
    labels = [target] if isinstance(target, str) else list(target)
    wanted = labels + ([time_column] if time_column else [])
    missing = [unknown("column", c, map(str, frame.columns)) for c in wanted if c not in frame.columns]
    if missing:
        raise DataError(" ".join(missing))
    targets = _values(frame[target]) if isinstance(target, str) else np.column_stack([_values(frame[c]) for c in labels])
    return Rows(_columns(frame.drop(columns=wanted)), targets, frame[time_column].to_numpy() if time_column else None)


def _columns(frame: Any) -> dict[str, np.ndarray]:
    return {str(name): _values(frame[name]) for name in frame.columns}


def _values(column: Any) -> np.ndarray:
    """A column `(rows,)` in a type of numpy's own: missing numbers as NaN, texts as objects."""
    from pandas.api import types

    if types.is_numeric_dtype(column.dtype) and not isinstance(column.dtype, np.dtype):
        missing = bool(column.isna().any())
        return column.to_numpy(np.float64, na_value=np.nan) if missing else column.to_numpy(column.dtype.numpy_dtype)
    return column.to_numpy()


def _from_iterable(data: Any, loader: bool) -> Rows:
    from torch.utils.data import DataLoader

    batches = [named_batch(batch, ()) for batch in (data if loader else DataLoader(data, batch_size=256))]
    if not batches:
        raise DataError("the iterable gave no batch.")
    try:
        inputs = {n: np.concatenate([b[0][n] for b in batches]) for n in batches[0][0]}
        return Rows(inputs, np.concatenate([b[1] for b in batches]))
    except ValueError as error:
        raise DataError(f"the batches of an iterable must have one shape ({error}): pad to one length.") from error


# ---- targets ----


@dataclass(frozen=True)
class _Coding:
    """How targets as given become what losses and metrics take; `values` are labels in order of their number."""

    kind: Kind
    values: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()

    def __call__(self, targets: np.ndarray) -> np.ndarray:
        if self.kind == "custom":
            return targets
        targets = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
        if self.values:
            number = {value: i for i, value in enumerate(self.values)}
            coded = [number.get(value, -1) for value in targets.tolist()]
            if -1 in coded:
                strange = sorted({str(v) for v in targets.tolist() if v not in number})
                raise DataError(f"has labels that are not among {list(self.values)[:20]}: {', '.join(strange[:5])}.")
            return np.asarray(coded, np.int64)
        if self.kind == "regression" or targets.dtype.kind not in "biuf":
            return targets
        whole = targets.astype(np.int64) if np.isfinite(targets).all() else targets
        return whole if np.array_equal(whole, targets) else targets


@dataclass(frozen=True)
class _CodedCollate:
    """A dataset's collate function, its targets coded on the way."""

    coding: _Coding
    rows: DatasetRows

    def __call__(self, samples: list[Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        inputs, targets = self.rows._collated(samples)
        return inputs, self.coding(targets)


def _kind_of(given: _Given, targets: np.ndarray, classes: tuple[Any, ...]) -> Kind:
    if given.instance is not None and given.form == "sklearn":
        from sklearn.base import is_regressor

        if is_regressor(given.instance):
            return "regression"
    kind = infer_kind(targets)
    return "classification" if kind == "binary" and len(classes) > 2 else kind


def _refuse_missing(targets: np.ndarray) -> None:
    missing = [i for i, v in enumerate(targets.tolist()) if v is None or v != v] if targets.ndim == 1 else []
    if missing:
        raise DataError(f"The targets of train miss {len(missing):,} values, the first in row {missing[0]}: drop these rows.")


def _coding(kind: Kind, targets: np.ndarray, classes: tuple[Any, ...], model: Any) -> _Coding:
    if kind not in ("classification", "binary") or targets.ndim > 2:
        return _Coding(kind, (), tuple(map(str, classes)))
    found = set(targets.ravel().tolist())
    learned = getattr(model, "classes_", None)
    for order in (learned.tolist() if isinstance(learned, np.ndarray) else (), classes):
        if len(order) and found <= set(order):
            names = classes if len(classes) == len(order) and set(classes) != set(order) else order
            return _Coding(kind, tuple(order), tuple(map(str, names)))
    if targets.dtype.kind in "biuf":
        return _Coding(kind, (), tuple(map(str, classes)))
    order = tuple(classes or sorted(found, key=lambda v: (type(v).__name__, v)))
    return _Coding(kind, order, tuple(map(str, order)))


def _coded(rows: Mapping[str, AnyRows], coding: _Coding) -> dict[str, AnyRows]:
    coded, problems = {}, []
    for split, given in rows.items():
        try:
            targets = coding(np.asarray(given.targets))
            if isinstance(given, Rows):
                coded[split] = replace(given, targets=targets)
            else:
                coded[split] = _with_targets(replace(given, collate=_CodedCollate(coding, given)), targets)
        except WorkbenchError as error:
            problems.append(f"`{split}` {error}")
    if problems:
        raise DataError(all_of(problems, "The labels cannot be used"))
    return coded


def _with_targets(rows: DatasetRows, targets: np.ndarray) -> DatasetRows:
    """The same rows with their targets known: reading them again is one more pass over the dataset."""
    rows.__dict__["targets"] = targets  # where its cached_property would put them
    return rows


# ---- splits ----


def _cut(rows: Mapping[str, AnyRows], kind: Kind, seed: int, times: np.ndarray | None) -> Splits:
    """All four splits, those not given cut from train."""
    train = rows["train"]
    if times is None:
        times = train.times
    elif len(times) != len(train):
        raise DataError(f"`times` has {len(times):,} values for {len(train):,} train rows: give one a row.")
    elif isinstance(train, Rows):
        train = replace(train, times=times)
    shares = {n: s for n, s in SHARES.items() if n not in rows}
    if not shares:
        return Splits(**{**rows, "train": train})
    if "calibration" in shares:
        shares["calibration"] = max(SHARES["calibration"], min(0.1, ENOUGH_CALIBRATION / len(train)))
    rng = np.random.default_rng(seed)
    if times is not None:
        strata, keys = np.zeros(len(train), np.int64), np.unique(times, return_inverse=True)[1]
    else:
        strata, keys = _strata(np.asarray(train.targets), kind), _grouped(train, rng)
    parts = _parts(strata, keys, shares, stratified=times is None)
    chosen = {n: i if times is not None else rng.permutation(i) for n, i in parts.items()}
    return Splits(**{**rows, **{n: _taken(train, i) for n, i in chosen.items()}})


def _strata(targets: np.ndarray, kind: Kind) -> np.ndarray:
    """What to stratify by, one number a row: the class, or the rarest of a row's labels."""
    if kind == "multilabel":
        by_rarity = np.argsort(targets.sum(axis=0))
        ranked = targets[:, by_rarity] > 0
        return np.where(ranked.any(axis=1), ranked.argmax(axis=1), len(by_rarity))
    return targets if kind in ("classification", "binary") and targets.ndim == 1 else np.zeros(len(targets), np.int64)


def _grouped(rows: AnyRows, rng: np.random.Generator) -> np.ndarray:
    """A random rank a row `(rows,)`, the same for identical rows, so that no copy of a train row lands in test."""
    if not isinstance(rows, Rows):
        return rng.permutation(len(rows))
    _, first, inverse = np.unique(row_hashes(rows), return_index=True, return_inverse=True)
    return rng.permutation(len(rows))[first][inverse]  # by first appearance: hashes differ from process to process


def _parts(strata: np.ndarray, keys: np.ndarray, shares: Mapping[str, float], *, stratified: bool) -> dict[str, np.ndarray]:
    """Row numbers of each split: each stratum in the order of `keys`, cut where a key changes."""
    parts: dict[str, list[np.ndarray]] = {n: [] for n in SPLIT_NAMES if n == "train" or n in shares}
    values, counts = np.unique(strata, return_counts=True)
    for stratum in values:
        index = np.flatnonzero(strata == stratum)
        index = index[np.argsort(keys[index], kind="stable")]
        n, ordered = len(index), keys[index]
        rare = n < 10 <= counts.max()  # calibration can do without a rare class, the others cannot
        least = {s: 0 if s == "calibration" and rare else 1 for s in shares}
        sizes = {s: max(least[s], round(share * n)) for s, share in shares.items()}
        ends = np.cumsum([n - sum(sizes.values()), *sizes.values()])[:-1]
        pieces = dict(zip(parts, np.split(index, [_at_change(ordered, int(e)) for e in ends]), strict=True))
        short = [s for s, piece in pieces.items() if len(piece) < least.get(s, 1)]
        if short:
            what = f"class number {stratum} has {n:,} rows" if stratified and len(values) > 1 else f"{n:,} rows"
            raise DataError(
                f"{what} with {len(np.unique(ordered)):,} different {'rows' if stratified else 'times'} cannot be cut into "
                f"{', '.join(pieces)}: give more rows, leave rare classes out, or give the splits."
            )
        for split, piece in pieces.items():
            parts[split].append(piece)
    return {split: np.concatenate(pieces) for split, pieces in parts.items()}


def _at_change(ordered: np.ndarray, end: int) -> int:
    """The position nearest to `end` at which the sorted keys change."""
    if not 0 < end < len(ordered):
        return max(0, min(end, len(ordered)))
    left, right = (int(np.searchsorted(ordered, ordered[end], side)) for side in ("left", "right"))
    return left if end - left <= right - end else right


def _taken(rows: AnyRows, index: np.ndarray) -> AnyRows:
    if isinstance(rows, Rows):
        return rows.take(index)
    from torch.utils.data import Subset

    return _with_targets(replace(rows, dataset=Subset(rows.dataset, index.tolist())), rows.targets[index])


# ---- models ----


@dataclass(frozen=True)
class _Given:
    """What `model=` was: a trained `instance`, a way to `build` an untrained one, or both."""

    form: Form | None = None
    name: str = "model"
    instance: Any = None
    build: Callable[..., Any] | None = None
    trained: bool = False
    wants_n_in: bool = False

    def fill(self, task: Task, outputs: str | None) -> Task:
        """The task with builders and the candidate to start from."""
        build = self.build
        if self.wants_n_in:
            first = next(iter(task.example(2).values()))
            if first.ndim < 2:
                raise TaskError("`model` wants the number of inputs, and a row is one value: `prepare` must make a matrix.")
            build = partial(self.build, int(first.shape[1]))
        fresh = "untrained" if self.trained else self.name
        task = replace(task, builders={fresh: build} if build else {})
        if not self.trained:
            return task
        prepare = None if self.form == "sklearn" else task.prepare
        usual = "values" if task.kind == "regression" else "logits"
        start = Candidate(self.name, self.form, self.instance, prepare=prepare, outputs=outputs or usual)
        if outputs is None and self.form == "onnx" and _gives_probabilities(start, task):
            start = replace(start, outputs="probabilities")
        return replace(task, start=start)


def _model_of(model: Any) -> _Given:
    """What kind of thing `model` is; raises TaskError for one that is none of them."""
    if model is None:
        return _Given()
    if isinstance(model, str) and ":" in model and not Path(model).exists():
        made = resolve(model)
        given = _model_of(made)
        return replace(given, name=model.rpartition(":")[2].rpartition(".")[2])
    if isinstance(model, (str, Path, bytes)):
        return _onnx(model)
    if hasattr(model, "state_dict") and hasattr(model, "forward") and not isinstance(model, type):
        mine = copy.deepcopy(model).cpu()  # what the user does with the original later must not change the task
        build = partial(_reset, copy.deepcopy(mine)) if _can_reset(mine) else None
        return _Given("torch", type(model).__name__.lower(), mine, build, trained=True)
    if is_estimator(model):
        name, fitted = type(model).__name__.lower(), is_fitted(model)
        return _Given("sklearn", name, copy.deepcopy(model), partial(unfitted, model), trained=fitted)
    if callable(model):
        return _builder(model)
    raise TaskError(
        f"`model` is {type(model).__name__}: give a torch module, a function that makes one, an estimator with `fit` and "
        "`predict`, an ONNX file, or `package.module:function`."
    )


def _onnx(model: str | Path | bytes) -> _Given:
    """The content of an ONNX file in one piece: weights kept in files beside it are taken in."""
    import onnx

    if isinstance(model, bytes):
        return _Given("onnx", "onnx", model, trained=True)
    path = Path(model)
    if not path.is_file():
        raise TaskError(f"`model` names no file {path}, and a reference is written as package.module:function.")
    try:
        content = onnx.load(path).SerializeToString()
    except Exception as error:  # protobuf's own errors
        raise TaskError(f"{path} is no ONNX file: {error}") from error
    return _Given("onnx", path.stem, content, trained=True)


def _builder(function: Callable[..., Any]) -> _Given:
    """A function that makes an untrained model; it is called once to see which form it makes, unless it wants `n_in`."""
    inner = function.func if isinstance(function, partial) else function
    name = getattr(inner, "__name__", type(inner).__name__)
    name = "model" if name == "<lambda>" else name
    needed = _needed(function)
    if len(needed) > 1:
        raise TaskError(f"`{name}` needs {', '.join(needed)}: wrap it, as in `model=lambda: {name}(...)`.")
    if needed:
        return _Given("torch", name, build=function, wants_n_in=True)
    try:
        made = function()
    except Exception as error:  # the user's code
        raise TaskError(f"`{name}` raised {type(error).__name__} when it was called to build the model: {error}") from error
    if not is_estimator(made) and not hasattr(made, "state_dict"):
        kind = type(made).__name__
        raise TaskError(f"`{name}` made {kind}; it must make a torch module, or an estimator with `fit` and `predict`.")
    form: Form = "sklearn" if is_estimator(made) else "torch"
    return _Given(form, name, build=function)


def _needed(function: Callable[..., Any]) -> list[str]:
    """Names of the positional parameters without a default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a builtin without a signature
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _can_reset(model: Any) -> bool:
    """Whether every module that owns parameters knows how to draw them anew."""
    owners = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    return bool(owners) and all(hasattr(m, "reset_parameters") for m in owners)


def _reset(model: Any) -> Any:
    """A copy of a network with all parameters drawn anew."""
    fresh = copy.deepcopy(model)
    for module in fresh.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return fresh.train()


def _columns_for(given: _Given, rows: AnyRows) -> AnyRows:
    """The columns that a fitted estimator knows, in its order; one matrix where it, or an ONNX graph, takes one."""
    if given.form in (None, "torch") or not isinstance(rows, Rows):
        return rows
    if any(np.ndim(a) != 1 for a in rows.inputs.values()):  # images, or several arrays: the matrix that estimators take
        return replace(rows, inputs={"x": as_features(rows.inputs)}) if given.form == "sklearn" else rows
    if not given.trained:
        return rows
    names = getattr(given.instance, "feature_names_in_", None)
    if names is not None:
        missing = [n for n in names if n not in rows.inputs]
        if missing:
            raise TaskError(f"`{given.name}` was fitted on columns that the data lack: {', '.join(missing[:8])}.")
        return replace(rows, inputs={n: rows.inputs[n] for n in names})
    numbers = all(a.dtype.kind in "biuf" for a in rows.inputs.values())
    matrix = len(_graph_inputs(given.instance)) == 1 if given.form == "onnx" else hasattr(given.instance, "n_features_in_")
    if not (numbers and matrix and len(rows.inputs) > 1):
        return rows
    dtype = np.float32 if given.form == "onnx" else np.float64
    return replace(rows, inputs={"x": np.column_stack(list(rows.inputs.values())).astype(dtype)})


def _graph_inputs(content: bytes) -> list[str]:
    import onnx

    graph = onnx.load_from_string(content).graph
    weights = {w.name for w in graph.initializer}
    return [i.name for i in graph.input if i.name not in weights]


def _gives_probabilities(candidate: Candidate, task: Task) -> bool:
    """Whether an ONNX classifier's outputs are shares that sum to one on real rows."""
    try:
        out = outputs_of(candidate, task.example(8, candidate.prepare))
    except Exception:  # it does not run: check_task says why
        return False
    several = task.kind in ("classification", "binary") and out.ndim == 2 and out.shape[1] > 1
    return bool(several and (out >= 0).all() and np.allclose(out.sum(axis=1), 1, atol=1e-3))


# ---- metrics ----


def _metrics(given: Any, task: Task) -> tuple[Metric, ...]:
    """The task's metrics; a user's function is called on a few real rows to see whether it scores each of them."""
    if given is None:
        return tuple(METRICS[n] for n in BY_KIND[task.kind])
    several = list(given) if isinstance(given, (list, tuple)) else [given]
    made, probe = [], None
    for one in several:
        if isinstance(one, Metric):
            made.append(one)
        elif isinstance(one, str):
            made.append(metric_named(one))
        elif callable(one):
            probe = probe or _probe(task)
            made.append(_own_metric(one, *probe))
        else:
            raise TaskError(f"A metric is a name, a Metric or a function (outputs, targets), got {type(one).__name__}.")
    names = [m.name for m in made]
    if len(set(names)) != len(names):
        raise TaskError(f"Two metrics have one name among {names}: give a Metric with a name of its own.")
    return tuple(made)


def _own_metric(function: Callable[..., Any], outputs: np.ndarray, targets: np.ndarray, real: bool) -> Metric:
    name = getattr(function, "__name__", type(function).__name__)
    name = "metric" if name == "<lambda>" else name
    values: dict[str, Any] = {"higher_is_better": getattr(function, "higher_is_better", True), "margin": 0.0, "unit": ""}
    shape: tuple[int, ...] = ()
    try:
        shape = np.shape(np.asarray(function(outputs, targets)))
    except Exception as error:  # the user's code; on outputs that were made up it may rightly fail
        if real:
            raise TaskError(
                f"The metric `{name}` raised {type(error).__name__} on outputs {outputs.shape} and targets {targets.shape}: "
                f"{error}"
            ) from error
    if shape == (len(targets),):
        return Metric(name, per_sample=lambda o, t: np.asarray(function(o, t), np.float64), **values)
    if shape not in ((), (1,)):
        raise TaskError(f"The metric `{name}` gave shape {shape} for {len(targets)} rows: one number, or one a row, is needed.")
    return Metric(name, whole=lambda o, t: float(np.asarray(function(o, t)).reshape(())), **values)


def _probe(task: Task) -> tuple[np.ndarray, np.ndarray, bool]:
    """Outputs and targets of a few train rows spread over the split, and whether a model made these outputs."""
    train = task.data.train
    rows = train.take(np.unique(np.linspace(0, len(train) - 1, 32).astype(np.int64)))
    targets = np.asarray(rows.targets)
    try:
        candidate, _ = task.candidate()
        return outputs_of(candidate, rows.prepared(candidate.prepare).inputs), targets, True
    except Exception:  # no model, one not fitted yet, or one that check_task will speak about
        if task.kind == "classification":
            return np.eye(max(len(task.classes), int(targets.max()) + 1), dtype=np.float32)[targets], targets, False
        return targets.astype(np.float32) * 2 - (task.kind in ("binary", "multilabel")), targets, False
