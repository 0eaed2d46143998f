"""Controls, one for each setting: how each kind of setting is drawn, read and written.

A number has a text field that holds its value, so that a wrong one can be typed and refused in
words. A number with a short range has a slider too. An empty field means None: the value is set
automatically.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from ipywidgets import (
    HTML,
    Box,
    Checkbox,
    Dropdown,
    FloatLogSlider,
    FloatSlider,
    Text,
    Textarea,
    ValueWidget,
    VBox,
    Widget,
)

from workbench.settings import Knob
from workbench.system.texts import UnreadableText, read_yaml
from workbench.widgets.dress import show_if, words
from workbench.widgets.wording import label_of_knob, shown_help, shown_value, with_labels

__all__ = ["Control"]

_AUTO = object()  # the entry for None: ipywidgets shows an empty field for the value None
SLIDER_STEPS = 200  # with more steps than that, a hand cannot reach each of them


@dataclass(frozen=True)
class Drawn:
    """A drawn setting: the widget for the page, the widget that holds the value, read and write."""

    box: Widget
    field: ValueWidget
    read: Callable[[], Any]
    write: Callable[[Any], None]


class Control(VBox):
    """A setting on the page: its label and field, its help, and the problem of its value."""

    def __init__(self, knob: Knob, labels: Mapping[str, str]) -> None:
        """Draw a setting; `labels` holds the labels of all settings of the form by flat name."""
        self.knob, self._labels = knob, labels
        self.problem = ""
        """The problem of the value, as shown; empty if there is none."""
        self.has_effect = True
        """Whether the setting has an effect beside the others; the control is hidden if not."""
        self._drawn = _KINDS[knob.kind](knob)
        self._problem = HTML().add_class("wb-problem")
        help_line = HTML(words(shown_help(knob, labels))).add_class("wb-help")
        super().__init__([self._drawn.box, help_line, self._problem])
        self.add_class("wb-knob").add_class(f"wb-knob-{knob.name}").add_class(
            f"wb-kind-{knob.kind}"
        )
        self.show(knob.default)

    @property
    def value(self) -> Any:
        """The flat value of the setting; the text as typed if it cannot be read as its kind."""
        return self._drawn.read()

    def show(self, value: Any) -> None:
        """Put a flat value into the control."""
        self._drawn.write(value)

    def set_effect(self, has_effect: bool) -> None:
        """Show the control, or hide it and keep its value."""
        self.has_effect = has_effect
        show_if(self, has_effect)

    def set_problem(self, problem: str) -> None:
        """Show a problem in words and with an outline; an empty text removes both."""
        if problem == self.problem:
            return
        self.problem = problem
        self._problem.value = words(with_labels(problem, self.knob, self._labels))
        (self.add_class if problem else self.remove_class)("wb-invalid")

    def set_budget(self, budget: str) -> None:
        """Show in the empty field the value that this budget sets."""
        if self.knob.by_budget is not None and isinstance(self._drawn.field, Text):
            value = self.knob.by_budget.get(budget)
            self._drawn.field.placeholder = f"auto: {'no limit' if value is None else value}"

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every change of the value, by hand or by code."""
        self._drawn.field.observe(lambda _: callback(), "value")


def _common(knob: Knob) -> dict[str, Any]:
    return {"description": label_of_knob(knob), "tooltip": _tooltip(knob)}


def _placeholder(knob: Knob) -> str:
    """The word in an empty field of a setting that may be None."""
    return shown_value(knob.name, None) if knob.optional else ""


def _tooltip(knob: Knob) -> str:
    return f"{knob.name}: {knob.described}"


def _checkbox(knob: Knob) -> Drawn:
    if knob.optional:
        return _options(knob, [("auto", None), ("yes", True), ("no", False)])
    field = Checkbox(indent=False, **_common(knob))
    return Drawn(field, field, lambda: field.value, lambda value: _put(field, bool(value)))


def _choice(knob: Knob) -> Drawn:
    options = [(shown_value(knob.name, c), c) for c in knob.choices]
    return _options(knob, [(_auto(knob), None), *options] if knob.optional else options)


def _auto(knob: Knob) -> str:
    """The entry for None, with the value that it stands for if every budget sets the same."""
    values = set((knob.by_budget or {}).values())
    return f"auto: {shown_value(knob.name, values.pop())}" if len(values) == 1 else "auto"


def _options(knob: Knob, options: list[tuple[str, Any]]) -> Drawn:
    entries = [(label, _AUTO if value is None else value) for label, value in options]
    field = Dropdown(options=entries, **_common(knob))

    def read() -> Any:
        return None if field.value is _AUTO else field.value

    def write(value: Any) -> None:
        field.value = _AUTO if value is None else value

    return Drawn(field, field, read, write)


