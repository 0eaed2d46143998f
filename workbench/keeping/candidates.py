"""Keeping a candidate on disk without a pickle, and loading it again.

A kept candidate is a folder: `candidate.json` (what it is), the model in its own form, and
`model.onnx`, or the reason why there is none. A torch network is `model.safetensors`,
`structure.json` and `load_network.py`, a scikit-learn estimator `model.skops`. The ONNX file and
the network load without this package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from workbench.errors import CandidateError, ExportError, MissingExtra, shown
from workbench.keeping.prepares import keep_prepare, load_prepare
from workbench.model_form import Training, form_named
from workbench.runtimes.to_onnx import to_onnx
from workbench.settings import VERSION
from workbench.system.files import path_of, read_json, sha256_of, write_bytes, write_json
from workbench.task import Candidate, Task

__all__ = ["describe", "keep", "load_kept", "onnx_of"]

ONNX_FILE = "model.onnx"
REFIT = "refit"  # kept as "train it again on the same rows"


def keep(
    candidate: Candidate,
    folder: Path,
    inputs: Mapping[str, np.ndarray],
    *,
    task: Task | None = None,
) -> dict[str, Any]:
    """Write a candidate into a folder; `inputs` are prepared rows `(rows, ...)`, two at least.

    Returns the content of `candidate.json`. A model that cannot be written as ONNX is kept all the
    same, with the reason; `task` is where a `prepare` of the user's own is found again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = form_named(candidate.form).keep(candidate, folder, inputs)
    about: dict[str, Any] = {
        "version": VERSION,
        "name": candidate.name,
        "form": candidate.form,
        "builder": candidate.builder,
        "builder_args": dict(candidate.builder_args),
        "parent": candidate.parent,
        "technique": candidate.technique,
        "outputs": candidate.outputs,
        "training": dict(candidate.training),
        "fit": dict(candidate.fit),
        "trains_anew": candidate.trains_anew,
        "macs": candidate.macs,
        "prepare": keep_prepare(candidate.prepare, folder, task),
        "onnx_takes": "raw rows" if candidate.prepare is None else "prepared rows",
        "inputs": {
            n: {"dtype": str(a.dtype), "shape": [None, *a.shape[1:]]} for n, a in inputs.items()
        },
        **own,
    }
    try:
        exported = to_onnx(candidate, inputs)
        write_bytes(folder / ONNX_FILE, exported.model)
        about["onnx_outputs"] = exported.outputs
    except (ExportError, MissingExtra) as error:
        about["onnx_error"] = str(error)
    about["sha256"] = {
        path.name: sha256_of(path)
        for path in sorted((*folder.glob("model.*"), *folder.glob("prepare.*")))
    }
    write_json(folder / "candidate.json", about)
    return about


def load_kept(
    folder: str | Path,
    *,
    build: Callable[[], Any] | None = None,
    form: str = "",
    task: Task | None = None,
    trusted: Sequence[Any] = (),
) -> Candidate:
    """A kept candidate, in the form in which it was kept.

    `build` makes an untrained network of the user's own class to load the weights into.
    `form="onnx"` takes the ONNX file beside the model. `task` gives a `prepare` of the user's own,
    and the rows for a model that was kept as "train it again". `trusted` are types that a
    scikit-learn file may hold besides the known ones (classes or names), and functions by
    reference. Raises CandidateError when files are missing or were changed, or name other types.
    """
    folder = path_of(folder, error=CandidateError)
    about = describe(folder)
    of_older_version = about["form"] == "sklearn" and "kept" not in about  # kept as ONNX alone
    wanted = form or ("onnx" if of_older_version else about["form"])
    prepare = load_prepare(about["prepare"], folder, task=task, trusted=trusted)
    values: dict[str, Any] = {
        "name": about["name"],
        "form": wanted,
        "prepare": prepare,
        "builder": about["builder"],
        "builder_args": about.get("builder_args", {}),
        "parent": about["parent"],
        "technique": about["technique"],
        "training": about["training"],
        "fit": about.get("fit", {}),
        "trains_anew": about.get("trains_anew", about["technique"] is None),
        "macs": about["macs"],
    }
    if wanted == "onnx" and about["form"] != "onnx":
        if "onnx_error" in about:
            raise CandidateError(f"{folder} holds no ONNX file: {about['onnx_error']}")
        if "onnx_outputs" not in about:
            raise CandidateError(
                f"{folder / 'candidate.json'} has no entry `onnx_outputs`, which says what the "
                "ONNX file gives; run the step again."
            )
        content = (folder / ONNX_FILE).read_bytes()
        return Candidate(**values, model=content, outputs=about["onnx_outputs"])
    if about.get("kept") == REFIT:
        return _trained_again(
            Candidate(**values, model=None, outputs=about["outputs"]), about, task
        )
    outputs = about.get("onnx_outputs") if of_older_version else about["outputs"]
    model = form_named(wanted).load(folder, about, build=build, trusted=trusted)
    return Candidate(**values, model=model, outputs=outputs or about["outputs"])


def onnx_of(
    folder: Path, *, task: Task | None = None, trusted: Sequence[Any] = ()
) -> Candidate | None:
    """The ONNX form of a kept candidate, or None where it could not be written."""
    if "onnx_error" in describe(folder):
        return None
    return load_kept(folder, form="onnx", task=task, trusted=trusted)


def describe(folder: Path) -> dict[str, Any]:
    """The content of `candidate.json`; raises CandidateError when files are missing or changed."""
    path = folder / "candidate.json"
    if not path.exists():
        raise CandidateError(
            f"{folder} holds no candidate.json: it is not the folder of a kept candidate."
        )
    about = read_json(path, _checked, error=CandidateError)
    for name, digest in about["sha256"].items():
        file = folder / name
        if not file.is_file() or sha256_of(file) != digest:
            raise CandidateError(
                f"{file} is missing or was changed since it was kept; run the step again."
            )
    return about


def _checked(about: Any) -> dict[str, Any]:
    """The content of `candidate.json`; raises ValueError or KeyError for one never written."""
    kinds: dict[str, Any] = {
        **dict.fromkeys(("name", "form", "outputs"), str),
        **dict.fromkeys(("builder", "parent", "technique"), (str, NoneType)),
        **dict.fromkeys(("training", "sha256"), dict),
        "macs": (int, NoneType),
        "prepare": (dict, NoneType),
    }
    later: dict[str, Any] = {
        "fit": dict,
        "builder_args": dict,
        "onnx_outputs": str,
        "trains_anew": bool,
    }
    if about.get("kept") == REFIT:
        kinds["reason"] = str
    for name, kind in {**kinds, **later}.items():
        if name in kinds and name not in about:
            raise KeyError(name)
        if name in about and not isinstance(about[name], kind):
            raise TypeError(f"the entry `{name}` has the value {shown(about[name])}")
    return about


def _trained_again(candidate: Candidate, about: Mapping[str, Any], task: Task | None) -> Candidate:
    """A model that has no file: its builder's, trained on the same rows."""
    name = candidate.builder_name
    start = task.start if task is not None else None
    if task is None or (name not in task.builders and start is None):
        raise CandidateError(
            f"`{candidate.name}` was not written to a file ({about['reason']}): it is trained "
            "again on the task's rows, and the task is not at hand. Move its classes into a module "
            "and its lambdas into functions, or load it with `task=`."
        )
    if name in task.builders or start is None:
        model = task.build(name, **candidate.builder_args)
    else:
        model = start.model
    fresh = Candidate(**{**candidate.__dict__, "model": model})
    return form_named(candidate.form).fit(fresh, task, Training())
