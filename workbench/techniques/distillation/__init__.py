"""Knowledge distillation: train a small student on the outputs of a large teacher and on labels.

Methods: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015; Romero et al.,
"FitNets", ICLR 2015; Zagoruyko, Komodakis, "Paying More Attention to Attention", ICLR 2017; Park et
al., "Relational Knowledge Distillation", CVPR 2019; Furlanello et al., "Born-Again Neural
Networks", ICML 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.errors import required
from workbench.model_form import form_named
from workbench.settings import SET, TechniqueSettings, free_form, knob, nested, scaled
from workbench.system.wording import percent
from workbench.technique import Job, Outcome, technique
from workbench.techniques.distillation.methods import FEATURE_METHODS
from workbench.training import FitSettings

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.distillation.trainer import StudentTrainer

__all__ = ["DistillationSettings", "StudentFit", "control", "distill", "grid"]


class StudentFit(FitSettings):
    """Training of the student from untrained weights, longer than a fine-tuning."""

    epochs: int | None = scaled(
        smoke=20, standard=40, thorough=150, low=0, high=10_000, search=(10, 200)
    )
    """Passes over the train rows."""

    max_steps: int | None = scaled(smoke=300, standard=None, thorough=None, low=1)
    """Limit on the number of optimizer steps."""

    lr: float = knob(0.005, above=0, high=10, log=True, search=(5e-4, 0.05), title="Learning rate")
    """Highest learning rate of the schedule."""

    patience: int = knob(40, low=1, expert=True)
    """Epochs without a better score on valid before training stops."""


class DistillationSettings(TechniqueSettings):
    """Student, teachers, method and training."""

    student: str = knob(
        "", only_if={"method": ("logits", *FEATURE_METHODS)}, title="Student network"
    )
    """Network to train: a model of the task, or package.module:function. Empty: a network with at
    most a quarter of the teacher's parameters.
    """

    teachers: list[str] = free_form([], expert=True, title="Further teachers")
    """Teachers in addition to the model of the start: models of the task, folders of runs or steps,
    or package.module:function.
    """

    method: Literal["logits", "hint", "attention", "relational", "self"] = knob(
        "logits", title="Method"
    )
    """Training target: the teacher's outputs; its outputs and one inner layer (hint, attention,
    relational); or its outputs with a student of its own architecture (self).
    """

    temperature: float = knob(
        4.0,
        above=0,
        high=100,
        step=0.5,
        search=(1, 16),
        only_if={"alpha": SET},
        title="Temperature",
    )
    """Divisor of the logits before the softmax; a higher one gives unlikely classes more weight."""

    alpha: float = knob(0.9, low=0, high=1, step=0.05, search=(0.3, 1), title="Weight of teacher")
    """Weight of the loss against the teacher; the loss against the labels has the rest."""

    hint_layer: str = knob(
        "",
        only_if={"method": FEATURE_METHODS, "hint_weight": SET},
        expert=True,
        title="Layer of teacher",
    )
    """Layer of the teacher to compare. Empty: the last feature map before pooling."""

    student_layer: str = knob(
        "",
        only_if={"method": FEATURE_METHODS, "hint_weight": SET},
        expert=True,
        title="Layer of student",
    )
    """Layer of the student to compare. Empty: the last feature map before pooling."""

    hint_weight: float = knob(
        1.0,
        low=0,
        high=10_000,
        search=(0.1, 100),
        only_if={"method": FEATURE_METHODS},
        title="Weight of feature loss",
    )
    """Weight of the loss between the two layers, added to the loss of the outputs."""

    views: int | None = scaled(
        smoke=1,
        standard=4,
        thorough=8,
        low=1,
        high=64,
        search=(1, 16),
        title="Copies of train",
    )
    """Number of augmented or reworded copies of train. 1 if the task defines neither."""

    control_seeds: int | None = scaled(
        smoke=0, standard=3, thorough=5, low=0, high=100, title="Seeds of control"
    )
    """Seeds to train the student with, once with and once without the teacher, to measure the gain
    by the teacher.
    """

    fit: StudentFit = nested(StudentFit, expert=True, title="Training of student")
    """Training of the student."""


def control(job: Job, settings: DistillationSettings) -> Mapping[str, pd.DataFrame]:
    """Train the student with and without the teacher, with `control_seeds` seeds, or three if 0."""
    from workbench.techniques.distillation.control import measure_gain
    from workbench.techniques.distillation.trainer import make_trainer

    trainer = make_trainer(job, settings)
    return {"gain": measure_gain(trainer, trainer.settings.control_seeds or 3, job.report)}


def grid(
    job: Job,
    settings: DistillationSettings,
    *,
    temperatures: tuple[float, ...] = (),
    alphas: tuple[float, ...] = (),
    n_seeds: int = 0,
) -> Mapping[str, pd.DataFrame]:
    """Train the student at every pair of temperature and alpha; the budget gives missing values."""
    from workbench.techniques.distillation.grids import GRIDS, score_grid, summary
    from workbench.techniques.distillation.trainer import make_trainer

    trainer = make_trainer(job, settings)
    default = GRIDS[settings.budget]
    scores = score_grid(
        trainer,
        temperatures or default.temperatures,
        alphas or default.alphas,
        n_seeds or default.n_seeds,
    )
    return {"grid": scores, "cells": summary(scores)}


@technique(
    "distillation",
    title="Distillation",
    accepts=("torch",),
    gives="torch",
    references=("teachers",),
    actions={"grid": grid, "control": control},
)
def distill(job: Job, settings: DistillationSettings) -> Outcome:
    """Trains a small student on the outputs of the model and of further teachers."""
    import pandas as pd

    from workbench.techniques.distillation.control import gain_sentence, measure_gain
    from workbench.techniques.distillation.trainer import make_trainer

    trainer = make_trainer(job, settings)
    n_seeds = required(trainer.settings.control_seeds)
    n_parts = max(1, 2 * n_seeds)
    text = "distilling" if n_seeds else ""
    fitted = trainer.train(job.seed, report=job.report.part(0, n_parts, text))
    gain = measure_gain(trainer, n_seeds, job.report, n_parts=n_parts)
    outputs = _outputs(trainer, control=n_seeds > 0)
    tables, notes = _evidence(trainer, outputs)
    resolved = trainer.settings.model_copy(
        update={"fit": trainer.settings.fit.model_copy(update=trainer.choices)}
    )
    candidate = job.start.child(
        f"{job.start.name}-distilled",
        "distillation",
        model=fitted.model,
        prepare=trainer.student.prepare,
        builder=trainer.student.builder,
        macs=None,
        training=fitted.choices,
        outputs=form_named("torch").usual_outputs(job.task.kind, None),
    )
    all_notes = [gain_sentence(gain, job.task.metric), *notes]
    if trainer.transfer_set.note:
        all_notes.append(trainer.transfer_set.note)
    return Outcome(
        candidate,
        resolved,
        evidence={"gain": gain, **tables, "fit": pd.DataFrame(fitted.history)},
        notes=tuple(all_notes),
    )


def _outputs(trainer: StudentTrainer, *, control: bool) -> dict[str, np.ndarray]:
    """Outputs `(valid rows, ...)` of all teachers combined, of the student, and of the control."""
    from dataclasses import replace

    from workbench.techniques.distillation.evidence import ensemble_outputs
    from workbench.techniques.distillation.teacher_outputs import compute_outputs
    from workbench.techniques.distillation.transfer_set import TransferSet

    job = trainer.job
    on_valid = TransferSet(
        replace(job.task, data=replace(job.task.data, train=job.task.data.valid)),
        trainer.student.prepare,
    )
    of_teachers = compute_outputs(trainer.teachers, on_valid, job)
    outputs = {"teacher": ensemble_outputs(of_teachers, job.task.kind)}
    outputs["student"] = trainer.outputs(job.seed)
    if control:
        outputs["control"] = trainer.outputs(job.seed, with_teacher=False)
    return outputs


def _evidence(
    trainer: StudentTrainer, outputs: dict[str, np.ndarray]
) -> tuple[dict[str, Any], list[str]]:
    """Tables of agreement, reliability and models, and notes about them."""
    from workbench.techniques.distillation.evidence import agreement, models, reliability
    from workbench.techniques.distillation.students import n_parameters

    task = trainer.job.task
    n_student = n_parameters(trainer.student.build(0))
    counts = [form_named(t.form).n_parameters(t.model) for t in trainer.teachers]
    n_teacher = None if None in counts else sum(n for n in counts if n is not None)
    sizes = {"teacher": n_teacher, "student": n_student, "control": n_student}
    tables = {
        "agreement": agreement(task, outputs),
        "reliability": reliability(task, outputs),
        "models": models(task, outputs, sizes),
    }
    of_teacher = f"; of the teacher: {n_teacher:,}" if n_teacher else ""
    notes = [f"Parameters of the student ({trainer.student.title}): {n_student:,}{of_teacher}."]
    if "student_agreement" in tables["agreement"]:
        share = percent(tables["agreement"]["student_agreement"][0], 1)
        notes.append(f"The student decides like the teacher on {share} of the decisions on valid.")
        errors = ", ".join(
            f"{row.model} {percent(row.calibration_error, 1)}"
            for row in tables["models"].itertuples()
        )
        notes.append(f"Expected calibration error: {errors}.")
    return tables, notes
