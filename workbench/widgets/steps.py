"""Steps, the steps of the recipe: a button for each, and the form of the open one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ipywidgets import HTML, Box, Button, Dropdown, HBox, ToggleButtons, VBox

from workbench.recipe import Step
from workbench.techniques import get_technique, technique_names
from workbench.widgets.dress import words
from workbench.widgets.form import Form
from workbench.widgets.wording import BUTTONS, shown_value

__all__ = ["Steps", "button"]

FIRST = "pruning"  # the first step by default: every runtime gains from it


class Steps(VBox):
    """The steps as they will run; each has a form of its own, and one form is open."""

    def __init__(self, steps: Sequence[Step], budget: str, model_form: str = "torch") -> None:
        """Show steps; `model_form` is the form of the model to start from, as in `Candidate`.

        Without a step, the first technique that takes this form is shown.
        """
        self._budget, self._model_form = budget, model_form
        self._callback: Callable[[], None] = lambda: None
        self._names: list[str] = []
        self._forms: list[Form] = []
        self._at, self._opening = 0, False
        self._chips = ToggleButtons(options=[]).add_class("wb-chips")
        self._add, self._remove = button("add"), button("remove")
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
        for step in steps or [self._fresh(self._technique_for(model_form))]:
            self._append(step)
        self._open(0)
        self._chips.observe(lambda _: self._pick(), "index")
        self._technique.observe(lambda _: self._switch(), "value")
        self._add.on_click(lambda _: self._add_step())
        self._remove.on_click(lambda _: self._remove_step())

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps as chosen; raises SettingsError while a value of one is wrong."""
        steps: list[Step] = []
        for name, form in zip(self._names, self._forms, strict=True):
            settings: Any = form.settings  # of the technique's own class
            steps.append(Step(name, settings))
        return tuple(steps)

    @property
    def problem(self) -> str:
        """The problems of all steps, each with its step; empty if there is none."""
        return " ".join(
            f"Step {n} ({name}): {text}"
            for n, (name, form) in enumerate(zip(self._names, self._forms, strict=True), 1)
            for text in form.problems.values()
        )

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every change of a step, and after adding or removing one."""
        self._callback = callback

    def set_budget(self, budget: str) -> None:
        """Set the recipe's budget, in every step but those that have a budget of their own."""
        before, self._budget = self._budget, budget
        for form in self._forms:
            if form.value["budget"] == before:
                form.change(budget=budget)
        self._changed()

    def set_form(self, model_form: str) -> None:
        """Set the form of the model to start from; the list of techniques says which take it."""
        self._model_form = model_form
        self._offer()
        self._tell_forms()

    def _tell_forms(self) -> None:
        """Tell each step the form of the model that it gets."""
        for index, form in enumerate(self._forms):
            form.set_model_form(self._form_before(index))

    def _form_before(self, index: int) -> str:
        """The form of the model that a step gets; that of the last result for a step to add."""
        form = self._model_form
        for name in self._names[:index]:
            form = get_technique(name).form_after(form)
        return form

    def _technique_for(self, model_form: str) -> str:
        """The technique of a new step: one that takes the form and is not in the recipe yet.

        For the first step it is the usual one, or one that takes all models of the form; then the
        last by name of those that lower costs, as most recipes end with quantization. If no
        technique takes the form, it is the usual first step.
        """
        taking = [n for n in usable() if model_form in get_technique(n).accepts]
        fitting = sorted(taking, key=lambda n: model_form in get_technique(n).partly)
        if not self._names:
            return next(iter(fitting), FIRST)
        last_first = sorted(fitting, key=lambda n: (get_technique(n).aim == "cost", n))[::-1]
        others = [n for n in last_first if n not in self._names]
        return next(iter([*others, *last_first]), FIRST)

    def _offer(self) -> None:
        """Write the list of techniques; one that does not take the model of this step says so."""
        form = self._form_before(self._at)
        options = tuple((_title(name, form), name) for name in usable())
        if self._technique.options == options:
            return
        was_opening, self._opening = self._opening, True  # new options set the value, which calls
        try:
            self._technique.options = options
            self._technique.value = self._names[self._at]
        finally:
            self._opening = was_opening

    def _append(self, step: Step) -> None:
        model_form = self._form_before(len(self._names))
        self._names.append(step.technique)
        self._forms.append(self._form(step, model_form))

    def _form(self, step: Step, model_form: str) -> Form:
        form = Form(step.settings, hidden=("budget",), model_form=model_form)
        form.observe_settings(lambda _: self._changed())
        return form

    def _fresh(self, name: str) -> Step:
        return Step(name, get_technique(name).settings.from_flat({"budget": self._budget}))

    def _add_step(self) -> None:
        """Add a step at the end and open it."""
        name = self._technique_for(self._form_before(len(self._names)))
        self._append(self._fresh(name))
        self._open(len(self._names) - 1)
        self._changed()

    def _remove_step(self) -> None:
        if len(self._names) == 1:
            return
        del self._names[self._at]
        removed = self._forms.pop(self._at)
        self._tell_forms()
        self._open(min(self._at, len(self._names) - 1))
        removed.close()
        self._changed()

    def _switch(self) -> None:
        """Put another technique into the open step, at its defaults."""
        name = self._technique.value
        if self._opening or self._names[self._at] == name:
            return
        replaced = self._forms[self._at]
        self._forms[self._at] = self._form(self._fresh(name), self._form_before(self._at))
        self._names[self._at] = name
        self._tell_forms()
        self._open(self._at)
        replaced.close()
        self._changed()

    def _pick(self) -> None:
        """Open the step whose button was pressed."""
        if not self._opening and self._chips.index is not None:
            self._open(self._chips.index)

    def _open(self, index: int) -> None:
        """Show a step's form."""
        self._at, self._opening = index, True  # setting the widgets below calls back
        try:
            self._label()
            self._offer()
            self._technique.value = self._names[index]
        finally:
            self._opening = False
        self._summary.value = words(get_technique(self._names[index]).summary)
        self._place.children = [self._forms[index]]
        self._remove.disabled = len(self._names) == 1

    def _label(self) -> None:
        """Write the buttons anew if a name has changed, and mark the open one."""
        labels = tuple((self._chip(n), n) for n in range(len(self._names)))
        if self._chips.options != labels:
            self._chips.options = labels
        self._chips.index = self._at

    def _chip(self, index: int) -> str:
        """The name of a step, its effort if it has its own, and a mark if a value is wrong."""
        form, title = self._forms[index], get_technique(self._names[index]).title
        budget = form.value["budget"]
        effort = "" if budget == self._budget else f", {shown_value('budget', budget)}"
        return f"{index + 1}  {title}{effort}{' (!)' if form.problems else ''}"

    def _changed(self) -> None:
        self._opening = True
        try:
            self._label()
        finally:
            self._opening = False
        self._callback()


def usable() -> tuple[str, ...]:
    """Names of the techniques that are installed completely, in the order of the menu.

    Those that lower costs stand first, the usual first step at their head, then those that raise
    the score.
    """
    names = []
    for name in technique_names():
        try:
            get_technique(name)
        except ImportError:  # an extra is missing; the command line names it
            continue
        names.append(name)
    return tuple(sorted(names, key=lambda n: (get_technique(n).aim != "cost", n != FIRST, n)))


def _title(name: str, model_form: str) -> str:
    """The title of a technique, with a note if it does not take all models of this form."""
    technique = get_technique(name)
    if model_form not in technique.accepts:
        return f"{technique.title} (not for {model_form} models)"
    some = technique.partly.get(model_form, "")
    return f"{technique.title} ({some} only)" if some else technique.title


def button(name: str) -> Button:
    """A button of the wizard, worded as the table says, with the class `wb-<name>`."""
    text = BUTTONS[name]
    control = Button(description=text.label, icon=text.icon, tooltip=text.tooltip)
    return control.add_class(f"wb-{name}")
