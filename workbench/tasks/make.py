"""make_task(): a Task from a user's model and data, in whatever shape they are.

arrays, datasets, loaders, tables  ->  Rows  ->  labels numbered  ->  splits cut  -.
module, function, estimator, ONNX file, name  ->  builders and start candidate  ---+->  Task
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from workbench.data.columns import array_of
from workbench.data.cut import cut
from workbench.data.files import is_path, paths_of, texts_read_as_missing
from workbench.data.labels import Kind, coded_rows, coding_of, infer_kind, refuse_missing
from workbench.data.notices import notice
from workbench.data.prepare import Columns
from workbench.data.reading import Reading
from workbench.data.rows import AnyRows
from workbench.data.tables import ordered_labels
from workbench.data.yours import framed_all, is_table, read_all
from workbench.errors import DataError, TaskError, WorkbenchError, sentence_of, shown
from workbench.metrics import BY_KIND, METRICS, Metric, check_kind, metric_named
from workbench.model_form import Outputs, form_named
from workbench.models.baselines import baselines_for
from workbench.models.transformed import Transformed
from workbench.system.references import name_of
from workbench.task import Task
from workbench.tasks.arguments import check_arguments
from workbench.tasks.checks import check_task
from workbench.tasks.given import OwnModel, other_builders, own_model
from workbench.tasks.measurements import arranged_with_floats, measurements, with_floats
from workbench.tasks.probe import Probe

__all__ = ["infer_kind", "make_task"]


def make_task(
    name: str,
    *,
    model: Any = None,
    train: Any,
    valid: Any = None,
    calibration: Any = None,
    test: Any = None,
    target: Any = None,
    kind: Kind | None = None,
    classes: Iterable[Any] | None = None,
    loss: Callable[..., Any] | None = None,
    metric: Any = None,
    train_step: Callable[..., Any] | None = None,
    prepare: Any = None,
    augment: Callable[..., Any] | None = None,
    reword: Callable[..., Any] | None = None,
    times: Any = None,
    groups: Any = None,
    seed: int = 0,
    outputs: Outputs | None = None,
    output: str | int | None = None,
    models: Mapping[str, Callable[[], Any]] | None = None,
) -> Task:
    """A checked Task, with its start candidate if the model is trained, from what a user has.

    Data (`train`, and `valid`, `calibration`, `test` where there are any), each one of
      - `(x, y)`: arrays or tensors; `x` may be a mapping of named arrays or a DataFrame, `(x1, x2,
        y)` works too;
      - a DataFrame (or a table of Arrow, a frame of Polars, lazy or not, a relation of DuckDB)
        with `target="column"`, or a list of columns for several labels a row;
      - the path of a CSV, Parquet or Feather file, with `target=` as for a DataFrame;
      - a map-style torch Dataset, or a DataLoader (its dataset and collate function are used, not
        its sampler), whose batches are tuples `(inputs, ..., targets)` or mappings with `labels`,
        `target` or `y`;
      - an iterable dataset, or a loader of one: read into memory, once;
      - `Rows`.

    Splits not given are cut from train: 20 % valid, 15 % test, 5 % calibration (up to 10 % in small
    data, to reach 64 rows), 60 % or more stay train. The cut is decided by `seed`, stratified by
    class, and keeps identical rows together; rows of few different values, for which that is not
    possible, are cut at random with a warning. With `times` (an array for train, or a DataFrame's
    column, which is then no input) the latest rows are test, and rows of one time are never parted.
    With `groups` (likewise: a patient, a machine, a household) all rows of a group are in one split
    and in one fold, for a model that will predict for new groups. Intervals resample whole times or
    groups.
    Splits that are given are never touched.

    `kind` is inferred (see `infer_kind`). Text labels, and numbers that do not count from 0, become
    0..n-1, in the order of `classes`, of a fitted classifier's own `classes_`, of an ordered
    categorical column of text (for a model that is not trained), or sorted. `classes` otherwise
    names the classes.

    `model`: a torch module (trained; a builder `untrained` is made too if all its layers can be
    reset); a function without arguments that makes an untrained one, or with one argument, the
    number of inputs (dimension 1 of the first prepared array); a scikit-learn-style estimator,
    fitted or not, which gets rows as it was trained on; the path or the bytes of an ONNX file;
    `package.module:function`; or None: then, without `models` and `prepare`, the task has baselines
    to begin with (`linear`, `boosting` and `dummy` for a table; `linear`, `dummy` and a small
    network for images and texts). A DataFrame for a torch model without `prepare` is prepared by
    `Columns`, fitted on train; a network trained on columns prepared otherwise needs its own
    `prepare`.

    `models` are further untrained models by name, functions as for `model` (a student to distil
    into, say). `augment` and `reword` change rows while something learns from them: see `Task`.

    `metric`: names, Metrics, or functions `(outputs, targets) -> float or (rows,)`, of which larger
    is better unless they have an attribute `higher_is_better = False`; the first decides. `outputs`
    says what a trained model gives, `logits`, `probabilities` (of classes, or one a label) or
    `values`; it is found out for estimators, and for ONNX files that give probabilities. `output`
    chooses one of several outputs by its name or place; otherwise `logits` counts, or the first.

    Whole numbers that a network multiplies become float32; other dtypes are converted where the
    model is called. A module is unwrapped (DataParallel, `torch.compile`), its parametrizations are
    folded and its weights become float32; each change is a WorkbenchWarning, as is what is unusual
    in the data.

    Raises DataError or TaskError with all problems of model and data, UnknownName for unknown
    names.
    """
    check_arguments(
        {
            "name": name,
            "train": train,
            "kind": kind,
            "classes": classes,
            "loss": loss,
            "metric": metric,
            "train_step": train_step,
            "prepare": prepare,
            "augment": augment,
            "reword": reword,
            "seed": seed,
            "outputs": outputs,
            "output": output,
            "models": models,
        }
    )
    classes = () if classes is None else tuple(classes)
    own = own_model(model, output)
    if prepare is not None and own.form is not None and not own.form.takes_prepared:
        raise TaskError(
            f"`model` is {own.form.noun}, which takes its rows as they are: put the work of "
            "`prepare` into its pipeline."
        )
    splits = {"train": train, "valid": valid, "calibration": calibration, "test": test}
    given = framed_all({n: d for n, d in splits.items() if d is not None})
    train = given["train"]
    rows = read_all(given, target, times, groups)
    arrange = _arrange(own, prepare)
    if arrange is not None:
        rows = {n: arrange(r) for n, r in rows.items()}
    targets = np.asarray(rows["train"].targets)
    class_names = classes or (() if own.trained else ordered_labels(train, target))
    is_column_of_file = is_path(train) and isinstance(target, str)
    refuse_missing(
        targets, partial(texts_read_as_missing, train, target) if is_column_of_file else tuple
    )
    kind = kind or _kind_of(own, targets, class_names)
    coding = coding_of(kind, targets, class_names, own.instance)
    rows = coded_rows(rows, coding)
    names = coding.names or (tuple(map(str, target)) if isinstance(target, list) else ())
    labels = {
        name: array_of(values, f"`{name}`")
        for name, values in (("times", times), ("groups", groups))
        if values is not None and not isinstance(values, str)
    }
    data = cut(rows, kind, seed, **labels)
    prepare = _fitted_prepare(prepare, data.train, own, is_table(train))
    no_loss = own.form is None or own.form.trained_by_loss
    if kind == "custom" and not (metric is not None and (loss or train_step or not no_loss)):
        raise TaskError(
            "A task of kind `custom` needs `metric=`, and `loss=` or `train_step=`: the usual ones "
            "do not fit it."
        )
    task = Task(
        name,
        kind,
        data,
        (),
        prepare=prepare,
        loss=loss,
        train_step=train_step,
        augment=augment,
        reword=reword,
        classes=names,
        reading=Reading(
            target,
            times if isinstance(times, str) else None,
            coding,
            arrange,
            tuple(paths_of(splits).items()),
            groups if isinstance(groups, str) else None,
        ),
        output=output,
    )
    task = replace(task, builders={**own.builders(task), **other_builders(models or {}, task)})
    if model is None and not models and prepare is None:
        task = _with_baselines(task)
    task = replace(task, start=own.start(task, outputs))
    probe = _probe(task)
    if probe is not None and (floats := measurements(probe)):
        reading = replace(task.reading, arrange=arranged_with_floats(arrange, floats))
        task = replace(task, data=with_floats(task.data, floats), reading=reading)
        probe = _probe(task)
    if probe is not None and outputs is None and _is_told_by_outputs(probe):
        meaning: Outputs = "label_probabilities" if kind == "multilabel" else "probabilities"
        probe = Probe(task, replace(probe.candidate, outputs=meaning))
        task = replace(task, start=probe.candidate)
    task = replace(task, metrics=_metrics(metric, task, probe))
    told = check_task(task, probe=probe.about(task) if probe is not None else None)
    for text in (*own.notes, *told):
        notice(text)
    return task


def _with_baselines(task: Task) -> Task:
    """The task with baselines as its models; with none, and a notice, where its rows have none."""
    try:
        found = baselines_for(task.kind, task.data.train, len(task.classes))
    except DataError as error:
        notice(str(error))
        return task
    if found.left_out:
        notice(
            f"The baselines do not use {', '.join(f'`{name}`' for name in found.left_out)}: a "
            "column of dates, spans of time or lists, or of numbers mixed with texts, is neither "
            "number nor category. The step `features` uses dates; or make columns of the parts, "
            "such as the month, or one kind of it."
        )
    return replace(task, builders=dict(found.builders), prepares=dict(found.prepares))


def _arrange(own: OwnModel, prepare: Any) -> Callable[[AnyRows], AnyRows] | None:
    """How columns are put before the model; with a `prepare` of the user's own they stay."""
    if own.form is None or prepare is not None:
        return None
    return partial(own.form.arranged, own.instance, name=own.name)


