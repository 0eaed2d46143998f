"""Training of students with and without a teacher, over seeds, temperatures and alphas.

Each result is computed once and kept in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.errors import CandidateError, SettingsError, TaskError, required
from workbench.events import Report
from workbench.metrics import like_targets
from workbench.models.networks import build_seeded
from workbench.runtimes.outputs import outputs_of
from workbench.system.cache import Cache, fingerprint
from workbench.task import Candidate
from workbench.techniques.distillation.features import (
    FeatureStudent,
    choose_layer,
    compute_features,
    feature_shape,
    make_projection,
    reduce_feature,
)
from workbench.techniques.distillation.losses import feature_loss
from workbench.techniques.distillation.methods import FEATURE_METHODS
from workbench.techniques.distillation.students import (
    Student,
    check_outputs,
    find_student,
    n_outputs,
    untrained_start,
)
from workbench.techniques.distillation.teacher_outputs import (
    cached_array,
    compute_outputs,
    runtime_of,
)
from workbench.techniques.distillation.transfer_set import TransferSet, make_transfer_set
from workbench.training import Fitted, LossContext, fit
from workbench.training.evaluate import predict_torch
from workbench.training.losses import soft_loss

if TYPE_CHECKING:
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.distillation import DistillationSettings, StudentFit

__all__ = ["StudentTrainer", "TeacherFeatures", "make_trainer"]


@dataclass(frozen=True)
class TeacherFeatures:
    """A teacher's reduced features `values` of all rows of the transfer set, and the two layers.

    `size` is the (height, width) to which maps are averaged, `shapes` the feature shapes
    `(batch, ...)` of student and teacher before that.
    """

    teacher_layer: str
    student_layer: str
    values: np.ndarray
    size: tuple[int, int] | None
    shapes: tuple[tuple[int, ...], tuple[int, ...]]


@dataclass
class StudentTrainer:
    """Trains one student; holds all that its trainings share.

    `teacher_outputs` is `(rows, teachers, outputs)`. The first training measures `choices`
    (precision and memory format) for all of them.
    """

    job: Job
    settings: DistillationSettings
    teachers: tuple[Candidate, ...]
    student: Student
    transfer_set: TransferSet
    teacher_outputs: np.ndarray
    features: TeacherFeatures | None = None
    choices: dict[str, Any] = field(default_factory=dict)

    def train(
        self,
        seed: int,
        *,
        with_teacher: bool = True,
        temperature: float | None = None,
        alpha: float | None = None,
        report: Report | None = None,
    ) -> Fitted:
        """Train the student from weights drawn with `seed`; without a teacher on labels alone.

        `temperature` and `alpha` replace those of the settings.
        """
        network = self.student.build(seed)
        hook, beside = None, {}
        if with_teacher:
            network = self._with_feature(network, seed)
            hook = self._loss(self._temperature(temperature), self._alpha(alpha))
            beside["teacher"] = self.teacher_outputs
            if self.features is not None:
                beside["features"] = self.features.values
        transfer_set = self._transfer_set(with_teacher)
        key = self._key(seed, with_teacher, temperature, alpha)
        fitted = fit(
            network,
            transfer_set.task,
            self._fit_settings(transfer_set),
            prepare=transfer_set.prepare,
            report=report or self.job.report,
            seed=seed,
            device=self.job.device,
            choices=self._load_choices(),
            checkpoint=self.job.folder / f"fit-{key}.pt",
            beside=beside,
            loss_hook=hook,
        )
        self._keep_choices(fitted.choices)
        if isinstance(fitted.model, FeatureStudent):
            fitted = Fitted(
                fitted.model.network,
                fitted.history,
                fitted.choices,
                fitted.n_steps,
                fitted.best_epoch,
            )
        file = self._file(seed, with_teacher, temperature, alpha)
        cached_array(file, lambda: self._predict(fitted.model))
        return fitted

    def outputs(
        self,
        seed: int,
        *,
        with_teacher: bool = True,
        temperature: float | None = None,
        alpha: float | None = None,
        report: Report | None = None,
    ) -> np.ndarray:
        """Outputs `(valid rows, ...)` of the student trained so, from the cache if possible."""
        has_effect = self._alpha(alpha) > 0 or self.features is not None
        with_teacher = with_teacher and has_effect
        if self._load_choices():
            file = self._file(seed, with_teacher, temperature, alpha)
            if file.exists():
                (report or self.job.report).progress(1, 1, f"seed {seed} from the cache")
                return cached_array(file, lambda: np.empty(0))
        fitted = self.train(
            seed, with_teacher=with_teacher, temperature=temperature, alpha=alpha, report=report
        )
        file = self._file(seed, with_teacher, temperature, alpha)
        return cached_array(file, lambda: self._predict(fitted.model))

    def score(self, outputs: np.ndarray) -> float:
        """The task's metric for outputs `(valid rows, ...)`."""
        targets = np.asarray(self.job.task.data.valid.targets)
        return float(self.job.task.metric(like_targets(outputs, targets), targets))

    def _predict(self, network: nn.Module) -> np.ndarray:
        valid, prepare = self.transfer_set.task.data.valid, self.transfer_set.prepare
        return predict_torch(network, valid, prepare=prepare)

    def _temperature(self, temperature: float | None) -> float:
        return self.settings.temperature if temperature is None else temperature

    def _alpha(self, alpha: float | None) -> float:
        return self.settings.alpha if alpha is None else alpha

    def _transfer_set(self, with_teacher: bool) -> TransferSet:
        return self.transfer_set if with_teacher else self.transfer_set.for_control

    def _fit_settings(self, transfer_set: TransferSet) -> StudentFit:
        """The settings with epochs over all views, so that more views take no more steps."""
        n, settings = transfer_set.n_views, self.settings.fit
        changes = {
            "epochs": math.ceil(required(settings.epochs) / n),
            "patience": max(1, math.ceil(settings.patience / n)),
        }
        return settings.model_copy(update=changes)

    def _with_feature(self, network: nn.Module, seed: int) -> nn.Module:
        """The network, wrapped to give the feature of its layer if the method compares layers."""
        features = self.features
        if features is None:
            return network
        projection = None
        if self.settings.method == "hint":
            projection = build_seeded(lambda: make_projection(*features.shapes), seed)
        names = tuple(self.job.task.example(1, self.student.prepare))
        return FeatureStudent(network, features.student_layer, names, projection)

    def _loss(self, temperature: float, alpha: float) -> Callable[[LossContext], torch.Tensor]:
        kind, method, features = self.job.task.kind, self.settings.method, self.features

        def hook(context: LossContext) -> torch.Tensor:
            of_outputs = soft_loss(kind, context.outputs, context.beside["teacher"], temperature)
            loss = alpha * of_outputs + (1 - alpha) * context.loss
            if features is None:
                return loss
            feature = reduce_feature(context.model.pop_feature(), method, features.size)
            if context.model.projection is not None:
                feature = context.model.projection(feature).float()
            of_features = feature_loss(method, feature, context.beside["features"].float())
            return loss + self.settings.hint_weight * of_features

        return hook

    def _key(
        self, seed: int, with_teacher: bool, temperature: float | None, alpha: float | None
    ) -> str:
        """Fingerprint of all that decides a training; without a teacher none of its settings."""
        transfer_set = self._transfer_set(with_teacher)
        parts: list[Any] = [
            "student 1",
            self.student.name,
            self.student.build(seed),
            transfer_set.digest,
            self._fit_settings(transfer_set),
            seed,
            self.job.device,
            self._load_choices(),
        ]
        if with_teacher:
            parts += [self.teacher_outputs, self._temperature(temperature), self._alpha(alpha)]
        if with_teacher and self.features is not None:
            parts += [
                self.settings.method,
                self.settings.hint_weight,
                self.features.student_layer,
                self.features.values,
            ]
        return fingerprint(*parts)

    def _file(
        self, seed: int, with_teacher: bool, temperature: float | None, alpha: float | None
    ) -> Path:
        key = self._key(seed, with_teacher, temperature, alpha)
        return required(self.job.cache) / f"student-{key}.npy"

    def _load_choices(self) -> dict[str, Any]:
        if not self.choices:
            self.choices = self._choices_cache().get("choices") or {}
        return self.choices

    def _keep_choices(self, choices: dict[str, Any]) -> None:
        if not self.choices:
            self.choices = {k: choices[k] for k in ("precision", "memory_format")}
            self._choices_cache().put("choices", self.choices)

    def _choices_cache(self) -> Cache:
        key = fingerprint(
            "choices 1",
            self.student.name,
            self.student.build(0),
            self.settings.fit,
            self.job.device,
        )
        return Cache(required(self.job.cache), f"choices-{key}")


