"""Files: damaged, empty, cut, and of other formats, where models, rows and kept ones are read."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

import workbench as wb
from tests.generated.checker import attempt
from tests.generated.contents import (
    BASES,
    EDITS,
    JSON_EDITS,
    Content,
    bytes_of,
    damaged_json,
    edited,
)
from workbench.keeping.load_network import StructureError, load

__all__ = [
    "KEPT_CASES",
    "MODEL_CASES",
    "ROW_CASES",
    "kept_folder",
    "try_kept",
    "try_model",
    "try_rows",
]

X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


@dataclass(frozen=True)
class File:
    """A content under a name, and the function that reads it."""

    name: str
    content: Content
    reader: str


def _contents(*likely: str) -> st.SearchStrategy[Content]:
    bases = st.one_of(st.sampled_from(likely), st.sampled_from(likely), st.sampled_from(BASES))
    return st.builds(Content, bases, EDITS)


MODEL_CASES = st.builds(
    File,
    st.sampled_from(("net.onnx", "net.onnx", "net.onnx", "net.pt", "net", "net.safetensors")),
    _contents(*(b for b in BASES if b.startswith("onnx"))),
    st.sampled_from(("task", "bytes", "measure")),
)
ROW_CASES = st.builds(
    File,
    st.sampled_from(
        ("r.csv", "r.csv", "r.parquet", "r.feather", "r.tsv", "r.csv.gz", "r.csv.zip", "r.txt", "r")
    ),
    _contents("csv", "parquet", "feather", "semicolons", "gzip", "utf-16", "header"),
    st.sampled_from(("train", "valid")),
)


def try_model(case: File) -> str:
    """Read a model file as `make_task` does, and as `workbench measure` does at its door."""
    content = bytes_of(case.content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / case.name
        path.write_bytes(content)
        if case.reader == "measure":
            return attempt(lambda: _door(path)).status
        model = path if case.reader == "task" else content
        return attempt(lambda: wb.make_task("t", model=model, train=(X, Y))).status


def _door(path: Path) -> Any:
    """What `measure_file` does before it times anything: open the file, and run it once."""
    from workbench.measure.file import _opened, _timed_sizes

    candidate, _, inputs_of = _opened(path, None, None)
    (size, *_) = _timed_sizes(candidate.model, (1, 64))
    return wb.predictor(candidate).predict(inputs_of(candidate, size))


def try_rows(case: File) -> str:
    """Read a file of rows as train, or as valid beside a train of the right columns."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / case.name
        path.write_bytes(bytes_of(case.content))
        data: dict[str, Any] = {"train": path}
        if case.reader == "valid":
            good = Path(folder) / "good.csv"
            good.write_bytes(bytes_of(Content("csv")))
            data = {"train": good, "valid": path}
        return attempt(lambda: wb.make_task("t", **data, target="label")).status


@dataclass(frozen=True)
class Kept:
    """A kept candidate with one file damaged, and how it is loaded.

    `signed` writes the new hash of the file into `candidate.json`, so that reading goes on.
    """

    of: str
    file: str
    damage: tuple[tuple[Any, ...], ...] | Content | None
    signed: bool
    reader: str


def kept_folder(of: str) -> Path:
    """The folder of a kept candidate, made once."""
    return _kept()[of]


@cache
def _kept() -> dict[str, Path]:
    import torch
    from sklearn.linear_model import LogisticRegression
    from torch import nn

    from workbench.data.prepare import Normalize
    from workbench.keeping.candidates import keep
    from workbench.task import Candidate

    root = Path(tempfile.mkdtemp(prefix="workbench-generated-"))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    models = {
        "torch": Candidate("net", "torch", net, prepare=Normalize(0.0, 1.0, "x")),
        "sklearn": Candidate(
            "logistic", "sklearn", LogisticRegression().fit(X, Y), outputs="probabilities"
        ),
        "onnx": Candidate("graph", "onnx", bytes_of(Content("onnx"))),
    }
    for name, candidate in models.items():
        keep(candidate, root / name, {"x": X[:4]})
    return {name: root / name for name in models}


FILES = {
    "torch": ("candidate.json", "structure.json", "model.safetensors", "model.onnx"),
    "sklearn": ("candidate.json", "model.skops", "model.onnx"),
    "onnx": ("candidate.json", "model.onnx"),
}
READERS = ("kept", "kept", "onnx", "network", "run")
KEPT_CASES = st.sampled_from(("torch", "torch", "sklearn", "onnx")).flatmap(
    lambda of: st.sampled_from((*FILES[of][:1], *FILES[of])).flatmap(
        lambda file: st.builds(
            Kept,
            st.just(of),
            st.just(file),
            st.one_of(
                *([JSON_EDITS, JSON_EDITS] if file.endswith(".json") else [EDITS]),
                EDITS,
                st.none(),
                st.builds(Content, st.sampled_from(BASES)),
            ),
            st.sampled_from((True, True, False)),
            st.sampled_from(READERS if of == "torch" else READERS[:3]),
        )
    )
)


def try_kept(case: Kept) -> str:
    """Load a kept candidate, and run it once."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "kept"
        shutil.copytree(kept_folder(case.of), folder)
        _damage(folder, case)
        if case.reader == "network":
            return attempt(lambda: load(folder), own=(StructureError,)).status
        form = "onnx" if case.reader == "onnx" else ""
        return attempt(lambda: _loaded(folder, form, run=case.reader == "run")).status


def _loaded(folder: Path, form: str, *, run: bool) -> Any:
    candidate = wb.load_kept(folder, form=form)
    return wb.predictor(candidate).predict({"x": X[:2]}) if run else candidate


def _damage(folder: Path, case: Kept) -> None:
    path = folder / case.file
    if case.damage is None:
        path.unlink()
        return
    content = path.read_bytes()
    if isinstance(case.damage, Content):
        content = bytes_of(case.damage)
    elif case.damage and case.damage[0][0] in ("drop", "set"):
        content = damaged_json(content, case.damage)
    else:
        content = edited(content, case.damage)
    path.write_bytes(content)
    if case.signed and case.file != "candidate.json":
        about = json.loads((folder / "candidate.json").read_text())
        if case.file in about["sha256"]:
            about["sha256"][case.file] = hashlib.sha256(content).hexdigest()
            (folder / "candidate.json").write_text(json.dumps(about))
