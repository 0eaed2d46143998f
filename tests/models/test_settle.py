"""A user's module as this package works with it: unwrapped, folded, in float32, or refused."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from workbench.errors import TaskError
from workbench.models.networks import copied
from workbench.models.settle import is_settled, settled

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = torch.linspace(-1, 1, 24).reshape(4, 6)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))


def with_first(change) -> nn.Sequential:
    net = network()
    net[0] = change(net[0]) or net[0]
    return net


class Keeping(nn.Module):
    """Keeps what it computed, alone, in a list and in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 16), nn.Linear(16, 2)
        self.several: list[torch.Tensor] = []
        self.named: dict[str, torch.Tensor] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.hidden = self.a(x).relu()
        self.several.append(self.hidden * 2)
        self.named["last"] = self.hidden * 3
        return self.b(self.hidden)


CHANGED = {
    "data parallel": lambda: nn.DataParallel(network()),
    "compiled": lambda: torch.compile(network()),
    "averaged": lambda: torch.optim.swa_utils.AveragedModel(network()),
    "averaged in parallel": lambda: torch.optim.swa_utils.AveragedModel(
        nn.DataParallel(network()).module
    ),
    "weight norm": lambda: with_first(parametrizations.weight_norm),
    "spectral norm": lambda: with_first(parametrizations.spectral_norm).eval(),
    "orthogonal": lambda: with_first(parametrizations.orthogonal),
    "old weight norm": lambda: with_first(weight_norm),
    "old spectral norm": lambda: with_first(spectral_norm).eval(),
    "pruning mask": lambda: with_first(lambda m: prune.l1_unstructured(m, "weight", 0.5)),
    "random mask of two": lambda: with_first(
        lambda m: prune.random_unstructured(prune.l1_unstructured(m, "weight", 0.5), "weight", 0.5)
    ),
    "double": lambda: network().double(),
    "half": lambda: network().half(),
    "bfloat16": lambda: network().bfloat16(),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_a_changed_module_computes_the_same_and_is_plain(kind):
    given = CHANGED[kind]()
    dtype = next(given.parameters()).dtype
    inner = getattr(given, "_orig_mod", getattr(given, "module", given))
    with torch.no_grad():
        expected = copied(inner).float()(ROWS) if dtype != torch.float32 else inner(ROWS)
    plain, notes = settled(given)
    assert not is_settled(given)
    assert is_settled(plain)
    assert type(plain) is nn.Sequential
    assert set(plain.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    with torch.no_grad():
        torch.testing.assert_close(plain(ROWS), expected, rtol=1e-5, atol=1e-6)
    copy.deepcopy(plain)
    if kind in ("double", "half", "bfloat16"):
        assert "model.float()" in notes[0]
    if "norm" in kind or "mask" in kind or kind == "orthogonal":
        assert "folded" in notes[0]


def test_the_users_own_module_is_left_alone():
    given = with_first(parametrizations.weight_norm)
    settled(given)
    assert hasattr(given[0], "parametrizations")


def test_a_plain_module_is_settled():
    assert is_settled(network())


@pytest.mark.parametrize(
    "model",
    [
        torch.jit.script(network()),
        torch.jit.trace(network(), ROWS),
        nn.Sequential(torch.jit.script(network())),
    ],
    ids=["scripted", "traced", "a part scripted"],
)
def test_torchscript_is_refused_with_the_way_out(model):
    with pytest.raises(TaskError, match="TorchScript.*give the torch module.*or an ONNX file"):
        settled(model)


def test_weights_on_the_meta_device_are_refused_by_name():
    with torch.device("meta"):
        net = network()
    with pytest.raises(TaskError, match=r"4 weight arrays on the meta device, first `0\.weight`"):
        settled(net)


def test_a_quantized_module_is_refused():
    net = torch.ao.quantization.quantize_dynamic(network(), {nn.Linear})
    with pytest.raises(TaskError, match="`model` is quantized already"):
        settled(net)


def test_gradient_checkpointing_and_caches_are_turned_off():
    net = network()
    net.gradient_checkpointing = True
    net.config = type("Config", (), {"use_cache": True})()
    plain, notes = settled(net)
    assert plain.gradient_checkpointing is False
    assert plain.config.use_cache is False
    assert "Gradient checkpointing is off" in notes[0]


def test_a_module_that_keeps_computed_tensors_is_copied():
    net = Keeping()
    net(ROWS)
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(net)
    twin = copied(net)
    assert torch.equal(twin.hidden, net.hidden)
    assert twin.hidden.is_leaf
    assert twin.several[0].is_leaf
    assert twin.named["last"].is_leaf
    assert torch.equal(twin(ROWS), net(ROWS))
