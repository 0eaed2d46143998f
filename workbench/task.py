"""Task, the problem to solve, and Candidate, one version of a model that solves it.

A task holds split data, ways to build the model, the loss and the metrics. `workbench.tasks` has
those that come with the package, and `make_task`, which makes one from a user's model and data.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data.labels import Kind
from workbench.data.reading import Reading
from workbench.data.rows import AnyRows, Splits
from workbench.errors import (
    SettingsError,
    TaskError,
    UnknownName,
    WorkbenchError,
    sentence_of,
    shown,
    unknown,
)
from workbench.metrics import Metric
from workbench.model_form import Outputs, form_named, form_of
from workbench.models.networks import build_seeded

if TYPE_CHECKING:
    import torch

__all__ = ["Candidate", "SizedBuilder", "Task", "refuse_unknown_arguments"]


OWN: Any = object()  # stands for the `prepare` of the task itself


@dataclass(frozen=True)
class Candidate:
    """One version of the model, frozen: a step makes a new one and never changes its parent.

    `model` is of the form named `form` (`workbench.model_form`); `prepare` stands before it.
    `builder` names the function that makes it untrained (`task/model`, or
    `package.module:function`), `builder_args` are the keyword arguments of that call, as JSON.
    `training` holds choices that were measured once and that children reuse (precision, memory
    format); `fit` holds training settings that somebody chose for it, which children reuse where
    theirs are None. `trains_anew` says that training the untrained model with this `fit` makes such
    a candidate again; it is false after a step that changed trained weights.
    """

    name: str
    form: str
    model: Any
    prepare: Any = None
    builder: str | None = None
    parent: str | None = None
    technique: str | None = None
    outputs: Outputs = "logits"
    training: Mapping[str, Any] = field(default_factory=dict)
    macs: int | None = None
    builder_args: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    trains_anew: bool = True

    @property
    def builder_name(self) -> str:
        """The name of its builder in the task, or the reference of a function; empty without."""
        return (self.builder or "").rpartition("/")[2]

    def child(self, name: str, technique: str, **changes: Any) -> Candidate:
        """A new candidate made from this one by a technique.

        A technique that only chose `builder_args`, `prepare` or `fit` says `trains_anew=True`.
        """
        changes = {"trains_anew": False, **changes}
        return replace(self, name=name, technique=technique, parent=self.name, **changes)

    def fitted(
        self,
        model: Any,
        training: Mapping[str, Any] | None = None,
        fit: Mapping[str, Any] | None = None,
    ) -> Candidate:
        """The same candidate with a trained model, and the choices of that training."""
        return replace(
            self,
            model=model,
            training=training or self.training,
            fit=self.fit if fit is None else fit,
        )


@dataclass(frozen=True)
class Task:
    """The problem: data, model builders, loss, metrics (the first one decides).

    Attributes
    ----------
    builders
        Functions that make an untrained model, by the model's name; they may take keyword
        arguments (a width, say).
    prepare
        Turns raw rows into named arrays; fitted on train only.
    loss
        `loss(outputs, targets)` on tensors; empty takes the usual one of the kind of task.
    train_step
        `train_step(model, inputs, targets) -> loss` in place of forward pass and loss.
    augment
        `augment(inputs, generator)` changes prepared train batches, as tensors.
    reword
        `reword(inputs, rng)` makes raw rows without labels from raw train rows, for teachers.
    reference
        Functions that load trained weights into a model, by its name.
    prepares
        A `prepare` for single models, by name, in place of the task's (a tokenizer).
    fits
        Training settings for single models, by name, where they differ from the usual ones.
    spaces
        Search spaces for single models, by name, as data (`workbench.settings.spaces`).
    reading
        How the user's data became rows: `task.read(data)` reads more of them.
    output
        Name or place of the output that counts, for models that give several; None takes the one
        called `logits`, or the first.
    """

    name: str
    kind: Kind
    data: Splits
    metrics: tuple[Metric, ...]
    builders: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
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
    reading: Reading = field(default_factory=Reading)
    output: str | int | None = None
    spaces: Mapping[str, Mapping[str, Any]] | None = None

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return self.metrics[0]

    def without_test(self) -> Task:
        """The same task as a technique or a worker may see it."""
        return replace(self, data=self.data.without_test())

    def read(self, data: Any, name: str = "data") -> AnyRows:
        """More data as rows of this task: the same columns, and labels under the same numbers."""
        return self.reading(data, name)

    def example(self, n: int = 1, prepare: Any = OWN) -> dict[str, np.ndarray]:
        """The first `n` rows of train as a model takes them: named arrays `(n, ...)`.

        `prepare` is the one that stands before the model, None for raw rows; by default the task's.
        """
        rows = self.data.train.take(slice(0, n))
        return dict(rows.prepared(self.prepare if prepare is OWN else prepare).inputs)

    def build(self, model: str, **args: Any) -> Any:
        """An untrained model by its name, made with keyword arguments of its builder.

        It is settled and sized (see `fitting`), and gives the task's output alone. Raises
        UnknownName that lists the models of this task, SettingsError for an argument that the
        builder does not take.
        """
        return self.build_behind(OWN, model, **args)

    def build_behind(self, prepare: Any, model: str, /, **args: Any) -> Any:
        """An untrained model as `build` makes it, its sizes taken from rows that `prepare` makes.

        `prepare` is that of a candidate; None stands for raw rows.
        """
        if not isinstance(model, str) or model not in self.builders:
            raise UnknownName(unknown(f"model of task `{self.name}`", model, self.builders))
        builder = self.builders[model]
        refuse_unknown_arguments(builder, args, f"model `{model}`")
        if isinstance(builder, SizedBuilder) and not (prepare is OWN or prepare is self.prepare):
            first = next(iter(self.example(2, prepare).values()))
            builder = builder.resized(int(first.shape[1]))
        try:
            built = builder(**args)
        except WorkbenchError:
            raise
        except Exception as error:
            if not args:
                raise  # a fault of the builder itself, with its own class
            raise SettingsError(
                f"Model `{model}` cannot be made with {shown(args)}: {sentence_of(error)}"
            ) from error
        if prepare is OWN:
            prepare = self.prepare_for(model, form_of(built).name)
        built = self.fitting(built, prepare)
        return built if self.output is None else form_of(built).answering(built, self.output)

    def fitting(self, model: Any, prepare: Any) -> Any:
        """A new model, settled by its form (`Form.settled`) and sized for the rows of this task.

        Its lazy layers take their sizes from rows of train that `prepare` makes, None for raw ones.
        It may be changed in place.
        """
        form = form_of(model)
        return form.shaped(form.settled(model)[0], lambda: self.example(2, prepare))

    def prepare_for(self, model: str, form: str) -> Any:
        """The `prepare` that stands before a model of this task; None where it takes raw rows."""
        if not form_named(form).takes_prepared:
            return None
        return self.prepares.get(model, self.prepare)

    def fit_of(self, candidate: Candidate) -> dict[str, Any]:
        """The training settings that a candidate brings: its own, else the task's for its model."""
        name = candidate.builder_name or candidate.name
        return dict(candidate.fit) or dict(self.fits.get(name, {}))

    def candidate(
        self, model: str = "", *, seed: int = 0, args: Mapping[str, Any] | None = None
    ) -> tuple[Candidate, bool]:
        """The candidate to start from, and whether it is trained already.

        `model` names one of the builders, `args` are keyword arguments for it; empty takes the
        task's own start, or its first builder.
        """
        if not isinstance(model, str):
            raise UnknownName(unknown(f"model of task `{self.name}`", model, self.builders))
        if not (args is None or isinstance(args, Mapping)) or not all(
            isinstance(name, str) for name in args or ()
        ):
            raise SettingsError(
                f"The arguments of a model must be a mapping with names as keys, got {shown(args)}."
            )
        if self.start is not None and model in ("", self.start.name) and not args:
            return self.start, True
        name = model or next(iter(self.builders), "")
        if not name:
            raise TaskError(f"Task `{self.name}` has neither a model nor a builder: give `model=`.")
        built = build_seeded(lambda: self.build(name, **(args or {})), seed)
        form = form_of(built)
        is_trained = name in self.reference and not args
        if is_trained:
            self.reference[name](built)
        candidate = Candidate(
            name,
            form.name,
            built,
            prepare=self.prepare_for(name, form.name),
            builder=f"{self.name}/{name}",
            builder_args=dict(args or {}),
            outputs=form.usual_outputs(self.kind, built),
        )
        return candidate, is_trained

    def __repr__(self) -> str:
        """Five lines that show no row, and one for each split that was read from a file."""
        splits = ", ".join(f"{n} {len(r):,}" for n, r in self.data.named().items())
        models = ", ".join(self.builders) or "none"
        start = f"{self.start.name} ({self.start.form})" if self.start else "none"
        files = "".join(f"\n  {split} read from: {path}" for split, path in self.reading.files)
        metrics = ", ".join(m.name for m in self.metrics)
        return (
            f"Task {self.name!r}, {self.kind}\n  rows: {splits}\n  metrics: {metrics}\n"
            f"  models: {models}\n  trained start: {start}{files}"
        )


@dataclass(frozen=True)
class SizedBuilder:
    """A builder that takes the number of inputs of a row, `build(n_in, **args)`."""

    build: Callable[..., Any]
    n_in: int

    def __call__(self, **args: Any) -> Any:
        return self.build(self.n_in, **args)

    def resized(self, n_in: int) -> SizedBuilder:
        """The same builder for rows that another `prepare` makes."""
        return replace(self, n_in=n_in)


def refuse_unknown_arguments(
    function: Callable[..., Any], args: Mapping[str, Any], what: str
) -> None:
    """Raise SettingsError for keyword arguments that a function does not take."""
    if not args:
        return
    try:
        inner = function.build if isinstance(function, SizedBuilder) else function
        parameters = inspect.signature(inner).parameters
    except ValueError:  # a builtin without a signature
        return
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    accepted = [n for n, p in parameters.items() if p.kind is not p.POSITIONAL_ONLY]
    wrong = [
        unknown(f"argument of {what}", name, accepted) for name in args if name not in accepted
    ]
    if wrong:
        raise SettingsError(" ".join(wrong))
