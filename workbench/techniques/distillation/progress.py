"""Progress of one training among several, reported as a part of the whole."""

from __future__ import annotations

from workbench.events import Event, Report

__all__ = ["PartReport"]


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
        fraction = (self._number + done / max(total, 1)) / self._n
        self._whole.progress(fraction, 1.0, ", ".join(filter(None, (self._text, text))))

    def curve(self, name: str, x: float, y: float) -> None:
        """Send a point of a curve, or drop it if the part shows no curves."""
        if self._curves:
            self._whole.curve(name, x, y)
        else:
            self._whole.check()
