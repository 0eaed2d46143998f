"""Distillation: the student learns from the teacher, whatever the task and the method, and bad
pairs are refused.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.techniques.distillation.schools import SMALL, settings, shifted, table_task, taught
from workbench.errors import CandidateError, SettingsError, TaskError
from workbench.runtimes import installed_for
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.techniques.distillation import answers as asking
from workbench.techniques.distillation.answers import asked_on
from workbench.techniques.distillation.lessons import plan_of

HERE = "tests.techniques.distillation.schools"


def distill(job, **values):
    return get_technique("distillation")(job, settings(**values))


def test_student_agrees_more_with_its_teacher_than_one_that_learned_from_labels(job_of):
    """Four labels in ten are wrong, as labels are; the teacher knows better, and only who learns
    from it will.
    """
    task, rng = job_of().task, np.random.default_rng(0)
    train = task.data.train
    wrong = np.where(rng.random(len(train)) < 0.4, rng.integers(0, 10, len(train)), train.targets)
    noisy = replace(task, data=replace(task.data, train=replace(train, targets=wrong)))
    resnet8 = "workbench.models.compact:resnet8"
    how = settings(student=resnet8, alpha=1.0, fit={"epochs": 10, "max_steps": 70})
    plan = plan_of(job_of(task=noisy), how)
    answers = plan._answered(plan.job.start.model).argmax(1)
    agreed = {
        with_teacher: [
            (plan.outputs(seed, taught=with_teacher).argmax(1) == answers).mean()
            for seed in range(3)
        ]
        for with_teacher in (True, False)
    }
    assert min(agreed[True]) > max(agreed[False]), agreed


def test_automatic_student_is_compact_and_written_down(job_of):
    outcome = distill(job_of())
    assert (
        outcome.resolved.student.startswith("workbench.models.compact:")
        or outcome.resolved.student in job_of().task.builders
    )
    sizes = [
        sum(p.numel() for p in c.model.parameters()) for c in (outcome.candidate, job_of().start)
    ]
    assert sizes[0] < sizes[1] / 2
    assert outcome.candidate.builder.endswith(outcome.resolved.student)


def test_student_of_the_task_is_the_largest_that_is_small_enough(job_of):
    task = job_of().task
    builders = {
        "cnn": task.builders["cnn"],
        "tiny": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
        "small": _small,
    }
    assert (
        plan_of(job_of(task=replace(task, builders=builders)), settings()).student.name == "small"
    )


def _small():
    from tests.techniques.distillation.schools import small

    return small()


@pytest.mark.parametrize("method", ["hint", "attention", "relational"])
def test_feature_methods_write_their_layers_down_and_leave_no_projection(job_of, method):
    plain = distill(job_of(), student=SMALL)
    outcome = distill(job_of(), student=SMALL, method=method)
    assert (outcome.resolved.hint_layer, outcome.resolved.student_layer) == ("11", "4"), (
        "the last map before pooling"
    )
    assert outcome.candidate.model.state_dict().keys() == plain.candidate.model.state_dict().keys()
    first, second = (next(o.candidate.model.parameters()) for o in (plain, outcome))
    assert not torch.equal(first, second), "what is inside the teacher was learned too"
    assert not any(m._forward_hooks for m in outcome.candidate.model.modules())


def test_self_distillation_gives_the_teachers_own_architecture_drawn_anew(job_of):
    job = job_of()
    outcome = distill(job, method="self")
    before, after = job.start.model.state_dict(), outcome.candidate.model.state_dict()
    assert {k: v.shape for k, v in before.items()} == {k: v.shape for k, v in after.items()}
    assert not any(torch.equal(before[k], after[k]) for k in before if k.endswith("weight"))
    assert outcome.candidate.builder == job.start.builder


@pytest.mark.parametrize(
    ("kind", "n_out"), [("binary", 1), ("binary", 2), ("multilabel", 2), ("regression", 1)]
)
def test_every_kind_of_task_is_taught(kind, n_out, tmp_path):
    task = table_task(kind, n_out=n_out)
    teacher = taught(task)
    job = Job(task, teacher, tmp_path)
    outcome = distill(
        job, student="little", fit={"epochs": 40, "max_steps": 120, "lr": 0.03}, control_seeds=1
    )
    models = outcome.evidence["models"].set_index("model")[task.metric.name]
    assert models["student"] < 0.8 if kind == "regression" else models["student"] > 0.85
    assert len(outcome.evidence["reliability"]) > 0 or kind == "regression"
    first = outcome.evidence["agreement"].iloc[0]
    assert first["correlation"] > 0.7 if kind == "regression" else first["student_agreement"] > 0.85


def test_one_logit_learns_from_two(tmp_path):
    two, one = table_task("binary", n_out=2), table_task("binary")
    job = Job(
        replace(two, builders={**two.builders, "one": one.builders["little"]}),
        taught(two),
        tmp_path,
    )
    outcome = distill(job, student="one", fit={"epochs": 40, "max_steps": 120, "lr": 0.03})
    assert outcome.evidence["agreement"]["student_agreement"][0] > 0.85


def test_ensemble_teaches_by_its_mean_distribution(job_of):
    job = job_of(others={"cnn": taught(job_of().task, "cnn")})
    plan = plan_of(job, settings(student=SMALL, teachers=["cnn"]))
    alone = plan_of(job_of(), settings(student=SMALL))
    assert plan.answers.shape == (1000, 2, 10)
    np.testing.assert_array_equal(plan.answers[:, 0], alone.answers[:, 0])
    outcome = distill(job, student=SMALL, teachers=["cnn"])
    n = sum(p.numel() for p in job.start.model.parameters())
    assert outcome.evidence["models"].set_index("model")["parameters"]["teacher"] == 2 * n


def test_same_views_are_seen_by_teacher_and_student(job_of):
    task = replace(job_of().task, augment=shifted)
    plan = plan_of(job_of(task=task), settings(student=SMALL, views=3))
    assert (plan.settings.views, len(plan.answers), len(plan.course.task.data.train)) == (
        3,
        3000,
        3000,
    )
    assert plan.course.task.augment is None, "nothing is augmented after the teacher has seen it"
    image = plan.course.task.data.train.inputs["image"]
    assert not np.array_equal(image[:1000], image[1000:2000])
    asked = plan.job.start.model.eval()(torch.from_numpy(image[1500:1504])).detach().numpy()
    np.testing.assert_allclose(asked, plan.answers[1500:1504, 0], atol=1e-4)
    assert plan._fit_settings(plan.course).epochs == 1, "3 epochs are one pass over 3 views"


def test_reworded_rows_are_answered_and_labelled_by_the_teacher_alone(job_of):
    """Images upside down: rows that the data do not hold, which each network prepares in its own
    way.
    """
    flat = {
        "prepares": {"flat": _flat},
        "builders": {**job_of().task.builders, "flat": lambda: nn.Linear(64, 10)},
    }
    task = replace(job_of().task, reword=_upside_down, **flat)
    job = replace(job_of(), task=task)
    plan = plan_of(job, settings(student="flat", views=3))
    rows, own = plan.course.task.data.train, task.data.train
    assert (plan.settings.views, len(rows), len(plan.answers)) == (3, 3000, 3000)
    np.testing.assert_array_equal(
        rows.targets[:1000], own.targets, "the rows that have labels keep them"
    )
    np.testing.assert_array_equal(
        rows.targets[1000:],
        plan.answers[1000:, 0].argmax(1),
        "the others get the teacher's decision",
    )
    assert not np.array_equal(rows.targets[1000:2000], own.targets)
    asked = plan.job.start.model.eval()(
        torch.from_numpy(task.prepare({"image": rows.inputs["image"][1500:1504]})["image"])
    )
    np.testing.assert_allclose(asked.detach().numpy(), plan.answers[1500:1504, 0], atol=1e-4)
    assert len(plan.course.control.task.data.train) == 1000, (
        "who learns from labels alone gets the rows that have labels"
    )
    steps = [len(plan.train(0, taught=taught).history) for taught in (True, False)]
    assert steps == [1, 3], (
        "as many rows seen by both: one pass over three views, three passes over one"
    )


def test_large_teacher_with_many_rows_is_asked_in_bf16_where_that_is_there_and_it_is_said(
    job_of, monkeypatch
):
    job = replace(job_of(), exported=to_onnx(job_of().start, job_of().example(2)))
    plan = plan_of(job, settings(student=SMALL))
    assert (asked_on(job.start, plan.course, job), plan.course.note) == ("onnxruntime", "")
    monkeypatch.setattr(asking, "LONG", 1000 * len(job.exported.model))
    fast = plan_of(job, settings(student=SMALL))
    if "openvino-bf16" not in installed_for(job.exported):
        assert asked_on(job.start, fast.course, job) == "onnxruntime"
        return
    assert fast.course.note == "The teachers answered on openvino-bf16."
    change = np.abs(fast.answers - plan.answers).max() / np.abs(plan.answers).max()
    assert 0 < change < 0.03, (
        "other arithmetic, so answers of their own in the cache, that say the same"
    )


def _upside_down(inputs, rng):
    return {"image": inputs["image"][:, :, ::-1]}


@pytest.mark.parametrize(
    ("kind", "n_out"), [("binary", 1), ("binary", 2), ("multilabel", 2), ("regression", 1)]
)
def test_reworded_rows_of_every_kind_of_task_are_decided(kind, n_out, tmp_path):
    task = replace(
        table_task(kind, n_out=n_out),
        reword=lambda inputs, rng: {"x": inputs["x"] + rng.normal(0, 0.5, inputs["x"].shape)},
    )
    plan = plan_of(Job(task, taught(task), tmp_path), settings(student="little", views=2))
    n = len(task.data.train)
    decided, answers = plan.course.task.data.train.targets[n:], plan.answers[n:, 0]
    assert decided.shape == task.data.train.targets.shape
    wanted = answers if kind == "regression" else answers > 0
    np.testing.assert_allclose(decided, wanted.reshape(decided.shape), rtol=1e-6)


def test_other_ways_to_prepare_rows_are_paired_row_by_row(job_of):
    task, job = job_of().task, job_of()
    task = replace(
        task,
        augment=_same,
        prepares={"flat": _flat},
        builders={**task.builders, "flat": lambda: nn.Linear(64, 10)},
    )
    outcome = distill(
        replace(job, task=task), student="flat", fit={"epochs": 15, "max_steps": 100, "lr": 0.02}
    )
    assert outcome.candidate.prepare is _flat
    assert outcome.evidence["models"]["accuracy"][1] > 0.8
    assert any("prepare rows in different ways" in note for note in outcome.notes)


def _same(inputs, generator):
    return inputs


def _flat(inputs):
    return {"x": inputs["image"].reshape(len(inputs["image"]), -1).astype(np.float32) / 16}


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (
            {"student": "cn"},
            SettingsError,
            "Unknown student `cn`.*Did you mean `cnn`.*package.module:function",
        ),
        (
            {"student": f"{HERE}:nine"},
            CandidateError,
            "`nine` gives 9 outputs a row and the teacher `cnn` 10",
        ),
        (
            {"student": f"{HERE}:ending"},
            CandidateError,
            "`ending` ends in a softmax; a student must give logits",
        ),
        ({"student": f"{HERE}:QUICK"}, CandidateError, "named by a function that builds it"),
        (
            {"teachers": ["nobody"]},
            SettingsError,
            "`teachers` names nobody, which this job does not hold",
        ),
        (
            {"method": "self", "student": "cnn"},
            SettingsError,
            "`student` must be empty with `method` self",
        ),
        (
            {"method": "hint", "hint_layer": "nowhere"},
            SettingsError,
            "`hint_layer`: Unknown layer `nowhere`",
        ),
        (
            {"method": "attention", "student_layer": "7", "student": SMALL},
            CandidateError,
            "attention compares",
        ),
    ],
)
def test_bad_pairs_are_refused_before_anything_is_trained(job_of, values, error, message):
    with pytest.raises(error, match=message):
        distill(job_of(), **values)


def test_what_leaves_a_teacher_no_place_is_refused(job_of):
    task = replace(job_of().task, train_step=lambda model, inputs, targets: None)
    with pytest.raises(TaskError, match="`train_step` that computes the whole loss.*`loss=`"):
        distill(job_of(task=task))
    broken = Candidate(
        "broken", "torch", _nan(job_of().start.model), prepare=job_of().start.prepare
    )
    with pytest.raises(
        CandidateError, match="`broken` gives outputs that are not finite on 1,000 of 1,000"
    ):
        distill(job_of(start=broken), student=SMALL)


def _nan(model):
    import copy

    changed = copy.deepcopy(model)
    changed[-1].bias.data[0] = float("nan")
    return changed
