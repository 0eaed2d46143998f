"""Kept candidates with a damaged file, whose hash was written anew: refused in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from workbench.data.prepare import Normalize
from workbench.errors import CandidateError, DataError
from workbench.keeping.candidates import keep, load_kept
from workbench.keeping.load_network import StructureError, load
from workbench.system.files import sha256_of
from workbench.task import Candidate

X = np.zeros((4, 6), np.float32)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kept candidate, which is kept once and not changed."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    folder = tmp_path_factory.mktemp("whole")
    keep(Candidate("net", "torch", net, prepare=Normalize(0.0, 1.0, "x")), folder, {"x": X})
    return folder


@pytest.fixture
def kept(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test to damage."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _signed(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    about = json.loads((folder / "candidate.json").read_text())
    about["sha256"][name] = sha256_of(folder / name)
    (folder / "candidate.json").write_text(json.dumps(about))


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff" * 40])
@pytest.mark.parametrize("name", ["model.safetensors", "structure.json"])
def test_damaged_network_is_refused(kept: Path, name: str, content: bytes) -> None:
    _signed(kept, name, content)
    with pytest.raises(CandidateError, match=name):
        load_kept(kept)
    with pytest.raises(StructureError, match=name):
        load(kept)


@pytest.mark.parametrize("entry", ["modules", "graph", "ties"])
def test_network_is_refused_when_an_entry_of_its_structure_is_wrong(kept: Path, entry: str) -> None:
    structure = json.loads((kept / "structure.json").read_text())
    _signed(kept, "structure.json", json.dumps({**structure, entry: 3}).encode())
    with pytest.raises(CandidateError, match=r"structure\.json is damaged"):
        load_kept(kept)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "the entry `name` has the value None"),
        ({"sha256": 3}, "the entry `sha256` has the value 3"),
        ({"prepare": {}}, "the entry `kind` is missing"),
        ({"prepare": {"kind": "normalize", "mean": 0.0}}, "damaged `prepare`"),
    ],
)
def test_candidate_is_refused_when_an_entry_is_wrong(kept: Path, change: dict, words: str) -> None:
    about = json.loads((kept / "candidate.json").read_text())
    (kept / "candidate.json").write_text(json.dumps({**about, **change}))
    with pytest.raises(CandidateError, match=words):
        load_kept(kept)


def test_prepare_refuses_rows_of_another_task() -> None:
    with pytest.raises(DataError, match="no input `x`.* they have `image`"):
        Normalize(0.0, 1.0, "x")({"image": X})
