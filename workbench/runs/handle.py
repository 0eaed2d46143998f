"""A run in a process of its own, with its folder as the truth.

It can be started, followed, cancelled, resumed, and found again by its folder.

The process is the leader of its own session and writes to files, so closing the page, restarting
the kernel or losing the connection does not end it. A task made in a notebook travels as a private
cloudpickle without its test rows, which lie sealed beside it until the last step is done; both are
deleted when the run has finished.

    runs/20261122-101500-fashion-resnet20/
      recipe.yml  run.json  state.json  events.jsonl  output.log
      steps/00-start/  steps/01-pruning/ ...   work/ (a step under way)   final.json
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.errors import RunError
from workbench.events import Event, Report, read_events
from workbench.ledger.rows import TestLine
from workbench.recipe import Recipe
from workbench.runs.folders import (
    is_full,
    new_folder,
    run_folders,
    runs_root,
    slug,
    telling_storage,
)
from workbench.runs.processes import start_process
from workbench.runs.sealed import FILES, PICKLES, discard, open_sealed, open_task, seal
from workbench.runs.sealed import trust as vouch_for
from workbench.runs.signing import check_signature
from workbench.runs.trail import Trail
from workbench.settings import VERSION
from workbench.system.files import path_of, read_json, write_json, write_text
from workbench.system.process import alive, end_session, identity
from workbench.task import Task
from workbench.tasks import TASKS, load_task

__all__ = ["Run", "attach", "find_run", "own_task", "start"]

GRACE_SECONDS = 2.0  # how long a cancelled process may take to stop by itself
START_SECONDS = 30.0  # how long a process may take from being asked for to being there
ENDED = ("finished", "failed", "cancelled", "killed")
STATES = ("starting", "running", *ENDED)


def start(
    recipe: Recipe,
    task: Task | None = None,
    *,
    root: str | Path | None = None,
    store: str = "",
    data: Mapping[str, Any] | None = None,
) -> Run:
    """Start a recipe in a process of its own and return at once.

    `task` is needed when the recipe's task is not one that another process can load by name, `data`
    holds further rows that settings name. Raises RunError that names the object when a task cannot
    travel to another process.
    """
    from workbench.store.client import store_url

    root, store = root or recipe.options.root or None, store or recipe.options.store
    if store:
        store = store_url(store, runs_root(root))  # refused now, and not after hours of work
    start_name = slug(recipe.options.start) or "model"
    task_name = slug(str(recipe.options.task_args.get("name") or recipe.options.task))
    name = f"{datetime.now():%Y%m%d-%H%M%S}-{task_name}-{start_name}"
    folder = new_folder(runs_root(root), name)
    with telling_storage(folder):
        write_text(folder / "recipe.yml", recipe.to_yaml())
        own = own_task(task)
        seal(own, folder / "private", data)
        write_json(folder / "process.json", _starting())
        about = {
            "name": folder.name,
            "store": store,
            "created": time.time(),
            "started_in": str(Path.cwd()),
            "own_task": own is not None,
        }
        write_json(folder / "run.json", {"version": VERSION, **about})
        run = Run(folder)
        run._launch()
    return run


def own_task(task: Task | str | None) -> Task | None:
    """A task that exists in this process only; None for one that another process gets by its name.

    A built-in task that was changed is the user's own.
    """
    if not isinstance(task, Task) or (task.name in TASKS and task is load_task(task.name)):
        return None
    return task


def attach(folder: str | Path) -> Run:
    """The handle of a run by its folder; raises RunError when there is none."""
    path = path_of(folder, error=RunError)
    if not (path / "run.json").exists():
        raise RunError(
            f"{path.resolve()} is not the folder of a run. `workbench list` shows the runs under "
            f"{runs_root()}."
        )
    return Run(path)


def find_run(name: str, root: str | Path | None = None) -> Run:
    """A run by its folder, its name, the beginning of its name, or `last`.

    Raises RunError when none or several match.
    """
    path = path_of(name, error=RunError)
    if (path / "run.json").exists():
        return Run(path)
    name = str(name)
    folders = run_folders(root)
    if name == "last" and folders:
        return Run(folders[-1])
    beginning = [f for f in folders if f.name.startswith(name)]
    matching = [f for f in beginning if f.name == name] or beginning
    if len(matching) != 1:
        listed = ", ".join(f.name for f in (matching or folders)[-5:]) or "none"
        raise RunError(
            f"{'More than one run' if matching else 'No run'} matches `{name}` in "
            f"{runs_root(root)}: {listed}."
        )
    return Run(matching[0])


class Run:
    """A handle on a run.

    Everything is read from the folder, so any number of handles may exist, in any process.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).resolve()

    def __repr__(self) -> str:
        return f"Run({self.folder.name!r}, {self.status_shown})"

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.folder.name

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run; raises RecipeError for a file that holds none."""
        return Recipe.of_run(self.folder)

    @property
    def status(self) -> str:
        """One of: starting, running, finished, failed, cancelled, killed.

        A run is killed if its process is gone and wrote no end. Raises RunError for a damaged file.
        """
        state = self._state()
        if state["status"] in ENDED or alive(state) or _is_being_started(state):
            return state["status"]
        again = self._state()["status"]  # it may have ended between the two looks
        return again if again in ENDED else "killed"

    @property
    def status_shown(self) -> str:
        """The status in a list of runs: `damaged` where the file that holds it cannot be read."""
        try:
            return self.status
        except RunError:
            return "damaged"

    @property
    def error(self) -> str:
        """The error of a run that failed, in words; empty for any other run."""
        return self._state().get("error", "")

    @property
    def ended(self) -> bool:
        """Whether the run is finished, failed, cancelled or killed."""
        return self.status in ENDED

    def events(self, offset: int = 0) -> Iterator[tuple[Event, int]]:
        """Events so far from a byte offset on, each with the offset to go on from."""
        return read_events(self.folder / "events.jsonl", offset)

    def follow(self, listener: Callable[[Event], None], *, poll_seconds: float = 0.1) -> Run:
        """Hand every event to a listener until the run ends, however it ends."""
        offset, ended = 0, False
        while True:
            ended = self.ended  # asked before reading, so that the last events are read too
            for event, after in self.events(offset):
                listener(event)
                offset = after
            if ended:
                return self
            time.sleep(poll_seconds)

    def wait(self, timeout: float | None = None) -> Run:
        """Wait for the end.

        Raises RunError when the run failed, was cancelled or killed, TimeoutError when time is up.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        while not self.ended:
            if limit is not None and time.monotonic() > limit:
                raise TimeoutError(f"{self.name} is still {self.status} after {timeout:g} s.")
            time.sleep(0.1)
        self.check()
        return self

    def check(self) -> None:
        """Raise RunError unless the run finished well."""
        status = self.status
        if status == "failed":
            raise RunError(
                f"{self.name} failed: {self.error}\nFinished steps are kept in {self.folder}; see "
                "output.log there."
            )
        if status in ("cancelled", "killed"):
            full = f" The disk of {self.folder} is full." if is_full(self.folder) else ""
            raise RunError(
                f"{self.name} was {status}; finished steps are kept.{full} Go on with `workbench "
                f"resume {self.name}`."
            )

    def cancel(self) -> None:
        """Ask the run to stop; after two seconds its process is ended."""
        if self.ended:
            return
        (self.folder / "cancel").touch()
        limit = time.monotonic() + GRACE_SECONDS
        while not self.ended and time.monotonic() < limit:
            time.sleep(0.05)
        if not self.ended:
            end_session(self._state())
            self._mark("cancelled", pid=None)

    def resume(self, *, trust: bool = False) -> Run:
        """Go on after the last finished step; a run under way or finished is left as it is.

        A task that was made in a notebook lies beside the run as a pickle, which is read only if
        you sealed it yourself on this machine; `trust=True` vouches for one of somebody else's.
        Raises RunError for one that is not yours.
        """
        if self.status in ("starting", "running", "finished"):
            return self
        private = self.folder / "private"
        if any((private / name).exists() for name in PICKLES):
            if trust:
                vouch_for(private)
            check_signature(private, FILES)
        (self.folder / "cancel").unlink(missing_ok=True)
        self._launch()
        return self

    def open_test(self) -> TestLine:
        """Open the test split for the last candidate of a run that was told not to, here and now.

        Every look is counted for these test rows, whatever run makes it. Raises RunError while the
        run is not finished, or when its test rows are not at hand.
        """
        from workbench.runs.opening_test import open_test

        if self.status != "finished":
            raise RunError(f"{self.name} is {self.status}: test is opened for finished runs.")
        private = self.folder / "private"
        sealed = open_task(private)
        task = self._task_here or sealed
        trail = Trail(self.folder, task=task)
        if sealed is not None:
            rows = open_sealed(private)
        else:
            rows = None if trail.task is None else trail.task.data.test
        if rows is None:
            raise RunError(f"The test rows of {self.name} are not at hand: hand over its task.")
        line = open_test(trail, rows, Report())
        discard(private)
        return line

    @property
    def result(self) -> Any:
        """The trail of candidates so far; the whole of it once the run has finished."""
        return Trail(self.folder, task=self._task_here)

    _task_here: Task | None = None

    def _state(self) -> dict[str, Any]:
        """The last state that the run's process wrote, or that its parent wrote before."""
        for name in ("state.json", "process.json"):
            if (self.folder / name).exists():
                return read_json(self.folder / name, _checked_state, error=RunError)
        return {"status": "starting", "pid": None, "born": None}

    def _launch(self) -> None:
        write_json(self.folder / "process.json", _starting())
        (self.folder / "state.json").unlink(missing_ok=True)
        # references such as mycode:task were valid in this folder
        here = read_json(self.folder / "run.json", lambda a: str(a["started_in"]), error=RunError)
        pid = start_process(self.folder, here)
        write_json(self.folder / "process.json", {"status": "starting", **identity(pid)})

    def _mark(self, status: str, pid: int | None, error: str = "") -> None:
        write_json(
            self.folder / "state.json",
            {"status": status, "error": error, "time": time.time(), **identity(pid)},
        )


def _starting() -> dict[str, Any]:
    """The state of a process that is about to be started."""
    return {"status": "starting", "pid": None, "born": None, "time": time.time()}


def _checked_state(state: Any) -> dict[str, Any]:
    """The content of `state.json`; raises ValueError for one that was never written."""
    pid, born, error = state["pid"], state.get("born"), state.get("error", "")
    is_process = pid is None or (type(pid) is int and 0 < pid < 2**31)
    is_time = born is None or type(born) in (int, float)
    times = type(state.get("time", 0)) in (int, float)
    if state["status"] not in STATES or not (is_process and is_time and times):
        raise ValueError("no state of a run")
    return {**state, "born": born, "error": str(error)}


def _is_being_started(state: dict[str, Any]) -> bool:
    return (
        state["status"] == "starting"
        and state["pid"] is None
        and time.time() - state.get("time", 0) < START_SECONDS
    )
