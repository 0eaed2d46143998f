"""form(), the settings of a technique as a form in a notebook, drawn from `knobs()` alone.

    chosen = wb.form("pruning")
    chosen                          # shows it
    chosen.settings                 # PruningSettings(...), frozen; raises while a value is wrong

A setting without an effect beside the others, or for the form of the model, is hidden and takes its
default. The value that was typed stays in its control, and counts again once the setting has an
effect again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ipywidgets import HTML, VBox, Widget

from workbench.errors import SettingsError
from workbench.settings import USUAL_BUDGET, Knob, Settings, knobs
from workbench.techniques import get_technique
from workbench.widgets.controls import Control
from workbench.widgets.dress import Dress, words
from workbench.widgets.sections import MORE, lay_out
from workbench.widgets.wording import label_of_knob

__all__ = ["Form", "form"]


def form(
    technique: str | type[Settings],
    *,
    values: Mapping[str, Any] | None = None,
    budget: str | None = None,
) -> Form:
    """The form of a technique, by its name or its settings class.

    It starts with the flat `values` and the `budget`, and with defaults for the rest. Raises
    UnknownName for an unknown technique, SettingsError for values that the settings refuse.
    """
    settings = get_technique(technique).settings if isinstance(technique, str) else technique
    chosen = {**({"budget": budget} if budget else {}), **(values or {})}
    return Form(settings.from_flat(chosen))


class Form(VBox):
    """Controls for every setting of a class; a problem is shown under the control it is about."""

    def __init__(
        self,
        settings: Settings,
        *,
        hidden: Sequence[str] = (),
        more: str = MORE,
        model_form: str = "",
    ) -> None:
        """Draw the settings; `hidden` names settings that are chosen outside of the form.

        `more` is the heading of the settings for experts. `model_form` is the form of the model
        that they are for, as in `Candidate`; empty if it is not known.
        """
        self._class, self._model_form = type(settings), model_form
        self._observers: list[Callable[[Settings | None], None]] = []
        self._together = False
        self._valid: Settings | None = settings
        self.problems: dict[str, str] = {}
        """Problems in words, by the flat name of the setting; the empty name is for the others."""
        labels = {k.name: label_of_knob(k) for k in knobs(self._class)}
        self._controls = {k.name: Control(k, labels) for k in knobs(self._class)}
        self._general = HTML().add_class("wb-problem")
        drawn = [c for c in self._controls.values() if c.knob.name not in hidden]
        drawn.sort(key=lambda c: c.knob.name != "budget")  # the others stay as declared
        self._layout = lay_out(self._class, drawn, more=more)
        super().__init__([Dress(), *self._layout.widgets, self._general])
        self.add_class("wb-root").add_class("wb-form")
        for control in self._controls.values():
            control.on_change(self._changed)
        self.set(settings)

    def __repr__(self) -> str:
        return f"Form({self._class.__name__})"

    @property
    def settings(self) -> Settings:
        """The settings as chosen; raises SettingsError that tells every problem."""
        return self._class.from_flat(self.value)

    @property
    def value(self) -> dict[str, Any]:
        """Every setting by flat name: as typed, right or wrong; its default if it has no effect."""
        declared, typed = knobs(self._class), self._typed
        return _values(declared, typed, _without_effect(declared, typed, self._model_form))

    @property
    def _typed(self) -> dict[str, Any]:
        """The value in every control, hidden ones included."""
        return {name: control.value for name, control in self._controls.items()}

    def set(self, settings: Settings) -> None:
        """Show these settings."""
        self.change(**settings.flat())

    def change(self, **values: Any) -> None:
        """Put values into some controls, by flat name."""
        with self._at_once():
            for name, value in values.items():
                self._controls[name].show(value)

    def set_model_form(self, model_form: str) -> None:
        """Set the form of the model that the settings are for."""
        if model_form != self._model_form:
            self._model_form = model_form
            self._changed()

    def observe_settings(self, callback: Callable[[Settings | None], None]) -> None:
        """Call back after every change: with the settings, or with None while a value is wrong."""
        self._observers.append(callback)

    def close(self) -> None:
        """Remove the form and all widgets inside it from the page."""
        _close_inside(self)
        super().close()

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """Many changes that are checked together, after the last one."""
        self._together = True
        try:
            yield
        finally:
            self._together = False
        self._changed()

    def _changed(self) -> None:
        if self._together:
            return
        before = self._valid, self.problems
        try:
            self._valid, self.problems = self.settings, {}
        except SettingsError as error:
            self._valid, self.problems = None, self._by_setting(error)
        self._refresh()
        if (self._valid, self.problems) != before:
            for callback in self._observers:
                callback(self._valid)

    def _by_setting(self, error: SettingsError) -> dict[str, str]:
        """Problems by the setting that they are about: `ratios_conv1` is about `ratios`."""
        texts: dict[str, list[str]] = {}
        for name, text in getattr(error, "problems", [("", str(error))]):
            owner = max(
                (n for n in self._controls if f"{name}_".startswith(f"{n}_")), key=len, default=""
            )
            control = self._controls.get(owner)
            if control is not None and control.value is None and not control.knob.optional:
                text = _empty(control.knob)
            texts.setdefault(owner, []).append(text)
        return {name: " ".join(lines) for name, lines in texts.items()}

    def _refresh(self) -> None:
        """Bring the page up to date: hidden controls, problems, placeholders, headings."""
        hidden = _without_effect(knobs(self._class), self._typed, self._model_form)
        budget = str(self._typed.get("budget", USUAL_BUDGET))
        for name, control in self._controls.items():
            control.set_effect(name not in hidden)
            control.set_problem(self.problems.get(name, ""))
            control.set_budget(budget)
        self._general.value = words(self.problems.get("", ""))
        self._layout.refresh()


def _values(
    declared: Sequence[Knob], typed: Mapping[str, Any], hidden: frozenset[str]
) -> dict[str, Any]:
    """The typed values, with the default in place of each hidden one."""
    return {k.name: k.default if k.name in hidden else typed[k.name] for k in declared}


def _without_effect(
    declared: Sequence[Knob], typed: Mapping[str, Any], model_form: str
) -> frozenset[str]:
    """Names of the settings without an effect at these flat values, for models of a form.

    A setting without an effect counts at its default, so it can take the effect of a second one.
    That is repeated until nothing changes, at most once a setting.
    """
    hidden = for_others = frozenset(k.name for k in declared if not k.takes(model_form))
    for _ in declared:
        values = _values(declared, typed, hidden)
        names = for_others | {k.name for k in declared if not k.applies(values)}
        if names == hidden:
            break
        hidden = names
    return hidden


def _empty(knob: Knob) -> str:
    kind = {"int": "a whole number", "float": "a number"}.get(knob.kind, "a value")
    return f"`{knob.name}` is empty; it takes {kind}."


def _close_inside(widget: Widget) -> None:
    """Close the children of a widget, theirs first; ipywidgets keeps them alive otherwise."""
    for child in getattr(widget, "children", ()):
        _close_inside(child)
        child.close()
