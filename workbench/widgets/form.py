"""form(), the settings of a technique as a form in a notebook, drawn from `knobs()` alone.

chosen = wb.form("pruning")
chosen                          # shows it
chosen.settings                 # PruningSettings(...), frozen; raises while something is wrong
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ipywidgets import HTML, Accordion, Box, VBox, Widget

from workbench.errors import SettingsError
from workbench.settings import Settings, knobs
from workbench.techniques import get_technique
from workbench.widgets.controls import Control, label_of
from workbench.widgets.dress import Dress, words

__all__ = ["Form", "form"]


def form(
    technique: str | type[Settings],
    *,
    values: Mapping[str, Any] | None = None,
    budget: str | None = None,
) -> Form:
    """The form of a technique, by its name or its settings class, starting with some flat values
    and a budget.

    Raises UnknownName for a technique that is not there, SettingsError for values that the settings
    refuse.
    """
    settings = get_technique(technique).settings if isinstance(technique, str) else technique
    chosen = {**({"budget": budget} if budget else {}), **(values or {})}
    return Form(settings.from_flat(chosen))


class Form(VBox):
    """Controls for every knob of a settings class. What is wrong is said under the field that it is
    about.
    """

    def __init__(self, settings: Settings, *, hidden: Sequence[str] = ()) -> None:
        """Draw the settings; `hidden` names knobs that something around the form decides."""
        self._class = type(settings)
        self._observers: list[Callable[[Settings | None], None]] = []
        self._together = False
        self._valid: Settings | None = settings
        self.problems: dict[str, str] = {}
        """What is wrong, in words, by the name of the knob; the empty name is for what concerns no
        single one.
        """
        self._controls = {k.name: Control(k) for k in knobs(self._class)}
        self._groups: list[tuple[Accordion, int, tuple[str, ...]]] = []
        self._general = HTML().add_class("wb-problem")
        shown = [c for c in self._controls.values() if c.knob.name not in hidden]
        shown.sort(
            key=lambda c: c.knob.name != "budget"
        )  # the rest stays in the order of declaration
        super().__init__([Dress(), *self._draw(shown, 0), self._general])
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
        """What every control holds, by flat name, right or wrong."""
        return {name: control.value for name, control in self._controls.items()}

    def set(self, settings: Settings) -> None:
        """Show these settings."""
        self.change(**settings.flat())

    def change(self, **values: Any) -> None:
        """Put values into some controls, by flat name."""
        with self._at_once():
            for name, value in values.items():
                self._controls[name].show(value)

    def observe_settings(self, callback: Callable[[Settings | None], None]) -> None:
        """Call back after every change: with the settings, or with None while something is wrong."""
        self._observers.append(callback)

    def close(self) -> None:
        """Take the form and all that it is made of off the page."""
        _close_inside(self)
        super().close()

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """Many changes that are looked at together, when all are made."""
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
            self._valid, self.problems = None, self._by_knob(error)
        self._tell()
        if (self._valid, self.problems) != before:
            for callback in self._observers:
                callback(self._valid)

    def _by_knob(self, error: SettingsError) -> dict[str, str]:
        """Problems by the knob that they are about: `ratios_conv1` is about `ratios`."""
        found: dict[str, list[str]] = {}
        for name, text in getattr(error, "problems", [("", str(error))]):
            owner = max(
                (n for n in self._controls if f"{name}_".startswith(f"{n}_")), key=len, default=""
            )
            control = self._controls.get(owner)
            empty = control is not None and control.value is None and not control.knob.optional
            found.setdefault(owner, []).append(
                f"`{owner}` is empty; it takes {_wanted(control)}." if empty else text
            )
        return {name: " ".join(texts) for name, texts in found.items()}

    def _tell(self) -> None:
        for name, control in self._controls.items():
            control.tell(self.problems.get(name, ""))
            control.budget_is(
                str(self._controls["budget"].value) if "budget" in self._controls else "standard"
            )
        self._general.value = words(self.problems.get("", ""))
        for accordion, index, path in self._groups:
            inside = [c for c in self._controls.values() if c.knob.path[: len(path)] == path]
            accordion.set_title(index, _title(path[-1], inside))

    def _draw(self, controls: Sequence[Control], depth: int) -> list[Widget]:
        """A grid of this level's controls, and a folded section a nested group."""
        here = [c for c in controls if len(c.knob.path) == depth + 1]
        deeper = [c for c in controls if len(c.knob.path) > depth + 1]
        drawn: list[Widget] = [Box(here).add_class("wb-grid")] if here else []
        paths = list(dict.fromkeys(c.knob.path[: depth + 1] for c in deeper))
        if paths:
            inner = [
                VBox(self._draw([c for c in deeper if c.knob.path[: depth + 1] == p], depth + 1))
                for p in paths
            ]
            accordion = Accordion(inner, selected_index=None).add_class("wb-groups")
            self._groups += [(accordion, index, path) for index, path in enumerate(paths)]
            drawn.append(accordion)
        return drawn


def _close_inside(widget: Widget) -> None:
    """Close the children, theirs first: ipywidgets would keep them for as long as the kernel lives."""
    for child in getattr(widget, "children", ()):
        _close_inside(child)
        child.close()


def _title(name: str, controls: Sequence[Control]) -> str:
    """The heading of a folded section, which also says what is going on inside."""
    changed = sum(c.value != c.knob.default for c in controls)
    wrong = sum(bool(c.problem) for c in controls)
    notes = [
        f"{len(controls)} settings",
        f"{changed} changed" if changed else "",
        f"{wrong} wrong" if wrong else "",
    ]
    return f"{label_of(name)}  ({', '.join(filter(None, notes))})"


def _wanted(control: Control) -> str:
    return {"int": "a whole number", "float": "a number"}.get(control.knob.kind, "a value")
