"""Form, the kind of thing that a model is, and the registry that finds the form of a model.

A form is one file in `workbench/forms/`, or in another package under the entry point group
`workbench.forms`. It answers every question that depends on the kind of model: is this one of mine,
how is it copied, trained, measured, kept and converted. Nothing else in the package asks for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workbench.data.labels import Kind
from workbench.data.rows import AnyRows
from workbench.errors import CandidateError, TaskError
from workbench.events import Report
from workbench.system.registry import Registry, modules_in

if TYPE_CHECKING:
    import numpy as np

    from workbench.task import Candidate, Task

__all__ = ["FORMS", "Form", "Outputs", "Training", "form_named", "form_of"]

Outputs = Literal["logits", "probabilities", "label_probabilities", "values"]


@dataclass(frozen=True)
class Training:
    """How a candidate is trained to start from: effort, seed, device, and where progress goes.

    `stops_early` asks for the number of rounds with the best score on the valid rows, of a model
    for which `Form.can_stop_early` holds. Models trained by a loss stop early in any case.
    """

    budget: str = "standard"
    seed: int = 0
    device: str = "cpu"
    report: Report = field(default_factory=Report)
    checkpoint: Path | None = None
    stops_early: bool = False


class Form(ABC):
    """One kind of model. Models are never changed by a method, unless its docstring says so.

    Attributes
    ----------
    name
        Name in files and in `Candidate.form`.
    noun
        Words for one such model, with an article, as errors say them.
    runtimes
        Engines that run it, the preferred one first; others are found by their own declarations.
    tolerance
        Largest difference between its outputs and those of a conversion to another form, as a
        fraction of the largest output.
    takes_prepared
        Whether the task's `prepare` stands before it; otherwise it takes raw rows.
    takes_columns
        Whether it takes the columns of a table as they are; otherwise one matrix of numbers.
    trained_by_loss
        Whether the task's loss trains it.
    on_device
        Whether it runs on the device of the run; otherwise on the processor.
    settings_in_model
        Whether the model holds the settings of its training, so that `untrained` keeps them.
    """

    name: str
    noun: str
    runtimes: tuple[str, ...]
    tolerance: float = 2e-3
    takes_prepared: bool = True
    takes_columns: bool = True
    trained_by_loss: bool = False
    on_device: bool = False
    settings_in_model: bool = False

    # Recognise and copy

    @abstractmethod
    def is_mine(self, model: Any) -> bool:
        """Whether this object is a model of this form."""

    @abstractmethod
    def copy(self, model: Any) -> Any:
        """A copy that later changes of the original do not reach."""

    def settled(self, model: Any) -> tuple[Any, tuple[str, ...]]:
        """The model as this package works with it, and sentences about what was changed.

        It is the model itself where nothing is to be changed. Raises TaskError for a model of this
        form that cannot be used here.
        """
        return model, ()

    def shaped(self, model: Any, inputs: Callable[[], Mapping[str, np.ndarray]]) -> Any:
        """A new model, its sizes taken from prepared rows `inputs()` where it leaves them open.

        It is changed in place. Raises TaskError for sizes that the rows do not give.
        """
        return model

    def answering(self, model: Any, output: str | int) -> Any:
        """The model, changed to give one of its outputs, by name or by place.

        Raises TaskError where the form has no such choice, or the model no such output.
        """
        raise TaskError(f"`output` chooses among outputs, and {self.noun} gives one: leave it out.")

    def outputs_by_name(
        self, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> dict[str | int, np.ndarray]:
        """All outputs `(rows, ...)` of the model in one call; empty where the form gives one.

        The one that counts is the first, as `outputs` gives it.
        """
        return {}

    def label(self, model: Any) -> str:
        """Name for a candidate that holds this model."""
        return type(model).__name__.lower()

    def untrained(self, model: Any) -> Callable[[], Any] | None:
        """A function that makes an untrained copy; None where the form cannot."""
        return None

    def is_trained(self, model: Any) -> bool:
        """Whether the model can predict as it is."""
        return True

    def can_stop_early(self, model: Any) -> bool:
        """Whether training finds the number of its rounds by scores on rows held out."""
        return self.trained_by_loss

    # What the model says about the task

    def kind(self, model: Any) -> Kind | None:
        """Kind of task that the model itself names; None where it does not."""
        return None

    def usual_outputs(self, kind: Kind, model: Any) -> Outputs:
        """Meaning of the model's outputs where nobody says otherwise."""
        return "values" if kind == "regression" else "logits"

    def arranged(self, model: Any, rows: AnyRows, *, name: str = "model") -> AnyRows:
        """Rows with their columns as this model takes them; `model` is None before it is built.

        Raises TaskError, with `name`, for columns that the model needs and the rows lack.
        """
        return rows

    def problems(self, model: Any) -> list[str]:
        """Reasons why the model cannot be used, as ends of a sentence that begins with its name."""
        return []

    def fills_missing(self, model: Any) -> bool:
        """Whether the model takes missing values, told without running it."""
        return False

    # Train, predict, measure

    @abstractmethod
    def fit(self, candidate: Candidate, task: Task, training: Training) -> Candidate:
        """The candidate with a copy of its model trained on the task's train rows."""

    @abstractmethod
    def outputs(self, candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Scores `(rows, ...)` on prepared inputs `(rows, ...)`, here and now."""

    @abstractmethod
    def size(self, model: Any) -> tuple[int, int]:
        """Bytes of the model as a file: as it is, and gzipped."""

    def content(self, model: Any) -> Any:
        """All that the outputs depend on, in a form that `fingerprint` takes; it is not kept."""
        import pickle

        return pickle.dumps(model)

    def n_parameters(self, model: Any) -> int | None:
        """Number of learned numbers; None where the kind of model has no usual count."""
        return None

    def macs(self, model: Any, inputs: Mapping[str, np.ndarray]) -> int | None:
        """Multiply-adds for one sample; None where they cannot be counted."""
        return None

    # Keep, load, hand over

    @abstractmethod
    def keep(
        self, candidate: Candidate, folder: Path, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Write the model's own files into a folder, `model.*` each; no pickle among them.

        Returns what `load` needs besides the files, as JSON. `{"kept": "refit", "reason": ...}`
        says that the model is made again by training its builder on the same rows.
        """

    @abstractmethod
    def load(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        build: Callable[[], Any] | None = None,
        trusted: Sequence[Any] = (),
    ) -> Any:
        """The model that `keep` wrote; `about` is the whole of `candidate.json`.

        `build` makes an untrained model of the user's own class; `trusted` are further classes, or
        their names, that may be loaded. Raises CandidateError when the files are not what they say.
        """

    def to_onnx(
        self, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> tuple[bytes, Outputs]:
        """Content of an ONNX file with a free batch, and the meaning of its outputs.

        `inputs` are prepared rows `(rows, ...)`, two at least. Raises ExportError with the reason.
        """
        from workbench.errors import ExportError

        raise ExportError(f"`{candidate.name}` is {self.noun}, which has no way to ONNX here.")

    def packed(self, candidate: Candidate) -> bytes:
        """The candidate for another process of this machine; read there by `unpacked` alone."""
        import cloudpickle

        return cloudpickle.dumps(candidate)

    def unpacked(self, content: bytes, name: str, outputs: Outputs) -> Candidate:
        """The candidate that `packed` wrote."""
        import cloudpickle

        return cloudpickle.loads(content)


FORMS: Registry[Form] = Registry(
    "workbench.forms", "form", lambda: Form, lambda: modules_in("workbench.forms")
)


def form_named(name: str) -> Form:
    """A form by its name; raises UnknownName that lists them all."""
    return FORMS.get(name)


def form_of(model: Any) -> Form:
    """The form that says that a model is its own; forms of other packages are asked first.

    Raises CandidateError that lists all forms.
    """
    forms = sorted(FORMS.all().values(), key=lambda f: type(f).__module__.startswith("workbench."))
    for form in forms:
        if form.is_mine(model):
            return form
    nouns = ", ".join(f.noun for f in forms)
    raise CandidateError(f"{type(model).__name__} is no model that is known here: give {nouns}.")
