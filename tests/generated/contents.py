"""Contents of files: valid ones of many formats, and damage to them."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from tests.generated.values import PLAIN

__all__ = ["BASES", "EDITS", "JSON_EDITS", "Content", "bytes_of", "damaged_json"]

LINES = "a,b,label\n" + "".join(f"{i},{i % 7}.5,{i % 2}\n" for i in range(80))
RECIPE = "version: 1\ntask: digits\nbudget: smoke\nsteps:\n- quantization\n"


@dataclass(frozen=True)
class Content:
    """The content of a base, with edits: a cut, flipped bits, bytes put in or repeated."""

    base: str
    edits: tuple[tuple[Any, ...], ...] = ()


def _frame() -> pd.DataFrame:
    return pd.read_csv(io.StringIO(LINES))


def _parquet() -> bytes:
    return _frame().to_parquet()


def _feather() -> bytes:
    file = io.BytesIO()
    _frame().to_feather(file)
    return file.getvalue()


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, x=np.zeros((4, 3)), y=np.arange(4))
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows.csv", LINES)
    return file.getvalue()


def _gzip() -> bytes:
    import gzip

    return gzip.compress(LINES.encode(), mtime=0)


def _safetensors() -> bytes:
    from safetensors.numpy import save

    return save({"w": np.zeros((3, 2), np.float32)})


def _skops() -> bytes:
    from sklearn.linear_model import LinearRegression
    from skops import io as skops_io

    return skops_io.dumps(LinearRegression().fit(np.eye(3), np.arange(3)))


def _checkpoint() -> bytes:
    import torch

    file = io.BytesIO()
    torch.save({"w": torch.zeros(2)}, file)
    return file.getvalue()


def onnx_graph(n_in: int = 6, n_out: int = 2, *, opset: int = 17, batch: str | int = "N") -> bytes:
    """A graph of a product, a sum and a ReLU."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.normal(size=(n_in, n_out)).astype(np.float32), "w")
    bias = numpy_helper.from_array(np.zeros(n_out, np.float32), "b")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Add", ["h", "b"], ["s"]),
        helper.make_node("Relu", ["s"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, n_in])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, n_out])],
        [weight, bias],
    )
    ids = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=ids, ir_version=8).SerializeToString()


_MAKERS = {
    "empty": lambda: b"",
    "nulls": lambda: bytes(64),
    "noise": lambda: np.random.default_rng(0).bytes(500),
    "text": lambda: b"not a model\n",
    "html": lambda: b"<!DOCTYPE html><html><body>404</body></html>",
    "utf-16": lambda: LINES.encode("utf-16"),
    "latin-1": lambda: "a,b,label\né,1,0\n".encode("latin-1"),
    "csv": lambda: LINES.encode(),
    "header": lambda: b"a,b,label\n",
    "semicolons": lambda: LINES.replace(",", ";").encode(),
    "crlf": lambda: LINES.replace("\n", "\r\n").encode(),
    "quotes": lambda: LINES.replace("1,", '"1,').encode(),
    "long line": lambda: (LINES + "1,2,3,4,5\n").encode(),
    "json": lambda: json.dumps({"a": [1, 2], "b": {"c": None}}).encode(),
    "yaml": lambda: RECIPE.encode(),
    "parquet": _parquet,
    "feather": _feather,
    "npz": _npz,
    "npy": lambda: _npz()[:200],
    "zip": _zip,
    "gzip": _gzip,
    "safetensors": _safetensors,
    "skops": _skops,
    "checkpoint": _checkpoint,
    "pickle": lambda: pickle.dumps({"a": 1}),
    "onnx": onnx_graph,
    "onnx, opset 11": lambda: onnx_graph(opset=11),
    "onnx, fixed batch": lambda: onnx_graph(batch=4),
    "onnx, other width": lambda: onnx_graph(9, 5),
    "lfs pointer": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
}
BASES = tuple(_MAKERS)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), st.floats(0, 1)),
        st.tuples(st.just("flip"), st.floats(0, 1), st.integers(0, 7)),
        st.tuples(st.just("flip"), st.floats(0, 1), st.integers(0, 7)),
        st.tuples(st.just("put"), st.floats(0, 1), st.binary(min_size=1, max_size=4)),
        st.tuples(st.just("repeat"), st.floats(0, 1)),
    ),
    max_size=4,
).map(tuple)
JSON_EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), st.integers(0, 400)),
        st.tuples(st.just("set"), st.integers(0, 400), PLAIN),
    ),
    min_size=1,
    max_size=2,
).map(tuple)


@cache
def _base(name: str) -> bytes:
    return _MAKERS[name]()


def bytes_of(content: Content) -> bytes:
    """The bytes of a content."""
    return edited(_base(content.base), content.edits)


def edited(content: bytes, edits: tuple[tuple[Any, ...], ...]) -> bytes:
    """Bytes after the edits, in order."""
    for kind, place, *rest in edits:
        at = min(int(place * len(content)), max(len(content) - 1, 0))
        if kind == "cut":
            content = content[:at]
        elif kind == "put":
            content = content[:at] + rest[0] + content[at:]
        elif kind == "repeat":
            content = content[:at] + content[at : at + 40] + content[at:]
        elif content:
            content = content[:at] + bytes([content[at] ^ (1 << rest[0])]) + content[at + 1 :]
    return content


def damaged_json(content: bytes, edits: tuple[tuple[Any, ...], ...]) -> bytes:
    """JSON in which entries were dropped or have another value; places count all entries."""
    tree = json.loads(content)
    for kind, number, *rest in edits:
        places = list(_places(tree))
        if not places:
            continue
        owner, key = places[number % len(places)]
        if kind == "drop":
            del owner[key]
        else:
            owner[key] = rest[0]
    return json.dumps(tree).encode()


def _places(tree: Any) -> Any:
    keys = (
        list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    )
    for key in keys:
        yield tree, key
        yield from _places(tree[key])
