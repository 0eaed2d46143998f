"""Steps, the recipe's steps as chips, of which one is open in its technique's form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipywidgets import HTML, Box, Button, Dropdown, HBox, ToggleButtons, VBox

from workbench.recipe import Step
from workbench.techniques import get_technique, technique_names
from workbench.widgets.dress import words
from workbench.widgets.form import Form

__all__ = ["Steps"]

FIRST = "pruning"  # what a recipe begins with unless told: it pays on every runtime


class Steps(VBox):
    """What you see is what runs: the form changes the open step in place, and every step has a form
    of its own.
    """

    def __init__(self, steps: Sequence[Step], budget: str) -> None:
        self._budget = budget
        self._callback: Callable[[], None] = lambda: None
        self._names: list[str] = []
        self._forms: list[Form] = []
        self._at, self._opening = 0, False
        self._chips = ToggleButtons(options=[]).add_class("wb-chips")
        self._add = Button(
            description="Add step", icon="plus", tooltip="Another technique after the last step"
        )
        self._add.add_class("wb-add")
        self._remove = Button(
            description="Remove", icon="trash-o", tooltip="Take the open step out"
        ).add_class("wb-remove")
        self._technique = Dropdown(
            description="Technique", options=[(get_technique(n).title, n) for n in usable()]
        )
        self._technique.add_class("wb-technique")
        self._summary = HTML().add_class("wb-help")
        self._place = Box([]).add_class("wb-place")
        super().__init__(
            [
                HBox([self._chips, self._add, self._remove]).add_class("wb-steps"),
                VBox(
                    [HBox([self._technique, self._summary]).add_class("wb-open"), self._place]
                ).add_class("wb-step"),
            ]
        )
        self.add_class("wb-steplist")
        for step in steps or [self._fresh(FIRST)]:
            self._append(step)
        self._open(0)
        self._chips.observe(lambda _: self._pick(), "index")
        self._technique.observe(lambda _: self._switch(), "value")
        self._add.on_click(lambda _: self._add_step())
        self._remove.on_click(lambda _: self._remove_step())

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps as chosen; raises SettingsError while one of them is wrong."""
        return tuple(
            Step(name, form.settings) for name, form in zip(self._names, self._forms, strict=True)
        )

    @property
    def problem(self) -> str:
        """Where something is wrong, in a sentence; empty when nothing is."""
        wrong = [(n, form) for n, form in enumerate(self._forms, 1) if form.problems]
        if not wrong:
            return ""
        return " ".join(
            f"Step {n} ({self._names[n - 1]}): {text}"
            for n, form in wrong
            for text in form.problems.values()
        )

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every change of a step, or of which there are."""
        self._callback = callback

    def budget_is(self, budget: str) -> None:
        """The recipe's budget: steps that had the old one follow, a step with a budget of its own
        keeps it.
        """
        before, self._budget = self._budget, budget
        for form in self._forms:
            if form.value["budget"] == before:
                form.change(budget=budget)
        self._changed()

    def _append(self, step: Step) -> None:
        self._names.append(step.technique)
        self._forms.append(self._form(step))

    def _form(self, step: Step) -> Form:
        made = Form(step.settings, hidden=("budget",))
        made.observe_settings(lambda _: self._changed())
        return made

    def _fresh(self, name: str) -> Step:
        return Step(name, get_technique(name).settings(budget=self._budget))

    def _add_step(self) -> None:
        """One more at the end: of the techniques that are not there yet the last by name, as
        quantization ends most recipes.
        """
        self._append(
            self._fresh(next((n for n in reversed(usable()) if n not in self._names), FIRST))
        )
        self._open(len(self._names) - 1)
        self._changed()

    def _remove_step(self) -> None:
        if len(self._names) == 1:
            return
        del self._names[self._at]
        gone = self._forms.pop(self._at)
        self._open(min(self._at, len(self._names) - 1))
        gone.close()
        self._changed()

    def _switch(self) -> None:
        """Another technique in the open step, at its defaults."""
        name = self._technique.value
        if self._opening or self._names[self._at] == name:
            return
        gone, self._forms[self._at] = self._forms[self._at], self._form(self._fresh(name))
        self._names[self._at] = name
        self._open(self._at)
        gone.close()
        self._changed()

    def _pick(self) -> None:
        """Open the step whose chip was pressed."""
        if not self._opening and self._chips.index is not None:
            self._open(self._chips.index)

    def _open(self, index: int) -> None:
        """Show a step's form."""
        self._at, self._opening = index, True  # what follows sets widgets that call back
        try:
            self._label()
            self._technique.value = self._names[index]
        finally:
            self._opening = False
        self._summary.value = words(get_technique(self._names[index]).summary)
        self._place.children = [self._forms[index]]
        self._remove.disabled = len(self._names) == 1

    def _label(self) -> None:
        """Draw the chips anew where their names have changed, and mark the open one."""
        labels = tuple((self._chip(n), n) for n in range(len(self._names)))
        if self._chips.options != labels:
            self._chips.options = labels
        self._chips.index = self._at

    def _chip(self, index: int) -> str:
        """A step's name, with its budget if that is its own, and a mark if something is wrong with
        it.
        """
        own = self._forms[index].value["budget"]
        budget = "" if own == self._budget else f", {own}"
        return (
            f"{index + 1}  "
            f"{get_technique(self._names[index]).title}{budget}{' (!)' if self._forms[index].problems else ''}"
        )

    def _changed(self) -> None:
        self._opening = True
        try:
            self._label()
        finally:
            self._opening = False
        self._callback()


def usable() -> tuple[str, ...]:
    """Techniques whose modules load here, the first choice first."""
    found = []
    for name in technique_names():
        try:
            get_technique(name)
        except ImportError:  # an extra that is not installed: the command line says which
            continue
        found.append(name)
    return tuple(sorted(found, key=lambda n: (n != FIRST, n)))
