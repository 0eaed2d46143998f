"""Keeping a candidate on disk without a pickle, and loading it again.

A kept candidate is a folder: `candidate.json` (what it is), `model.onnx`, and for a torch network
`model.safetensors`, `structure.json` and `load_network.py`. The ONNX file and the network load
without this package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.prepare import from_json, to_json
from workbench.errors import CandidateError, ExportError, MissingExtra
from workbench.runtimes.to_onnx import to_onnx
from workbench.system.files import read_json, write_bytes, write_json
from workbench.task import Candidate

__all__ = ["keep", "load_kept", "onnx_of"]

ONNX_FILE = "model.onnx"


def keep(candidate: Candidate, folder: Path, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Write a candidate into a folder; `inputs` are prepared rows `(rows, ...)`, two at least.

    Returns the content of `candidate.json`. A model that cannot be written as ONNX is kept all the
    same, with the reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    about: dict[str, Any] = {
        "version": 1,
        "name": candidate.name,
        "form": candidate.form,
        "builder": candidate.builder,
        "parent": candidate.parent,
        "technique": candidate.technique,
        "outputs": candidate.outputs,
        "training": dict(candidate.training),
        "macs": candidate.macs,
        "prepare": to_json(candidate.prepare),
        "inputs": {
            n: {"dtype": str(a.dtype), "shape": [None, *a.shape[1:]]} for n, a in inputs.items()
        },
    }
    try:
        converted = to_onnx(candidate, dict(inputs))
        write_bytes(folder / ONNX_FILE, converted.model)
        about["onnx_outputs"] = converted.outputs
    except (ExportError, MissingExtra) as error:
        if candidate.form != "torch":
            raise
        about["onnx_error"] = str(error)
    if candidate.form == "torch":
        from workbench.data.tensors import tensor
        from workbench.keeping.structure import save_network

        save_network(candidate.model, folder, {n: tensor(a[:2], "cpu") for n, a in inputs.items()})
    about["sha256"] = {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("model.*"))
    }
    write_json(folder / "candidate.json", about)
    return about


def load_kept(
    folder: Path, *, build: Callable[[], Any] | None = None, form: str = "", prepare: Any = None
) -> Candidate:
    """A kept candidate; `build` makes an untrained network of the user's own class to load the
    weights into.

    `prepare` is the one at hand, taken where the kept one is a function of the user's own, of which
    only the name is kept. `form="onnx"` takes the ONNX file beside a network. A scikit-learn
    estimator comes back in the form onnx, as nothing kept is a pickle. Raises CandidateError when
    files are missing or were changed.
    """
    about = _about(folder)
    wanted = form or ("torch" if about["form"] == "torch" else "onnx")
    if wanted == "torch":
        from workbench.keeping.structure import load_network

        model: Any = load_network(folder, template=build() if build else None)
        outputs = about["outputs"]
    else:
        if "onnx_error" in about:
            raise CandidateError(f"{folder} holds no ONNX file: {about['onnx_error']}")
        model, outputs = (folder / ONNX_FILE).read_bytes(), about["onnx_outputs"]
    return Candidate(
        name=about["name"],
        form=wanted,
        model=model,
        prepare=_prepare(about["prepare"], prepare),
        builder=about["builder"],
        parent=about["parent"],
        technique=about["technique"],
        outputs=outputs,
        training=about["training"],
        macs=about["macs"],
    )


def onnx_of(folder: Path, prepare: Any = None) -> Candidate | None:
    """The ONNX form of a kept candidate, or None when it could not be written."""
    return (
        None if "onnx_error" in _about(folder) else load_kept(folder, form="onnx", prepare=prepare)
    )


def _prepare(kept: dict[str, Any] | None, at_hand: Any) -> Any:
    return at_hand if at_hand is not None and kept and kept["kind"] == "yours" else from_json(kept)


def _about(folder: Path) -> dict[str, Any]:
    path = folder / "candidate.json"
    if not path.exists():
        raise CandidateError(
            f"{folder} holds no candidate.json: it is not the folder of a kept candidate."
        )
    about = read_json(path)
    for name, digest in about["sha256"].items():
        file = folder / name
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            raise CandidateError(
                f"{file} is missing or was changed since it was kept; run the step again."
            )
    return about
