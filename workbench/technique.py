"""@technique, the one declaration of a technique, with its input (`Job`) and output (`Outcome`).

A technique is one module in `workbench/techniques/` (or in another package, under the entry point
group `workbench.techniques`) with one settings class and one function:

    @technique("pruning", title="Pruning", accepts=("torch",), gives="torch")
    def prune(job: Job, settings: PruningSettings) -> Outcome: ...
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from workbench.data.rows import AnyRows
from workbench.errors import CandidateError, SettingsError, TaskError, all_of
from workbench.events import Report
from workbench.model_form import form_named
from workbench.settings import TechniqueSettings, knobs
from workbench.system.records import record
from workbench.task import Candidate, Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Decision", "Job", "Needs", "Outcome", "Technique", "technique"]

Aim = Literal["cost", "quality"]
S = TypeVar("S", bound=TechniqueSettings)
NO_TEST = "A job must not hold test rows: hand it `task.without_test()`."


@dataclass(frozen=True)
class Needs:
    """What a step asks of the runner.

    Attributes
    ----------
    task
        A task with data; without it the step works on `Job.data` alone.
    start
        A candidate to start from.
    trained_start
        A start that can predict; an untrained one is trained and measured first.
    timing
        Latency of the result, beside the candidate before it.
    test
        A look at the test split when the run ends.
    builder
        A function that makes the model untrained.
    """

    task: bool = True
    start: bool = True
    trained_start: bool = True
    timing: bool = True
    test: bool = True
    builder: bool = False


@dataclass(frozen=True)
class Decision:
    """The result of a step that makes no model, or that chooses between models.

    Attributes
    ----------
    verdict
        One or two words: "keep", "promote", "drift".
    reason
        One sentence.
    numbers
        The numbers that it rests on, by name.
    action
        What to do next, in one sentence.
    goes_on
        Reference of the candidate that the next step starts from, one of `Job.others`; empty: the
        start.
    """

    verdict: str
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    action: str = ""
    goes_on: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "numbers": {k: float(v) for k, v in self.numbers.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | str) -> Decision:
        """Also reads the text that older versions kept."""
        return cls(data, "") if isinstance(data, str) else record(cls, data)

    @property
    def text(self) -> str:
        """The decision as a sentence or two."""
        reason = f": {self.reason}" if self.reason else "."
        return f"{self.verdict}{reason}" + (f" Next: {self.action}" if self.action else "")


@dataclass(frozen=True)
class Job:
    """All that a technique gets; nothing of it may be changed, copy a model first.

    Attributes
    ----------
    task
        The task without test rows.
    start
        The candidate to start from.
    folder
        Place for checkpoints that survives a kill.
    others
        Further candidates by the reference that settings name them with (teacher, challenger).
    data
        Further rows by the reference that settings name them with (window, stream, log).
    build
        Makes the start's model untrained, `build(**arguments of the builder)`; None where no
        builder is known.
    cache
        Place for analyses that later runs share (`workbench.system.cache`).
    exported
        The start as ONNX, where that was written before.
    """

    task: Task
    start: Candidate
    folder: Path
    others: Mapping[str, Candidate] = field(default_factory=dict)
    build: Callable[..., Any] | None = None
    seed: int = 0
    device: str = "cpu"
    report: Report = field(default_factory=Report)
    cache: Path = Path()
    exported: Candidate | None = None
    data: Mapping[str, AnyRows | Iterable[AnyRows]] = field(default_factory=dict)
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.cache == Path():
            object.__setattr__(self, "cache", self.folder / "cache")
        if self.task is not None and self.task.data.test is not None:
            raise TaskError(NO_TEST)

    def example(self, n: int = 2) -> dict[str, Any]:
        """`n` train rows as the start candidate takes them: named arrays `(n, ...)`.

        A start without a `prepare` of its own takes the task's, if its form takes prepared rows.
        """
        if self.start.prepare is None and form_named(self.start.form).takes_prepared:
            return self.task.example(n)
        return self.task.example(n, self.start.prepare)

    def resolved(self, settings: S) -> S:
        """Settings with every None written down, by the start's own choices or by the budget."""
        return settings.resolved(own={"fit": self.start.fit} if self.start is not None else None)


@dataclass(frozen=True)
class Outcome:
    """The result of a technique.

    `resolved` are the settings with every automatic choice written down, `evidence` named tables
    that show how it went; `partial` says that it was cut short and the candidate is the best so
    far. A step gives a candidate, a decision, or both.

    `control` is the same model with default settings, trained on the same rows with the same
    budget and seed. It has a row of its own, and the candidate is judged against it; without one,
    against the candidate before the step.
    """

    candidate: Candidate | None
    resolved: TechniqueSettings
    decision: Decision | None = None
    evidence: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    partial: bool = False
    control: Candidate | None = None


