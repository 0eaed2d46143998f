"""The student: found by name, chosen where no name is given, and checked against what the teacher
gives.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError, SettingsError, WorkbenchError, unknown
from workbench.model_form import form_named
from workbench.models.networks import build_seeded
from workbench.runtimes.outputs import ends_in, outputs_of
from workbench.system.references import resolve
from workbench.task import Candidate, Task

if TYPE_CHECKING:
    from torch import nn

    from workbench.technique import Job

__all__ = ["Student", "check_fits", "same_again", "student_of"]

SMALLER = 4  # times fewer parameters than the teacher's are wanted of a student that nobody named
COMPACT = ("workbench.models.compact:convnet", "workbench.models.compact:dscnn")
TABLE = "workbench.models.table:table_net"


@dataclass(frozen=True)
class Student:
    """A network to be trained: `name` as the setting `student` holds it, `build(seed)` makes it,
    weights drawn by the seed.
    """

    name: str
    builder: str | None
    prepare: Any
    build: Callable[[int], nn.Module]

    @property
    def title(self) -> str:
        """The short name, for people."""
        return self.name.rpartition(":")[2] or "itself"


def student_of(job: Job, name: str, n_out: int) -> Student:
    """The student of a job by its name; an empty name takes a compact one.

    Names are those of the task's builders, or `package.module:function`, called with as many of
    `n_classes`, `n_out` and `n_in` as it has parameters for. Raises SettingsError for an unknown
    name, CandidateError for what is no torch network.
    """
    chosen = name or _compact(job, n_out)
    task = job.task
    if chosen in task.builders:
        builder, prepare = f"{task.name}/{chosen}", task.prepares.get(chosen, task.prepare)
        make = task.builders[chosen]
    elif ":" in chosen:
        builder, prepare = chosen, task.prepare
        make = _called(resolve(chosen), chosen, task, n_out)
    else:
        raise SettingsError(
            f"{unknown('student', chosen, task.builders)} Or name your own as "
            "package.module:function."
        )
    return Student(
        chosen, builder, prepare, lambda seed: _network(build_seeded(make, seed), chosen)
    )


def same_again(job: Job) -> Student:
    """The start's own architecture with weights drawn anew (born-again networks); raises
    CandidateError where that fails.
    """
    start, name = job.start, (job.start.builder or "").rpartition("/")[2]
    build = job.build or job.task.builders.get(name)
    if _can_reset(start.model):
        make: Callable[[], Any] = lambda: _reset(start.model)  # noqa: E731
    elif build is not None:
        make = build
    else:
        raise CandidateError(
            f"`{start.name}` cannot be drawn anew: some of its layers have no `reset_parameters`, "
            "and it has no builder. Give `model=` as a function, or name a `student`."
        )
    return Student(
        "",
        start.builder,
        start.prepare,
        lambda seed: _network(build_seeded(make, seed), start.name),
    )


def check_fits(student: Student, task: Task, n_out: int, teacher: str) -> None:
    """Raise CandidateError when the student's outputs cannot be held against the teacher's."""
    inputs = task.example(4, student.prepare)
    network = Candidate(
        student.title,
        "torch",
        student.build(0),
        outputs=form_named("torch").usual_outputs(task.kind, None),
    )
    got = width_of(outputs_of(network, inputs), task)
    if got != n_out:
        raise CandidateError(
            f"`{student.title}` gives {got} outputs a row and the teacher `{teacher}` {n_out}: "
            "they must be the same. Name a `student` that is built for this task."
        )
    ending = ends_in(task, network, inputs)
    if ending:
        raise CandidateError(
            f"`{student.title}` ends in a {ending}; a student must give logits: leave that layer "
            "out."
        )


def width_of(outputs: np.ndarray, task: Task) -> int:
    """How many outputs a row has; two of a yes-or-no question count as the one that their
    difference is.
    """
    width = int(np.prod(outputs.shape[1:]))
    return 1 if task.kind == "binary" and width == 2 else width


def _compact(job: Job, n_out: int) -> str:
    """The largest of the task's models that is small enough; where there is none, one of ours by
    the shape of the inputs.
    """
    task, limit = job.task, _size(job.start.model) / SMALLER
    own = (job.start.builder or "").rpartition("/")[2]
    sizes = {name: _size_of(build) for name, build in task.builders.items() if name != own}
    small = {name: size for name, size in sizes.items() if size is not None and size <= limit}
    if small:
        return max(small, key=small.__getitem__)
    arrays = list(task.example(2).values())
    if len(arrays) == 1 and arrays[0].ndim == 4:
        sizes = {name: _size_of(_called(resolve(name), name, task, n_out)) for name in COMPACT}
        return next((name for name, size in sizes.items() if size <= limit), COMPACT[-1])
    if len(arrays) == 1 and arrays[0].ndim == 2 and arrays[0].dtype.kind == "f":
        return TABLE
    raise SettingsError(
        f"`student` is empty, and no model of task `{task.name}` has at most a quarter of the "
        f"parameters of `{job.start.name}`. Name a smaller one of your own as "
        "package.module:function."
    )


def _called(function: Any, name: str, task: Task, n_out: int) -> Callable[[], Any]:
    """A function of the user's, or one of ours, with the sizes that it has parameters for."""
    if not callable(function) or hasattr(function, "state_dict"):
        raise CandidateError(
            f"`{name}` is {type(function).__name__}; a student is named by a function that builds "
            "it."
        )
    first = next(iter(task.example(2).values()))
    known: dict[str, Any] = {
        "n_classes": n_out,
        "n_out": n_out,
        "n_in": int(first.shape[1]) if first.ndim > 1 else 1,
    }
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # a builtin without a signature
        parameters = {}
    given = {key: value for key, value in known.items() if key in parameters}
    if name == TABLE:
        given["width"] = 16
    return lambda: function(**given)


def _network(made: Any, name: str) -> nn.Module:
    if not hasattr(made, "state_dict") or not hasattr(made, "forward"):
        raise CandidateError(
            f"`{name}` builds {type(made).__name__}; a student is a torch network."
        )
    return made


def _size_of(build: Callable[[], Any]) -> int | None:
    """Parameters of what a builder makes; None where that is no network, or its extra is not
    installed.
    """
    try:
        made = build_seeded(build, 0)
    except (WorkbenchError, ImportError):
        return None
    return _size(made) if hasattr(made, "state_dict") else None


def _size(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _can_reset(model: Any) -> bool:
    """Whether every module that owns parameters knows how to draw them anew."""
    owners = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    return bool(owners) and all(hasattr(m, "reset_parameters") for m in owners)


def _reset(model: Any) -> Any:
    fresh = copy.deepcopy(model).cpu()
    for module in fresh.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return fresh.train().requires_grad_(True)