def make_trainer(job: Job, settings: DistillationSettings) -> StudentTrainer:
    """The trainer for a job: student, transfer set and outputs of the teachers.

    Its settings are resolved. Raises SettingsError, CandidateError or TaskError before any training
    if student, teachers and task do not fit together.
    """
    settings = job.resolved(settings)
    job.report.message(f"Distilling {job.start.name} by `method` {settings.method}.")
    teachers = (job.start, *_further_teachers(job, settings))
    if job.task.train_step is not None:
        raise TaskError(
            f"Task `{job.task.name}` has a `train_step` that computes the whole loss, so a loss "
            "against the teacher cannot be added: give `loss=` instead."
        )
    n_out = n_outputs(outputs_of(job.start, job.example(4)), job.task)
    student = _student(job, settings, n_out)
    check_outputs(student, job.task, n_out, job.start.name)
    n_views = required(settings.views)
    transfer_set = make_transfer_set(job.task, student.prepare, teachers, n_views, job.seed)
    outputs = compute_outputs(teachers, transfer_set, job)
    transfer_set = _with_runtime_note(transfer_set, teachers, job)
    resolved: dict[str, Any] = {"student": student.name, "views": transfer_set.n_views}
    features = None
    if settings.method in FEATURE_METHODS and settings.hint_weight > 0:
        features = _teacher_features(job, settings, student, transfer_set)
        resolved["hint_layer"] = features.teacher_layer
        resolved["student_layer"] = features.student_layer
    return StudentTrainer(
        job,
        settings.model_copy(update=resolved),
        teachers,
        student,
        transfer_set.with_decisions(outputs),
        outputs,
        features,
    )


