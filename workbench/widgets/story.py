"""Story, the events of a run added up: a line a step, messages, rows, decisions.

The story is numbers and text; the functions `*_html` draw it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from workbench.errors import UnknownName
from workbench.events import Event
from workbench.ledger.rows import Row
from workbench.recipe import Recipe
from workbench.techniques import get_technique

__all__ = ["DecisionLine", "Stage", "Story", "decision_html", "messages_html", "progress_html"]

SHOWN_MESSAGES = 200


@dataclass(frozen=True)
class DecisionLine:
    """The decision of a step that gives no model: verdict, reason, numbers, and what to do next."""

    step: str
    verdict: str
    reason: str = ""
    numbers: tuple[tuple[str, str], ...] = ()
    action: str = ""

    @classmethod
    def of(cls, step: str, data: Mapping[str, Any]) -> DecisionLine:
        """The decision in the data of an event."""
        numbers = tuple((str(k), _number_text(v)) for k, v in (data.get("numbers") or {}).items())
        parts = (str(data.get(key) or "").strip() for key in ("verdict", "reason", "action"))
        verdict, reason, action = parts
        return cls(step, verdict, reason, numbers, action)

    @property
    def text(self) -> str:
        """The decision in a line, without the numbers."""
        reason = f" - {self.reason}" if self.reason else ""
        action = f" Next: {_sentence(self.action)}" if self.action else ""
        return f"{_sentence(f'Decision: {self.verdict}{reason}')}{action}"


@dataclass
class Stage:
    """One step of a run while it works.

    `state` is waiting, running, done, stopped or skipped; `done` is the finished fraction, 0 to 1.
    """

    label: str
    state: str = "waiting"
    done: float = 0.0
    text: str = ""
    began: float = 0.0
    seen: float = 0.0
    decision: DecisionLine | None = None

    @property
    def seconds(self) -> float:
        """Seconds from the first event of the step to the last, or to the last tick."""
        return max(self.seen - self.began, 0.0) if self.began else 0.0


@dataclass
class Story:
    """A run as told by its events; `stages` are the planned steps, by their name in events."""

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

    @property
    def decisions(self) -> list[DecisionLine]:
        """The decisions so far, in the order of the steps."""
        return [s.decision for s in self.stages.values() if s.decision is not None]

    def take(self, event: Event) -> None:
        """Add one event."""
        if event.kind == "message":
            self.messages.append((self.label(event.step), str(event.data.get("text", ""))))
        stage = self.stages.get(event.step)
        if stage is None:
            return
        stage.seen = event.time
        if event.kind == "step_started":
            stage.state, stage.began, stage.done = "running", event.time, 0.0
            stage.text = event.data.get("text", "")
        elif event.kind == "progress":
            stage.done = min(event.data.get("done", 0.0) / (event.data.get("total") or 1.0), 1.0)
            stage.text = event.data.get("text", "")
        elif event.kind == "step_finished":
            stage.state, stage.done, stage.text = "done", 1.0, ""
            if event.data.get("decision"):
                stage.decision = DecisionLine.of(stage.label, event.data["decision"])
            self._add([Row.from_json(r) for r in event.data.get("rows", ())])

    def tick(self, now: float) -> None:
        """Count the seconds of the step that runs up to `now`, seconds since 1970."""
        for stage in self.stages.values():
            if stage.state == "running":
                stage.seen = max(stage.seen, now)

    def end(self) -> None:
        """The run has ended: a step that was running is stopped, one that was waiting skipped."""
        for stage in self.stages.values():
            if stage.state == "running":
                stage.state, stage.text = "stopped", "stopped"
            elif stage.state == "waiting":
                stage.state, stage.text = "skipped", "not run"

    def label(self, step: str) -> str:
        """The name of a step as it is shown."""
        return self.stages[step].label if step in self.stages else step or "Run"

    def _add(self, rows: Iterable[Row]) -> None:
        """Add rows of a step; a resumed run may report the same step twice."""
        fresh = list(rows)
        keys = {(r.step, r.candidate, r.runtime) for r in fresh}
        kept = [r for r in self.rows if (r.step, r.candidate, r.runtime) not in keys]
        self.rows = kept + fresh


def progress_html(story: Story) -> str:
    """A line a step: its mark, name, bar, time and work; a decision on a line of its own."""
    return f"<ol class='wb-stages'>{''.join(_stage_html(s) for s in story.stages.values())}</ol>"


def _stage_html(stage: Stage) -> str:
    percent = round(100 * stage.done)
    took = f"{stage.seconds:.1f} s" if stage.began else ""
    decision = decision_html(stage.decision) if stage.decision is not None else ""
    return (
        f"<li class='wb-stage wb-stage-{stage.state}'><span class='wb-mark' "
        f"aria-hidden='true'></span><span class='wb-stage-name'>{escape(stage.label)}</span><span "
        f"class='wb-bar' role='progressbar' aria-label='{escape(stage.label)}: {stage.state}' "
        f"aria-valuemin='0' aria-valuemax='100' aria-valuenow='{percent}'><span "
        f"style='width:{percent}%'></span></span><span class='wb-took'>{took}</span><span "
        f"class='wb-stage-text'>{escape(stage.text or stage.state)}</span>{decision}</li>"
    )


def decision_html(decision: DecisionLine, *, with_numbers: bool = False) -> str:
    """The line of a decision; `with_numbers` adds the step and the numbers."""
    numbers = "; ".join(f"{name} {value}" for name, value in decision.numbers)
    step = f"<b>{escape(decision.step)}</b> " if with_numbers else ""
    more = f" <span class='wb-quiet'>({escape(numbers)})</span>" if with_numbers and numbers else ""
    return f"<div class='wb-decision'>{step}{escape(decision.text)}{more}</div>"


def messages_html(story: Story) -> str:
    """The last messages, the newest at the bottom."""
    lines = story.messages[-SHOWN_MESSAGES:]
    return "".join(f"<div><b>{escape(step)}</b> {escape(text)}</div>" for step, text in lines)


def _number_text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _title(technique: str) -> str:
    try:
        return get_technique(technique).title
    except (UnknownName, ImportError):  # the run used a technique that is not installed here
        return technique
