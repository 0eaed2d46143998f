"""Knowledge distillation: a small student learns what a large teacher answers, and not from labels
alone.

Methods: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015; Romero et al.,
"FitNets", ICLR 2015; Zagoruyko, Komodakis, "Paying More Attention to Attention", ICLR 2017; Park et
al., "Relational Knowledge Distillation", CVPR 2019; Furlanello et al., "Born-Again Neural
Networks", ICML 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.model_form import form_named
from workbench.settings import TechniqueSettings, free_form, knob, nested, scaled
from workbench.technique import Job, Outcome, technique
from workbench.training import FitSettings

if TYPE_CHECKING:
    import pandas as pd

    from workbench.techniques.distillation.lessons import Plan

__all__ = ["DistillationSettings", "StudentFit", "control", "distill", "grid"]


class StudentFit(FitSettings):
    """How to train from scratch: longer than a fine-tuning."""

    epochs: int | None = scaled(smoke=20, standard=40, thorough=150, low=0, high=10_000)
    """Passes over the train rows."""

    max_steps: int | None = scaled(smoke=300, standard=None, thorough=None, low=1)
    """Stop after this many optimizer steps, however many epochs that is."""

    lr: float = knob(0.005, above=0, high=10, log=True)
    """Highest learning rate of the schedule."""

    patience: int = knob(40, low=1)
    """Stop early after this many epochs without a better score on valid."""


class DistillationSettings(TechniqueSettings):
    """Who teaches whom, and how."""

    student: str = ""
    """One of the task's models, or package.module:function; empty takes a compact one."""

    teachers: list[str] = free_form([])
    """Further teachers beside the start: models of the task, folders of runs or steps, or
    package.module:function.
    """

    method: Literal["logits", "hint", "attention", "relational", "self"] = "logits"
    """What is taught: answers alone, with an inner feature as well, or answers to a copy of the
    teacher's own architecture.
    """

    temperature: float = knob(4.0, above=0, high=100, step=0.5)
    """Softens the answers, so that the unlikely classes count as well."""

    alpha: float = knob(0.9, low=0, high=1, step=0.05)
    """Weight of the teacher; the labels have the rest."""

    hint_layer: str = ""
    """Layer of the teacher to look into; empty takes the last map before pooling."""

    student_layer: str = ""
    """Layer of the student that learns from it; empty takes the last map before pooling."""

    hint_weight: float = knob(1.0, low=0, high=10_000)
    """Weight of the inner feature beside the answers."""

    views: int | None = scaled(smoke=1, standard=4, thorough=8, low=1, high=64)
    """Copies of the train rows, augmented or reworded, that the teacher answers once; one where the
    task can do neither.
    """

    control_seeds: int | None = scaled(smoke=0, standard=3, thorough=5, low=0, high=100)
    """Seeds to train the student with, each with a teacher and without, to see what the teacher
    bought.
    """

    fit: StudentFit = nested(StudentFit)
    """How to train the student."""


def control(job: Job, settings: DistillationSettings) -> Mapping[str, pd.DataFrame]:
    """The student with a teacher and without, seed by seed; three seeds where the settings ask for
    none.
    """
    from workbench.techniques.distillation.control import gain_of
    from workbench.techniques.distillation.lessons import plan_of

    plan = plan_of(job, settings)
    return {"gain": gain_of(plan, plan.settings.control_seeds or 3, job.report)}


def grid(
    job: Job,
    settings: DistillationSettings,
    *,
    temperatures: tuple[float, ...] = (),
    alphas: tuple[float, ...] = (),
    n_seeds: int = 0,
) -> Mapping[str, pd.DataFrame]:
    """The student at every pair of temperature and alpha; what is not given is decided by the
    budget.
    """
    from workbench.techniques.distillation.grid import GRIDS, grid_of, summary
    from workbench.techniques.distillation.lessons import plan_of

    plan = plan_of(job, settings)
    usual = GRIDS[settings.budget]
    cells = grid_of(plan, temperatures or usual[0], alphas or usual[1], n_seeds or usual[2])
    return {"grid": cells, "cells": summary(cells)}