def _fitted_prepare(prepare: Any, train: AnyRows, own: OwnModel, of_table: bool) -> Any:
    """The `prepare` to use: a class is fitted on train, and so is a scikit-learn transformer."""
    try:
        if isinstance(prepare, type) and hasattr(prepare, "fitted"):
            return prepare.fitted(train)
        if hasattr(prepare, "transform") and not isinstance(prepare, type):
            return Transformed.fitted(prepare, train)
    except WorkbenchError:
        raise
    except Exception as error:  # the user's code
        raise TaskError(
            f"`prepare` raised {type(error).__name__} when it was fitted on train: "
            f"{sentence_of(error)}"
        ) from error
    if prepare is None and of_table and own.form is not None and not own.form.takes_columns:
        return Columns.fitted(train.take(slice(None)))
    return prepare


def _probe(task: Task) -> Probe | None:
    """The model's answer on a few rows; None without a model, or where a builder fails."""
    if task.start is None and not task.builders:
        return None
    try:
        return Probe(task, task.candidate()[0])
    except Exception:  # a builder is the user's code; check_task calls it again and tells
        return None


def _is_told_by_outputs(probe: Probe) -> bool:
    """Whether the meaning of a trained model's outputs is found by looking at them."""
    start = probe.task.start
    if start is None or form_named(start.form).trained_by_loss:
        return False
    return start.outputs == "logits" and probe.gives_probabilities


