"""Training students: with a teacher and without, over seeds, temperatures and alphas, each result
computed once and kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.errors import CandidateError, SettingsError, TaskError
from workbench.events import Report
from workbench.metrics import like_targets
from workbench.models.networks import build_seeded
from workbench.runtimes.outputs import outputs_of
from workbench.system.cache import Cache, fingerprint
from workbench.task import Candidate
from workbench.techniques.distillation.answers import (
    Course,
    answers_of,
    asked_on,
    course_of,
    kept_array,
)
from workbench.techniques.distillation.features import (
    Watched,
    feature_shape,
    features_of,
    last_map,
    project,
    reduced,
)
from workbench.techniques.distillation.losses import feature_loss
from workbench.techniques.distillation.students import (
    Student,
    check_fits,
    same_again,
    student_of,
    width_of,
)
from workbench.training import Fitted, LossContext, fit
from workbench.training.evaluate import predict_torch
from workbench.training.losses import soft_loss

if TYPE_CHECKING:
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.distillation import DistillationSettings

__all__ = ["Features", "Plan", "plan_of"]


@dataclass(frozen=True)
class Features:
    """A teacher's features on all rows of the course, the two layers, and the shape that the
    projection starts from.
    """

    teacher_layer: str
    student_layer: str
    values: np.ndarray
    size: tuple[int, int] | None
    shapes: tuple[tuple[int, ...], tuple[int, ...]]


@dataclass
class Plan:
    """All that the trainings of one student share; `choices` (precision, memory format) are
    measured by the first of them.
    """

    job: Job
    settings: DistillationSettings
    teachers: tuple[Candidate, ...]
    student: Student
    course: Course
    answers: np.ndarray
    features: Features | None = None
    choices: dict[str, Any] = field(default_factory=dict)

    def train(
        self,
        seed: int,
        *,
        taught: bool = True,
        temperature: float | None = None,
        alpha: float | None = None,
        report: Report | None = None,
    ) -> Fitted:
        """The student trained from weights drawn by `seed`, by the teacher or, for the control, by
        labels alone.
        """
        network, hook, beside = self.student.build(seed), None, {}
        if taught:
            network, beside = self._watched(network, seed), {"answers": self.answers}
            if self.features is not None:
                beside["features"] = self.features.values
            hook = self._loss(self._temperature(temperature), self._alpha(alpha))
        course = self._course(taught)
        checkpoint = self.job.folder / f"fit-{self._key(seed, taught, temperature, alpha)}.pt"
        fitted = fit(
            network,
            course.task,
            self._fit_settings(course),
            prepare=course.prepare,
            report=report or self.job.report,
            seed=seed,
            device=self.job.device,
            choices=self._known_choices(),
            checkpoint=checkpoint,
            beside=beside,
            loss_hook=hook,
        )
        self._learn(fitted.choices)
        if isinstance(fitted.model, Watched):
            fitted = Fitted(
                fitted.model.network,
                fitted.history,
                fitted.choices,
                fitted.n_steps,
                fitted.best_epoch,
            )
        kept_array(
            self._file(seed, taught, temperature, alpha), lambda: self._answered(fitted.model)
        )
        return fitted

    def outputs(
        self,
        seed: int,
        *,
        taught: bool = True,
        temperature: float | None = None,
        alpha: float | None = None,
        report: Report | None = None,
    ) -> np.ndarray:
        """Outputs `(valid rows, ...)` of the student so trained, from the cache where an earlier
        run left them.
        """
        taught = taught and (self._alpha(alpha) > 0 or self.features is not None)
        file = self._file(seed, taught, temperature, alpha) if self._known_choices() else None
        if file is not None and file.exists():
            (report or self.job.report).progress(1, 1, f"seed {seed} known")
            return kept_array(file, lambda: np.empty(0))
        fitted = self.train(
            seed, taught=taught, temperature=temperature, alpha=alpha, report=report
        )
        return kept_array(
            self._file(seed, taught, temperature, alpha), lambda: self._answered(fitted.model)
        )

    def score(self, outputs: np.ndarray) -> float:
        """The task's deciding metric of outputs `(valid rows, ...)`."""
        targets = np.asarray(self.job.task.data.valid.targets)
        return float(self.job.task.metric(like_targets(outputs, targets), targets))

    def _answered(self, network: nn.Module) -> np.ndarray:
        return predict_torch(network, self.course.task.data.valid, prepare=self.course.prepare)

    def _temperature(self, given: float | None) -> float:
        return self.settings.temperature if given is None else given

    def _alpha(self, given: float | None) -> float:
        return self.settings.alpha if given is None else given

    def _course(self, taught: bool) -> Course:
        return self.course if taught else self.course.control

    def _fit_settings(self, course: Course) -> Any:
        """As set, passes counted over the views: more of them change what is seen, not how long is
        trained.
        """
        given, n = self.settings.fit, course.n_views
        changes = {
            "epochs": math.ceil(given.epochs / n),
            "patience": max(1, math.ceil(given.patience / n)),
        }
        return given.model_copy(update=changes)

    def _watched(self, network: nn.Module, seed: int) -> nn.Module:
        """The network as it is, or with a layer watched and a projection to train along."""
        found = self.features
        if found is None:
            return network
        projection = (
            build_seeded(lambda: project(*found.shapes), seed)
            if self.settings.method == "hint"
            else None
        )
        return Watched(
            network,
            found.student_layer,
            tuple(self.job.task.example(1, self.student.prepare)),
            projection,
        )

    def _loss(self, temperature: float, alpha: float) -> Callable[[LossContext], torch.Tensor]:
        kind, method, features = self.job.task.kind, self.settings.method, self.features

        def hook(context: LossContext) -> torch.Tensor:
            taught = soft_loss(kind, context.outputs, context.beside["answers"], temperature)
            loss = alpha * taught + (1 - alpha) * context.loss
            if features is None:
                return loss
            seen = reduced(context.model.taken(), method, features.size)
            if context.model.projection is not None:
                seen = context.model.projection(seen).float()
            return loss + self.settings.hint_weight * feature_loss(
                method, seen, context.beside["features"].float()
            )

        return hook

    def _key(self, seed: int, taught: bool, temperature: float | None, alpha: float | None) -> str:
        """All that decides a training; one without a teacher is the same for every teacher and
        temperature.
        """
        course = self._course(taught)
        parts: list[Any] = ["student 1", self.student.name, self.student.build(seed), course.digest]
        parts += [self._fit_settings(course), seed, self.job.device, self._known_choices()]
        if taught:
            parts += [self.answers, self._temperature(temperature), self._alpha(alpha)]
        if taught and self.features is not None:
            parts += [
                self.settings.method,
                self.settings.hint_weight,
                self.features.student_layer,
                self.features.values,
            ]
        return fingerprint(*parts)

    def _file(self, seed: int, taught: bool, temperature: float | None, alpha: float | None) -> Any:
        return self.job.cache / f"student-{self._key(seed, taught, temperature, alpha)}.npy"

    def _known_choices(self) -> dict[str, Any]:
        if not self.choices:
            self.choices = self._choices().get("choices") or {}
        return self.choices

    def _learn(self, choices: dict[str, Any]) -> None:
        if not self.choices:
            self.choices = {k: choices[k] for k in ("precision", "memory_format")}
            self._choices().put("choices", self.choices)

    def _choices(self) -> Cache:
        key = fingerprint(
            "choices 1",
            self.student.name,
            self.student.build(0),
            self.settings.fit,
            self.job.device,
        )
        return Cache(self.job.cache, f"choices-{key}")


