"""scikit-learn estimators: anything with `fit` and `predict`, pipelines and boosting included."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.labels import Kind
from workbench.data.rows import AnyRows, Rows
from workbench.errors import TaskError
from workbench.keeping.skops_files import NotWritable, read_skops, write_skops
from workbench.measure.cost import size_of
from workbench.metrics import like_targets
from workbench.model_form import Form, Outputs, Training
from workbench.models import boosted
from workbench.models.estimators import (
    as_features,
    fills_missing,
    is_estimator,
    is_fitted,
    last_step,
    unfitted,
)
from workbench.runtimes.scores import as_scores
from workbench.runtimes.sklearn_export import exported
from workbench.task import Candidate, Task

__all__ = ["SklearnForm"]

SKOPS_FILE = "model.skops"


class SklearnForm(Form):
    """An estimator, which takes raw rows: preparation is a part of its pipeline."""

    name = "sklearn"
    noun = "a scikit-learn estimator"
    runtimes = ("sklearn",)
    takes_prepared = False
    settings_in_model = True

    def is_mine(self, model: Any) -> bool:
        return is_estimator(model)

    def copy(self, model: Any) -> Any:
        return copy.deepcopy(model)

    def untrained(self, model: Any) -> Callable[[], Any]:
        return partial(unfitted, model)

    def is_trained(self, model: Any) -> bool:
        return is_fitted(model)

    def kind(self, model: Any) -> Kind | None:
        from sklearn.base import is_regressor

        return "regression" if is_regressor(model) else None

    def usual_outputs(self, kind: Kind, model: Any) -> Outputs:
        if kind == "multilabel" and hasattr(model, "predict_proba"):
            return "label_probabilities"
        return super().usual_outputs(kind, model)

    def arranged(self, model: Any, rows: AnyRows, *, name: str = "model") -> AnyRows:
        """The columns that a fitted estimator knows, in its order, or one matrix.

        Arrays of several dimensions become the matrix that estimators take; so do columns of
        numbers where the estimator was fitted on a matrix.
        """
        if not isinstance(rows, Rows):
            return rows
        if any(np.ndim(a) != 1 for a in rows.inputs.values()):
            return replace(rows, inputs={"x": as_features(rows.inputs)})
        if model is None or not is_fitted(model):
            return rows
        names = getattr(model, "feature_names_in_", None)
        if names is not None:
            missing = [n for n in names if n not in rows.inputs]
            if missing:
                raise TaskError(
                    f"`{name}` was fitted on columns that the data lack: {', '.join(missing[:8])}."
                )
            return replace(rows, inputs={n: rows.inputs[n] for n in names})
        are_numbers = all(a.dtype.kind in "biuf" for a in rows.inputs.values())
        if len(rows.inputs) < 2 or not are_numbers or not hasattr(model, "n_features_in_"):
            return rows
        matrix = np.column_stack(list(rows.inputs.values())).astype(np.float64)
        return replace(rows, inputs={"x": matrix})

    def problems(self, model: Any) -> list[str]:
        if not is_estimator(model):
            return [f"is {type(model).__name__}; an estimator must have `fit` and `predict`."]
        return []

    def fills_missing(self, model: Any) -> bool:
        return fills_missing(model)

    def can_stop_early(self, model: Any) -> bool:
        return boosted.can_stop_early(model)

    def fit(self, candidate: Candidate, task: Task, training: Training) -> Candidate:
        training.report.message(f"Fitting {candidate.name}.")
        rows = task.data.train.take(slice(None)).prepared(candidate.prepare)
        features = as_features(rows.inputs)
        if training.stops_early:
            return candidate.fitted(_fitted_early(candidate, task, training, features))
        return candidate.fitted(unfitted(candidate.model).fit(features, rows.targets))

    def outputs(self, candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        from workbench.runtimes import predictor

        return predictor(candidate).predict(dict(inputs))

    def size(self, model: Any) -> tuple[int, int]:
        """Bytes of the estimator in memory: of its skops file, or pickled where skops cannot."""
        try:
            return size_of(write_skops(model))
        except NotWritable:
            import cloudpickle

            return size_of(cloudpickle.dumps(model))

    def n_parameters(self, model: Any) -> int | None:
        """Coefficients of linear models and networks, nodes of trees."""
        return _n_parameters(last_step(model)[1])

    def keep(
        self, candidate: Candidate, folder: Path, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """`model.skops`, which loads without running code of others."""
        from workbench.system.files import write_bytes

        try:
            content = write_skops(candidate.model)
        except NotWritable as error:
            return {"kept": "refit", "reason": str(error)}
        write_bytes(folder / SKOPS_FILE, content)
        return {"kept": "skops"}

    def load(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        build: Callable[[], Any] | None = None,
        trusted: Sequence[Any] = (),
    ) -> Any:
        return read_skops(folder / SKOPS_FILE, trusted=trusted)

    def to_onnx(
        self, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> tuple[bytes, Outputs]:
        """By skl2onnx: probabilities as one array, or scores where there are none."""
        content = exported(candidate.model, inputs, candidate.name)
        if not hasattr(candidate.model, "predict_proba"):
            return content, candidate.outputs
        of_labels = candidate.outputs == "label_probabilities"
        return content, "label_probabilities" if of_labels else "probabilities"


def _fitted_early(candidate: Candidate, task: Task, training: Training, features: Any) -> Any:
    """A boosted ensemble with the number of rounds that has the best score on the valid rows."""
    metric, report = task.metric, training.report
    valid = task.data.valid.take(slice(None)).prepared(candidate.prepare)
    targets = np.asarray(valid.targets)
    kinds: Mapping[Outputs, str] = {"logits": "probabilities"}

    def score(predictions: np.ndarray) -> float:
        report.check()
        outputs = as_scores(predictions, kinds.get(candidate.outputs, candidate.outputs))
        value = metric(like_targets(outputs, targets), targets)
        if not np.isfinite(value):
            raise TaskError(
                f"`{metric.name}` is {value} on the {len(targets):,} rows for early stopping: use "
                "another metric, or name the rounds in the search space."
            )
        return metric.sign * value

    def told(n: int, value: float) -> None:
        report.curve(f"valid {metric.name}", n, metric.sign * value)

    followed = boosted.Followed(score, told, patience=boosted.PATIENCE[training.budget])
    return boosted.fitted_early(
        candidate.model,
        features,
        np.asarray(task.data.train.targets),
        (as_features(valid.inputs), targets),
        followed,
        most=boosted.MOST_ROUNDS[training.budget],
    )


def _n_parameters(model: Any) -> int | None:
    """Through searches and ensembles."""
    if hasattr(model, "best_estimator_"):
        return _n_parameters(last_step(model.best_estimator_)[1])
    if boosted.is_boosted(model):
        return boosted.n_nodes(model)
    if hasattr(model, "tree_"):
        return int(model.tree_.node_count)
    if hasattr(model, "coefs_"):
        return sum(np.size(a) for a in (*model.coefs_, *model.intercepts_))
    if hasattr(model, "coef_"):
        return int(np.size(model.coef_) + np.size(getattr(model, "intercept_", ())))
    if hasattr(model, "estimators_"):
        members = np.ravel(np.array(model.estimators_, dtype=object))
        counts = [_n_parameters(e) for e in members if not isinstance(e, str)]
        return None if None in counts else sum(c for c in counts if c is not None)
    return None


FORM = SklearnForm()