Action = Callable[[Job, Any], "Mapping[str, pd.DataFrame]"]


@dataclass(frozen=True)
class Technique:
    """A declared technique; call it with a job and settings.

    `aim` is what it is for: to lower the cost of the model, or to raise its score. A step that
    should raise the score and is not proved to says so, and baselines stand beside it. `actions`
    are analyses `(job, settings) -> named tables`, `references` the settings that name
    other candidates, `data` those that name other rows. `partly` says, for a form of which it takes
    some models only, in words which ones.
    """

    name: str
    title: str
    summary: str
    settings: type[TechniqueSettings]
    function: Callable[[Job, Any], Outcome]
    accepts: tuple[str, ...]
    gives: str | None
    needs: Needs = field(default_factory=Needs)
    aim: Aim = "cost"
    actions: Mapping[str, Action] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    partly: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, job: Job, settings: TechniqueSettings | None = None) -> Outcome:
        """Run it.

        Raises CandidateError when the candidate's form is not one that it accepts, SettingsError
        for values that have no effect on this form.
        """
        chosen = settings if settings is not None else self.settings()
        if self.needs.start:
            self.check_form(job.start.form, job.start.name)
            self.check_settings(chosen, job.start.form, job.start.name)
        if self.needs.builder and job.build is None:
            raise CandidateError(
                f"`{self.name}` builds the network anew and `{job.start.name}` has no builder: "
                "give `model=` as a function."
            )
        outcome = self.function(job, chosen)
        if outcome.candidate is None and outcome.decision is None:
            raise CandidateError(f"`{self.name}` gave neither a candidate nor a decision.")
        return outcome

    def referred(self, settings: TechniqueSettings) -> tuple[str, ...]:
        """The references to other candidates that settings hold, each once."""
        return _named_in(settings, self.references)

    def referred_data(self, settings: TechniqueSettings) -> tuple[str, ...]:
        """The references to other rows that settings hold, each once."""
        return _named_in(settings, self.data)

    def check_form(self, form: str, candidate: str, advice: str = "") -> None:
        """Raise CandidateError for a form that it does not accept.

        `advice` replaces the way out, for a caller that knows the other steps.
        """
        if form not in self.accepts:
            forms = " or ".join(self.accepts)
            way_out = advice or f"Start from a model in the form {forms}, or leave this step out."
            raise CandidateError(
                f"`{self.name}` takes models in the form {forms}; `{candidate}` is in the form "
                f"{form}. {way_out}"
            )

    def check_settings(self, settings: TechniqueSettings, form: str, candidate: str) -> None:
        """Raise SettingsError for changed values that have no effect on models of a form."""
        values = settings.flat()
        problems = [
            f"`{k.name}` is for {' or '.join(k.forms)} models, and `{candidate}` is in the form "
            f"{form}: leave it out."
            for k in knobs(type(settings))
            if not k.takes(form) and values[k.name] != k.default
        ]
        if problems:
            raise SettingsError(all_of(problems, "These settings do not fit the model"))

    def form_after(self, form: str) -> str:
        """The form of the candidate that comes out when one of this form goes in."""
        return form if self.gives in ("same", None) else self.gives


def _named_in(settings: TechniqueSettings, names: tuple[str, ...]) -> tuple[str, ...]:
    """The texts in some settings, which hold one or a list each; empty ones left out."""
    values = [getattr(settings, name) for name in names]
    texts = [v for value in values for v in ([value] if isinstance(value, str) else value)]
    return tuple(dict.fromkeys(text for text in texts if text))


def technique(
    name: str,
    *,
    title: str,
    accepts: tuple[str, ...],
    gives: str | None = "same",
    needs: Needs | None = None,
    aim: Aim = "cost",
    actions: Mapping[str, Action] | None = None,
    references: tuple[str, ...] = (),
    data: tuple[str, ...] = (),
    partly: Mapping[str, str] | None = None,
) -> Callable[[Callable[[Job, Any], Outcome]], Technique]:
    """Declare a function `(job, settings) -> Outcome` as a technique.

    Its settings class is read off the annotation. `gives` is the form of the result, "same" for
    that of the start, None for a technique that only decides. The others are attributes of
    `Technique`.
    """

    def declare(function: Callable[[Job, Any], Outcome]) -> Technique:
        return Technique(
            name=name,
            title=title,
            summary=(function.__doc__ or "").strip().split("\n")[0],
            settings=typing.get_type_hints(function)["settings"],
            function=function,
            accepts=accepts,
            gives=gives,
            needs=needs or Needs(),
            aim=aim,
            actions=actions or {},
            references=references,
            data=data,
            partly=partly or {},
        )

    return declare
