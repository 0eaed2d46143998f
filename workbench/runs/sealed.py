"""Sending a task to another process, its test rows sealed beside it.

The task is a private cloudpickle without its test rows.

Nothing of this is kept: the files are deleted when the run has finished and test was opened.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from workbench.data.rows import SPLIT_NAMES, AnyRows, DatasetRows, Splits
from workbench.errors import RunError
from workbench.runs.signing import SIGNATURE, check_signature, sign
from workbench.system.files import write_bytes
from workbench.task import Task

__all__ = [
    "discard",
    "open_data",
    "open_sealed",
    "open_task",
    "seal",
    "travelling",
    "trust",
]

TASK_FILE, TEST_FILE, DATA_FILE = "task.pkl", "test.pkl", "data.pkl"
FILES = (TASK_FILE, TEST_FILE, DATA_FILE)
# Functions that lay elsewhere in version 0.1.0: its sealed tasks name them there.
MOVED = {
    ("workbench.candidates", "_reset"): ("workbench.models.networks", "reset"),
    ("workbench.tasks", "flip_and_shift"): ("workbench.tasks.builtin", "flip_and_shift"),
    ("workbench.tasks", "_estimator"): ("workbench.tasks.builtin", "_estimator_of_splits"),
    ("workbench.data.rewording", "reword"): ("workbench.data.sets.rewording", "reword"),
    ("workbench.data.neighbours", "neighbours"): ("workbench.data.sets.neighbours", "neighbours"),
}


def open_task(folder: Path) -> Task | None:
    """The task that was sealed into a folder, without test rows; None when there is none.

    Raises RunError for files that this user did not seal, as `open_sealed` and `open_data` do.
    """
    task = _opened(folder, TASK_FILE)
    return None if task is None else _completed(task)


def open_sealed(folder: Path) -> Any:
    """The test rows, for the one look at the end."""
    return _opened(folder, TEST_FILE)


def open_data(folder: Path) -> dict[str, Any]:
    """Further data that were handed to the run, by name; empty when there are none."""
    return _opened(folder, DATA_FILE) or {}


def discard(folder: Path) -> None:
    """Delete all private files."""
    for name in (*FILES, SIGNATURE):
        (folder / name).unlink(missing_ok=True)


def seal(task: Task | None, folder: Path, data: Mapping[str, Any] | None = None) -> None:
    """Write the task without its test rows, the test rows and further data, and sign them.

    Splits cut from the dataset that test is cut from are read into memory: a subset would carry the
    whole of it.
    """
    folder.mkdir(mode=0o700)
    if task is not None:
        sealed = replace(task, data=_without_test(task.data))
        write_bytes(folder / TASK_FILE, travelling(sealed))
        write_bytes(folder / TEST_FILE, travelling(task.data.test))
    if data:
        write_bytes(folder / DATA_FILE, travelling(dict(data)))
    sign(folder, FILES)


def trust(folder: Path) -> None:
    """Sign private files that the user vouches for."""
    if folder.exists():
        sign(folder, FILES)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(*MOVED.get((module, name), (module, name)))


def _opened(folder: Path, name: str) -> Any:
    path = folder / name
    if not path.exists():
        return None
    check_signature(folder, FILES)
    return _Unpickler(io.BytesIO(path.read_bytes())).load()


def _completed(value: Any) -> Any:
    """A task or candidate of an older version, with the fields that it did not have."""
    for item in fields(value):
        if item.name not in value.__dict__:
            factory = item.default_factory
            default = item.default if factory is MISSING else factory()
            object.__setattr__(value, item.name, default)
    if isinstance(value, Task) and value.start is not None:
        _completed(value.start)
    return value


def _without_test(data: Splits) -> Splits:
    rows = {name: getattr(data, name) for name in SPLIT_NAMES if name != "test"}
    shared = _base(data.test)
    return Splits(
        **{
            n: r.take(slice(None)) if shared is not None and _base(r) is shared else r
            for n, r in rows.items()
        }
    )


def _base(rows: AnyRows | None) -> Any:
    """The dataset that (nested) subsets were cut from; None for rows in memory."""
    if not isinstance(rows, DatasetRows):
        return None
    dataset = rows.dataset
    while hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    return dataset


def travelling(value: Any) -> bytes:
    """A cloudpickle that another process can read.

    Modules beside the user's notebook are written by value, as the other process may not find them.
    """
    import cloudpickle

    here = Path.cwd()
    own = [m for m in list(sys.modules.values()) if _is_users(m, here)]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        return _dumped(value)
    except Exception as error:
        raise RunError(
            f"The task cannot travel to another process: {_culprit(value, error)}. Open files, "
            "locks and connections must be made inside the functions that use them."
        ) from error
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


def _dumped(value: Any) -> bytes:
    """A cloudpickle in which a slice of a tensor is the slice alone.

    Torch writes the whole tensor that a slice was taken from.
    """
    import cloudpickle
    import torch

    class Pickler(cloudpickle.Pickler):
        def reducer_override(self, obj: Any) -> Any:
            plain = (
                type(obj) is torch.Tensor and obj.layout is torch.strided and not obj.requires_grad
            )
            if plain and obj.untyped_storage().nbytes() > obj.numel() * obj.element_size():
                return obj.clone(memory_format=torch.contiguous_format).__reduce_ex__(
                    pickle.HIGHEST_PROTOCOL
                )
            return super().reducer_override(obj)

    buffer = io.BytesIO()
    Pickler(buffer).dump(value)
    return buffer.getvalue()


def _is_users(module: Any, here: Path) -> bool:
    """Whether a module lies beside the user's notebook, outside any environment."""
    file, name = getattr(module, "__file__", None), module.__name__
    root = name.split(".")[0]
    if (
        not file
        or name in ("__main__", "conftest")
        or root == "workbench"
        or root in sys.stdlib_module_names
    ):
        return False
    path = Path(file)
    installed = "site-packages" in path.parts or any(
        Path(p) in path.parents for p in (sys.prefix, sys.base_prefix)
    )
    return here in path.parents and not installed and sys.modules.get(name) is module


def _culprit(value: Any, error: Exception) -> str:
    """The attribute that cannot be pickled, found by trying each."""
    import cloudpickle

    for name, part in vars(value).items() if hasattr(value, "__dict__") else ():
        try:
            cloudpickle.dumps(part)
        except Exception as inner:
            return f"`{name}` ({type(part).__name__}): {inner}"
    return str(error)
