"""Networks kept as weights and description: plain and pruned, with and without their class, and nothing run but torch.nn."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch_pruning as tp
from torch import nn
from torch.nn import functional as F

from workbench.errors import CandidateError
from workbench.load_network import StructureError, build
from workbench.models.cnn import cnn
from workbench.models.resnet import resnet20
from workbench.models.table import table_net
from workbench.structure import describe, load_network, save_network
from workbench.task import call_model, first_tensor

Make = Callable[[], nn.Module]
Inputs = dict[str, torch.Tensor]


class Inverted(nn.Module):
    """Depthwise, squeeze-excite, residual add; shaped like torchvision's InvertedResidual."""

    def __init__(self, n: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, n, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(n, 4 * n, 1, bias=False), nn.BatchNorm2d(4 * n), nn.ReLU6(inplace=True),
                                   nn.Conv2d(4 * n, 4 * n, 3, padding=1, groups=4 * n), nn.Hardswish())  # fmt: skip
        self.squeeze, self.excite = nn.Conv2d(4 * n, n, 1), nn.Conv2d(n, 4 * n, 1)
        self.project, self.head = nn.Conv2d(4 * n, n, 1), nn.Linear(n, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.block(x)
        y = y * torch.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)), inplace=True)))
        y = x + self.project(y)
        y = F.max_pool2d(F.interpolate(y, scale_factor=2, mode="nearest"), 2)
        return self.head(y.mean([2, 3]))


class Dense(nn.Module):
    """DenseNet-style: each layer sees all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.layers = nn.ModuleList([nn.Conv2d(4 + 4 * i, 4, 3, padding=1) for i in range(3)])
        self.norm, self.head = nn.BatchNorm2d(16), nn.Linear(16 * 64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [self.stem(x)]
        for layer in self.layers:
            seen.append(torch.relu(layer(torch.cat(seen, 1))))
        x = self.norm(torch.cat(seen, dim=1))
        return self.head(x.view(x.size(0), -1))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module], **options: Any) -> None:
        super().__init__()
        self.rnn = kind(4, 6, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1, **options)
        self.head = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        zero = torch.zeros(4, len(x), 6, dtype=x.dtype, device=x.device)
        out, _ = self.rnn(x, (zero, zero) if isinstance(self.rnn, nn.LSTM) else zero)
        last = out[:, -1]
        return self.head(F.dropout(last, 0.5, training=self.training)), last


class Encoder(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(50, 16, padding_idx=0), nn.Embedding(20, 16)
        layer = nn.TransformerEncoderLayer(16, 4, width, dropout=0.1, activation="gelu", batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(16, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) + self.place(torch.arange(tokens.shape[1], device=tokens.device))
        return self.head(self.encoder(x, src_key_padding_mask=tokens == 0)[:, 0])


class Attention(nn.Module):
    """A small vision transformer written out: cls token, position, qkv split, scaled dot product, layer scale."""

    def __init__(self, width: int = 16, n_heads: int = 2) -> None:
        super().__init__()
        self.n_heads, self.drop = n_heads, 0.2
        self.patch = nn.Conv2d(1, width, 4, 4)
        self.cls, self.scale = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.full((width,), 0.5))
        self.register_buffer("place", torch.randn(1, 5, width), persistent=False)
        self.norm, self.qkv, self.head = nn.LayerNorm(width), nn.Linear(width, 3 * width, bias=False), nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        b, n, c = x.shape
        assert x.dim() == 3 and n == 4
        x = torch.cat([self.cls.expand(b, -1, -1), x], 1) + self.place[:, : n + 1]
        qkv = self.qkv(self.norm(x)).reshape(*x.shape[:2], 3, self.n_heads, c // self.n_heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.drop if self.training else 0.0)
        return self.head((x + self.scale * y.transpose(1, 2).flatten(2))[:, 0])


class Tied(nn.Module):
    """Output weights are the embedding's; one convolution is used at two places; a layer is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(11, 8), nn.Linear(8, 11)
        self.out.weight = self.embed.weight
        self.mix = nn.Linear(8, 8)
        self.again, self.unused = self.mix, nn.Linear(2, 2)
        self.embed.weight.requires_grad_(True)
        self.mix.bias.requires_grad_(False)

    def forward(self, tokens: torch.Tensor) -> SimpleNamespace:
        hidden = self.again(torch.tanh(self.mix(self.embed(tokens)))).mean(1)
        return SimpleNamespace(logits=self.out(hidden), hidden=hidden, loss=None)


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 5), nn.LazyLinear(5)
        self.shift = torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0])

    def forward(self, image: torch.Tensor, table: torch.Tensor, bias: float = 0.25) -> dict[str, torch.Tensor]:
        found = self.left(image) * self.shift + bias
        return {"logits": found - 2 * self.right(table), "found": found.masked_fill(found > 0, float("-inf"))}


