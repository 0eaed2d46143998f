"""TechniqueContract, the promises of every technique."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from workbench.errors import Cancelled, CandidateError, TaskError
from workbench.events import Event, Report
from workbench.model_form import FORMS
from workbench.runs.jobs import builder_for
from workbench.runtimes.outputs import outputs_on
from workbench.settings import TechniqueSettings, knobs
from workbench.task import Candidate, Task
from workbench.technique import Decision, Job, Outcome, Technique
from workbench.testing.contract import content_of
from workbench.testing.examples import ready_candidate, ready_task
from workbench.testing.technique_settings import N_POINTS, SettingsContract
from workbench.testing.values import search_points

__all__ = ["TechniqueContract"]

JobMaker = Callable[..., Job]


@dataclass(frozen=True)
class _FirstRun:
    """One run at `settings`: its outcome, the start's content before and after, its events."""

    outcome: Outcome
    before: str
    after: str
    n_events: int


class TechniqueContract(SettingsContract):
    """All tests of a technique; a subclass gives it as its fixture "declared".

    Fixtures to override: `task`, `candidate` (the trained start), `settings` (those of the run
    that most tests look at), `others` and `data` (by the references that the settings hold), and
    `least_quality`. Override the method other_value where a setting takes only certain values.
    """

    _first_runs: ClassVar[dict[str, _FirstRun]]

    def __init_subclass__(cls, **values: Any) -> None:
        super().__init_subclass__(**values)
        cls._first_runs = {}

    # Fixtures

    @pytest.fixture
    def task(self, declared: Technique) -> Task:
        """The task, with its test rows."""
        return ready_task(declared.accepts)

    @pytest.fixture
    def candidate(self, declared: Technique) -> Candidate:
        """The trained candidate to start from, in a form that the technique accepts."""
        return ready_candidate(declared.accepts)

    @pytest.fixture
    def settings(self, declared: Technique) -> TechniqueSettings:
        """The settings of the run that most tests look at: the defaults of the smoke budget."""
        return declared.settings(budget="smoke")

    @pytest.fixture
    def others(self) -> Mapping[str, Candidate]:
        """Further candidates, by the references in `settings`."""
        return {}

    @pytest.fixture
    def data(self) -> Mapping[str, Any]:
        """Further rows, by the references in `settings`."""
        return {}

    @pytest.fixture
    def least_quality(self) -> float:
        """Lowest score of the result on valid, in the metric that decides."""
        return 0.8

    @pytest.fixture
    def job_of(
        self,
        declared: Technique,
        task: Task,
        candidate: Candidate,
        others: Mapping[str, Candidate],
        data: Mapping[str, Any],
        tmp_path: Path,
    ) -> JobMaker:
        """Makes a job; `job_of(report=...)` changes parts of it."""

        def make(**changes: Any) -> Job:
            values = {
                "task": task.without_test() if declared.needs.task else None,
                "start": candidate if declared.needs.start else None,
                "folder": tmp_path,
                "others": others,
                "data": data,
                "build": builder_for(candidate, task),
            }
            return Job(**{**values, **changes})

        return make

    @pytest.fixture
    def job(self, job_of: JobMaker) -> Job:
        """The job of one run."""
        return job_of()

    @pytest.fixture
    def first_run(
        self,
        declared: Technique,
        settings: TechniqueSettings,
        candidate: Candidate,
        job_of: JobMaker,
    ) -> _FirstRun:
        """The run at `settings`, made once a technique."""
        if declared.name not in self._first_runs:
            events: list[Event] = []
            before = content_of(candidate.model)
            outcome = declared(job_of(report=Report(events.append)), settings)
            after = content_of(candidate.model)
            self._first_runs[declared.name] = _FirstRun(outcome, before, after, len(events))
        return self._first_runs[declared.name]

    # The run

    def test_defaults_finish_and_the_result_still_solves_the_task(
        self,
        declared: Technique,
        first_run: _FirstRun,
        task: Task,
        candidate: Candidate,
        least_quality: float,
    ) -> None:
        outcome = first_run.outcome
        result = outcome.candidate
        assert result is not None or outcome.decision is not None
        assert (result is None) == (declared.gives is None), (
            "`gives` says whether there is a candidate, and None says that there is none"
        )
        if result is None:
            return
        valid = task.data.valid
        score = task.metric(outputs_on(result, valid), valid.targets)
        assert task.metric.sign * score > task.metric.sign * least_quality
        if declared.needs.start:
            assert result.form == declared.form_after(candidate.form)
            assert result.parent == candidate.name
            assert result.technique == declared.name

    def test_input_candidate_stays_untouched(self, first_run: _FirstRun) -> None:
        assert first_run.after == first_run.before

    def test_same_resolved_settings_give_the_same_result(
        self,
        declared: Technique,
        first_run: _FirstRun,
        job_of: JobMaker,
        task: Task,
        tmp_path: Path,
    ) -> None:
        first = first_run.outcome
        (tmp_path / "again").mkdir()
        again = declared(job_of(folder=tmp_path / "again"), first.resolved)
        assert again.resolved == first.resolved, (
            "settings that are resolved leave nothing to decide"
        )
        assert again.decision == first.decision
        if first.candidate is None or again.candidate is None:
            assert again.candidate is first.candidate
            return
        rows = task.data.valid
        np.testing.assert_array_equal(
            outputs_on(first.candidate, rows), outputs_on(again.candidate, rows)
        )

    def test_resolved_settings_are_valid_and_say_who_decided(
        self,
        declared: Technique,
        first_run: _FirstRun,
        settings: TechniqueSettings,
        candidate: Candidate,
    ) -> None:
        resolved = first_run.outcome.resolved
        assert isinstance(resolved, declared.settings)
        assert declared.settings(**json.loads(json.dumps(resolved.tree()))) == resolved
        assert declared.settings.from_flat(resolved.flat()) == resolved
        origins = settings.origins(own={"fit": candidate.fit})
        values = settings.flat()
        by_name = {k.name: k for k in knobs(declared.settings)}
        left = {n for n, k in by_name.items() if k.by_budget is not None and values[n] is None}
        assert set(origins) == {name for name in left if by_name[name].applies(values)}
        assert set(origins.values()) <= {"candidate", "budget"}
        for name in origins:
            usual = (by_name[name].by_budget or {})[settings.budget]
            assert resolved.flat()[name] is not None or usual is None, f"`{name}` is written down"

    def test_training_settings_of_the_candidate_come_before_those_of_the_budget(
        self, declared: Technique, settings: TechniqueSettings
    ) -> None:
        left = [k for k in knobs(declared.settings) if k.name in settings.origins()]
        for k in (k for k in left if k.path[0] == "fit"):
            own = {"fit": {k.path[-1]: self.other_value(k)}}
            assert settings.origins(own=own)[k.name] == "candidate"
            assert settings.resolved(own=own).flat()[k.name] == self.other_value(k)

    def test_decision_has_a_verdict_and_a_reason_and_goes_through_json(
        self, declared: Technique, first_run: _FirstRun
    ) -> None:
        decision = first_run.outcome.decision
        if decision is None:
            assert declared.gives is not None
            return
        assert decision.verdict
        assert decision.reason.endswith("."), "a reason is a sentence"
        assert decision.verdict in decision.text
        assert Decision.from_json(json.loads(json.dumps(decision.to_json()))) == decision

    def test_cancel_stops_the_work_at_once(
        self,
        declared: Technique,
        first_run: _FirstRun,
        settings: TechniqueSettings,
        job_of: JobMaker,
        tmp_path: Path,
    ) -> None:
        """The request comes with the first event, or before it where a run sends only one."""
        assert first_run.n_events, "call `job.report` at least once: it notices the request"
        n_heard = 1 if first_run.n_events > 1 else 0
        seen: list[Event] = []
        report = Report(seen.append, cancelled=lambda: len(seen) >= n_heard)
        (tmp_path / "cancelled").mkdir()
        with pytest.raises(Cancelled):
            declared(job_of(report=report, folder=tmp_path / "cancelled"), settings)
        assert len(seen) == n_heard, "nothing is reported after the request"

    def test_wrong_form_is_refused_with_the_way_out(
        self, declared: Technique, job_of: JobMaker, candidate: Candidate
    ) -> None:
        wrong = next((form for form in FORMS if form not in declared.accepts), None)
        if wrong is None or not declared.needs.start:
            return
        start = dataclasses.replace(candidate, form=wrong)
        message = f"`{declared.name}` takes models in the form.*is in the form {wrong}"
        with pytest.raises(CandidateError, match=message):
            declared(job_of(start=start))

    def test_job_refuses_test_rows(self, task: Task, candidate: Candidate, tmp_path: Path) -> None:
        with pytest.raises(TaskError, match="must not hold test rows"):
            Job(task, candidate, tmp_path)

    def test_point_of_the_search_space_trains_one_step(
        self, declared: Technique, job_of: JobMaker
    ) -> None:
        """For techniques with training settings `fit` only."""
        training = [k for k in knobs(declared.settings) if k.name == "fit_max_steps"]
        if not training:
            return
        job = job_of()
        points = search_points(declared.settings, N_POINTS, model_form=job.start.form)
        point = next(values for values in points if training[0].applies(values))
        settings = declared.settings.from_flat({**point, "fit_max_steps": 1, "fit_epochs": 1})
        outcome = declared(job, settings)
        assert outcome.candidate is not None
        assert outcome.resolved.flat()["fit_max_steps"] == 1
