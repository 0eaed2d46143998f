"""The reader of kept networks: it needs no package, and builds nothing but layers of torch.nn and
calls of its lists.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_pruning as tp
from torch import nn

from workbench.keeping.load_network import StructureError, build
from workbench.keeping.structure import describe, save_network
from workbench.models.resnet import resnet20

ROW = {"x": torch.rand(2, 4)}
WEIGHTS = {"0.weight": torch.zeros(2, 4), "0.bias": torch.zeros(2)}


def test_network_loads_where_the_package_is_not_installed(tmp_path: Path) -> None:
    net, image = resnet20().eval(), torch.rand(3, 1, 28, 28)
    importance = tp.importance.MagnitudeImportance()
    tp.pruner.MagnitudePruner(
        net, image, importance, pruning_ratio=0.5, ignored_layers=[net.head]
    ).step()
    save_network(net, tmp_path, {"image": image})
    with torch.no_grad():
        (tmp_path / "case.json").write_text(json.dumps([image.tolist(), net(image).tolist()]))
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
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.endswith("equal\n"), done.stderr
    assert "ResNet: " in done.stdout
    assert "(batch, 1, 28, 28) float32" in done.stdout


def attack(**changes: Any) -> dict[str, Any]:
    """A structure of one linear layer, with one call more."""
    structure = describe(nn.Sequential(nn.Linear(4, 2)), ROW)
    call = {
        "op": "call_function",
        "name": "bad",
        "target": "",
        "args": ["id"],
        "kwargs": {},
    } | changes
    structure["graph"].insert(-1, call)
    return structure


X = {"$node": "x"}


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"target": name}
            for name in (
                "os.system",
                "builtins.eval",
                "eval",
                "torch.load",
                "torch.hub.load",
                "torch.save",
                "torch.ops.load_library",
                "open",
                "torch.from_file",
                "torch.utils.data.DataLoader",
                "operator.attrgetter",
                "operator.methodcaller",
                "torch.nn.Linear",
                "torch.nn.functional.torch.load",
                "subprocess.run",
                "torch.Tensor.__reduce_ex__",
                "math.__loader__",
                "",
            )
        ),
        *(
            {"target": "getattr", "args": [X, name]}
            for name in ("__class__", "__init__", "grad_fn", "__globals__", "data_ptr")
        ),
        {"target": "getattr", "args": [X, X]},
        {"target": "getattr", "args": [X, "shape", 1]},
        *(
            {"op": "call_method", "target": name, "args": [X]}
            for name in (
                "apply_",
                "map_",
                "register_hook",
                "__reduce__",
                "__class__",
                "numpy",
                "tolist",
                "share_memory_",
                "set_",
                "storage",
            )
        ),
        {"op": "call_method", "target": "split", "args": ["a b"]},
        {"op": "call_module", "target": "0.__class__", "args": [X]},
        {"op": "get_attr", "target": "0.weight.__class__", "args": []},
        {"op": "get_attr", "target": "forward", "args": []},
        {"op": "placeholder", "target": "x=__import__('os').system('id')", "args": []},
        {
            "op": "call_function",
            "target": "torch.relu",
            "args": [],
            "kwargs": {"x=print('id'), y": 1},
        },
        {"op": "call_function", "target": "torch.relu", "name": "a;import os", "args": [X]},
        {"op": "call_function", "target": "torch.relu", "args": [{"$node": "missing"}]},
        {
            "op": "call_function",
            "target": "torch.relu",
            "args": [{"$module": {"class": "Linear", "args": {}}}],
        },
        {"op": "call_function", "target": "torch.relu", "args": [{"$torch": "load"}]},
        {"op": "exec", "target": "torch.relu", "args": [X]},
    ],
    ids=lambda changes: f"{changes.get('op', '')} {changes['target']} {changes.get('args', '')}"[
        :60
    ],
)
def test_structure_that_calls_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(StructureError):
        build(attack(**changes), WEIGHTS)


def test_structure_with_an_allowed_call_is_built() -> None:
    assert build(attack(target="torch.relu", args=[X]), WEIGHTS)(torch.zeros(1, 4)).shape == (1, 2)


def test_text_in_arguments_stays_text_in_the_generated_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "'); print('run') #\n\"\"\"\nprint('run')"
    net = build(attack(target="torch.einsum", args=[text, X]), WEIGHTS)
    with pytest.raises((ValueError, RuntimeError)):
        net(torch.zeros(1, 4))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("0", "os.system"),
        ("0", "torch.nn.Module.__class__"),
        ("0", "torch.nn.DataParallel"),
        ("0", "torch.jit.ScriptModule"),
        ("0", "evil.Linear"),
        ("0", "functional"),
        ("0", ""),
        ("__class__", "Linear"),
        ("a b", "Linear"),
        ('a"]', "Linear"),
        ("a.", "Linear"),
    ],
)
def test_structure_with_another_class_or_an_odd_name_is_refused(path: str, entry: str) -> None:
    structure = describe(nn.Sequential(nn.Linear(4, 2)), ROW)
    structure["modules"][path] = {"class": entry, "args": {"in_features": 4, "out_features": 2}}
    with pytest.raises(StructureError):
        build(structure, WEIGHTS)


def test_weights_and_version_must_fit_exactly() -> None:
    structure = describe(nn.Sequential(nn.Linear(4, 2)), ROW)
    for wrong, words in (
        ({"0.bias": torch.zeros(3)}, r"shape \(3,\)"),
        ({"more": torch.zeros(1)}, "nothing holds `more`"),
    ):
        with pytest.raises(StructureError, match=words):
            build(structure, WEIGHTS | wrong)
    with pytest.raises(StructureError, match=r"no weights for `0\.bias`"):
        build(structure, {"0.weight": WEIGHTS["0.weight"]})
    with pytest.raises(StructureError, match="version 2"):
        build(structure | {"version": 2}, WEIGHTS)
    huge = structure | {
        "modules": {"0": {"class": "Linear", "args": {"in_features": 10**9, "out_features": 10**6}}}
    }
    with pytest.raises(StructureError, match="shape"):
        build(huge, WEIGHTS)