class Cosine(nn.Conv2d):
    """A layer of the user's own, made from one of torch.nn."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, F.normalize(self.weight, dim=1), self.bias, self.stride, self.padding, groups=self.groups)


class Custom(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv, self.deep = Cosine(1, width, 3, padding="same"), Cosine(width, width, 3, groups=width)
        self.head = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.deep(self.conv(x)).amax((2, 3)))


class Decides(nn.Module):
    """Goes one way or the other by the values of a row: no recorded graph can do that."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first, self.body = nn.Linear(4, width), nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.BatchNorm1d(width))
        self.gain, self.head = nn.Parameter(torch.ones(width)), nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.body(self.first(x)) * self.gain
        return self.head(x if x.mean() > 0 else -x)


IMAGE = {"image": torch.rand(2, 1, 8, 8)}
TOKENS = {"tokens": torch.tensor([[1, 2, 3, 4, 0], [7, 5, 0, 0, 0]])}
STEPS = {"steps": torch.rand(2, 7, 4)}
BOTH = {"image": torch.rand(2, 4), "table": torch.rand(2, 6)}
ROW = {"x": torch.rand(3, 4)}


def two_inputs() -> nn.Module:
    net = TwoInputs()
    net(**BOTH)  # settles the lazy layer
    return net


def pruned(make: Make, inputs: Inputs = IMAGE, head: str = "head", ratio: float = 0.5) -> Make:
    """A builder of the same network with half of its channels cut by Torch-Pruning."""

    def made() -> nn.Module:
        net = make().eval()
        kept = net.get_submodule(head) if hasattr(net, head) else list(net.modules())[-1]
        pruner = tp.pruner.MagnitudePruner(net, tuple(inputs.values()), tp.importance.MagnitudeImportance(),
                                           pruning_ratio=ratio, ignored_layers=[kept])  # fmt: skip
        pruner.step()
        return net

    return made


NETWORKS: dict[str, tuple[Make, Inputs]] = {
    "resnet20": (resnet20, IMAGE),
    "resnet20 pruned": (pruned(resnet20), IMAGE),
    "cnn": (cnn, IMAGE),
    "cnn pruned": (pruned(cnn), IMAGE),
    "table_net": (lambda: table_net(4, 2), ROW),
    "table_net pruned": (pruned(lambda: table_net(4, 2), ROW), ROW),
    "inverted residual": (Inverted, IMAGE),
    "inverted residual pruned": (pruned(Inverted), IMAGE),
    "dense": (Dense, IMAGE),
    "dense pruned": (pruned(Dense), IMAGE),
    "lstm": (lambda: Recurrent(nn.LSTM, proj_size=0), STEPS),
    "gru": (lambda: Recurrent(nn.GRU), STEPS),
    "rnn": (lambda: Recurrent(nn.RNN, nonlinearity="relu"), STEPS),
    "transformer encoder": (Encoder, TOKENS),
    "attention": (Attention, IMAGE),
    "tied": (Tied, TOKENS),
    "two inputs": (two_inputs, BOTH),
    "own layer": (Custom, IMAGE),
    "linear alone": (lambda: nn.Linear(4, 2), ROW),
}


@pytest.fixture(scope="module", params=list(NETWORKS))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A network in eval mode, its inputs, an untrained one with the widths of its class, and where it is kept."""
    make, inputs = NETWORKS[request.param]
    net, folder = settled(make()), tmp_path_factory.mktemp("net")
    before = copy.deepcopy(net.state_dict())
    structure = save_network(net, folder, inputs)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    template = NETWORKS[request.param.removesuffix(" pruned")][0]()
    return SimpleNamespace(net=net, inputs=inputs, folder=folder, structure=structure, template=template)


def settled(net: nn.Module) -> nn.Module:
    """Batch norm's statistics are no longer those of a new layer."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net.eval()


