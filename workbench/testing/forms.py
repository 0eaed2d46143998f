"""FormContract, the promises of every form."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.errors import CandidateError, ExportError
from workbench.keeping.candidates import REFIT, keep
from workbench.model_form import FORMS, Form, Training, form_of
from workbench.runtimes.outputs import misfit
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate, Task
from workbench.testing.contract import Contract, change, content_of, registered
from workbench.testing.examples import READY, ready_candidate, ready_task

__all__ = ["FormContract"]

PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")
N_ROWS = 16
LOADS = """
import sys
import numpy as np
from workbench.keeping.candidates import load_kept
from workbench.model_form import form_named
folder, rows, answers, *trusted = sys.argv[1:]
candidate = load_kept(folder, trusted=trusted)
with np.load(rows) as inputs:
    outputs = form_named(candidate.form).outputs(candidate, dict(inputs))
np.save(answers, outputs)
print(type(candidate.model).__name__)
"""


class FormContract(Contract):
    """All tests of a form; a subclass gives it as its fixture "declared".

    Fixtures to override: `task`, `candidate` (trained, of this form), `least_quality`. Attributes
    to override: `loaded_class`, the name of the class that a kept model has where the user's own
    class is not at hand, and `trusted`, the names of types to load.
    """

    loaded_class: str = ""
    trusted: tuple[str, ...] = ()

    # Fixtures

    @pytest.fixture(autouse=True)
    def registration(self, declared: Form) -> Iterator[None]:
        """Candidates find the form by its name."""
        with registered(FORMS, declared.name, declared):
            yield

    @pytest.fixture
    def task(self, declared: Form) -> Task:
        """The task, with its test rows."""
        return ready_task([declared.name])

    @pytest.fixture
    def candidate(self, declared: Form) -> Candidate:
        """A trained candidate of this form, which the tests may change."""
        return ready_candidate([declared.name])

    @pytest.fixture
    def least_quality(self) -> float:
        """Lowest score on valid of a model that `fit` trained, in the metric that decides."""
        return 0.8

    @pytest.fixture
    def inputs(self, task: Task, candidate: Candidate) -> Mapping[str, np.ndarray]:
        """A few rows as the model takes them."""
        return task.example(N_ROWS, candidate.prepare)

    def change(self, model: Any) -> int:
        """Change a model in place; returns the number of arrays changed, 0 if it cannot change."""
        return change(model)

    # Recognise and copy

    def test_declaration_is_fit_to_be_shown(self, declared: Form) -> None:
        assert declared.name.isidentifier()
        assert declared.noun.startswith(("a ", "an ")), "a noun with its article"
        assert declared.runtimes, "at least one runtime"
        assert 0 < declared.tolerance < 1

    def test_own_models_are_recognised_and_no_others(
        self, declared: Form, candidate: Candidate
    ) -> None:
        model = candidate.model
        assert [form.name for form in FORMS.all().values() if form.is_mine(model)] == [
            declared.name
        ]
        assert form_of(model) is declared
        foreign = [make().model for name, (_, make) in READY.items() if name != declared.name]
        for other in (*foreign, None, {}, "text", type(model), np.zeros(3)):
            assert not declared.is_mine(other), f"{type(other).__name__} is not of this form"

    def test_copy_is_not_reached_by_changes_of_the_original(
        self, declared: Form, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> None:
        copied = declared.copy(candidate.model)
        before = declared.outputs(candidate, inputs)
        assert content_of(copied) == content_of(candidate.model)
        if self.change(candidate.model):
            changed = declared.outputs(candidate, inputs)
            assert not np.allclose(changed, before), "the change shows in the outputs"
        of_copy = declared.outputs(replace(candidate, model=copied), inputs)
        np.testing.assert_array_equal(of_copy, before)

    def test_untrained_copy_is_of_the_same_class_and_not_the_trained_model(
        self, declared: Form, candidate: Candidate
    ) -> None:
        before = content_of(candidate.model)
        make = declared.untrained(candidate.model)
        if make is None:
            return
        fresh = make()
        assert type(fresh) is type(candidate.model)
        assert declared.is_mine(fresh)
        assert content_of(fresh) != before
        assert content_of(candidate.model) == before
        assert declared.is_trained(candidate.model)

    def test_label_is_a_short_name(self, declared: Form, candidate: Candidate) -> None:
        label = declared.label(candidate.model)
        assert label
        assert label == label.strip()

    # Train, predict, measure

    def test_fit_trains_and_leaves_the_input_untouched(
        self, declared: Form, candidate: Candidate, task: Task, least_quality: float
    ) -> None:
        """A form that cannot train says so, and makes no untrained copy."""
        make = declared.untrained(candidate.model)
        seen = task.without_test()
        if make is None:
            with pytest.raises(CandidateError, match=f"`{candidate.name}`.*: "):
                declared.fit(candidate, seen, Training("smoke"))
            return
        untrained = replace(candidate, model=make())
        before = content_of(untrained.model)
        fitted = declared.fit(untrained, seen, Training("smoke"))
        assert content_of(untrained.model) == before
        assert type(fitted.model) is type(untrained.model)
        assert declared.is_trained(fitted.model)
        valid = task.data.valid.take(slice(None))
        outputs = declared.outputs(fitted, valid.prepared(fitted.prepare).inputs)
        score = task.metric(outputs, valid.targets)
        assert task.metric.sign * score > task.metric.sign * least_quality

    def test_outputs_have_a_row_for_each_input_row_and_fit_the_task(
        self,
        declared: Form,
        candidate: Candidate,
        task: Task,
        inputs: Mapping[str, np.ndarray],
    ) -> None:
        before = content_of(candidate.model)
        outputs = declared.outputs(candidate, inputs)
        targets = np.asarray(task.data.train.targets[:N_ROWS])
        assert misfit(task, outputs, targets, N_ROWS) == ""
        assert np.isfinite(outputs).all()
        one = declared.outputs(candidate, {name: a[:1] for name, a in inputs.items()})
        assert one.shape == (1, *outputs.shape[1:])
        np.testing.assert_allclose(one, outputs[:1], rtol=1e-4, atol=1e-4)
        assert content_of(candidate.model) == before, "predicting changes nothing"

    def test_size_and_counts_are_whole_numbers(
        self, declared: Form, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> None:
        raw, zipped = declared.size(candidate.model)
        assert (type(raw), type(zipped)) == (int, int)
        assert raw > 0
        assert zipped > 0
        row = {name: a[:1] for name, a in inputs.items()}
        for count in (declared.n_parameters(candidate.model), declared.macs(candidate.model, row)):
            assert count is None or (type(count) is int and count >= 0)

    # Keep, load, hand over

    def test_kept_model_loads_in_another_process_and_answers_alike(
        self,
        declared: Form,
        candidate: Candidate,
        task: Task,
        inputs: Mapping[str, np.ndarray],
        tmp_path: Path,
    ) -> None:
        kept = tmp_path / "kept"
        about = keep(candidate, kept, inputs, task=task)
        pickles = [p.name for p in kept.rglob("*") if p.suffix in PICKLES]
        assert not pickles, "nothing kept is a pickle"
        assert about["form"] == declared.name
        if about.get("kept") == REFIT:
            assert about["reason"], "why the model has no file of its own"
            return
        assert list(kept.glob("model.*")), "the model's own files are called model.*"
        arrays: dict[str, Any] = dict(inputs)
        np.savez(tmp_path / "rows.npz", **arrays)
        answers = tmp_path / "answers.npy"
        command = [sys.executable, "-c", LOADS, str(kept), str(tmp_path / "rows.npz")]
        done = subprocess.run(
            [*command, str(answers), *self.trusted],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == (self.loaded_class or type(candidate.model).__name__)
        expected = declared.outputs(candidate, inputs)
        np.testing.assert_allclose(np.load(answers), expected, rtol=1e-6, atol=1e-6)

    def test_onnx_file_answers_alike_or_the_reason_is_told(
        self, declared: Form, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> None:
        try:
            exported = to_onnx(candidate, inputs)
        except ExportError as error:
            reason = str(error)
        else:
            reason = ""
        if reason:
            assert f"`{candidate.name}`" in reason
            assert len(reason) > len(candidate.name) + 20, "the reason, not the name alone"
            return
        assert exported.form == "onnx"
        expected = declared.outputs(candidate, inputs)
        actual = FORMS.get("onnx").outputs(exported, inputs).reshape(expected.shape)
        largest = max(1.0, float(np.abs(expected).max()))
        are_probabilities = exported.outputs in ("probabilities", "label_probabilities")
        # Logarithms of probabilities near zero differ for no reason that matters.
        pair = (np.exp(expected), np.exp(actual)) if are_probabilities else (expected, actual)
        assert np.abs(pair[0] - pair[1]).max() <= declared.tolerance * largest

    def test_packed_candidate_is_unpacked_to_an_equal_one(
        self, declared: Form, candidate: Candidate, inputs: Mapping[str, np.ndarray]
    ) -> None:
        content = declared.packed(candidate)
        assert isinstance(content, bytes)
        again = declared.unpacked(content, candidate.name, candidate.outputs)
        assert (again.name, again.form) == (candidate.name, declared.name)
        assert again.outputs == candidate.outputs
        np.testing.assert_array_equal(
            declared.outputs(again, inputs), declared.outputs(candidate, inputs)
        )
