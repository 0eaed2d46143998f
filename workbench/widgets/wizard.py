"""wizard(), one page to optimize a model: choose steps, run them, compare, and copy the code.

The run is a process of its own; a thread here follows its events and sets widget traits. The kernel
keeps everything that the page shows, so a reloaded page shows it again. A run continues without the
page and without the kernel, and another wizard can follow it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ipywidgets import HTML, Dropdown, HBox, VBox

from workbench.errors import RunError, WorkbenchError
from workbench.recipe import Recipe
from workbench.runs.estimates import estimate
from workbench.runs.folders import run_folders, runs_root
from workbench.runs.handle import Run, attach
from workbench.runs.launch import launch
from workbench.runs.trail import Trail
from workbench.settings import USUAL_BUDGET
from workbench.task import Task
from workbench.widgets.choices import Choices
from workbench.widgets.code import CodeView
from workbench.widgets.dress import Dress, words
from workbench.widgets.ledgerview import LedgerView
from workbench.widgets.runview import RunView
from workbench.widgets.steps import button
from workbench.widgets.wording import BUTTONS, CARDS

__all__ = ["Wizard", "wizard"]

POLL_SECONDS = 0.1
TICK_SECONDS = 1.0
SHOWN_RUNS = 50


def wizard(
    task: Task | str = "fashion",
    start: str = "",
    *,
    steps: Sequence[Any] = (),
    budget: str = USUAL_BUDGET,
    root: str | Path | None = None,
    store: str = "",
    **options: Any,
) -> Wizard:
    """A wizard that starts with these choices; `steps` are written as for `Recipe.make`.

    `options` are the other options of a run, as `RunOptions` declares them: `seed`, `device`,
    `task_args`, `threads`, `batch_sizes`, `test` and the rest. To display it starts no run and
    waits for no input, so a notebook with a wizard runs unattended. Raises RecipeError that names
    each wrong step and option.
    """
    name = task.name if isinstance(task, Task) else task
    recipe = Recipe.make(name, steps, start=start, budget=budget, **options)
    own = task if isinstance(task, Task) else None
    return Wizard(Choices(recipe, own), root=root, store=store)


class Wizard(VBox):
    """The choices, the run, the results of all runs shown here, and the code of the choices."""

    def __init__(
        self, choices: Choices, *, root: str | Path | None = None, store: str = ""
    ) -> None:
        self.run: Run | None = None
        """The run that was started or shown last."""
        self._root, self._store = runs_root(root), store
        self._busy, self._worker = False, threading.Thread()
        self._choices = choices
        self._view, self._ledger, self._code = RunView(), LedgerView(), CodeView()
        self._run, self._cancel, self._attach = button("run"), button("cancel"), button("show")
        self._run.button_style = "primary"
        self._cancel.disabled = True
        self._estimate = HTML().add_class("wb-help").add_class("wb-estimate")
        self._earlier = Dropdown(description="Earlier runs", options=[]).add_class("wb-earlier")
        super().__init__([Dress(), *self._cards()])
        self.add_class("wb-root").add_class("wb-wizard")
        self._run.on_click(lambda _: self._start())
        self._cancel.on_click(lambda _: self._stop())
        self._attach.on_click(lambda _: self._reattach())
        self._choices.on_change(self._show_choices)
        self._view.say("ready", self._offer())
        self._show_choices()

    def __repr__(self) -> str:
        """The text in a saved notebook, where no kernel draws the widget."""
        return (
            f"Wizard({self.run!r})" if self.run is not None else "Wizard: run this cell to see it"
        )

    @property
    def recipe(self) -> Recipe:
        """The current choices; raises SettingsError or RecipeError that names each problem."""
        return self._choices.recipe

    @property
    def result(self) -> Trail | None:
        """The trail of the last run so far; None before its first step has finished."""
        try:
            return None if self.run is None else self.run.result
        except RunError:
            return None

    def _cards(self) -> list[VBox]:
        bar = HBox([self._run, self._cancel, self._estimate, self._view.status]).add_class(
            "wb-toolbar"
        )
        earlier = HBox([self._earlier, self._attach]).add_class("wb-reattach")
        return [
            _card(CARDS["choices"], self._choices),
            _card(CARDS["run"], HBox([bar, earlier]).add_class("wb-bars"), self._view),
            _card(CARDS["result"], self._ledger),
            _card(CARDS["code"], self._code),
        ]

    def _start(self) -> None:
        if self._busy:
            return
        recipe, task = self.recipe, self._choices.task
        self._view.begin(recipe)
        self._view.say("running", "Starting a process for this run.")
        self._set_busy(True)
        self._worker = _in_thread(
            lambda: self._guarded(lambda: launch(recipe, task, root=self._root, store=self._store))
        )

    def _stop(self) -> None:
        if self.run is None:
            return
        self._cancel.disabled = True
        self._view.say("running", "Cancelling; finished steps are kept.")
        _in_thread(self.run.cancel)

    def _reattach(self) -> None:
        chosen = self._earlier.value
        if chosen is None or self._busy:
            return
        self._set_busy(True)
        self._worker = _in_thread(lambda: self._guarded(lambda: self._attached(chosen)))

    def _attached(self, folder: str) -> Run:
        run = attach(folder)
        self._view.begin(run.recipe)
        return run

    def _guarded(self, get_run: Callable[[], Run]) -> None:
        """Get a run and follow it to its end; an error is shown, as a thread's traceback is not."""
        try:
            self.run = get_run()
            self._follow(self.run)
        except Exception as error:
            kind = "" if isinstance(error, WorkbenchError) else f"{type(error).__name__}: "
            self._view.say("failed", f"{kind}{error}")
        finally:
            self._view.end()
            self._set_busy(False)

    def _follow(self, run: Run) -> None:
        """Show the events of a run until it ends; new events are drawn together."""
        recipe, offset, ended, n_shown = run.recipe, 0, False, -1
        ticked = time.monotonic()
        self._cancel.disabled = run.ended
        if not run.ended:
            self._view.say("running", f"{run.name}: continues if you close this page.")
        while not ended:
            ended = run.ended  # read before the events, so that the last ones are not missed
            fresh = list(run.events(offset))
            offset = fresh[-1][1] if fresh else offset
            self._view.take([event for event, _ in fresh])
            story = self._view.story
            n_lines = len(story.rows) + len(story.decisions)
            if n_lines != n_shown:
                n_shown = n_lines
                self._ledger.show(run.name, recipe, story.rows, decisions=story.decisions)
            if not ended:
                if time.monotonic() - ticked >= TICK_SECONDS:
                    ticked = time.monotonic()
                    self._view.tick()
                time.sleep(POLL_SECONDS)
        self._show_end(run, recipe)

    def _show_end(self, run: Run, recipe: Recipe) -> None:
        trail, story = self.result, self._view.story
        test = trail.test if trail else None
        self._ledger.show(run.name, recipe, story.rows, test, decisions=story.decisions)
        notes = {
            "finished": f"All files are in {run.folder}.",
            "failed": run.error,
            "cancelled": f"{run.name}: finished steps are kept.",
            "killed": f"{run.name}: its process has ended early. Continue the run with: "
            f"workbench resume {run.name}",
        }
        self._view.say(run.status, notes.get(run.status, run.name))

    def _set_busy(self, busy: bool) -> None:
        self._busy = busy
        self._run.description = "Running" if busy else BUTTONS["run"].label
        self._cancel.disabled = True
        if not busy:
            self._list_runs()
            self._show_estimate()
        self._enable()

    def _enable(self) -> None:
        self._run.disabled = self._busy or bool(self._choices.problem)
        self._attach.disabled = self._earlier.disabled = self._busy or not self._earlier.options

    def _show_choices(self) -> None:
        if problem := self._choices.problem:
            self._code.blank(f"No code while a choice is wrong. {problem}")
        else:
            task = self._choices.task
            is_own = isinstance(task, Task) and not task.built_in
            self._code.show(self.recipe, in_notebook=is_own)
        self._show_estimate()
        self._enable()

    def _show_estimate(self) -> None:
        """How long the choices will take, beside the button; empty while a choice is wrong."""
        is_wrong = bool(self._choices.problem)
        self._estimate.value = (
            "" if is_wrong else words(estimate(self.recipe, self._choices.task).text)
        )

    def _list_runs(self) -> None:
        folders = run_folders(self._root)[: -SHOWN_RUNS - 1 : -1]
        self._earlier.options = [(f"{f.name}  ({Run(f).status_shown})", str(f)) for f in folders]
        self._earlier.index = 0 if folders else None

    def _offer(self) -> str:
        """The first status line: a run that an earlier kernel started may still be running."""
        self._list_runs()
        running = [name for name, folder in self._earlier.options if not Run(Path(folder)).ended]
        if running:
            return f"{running[0]}: Show follows this run."
        return f"Runs are kept in {self._root}."


def _card(title: str, *children: Any) -> VBox:
    return VBox([HTML(f"<h3>{title}</h3>").add_class("wb-title"), *children]).add_class("wb-card")


def _in_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
