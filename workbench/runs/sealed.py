"""Sending a task to another process, its test rows sealed beside it.

The task is a private cloudpickle without its test rows.

Nothing of this is kept: the files are deleted when the run has finished and test was opened.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from workbench.data.rows import SPLIT_NAMES, AnyRows, DatasetRows, Splits
from workbench.errors import RunError
from workbench.runs.signing import SIGNATURE, check_signature, sign
from workbench.system.culprit import culprit
from workbench.system.files import read_json, write_bytes, write_json
from workbench.task import Task

__all__ = [
    "discard",
    "find_modules",
    "open_data",
    "open_sealed",
    "open_task",
    "seal",
    "travelling",
    "trust",
]

TASK_FILE, TEST_FILE, DATA_FILE = "task.pkl", "test.pkl", "data.pkl"
PATH_FILE = "path.json"  # folders in which this process finds modules, for the run's process
PICKLES = (TASK_FILE, TEST_FILE, DATA_FILE)
FILES = (*PICKLES, PATH_FILE)
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


def find_modules(folder: Path) -> None:
    """Let this process find the modules that the process found which started the run.

    Its folders are searched last. A list that this user did not sign is left alone, as a folder
    can hold code.
    """
    path = folder / PATH_FILE
    if not path.exists():
        return
    try:
        check_signature(folder, FILES)
    except RunError:
        return
    sys.path.extend(p for p in read_json(path) if p not in sys.path)


def seal(task: Task | None, folder: Path, data: Mapping[str, Any] | None = None) -> None:
    """Write the task without its test rows, the test rows and further data, and sign them.

    The folders in which this process finds modules are written beside them.

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
    write_json(folder / PATH_FILE, _own_folders())
    sign(folder, FILES)


def _own_folders() -> list[str]:
    """Folders of `sys.path` that are no part of the installation, the working folder among them."""
    folders = [str(Path(p or os.curdir).resolve()) for p in sys.path]
    return [p for p in dict.fromkeys(folders) if os.path.isdir(p) and not _is_installed(Path(p))]


def _is_installed(path: Path) -> bool:
    """Whether a file or folder belongs to the standard library or to installed packages."""
    if {"site-packages", "dist-packages"} & set(path.parts):
        return True
    return any(root in (path, *path.parents) for root in _standard_library())


@cache
def _standard_library() -> tuple[Path, ...]:
    """Folders of the standard library, and the archive of it that Python looks for."""
    folders = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    return tuple(map(Path, [*folders, *(p for p in sys.path if p.endswith(".zip"))]))


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

    The user's own modules are written by value, as they are now: the other process may not find
    them, or find them changed. Raises RunError that names the object which cannot be written.
    """
    import cloudpickle

    own = [m for m in list(sys.modules.values()) if _is_users(m)]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        return _dumped(value)
    except Exception as error:
        first = error
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)
    try:
        return _dumped(value)  # a module with a lock of its own is imported there instead
    except Exception as error:
        raise RunError(
            f"The task cannot travel to another process: {culprit(value, first)}. Make such an "
            "object inside the function that uses it, or leave it out of pickles by "
            "`__getstate__`."
        ) from error


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


def _is_users(module: Any) -> bool:
    """Whether a module is the user's own: a file outside the installation."""
    file, name = getattr(module, "__file__", None), getattr(module, "__name__", "")
    root = name.split(".")[0]
    if not file or name in ("__main__", "conftest") or root in ("workbench", "", "__mp_main__"):
        return False
    if root in sys.stdlib_module_names or sys.modules.get(name) is not module:
        return False
    path = Path(file)  # most are installed, and need no look at the disk
    return not _is_installed(path) and not _is_installed(path.resolve())