def outputs_of(net: nn.Module, inputs: Inputs) -> torch.Tensor:
    with torch.no_grad():
        return first_tensor(call_model(net, {name: value.clone() for name, value in inputs.items()}))


def test_network_computes_the_same_when_loaded_without_its_class(case: SimpleNamespace) -> None:
    assert case.structure["reason"] is None
    assert case.structure["trains"], case.structure["notes"]
    loaded = load_network(case.folder)
    assert isinstance(loaded, torch.fx.GraphModule)
    assert not loaded.training
    for rows in (case.inputs, {name: torch.cat([value, value.flip(0), value]) for name, value in case.inputs.items()}):
        torch.testing.assert_close(outputs_of(loaded, rows), outputs_of(case.net, rows))


def test_loaded_network_trains_as_the_original_does(case: SimpleNamespace) -> None:
    loaded, found = load_network(case.folder), []
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
    loaded = load_network(case.folder, case.template)
    assert type(loaded) is type(case.net)
    assert list(loaded.state_dict()) == list(case.net.state_dict())
    torch.testing.assert_close(outputs_of(loaded, case.inputs), outputs_of(case.net, case.inputs))
    assert all(torch.equal(before[name], value) for name, value in case.template.state_dict().items())


def test_loaded_network_survives_copy_pickle_pruning_and_another_save(tmp_path: Path) -> None:
    for name in ("inverted residual", "lstm", "tied"):
        make, inputs = NETWORKS[name]
        net = settled(make())
        save_network(net, tmp_path / name, inputs)
        loaded = load_network(tmp_path / name)
        for again in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
            torch.testing.assert_close(outputs_of(again, inputs), outputs_of(net, inputs))
            assert (again.train()(**inputs) is not None) and again.training
        assert save_network(loaded, tmp_path / "again", inputs)["reason"] is None
        torch.testing.assert_close(outputs_of(load_network(tmp_path / "again"), inputs), outputs_of(net, inputs))
    small = pruned(lambda: load_network(tmp_path / "inverted residual"))()
    assert save_network(small, tmp_path / "small", IMAGE)["reason"] is None
    again = load_network(tmp_path / "small")
    assert sum(p.numel() for p in again.parameters()) < 0.5 * sum(p.numel() for p in Inverted().parameters())
    torch.testing.assert_close(outputs_of(again, IMAGE), outputs_of(small, IMAGE))


def test_dropout_and_batch_norm_follow_train_and_eval(tmp_path: Path) -> None:
    save_network(Recurrent(nn.GRU), tmp_path / "a", STEPS)
    net = load_network(tmp_path / "a")
    assert torch.equal(outputs_of(net, STEPS), outputs_of(net, STEPS))
    net.train()
    assert not torch.equal(outputs_of(net, STEPS), outputs_of(net, STEPS))
    save_network(resnet20(), tmp_path / "b", IMAGE)
    net = load_network(tmp_path / "b").train()
    norm = net.get_submodule("stem.1")
    before = norm.running_mean.clone()
    net(IMAGE["image"])
    assert isinstance(norm, nn.BatchNorm2d)
    assert not torch.equal(norm.running_mean, before)


def test_ties_frozen_weights_and_random_state_are_kept(tmp_path: Path) -> None:
    structure = save_network(Tied(), tmp_path, TOKENS)
    assert structure["ties"] == {"out.weight": "embed.weight"}
    state = torch.get_rng_state()
    net, typed = load_network(tmp_path), load_network(tmp_path, Tied())
    describe(net, TOKENS)
    assert torch.equal(state, torch.get_rng_state()) or typed is not None
    for each in (net, typed):
        assert each.get_submodule("out").weight is each.get_submodule("embed").weight
        assert not each.get_submodule("mix").bias.requires_grad
    assert typed.again is typed.mix
    assert net(TOKENS["tokens"]).hidden.shape == (2, 8)


