"""Report, the only way outward while working: events go to listeners, and a request to cancel comes
back.

Work calls `report.progress(...)`, `report.curve(...)` or `report.message(...)`; a console bar, a
widget or a file listens. Every call is also the place where a request to cancel is noticed, as
`Cancelled`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import Cancelled

__all__ = ["Event", "Report", "append_to", "read_events"]


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    `kind` is one of: run_started, step_started, progress (done, total, text), curve (name, x, y),
    message (text), step_finished (row), run_finished, run_failed (error), run_cancelled.
    """

    kind: str
    step: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    time: float = field(default_factory=time.time)

    def to_json(self) -> str:
        return json.dumps(
            asdict(self), default=lambda o: o.item() if hasattr(o, "item") else str(o)
        )


Listener = Callable[[Event], None]


class Report:
    """Sends events to listeners, and raises `Cancelled` at the next call once somebody asked for
    it.
    """

    def __init__(
        self, *listeners: Listener, cancelled: Callable[[], bool] = lambda: False, step: str = ""
    ) -> None:
        self._listeners = listeners
        self._cancelled = cancelled
        self._step = step

    def for_step(self, step: str) -> Report:
        """The same report, its events marked as those of a step."""
        return Report(*self._listeners, cancelled=self._cancelled, step=step)

    def __call__(self, event: Event) -> None:
        """Send an event; raises Cancelled when the work was asked to stop."""
        self.check()
        for listener in self._listeners:
            listener(event)

    def check(self) -> None:
        """Raise Cancelled when the work was asked to stop."""
        if self._cancelled():
            raise Cancelled("Cancelled on request; finished steps are kept.")

    def send(self, kind: str, **data: Any) -> None:
        self(Event(kind, self._step, data))

    def progress(self, done: float, total: float, text: str = "") -> None:
        self.send("progress", done=done, total=total, text=text)

    def curve(self, name: str, x: float, y: float) -> None:
        """One more point of a curve, such as the loss (y) at a step (x)."""
        self.send("curve", name=name, x=x, y=y)

    def message(self, text: str) -> None:
        self.send("message", text=text)


def append_to(path: Path) -> Listener:
    """A listener that appends every event to a file of JSON lines."""

    def listen(event: Event) -> None:
        with path.open("ab+") as file:
            torn = file.tell() > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
            file.write(
                b"\n" * torn + event.to_json().encode() + b"\n"
            )  # a line torn by a kill must not take this one with it

    return listen


def read_events(path: Path, offset: int = 0) -> Iterator[tuple[Event, int]]:
    """Events of a JSON-lines file from a byte offset on, each with the offset after it; a
    half-written line waits.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                event = Event(**json.loads(line))
            except (ValueError, TypeError):
                # a line torn by a full disk or a lost machine; the ones after it still count
                continue
            yield event, offset
