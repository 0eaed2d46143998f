"""One control a knob: how each kind of setting is drawn, read and written; a form knows none of
this.

A number has a text field that holds the truth, so that a wrong one can be typed and told, and a
slider beside it where its span is one that a hand can aim at. An empty field means None: the
budget, or the technique itself, decides.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
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
from workbench.widgets.dress import words

__all__ = ["Control", "label_of"]

SLIDER_STEPS = 200  # more stops than that, and a hand no longer hits the one it wants


@dataclass(frozen=True)
class Drawn:
    """A drawn knob: what goes on the page, the widget whose `value` is the truth, and the way from
    and to a setting.
    """

    box: Widget
    field: ValueWidget
    read: Callable[[], Any]
    write: Callable[[Any], None]


class Control(VBox):
    """A knob on the page: its label and control, its help, and what is wrong with it."""

    def __init__(self, knob: Knob) -> None:
        self.knob = knob
        self._drawn = _KINDS[knob.kind](knob)
        self._problem = HTML().add_class("wb-problem")
        help_line = HTML(words(_help(knob))).add_class("wb-help")
        super().__init__([self._drawn.box, help_line, self._problem])
        self.add_class("wb-knob").add_class(f"wb-knob-{knob.name}").add_class(
            f"wb-kind-{knob.kind}"
        )
        self.show(knob.default)

    @property
    def value(self) -> Any:
        """What the control holds, as the setting's kind where it can be read as one, else the text
        as it was typed.
        """
        return self._drawn.read()

    @property
    def problem(self) -> str:
        """What is wrong with the value, as shown; empty when nothing is."""
        return self._told

    _told = ""

    def show(self, value: Any) -> None:
        """Put a setting's flat value into the control."""
        self._drawn.write(value)

    def tell(self, problem: str) -> None:
        """Say what is wrong with the value, in words and with an outline; an empty text takes both
        away.
        """
        if problem == self._told:
            return
        self._told = problem
        self._problem.value = words(problem)
        (self.add_class if problem else self.remove_class)("wb-invalid")

    def budget_is(self, budget: str) -> None:
        """Show in the empty field what this budget takes."""
        if self.knob.by_budget is not None and isinstance(self._drawn.field, Text):
            taken = self.knob.by_budget.get(budget)
            self._drawn.field.placeholder = f"auto: {'no limit' if taken is None else taken}"

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every change of the value, whoever made it."""
        self._drawn.field.observe(lambda _: callback(), "value")


def label_of(name: str) -> str:
    """A field's name as a label: `pruning_ratio` is Pruning ratio; an abbreviation such as `lr`
    stays as it is.
    """
    words = name.replace("_", " ")
    return words if len(words) < 3 else words[0].upper() + words[1:]


def _help(knob: Knob) -> str:
    if knob.by_budget is not None:
        return f"{knob.help} Empty: the budget decides."
    return (
        f"{knob.help} Empty: decided for you."
        if knob.optional and knob.kind != "choice"
        else knob.help
    )


def _common(knob: Knob) -> dict[str, Any]:
    unit = f" ({knob.unit})" if knob.unit else ""
    return {
        "description": label_of(knob.path[-1]) + unit,
        "tooltip": f"{knob.name}: {knob.described}",
    }


def _checkbox(knob: Knob) -> Drawn:
    if knob.optional:
        return _options(knob, [("auto", None), ("yes", True), ("no", False)])
    field = Checkbox(indent=False, **_common(knob))
    return Drawn(field, field, lambda: field.value, lambda value: _put(field, bool(value)))


def _choice(knob: Knob) -> Drawn:
    auto = [("auto", None)] if knob.optional else []
    return _options(knob, auto + [(str(c), c) for c in knob.choices])


def _options(knob: Knob, options: list[tuple[str, Any]]) -> Drawn:
    field = Dropdown(options=options, **_common(knob))
    return Drawn(field, field, lambda: field.value, lambda value: _put(field, value))


def _text(knob: Knob) -> Drawn:
    field = Text(
        continuous_update=False, placeholder="auto" if knob.optional else "", **_common(knob)
    )
    return Drawn(
        field,
        field,
        lambda: None if knob.optional and not field.value else field.value,
        lambda value: _put(field, value or ""),
    )


def _number(knob: Knob) -> Drawn:
    field = Text(
        continuous_update=False, placeholder="auto" if knob.optional else "", **_common(knob)
    )
    field.add_class("wb-number")

    def read() -> Any:
        return _parsed(field.value, knob)

    slider = _slider(knob, field)
    return Drawn(slider or field, field, read, lambda value: _put(field, _shown(value)))


def _slider(knob: Knob, field: Text) -> Box | None:
    """A slider beside the field, each following the other; None where a slider would be of no use."""
    span = _span(knob)
    if span is None:
        return None
    low, high, step = span
    kind = FloatLogSlider if knob.log else FloatSlider
    slider = kind(
        min=low, max=high, step=step, readout=False, tooltip=f"{knob.name}: {knob.described}"
    )
    ends = (10**low, 10**high) if knob.log else (low, high)

    def place() -> float | None:
        value = _parsed(field.value, knob)
        return (
            min(max(float(value), ends[0]), ends[1])
            if isinstance(value, (int, float)) and math.isfinite(value)
            else None
        )

    def follow_field() -> None:
        position = place()
        if position is not None:
            slider.value = position

    def follow_slider() -> None:
        # equal when the field moved the slider: then the field keeps what was typed, to the last
        # digit
        position = place()
        if position is None or not math.isclose(
            position, slider.value, rel_tol=1e-9, abs_tol=1e-12
        ):
            field.value = _shown(
                round(slider.value) if knob.kind == "int" else float(f"{slider.value:.3g}")
            )

    field.observe(lambda _: follow_field(), "value")
    slider.observe(lambda _: follow_slider(), "value")
    return Box([slider, field]).add_class("wb-slider")


def _span(knob: Knob) -> tuple[float, float, float] | None:
    """Ends and step of a slider, in powers of ten for a logarithmic knob, around its default if the
    bounds are far.
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
    return Drawn(
        field,
        field,
        lambda: field.value if field.value.strip() else knob.default,
        lambda value: _put(
            field, "" if value == knob.default and value in (None, *empty) else _pretty(value)
        ),
    )


def _pretty(value: Any) -> str:
    """JSON from a flat value as YAML that a person would write; other text as it is."""
    try:
        return yaml.safe_dump(json.loads(value), sort_keys=False, allow_unicode=True).rstrip()
    except (TypeError, ValueError):
        return "" if value is None else str(value)


def _parsed(text: str, knob: Knob) -> Any:
    """The number that a text says; the text itself where it says none, so that the settings can
    refuse it in words.
    """
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
    """A number as short as it can be without losing a digit."""
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
