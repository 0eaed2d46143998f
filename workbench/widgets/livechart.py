"""LiveChart, curves that grow during a run and are complete again after a page reload.

The kernel keeps the history. Points go to the page as binary deltas, at most ten a second; a page
that renders the chart says hello and gets everything. A delta says how many points came before it:
a page that missed one says hello again. A server may also drop the last delta (it limits bytes a
second): a page that hears nothing says how many points it has, ever more rarely.

    kernel   full {series} + all points            add {series, after} + new points     full
                ^                                             |                          ^
    page     hello (rendered, or a gap noticed)               v  draw      have {n}, if n is too few

The script is uPlot 1.6.32 (MIT, beside it in `static/`) and `static/livechart.js`, sent as one
text: nothing is fetched.
"""

from __future__ import annotations

import threading
import time
from array import array
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.figures.theme import palette

__all__ = ["LiveChart"]

_STATIC = Path(__file__).with_name("static")
_INTERVAL = 0.1  # seconds between two deltas


def _script() -> str:
    """uPlot and our own script as one module.

    The export of uPlot is removed, because a module has at most one default export.
    """
    uplot = (
        (_STATIC / "uPlot.esm.js")
        .read_text(encoding="utf-8")
        .replace("export { uPlot as default };", "")
    )
    return uplot + (_STATIC / "livechart.js").read_text(encoding="utf-8")


class LiveChart(anywidget.AnyWidget):
    """Curves drawn while they grow: `add(name, x, y)` from any thread; a new name is a new curve.

    A value that is not finite leaves a gap. The points are kept as long as the widget lives, 16
    bytes each.
    """

    # anywidget reads these from the class, so the two files are read when the class is made
    _esm = _script()
    _css = (_STATIC / "uPlot.min.css").read_text(encoding="utf-8") + (
        _STATIC / "livechart.css"
    ).read_text(encoding="utf-8")

    title = traitlets.Unicode("Live chart", help="Title of the chart, for screen readers.").tag(
        sync=True
    )
    x_title = traitlets.Unicode("step", help="Name of the x axis.").tag(sync=True)
    height = traitlets.Int(
        260, help="Height of the plot in CSS pixels; its width is that of its container."
    ).tag(sync=True)
    colors = traitlets.List(
        traitlets.Unicode(), list(palette.series), help="Colours of the curves."
    ).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        # held while sending too, so that deltas are sent in the order in which they count points
        self._lock = threading.RLock()
        self._history: dict[str, array[float]] = {}  # name -> x0, y0, x1, y1, ...
        self._sent: dict[str, int] = {}  # name -> how many of these numbers were sent
        self._timer: threading.Timer | None = None
        self._last = float("-inf")
        super().__init__(**traits)
        self.on_msg(self._on_message)

    def add(self, name: str, x: float, y: float) -> None:
        """Add a point to a curve; it is shown within a tenth of a second."""
        point = (float(x), float(y))
        with self._lock:
            self._history.setdefault(name, array("d")).extend(point)
            wait = self._last + _INTERVAL - time.monotonic()
            if wait <= 0:
                self.flush()
            elif self._timer is None:
                # without the timer, the last points before a pause would wait for the next point
                self._timer = threading.Timer(wait, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Send the points that were not sent yet, now."""
        with self._lock:
            fresh = {
                name: points[self._sent.get(name, 0) :] for name, points in self._history.items()
            }
            self._send_points("add", {name: points for name, points in fresh.items() if points})

    def send_all(self) -> None:
        """Send all points again, for a page that lost some on the way."""
        with self._lock:
            self._send_points("full", self._history)

    def clear(self) -> None:
        """Forget all points and curves, here and on the page."""
        with self._lock:
            self._history.clear()
            self._sent.clear()
            self._send_points("full", {})

    def close(self) -> None:
        """Remove the chart from the page, and drop a delta that waits for its time."""
        with self._lock:
            self._stop_timer()
        super().close()

    def _on_message(self, _: object, content: dict[str, Any], __: object) -> None:
        with self._lock:
            n_sent = sum(self._sent.values()) // 2
            is_short = content.get("kind") == "have" and content.get("n") != n_sent
            if is_short or content.get("kind") == "hello":
                self._send_points("full", self._history)

    def _send_points(self, kind: str, series: dict[str, array[float]]) -> None:
        """Send points, (n, 2) float64 a curve; the lock is held by the caller."""
        self._stop_timer()
        if kind == "add" and not series:
            return
        self._last = time.monotonic()
        after = sum(self._sent.values()) // 2
        self._sent = {name: len(points) for name, points in self._history.items()}
        self.send(
            {"kind": kind, "series": list(series), "after": after},
            buffers=[p.tobytes() for p in series.values()],
        )

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
