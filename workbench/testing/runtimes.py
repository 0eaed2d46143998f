"""RuntimeContract, the promises of every runtime."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from workbench.model_form import form_named
from workbench.runtimes import Predictor, Runtime
from workbench.task import Candidate, Task
from workbench.testing.contract import Contract
from workbench.testing.examples import ready_candidate, ready_task

__all__ = ["RuntimeContract"]

WAY_OUT = re.compile(r"\b(install|use|set|take|start|update)\b", re.IGNORECASE)


class RuntimeContract(Contract):
    """All tests of a runtime; a subclass gives it as its fixture "declared".

    Fixtures to override: `task`, `candidate` (trained, in a form that the runtime runs),
    `tolerance`. `batch_size` is the one size that a runtime without a free batch was made for.
    Where the machine lacks something for the runtime, the tests that need it are skipped.
    """

    batch_size: int = 8

    # Fixtures

    @pytest.fixture
    def task(self, declared: Runtime) -> Task:
        """The task, with its test rows."""
        return ready_task(declared.forms)

    @pytest.fixture
    def candidate(self, declared: Runtime) -> Candidate:
        """A trained candidate in a form that the runtime runs."""
        return ready_candidate(declared.forms)

    @pytest.fixture
    def tolerance(self, candidate: Candidate) -> float:
        """Largest difference to the form's own outputs, as a fraction of the largest output."""
        return form_named(candidate.form).tolerance

    @pytest.fixture
    def inputs(self, task: Task, candidate: Candidate) -> dict[str, np.ndarray]:
        """As many rows as `batch_size`, as the model takes them."""
        return task.example(self.batch_size, candidate.prepare)

    @pytest.fixture
    def usable(self, declared: Runtime) -> None:
        """Skips a test where this machine lacks something for the runtime."""
        if declared.lacks():
            pytest.skip(declared.lacks())

    @pytest.fixture
    def threads_of_torch(self) -> Iterator[None]:
        """Puts the number of torch's threads back, which belongs to the whole process."""
        import torch

        before = torch.get_num_threads()
        yield
        torch.set_num_threads(before)

    @pytest.fixture
    def predictor(
        self, usable: None, threads_of_torch: None, declared: Runtime, candidate: Candidate
    ) -> Iterator[Predictor]:
        """The candidate, ready to run on one thread of the processor."""
        predictor = declared.make(candidate, 1, "cpu")
        yield predictor
        predictor.close()

    # The declaration

    def test_declaration_is_fit_to_be_shown(self, declared: Runtime) -> None:
        assert declared.name
        assert declared.title, "a title for tables"
        assert declared.forms, "at least one form"
        assert "cpu" in declared.devices or declared.devices

    def test_what_the_machine_lacks_is_told_with_a_way_out(self, declared: Runtime) -> None:
        lacking = declared.lacks()
        assert isinstance(lacking, str)
        if lacking:
            assert lacking.endswith((".", '"')), "a sentence"
            assert WAY_OUT.search(lacking), f"no way out in: {lacking}"

    def test_libraries_can_be_imported_or_are_told_to_be_missing(self, declared: Runtime) -> None:
        missing = []
        for library in declared.libraries:
            try:
                importlib.import_module(library)
            except ImportError:
                missing.append(library)
        assert not missing or declared.lacks(), f"`lacks` is silent about {missing}"
        declared.import_libraries()

    # The predictor

    def test_predictor_answers_like_the_form(
        self,
        predictor: Predictor,
        candidate: Candidate,
        inputs: dict[str, np.ndarray],
        tolerance: float,
    ) -> None:
        expected = form_named(candidate.form).outputs(candidate, inputs)
        actual = predictor.predict(inputs)
        assert actual.shape == expected.shape
        largest = max(1.0, float(np.abs(expected).max()))
        assert np.abs(actual - expected).max() <= tolerance * largest
        np.testing.assert_array_equal(
            predictor.predict(inputs), actual, "equal rows, equal answers"
        )

    def test_predictor_says_its_name_and_details(
        self, predictor: Predictor, declared: Runtime
    ) -> None:
        assert predictor.runtime == declared.name
        assert isinstance(predictor.details, dict)
        assert all(isinstance(name, str) for name in predictor.details)

    def test_batch_is_free_or_fixed_as_declared(
        self,
        predictor: Predictor,
        declared: Runtime,
        inputs: dict[str, np.ndarray],
        tolerance: float,
    ) -> None:
        whole = predictor.predict(inputs)
        assert len(whole) == self.batch_size
        if not declared.free_batch:
            return
        largest = max(1.0, float(np.abs(whole).max()))
        for size in (1, 3):
            part = predictor.predict({name: a[:size] for name, a in inputs.items()})
            assert part.shape == (size, *whole.shape[1:])
            assert np.abs(part - whole[:size]).max() <= tolerance * largest

    def test_given_number_of_threads_is_used(
        self,
        usable: None,
        threads_of_torch: None,
        declared: Runtime,
        candidate: Candidate,
        inputs: dict[str, np.ndarray],
    ) -> None:
        """A predictor without `threads` among its details has no threads of its own."""
        for threads in (1, 2):
            predictor = declared.make(candidate, threads, "cpu")
            assert predictor.details.get("threads", threads) == threads
            assert len(predictor.predict(inputs)) == self.batch_size
            predictor.close()

    def test_closed_predictor_answers_no_more(
        self,
        usable: None,
        threads_of_torch: None,
        declared: Runtime,
        candidate: Candidate,
        inputs: dict[str, np.ndarray],
    ) -> None:
        predictor = declared.make(candidate, 1, "cpu")
        predictor.predict(inputs)
        predictor.close()
        predictor.close()  # a second call does nothing
        with pytest.raises(Exception, match=r".+"):
            predictor.predict(inputs)

    def test_candidate_stays_usable_after_a_predictor_was_closed(
        self, predictor: Predictor, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> None:
        form = form_named(candidate.form)
        before = form.outputs(candidate, inputs)
        predictor.close()
        np.testing.assert_array_equal(form.outputs(replace(candidate), inputs), before)

    def test_coverage_counts_add_up(
        self, usable: None, declared: Runtime, candidate: Candidate
    ) -> None:
        if declared.coverage is None:
            return
        covered = declared.coverage(candidate.model)
        table = covered.operators
        assert covered.runtime == declared.name
        assert list(table.columns) == ["name", "op_type", "precision", "why"]
        assert covered.n_all == len(table) > 0
        assert covered.n_low == int(table.precision.isin(("int8", "int4")).sum())
        assert covered.n_conversions >= 0
        assert 0 <= covered.share <= 1
        assert covered.text.endswith(".")
