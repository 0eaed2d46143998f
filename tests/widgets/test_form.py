"""The form: every knob drawn, settings in and the same settings out, problems told in words."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from ipywidgets import (
    Accordion,
    Checkbox,
    Dropdown,
    FloatLogSlider,
    FloatSlider,
    Text,
    Textarea,
    Widget,
)

from workbench.errors import SettingsError, UnknownName
from workbench.settings import Settings, TechniqueSettings, free_form, knob, knobs, nested, scaled
from workbench.techniques import get_technique, technique_names
from workbench.widgets.form import Form, form


class Inner(Settings):
    """A nested class."""

    lr: float = knob(0.003, above=0, high=1, log=True)
    """Learning rate."""

    epochs: int | None = scaled(smoke=1, standard=8, thorough=30, low=0)
    """Passes over the rows."""


class Every(TechniqueSettings):
    """One knob of every kind."""

    share: float = knob(0.25, low=0, high=1, step=0.05)
    """Share of something."""

    count: int = knob(4, low=1, high=64)
    """Number of things."""

    on: bool = True
    """Whether it is on."""

    maybe: bool | None = None
    """Whether it is on, if anybody knows."""

    way: Literal["fast", "slow"] = "fast"
    """Which way."""

    level: Literal[1, 2, 3] | None = None
    """Which level."""

    note: str = "nothing"
    """Any text."""

    space: dict[str, Any] = free_form({})
    """A search space."""

    parts: list[str] | None = free_form(None)
    """Names of parts."""

    inner: Inner = nested(Inner)
    """Inner choices."""


CHANGED = Every(
    budget="smoke",
    share=0.123456789012345,
    count=63,
    on=False,
    maybe=False,
    way="slow",
    level=2,
    note="a: b # c",
    space={"lr": [1e-05, 0.1], "wide": {"on": True, "text": "yes"}},
    parts=["conv1", "block.0"],
    inner=Inner(lr=0.9, epochs=0),
)


def field_of(made: Form, name: str) -> Any:
    """The widget that holds a knob's value."""
    return made._controls[name]._drawn.field


def all_inside(widget: Any) -> list[Any]:
    return [
        widget,
        *(found for child in getattr(widget, "children", ()) for found in all_inside(child)),
    ]


@pytest.mark.parametrize("name", technique_names())
def test_settings_come_back_unchanged_for_every_technique(name: str) -> None:
    settings = get_technique(name).settings
    for budget in ("smoke", "standard"):
        assert form(name, budget=budget).settings == settings(budget=budget)
    resolved = settings(budget="thorough").resolved()
    made = form(name)
    made.set(resolved)
    assert made.settings == resolved
    made.set(settings())
    assert made.settings == settings()


@pytest.mark.parametrize("name", technique_names())
def test_each_changed_knob_survives_the_form_for_every_technique(name: str) -> None:
    settings = get_technique(name).settings
    made = form(name)
    for k in knobs(settings):
        for value in _others(k):
            wanted = settings.from_flat({k.name: value})
            made.set(wanted)
            assert made.settings == wanted, k.name


def _others(k: Any) -> list[Any]:
    """Values of a knob that are not its default, and allowed whatever the others are."""
    if k.kind == "choice":
        return list(k.choices)
    if k.kind == "bool":
        return [True, False]
    if k.kind in ("int", "float"):
        return [v for v in (k.low, k.high) if v] if not k.log else [k.high]
    return []


def test_every_kind_nested_and_free_form_come_back_unchanged_when_set() -> None:
    made = form(Every)
    for settings in (Every(), CHANGED, Every(space={"a": 1}), CHANGED):
        made.set(settings)
        assert made.settings == settings
        assert made.problems == {}


def test_form_starts_with_given_values_and_budget() -> None:
    made = form("pruning", values={"pruning_ratio": 0.3, "fit_epochs": 2}, budget="smoke")
    assert (made.settings.pruning_ratio, made.settings.fit.epochs, made.settings.budget) == (
        0.3,
        2,
        "smoke",
    )
    assert made.value["pruning_ratio"] == 0.3


def test_form_refuses_unknown_technique_and_wrong_values() -> None:
    with pytest.raises(UnknownName, match="Did you mean `pruning`"):
        form("prunning")
    with pytest.raises(SettingsError, match=r"at most 0\.99, got 2"):
        form("pruning", values={"pruning_ratio": 2})


