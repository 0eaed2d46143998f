"""Training a candidate anew on a part of a task's train rows, as each fold of a validation does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.data.cut import hold_out, taken
from workbench.data.labels import Kind
from workbench.data.rows import AnyRows, Rows, Splits
from workbench.data.tables import groups_of
from workbench.errors import CandidateError, TaskError, WorkbenchError, sentence_of
from workbench.events import Report
from workbench.model_form import Form, Training, form_named, form_of
from workbench.models.networks import build_seeded
from workbench.system.references import resolve
from workbench.task import Candidate, SizedBuilder, Task

__all__ = ["Anew", "inner_hold_out", "refitted"]

N_FOLLOWED = 256  # train rows whose score is followed where no other rows are to be seen
INNER_VALID = 0.15  # of a fold's train rows, for early stopping


@dataclass(frozen=True)
class Anew:
    """A candidate that is trained anew on other rows: its task, form and `prepare`.

    `of` raises CandidateError for a candidate that cannot be trained anew, with the reason.
    """

    candidate: Candidate
    task: Task
    form: Form
    prepare: Any

    @classmethod
    def of(cls, candidate: Candidate, task: Task) -> Anew:
        """The candidate with the task that it is trained on; test rows are left out."""
        form = form_named(candidate.form)
        prepare = candidate.prepare
        if prepare is None and form.takes_prepared:
            prepare = task.prepare
        anew = cls(candidate, task.without_test(), form, prepare)
        anew._refuse()
        return anew

    def _refuse(self) -> None:
        """Raise CandidateError where training would make another model, or none."""
        candidate = self.candidate
        name = f"`{candidate.name}`"
        if not candidate.trains_anew:
            raise CandidateError(
                f"{name} cannot be trained anew: `{candidate.technique}` changed trained weights, "
                "and training alone does not repeat that. Cross-validate the model before this "
                "step, or run the recipe with several seeds."
            )
        make = self._maker(self.task, self.prepare)
        made = None if make is None else form_of(build_seeded(make, 0)).name
        if made != self.form.name:
            raise CandidateError(
                f"{name} is {self.form.noun} and cannot be trained anew, as each fold needs: no "
                "function is known that makes it untrained. Start from the model that it was made "
                "of, or give `model=` as a function that makes one."
            )

    def with_groups(self, groups: Any) -> Anew:
        """The same candidate on train rows with other groups `(train rows,)`."""
        data = self.task.data
        train = replace(data.train, groups=groups_of(groups, len(data.train)))
        return replace(self, task=replace(self.task, data=replace(data, train=train)))

    def choices(self) -> tuple[Any, ...] | None:
        """Parts of a fingerprint: all of the candidate that its training depends on.

        None for a model that has no fingerprint, such as an estimator that cannot be pickled.
        """
        candidate = self.candidate
        try:
            content = self.form.content(candidate.model)
        except Exception:  # of the user's class
            return None
        return content, [candidate.builder_name, candidate.builder_args, candidate.fit]

    @property
    def is_from_builder(self) -> bool:
        """Whether a builder makes it untrained; else a copy of the model draws new weights."""
        name = self.candidate.builder_name
        return not self.form.settings_in_model and (name in self.task.builders or ":" in name)

    @property
    def _is_sized(self) -> bool:
        return isinstance(self.task.builders.get(self.candidate.builder_name), SizedBuilder)

    def _maker(self, task: Task, prepare: Any) -> Callable[[], Any] | None:
        """A function that makes the untrained model behind `prepare`; None where none is known."""
        name, args = self.candidate.builder_name, dict(self.candidate.builder_args)
        if not self.is_from_builder:
            return self.form.untrained(self.candidate.model)
        if name in task.builders:
            return lambda: task.build_behind(prepare, name, **args)
        return lambda: resolve(name)(**args)

    def trained(
        self,
        index: np.ndarray,
        *,
        budget: str,
        seed: int,
        device: str,
        report: Report,
        stops_early: bool = False,
    ) -> tuple[Candidate, tuple[str, ...]]:
        """The candidate trained on the train rows `index`, and notes on how that was done.

        A network stops early by an inner valid part of 15 % of these rows; so does a boosted
        ensemble if `stops_early` asks for it. Other models learn from all rows.
        """
        rows = taken(self.task.data.train, index)
        learned, valid = rows, rows
        if self.form.trained_by_loss or stops_early:
            rest, held = inner_hold_out(rows, self.task.kind, seed=seed)
            learned, valid = taken(rows, rest), taken(rows, held)
        prepare, notes = self._prepare(learned)
        task = replace(self.task, data=Splits(learned, valid, valid), start=None)
        make = self._maker(task, prepare)
        if make is None:
            raise CandidateError(
                f"`{self.candidate.name}` has no function that makes it untrained."
            )
        fresh = replace(
            self.candidate, model=build_seeded(make, seed), prepare=prepare, training={}
        )
        if self.form.takes_prepared:  # nothing fitted on the rows held out is left in the task
            prepares = {**task.prepares, self.candidate.builder_name: prepare}
            task = replace(task, prepare=prepare, prepares=prepares)
        training = Training(
            budget=budget, seed=seed, device=device, report=report, stops_early=stops_early
        )
        return self.form.fit(fresh, task, training), notes

    def trained_on_all(self, *, budget: str, seed: int, device: str, report: Report) -> Candidate:
        """The candidate trained on all train rows with its own `prepare`.

        Neither valid nor any other rows are looked at: the score that the training loop follows is
        that of train rows.
        """
        rows = self.task.data.train
        seen = rows.take(slice(0, N_FOLLOWED))
        task = replace(self.task, data=Splits(rows, seen, seen), start=None)
        make = self._maker(task, self.prepare)
        if make is None:
            raise CandidateError(
                f"`{self.candidate.name}` has no function that makes it untrained."
            )
        model = build_seeded(make, seed)
        fresh = replace(self.candidate, model=model, prepare=self.prepare, training={})
        training = Training(budget=budget, seed=seed, device=device, report=report)
        return self.form.fit(fresh, task, training)

    def _prepare(self, learned: AnyRows) -> tuple[Any, tuple[str, ...]]:
        """`prepare` fitted on the rows that the model learns from, where that can be."""
        if self.prepare is None:
            return None, ()
        fresh = refitted(self.prepare, learned)
        if fresh is None:
            return self.prepare, (
                "`prepare` is not fitted anew in each fold, as it has no `fitted`: the scores are "
                "too good if it holds numbers computed on train.",
            )
        few = learned.take(slice(0, 2))
        shapes = [
            {n: np.shape(a)[1:] for n, a in few.prepared(p).inputs.items()}
            for p in (self.prepare, fresh)
        ]
        if shapes[0] != shapes[1] and not self._is_sized:
            return self.prepare, (
                "`prepare` is not fitted anew in each fold: it would give the model another number "
                "of inputs. To fit it anew, give `model=` as a function of the number of inputs.",
            )
        return fresh, ()


def inner_hold_out(rows: AnyRows, kind: Kind, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows to learn from, and of 15 % of the rows for early stopping."""
    if rows.blocks is not None and len(np.unique(rows.blocks)) < 2:
        rows = replace(rows, times=None, groups=None)  # of a single one: cut by the seed
    return hold_out(rows, kind, INNER_VALID, seed=seed)


def refitted(prepare: Any, train: AnyRows) -> Any:
    """A `prepare` fitted on other train rows; None where it cannot be.

    It has a method `refitted(train)`, or its class has `fitted(train)`. Raises TaskError where that
    fails.
    """
    own = getattr(prepare, "refitted", None)
    fit = own if own is not None else getattr(type(prepare), "fitted", None)
    if fit is None:
        return None
    rows = train if isinstance(train, Rows) else train.take(slice(None))
    try:
        return fit(rows)
    except WorkbenchError:
        raise
    except Exception as error:  # the user's code
        raise TaskError(
            f"`prepare` raised {type(error).__name__} when it was fitted on the train rows of a "
            f"fold: {sentence_of(error)}"
        ) from error
