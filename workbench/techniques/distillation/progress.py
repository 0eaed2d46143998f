"""A share of a report: one training of several moves the bar by its part, and only one of them
draws curves.
"""

from __future__ import annotations

from workbench.events import Event, Report

__all__ = ["Share"]


class Share(Report):
    """Passes on what work number `number` of `n` reports; its progress becomes that of the whole."""

    def __init__(
        self, report: Report, number: int, n: int, text: str = "", *, curves: bool = True
    ) -> None:
        super().__init__()
        self._whole, self._number, self._n, self._text, self._curves = (
            report,
            number,
            n,
            text,
            curves,
        )

    def check(self) -> None:
        self._whole.check()

    def __call__(self, event: Event) -> None:
        self._whole(event)

    def progress(self, done: float, total: float, text: str = "") -> None:
        whole = (self._number + done / max(total, 1)) / self._n
        self._whole.progress(
            whole, 1.0, f"{self._text}, {text}" if self._text and text else self._text or text
        )

    def curve(self, name: str, x: float, y: float) -> None:
        if self._curves:
            self._whole.curve(name, x, y)
        else:
            self._whole.check()
