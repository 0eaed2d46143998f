"""The progress bar of a terminal."""

from __future__ import annotations

from typing import Any

from workbench.events import Event

__all__ = ["console"]


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