def plan_of(job: Job, settings: DistillationSettings) -> Plan:
    """Student, views and the teachers' answers; the plan's settings are resolved, every automatic
    choice written down.

    Raises SettingsError, CandidateError or TaskError for what cannot be distilled, before anything
    is trained.
    """
    settings = settings.resolved()
    job.report.message(f"{job.start.name} teaches by {settings.method}.")
    teachers = (job.start, *_others(job, settings))
    if job.task.train_step is not None:
        raise TaskError(
            f"Task `{job.task.name}` has a `train_step` that computes the whole loss, which leaves "
            "a teacher no place: give `loss=` in its stead."
        )
    n_out = width_of(outputs_of(job.start, job.example(4)), job.task)
    student = _student(job, settings, n_out)
    check_fits(student, job.task, n_out, job.start.name)
    course = course_of(job.task, student.prepare, teachers, settings.views, job.seed)
    answers = answers_of(teachers, course, job)
    runtimes = [asked_on(teacher, course, job) for teacher in teachers]
    if any(name.endswith("bf16") for name in runtimes):
        course = replace(
            course, note=f"{course.note} The teachers answered on {', '.join(runtimes)}.".strip()
        )
    features = (
        _features(job, settings, student, course)
        if settings.method in ("hint", "attention", "relational")
        else None
    )
    known: dict[str, Any] = {"student": student.name, "views": course.n_views}
    if features is not None:
        known |= {"hint_layer": features.teacher_layer, "student_layer": features.student_layer}
    return Plan(
        job,
        settings.model_copy(update=known),
        teachers,
        student,
        course.decided(answers),
        answers,
        features,
    )


def _others(job: Job, settings: DistillationSettings) -> list[Candidate]:
    missing = [name for name in settings.teachers if name not in job.others]
    if missing:
        raise SettingsError(
            f"`teachers` names {', '.join(missing)}, which this job does not hold: give `others=` "
            "by these names."
        )
    return [job.others[name] for name in settings.teachers]


def _student(job: Job, settings: DistillationSettings, n_out: int) -> Student:
    if settings.method != "self":
        return student_of(job, settings.student, n_out)
    if settings.student:
        raise SettingsError(
            "`student` must be empty with `method` self, as the student is the teacher's own "
            f"architecture; got {settings.student!r}. Take `method` logits to teach another "
            "network."
        )
    if job.start.outputs not in ("logits", "values"):
        raise CandidateError(
            f"`{job.start.name}` gives {job.start.outputs}, and a student must give logits: name a "
            "`student` without that last layer."
        )
    return same_again(job)


def _features(
    job: Job, settings: DistillationSettings, student: Student, course: Course
) -> Features:
    own, method = job.example(2), settings.method
    network = Candidate(student.title, "torch", student.build(0))
    inputs = job.task.example(2, student.prepare)
    teacher_layer = last_map(job.start, own, settings.hint_layer)
    student_layer = last_map(network, inputs, settings.student_layer, "student_layer")
    shapes = (
        feature_shape(network, student_layer, inputs),
        feature_shape(job.start, teacher_layer, own),
    )
    size = None
    if len(shapes[0]) == len(shapes[1]) == 4:
        size = tuple(min(a, b) for a, b in zip(shapes[0][2:], shapes[1][2:], strict=True))
    if method == "hint":
        project(*shapes)  # refused before a teacher is asked
    if method == "attention":
        looks = [reduced(torch.zeros(s), method, size).shape for s in shapes]
        if looks[0] != looks[1]:
            raise CandidateError(
                f"`method` attention compares places one by one: `{student_layer}` of the student "
                f"gives {shapes[0][1:]}, `{teacher_layer}` of the teacher {shapes[1][1:]}. Name "
                "layers that match, or take `method` relational."
            )
    values = features_of(job.start, teacher_layer, course, job, method, size)
    return Features(teacher_layer, student_layer, values, size, shapes)
