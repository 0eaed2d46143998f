"""Callbacks: called at their moments, able to change batches and to stop, kept in checkpoints."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workbench.errors import Cancelled
from workbench.events import Report
from workbench.training import Callback, FitSettings, fit

PLAIN = {"precision": "fp32", "memory_format": "contiguous", "batch_size": 128}


class Recorder(Callback):
    """Writes down every moment."""

    def __init__(self):
        self.moments = []

    def on_train_begin(self, context):
        self.moments.append("train_begin")

    def on_batch_begin(self, context, inputs, targets):
        self.moments.append("batch_begin")

    def on_grad_computed(self, context):
        assert all(p.grad is not None for p in context.model.parameters())
        self.moments.append("grad_computed")

    def on_batch_end(self, context, loss):
        assert torch.isfinite(loss)
        self.moments.append(f"batch_end {context.step}")

    def on_epoch_end(self, context, record):
        assert record["epoch"] == context.epoch
        self.moments.append(f"epoch_end {context.epoch}")

    def on_train_end(self, context):
        self.moments.append("train_end")


class Counter(Callback):
    """Counts batches over all attempts."""

    def __init__(self):
        self.n = 0

    def on_batch_end(self, context, loss):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def _fit(network, task, *callbacks, epochs=2, **changes):
    settings = FitSettings(epochs=epochs, **PLAIN)
    return fit(network, task.without_test(), settings, callbacks=callbacks, **changes)


def test_moments_come_in_order(network, digits_task):
    recorder = Recorder()
    fitted = _fit(network, digits_task, recorder, epochs=1)
    batch = ["batch_begin", "grad_computed"]
    steps = [m for n in range(1, fitted.n_steps + 1) for m in (*batch, f"batch_end {n}")]
    assert recorder.moments == ["train_begin", *steps, "epoch_end 1", "train_end"]


def test_batch_can_be_changed(network, digits_task):
    class Blank(Callback):
        def on_batch_begin(self, context, inputs, targets):
            return {name: torch.zeros_like(t) for name, t in inputs.items()}, targets

    fitted = _fit(network, digits_task, Blank())
    weight = dict(fitted.model.named_parameters())["1.weight"]
    before = dict(network.named_parameters())["1.weight"]
    scale = (weight / before).flatten()
    assert torch.allclose(scale, scale[0].expand_as(scale), rtol=1e-3), "only decay moved weights"


def test_training_can_be_stopped_and_keeps_the_best_weights(network, digits_task):
    class StopAt(Callback):
        def on_batch_end(self, context, loss):
            if context.step == 5:
                context.stop()

    fitted = _fit(network, digits_task, StopAt(), epochs=10)
    assert fitted.n_steps == 5
    assert len(fitted.history) == 1


def test_state_goes_on_after_an_interruption(network, digits_task, tmp_path):
    whole = Counter()
    _fit(network, digits_task, whole, epochs=3)
    part, again = Counter(), Counter()
    with pytest.raises(Cancelled):
        _fit(
            network,
            digits_task,
            part,
            epochs=3,
            checkpoint=tmp_path / "fit.pt",
            report=Report(cancelled=lambda: part.n > whole.n // 2),
        )
    _fit(network, digits_task, again, epochs=3, checkpoint=tmp_path / "fit.pt")
    assert again.n == whole.n


def test_checkpoint_of_other_callbacks_is_not_used(network, digits_task, tmp_path):
    _fit(network, digits_task, Counter(), epochs=1, checkpoint=tmp_path / "fit.pt")
    recorder = Recorder()
    fitted = _fit(network, digits_task, recorder, epochs=1, checkpoint=tmp_path / "fit.pt")
    assert f"batch_end {fitted.n_steps}" in recorder.moments