class Unpacked(nn.Module):
    """Cannot be followed for another reason than deciding: an operator that is not on the list."""

    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Sequential(nn.Linear(4, 4), _Unique())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.deep(x)


class _Unique(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.qr(x)[0]


class BakesBatch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * int(x.shape[0])


class Unlike(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x.max().item()


@pytest.mark.parametrize(
    ("make", "words"),
    [(Decides, "values of the data"), (Unpacked, "`deep.1`"), (BakesBatch, "1 rows.*fixed as 2"), (Unlike, "item"),
     (lambda: nn.utils.parametrizations.weight_norm(nn.Sequential(nn.Linear(4, 4))[0]), "."),
     (lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))), "`0`.*not a layer of torch.nn")],
)  # fmt: skip
def test_reason_names_what_cannot_be_followed(make: Make, words: str) -> None:
    import re

    structure = describe(make(), ROW)
    assert structure["graph"] is None
    assert re.search(words, structure["reason"]), structure["reason"]


def test_network_that_decides_loads_into_a_template_only(tmp_path: Path) -> None:
    net = settled(Decides(width=5))
    save_network(net, tmp_path, ROW)
    with pytest.raises(CandidateError, match=r"values of the data.*template="):
        load_network(tmp_path)
    loaded = load_network(tmp_path, Decides(width=8))
    assert loaded.gain.shape == (5,)
    torch.testing.assert_close(outputs_of(loaded, ROW), outputs_of(net, ROW))


def test_template_keeps_changed_heads_and_removed_layers(tmp_path: Path) -> None:
    net = Attention(width=8, n_heads=4)
    net.patch = nn.Conv2d(1, 8, 4, 4)
    net.norm = nn.Identity()
    save_network(net.eval(), tmp_path, IMAGE)
    loaded = load_network(tmp_path, Attention(width=16, n_heads=2))
    assert loaded.n_heads == 4
    torch.testing.assert_close(outputs_of(loaded, IMAGE), outputs_of(net, IMAGE))


def test_wrong_template_is_refused_with_the_layer_named(tmp_path: Path) -> None:
    save_network(Decides(), tmp_path, ROW)
    other = Decides()
    other.body[0], other.extra = nn.Conv1d(8, 8, 1), nn.Linear(2, 2)
    with pytest.raises(CandidateError, match=r"`body.0` is a Linear in the kept network and a Conv1d"):
        load_network(tmp_path, other)
    with pytest.raises(CandidateError, match=r"`first` \(Linear\) is not in the template"):
        load_network(tmp_path, cnn())
    other = Decides()
    other.extra = nn.Linear(2, 2)
    with pytest.raises(CandidateError, match=r"no weights for `extra.weight`"):
        load_network(tmp_path, other)
    with pytest.raises(CandidateError, match=r"structure.json and model.safetensors not found"):
        load_network(tmp_path / "nowhere")