def test_controls_fit_their_knobs() -> None:
    made = form(Every)
    kinds = {
        "on": Checkbox,
        "maybe": Dropdown,
        "way": Dropdown,
        "level": Dropdown,
        "note": Text,
        "space": Textarea,
        "share": Text,
        "inner_lr": Text,
        "inner_epochs": Text,
    }
    assert {name: type(field_of(made, name)) for name in kinds} == kinds
    names = ("share", "count", "inner_lr", "inner_epochs")
    inside = {name: {type(w) for w in all_inside(made._controls[name])} for name in names}
    assert FloatSlider in inside["share"]
    assert FloatSlider in inside["count"]
    assert FloatLogSlider in inside["inner_lr"]
    assert not {FloatSlider, FloatLogSlider} & inside["inner_epochs"]


def test_every_knob_shows_label_help_and_tooltip() -> None:
    made = form(Every)
    for k in knobs(Every):
        control = made._controls[k.name]
        assert f"wb-knob-{k.name}" in control._dom_classes
        assert k.help.rstrip(".") in control.children[1].value
        assert k.help in field_of(made, k.name).tooltip
        assert field_of(made, k.name).description


def test_nested_groups_are_folded_and_budget_comes_first() -> None:
    made = form(Every)
    accordion = next(w for w in all_inside(made) if isinstance(w, Accordion))
    assert accordion.selected_index is None
    assert accordion.titles[0].startswith("Inner")
    field_of(made, "inner_lr").value = "2"
    assert "1 changed, 1 wrong" in accordion.titles[0]
    first = next(w for w in all_inside(made) if "wb-knob" in w._dom_classes)
    assert "wb-knob-budget" in first._dom_classes


def test_empty_field_says_what_the_budget_takes() -> None:
    made = form(Every, budget="smoke")
    epochs = field_of(made, "inner_epochs")
    assert (epochs.value, epochs.placeholder) == ("", "auto: 1")
    field_of(made, "budget").value = "thorough"
    assert epochs.placeholder == "auto: 30"
    assert made.settings.inner.epochs is None
    epochs.value = "5"
    assert made.settings.inner.epochs == 5


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("share", "1.5", "must be at most 1, got 1.5"),
        ("share", "much", "must be a number"),
        ("share", "", "is empty; it takes a number"),
        ("count", "2.5", "must be a whole number"),
        ("inner_lr", "0", "`inner_lr` must be more than 0"),
        ("space", "{a: [1}", "is neither YAML text nor the path"),
        ("parts", "[1, 2]", "must be text"),
    ],
)
def test_wrong_value_is_told_under_its_field_when_typed(name: str, typed: str, words: str) -> None:
    made = form(Every)
    field_of(made, name).value = typed
    assert list(made.problems) == [name]
    assert words in made.problems[name]
    assert "wb-invalid" in made._controls[name]._dom_classes
    with pytest.raises(SettingsError, match=r"refused"):
        _ = made.settings
    made.set(Every())
    assert made.problems == {}
    assert "wb-invalid" not in made._controls[name]._dom_classes
    assert made._controls[name].children[2].value == ""


def test_slider_and_field_follow_each_other() -> None:
    made = form(Every)
    slider, field = (
        next(w for w in all_inside(made._controls["share"]) if isinstance(w, FloatSlider)),
        field_of(made, "share"),
    )
    slider.value = 0.35000000000000003
    assert field.value == "0.35"
    field.value = "0.123456789"
    assert slider.value == pytest.approx(0.123456789)
    assert field.value == "0.123456789"
    field.value = "7"
    assert (slider.value, field.value) == (1.0, "7")
    field.value = "0.5"
    whole = next(w for w in all_inside(made._controls["count"]) if isinstance(w, FloatSlider))
    whole.value = 12.0
    assert made.settings.count == 12


def test_observers_get_settings_or_none_once_a_change() -> None:
    made, seen = form(Every), []
    made.observe_settings(seen.append)
    made.set(CHANGED)
    field_of(made, "count").value = "0"
    field_of(made, "count").value = "0"
    assert seen == [CHANGED, None]


def test_closing_a_form_closes_everything_in_it() -> None:
    made = form("pruning")
    inside = all_inside(made)
    assert len(inside) > 50
    made.close()
    assert all(isinstance(w, Widget) and w.comm is None for w in inside)
