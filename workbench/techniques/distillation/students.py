"""Students: find one by name, choose one if no name is given, and check its outputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import CandidateError, SettingsError, WorkbenchError, unknown
from workbench.model_form import form_named
from workbench.models.networks import build_seeded, can_reset, copied, reset
from workbench.runtimes.outputs import ends_in, outputs_of
from workbench.system.references import resolve
from workbench.task import Candidate, Task

if TYPE_CHECKING:
    from torch import nn

    from workbench.technique import Job

__all__ = [
    "Student",
    "check_outputs",
    "find_student",
    "n_outputs",
    "n_parameters",
    "untrained_start",
]

SIZE_RATIO = 4  # an automatic student has at most the teacher's parameters divided by this
COMPACT = ("workbench.models.compact:convnet", "workbench.models.compact:dscnn")
TABLE = "workbench.models.table:table_net"
TABLE_WIDTH = 16


@dataclass(frozen=True)
class Student:
    """A network to train: `name` is the value of the setting, `build(seed)` draws its weights."""

    name: str
    builder: str | None
    prepare: Any
    build: Callable[[int], nn.Module]

    @property
    def title(self) -> str:
        """The short name for messages."""
        return self.name.rpartition(":")[2] or "the teacher's architecture"


def find_student(job: Job, name: str, n_out: int) -> Student:
    """The student of this name; a compact network if the name is empty.

    A name is that of a model of the task, or `package.module:function`, which is called with those
    of `n_classes`, `n_out` and `n_in` that are its parameters. Raises SettingsError for an unknown
    name, CandidateError for an object that is no torch network.
    """
    make: Callable[[], Any]
    name = name or _choose_compact(job, n_out)
    task = job.task
    if name in task.builders:
        builder = f"{task.name}/{name}"
        prepare = task.prepares.get(name, task.prepare)
        make = partial(task.build, name)
    elif ":" in name:
        builder, prepare = name, task.prepare
        make = _with_sizes(resolve(name), name, task, n_out)
    else:
        raise SettingsError(
            f"{unknown('student', name, task.builders)} Or give your own as "
            "package.module:function."
        )

    def sized() -> nn.Module:
        return task.fitting(_network(make(), name), prepare)

    return Student(name, builder, prepare, lambda seed: build_seeded(sized, seed))


def untrained_start(job: Job) -> Student:
    """The architecture of the start with newly drawn weights (born-again networks).

    Raises CandidateError if the start can neither be reset nor built again.
    """
    start = job.start
    name = start.builder_name
    build = job.build
    if build is None and name in job.task.builders:
        build = partial(job.task.build_behind, start.prepare, name, **start.builder_args)
    if can_reset(start.model):
        make: Callable[[], Any] = lambda: _reset_on_cpu(start.model)  # noqa: E731
    elif build is not None:
        make = build
    else:
        raise CandidateError(
            f"The weights of `{start.name}` cannot be drawn again: some layers have no "
            "`reset_parameters`, and there is no builder. Give `model=` as a function, or choose "
            "`method` logits and name a `student`."
        )
    return Student(
        "",
        start.builder,
        start.prepare,
        lambda seed: _network(build_seeded(make, seed), start.name),
    )


def _reset_on_cpu(model: nn.Module) -> nn.Module:
    """A reset copy, drawn on the CPU as for any seed, with frozen parameters trainable again."""
    return reset(copied(model).cpu()).requires_grad_(True)


def check_outputs(student: Student, task: Task, n_out: int, teacher: str) -> None:
    """Raise CandidateError unless the student gives `n_out` logits or values, like the teacher."""
    inputs = task.example(4, student.prepare)
    network = Candidate(
        student.title,
        "torch",
        student.build(0),
        outputs=form_named("torch").usual_outputs(task.kind, None),
    )
    n_student = n_outputs(outputs_of(network, inputs), task)
    if n_student != n_out:
        raise CandidateError(
            f"`{student.title}` gives {n_student} outputs a row and the teacher `{teacher}` "
            f"{n_out}: they must be the same. Name a `student` that is built for this task."
        )
    ending = ends_in(task, network, inputs)
    if ending:
        raise CandidateError(
            f"`{student.title}` ends in a {ending}; a student must give logits: remove that layer."
        )


def n_outputs(outputs: np.ndarray, task: Task) -> int:
    """Number of outputs of a row; two logits of a binary task count as one, their difference."""
    width = int(np.prod(outputs.shape[1:]))
    return 1 if task.kind == "binary" and width == 2 else width


def n_parameters(network: nn.Module) -> int:
    """Number of parameters of a network."""
    return sum(p.numel() for p in network.parameters())


def _choose_compact(job: Job, n_out: int) -> str:
    """The largest model of the task that is small enough, else one for the shape of the inputs.

    Raises SettingsError if neither exists.
    """
    task = job.task
    limit = n_parameters(job.start.model) / SIZE_RATIO
    start = job.start.builder_name
    sizes = {name: _size_of(partial(task.build, name)) for name in task.builders if name != start}
    small = {name: size for name, size in sizes.items() if size is not None and size <= limit}
    if small:
        return max(small, key=small.__getitem__)
    arrays = list(task.example(2).values())
    if len(arrays) == 1 and arrays[0].ndim == 4:
        sizes = {name: _size_of(_with_sizes(resolve(name), name, task, n_out)) for name in COMPACT}
        fitting = (name for name, size in sizes.items() if size is not None and size <= limit)
        return next(fitting, COMPACT[-1])
    if len(arrays) == 1 and arrays[0].ndim == 2 and arrays[0].dtype.kind == "f":
        return TABLE
    raise SettingsError(
        f"`student` is empty, and no model of task `{task.name}` has at most a quarter of the "
        f"parameters of `{job.start.name}`. Name a smaller one of your own as "
        "package.module:function."
    )


def _with_sizes(function: Any, name: str, task: Task, n_out: int) -> Callable[[], Any]:
    """A builder without parameters from one that may take the numbers of inputs and outputs."""
    if not callable(function) or hasattr(function, "state_dict"):
        raise CandidateError(
            f"`{name}` is {type(function).__name__}; `student` must name a function that builds "
            "the network."
        )
    first = next(iter(task.example(2).values()))
    sizes = {
        "n_classes": n_out,
        "n_out": n_out,
        "n_in": int(first.shape[1]) if first.ndim > 1 else 1,
    }
    try:
        parameters = set(inspect.signature(function).parameters)
    except ValueError:  # a builtin without a signature
        parameters = set()
    arguments = {key: value for key, value in sizes.items() if key in parameters}
    if name == TABLE:
        arguments["width"] = TABLE_WIDTH
    return lambda: function(**arguments)


def _network(built: Any, name: str) -> nn.Module:
    """The built object; raises CandidateError unless it is a torch network."""
    if not hasattr(built, "state_dict") or not hasattr(built, "forward"):
        raise CandidateError(
            f"`{name}` builds {type(built).__name__}; a student must be a torch network."
        )
    return built


def _size_of(build: Callable[[], Any]) -> int | None:
    """Parameters of the built network; None for another object or if an extra is missing."""
    try:
        built = build_seeded(build, 0)
    except (WorkbenchError, ImportError):
        return None
    return n_parameters(built) if hasattr(built, "state_dict") else None
