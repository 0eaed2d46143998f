"""The front doors: make_task() turns what a user has - a model and data in whatever shape - into a
Task.

arrays, datasets, loaders, DataFrames  ->  Rows  ->  labels numbered  ->  splits cut  -.
module, function, estimator, ONNX file, reference  ->  builders and start candidate  ---+->  checked Task
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.data.cut import cut
from workbench.data.labels import Kind, coded_rows, coding_of, infer_kind, refuse_missing
from workbench.data.prepare import Columns
from workbench.data.rows import SPLIT_NAMES
from workbench.data.yours import is_table_pair, read_all
from workbench.errors import TaskError
from workbench.metrics import BY_KIND, METRICS, Metric, metric_named
from workbench.runtimes.outputs import outputs_of
from workbench.task import Task
from workbench.tasks.checks import check_task
from workbench.tasks.given import Given, columns_for, model_of

__all__ = ["infer_kind", "make_task"]


def make_task(
    name: str,
    *,
    model: Any = None,
    train: Any,
    valid: Any = None,
    calibration: Any = None,
    test: Any = None,
    target: str | list[str] | None = None,
    kind: Kind | None = None,
    classes: Iterable[Any] | None = None,
    loss: Callable[..., Any] | None = None,
    metric: Any = None,
    train_step: Callable[..., Any] | None = None,
    prepare: Any = None,
    augment: Callable[..., Any] | None = None,
    reword: Callable[..., Any] | None = None,
    times: Any = None,
    seed: int = 0,
    outputs: str | None = None,
    models: Mapping[str, Callable[[], Any]] | None = None,
) -> Task:
    """A checked Task, with its start candidate if the model is trained, from what a user has.

    Data (`train`, and `valid`, `calibration`, `test` where there are any), each one of
      - `(x, y)`: arrays or tensors; `x` may be a mapping of named arrays or a DataFrame, `(x1, x2,
        y)` works too;
      - a DataFrame with `target="column"`, or a list of columns for several labels a row;
      - a map-style torch Dataset, or a DataLoader (its dataset and collate function are used, not
        its sampler), whose batches are tuples `(inputs, ..., targets)` or mappings with `labels`,
        `target` or `y`;
      - an iterable dataset, or a loader of one: read into memory, once;
      - `Rows`.

    Splits not given are cut from train: 20 % valid, 15 % test, 5 % calibration (up to 10 % in small
    data, to reach 64 rows), 60 % or more stay train. The cut is decided by `seed`, stratified by
    class, and keeps identical rows together. With `times` (an array for train, or a DataFrame's
    column, which is then no input) the latest rows are test, and rows of one time are never parted.
    Splits that are given are never touched.

    `kind` is inferred (see `infer_kind`). Text labels become 0..n-1, in the order of `classes`, of
    a fitted classifier's own `classes_`, or of the alphabet. `classes` otherwise names the classes.

    `model`: a torch module (trained; a builder `untrained` is made too if all its layers can be
    reset); a function without arguments that makes an untrained one, or with one argument, the
    number of inputs (dimension 1 of the first prepared array); a scikit-learn-style estimator,
    fitted or not, which gets rows as it was trained on; the path or the bytes of an ONNX file;
    `package.module:function`; or None. A DataFrame for a torch model without `prepare` is prepared
    by `Columns`, fitted on train; a network trained on columns prepared otherwise needs its own
    `prepare`.

    `models` are further untrained models by name, functions without arguments (a student to distil
    into, say). `augment` and `reword` change rows while something learns from them: see `Task`.

    `metric`: names, Metrics, or functions `(outputs, targets) -> float or (rows,)`, of which larger
    is better unless they have an attribute `higher_is_better = False`; the first decides. `outputs`
    says what a trained model gives, `logits`, `probabilities` (of classes, or one a label) or
    `values`; it is found out for estimators, and for ONNX files that give probabilities.

    Raises DataError or TaskError with all problems that were found, UnknownName for names nobody
    knows.
    """
    given = model_of(model)
    if given.form == "sklearn" and prepare is not None:
        raise TaskError(
            "An estimator takes its rows as they are: put what `prepare` does into a scikit-learn "
            "Pipeline."
        )
    read = {
        n: d
        for n, d in zip(SPLIT_NAMES, (train, valid, calibration, test), strict=True)
        if d is not None
    }
    rows = read_all(read, target, times)
    rows = {n: columns_for(given, r) if prepare is None else r for n, r in rows.items()}
    targets, known = np.asarray(rows["train"].targets), tuple(classes or ())
    refuse_missing(targets)
    kind = kind or _kind_of(given, targets, known)
    coding = coding_of(kind, targets, known, given.instance)
    rows = coded_rows(rows, coding)
    names = coding.names or (tuple(target) if isinstance(target, list) else ())
    splits = cut(
        rows, kind, seed, None if times is None or isinstance(times, str) else np.asarray(times)
    )
    if isinstance(prepare, type) and hasattr(prepare, "fitted"):
        prepare = prepare.fitted(splits.train)
    elif (
        prepare is None
        and given.form == "torch"
        and (hasattr(train, "iloc") or is_table_pair(train))
    ):
        prepare = Columns.fitted(splits.train)
    if kind == "custom" and not (
        metric and (loss or train_step or given.form in ("onnx", "sklearn"))
    ):
        raise TaskError(
            "A task of kind `custom` needs `metric=`, and `loss=` or `train_step=`: the usual "
            "ones do not fit it."
        )
    task = Task(
        name,
        kind,
        splits,
        (),
        prepare=prepare,
        loss=loss,
        train_step=train_step,
        augment=augment,
        reword=reword,
        classes=names,
    )
    task = given.fill(task, outputs)
    task = replace(task, builders={**task.builders, **(models or {})})
    task = replace(task, metrics=_metrics(metric, task))
    check_task(task)
    return task


def _kind_of(given: Given, targets: np.ndarray, classes: tuple[Any, ...]) -> Kind:
    if given.instance is not None and given.form == "sklearn":
        from sklearn.base import is_regressor

        if is_regressor(given.instance):
            return "regression"
    kind = infer_kind(targets)
    return "classification" if kind == "binary" and len(classes) > 2 else kind


def _metrics(given: Any, task: Task) -> tuple[Metric, ...]:
    """The task's metrics; a user's function is called on a few real rows to see whether it scores
    each of them.
    """
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
            raise TaskError(
                "A metric is a name, a Metric or a function (outputs, targets), got "
                f"{type(one).__name__}."
            )
    names = [m.name for m in made]
    if len(set(names)) != len(names):
        raise TaskError(
            f"Two metrics have one name among {names}: give a Metric with a name of its own."
        )
    return tuple(made)


def _own_metric(
    function: Callable[..., Any], outputs: np.ndarray, targets: np.ndarray, real: bool
) -> Metric:
    name = getattr(function, "__name__", type(function).__name__)
    name = "metric" if name == "<lambda>" else name
    values: dict[str, Any] = {
        "higher_is_better": getattr(function, "higher_is_better", True),
        "margin": 0.0,
        "unit": "",
    }
    shape: tuple[int, ...] = ()
    try:
        shape = np.shape(np.asarray(function(outputs, targets)))
    except Exception as error:  # the user's code; on outputs that were made up it may rightly fail
        if real:
            raise TaskError(
                f"The metric `{name}` raised {type(error).__name__} on outputs {outputs.shape} and "
                f"targets {targets.shape}: {error}"
            ) from error
    if shape == (len(targets),):
        return Metric(
            name, per_sample=lambda o, t: np.asarray(function(o, t), np.float64), **values
        )
    if shape not in ((), (1,)):
        raise TaskError(
            f"The metric `{name}` gave shape {shape} for {len(targets)} rows: one number, or one a "
            "row, is needed."
        )
    return Metric(name, whole=lambda o, t: float(np.asarray(function(o, t)).reshape(())), **values)


def _probe(task: Task) -> tuple[np.ndarray, np.ndarray, bool]:
    """Outputs and targets of a few train rows spread over the split, and whether a model made these
    outputs.
    """
    train = task.data.train
    rows = train.take(np.unique(np.linspace(0, len(train) - 1, 32).astype(np.int64)))
    targets = np.asarray(rows.targets)
    try:
        candidate, _ = task.candidate()
        return outputs_of(candidate, rows.prepared(candidate.prepare).inputs), targets, True
    except Exception:  # no model, one not fitted yet, or one that check_task will speak about
        if task.kind == "classification":
            return (
                np.eye(max(len(task.classes), int(targets.max()) + 1), dtype=np.float32)[targets],
                targets,
                False,
            )
        return (
            targets.astype(np.float32) * 2 - (task.kind in ("binary", "multilabel")),
            targets,
            False,
        )
