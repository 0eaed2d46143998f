"""Cached results: still there after a kill, and never under the key of something else."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from workbench.data.rows import Rows
from workbench.system.cache import Cache, fingerprint


def test_values_are_there_for_the_next_reader(tmp_path):
    cache = Cache(tmp_path / "new", "k")
    assert cache.get("a") is None
    cache.put("a", {"quality": np.float64(0.5), "n": np.int64(3)})
    cache.put("a", [1, 2])
    cache.put("b", 0.0)
    again = Cache(tmp_path / "new", "k")
    assert (again.get("a"), again.get("b"), len(again)) == ([1, 2], 0.0, 2)
    assert Cache(tmp_path / "new", "other").get("a") is None


def test_partly_written_line_loses_its_own_result_only(tmp_path):
    cache = Cache(tmp_path, "k")
    cache.put("a", 1)
    with cache.path.open("ab") as file:
        file.write(b'{"name": "b", "val')
    Cache(tmp_path, "k").put("c", 3)
    again = Cache(tmp_path, "k")
    assert (again.get("a"), again.get("b"), again.get("c")) == (1, None, 3)


def test_fingerprint_tells_apart_what_decides_a_result():
    torch.manual_seed(0)
    net = nn.Linear(2, 2)
    other = nn.Linear(2, 2)
    same = nn.Linear(2, 2)
    same.load_state_dict(net.state_dict())
    rows = Rows({"x": np.arange(4.0)}, np.arange(4))
    assert fingerprint(net, rows, {"a": 1}) == fingerprint(
        same, Rows({"x": np.arange(4.0)}, np.arange(4)), {"a": 1}
    )
    seen = [
        fingerprint(*parts)
        for parts in (
            (net,),
            (other,),
            (rows,),
            (rows.take(slice(0, 3)),),
            (b"1",),
            ("1",),
            (1,),
            (1.0,),
            (["a", "b"],),
            (["ab"],),
            (np.zeros(2),),
            (np.zeros(2, np.float32),),
            ({"a": 1},),
            ({"a": 2},),
        )
    ]
    assert len(set(seen)) == len(seen)
