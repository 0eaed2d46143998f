"""TaskContract, the promises of every task."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from workbench.data.labels import Kind
from workbench.data.rows import SPLIT_NAMES
from workbench.errors import SettingsError, UnknownName
from workbench.model_form import Training, form_named
from workbench.runs.sealed import travelling
from workbench.runtimes.outputs import misfit
from workbench.task import Candidate, Task
from workbench.tasks.checks import check_task
from workbench.testing.contract import Contract, content_of

__all__ = ["TaskContract"]

N_ROWS = 4


class TaskContract(Contract):
    """All tests of a task; a subclass gives the task as its fixture "declared".

    `n_fit` is the number of train rows on which a model that cannot predict untrained is fitted.
    """

    n_fit: int = 300

    def candidates(self, declared: Task) -> list[Candidate]:
        """A candidate of every builder, and the task's own start."""
        from_builders = [declared.candidate(name)[0] for name in declared.builders]
        return [*from_builders, *([declared.start] if declared.start is not None else [])]

    def test_declaration_is_fit_to_be_shown(self, declared: Task) -> None:
        assert declared.name
        assert declared.kind in get_args(Kind)
        assert declared.metrics, "at least one metric; the first one decides"
        names = [metric.name for metric in declared.metrics]
        assert len(names) == len(set(names))
        assert all(metric.fits(declared.kind) for metric in declared.metrics)
        assert declared.builders or declared.start is not None, "at least one model"
        assert declared.name in repr(declared)

    def test_check_task_passes(self, declared: Task) -> None:
        assert all(isinstance(warning, str) for warning in check_task(declared))

    def test_every_split_has_rows(self, declared: Task) -> None:
        assert set(declared.data.sizes()) == set(SPLIT_NAMES), "test too: it is opened at the end"
        assert min(declared.data.sizes().values()) > 0

    def test_every_builder_builds_the_same_model_from_the_same_seed(self, declared: Task) -> None:
        for name in declared.builders:
            one, two = (declared.candidate(name, seed=3)[0] for _ in range(2))
            assert type(one.model) is type(two.model)
            assert content_of(one.model) == content_of(two.model), f"`{name}` depends on the seed"
            assert form_named(one.form).is_mine(one.model)

    def test_example_rows_fit_each_model(self, declared: Task) -> None:
        small = _first_rows(declared.without_test(), self.n_fit)
        targets = np.asarray(declared.data.train.targets[:N_ROWS])
        for candidate in self.candidates(declared):
            form = form_named(candidate.form)
            if not form.is_trained(candidate.model):
                candidate = form.fit(candidate, small, Training("smoke"))
            inputs = declared.example(N_ROWS, candidate.prepare)
            assert {len(array) for array in inputs.values()} == {N_ROWS}
            outputs = form.outputs(candidate, inputs)
            expected = misfit(declared, outputs, targets, N_ROWS)
            assert not expected, f"`{candidate.name}` must give outputs {expected}: {outputs.shape}"

    def test_unknown_model_and_argument_are_refused(self, declared: Task) -> None:
        with pytest.raises(UnknownName, match="Unknown model of task"):
            declared.build("no_such_model")
        for name in declared.builders:
            with pytest.raises(SettingsError, match="no_such_argument"):
                declared.build(name, no_such_argument=1)

    def test_task_without_test_holds_no_test(self, declared: Task) -> None:
        seen = declared.without_test()
        assert seen.data.test is None
        assert "test" not in seen.data.named()
        assert seen.without_test().data.test is None
        assert declared.data.test is not None, "the task itself is not changed"

    def test_task_travels_to_another_process_without_its_test_rows(self, declared: Task) -> None:
        saved = len(travelling(declared)) - len(travelling(declared.without_test()))
        test = declared.data.test
        assert test is not None
        n_bytes = len(travelling(test))
        assert saved > 0.9 * n_bytes, "something of the task holds test rows: a builder, `prepare`?"


def _first_rows(task: Task, n: int) -> Task:
    """The task with the first `n` rows of train."""
    train = task.data.train.take(slice(0, n))
    return replace(task, data=replace(task.data, train=train))