def _with_runtime_note(
    transfer_set: TransferSet, teachers: tuple[Candidate, ...], job: Job
) -> TransferSet:
    """The transfer set with a note of the teachers' runtimes if one of them computed in bf16."""
    runtimes = [runtime_of(teacher, transfer_set, job) for teacher in teachers]
    if not any(name.endswith("bf16") for name in runtimes):
        return transfer_set
    note = f"{transfer_set.note} The teachers ran on {', '.join(runtimes)}.".strip()
    return replace(transfer_set, note=note)


def _further_teachers(job: Job, settings: DistillationSettings) -> list[Candidate]:
    missing = [name for name in settings.teachers if name not in job.others]
    if missing:
        raise SettingsError(
            f"`teachers` names {', '.join(missing)}, which this job does not hold: give candidates "
            "by these names as `others=`."
        )
    return [job.others[name] for name in settings.teachers]


def _student(job: Job, settings: DistillationSettings, n_out: int) -> Student:
    if settings.method != "self":
        return find_student(job, settings.student, n_out)
    if job.start.outputs not in ("logits", "values"):
        raise CandidateError(
            f"`{job.start.name}` gives {job.start.outputs}, and a student must give logits: choose "
            "`method` logits and name a `student` without that last layer."
        )
    return untrained_start(job)


def _teacher_features(
    job: Job, settings: DistillationSettings, student: Student, transfer_set: TransferSet
) -> TeacherFeatures:
    """Features of the start for a method that compares layers; shapes are checked before."""
    method = settings.method
    network = Candidate(student.title, "torch", student.build(0))
    student_inputs = job.task.example(2, student.prepare)
    teacher_inputs = job.example(2)
    teacher_layer = choose_layer(job.start, teacher_inputs, settings.hint_layer)
    student_layer = choose_layer(network, student_inputs, settings.student_layer, "student_layer")
    of_student = feature_shape(network, student_layer, student_inputs)
    of_teacher = feature_shape(job.start, teacher_layer, teacher_inputs)
    size: tuple[int, int] | None = None
    if len(of_student) == len(of_teacher) == 4:
        size = (min(of_student[2], of_teacher[2]), min(of_student[3], of_teacher[3]))
    if method == "hint":
        make_projection(of_student, of_teacher)  # raises here, before the features are computed
    if method == "attention":
        reduced = [reduce_feature(torch.zeros(s), method, size) for s in (of_student, of_teacher)]
        if reduced[0].shape != reduced[1].shape:
            raise CandidateError(
                f"`method` attention compares position by position: `{student_layer}` of the "
                f"student gives {of_student[1:]}, `{teacher_layer}` of the teacher "
                f"{of_teacher[1:]}. Name layers of the same size, or choose `method` relational."
            )
    values = compute_features(job.start, teacher_layer, transfer_set, job, method, size)
    return TeacherFeatures(teacher_layer, student_layer, values, size, (of_student, of_teacher))
