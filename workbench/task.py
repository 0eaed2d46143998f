"""Task, the problem to solve, and Candidate, one version of a model that solves it.

A task holds split data, how to build the model, the loss and the metrics. `workbench.tasks.make`
makes one from what a user has; `workbench.tasks.builtin` names those that come with the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.data.labels import Kind
from workbench.data.rows import Splits
from workbench.errors import TaskError, UnknownName, unknown
from workbench.metrics import Metric
from workbench.models.networks import build_seeded

if TYPE_CHECKING:
    import torch

__all__ = ["Candidate", "Form", "Task"]

Form = Literal["torch", "sklearn", "onnx"]


@dataclass(frozen=True)
class Candidate:
    """One version of the model, frozen: a step makes a new one and never changes its parent.

    `model` is a torch module, a fitted scikit-learn estimator, or the bytes of an ONNX file, as
    `form` says. `builder` names how the untrained network is made (`task/model` or
    `package.module:function`), if it can be. `training` holds choices measured once and reused by
    children (precision, memory format).
    """

    name: str
    form: Form
    model: Any
    prepare: Any = None
    builder: str | None = None
    parent: str | None = None
    technique: str | None = None
    outputs: Literal["logits", "probabilities", "label_probabilities", "values"] = "logits"
    training: Mapping[str, Any] = field(default_factory=dict)
    macs: int | None = None

    def child(self, name: str, technique: str, **changes: Any) -> Candidate:
        """A new candidate made from this one by a technique."""
        return replace(self, name=name, technique=technique, parent=self.name, **changes)

    def fitted(self, model: Any, training: Mapping[str, Any] | None = None) -> Candidate:
        """The same candidate with a model that was trained, and the choices made while training it."""
        return replace(self, model=model, training=training or self.training)


@dataclass(frozen=True)
class Task:
    """The problem: data, model builders, loss, metrics (the first one decides).

    `builders` maps a model's name to a function without arguments that makes it untrained.
    `prepare` turns raw rows into named arrays, fitted on train only. `loss(outputs, targets)` takes
    tensors; `train_step(model, inputs, targets)`, if given, replaces forward and loss.
    `augment(inputs, generator)` changes prepared train batches, as tensors; `reword(inputs, rng)`
    makes raw rows from raw train rows, as arrays, whose labels nobody knows: only teachers use
    them. `reference` maps a model's name to a function that loads trained weights into it.
    `prepares` maps a model's name to a `prepare` of its own, in place of the task's (a tokenizer),
    `fits` to what differs from the usual settings when it is trained to start from.
    """

    name: str
    kind: Kind
    data: Splits
    metrics: tuple[Metric, ...]
    builders: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    prepare: Any = None
    loss: Callable[..., torch.Tensor] | None = None
    train_step: Callable[..., torch.Tensor] | None = None
    augment: Callable[..., dict[str, torch.Tensor]] | None = None
    reword: Callable[..., dict[str, np.ndarray]] | None = None
    classes: tuple[str, ...] = ()
    reference: Mapping[str, Callable[[Any], None]] = field(default_factory=dict)
    prepares: Mapping[str, Any] = field(default_factory=dict)
    fits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    start: Candidate | None = None
    built_in: bool = False

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return self.metrics[0]

    def without_test(self) -> Task:
        """The same task as a technique or a worker may see it."""
        return replace(self, data=self.data.without_test())

    def example(self, n: int = 1, prepare: Any = None) -> dict[str, np.ndarray]:
        """The first `n` rows of train as a model takes them: named arrays `(n, ...)`."""
        rows = self.data.train.take(slice(0, n))
        chosen = prepare if prepare is not None else self.prepare
        return dict(rows.prepared(chosen).inputs)

    def build(self, model: str) -> Any:
        """An untrained model by its name; raises UnknownName that lists those of this task."""
        if model not in self.builders:
            raise UnknownName(unknown(f"model of task `{self.name}`", model, self.builders))
        return self.builders[model]()

    def candidate(self, model: str = "", *, seed: int = 0) -> tuple[Candidate, bool]:
        """The candidate to start from, and whether it is trained already.

        `model` names one of the builders; empty takes the task's own start, or its first builder.
        """
        if self.start is not None and model in ("", self.start.name):
            return self.start, True
        name = model or next(iter(self.builders), "")
        if not name:
            raise TaskError(
                f"Task `{self.name}` has neither a model nor a builder; give one as `model=`."
            )
        made = build_seeded(lambda: self.build(name), seed)
        form: Form = "torch" if hasattr(made, "state_dict") else "sklearn"
        trained = name in self.reference
        if trained:
            self.reference[name](made)
        prepare = self.prepares.get(name, self.prepare) if form == "torch" else None
        outputs = usual_outputs(self.kind, form, made)
        return Candidate(
            name, form, made, prepare=prepare, builder=f"{self.name}/{name}", outputs=outputs
        ), trained


def usual_outputs(
    kind: Kind, form: Form, model: Any
) -> Literal["logits", "label_probabilities", "values"]:
    """What a model gives if nobody says otherwise; estimators' probabilities of classes are made
    logits as they come.
    """
    if kind == "multilabel" and form == "sklearn" and hasattr(model, "predict_proba"):
        return "label_probabilities"
    return "values" if kind == "regression" else "logits"
