"""Sections, the layout of a form: plain settings, a folded section a nested group, More settings.

    grid of the settings that are neither nested nor for experts
    > Fine-tuning    (6 settings, 1 changed)    a section a nested group
    > More settings  (5 settings)               settings for experts, by group

A nested group whose settings are all for experts stays together in its own section. A setting
without an effect is hidden, and so is a part or a section that shows no setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ipywidgets import HTML, Accordion, Box, VBox, Widget
from pydantic.fields import FieldInfo

from workbench.settings import Settings
from workbench.settings.knobs import extra_of, strip_optional
from workbench.widgets.controls import Control
from workbench.widgets.dress import show_if, words
from workbench.widgets.wording import label_of

__all__ = ["MORE", "Layout", "Part", "Section", "lay_out"]

MORE = "More settings"
Path = tuple[str, ...]


class Part(VBox):
    """A grid of controls below a line of text; hidden while none of them has an effect."""

    def __init__(
        self, controls: Sequence[Control], *, heading: str = "", help_text: str = ""
    ) -> None:
        self.controls = tuple(controls)
        above = []
        if heading:
            above.append(HTML(words(heading)).add_class("wb-part-title"))
        if help_text:
            above.append(HTML(words(help_text)).add_class("wb-help"))
        super().__init__([*above, Box(self.controls).add_class("wb-grid")])
        self.add_class("wb-part")

    @property
    def shown(self) -> list[Control]:
        """The controls that have an effect."""
        return [c for c in self.controls if c.has_effect]

    def refresh(self) -> None:
        """Hide or show the part, after its controls."""
        show_if(self, bool(self.shown))


class Section(Accordion):
    """A folded section; its heading says how many settings are inside, changed and wrong."""

    def __init__(self, title: str, parts: Sequence[Part], *, folded: bool = True) -> None:
        self._heading, self._parts = title, tuple(parts)
        super().__init__([VBox(self._parts)], selected_index=None if folded else 0)
        self.add_class("wb-groups")

    def refresh(self) -> None:
        """Write the heading anew, and hide or show the section."""
        for part in self._parts:
            part.refresh()
        shown = [c for part in self._parts for c in part.shown]
        self.set_title(0, _heading(self._heading, shown))
        show_if(self, bool(shown))


@dataclass(frozen=True)
class Layout:
    """The parts of a form, from top to bottom."""

    plain: Part
    sections: tuple[Section, ...]

    @property
    def widgets(self) -> list[Widget]:
        """The widgets to put into the form."""
        return [self.plain, *self.sections]

    def refresh(self) -> None:
        """Bring headings and visibility up to date with the controls."""
        self.plain.refresh()
        for section in self.sections:
            section.refresh()


def lay_out(settings: type[Settings], controls: Sequence[Control], *, more: str = MORE) -> Layout:
    """Arrange the controls of a settings class; their order inside a part is kept.

    `more` is the heading of the settings for experts.
    """
    groups = list(dict.fromkeys(c.knob.path[:-1] for c in controls))
    plain: list[Control] = []
    sections, rarer = [], []
    for group in groups:
        title = _title(settings, group)
        usual, rare = _split([c for c in controls if c.knob.path[:-1] == group])
        if group and not usual:
            usual, rare = rare, []
        if group:
            help_text = f"{_help(settings, group)} {_empty_help(usual)}".strip()
            part = Part(usual, help_text=help_text)
            sections.append(Section(title, [part], folded=_is_folded(settings, group)))
        else:
            plain = usual
        if rare:
            rarer.append(Part(rare, heading=title))
    if rarer:
        sections.append(Section(more, rarer))
    return Layout(Part(plain), tuple(sections))


def _split(controls: Sequence[Control]) -> tuple[list[Control], list[Control]]:
    """The usual settings, and those for experts."""
    return [c for c in controls if not c.knob.expert], [c for c in controls if c.knob.expert]


def _fields(settings: type[Settings], group: Path) -> list[tuple[str, FieldInfo]]:
    """The nested fields that lead to a group, each with its name."""
    fields = []
    for name in group:
        field = settings.model_fields[name]
        fields.append((name, field))
        settings, _ = strip_optional(field.annotation)
    return fields


def _title(settings: type[Settings], group: Path) -> str:
    """The declared title of a nested group, else its name; empty for the settings themselves."""
    titles = []
    for name, field in _fields(settings, group):
        extra = field.json_schema_extra
        title = extra.get("title") if isinstance(extra, dict) else None
        titles.append(str(title or label_of(name)))
    return ": ".join(titles)


def _is_folded(settings: type[Settings], group: Path) -> bool:
    """Whether a nested group is folded at first."""
    return all(bool(extra_of(field).get("folded", True)) for _, field in _fields(settings, group))


def _help(settings: type[Settings], group: Path) -> str:
    """The docstring line of a nested group."""
    fields = _fields(settings, group)
    return " ".join((fields[-1][1].description or "").split()) if fields else ""


def _empty_help(controls: Sequence[Control]) -> str:
    is_set_for_you = any(c.knob.by_budget is not None for c in controls)
    return "An empty field is set automatically." if is_set_for_you else ""


def _heading(title: str, controls: Sequence[Control]) -> str:
    n_changed = sum(c.value != c.knob.default for c in controls)
    n_wrong = sum(bool(c.problem) for c in controls)
    notes = [f"{len(controls)} setting{'s' * (len(controls) != 1)}"]
    if n_changed:
        notes.append(f"{n_changed} changed")
    if n_wrong:
        notes.append(f"{n_wrong} wrong")
    return f"{title}  ({', '.join(notes)})"