@technique(
    "distillation",
    title="Distillation",
    accepts=("torch",),
    gives="torch",
    references=("teachers",),
    actions={"grid": grid, "control": control},
)
def distill(job: Job, settings: DistillationSettings) -> Outcome:
    """Trains a small student on what the model, and others beside it, answer."""
    import pandas as pd

    from workbench.techniques.distillation.control import gain_of, gain_sentence
    from workbench.techniques.distillation.lessons import plan_of
    from workbench.techniques.distillation.progress import Share

    plan = plan_of(job, settings)
    n_seeds = plan.settings.control_seeds
    n_parts = max(1, 2 * n_seeds)
    fitted = plan.train(
        job.seed, report=Share(job.report, 0, n_parts, "teaching" if n_seeds else "")
    )
    gain = gain_of(plan, n_seeds, job.report, n_parts=n_parts)
    outputs = _outputs(plan, control=n_seeds > 0)
    tables, notes = _evidence(plan, outputs)
    resolved = plan.settings.model_copy(
        update={"fit": plan.settings.fit.model_copy(update=plan.choices)}
    )
    candidate = job.start.child(
        f"{job.start.name}-distilled",
        "distillation",
        model=fitted.model,
        prepare=plan.student.prepare,
        builder=plan.student.builder,
        macs=None,
        training=fitted.choices,
        outputs=form_named("torch").usual_outputs(job.task.kind, None),
    )
    said = (
        gain_sentence(gain, job.task.metric),
        *notes,
        *([plan.course.note] if plan.course.note else []),
    )
    return Outcome(
        candidate,
        resolved,
        evidence={"gain": gain, **tables, "fit": pd.DataFrame(fitted.history)},
        notes=said,
    )


def _outputs(plan: Plan, *, control: bool) -> dict[str, np.ndarray]:
    """Outputs `(valid rows, ...)` of the teachers together, of the student, and of the control."""
    from dataclasses import replace

    from workbench.techniques.distillation.answers import Course, answers_of
    from workbench.techniques.distillation.evidence import together

    task = plan.job.task
    on_valid = Course(
        replace(task, data=replace(task.data, train=task.data.valid)), plan.student.prepare
    )
    outputs = {"teacher": together(answers_of(plan.teachers, on_valid, plan.job), task.kind)}
    outputs["student"] = plan.outputs(plan.job.seed)
    if control:
        outputs["control"] = plan.outputs(plan.job.seed, taught=False)
    return outputs


def _evidence(plan: Plan, outputs: dict[str, np.ndarray]) -> tuple[dict[str, Any], list[str]]:
    from workbench.techniques.distillation.evidence import agreement, models, reliability

    task, n_of = plan.job.task, lambda network: sum(p.numel() for p in network.parameters())
    n_student = n_of(plan.student.build(0))
    n_teacher = (
        sum(n_of(t.model) for t in plan.teachers)
        if all(t.form == "torch" for t in plan.teachers)
        else None
    )
    about = models(
        task, outputs, {"teacher": n_teacher, "student": n_student, "control": n_student}
    )
    agreed = agreement(task, outputs)
    notes = [
        f"{plan.student.title}: {n_student:,} parameters"
        + (f", its teacher {n_teacher:,}." if n_teacher else ".")
    ]
    if "student_agreement" in agreed:
        notes.append(
            f"It decides as its teacher on {100 * agreed['student_agreement'][0]:.1f} % of the "
            "valid rows."
        )
        errors = ", ".join(
            f"{r.model} {100 * r.calibration_error:.1f} %" for r in about.itertuples()
        )
        notes.append(f"Expected calibration error: {errors}.")
    return {"agreement": agreed, "reliability": reliability(task, outputs), "models": about}, notes
