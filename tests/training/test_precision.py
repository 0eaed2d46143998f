"""The probe of precision and memory format: it times only what is open, and leaves no trace."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from workbench.training import precision as speed
from workbench.training.precision import WORTH_TIMING, fastest

AUTO = {"precision": "auto", "memory_format": "auto"}
IMAGES = {"image": torch.zeros(4, 1, 8, 8)}
TABLE = {"x": torch.zeros(4, 6)}


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    """A machine for which nothing was chosen yet."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))


@pytest.fixture
def net():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(144, 2),
    )


@pytest.fixture
def timed(monkeypatch):
    """Which options were timed; the times are made up: bf16 channels_last wins."""
    seen = []
    made_up = {("bf16", "channels_last"): 0.003, ("bf16", "contiguous"): 0.0035}

    def step_time(model, loss_of, *option):
        seen.append(option)
        return made_up.get(option, 0.004)

    monkeypatch.setattr(speed, "_step_time", step_time)
    return seen


def _loss(model, rows=slice(None)):
    return model(torch.rand(4, 1, 8, 8)[rows]).float().square().mean()


def test_fixed_choices_are_taken_and_not_timed(net, timed):
    wanted = {"precision": "bf16", "memory_format": "channels_last"}
    assert fastest(net, _loss, IMAGES, wanted, n_steps=10_000) == wanted
    assert timed == []


def test_short_training_is_not_timed_and_stays_plain(net, timed):
    chosen = fastest(net, _loss, IMAGES, AUTO, n_steps=WORTH_TIMING - 1)
    assert chosen == {"precision": "fp32", "memory_format": "contiguous", "untimed": True}
    assert (
        fastest(net, _loss, IMAGES, {**AUTO, "precision": "bf16"}, n_steps=1)["precision"] == "bf16"
    )
    assert timed == []


def test_fastest_of_all_options_is_chosen_with_its_times(net, timed):
    chosen = fastest(net, _loss, IMAGES, AUTO, n_steps=WORTH_TIMING)
    assert (chosen["precision"], chosen["memory_format"]) == ("bf16", "channels_last")
    assert chosen["step_ms"] == {
        "fp32 contiguous": 4.0,
        "fp32 channels_last": 4.0,
        "bf16 contiguous": 3.5,
        "bf16 channels_last": 3.0,
    }
    assert len(timed) == 4 * 2 + 4 * speed.N_ROUNDS
    assert len(set(timed[:4])) == len(set(timed[8:12])) == 4, "options take turns"


def test_option_far_behind_on_few_rows_is_not_timed_on_a_batch(net, monkeypatch):
    rows_timed = {}

    def step_time(model, loss_of, *option):
        seen = []
        monkeypatch.setattr(speed, "FEW_ROWS", 2)
        loss_of(lambda batch: seen.append(len(batch)) or torch.zeros(1))
        rows_timed.setdefault(option, []).append(seen[0])
        return {"bf16": 0.05, "fp32": 0.01}[option[0]]

    monkeypatch.setattr(speed, "_step_time", step_time)
    chosen = fastest(net, _loss, IMAGES, AUTO, n_steps=100)
    assert chosen["precision"] == "fp32"
    assert rows_timed["bf16", "contiguous"] == [2, 2]
    assert rows_timed["fp32", "channels_last"] == [2, 2] + [4] * speed.N_ROUNDS
    assert chosen["few_rows_ms"]["bf16 contiguous"] == 50.0, "what was left out can be read"
    assert "bf16 contiguous" not in chosen["step_ms"]


def test_only_what_is_open_is_timed(net, timed):
    fastest(net, _loss, IMAGES, {"precision": "fp32", "memory_format": "auto"}, n_steps=100)
    assert set(timed) == {("fp32", "contiguous"), ("fp32", "channels_last")}


def test_channels_last_is_for_images_only(net, timed):
    assert fastest(net, _loss, TABLE, AUTO, n_steps=100)["memory_format"] == "contiguous"
    assert {f for _, f in timed} == {"contiguous"}


def test_model_and_random_state_are_left_alone_when_steps_are_timed(net):
    before = copy.deepcopy(net.eval().state_dict())
    torch.manual_seed(3)
    state = torch.get_rng_state()
    chosen = fastest(net, _loss, IMAGES, AUTO, n_steps=1000)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert not net.training
    assert f"{chosen['precision']} {chosen['memory_format']}" in chosen["step_ms"]
    assert chosen["precision"] in ("fp32", "bf16")
    assert chosen["memory_format"] in ("contiguous", "channels_last")


def test_choice_is_kept_for_networks_of_this_shape(net, timed):
    first = fastest(net, _loss, IMAGES, AUTO, n_steps=100)
    del timed[:]
    assert fastest(copy.deepcopy(net), _loss, IMAGES, AUTO, n_steps=100) == first
    assert timed == [("bf16", "channels_last")], "only tried"
    fastest(nn.Sequential(*net, nn.ReLU()), _loss, IMAGES, AUTO, n_steps=100)
    assert len(timed) > 4, "another network is measured"


def test_kept_choice_that_a_loss_cannot_run_is_measured_again(net, timed, monkeypatch):
    assert fastest(net, _loss, IMAGES, AUTO, n_steps=100)["precision"] == "bf16"
    plain = speed._step_time

    def refusing(model, loss_of, *option):
        if option[0] == "bf16":
            raise RuntimeError("no bf16 form")
        return plain(model, loss_of, *option)

    monkeypatch.setattr(speed, "_step_time", refusing)
    assert fastest(net, _loss, IMAGES, AUTO, n_steps=100)["precision"] == "fp32"


def test_option_that_the_model_cannot_run_is_never_chosen(net):
    def loss_of(model, rows):
        loss = _loss(model, rows)
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError("no bf16 form")
        return loss

    torch.manual_seed(3)
    state = torch.get_rng_state()
    chosen = fastest(net, loss_of, IMAGES, AUTO, n_steps=1000)
    assert chosen["precision"] == "fp32"
    assert all(name.startswith("fp32") for name in chosen["step_ms"])
    assert torch.equal(torch.get_rng_state(), state)


def test_model_that_runs_in_no_way_says_why(net):
    def loss_of(model, rows):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        fastest(net, loss_of, IMAGES, AUTO, n_steps=1000)
