"""Networks kept as weights and description: plain and pruned, with and without their class, and
nothing run but torch.nn.
"""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tests.networks import (
    IMAGE,
    NETWORKS,
    ROW,
    STEPS,
    TOKENS,
    Attention,
    BakesBatch,
    Decides,
    Encoder,
    Inputs,
    Inverted,
    Make,
    Recurrent,
    Tied,
    Unlike,
    Unpacked,
    pruned,
)
from workbench.errors import CandidateError
from workbench.keeping.structure import describe, read_network, save_network
from workbench.models.cnn import cnn
from workbench.models.networks import call_model, first_tensor
from workbench.models.resnet import resnet20


@pytest.fixture(scope="module", params=list(NETWORKS))
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """A network in eval mode, its inputs, an untrained one with the widths of its class, and where
    it is kept.
    """
    make, inputs = NETWORKS[request.param]
    net, folder = settled(make()), tmp_path_factory.mktemp("net")
    before = copy.deepcopy(net.state_dict())
    structure = save_network(net, folder, inputs)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    template = NETWORKS[request.param.removesuffix(" pruned")][0]()
    return SimpleNamespace(
        net=net, inputs=inputs, folder=folder, structure=structure, template=template
    )


def settled(net: nn.Module) -> nn.Module:
    """Batch norm's statistics are no longer those of a new layer."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net.eval()


def outputs_of(net: nn.Module, inputs: Inputs) -> torch.Tensor:
    with torch.no_grad():
        return first_tensor(
            call_model(net, {name: value.clone() for name, value in inputs.items()})
        )


def test_network_computes_the_same_when_loaded_without_its_class(case: SimpleNamespace) -> None:
    assert case.structure["reason"] is None
    assert case.structure["trains"], case.structure["notes"]
    loaded = read_network(case.folder)
    assert isinstance(loaded, torch.fx.GraphModule)
    assert not loaded.training
    for rows in (
        case.inputs,
        {name: torch.cat([value, value.flip(0), value]) for name, value in case.inputs.items()},
    ):
        torch.testing.assert_close(outputs_of(loaded, rows), outputs_of(case.net, rows))


def test_loaded_network_trains_as_the_original_does(case: SimpleNamespace) -> None:
    loaded, found = read_network(case.folder), []
    for each in (copy.deepcopy(case.net).train(), loaded.train()):
        torch.manual_seed(1)
        optimizer = torch.optim.SGD([p for p in each.parameters() if p.requires_grad], lr=0.1)
        first_tensor(call_model(each, case.inputs)).square().mean().backward()
        optimizer.step()
        found.append(outputs_of(each.eval(), case.inputs))
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-5)
    assert not torch.allclose(found[0], outputs_of(case.net, case.inputs))


def test_pruned_network_fits_a_template_with_the_unpruned_widths(case: SimpleNamespace) -> None:
    before = copy.deepcopy(case.template.state_dict())
    loaded = read_network(case.folder, case.template)
    assert type(loaded) is type(case.net)
    assert list(loaded.state_dict()) == list(case.net.state_dict())
    torch.testing.assert_close(outputs_of(loaded, case.inputs), outputs_of(case.net, case.inputs))
    assert all(
        torch.equal(before[name], value) for name, value in case.template.state_dict().items()
    )


def test_loaded_network_survives_copy_pickle_pruning_and_another_save(tmp_path: Path) -> None:
    for name in ("inverted residual", "lstm", "tied"):
        make, inputs = NETWORKS[name]
        net = settled(make())
        save_network(net, tmp_path / name, inputs)
        loaded = read_network(tmp_path / name)
        for again in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
            torch.testing.assert_close(outputs_of(again, inputs), outputs_of(net, inputs))
            assert first_tensor(again.train()(**inputs)).requires_grad
        assert save_network(loaded, tmp_path / "again", inputs)["reason"] is None
        torch.testing.assert_close(
            outputs_of(read_network(tmp_path / "again"), inputs), outputs_of(net, inputs)
        )
    small = pruned(lambda: read_network(tmp_path / "inverted residual"))()
    assert save_network(small, tmp_path / "small", IMAGE)["reason"] is None
    again = read_network(tmp_path / "small")
    assert sum(p.numel() for p in again.parameters()) < 0.5 * sum(
        p.numel() for p in Inverted().parameters()
    )
    torch.testing.assert_close(outputs_of(again, IMAGE), outputs_of(small, IMAGE))


def test_dropout_and_batch_norm_follow_train_and_eval(tmp_path: Path) -> None:
    save_network(Recurrent(nn.GRU), tmp_path / "a", STEPS)
    net = read_network(tmp_path / "a")
    assert torch.equal(outputs_of(net, STEPS), outputs_of(net, STEPS))
    net.train()
    assert not torch.equal(outputs_of(net, STEPS), outputs_of(net, STEPS))
    save_network(resnet20(), tmp_path / "b", IMAGE)
    net = read_network(tmp_path / "b").train()
    norm = net.get_submodule("stem.1")
    before = norm.running_mean.clone()
    net(IMAGE["image"])
    assert isinstance(norm, nn.BatchNorm2d)
    assert not torch.equal(norm.running_mean, before)


def test_ties_frozen_weights_and_random_state_are_kept(tmp_path: Path) -> None:
    net = Tied()
    state = torch.get_rng_state()
    structure = save_network(net, tmp_path, TOKENS)
    loaded = read_network(tmp_path)
    assert torch.equal(state, torch.get_rng_state())
    assert structure["ties"] == {"out.weight": "embed.weight"}
    typed = read_network(tmp_path, Tied())
    for each in (loaded, typed):
        assert each.get_submodule("out").weight is each.get_submodule("embed").weight
        assert not each.get_submodule("mix").bias.requires_grad
    assert typed.again is typed.mix
    assert loaded(TOKENS["tokens"]).hidden.shape == (2, 8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Decides, "values of the data"),
        (Unpacked, "`deep.1`"),
        (BakesBatch, "1 rows.*fixed as 2"),
        (Unlike, "item"),
        (lambda: nn.utils.parametrizations.weight_norm(nn.Sequential(nn.Linear(4, 4))[0]), "."),
        (
            lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))),
            "`0`.*not a layer of torch.nn",
        ),
    ],
)
def test_reason_names_what_cannot_be_followed(make: Make, words: str) -> None:
    structure = describe(make(), ROW)
    assert structure["graph"] is None
    assert re.search(words, structure["reason"]), structure["reason"]


def test_network_that_decides_loads_into_a_template_only(tmp_path: Path) -> None:
    net = settled(Decides(width=5))
    save_network(net, tmp_path, ROW)
    with pytest.raises(CandidateError, match=r"values of the data.*template="):
        read_network(tmp_path)
    loaded = read_network(tmp_path, Decides(width=8))
    assert loaded.gain.shape == (5,)
    torch.testing.assert_close(outputs_of(loaded, ROW), outputs_of(net, ROW))


def test_template_keeps_changed_heads_and_removed_layers(tmp_path: Path) -> None:
    net = Attention(width=8, n_heads=4)
    net.norm = nn.Identity()
    save_network(net.eval(), tmp_path, IMAGE)
    loaded = read_network(tmp_path, Attention(width=16, n_heads=2))
    assert loaded.n_heads == 4
    torch.testing.assert_close(outputs_of(loaded, IMAGE), outputs_of(net, IMAGE))


def test_encoder_layers_of_different_widths_are_kept(tmp_path: Path) -> None:
    net = Encoder(width=16).eval()
    net.encoder.layers[1].linear1, net.encoder.layers[1].linear2 = (
        nn.Linear(16, 5),
        nn.Linear(5, 16),
    )
    assert save_network(net, tmp_path, TOKENS)["reason"] is None
    for loaded in (read_network(tmp_path), read_network(tmp_path, Encoder(width=32))):
        torch.testing.assert_close(outputs_of(loaded, TOKENS), outputs_of(net, TOKENS))


def test_sizes_fixed_in_the_graph_are_noted() -> None:
    class Steps(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            total = torch.zeros(x.shape[0], device=x.device)
            for step in range(x.shape[1]):
                total = total + x[:, step] * step
            return total if len(x.shape) == 2 else total.sum(-1)

    structure = describe(Steps(), ROW)
    assert structure["reason"] is None
    assert structure["notes"] == [
        "The number `getitem_1` in the network's own forward is fixed as 4."
    ]


def test_train_mode_that_goes_another_way_is_noted() -> None:
    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.randn_like(x) if self.training else x

    structure = describe(Noisy(), ROW)
    assert structure["graph"] is not None
    assert not structure["trains"]
    assert "other calls in train mode" in structure["notes"][0]


def test_network_that_fails_on_its_inputs_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(CandidateError, match="fails on the inputs"):
        save_network(nn.Linear(3, 2), tmp_path, ROW)
    assert not list(tmp_path.iterdir())


def test_wrong_template_is_refused_with_the_layer_named(tmp_path: Path) -> None:
    save_network(Decides(), tmp_path, ROW)
    other = Decides()
    other.body[0], other.extra = nn.Conv1d(8, 8, 1), nn.Linear(2, 2)
    with pytest.raises(
        CandidateError, match=r"`body.0` is a Linear in the kept network and a Conv1d"
    ):
        read_network(tmp_path, other)
    with pytest.raises(CandidateError, match=r"`first` \(Linear\) is not in the template"):
        read_network(tmp_path, cnn())
    other = Decides()
    other.extra = nn.Linear(2, 2)
    with pytest.raises(CandidateError, match=r"no weights for `extra.weight`"):
        read_network(tmp_path, other)
    with pytest.raises(CandidateError, match=r"structure.json and model.safetensors not found"):
        read_network(tmp_path / "nowhere")
