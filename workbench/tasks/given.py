"""A user's own model, in whatever shape it comes, as builders and the candidate to start from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from workbench.errors import CandidateError, TaskError, WorkbenchError, sentence_of
from workbench.model_form import FORMS, Form, Outputs, form_named, form_of
from workbench.system.files import path_of
from workbench.system.references import name_of, resolve
from workbench.task import Candidate, SizedBuilder, Task

__all__ = ["OwnModel", "other_builders", "own_model"]


@dataclass(frozen=True)
class OwnModel:
    """What `model=` was: a trained `instance`, a function that builds an untrained one, or both.

    `wants_n_in` says that the builder takes the number of inputs, `notes` are sentences about
    what was changed of the user's model.
    """

    form: Form | None = None
    name: str = "model"
    instance: Any = None
    build: Callable[..., Any] | None = None
    trained: bool = False
    wants_n_in: bool = False
    notes: tuple[str, ...] = ()

    @property
    def takes_prepared(self) -> bool:
        return self.form is None or self.form.takes_prepared

    def builders(self, task: Task) -> dict[str, Callable[..., Any]]:
        """The builder under its name in the task; none for a trained model that has none."""
        if self.build is None:
            return {}
        build = sized(self.build, task, task.prepare) if self.wants_n_in else self.build
        return {"untrained" if self.trained else self.name: build}

    def start(self, task: Task, outputs: Outputs | None) -> Candidate | None:
        """The candidate to start from; None for a model that is not trained."""
        if not self.trained or self.form is None:
            return None
        usual = self.form.usual_outputs(task.kind, self.instance)
        candidate = Candidate(
            self.name,
            self.form.name,
            self.instance,
            prepare=task.prepare if self.form.takes_prepared else None,
            outputs=outputs or usual,
        )
        of_labels = candidate.outputs == "probabilities" or usual == "label_probabilities"
        if task.kind == "multilabel" and of_labels:
            return replace(candidate, outputs="label_probabilities")
        return candidate


def other_builders(
    models: Mapping[str, Callable[..., Any]], task: Task
) -> dict[str, Callable[..., Any]]:
    """Builders of further models; one that takes the number of inputs gets it.

    Raises TaskError for a builder that needs more, and for a model in place of its builder.
    """
    builders = {}
    for name, build in models.items():
        needed = _needed(build)
        form = next((form for form in FORMS.all().values() if form.is_mine(build)), None)
        if form is not None:
            raise TaskError(
                f"`models` must hold functions that make a model, and `{name}` is {form.noun}: "
                "give the function or class that makes it."
            )
        if len(needed) > 1:
            raise TaskError(
                f"`models`: `{name}` needs {', '.join(needed)}; wrap it in a function without "
                "arguments."
            )
        builders[name] = sized(build, task, task.prepare) if needed else build
    return builders


def sized(build: Callable[..., Any], task: Task, prepare: Any) -> SizedBuilder:
    """A builder that takes the number of inputs, with that number as `prepare` makes it."""
    try:
        first = next(iter(task.example(2, prepare).values()))
    except WorkbenchError:
        raise
    except Exception as error:  # `prepare` may be the user's code
        raise TaskError(
            f"`prepare` raised {type(error).__name__} on two rows of train: {sentence_of(error)}"
        ) from error
    if first.ndim < 2:
        raise TaskError(
            "`model` wants the number of inputs, and a row is one value: `prepare` must make a "
            "matrix."
        )
    return SizedBuilder(build, int(first.shape[1]))


def own_model(model: Any, output: str | int | None = None) -> OwnModel:
    """What kind of thing `model` is, settled by its form, with `output` as its only output.

    Raises TaskError for a model that is none of them, or that cannot be used.
    """
    if model is None:
        return OwnModel()
    if isinstance(model, str) and ":" in model and not path_of(model, error=TaskError).exists():
        named = own_model(resolve(model), output)
        return replace(named, name=model.rpartition(":")[2].rpartition(".")[2])
    source = path_of(model, error=TaskError) if isinstance(model, str) else model
    try:
        form = form_of(source)
    except CandidateError as error:
        if callable(model):
            return _from_builder(model)
        raise TaskError(
            f"`model` is {type(model).__name__}: give {_nouns()}, a function that makes one, or "
            "`package.module:function`."
        ) from error
    settled, notes = form.settled(source)
    copied = form.copy(settled)  # later changes of the original must not change the task
    if output is not None:
        copied = form.answering(copied, output)
    return OwnModel(
        form,
        form.label(source if isinstance(source, Path) else settled),
        copied,
        form.untrained(copied),
        trained=form.is_trained(copied),
        notes=notes,
    )


def _from_builder(function: Callable[..., Any]) -> OwnModel:
    """A model given as a function that makes it untrained.

    The function is called once to see the form of its result, unless it takes the number of inputs.
    """
    inner = function.func if isinstance(function, partial) else function
    name = name_of(inner, "model")
    needed = _needed(function)
    if len(needed) > 1:
        raise TaskError(
            f"`{name}` needs {', '.join(needed)}: wrap it, as in `model=lambda: {name}(...)`."
        )
    if needed:
        return OwnModel(form_named("torch"), name, build=function, wants_n_in=True)
    try:
        built = function()
    except Exception as error:  # the user's code
        raise TaskError(
            f"`{name}` raised {type(error).__name__} when it was called to build the model: {error}"
        ) from error
    try:
        form = form_of(built)
    except CandidateError as error:
        raise TaskError(
            f"`{name}` made {type(built).__name__}; it must make {_nouns()}."
        ) from error
    return OwnModel(form, name, build=function, notes=form.settled(built)[1])


def _nouns() -> str:
    """Nouns of all forms, those that a loss trains first."""
    forms = sorted(FORMS.all().values(), key=lambda f: (not f.trained_by_loss, f.takes_prepared))
    return ", ".join(form.noun for form in forms)


def _needed(function: Callable[..., Any]) -> list[str]:
    """Names of the positional parameters without a default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a builtin without a signature
        return []
    return [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