def test_network_loads_where_the_package_is_not_installed(tmp_path: Path) -> None:
    net = settled(pruned(resnet20)())
    inputs = {"image": torch.rand(3, 1, 28, 28)}
    save_network(net, tmp_path, inputs)
    (tmp_path / "case.json").write_text(json.dumps([inputs["image"].tolist(), outputs_of(net, inputs).tolist()]))
    code = """
import sys, json, importlib.abc
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("workbench", "torch_pruning"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
try:
    import workbench
except ModuleNotFoundError:
    sys.path.insert(0, ".")
    import torch
    from load_network import load, main
    net = load(".")
    image, expected = map(torch.tensor, json.load(open("case.json")))
    torch.testing.assert_close(net(image), expected)
    net.train()(image).sum().backward()
    main()
    print("equal")
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout.endswith("equal\n"), done.stderr
    assert "ResNet: " in done.stdout
    assert "(batch, 1, 28, 28) float32" in done.stdout


def attack(**changes: Any) -> dict[str, Any]:
    """A structure of one linear layer, with one call more."""
    structure = describe(nn.Sequential(nn.Linear(4, 2)), ROW)
    call = {"op": "call_function", "name": "bad", "target": "", "args": ["id"], "kwargs": {}} | changes
    structure["graph"].insert(-1, call)
    return structure


X = {"$node": "x"}


@pytest.mark.parametrize(
    "changes",
    [
        *({"target": name} for name in (
            "os.system", "builtins.eval", "eval", "torch.load", "torch.hub.load", "torch.save", "torch.ops.load_library", "open",
            "torch.from_file", "torch.utils.data.DataLoader", "operator.attrgetter", "operator.methodcaller", "torch.nn.Linear",
            "torch.nn.functional.torch.load", "subprocess.run", "torch.Tensor.__reduce_ex__", "math.__loader__", "")),
        *({"target": "getattr", "args": [X, name]} for name in ("__class__", "__init__", "grad_fn", "__globals__", "data_ptr")),
        {"target": "getattr", "args": [X, X]},
        {"target": "getattr", "args": [X, "shape", 1]},
        *({"op": "call_method", "target": name, "args": [X]} for name in (
            "apply_", "map_", "register_hook", "__reduce__", "__class__", "numpy", "tolist", "share_memory_", "set_", "storage")),
        {"op": "call_method", "target": "split", "args": ["a b"]},
        {"op": "call_module", "target": "0.__class__", "args": [X]},
        {"op": "get_attr", "target": "0.weight.__class__", "args": []},
        {"op": "get_attr", "target": "forward", "args": []},
        {"op": "placeholder", "target": "x=__import__('os').system('id')", "args": []},
        {"op": "call_function", "target": "torch.relu", "args": [], "kwargs": {"x=print('id'), y": 1}},
        {"op": "call_function", "target": "torch.relu", "name": "a;import os", "args": [X]},
        {"op": "call_function", "target": "torch.relu", "args": [{"$node": "missing"}]},
        {"op": "call_function", "target": "torch.relu", "args": [{"$module": {"class": "Linear", "args": {}}}]},
        {"op": "call_function", "target": "torch.relu", "args": [{"$torch": "load"}]},
        {"op": "exec", "target": "torch.relu", "args": [X]},
    ],
    ids=lambda changes: f"{changes.get('op', '')} {changes['target']} {changes.get('args', '')}"[:60],
)  # fmt: skip
def test_structure_that_calls_anything_else_is_refused(changes: dict[str, Any]) -> None:
    weights = {"0.weight": torch.zeros(2, 4), "0.bias": torch.zeros(2)}
    with pytest.raises(StructureError):
        build(attack(**changes), weights)
    assert build(attack(target="torch.relu", args=[X]), weights)(torch.zeros(1, 4)).shape == (1, 2)


@pytest.mark.parametrize(
    ("path", "entry"),
    [("0", "os.system"), ("0", "torch.nn.Module.__class__"), ("0", "torch.nn.DataParallel"), ("0", "torch.jit.ScriptModule"),
     ("0", "evil.Linear"), ("0", "functional"), ("0", ""), ("__class__", "Linear"), ("a b", "Linear"), ('a"]', "Linear"),
     ("a.", "Linear")],
)  # fmt: skip
def test_structure_with_another_class_or_an_odd_name_is_refused(path: str, entry: str) -> None:
    structure = describe(nn.Sequential(nn.Linear(4, 2)), ROW)
    structure["modules"][path] = {"class": entry, "args": {"in_features": 4, "out_features": 2}}
    with pytest.raises(StructureError):
        build(structure, {"0.weight": torch.zeros(2, 4), "0.bias": torch.zeros(2)})


def test_weights_and_version_must_fit_exactly() -> None:
    structure = describe(nn.Sequential(nn.Linear(4, 2)), ROW)
    good = {"0.weight": torch.zeros(2, 4), "0.bias": torch.zeros(2)}
    for wrong, words in (({"0.bias": torch.zeros(3)}, r"shape \(3,\)"), ({"more": torch.zeros(1)}, "nothing holds `more`")):
        with pytest.raises(StructureError, match=words):
            build(structure, good | wrong)
    with pytest.raises(StructureError, match="no weights for `0.bias`"):
        build(structure, {"0.weight": good["0.weight"]})
    with pytest.raises(StructureError, match="version 2"):
        build(structure | {"version": 2}, good)
    huge = structure | {"modules": {"0": {"class": "Linear", "args": {"in_features": 10**9, "out_features": 10**6}}}}
    with pytest.raises(StructureError, match="shape"):
        build(huge, good)
