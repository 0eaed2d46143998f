"""Switches of RegularizedFit: each does what it says, all combine, and a resumed training equals an
unbroken one.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from workbench.errors import Cancelled, SettingsError, TaskError
from workbench.events import Report
from workbench.model_form import Training, form_named
from workbench.training import Callback, FitSettings, RegularizedFit, TrainingContext, fit
from workbench.training.augmentation import BUILT_IN
from workbench.training.dropout import set_dropout
from workbench.training.mixing import Mixing
from workbench.training.regularizers import refusals, regularizers_for

PLAIN = {"precision": "fp32", "memory_format": "contiguous", "batch_size": 128, "epochs": 3}
IMAGES = {"image": torch.zeros(2, 1, 8, 8)}
ALL_ON = {
    "dropout": 0.3,
    "l1": 0.01,
    "l2": 0.001,
    "label_smoothing": 0.1,
    "mixup": 0.4,
    "cutmix": 0.4,
    "augment": "flips_and_crops",
    "clip_norm": 1.0,
}


def settings(**values):
    return RegularizedFit(**PLAIN, **values).resolved()


@pytest.fixture
def task(digits_task):
    """300 digits to train on and 200 to score."""
    data = digits_task.without_test().data
    few = replace(data, train=data.train.take(slice(0, 300)), valid=data.valid.take(slice(0, 200)))
    return replace(digits_task, data=few)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 64, 10),
    )


def weights(model):
    return torch.cat([t.detach().reshape(-1).float() for t in model.state_dict().values()])


def regularizers(task, network, **values):
    rows = lambda size: iter([(IMAGES, torch.zeros(2, dtype=torch.long))])  # noqa: E731
    return regularizers_for(settings(**values), network, task, rows, seed=0, n_steps=9)


# The whole training


def test_training_without_a_switch_gives_the_weights_of_plain_settings(task, network):
    plain = fit(network, task, FitSettings(**PLAIN), seed=1)
    switched = fit(network, task, settings(), seed=1)
    assert torch.equal(weights(plain.model), weights(switched.model))
    assert switched.notes == ()


@pytest.mark.parametrize(
    "averaging",
    [{"averaging": "ema", "ema_decay": 0.9}, {"averaging": "swa", "swa_start": 0.3}],
    ids=["ema", "swa"],
)
def test_resumed_training_with_all_switches_gives_the_weights_of_an_unbroken_one(
    task, network, tmp_path, averaging
):
    chosen = settings(**ALL_ON, **averaging)
    whole = fit(network, task, chosen, seed=2)
    n_steps = [0]

    class Count(Callback):
        def on_batch_end(self, context, loss):
            n_steps[0] += 1

    path = tmp_path / "fit.pt"
    with pytest.raises(Cancelled):
        fit(
            network,
            task,
            chosen,
            seed=2,
            checkpoint=path,
            callbacks=[Count()],
            report=Report(cancelled=lambda: n_steps[0] > whole.n_steps * 2 // 3 - 1),
        )
    resumed = fit(network, task, chosen, seed=2, checkpoint=path, callbacks=[Count()])
    assert torch.equal(weights(whole.model), weights(resumed.model))
    assert n_steps[0] < 2 * whole.n_steps, "it went on from the checkpoint"
    assert whole.history == resumed.history


def test_kept_network_has_the_names_and_layers_of_the_plain_one(task, network):
    fitted = fit(network, task, settings(**ALL_ON, averaging="ema"))
    assert list(fitted.model.state_dict()) == list(network.state_dict())
    assert str(fitted.model) == str(network)
    assert not any(m._forward_pre_hooks for m in fitted.model.modules())


def test_candidate_trains_anew_with_its_own_switches(task, network):
    candidate, _ = task.candidate("cnn")
    own = {**PLAIN, "epochs": 1, "dropout": 0.3, "label_smoothing": 0.2}
    told = []
    training = Training(seed=3, report=Report(told.append))
    trained = form_named("torch").fit(replace(candidate, fit=own), task, training)
    direct = fit(candidate.model, task, RegularizedFit(**own), prepare=candidate.prepare, seed=3)
    assert torch.equal(weights(trained.model), weights(direct.model))
    assert trained.fit == own
    assert any("no dropout layer" in e.data.get("text", "") for e in told)


# Dropout


def test_dropout_goes_before_the_last_linear_layer_that_is_called():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(8, 3)
            self.body = nn.Linear(8, 8)

        def forward(self, x):
            return self.head(self.body(x))

    net, x = Net().train(), torch.ones(4, 8)
    dropout = set_dropout(net, 0.9, lambda: {"x": x})
    assert "dropout of 0.9 stands before its last linear layer `head`" in dropout.note
    seen = []
    net.head.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    net(x)
    assert (seen[-1] == 0).float().mean() > 0.5
    net.eval()(x)
    assert (seen[-1] != 0).all(), "nothing is dropped in evaluation mode"
    dropout.remove()
    net.train()(x)
    assert (seen[-1] != 0).all()


def test_rate_of_every_kind_of_dropout_is_set_and_given_back():
    net = nn.ModuleList(
        [
            nn.Dropout2d(0.1),
            nn.MultiheadAttention(4, 2, dropout=0.2),
            nn.GRU(4, 4, num_layers=2, dropout=0.3),
            nn.GRU(4, 4),
        ]
    )
    dropout = set_dropout(net, 0.5, dict)
    assert (net[0].p, net[1].dropout, net[2].dropout, net[3].dropout) == (0.5, 0.5, 0.5, 0.0)
    assert dropout.note == "Dropout of 0.5 in the 3 dropout layers of the network."
    dropout.remove()
    assert (net[0].p, net[1].dropout, net[2].dropout) == (0.1, 0.2, 0.3)


def test_network_without_a_place_for_dropout_is_refused():
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten())
    with pytest.raises(TaskError, match="needs a dropout layer or a linear layer"):
        set_dropout(net, 0.2, lambda: IMAGES)


# Penalties


def test_l1_makes_weights_exactly_zero_and_leaves_biases(task, network):
    plain = fit(network, task, settings())
    sparse = fit(network, task, settings(l1=1.0, lr=0.02))
    share = {
        name: (f.model[4].weight == 0).float().mean() for name, f in (("p", plain), ("s", sparse))
    }
    assert share["p"] == 0
    assert share["s"] > 0.3
    assert (sparse.model[4].bias != 0).all()


def context_of(network, **values):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    return TrainingContext(network, network, optimizer, settings(**values), n_steps=10)


def test_l2_is_added_to_the_gradient_of_matrices_alone(task, network):
    (penalties,) = regularizers(task, network, l2=0.5).callbacks
    network(torch.randn(4, 1, 8, 8)).sum().backward()
    before = {n: p.grad.clone() for n, p in network.named_parameters()}
    penalties.on_grad_computed(context_of(network))
    for name, p in network.named_parameters():
        added = 0.5 * p.detach() if p.ndim > 1 else torch.zeros_like(p)
        assert torch.allclose(p.grad, before[name] + added)


def test_gradient_is_never_longer_than_the_limit(task, network):
    norms = []

    class Measure(Callback):
        def on_grad_computed(self, context):
            grads = [p.grad.norm() for p in context.model.parameters()]
            norms.append(float(torch.stack(grads).norm()))

    fit(network, task, settings(clip_norm=0.05), callbacks=[Measure()])
    assert max(norms) <= 0.05 + 1e-5


# Loss


@pytest.mark.parametrize("kind", ["classification", "binary", "two logits", "multilabel"])
def test_label_smoothing_is_the_loss_to_smoothed_labels(task, network, kind):
    of_kind = replace(task, kind="binary" if kind == "two logits" else kind)
    loss = regularizers(of_kind, network, label_smoothing=0.2).loss
    rng = torch.Generator().manual_seed(0)
    if kind == "classification":
        outputs, targets = torch.randn(6, 4, generator=rng), torch.tensor([0, 1, 2, 3, 0, 1])
        soft = F.one_hot(targets, 4) * 0.8 + 0.2 / 4
        expected = -(soft * outputs.log_softmax(1)).sum(1).mean()
    elif kind == "two logits":
        outputs, targets = torch.randn(4, 2, generator=rng), torch.tensor([0, 1, 1, 0])
        soft = F.one_hot(targets, 2) * 0.8 + 0.1
        expected = -(soft * outputs.log_softmax(1)).sum(1).mean()
    else:
        shape = (4, 3) if kind == "multilabel" else (4,)
        outputs = torch.randn(shape, generator=rng)
        targets = (torch.rand(shape, generator=rng) < 0.5).float()
        expected = F.binary_cross_entropy_with_logits(outputs, targets * 0.8 + 0.1)
    assert torch.isclose(loss(outputs, targets), expected)


def test_mixed_classes_have_the_loss_to_mixed_one_hot_targets():
    mixing = Mixing(0.7, 0.0, 5, mixes_targets=False)
    x, y = torch.arange(8.0).reshape(8, 1), torch.arange(8)
    context = TrainingContext(None, None, None, None, n_steps=1)
    mixed, targets = mixing.on_batch_begin(context, {"x": x}, y)
    assert torch.equal(targets, y)
    others, weight = mixing._other
    assert torch.allclose(mixed["x"][:, 0], weight * y + (1 - weight) * others)
    outputs = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
    soft = weight * F.one_hot(y, 8) + (1 - weight) * F.one_hot(others, 8)
    expected = -(soft * outputs.log_softmax(1)).sum(1).mean()
    assert torch.isclose(mixing.loss(F.cross_entropy)(outputs, y), expected)


def test_mixup_of_a_regression_mixes_the_targets():
    mixing = Mixing(0.7, 0.0, 5, mixes_targets=True)
    x = torch.arange(8.0).reshape(8, 1)
    context = TrainingContext(None, None, None, None, n_steps=1)
    mixed, targets = mixing.on_batch_begin(context, {"x": x}, 3 * x[:, 0])
    assert torch.allclose(targets, 3 * mixed["x"][:, 0])
    assert not torch.equal(targets, 3 * x[:, 0])


def test_cutmix_weighs_the_loss_by_the_pixels_that_stay():
    images = torch.stack([torch.full((1, 8, 8), float(n)) for n in range(6)])
    for seed in range(20):
        mixing = Mixing(0.0, 1.0, seed, mixes_targets=False)
        context = TrainingContext(None, None, None, None, n_steps=1, step=seed)
        mixed, _ = mixing.on_batch_begin(context, {"image": images}, torch.arange(6))
        others, weight = mixing._other
        for n in range(6):
            kept = (mixed["image"][n] == n).float().mean()
            assert torch.isclose(kept, torch.tensor(1.0 if others[n] == n else weight))


# Averaging


def test_swa_is_the_mean_of_the_weights_with_batch_norm_of_the_train_rows(task, network):
    seen = []

    class Keep(Callback):
        def on_batch_end(self, context, loss):
            seen.append({n: p.detach().clone() for n, p in context.model.named_parameters()})

    values = {"averaging": "swa", "swa_start": 0.5, "swa_lr": 0.4, "restore_best": False}
    fitted = fit(network, task, settings(**values), callbacks=[Keep()])
    last = seen[round(0.5 * len(seen)) :]
    for name, p in fitted.model.named_parameters():
        assert torch.allclose(p, torch.stack([w[name] for w in last]).mean(0), atol=1e-6)
    images = task.data.train.prepared(task.prepare).inputs["image"]
    with torch.no_grad():
        maps = fitted.model[0](torch.from_numpy(np.asarray(images)))
    means = torch.stack([part.mean((0, 2, 3)) for part in maps.split(256)]).mean(0)
    assert torch.allclose(fitted.model[1].running_mean, means, atol=1e-4)


def test_ema_follows_the_weights_with_a_lower_decay_first(task, network):
    average: dict[str, torch.Tensor] = {}
    n = [0]

    class Follow(Callback):
        def on_batch_end(self, context, loss):
            decay = min(0.8, (1 + n[0]) / (10 + n[0])) if n[0] else 0.0
            for name, p in context.model.named_parameters():
                old = average.get(name, p.detach())
                average[name] = decay * old + (1 - decay) * p.detach()
            n[0] += 1

    values = {"averaging": "ema", "ema_decay": 0.8, "restore_best": False}
    fitted = fit(network, task, settings(**values), callbacks=[Follow()])
    for name, p in fitted.model.named_parameters():
        assert torch.allclose(p, average[name], atol=1e-5)


# Stopping


def test_smaller_rise_than_min_delta_does_not_count_as_better(task, network):
    fitted = fit(network, task, settings(min_delta=5.0, patience=1))
    assert fitted.best_epoch == 1
    assert len(fitted.history) == 2


def test_last_weights_are_kept_without_restore_best(task, network):
    last = {}

    class Keep(Callback):
        def on_train_end(self, context):
            last.update(copy.deepcopy(context.model.state_dict()))

    values = {"restore_best": False, "min_delta": 5.0, "patience": 2}
    fitted = fit(network, task, settings(**values), callbacks=[Keep()])
    assert all(torch.equal(t, last[n]) for n, t in fitted.model.state_dict().items())
    assert fitted.best_epoch == len(fitted.history) == 3


# Augmentation


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_augmented_images_are_moved_ones(name):
    images = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(40, 2, 1, 1)
    generator = torch.Generator().manual_seed(0)
    moved = BUILT_IN[name]({"image": images}, generator)["image"]
    assert moved.shape == images.shape
    assert torch.equal(moved[:, 0], moved[:, 1]), "channels move together"
    middles = {float(m[0, 4, 5]) - float(m[0, 4, 4]) for m in moved}
    assert middles == ({1.0, -1.0} if name == "flips_and_crops" else {1.0})
    assert len({float(m[0, 4, 4]) for m in moved}) > 5


# Refusals


@pytest.mark.parametrize(
    ("switch", "inputs", "changes", "message"),
    [
        ({"cutmix": 1.0}, {"x": torch.zeros(2, 5)}, {}, "`cutmix` needs images"),
        ({"mixup": 1.0}, {"tokens": torch.zeros(2, 5).long()}, {}, "`tokens` holds whole numbers"),
        ({"augment": "crops"}, {"x": torch.zeros(2, 5)}, {}, "`augment` crops moves images"),
        (
            {"label_smoothing": 0.1},
            IMAGES,
            {"kind": "regression"},
            "task is of the kind regression",
        ),
        ({"label_smoothing": 0.1}, IMAGES, {"loss": F.cross_entropy}, "has a loss of its own"),
        ({"mixup": 0.1}, IMAGES, {"train_step": print}, "its own `train_step`"),
    ],
)
def test_switch_that_a_task_cannot_have_is_refused_with_the_reason(
    task, switch, inputs, changes, message
):
    (problem,) = refusals(settings(**switch), replace(task, **changes), inputs)
    assert message in problem


def test_all_refusals_come_at_once(task, network):
    regression = replace(task, kind="regression", train_step=None)
    with pytest.raises(SettingsError, match="(?s)label_smoothing.*mixes rows"):
        fit(
            network,
            regression,
            settings(label_smoothing=0.1, mixup=0.2),
            beside={"teacher": np.zeros((300, 10), np.float32)},
        )


def test_value_of_an_averaging_that_is_off_is_refused():
    with pytest.raises(SettingsError, match="`swa_start` has an effect only if averaging is swa"):
        RegularizedFit(averaging="ema", swa_start=0.5)
