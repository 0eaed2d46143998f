"""A run as told by its events: the clock of the running step goes on between events."""

from __future__ import annotations

from workbench.events import Event
from workbench.recipe import Recipe
from workbench.widgets.runview import RunView
from workbench.widgets.story import Story, progress_html

RECIPE = Recipe.make("digits", ["quantization"], start="cnn", budget="smoke")


def test_seconds_of_the_running_step_go_on_between_events():
    story = Story.of(RECIPE)
    story.take(Event("step_started", "start", {"text": "cnn on digits"}, time=100.0))
    story.tick(104.0)
    assert story.stages["start"].seconds == 4.0
    assert "4.0 s" in progress_html(story)
    story.take(Event("step_finished", "start", {}, time=105.0))
    story.tick(200.0)
    assert story.stages["start"].seconds == 5.0, "a step that has ended stands still"
    assert story.stages["quantization"].seconds == 0.0, "one that waits has no time"


def test_view_is_drawn_again_by_a_tick():
    view = RunView()
    view.begin(RECIPE)
    view.take([Event("step_started", "start", {"text": "cnn on digits"}, time=1.0)])
    drawn = view._progress.value
    view.tick()
    assert view._progress.value != drawn
