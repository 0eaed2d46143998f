"""fit(): resumed runs equal unbroken ones, hooks work, the caller's state is left alone, and
refusals are clear.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from workbench.errors import Cancelled, TaskError
from workbench.events import Report
from workbench.training import FitSettings, fit

QUICK = FitSettings(epochs=3, batch_size=128, precision="fp32", memory_format="contiguous")


def _weights(fitted):
    return torch.cat([p.detach().reshape(-1) for p in fitted.model.parameters()])


@pytest.fixture
def untrained(digits_task):
    return digits_task.candidate("cnn", seed=1)[0].model


def test_same_seed_gives_the_same_weights_and_another_seed_others(digits_task, untrained):
    task = digits_task.without_test()
    first, again, other = (fit(untrained, task, QUICK, seed=s) for s in (5, 5, 6))
    assert torch.equal(_weights(first), _weights(again))
    assert not torch.equal(_weights(first), _weights(other))


def test_input_model_and_random_state_of_the_caller_stay_as_they_were(digits_task, untrained):
    before = torch.cat([p.detach().reshape(-1) for p in untrained.parameters()]).clone()
    state = torch.get_rng_state().clone()
    fit(untrained, digits_task.without_test(), QUICK)
    assert torch.equal(before, torch.cat([p.detach().reshape(-1) for p in untrained.parameters()]))
    assert torch.equal(state, torch.get_rng_state())


def test_resumed_run_gives_the_weights_of_an_unbroken_one_when_cancelled_in_the_middle(
    digits_task, untrained, tmp_path
):
    from torch import nn

    task = digits_task.without_test()
    model = nn.Sequential(
        *list(untrained)[:-1], nn.Dropout(0.5), untrained[-1]
    )  # dropout draws from the global generator
    whole = fit(model, task, QUICK, seed=2)
    seen = []

    def stop(model, step):
        seen.append(step)

    with pytest.raises(Cancelled):
        fit(
            model,
            task,
            QUICK,
            seed=2,
            checkpoint=tmp_path / "c.pt",
            step_hook=stop,
            report=Report(cancelled=lambda: len(seen) >= 12),
        )
    assert 8 <= len(seen) < 24, "cancelled in the second epoch"
    resumed = fit(model, task, QUICK, seed=2, checkpoint=tmp_path / "c.pt")
    assert torch.equal(_weights(whole), _weights(resumed))
    assert whole.history == resumed.history


def test_checkpoint_of_other_settings_is_ignored(digits_task, untrained, tmp_path):
    task = digits_task.without_test()
    fit(untrained, task, QUICK, checkpoint=tmp_path / "c.pt")
    other = QUICK.replace(lr=0.01)
    assert torch.equal(
        _weights(fit(untrained, task, other, checkpoint=tmp_path / "c.pt")),
        _weights(fit(untrained, task, other)),
    )


def test_best_weights_on_valid_are_kept_and_patience_stops_early(digits_task, untrained):
    settings = QUICK.replace(epochs=40, patience=2, lr=0.02, schedule="constant")
    fitted = fit(untrained, digits_task.without_test(), settings)
    scores = [h["valid_score"] for h in fitted.history]
    assert len(scores) < 40
    assert fitted.best_epoch == int(np.argmax(scores)) + 1
    assert len(scores) == fitted.best_epoch + 2, "stopped once patience was used up"


def test_hooks_shape_loss_and_weights(digits_task, untrained):
    calls = []

    def loss_hook(context):
        calls.append(context.outputs.shape)
        return context.loss * 0.0 + sum(p.square().sum() for p in context.model.parameters())

    fitted = fit(untrained, digits_task.without_test(), QUICK.replace(lr=0.01), loss_hook=loss_hook)
    assert len(calls) == fitted.n_steps
    assert calls[0] == (128, 10)
    assert (
        _weights(fitted).norm()
        < torch.cat([p.detach().reshape(-1) for p in untrained.parameters()]).norm()
    )


@pytest.mark.parametrize("in_memory", [True, False])
def test_what_lies_beside_the_rows_comes_with_its_batch(
    digits_task, untrained, monkeypatch, in_memory
):
    from workbench.data import tensors

    monkeypatch.setattr(tensors, "IN_MEMORY_BYTES", 1 << 30 if in_memory else 1)
    targets = digits_task.data.train.targets
    seen = []

    def loss_hook(context):
        torch.testing.assert_close(context.beside["twice"], 2 * context.targets)
        seen.append(len(context.targets))
        return context.loss

    fit(
        untrained,
        digits_task.without_test(),
        QUICK,
        beside={"twice": 2 * targets},
        loss_hook=loss_hook,
    )
    assert sum(seen) >= QUICK.epochs * (len(targets) - 1)
    with pytest.raises(TaskError, match="`twice` has 3"):
        fit(untrained, digits_task.without_test(), QUICK, beside={"twice": np.zeros(3)})


def test_automatic_choices_are_written_down_and_reused(digits_task, untrained):
    settings = FitSettings(epochs=6)
    task = digits_task.without_test()
    first = fit(untrained, task, settings)
    assert first.choices["precision"] in ("fp32", "bf16")
    assert len(first.choices["few_rows_ms"]) == 4, "two precisions by two memory formats were timed"
    assert (
        f"{first.choices['precision']} {first.choices['memory_format']}" in first.choices["step_ms"]
    )
    again = fit(
        untrained, task, settings, choices={"precision": "fp32", "memory_format": "channels_last"}
    )
    assert (again.choices["precision"], again.choices["memory_format"]) == ("fp32", "channels_last")
    assert "step_ms" not in again.choices
    short = fit(untrained, task, FitSettings(epochs=0))
    assert short.choices["untimed"], "too short to be worth a probe"
    assert "step_ms" in fit(untrained, task, settings, choices=short.choices).choices, (
        "so a child probes for itself"
    )


def test_train_step_replaces_forward_and_loss(digits_task, untrained):
    calls = []

    def train_step(model, inputs, targets):
        calls.append(len(targets))
        return torch.nn.functional.cross_entropy(model(inputs["image"]), targets)

    task = dataclasses.replace(digits_task.without_test(), train_step=train_step, kind="custom")
    fitted = fit(untrained, task, QUICK)
    assert len(calls) == fitted.n_steps
    assert fitted.history[-1]["valid_score"] > 0.5


def test_infinite_loss_is_refused_with_the_knob_to_turn(digits_task, untrained):
    task = dataclasses.replace(digits_task.without_test(), loss=lambda o, t: o.sum() * float("nan"))
    with pytest.raises(TaskError, match="The loss became nan at step 10.*Lower `fit_lr`"):
        fit(untrained, task, QUICK)


def test_nothing_to_train_is_refused(digits_task, untrained):
    for p in untrained.parameters():
        p.requires_grad_(False)
    with pytest.raises(TaskError, match="no parameter that can be trained"):
        fit(untrained, digits_task.without_test(), QUICK)


def test_augmentation_sees_train_batches_only_and_depends_on_the_seed_alone(digits_task, untrained):
    from workbench.tasks.builtin import flip_and_shift

    task = dataclasses.replace(digits_task.without_test(), augment=flip_and_shift)
    assert torch.equal(
        _weights(fit(untrained, task, QUICK, seed=4)), _weights(fit(untrained, task, QUICK, seed=4))
    )
    images = torch.arange(2 * 64.0).reshape(2, 1, 8, 8)
    moved = flip_and_shift({"image": images}, torch.Generator().manual_seed(0))["image"]
    assert moved.shape == images.shape
    assert set(moved.flatten().tolist()) <= set(images.flatten().tolist()), (
        "pixels are moved, none is invented"
    )


def test_layout_that_a_model_cannot_run_in_is_no_option(digits_task):
    from torch import nn

    class Viewed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(8 * 64, 10)

        def forward(self, x):
            return self.head(
                torch.relu(self.conv(x)).view(x.size(0), -1)
            )  # refuses rows in channels_last

    fitted = fit(Viewed(), digits_task.without_test(), FitSettings(epochs=6))
    assert fitted.n_steps == 48
    assert fitted.choices["memory_format"] == "contiguous"
    assert not [option for option in fitted.choices["step_ms"] if "channels_last" in option]
