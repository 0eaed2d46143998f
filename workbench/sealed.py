"""Sending a task to another process: a private cloudpickle without its test rows, and the test rows sealed beside it.

Nothing of this is kept: both files are deleted when the run has finished.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

from workbench.errors import RunError
from workbench.files import write_bytes
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
    """Write the task without its test rows, and the test rows beside it."""
    folder.mkdir(mode=0o700)
    write_bytes(folder / TASK_FILE, travelling(task.without_test()))
    write_bytes(folder / TEST_FILE, travelling(task.data.test))


def travelling(value: Any) -> bytes:
    """A cloudpickle; modules beside the user's notebook go by value, as the other process may not find them."""
    import cloudpickle

    here = Path.cwd()
    own = [m for m in list(sys.modules.values()) if _is_users(m, here)]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(value)
    except Exception as error:
        raise RunError(
            f"The task cannot travel to another process: {_culprit(value, error)}. Open files, locks and connections must be "
            "made inside the functions that use them."
        ) from error
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


def _is_users(module: Any, here: Path) -> bool:
    file = getattr(module, "__file__", None)
    if not file or module.__name__ in ("__main__", "conftest") or module.__name__.split(".")[0] == "workbench":
        return False
    path = Path(file)
    return here in path.parents and "site-packages" not in path.parts and Path(sys.prefix) not in path.parents


def _culprit(value: Any, error: Exception) -> str:
    """The attribute that cannot be pickled, found by trying each."""
    import cloudpickle

    for name, part in vars(value).items() if hasattr(value, "__dict__") else ():
        try:
            cloudpickle.dumps(part)
        except Exception as inner:
            return f"`{name}` ({type(part).__name__}): {inner}"
    return str(error)
