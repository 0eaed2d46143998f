"""@technique, the one declaration of a technique, and what it is given (`Job`) and gives back
(`Outcome`).

A technique is one module in `workbench/techniques/` (or one that a third party registers under the
entry point group `workbench.techniques`) with one settings class and one function:

    @technique("pruning", title="Pruning", accepts=("torch",), gives="torch")
    def prune(job: Job, settings: PruningSettings) -> Outcome: ...
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import CandidateError, TaskError
from workbench.events import Report
from workbench.settings import TechniqueSettings
from workbench.task import Candidate, Form, Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Job", "Outcome", "Technique", "technique"]


@dataclass(frozen=True)
class Job:
    """All that a technique gets. `task` holds no test rows; `start` must not be changed, copy its
    model first.

    `others` are further candidates by the reference that settings name them with (a teacher, a
    challenger), `build` makes the network untrained where that is known, `exported` is the start as
    ONNX where that was written before, `folder` is a place for checkpoints that survives a kill,
    `cache` one for analyses that later runs share (`workbench.system.cache`); by default it lies in
    `folder`.
    """

    task: Task
    start: Candidate
    folder: Path
    others: Mapping[str, Candidate] = field(default_factory=dict)
    build: Callable[[], Any] | None = None
    seed: int = 0
    device: str = "cpu"
    report: Report = field(default_factory=Report)
    cache: Path | None = None
    exported: Candidate | None = None

    def __post_init__(self) -> None:
        if self.cache is None:
            object.__setattr__(self, "cache", self.folder / "cache")
        if self.task.data.test is not None:
            raise TaskError("A job must not hold test rows: hand it `task.without_test()`.")

    def example(self, n: int = 2) -> dict[str, Any]:
        """`n` train rows as the start candidate takes them: named arrays `(n, ...)`."""
        return self.task.example(n, self.start.prepare)


@dataclass(frozen=True)
class Outcome:
    """What a technique gives back.

    `resolved` are the settings with every automatic choice written down, `evidence` named tables
    that show how it went, `partial` says that it was cut short and the candidate is the best so
    far.
    """

    candidate: Candidate | None
    resolved: TechniqueSettings
    decision: str | None = None
    evidence: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    partial: bool = False


Action = Callable[[Job, Any], "Mapping[str, pd.DataFrame]"]


@dataclass(frozen=True)
class Technique:
    """A declared technique; call it with a job and settings.

    `actions` are analyses `(job, settings) -> named tables`, `references` the settings that name
    other candidates.
    """

    name: str
    title: str
    summary: str
    settings: type[TechniqueSettings]
    function: Callable[[Job, Any], Outcome]
    accepts: tuple[Form, ...]
    gives: Form | Literal["same"] | None
    needs_builder: bool = False
    actions: Mapping[str, Action] = field(default_factory=dict)
    references: tuple[str, ...] = ()

    def __call__(self, job: Job, settings: TechniqueSettings | None = None) -> Outcome:
        """Run it; raises CandidateError when the candidate's form is not one that it accepts."""
        chosen = settings if settings is not None else self.settings()
        self.check_form(job.start.form, job.start.name)
        if self.needs_builder and job.build is None:
            raise CandidateError(
                f"`{self.name}` builds the network anew and `{job.start.name}` has no builder: "
                "give `model=` as a function."
            )
        return self.function(job, chosen)

    def referred(self, settings: TechniqueSettings) -> tuple[str, ...]:
        """The references to other candidates that settings hold, each once."""
        named = [getattr(settings, name) for name in self.references]
        return tuple(
            dict.fromkeys(
                r for value in named for r in ([value] if isinstance(value, str) else value) if r
            )
        )

    def check_form(self, form: Form, candidate: str) -> None:
        if form not in self.accepts:
            raise CandidateError(
                f"`{self.name}` takes models in the form {' or '.join(self.accepts)}; "
                f"`{candidate}` is in the form {form}. Put the step before the one that changes "
                "the form."
            )

    def form_after(self, form: Form) -> Form:
        """The form of the candidate that comes out when one of this form goes in."""
        return form if self.gives in ("same", None) else self.gives


def technique(
    name: str,
    *,
    title: str,
    accepts: tuple[Form, ...],
    gives: Form | Literal["same"] | None = "same",
    needs_builder: bool = False,
    actions: Mapping[str, Action] | None = None,
    references: tuple[str, ...] = (),
) -> Callable[[Callable[[Job, Any], Outcome]], Technique]:
    """Declare a function `(job, settings) -> Outcome` as a technique; its settings class is read
    off the annotation.
    """

    def declare(function: Callable[[Job, Any], Outcome]) -> Technique:
        settings = typing.get_type_hints(function)["settings"]
        summary = (function.__doc__ or "").strip().split("\n")[0]
        return Technique(
            name,
            title,
            summary,
            settings,
            function,
            accepts,
            gives,
            needs_builder,
            actions or {},
            references,
        )

    return declare
