"""Sending a task to another process: a private cloudpickle without its test rows, and the test rows
sealed beside it.

Nothing of this is kept: both files are deleted when the run has finished.
"""

from __future__ import annotations

import io
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.data.rows import SPLIT_NAMES, AnyRows, DatasetRows, Splits
from workbench.errors import RunError
from workbench.system.files import write_bytes
from workbench.task import Task

__all__ = ["discard", "open_sealed", "open_task", "seal", "travelling"]

TASK_FILE, TEST_FILE = "task.pkl", "test.pkl"


def open_task(folder: Path) -> Task | None:
    """The task that was sealed into a folder, without test rows; None when there is none."""
    path = folder / TASK_FILE
    return pickle.loads(path.read_bytes()) if path.exists() else None


def open_sealed(folder: Path) -> Any:
    """The test rows, for the one look at the end."""
    return pickle.loads((folder / TEST_FILE).read_bytes())


def discard(folder: Path) -> None:
    """Delete both files."""
    for name in (TASK_FILE, TEST_FILE):
        (folder / name).unlink(missing_ok=True)


def seal(task: Task, folder: Path) -> None:
    """Write the task without its test rows, and the test rows beside it.

    Splits cut from the dataset that test is cut from are read into memory: a subset would carry the
    whole of it.
    """
    folder.mkdir(mode=0o700)
    write_bytes(folder / TASK_FILE, travelling(replace(task, data=_without_test(task.data))))
    write_bytes(folder / TEST_FILE, travelling(task.data.test))


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
    """A cloudpickle; modules beside the user's notebook go by value, as the other process may not
    find them.
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
    """A cloudpickle in which a part of a tensor, a slice say, is that part alone: torch writes all
    that it was cut from.
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
    """Whether a module lies beside the user's notebook and is no part of Python or of an
    environment there.
    """
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
