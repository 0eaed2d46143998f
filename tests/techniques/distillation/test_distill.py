"""Distillation: the student learns from the teacher for all tasks and methods; bad pairs raise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.techniques.distillation.examples import SMALL, settings, shifted, table_task, trained
from workbench.errors import CandidateError, SettingsError, TaskError
from workbench.runtimes import installed_for
from workbench.task import Candidate
from workbench.technique import Job
from workbench.techniques import get_technique
from workbench.techniques.distillation import teacher_outputs
from workbench.techniques.distillation.methods import FEATURE_METHODS
from workbench.techniques.distillation.teacher_outputs import runtime_of
from workbench.techniques.distillation.trainer import make_trainer

EXAMPLES = "tests.techniques.distillation.examples"


def distill(job, **values):
    return get_technique("distillation")(job, settings(**values))


def test_student_agrees_more_with_its_teacher_than_one_that_learned_from_labels(job_of):
    """Four labels in ten are wrong; the teacher was trained without these errors."""
    task, rng = job_of().task, np.random.default_rng(0)
    train = task.data.train
    wrong = np.where(rng.random(len(train)) < 0.4, rng.integers(0, 10, len(train)), train.targets)
    noisy = replace(task, data=replace(task.data, train=replace(train, targets=wrong)))
    resnet8 = "workbench.models.compact:resnet8"
    student_settings = settings(student=resnet8, alpha=1.0, fit={"epochs": 10, "max_steps": 70})
    trainer = make_trainer(job_of(task=noisy), student_settings)
    decisions = trainer._predict(trainer.job.start.model).argmax(1)
    agreed = {
        with_teacher: [
            (trainer.outputs(seed, with_teacher=with_teacher).argmax(1) == decisions).mean()
            for seed in range(3)
        ]
        for with_teacher in (True, False)
    }
    assert min(agreed[True]) > max(agreed[False]), agreed


def test_automatic_student_is_compact_and_in_the_resolved_settings(job_of):
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
        make_trainer(job_of(task=replace(task, builders=builders)), settings()).student.name
        == "small"
    )


def _small():
    from tests.techniques.distillation.examples import small

    return small()


@pytest.mark.parametrize("method", FEATURE_METHODS)
def test_feature_methods_resolve_their_layers_and_leave_no_projection(job_of, method):
    plain = distill(job_of(), student=SMALL)
    outcome = distill(job_of(), student=SMALL, method=method)
    assert (outcome.resolved.hint_layer, outcome.resolved.student_layer) == ("11", "4"), (
        "the last map before pooling"
    )
    assert outcome.candidate.model.state_dict().keys() == plain.candidate.model.state_dict().keys()
    first, second = (next(o.candidate.model.parameters()) for o in (plain, outcome))
    assert not torch.equal(first, second), "the feature loss changed the weights"
    assert not any(m._forward_hooks for m in outcome.candidate.model.modules())


def test_self_distillation_gives_the_teachers_architecture_with_other_weights(job_of):
    job = job_of()
    outcome = distill(job, method="self")
    before, after = job.start.model.state_dict(), outcome.candidate.model.state_dict()
    assert {k: v.shape for k, v in before.items()} == {k: v.shape for k, v in after.items()}
    assert not any(torch.equal(before[k], after[k]) for k in before if k.endswith("weight"))
    assert outcome.candidate.builder == job.start.builder


@pytest.mark.parametrize(
    ("kind", "n_out"), [("binary", 1), ("binary", 2), ("multilabel", 2), ("regression", 1)]
)
def test_student_learns_every_kind_of_task(kind, n_out, tmp_path):
    task = table_task(kind, n_out=n_out)
    teacher = trained(task)
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
        trained(two),
        tmp_path,
    )
    outcome = distill(job, student="one", fit={"epochs": 40, "max_steps": 120, "lr": 0.03})
    assert outcome.evidence["agreement"]["student_agreement"][0] > 0.85


def test_ensemble_teaches_by_its_mean_distribution(job_of):
    job = job_of(others={"cnn": trained(job_of().task, "cnn")})
    trainer = make_trainer(job, settings(student=SMALL, teachers=["cnn"]))
    alone = make_trainer(job_of(), settings(student=SMALL))
    assert trainer.teacher_outputs.shape == (1000, 2, 10)
    np.testing.assert_array_equal(trainer.teacher_outputs[:, 0], alone.teacher_outputs[:, 0])
    outcome = distill(job, student=SMALL, teachers=["cnn"])
    n = sum(p.numel() for p in job.start.model.parameters())
    assert outcome.evidence["models"].set_index("model")["parameters"]["teacher"] == 2 * n


def test_teacher_and_student_get_the_same_views(job_of):
    task = replace(job_of().task, augment=shifted)
    trainer = make_trainer(job_of(task=task), settings(student=SMALL, views=3))
    assert (
        trainer.settings.views,
        len(trainer.teacher_outputs),
        len(trainer.transfer_set.task.data.train),
    ) == (
        3,
        3000,
        3000,
    )
    assert trainer.transfer_set.task.augment is None, "fit does not augment the rows again"
    image = trainer.transfer_set.task.data.train.inputs["image"]
    assert not np.array_equal(image[:1000], image[1000:2000])
    expected = trainer.job.start.model.eval()(torch.from_numpy(image[1500:1504])).detach().numpy()
    np.testing.assert_allclose(expected, trainer.teacher_outputs[1500:1504, 0], atol=1e-4)
    assert trainer._fit_settings(trainer.transfer_set).epochs == 1, (
        "3 epochs are one pass over 3 views"
    )


def test_reworded_rows_get_the_decision_of_the_teacher_and_are_not_in_the_control(job_of):
    """Images upside down are not in the data; teacher and student prepare them differently."""
    flat = {
        "prepares": {"flat": _flat},
        "builders": {**job_of().task.builders, "flat": lambda: nn.Linear(64, 10)},
    }
    task = replace(job_of().task, reword=_upside_down, **flat)
    job = replace(job_of(), task=task)
    trainer = make_trainer(job, settings(student="flat", views=3))
    rows, own = trainer.transfer_set.task.data.train, task.data.train
    assert (trainer.settings.views, len(rows), len(trainer.teacher_outputs)) == (3, 3000, 3000)
    np.testing.assert_array_equal(
        rows.targets[:1000], own.targets, "the rows that have labels keep them"
    )
    np.testing.assert_array_equal(
        rows.targets[1000:],
        trainer.teacher_outputs[1000:, 0].argmax(1),
        "the others get the teacher's decision",
    )
    assert not np.array_equal(rows.targets[1000:2000], own.targets)
    expected = trainer.job.start.model.eval()(
        torch.from_numpy(task.prepare({"image": rows.inputs["image"][1500:1504]})["image"])
    )
    np.testing.assert_allclose(
        expected.detach().numpy(), trainer.teacher_outputs[1500:1504, 0], atol=1e-4
    )
    assert len(trainer.transfer_set.for_control.task.data.train) == 1000, (
        "the control gets the rows that have labels"
    )
    steps = [len(trainer.train(0, with_teacher=teacher).history) for teacher in (True, False)]
    assert steps == [1, 3], (
        "both take as many rows: one pass over three views, three passes over one"
    )


def test_large_teacher_with_many_rows_runs_in_bf16_and_a_note_says_so_when_it_is_available(
    job_of, digits_onnx, monkeypatch
):
    job = replace(job_of(), exported=digits_onnx)
    trainer = make_trainer(job, settings(student=SMALL))
    assert (runtime_of(job.start, trainer.transfer_set, job), trainer.transfer_set.note) == (
        "onnxruntime",
        "",
    )
    monkeypatch.setattr(teacher_outputs, "MIN_WORK_FOR_BF16", 1000)
    fast = make_trainer(job, settings(student=SMALL))
    if "openvino-bf16" not in installed_for(job.exported):
        assert runtime_of(job.start, fast.transfer_set, job) == "onnxruntime"
        return
    assert fast.transfer_set.note == "The teachers ran on openvino-bf16."
    change = (
        np.abs(fast.teacher_outputs - trainer.teacher_outputs).max()
        / np.abs(trainer.teacher_outputs).max()
    )
    assert 0 < change < 0.03, (
        "other arithmetic, so the cache holds outputs of their own, nearly equal ones"
    )


def _upside_down(inputs, rng):
    return {"image": inputs["image"][:, :, ::-1]}


@pytest.mark.parametrize(
    ("kind", "n_out"), [("binary", 1), ("binary", 2), ("multilabel", 2), ("regression", 1)]
)
def test_reworded_rows_get_targets_in_every_kind_of_task(kind, n_out, tmp_path):
    task = replace(
        table_task(kind, n_out=n_out),
        reword=lambda inputs, rng: {"x": inputs["x"] + rng.normal(0, 0.5, inputs["x"].shape)},
    )
    trainer = make_trainer(Job(task, trained(task), tmp_path), settings(student="little", views=2))
    n = len(task.data.train)
    targets, outputs = (
        trainer.transfer_set.task.data.train.targets[n:],
        trainer.teacher_outputs[n:, 0],
    )
    assert targets.shape == task.data.train.targets.shape
    expected = outputs if kind == "regression" else outputs > 0
    np.testing.assert_allclose(targets, expected.reshape(targets.shape), rtol=1e-6)


def test_student_that_prepares_rows_differently_gets_the_same_rows(job_of):
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
            {"student": f"{EXAMPLES}:nine"},
            CandidateError,
            "`nine` gives 9 outputs a row and the teacher `cnn` 10",
        ),
        (
            {"student": f"{EXAMPLES}:ending"},
            CandidateError,
            "`ending` ends in a softmax; a student must give logits",
        ),
        (
            {"student": f"{EXAMPLES}:QUICK"},
            CandidateError,
            "must name a function that builds the network",
        ),
        (
            {"teachers": ["nobody"]},
            SettingsError,
            "`teachers` names nobody, which this job does not hold",
        ),
        (
            {"method": "self", "student": "cnn"},
            SettingsError,
            "`student` has an effect only if method is not self; here `method` is 'self'",
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
def test_bad_pairs_are_refused_before_any_training(job_of, values, error, message):
    with pytest.raises(error, match=message):
        distill(job_of(), **values)


def test_loss_of_the_task_and_outputs_that_are_not_finite_are_refused(job_of):
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
