"""Report: sends events of running work to listeners, and raises `Cancelled` on request.

Work calls `report.progress(...)`, `report.curve(...)` or `report.message(...)`. A console bar, a
widget or a file listens. Each of these calls also raises `Cancelled` after a request to cancel.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from workbench.errors import Cancelled

__all__ = ["Event", "PartReport", "Report", "append_to", "read_events"]


@dataclass(frozen=True)
class Event:
    """An event of a run: its kind, its step, its data and its time in seconds since 1970.

    `kind` is one of: run_started, step_started, progress (done, total, text), curve (name, x, y),
    message (text), step_finished (rows; and decision, for a step that decided), run_finished,
    run_failed (error), run_cancelled. The names in brackets are the keys of `data`.
    """

    kind: str
    step: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    time: float = field(default_factory=time.time)

    def to_json(self) -> str:
        """One line of JSON; numbers of numpy and torch become plain, other objects become text."""
        return json.dumps(asdict(self), default=_plain)


Listener = Callable[[Event], None]


class Report:
    """Sends events to listeners; raises `Cancelled` at the first call after a request to cancel.

    `cancelled()` says whether there was one. `step` is the name that the events carry.
    """

    def __init__(
        self, *listeners: Listener, cancelled: Callable[[], bool] = lambda: False, step: str = ""
    ) -> None:
        self._listeners = listeners
        self._cancelled = cancelled
        self._step = step

    def for_step(self, step: str) -> Report:
        """The same report, whose events carry the name of a step."""
        return Report(*self._listeners, cancelled=self._cancelled, step=step)

    def with_listener(self, listener: Listener) -> Report:
        """The same report with one more listener."""
        listeners = (*self._listeners, listener)
        return Report(*listeners, cancelled=self._cancelled, step=self._step)

    def part(self, number: int, n: int, text: str = "", *, curves: bool = True) -> PartReport:
        """The report of part `number`, counted from 0, of `n` parts of the work.

        `text` stands before the text of each progress; `curves=False` drops curves.
        """
        return PartReport(self, number, n, text, curves=curves)

    def silent(self) -> Report:
        """A report that shows nothing, and is cancelled with this one."""

        def cancelled() -> bool:
            self.check()  # raises Cancelled itself
            return False

        return Report(cancelled=cancelled)

    def __call__(self, event: Event) -> None:
        """Send an event to all listeners; raises Cancelled after a request to cancel."""
        self.check()
        for listener in self._listeners:
            listener(event)

    def check(self) -> None:
        """Raise Cancelled after a request to cancel."""
        if self._cancelled():
            raise Cancelled("Cancelled on request; finished steps are kept.")

    def send(self, kind: str, **data: Any) -> None:
        """Send an event of this kind with these data; raises Cancelled as a call does."""
        self(Event(kind, self._step, data))

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Send the amount done, out of the total, and the work under way."""
        self.send("progress", done=done, total=total, text=text)

    def curve(self, name: str, x: float, y: float) -> None:
        """Send one more point of a curve, such as the loss (y) at a step (x)."""
        self.send("curve", name=name, x=x, y=y)

    def message(self, text: str) -> None:
        """Send a sentence for the user."""
        self.send("message", text=text)


class PartReport(Report):
    """Report of part `number` of `n`: its progress is added to that of the parts before it.

    `text` names the part in front of each progress text. `curves=False` drops its curves.
    """

    def __init__(
        self, whole: Report, number: int, n: int, text: str = "", *, curves: bool = True
    ) -> None:
        super().__init__()
        self._whole = whole
        self._number = number
        self._n = n
        self._text = text
        self._curves = curves

    def check(self) -> None:
        """Raise Cancelled when the whole was asked to stop."""
        self._whole.check()

    def __call__(self, event: Event) -> None:
        """Send an event to the listeners of the whole."""
        self._whole(event)

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Report the progress of the part as a fraction of the whole."""
        share = min(1.0, done / max(total, 1))
        texts = filter(None, (self._text, text))
        self._whole.progress(self._number + share, self._n, ": ".join(texts))

    def curve(self, name: str, x: float, y: float) -> None:
        """Send a point of a curve, or drop it if the part shows no curves."""
        if self._curves:
            self._whole.curve(name, x, y)
        else:
            self._whole.check()


def append_to(path: Path) -> Listener:
    """A listener that appends every event to a file of JSON lines."""

    def listen(event: Event) -> None:
        with path.open("ab+") as file:
            if _ends_within_a_line(file):
                file.write(b"\n")
            file.write(event.to_json().encode() + b"\n")

    return listen


def _ends_within_a_line(file: BinaryIO) -> bool:
    """Whether the last line was only partly written, by a process that was killed."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def read_events(path: Path, offset: int = 0) -> Iterator[tuple[Event, int]]:
    """Events of a JSON-lines file from a byte offset on, each with the offset after it.

    Reading ends before a line that is only partly written; the next reading starts there.
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
            except (ValueError, TypeError, RecursionError):
                continue  # a line damaged by a full disk or a power failure
            yield event, offset


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
