"""RunView, one run while it works: status, a line a step, live curves, messages.

The wizard hands it the events; it reads no file itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

from ipywidgets import HTML, Box, VBox

from workbench.events import Event
from workbench.recipe import Recipe
from workbench.widgets.dress import words
from workbench.widgets.livechart import LiveChart
from workbench.widgets.story import Story, messages_html, progress_html

__all__ = ["RunView"]


class RunView(VBox):
    """Widgets that show a story; any thread may set them, and a reloaded page shows them again."""

    def __init__(self) -> None:
        self.story = Story({})
        self.status = HTML().add_class("wb-status")
        self._progress = HTML().add_class("wb-progress")
        self._messages = HTML().add_class("wb-messages")
        self._losses = LiveChart(title="Losses", height=200).add_class("wb-chart")
        self._scores = LiveChart(title="Scores", height=200).add_class("wb-chart")
        self._charts = Box([]).add_class("wb-charts")
        super().__init__([self._progress, self._charts, self._messages])
        self.add_class("wb-runview")

    def say(self, state: str, text: str) -> None:
        """Show the status line.

        `state` is ready, running, finished, failed, cancelled or killed, and sets its colour.
        """
        first, _, rest = text.partition("\n")
        more = f"<pre class='wb-more' tabindex='0'>{escape(rest)}</pre>" if rest else ""
        badge = f"<span class='wb-state wb-state-{state}'>{escape(state)}</span>"
        self.status.value = f"{badge}<div>{words(first)}{more}</div>"

    def begin(self, recipe: Recipe) -> None:
        """Forget the last run, and show the planned steps of this one."""
        self.story = Story.of(recipe)
        self._losses.clear()
        self._scores.clear()
        self._charts.children = ()
        self._draw()

    def take(self, events: Sequence[Event]) -> None:
        """Show more events, with one redraw for all of them."""
        for event in events:
            self.story.take(event)
            if event.kind == "curve":
                self._plot(event)
        if events:
            self._draw()

    def tick(self) -> None:
        """Show how long the running step takes by now, also while it sends no event."""
        self.story.tick(time.time())
        self._progress.value = progress_html(self.story)

    def end(self) -> None:
        """Show that the run has ended."""
        self.story.end()
        self._losses.send_all()
        self._scores.send_all()
        self._draw()

    def _plot(self, event: Event) -> None:
        name = str(event.data["name"])
        chart = self._losses if "loss" in name else self._scores
        if chart not in self._charts.children:
            charts = {*self._charts.children, chart}
            self._charts.children = [c for c in (self._losses, self._scores) if c in charts]
        chart.add(f"{self.story.label(event.step)}: {name}", event.data["x"], event.data["y"])

    def _draw(self) -> None:
        self._progress.value = progress_html(self.story)
        self._messages.value = messages_html(self.story)