def _text(knob: Knob) -> Drawn:
    field = Text(continuous_update=False, placeholder=_placeholder(knob), **_common(knob))
    return Drawn(
        field,
        field,
        lambda: None if knob.optional and not field.value else field.value,
        lambda value: _put(field, value or ""),
    )


def _number(knob: Knob) -> Drawn:
    field = Text(continuous_update=False, placeholder=_placeholder(knob), **_common(knob))
    field.add_class("wb-number")

    def read() -> Any:
        return _parsed(field.value, knob)

    slider = _slider(knob, field)
    return Drawn(slider or field, field, read, lambda value: _put(field, _shown(value)))


def _slider(knob: Knob, field: Text) -> Box | None:
    """A slider and the field, each following the other; None if the range is too long."""
    span = _span(knob)
    if span is None:
        return None
    low, high, step = span
    kind = FloatLogSlider if knob.log else FloatSlider
    slider = kind(min=low, max=high, step=step, readout=False, tooltip=_tooltip(knob))
    ends = (10**low, 10**high) if knob.log else (low, high)

    def place() -> float | None:
        value = _parsed(field.value, knob)
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            return None
        return min(max(float(value), ends[0]), ends[1])

    def follow_field() -> None:
        position = place()
        if position is not None:
            slider.value = position

    def follow_slider() -> None:
        position = place()
        if position is not None and math.isclose(
            position, slider.value, rel_tol=1e-9, abs_tol=1e-12
        ):
            return  # the field moved the slider: it keeps every digit that was typed
        is_whole = knob.kind == "int"
        field.value = _shown(round(slider.value) if is_whole else float(f"{slider.value:.3g}"))

    field.observe(lambda _: follow_field(), "value")
    slider.observe(lambda _: follow_slider(), "value")
    return Box([slider, field]).add_class("wb-slider")


def _span(knob: Knob) -> tuple[float, float, float] | None:
    """Ends and step of a slider; None without a slider.

    A logarithmic slider counts in powers of ten, around the default if the bounds are far.
    """
    if knob.optional or knob.default is None:
        return None
    if knob.log:
        middle = math.floor(math.log10(knob.default))
        low = max(middle - 2, math.log10(knob.low)) if knob.low else middle - 2
        return low, min(middle + 3, math.log10(knob.high)) if knob.high else middle + 3, 0.05
    if knob.low is None or knob.high is None:
        return None
    step = knob.step or (1 if knob.kind == "int" else 0.01)
    return (knob.low, knob.high, step) if (knob.high - knob.low) / step <= SLIDER_STEPS else None


def _yaml(knob: Knob) -> Drawn:
    empty = {
        "[]": "empty; a list such as [first, second]",
        "{}": "empty; a mapping such as {name: 0.5}",
    }
    hint = "auto" if knob.default is None else empty.get(knob.default, f"empty: {knob.default}")
    field = Textarea(continuous_update=False, rows=2, placeholder=hint, **_common(knob))
    field.add_class("wb-yaml")

    def read() -> Any:
        return _compact(field.value) if field.value.strip() else knob.default

    def write(value: Any) -> None:
        is_empty = value == knob.default and value in (None, *empty)
        field.value = "" if is_empty else _pretty(value)

    return Drawn(field, field, read, write)


def _compact(text: str) -> str:
    """YAML text of a list or a mapping as JSON, which flat values hold; other text unchanged."""
    try:
        content = read_yaml(text)
        return json.dumps(content) if isinstance(content, (dict, list)) else text
    except (UnreadableText, TypeError):
        return text  # the settings refuse it in words


def _pretty(value: Any) -> str:
    """JSON of a flat value as YAML text on lines of its own; other text unchanged."""
    try:
        return yaml.safe_dump(json.loads(value), sort_keys=False, allow_unicode=True).rstrip()
    except (TypeError, ValueError):
        return "" if value is None else str(value)


def _parsed(text: str, knob: Knob) -> Any:
    """The number in a text; the text itself if it holds none, so that the settings refuse it."""
    text = text.strip()
    if not text:
        return None
    for kind in (int, float) if knob.kind == "int" else (float,):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _shown(value: Any) -> str:
    """A number as short as possible without losing a digit."""
    if not isinstance(value, float):
        return "" if value is None else str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _put(field: ValueWidget, value: Any) -> None:
    field.value = value


_KINDS: dict[str, Callable[[Knob], Drawn]] = {
    "bool": _checkbox,
    "choice": _choice,
    "float": _number,
    "int": _number,
    "text": _text,
    "yaml": _yaml,
}