def _kind_of(own: OwnModel, targets: np.ndarray, classes: tuple[Any, ...]) -> Kind:
    if own.instance is not None and own.form is not None:
        told = own.form.kind(own.instance)
        if told is not None:
            return told
    kind = infer_kind(targets)
    return "classification" if kind == "binary" and len(classes) > 2 else kind


def _metrics(metric: Any, task: Task, probe: Probe | None) -> tuple[Metric, ...]:
    """The task's metrics; a user's function is called on a few real rows to see its shape."""
    if metric is None:
        return tuple(METRICS[n] for n in BY_KIND[task.kind])
    metrics: list[Metric] = []
    for one in list(metric) if isinstance(metric, (list, tuple)) else [metric]:
        if isinstance(one, Metric):
            metrics.append(one)
        elif isinstance(one, str):
            metrics.append(metric_named(one))
        elif callable(one):
            metrics.append(_own_metric(one, *_asked(task, probe)))
        else:
            raise TaskError(
                "A metric is a name, a Metric or a function (outputs, targets), got "
                f"{type(one).__name__}."
            )
    names = [m.name for m in metrics]
    if len(set(names)) != len(names):
        raise TaskError(
            f"Two metrics have one name among {names}: give a Metric with a name of its own."
        )
    for one in metrics:
        check_kind(one, task.kind)
    return tuple(metrics)


def _own_metric(
    function: Callable[..., Any], outputs: np.ndarray, targets: np.ndarray, real: bool
) -> Metric:
    name = name_of(function, "metric")
    values: dict[str, Any] = {
        "higher_is_better": getattr(function, "higher_is_better", True),
        "margin": 0.0,
        "unit": "",
    }
    shape: tuple[int, ...] = ()
    try:
        values_given = np.asarray(function(outputs, targets))
        shape = values_given.shape
        if values_given.dtype.kind not in "biuf":
            raise TypeError(f"it gave {shown(values_given.tolist())}, which is no number")
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


def _asked(task: Task, probe: Probe | None) -> tuple[np.ndarray, np.ndarray, bool]:
    """Outputs and targets of a few train rows, and whether a model made these outputs."""
    if probe is not None and probe.outputs is not None:
        return probe.outputs, np.asarray(probe.rows.targets), True
    targets = np.asarray(task.data.train.take(slice(0, 32)).targets)
    if task.kind == "classification":
        n_classes = max(len(task.classes), int(targets.max()) + 1)
        return np.eye(n_classes, dtype=np.float32)[targets], targets, False
    centre = 0.5 if task.kind in ("binary", "multilabel") else 0.0
    return 2 * (targets.astype(np.float32) - centre), targets, False
