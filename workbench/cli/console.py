"""What a terminal shows: the progress bar, tables in its width, and JSON."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from workbench.events import Event

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "output", "print_json"]

PIPE_WIDTH = 150  # columns of a table that goes to a file or another program


class console:
    """A listener that draws a progress bar in a terminal; use it as a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.fields[step]:<14}", markup=False),
            BarColumn(bar_width=28),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            disable=quiet,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> console:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._progress.console.print(
            text, style="dim", markup=False, highlight=False, soft_wrap=True
        )

    def __call__(self, event: Event) -> None:
        if event.kind in ("step_started", "progress", "step_finished"):
            bar = self._tasks.get(event.step)
            if bar is None:
                bar = self._tasks[event.step] = self._progress.add_task(
                    "", total=1.0, step=event.step or "run"
                )
            total = event.data.get("total") or 1.0
            done = total if event.kind == "step_finished" else event.data.get("done", 0.0)
            text = "done" if event.kind == "step_finished" else event.data.get("text", "")
            self._progress.update(bar, completed=done / total, description=text)
        elif event.kind == "message":
            self.say(f"{event.step or 'run'}: {event.data['text']}")


def output() -> Console:
    """The console for results, as wide as the terminal; 150 columns where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def print_json(data: Any) -> None:
    """Print data as JSON; numbers that JSON does not have (NaN, infinity) become null."""
    print(json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False, default=str))


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
