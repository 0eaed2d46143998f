"""Story, what a run's events add up to: a line a step, messages, ledger rows; as numbers first,
then as HTML.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

from workbench.errors import UnknownName
from workbench.events import Event
from workbench.ledger.rows import Row
from workbench.recipe import Recipe
from workbench.techniques import get_technique

__all__ = ["Stage", "Story", "messages_html", "progress_html"]

SHOWN_MESSAGES = 200


@dataclass
class Stage:
    """One step of a run as it is seen while it works; `state` is waiting, running, done or stopped."""

    label: str
    state: str = "waiting"
    done: float = 0.0
    text: str = ""
    began: float = 0.0
    seen: float = 0.0

    @property
    def seconds(self) -> float:
        return max(self.seen - self.began, 0.0) if self.began else 0.0


@dataclass
class Story:
    """A run as told by its events; `stages` are all that are planned, in order, by the name that
    events give them.
    """

    stages: dict[str, Stage]
    messages: list[tuple[str, str]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def of(cls, recipe: Recipe) -> Story:
        """The story of a recipe before its first event."""
        steps = {
            label: Stage(label.replace(step.technique, _title(step.technique), 1))
            for label, step in zip(recipe.labels, recipe.steps, strict=True)
        }
        return cls({"start": Stage("Start"), **steps, "test": Stage("Test")})

    def take(self, event: Event) -> None:
        """Add one event."""
        if event.kind == "message":
            self.messages.append((self.label(event.step), str(event.data.get("text", ""))))
        stage = self.stages.get(event.step)
        if stage is None:
            return
        stage.seen = event.time
        if event.kind == "step_started":
            stage.state, stage.began, stage.done, stage.text = (
                "running",
                event.time,
                0.0,
                event.data.get("text", ""),
            )
        elif event.kind == "progress":
            stage.done = min(event.data.get("done", 0.0) / (event.data.get("total") or 1.0), 1.0)
            stage.text = event.data.get("text", "")
        elif event.kind == "step_finished":
            stage.state, stage.done, stage.text = "done", 1.0, ""
            self._add([Row.from_json(r) for r in event.data.get("rows", ())])

    def end(self) -> None:
        """The run has ended: what was under way will not go on."""
        for stage in self.stages.values():
            if stage.state == "running":
                stage.state, stage.text = "stopped", "stopped"

    def label(self, step: str) -> str:
        """The name of a step as people read it."""
        return self.stages[step].label if step in self.stages else step or "Run"

    def _add(self, rows: Iterable[Row]) -> None:
        """Rows of a step; a resumed run may tell the same step twice."""
        fresh = list(rows)
        told = {(r.step, r.candidate, r.runtime) for r in fresh}
        self.rows = [r for r in self.rows if (r.step, r.candidate, r.runtime) not in told] + fresh


def progress_html(story: Story) -> str:
    """A line a step: its mark, its name, a bar, what it is doing and how long it took."""
    return f"<ol class='wb-stages'>{''.join(_stage_html(s) for s in story.stages.values())}</ol>"


def _stage_html(stage: Stage) -> str:
    percent = round(100 * stage.done)
    took = f"{stage.seconds:.1f} s" if stage.began else ""
    return (
        f"<li class='wb-stage wb-stage-{stage.state}'><span class='wb-mark' "
        f"aria-hidden='true'></span><span class='wb-stage-name'>{escape(stage.label)}</span><span "
        f"class='wb-bar' role='progressbar' aria-label='{escape(stage.label)}: {stage.state}' "
        f"aria-valuemin='0' aria-valuemax='100' aria-valuenow='{percent}'><span "
        f"style='width:{percent}%'></span></span><span class='wb-took'>{took}</span><span "
        f"class='wb-stage-text'>{escape(stage.text or stage.state)}</span></li>"
    )


def messages_html(story: Story) -> str:
    """The last messages, the newest at the bottom."""
    lines = story.messages[-SHOWN_MESSAGES:]
    return "".join(f"<div><b>{escape(step)}</b> {escape(text)}</div>" for step, text in lines)


def _title(technique: str) -> str:
    try:
        return get_technique(technique).title
    except (UnknownName, ImportError):  # a run of somebody who has more techniques installed
        return technique
