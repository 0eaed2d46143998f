"""The form: settings in and the same settings out; hidden settings; problems in words."""

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
from workbench.settings import (
    SET,
    Settings,
    TechniqueSettings,
    free_form,
    knob,
    knobs,
    nested,
    scaled,
)
from workbench.techniques import get_technique, technique_names
from workbench.widgets.controls import Control
from workbench.widgets.form import Form, form
from workbench.widgets.wording import shown_help


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
    """Whether it is on; empty is neither."""

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


EMPTY = ("[]", "{}")
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


class Retraining(Settings):
    """A nested class with a condition and a setting for experts of its own."""

    epochs: int | None = scaled(smoke=1, standard=8, thorough=30, low=0, title="Number of epochs")
    """Passes over the rows."""

    schedule: Literal["cosine", "constant"] = knob("cosine", expert=True)
    """Learning rate over time."""

    warmup: float = knob(0.05, low=0, high=1, only_if={"schedule": "cosine"}, expert=True)
    """Fraction of the steps before the highest learning rate."""


class Method(TechniqueSettings):
    """Settings that depend on a method, as those of pruning do."""

    method: Literal["channels", "n_m", "none"] = "channels"
    """Method."""

    ratio: float = knob(0.5, low=0, high=0.95, step=0.05, only_if={"method": "channels"})
    """Fraction to remove."""

    plan: Literal["uniform", "measured"] = knob("uniform", only_if={"method": "channels"})
    """Distribution of the fraction over the layers."""

    samples: int = knob(100, low=1, high=200, only_if={"plan": "measured"})
    """Samples for measuring."""

    n: int = knob(2, low=1, high=32, only_if={"method": "n_m"})
    """Weights to keep in each group."""

    m: int = knob(4, low=2, high=64, only_if={"method": "n_m"})
    """Weights in a group."""

    ratios: dict[str, float] = free_form({}, only_if={"method": "channels"}, expert=True)
    """Ratios of single layers."""

    fallback: float = knob(0.1, low=0, high=1, only_if={"ratios": SET}, expert=True)
    """Ratio of the other layers."""

    round_to: int = knob(4, low=1, high=64, only_if={"method": "channels"}, expert=True)
    """Multiple of the number of channels."""

    fit: Retraining = nested(
        Retraining, only_if={"method": ("channels", "n_m")}, title="Fine-tuning"
    )
    """Training after pruning."""


def field_of(view: Form, name: str) -> Any:
    """The widget that holds a knob's value."""
    return view._controls[name]._drawn.field


def all_inside(widget: Any) -> list[Any]:
    inside = [w for child in getattr(widget, "children", ()) for w in all_inside(child)]
    return [widget, *inside]


def shown_inside(widget: Any) -> list[Any]:
    """The widgets that are not hidden, folded ones included."""
    if widget.layout.display == "none":
        return []
    inside = [w for child in getattr(widget, "children", ()) for w in shown_inside(child)]
    return [widget, *inside]


def shown_settings(view: Form) -> list[str]:
    """Flat names of the settings that are shown, folded ones included."""
    return [w.knob.name for w in shown_inside(view) if isinstance(w, Control)]


def outside_folds(view: Form) -> list[str]:
    """Flat names of the settings that are shown outside of all folded sections."""
    folded = {w for fold in folds(view) for w in all_inside(fold)}
    return [w.knob.name for w in shown_inside(view) if isinstance(w, Control) and w not in folded]


def folds(view: Form) -> list[Accordion]:
    return [w for w in shown_inside(view) if isinstance(w, Accordion)]


def headings(view: Form) -> list[str]:
    return [fold.titles[0] for fold in folds(view)]


PARTNERS = {"n": {"m": 64}, "m": {"n": 1}}  # the values that `n` below `m` asks for


def with_effect(settings: type[Settings], name: str) -> dict[str, Any]:
    """Flat values at which a setting has an effect: its conditions, and those of their settings."""
    by_name = {k.name: k for k in knobs(settings)}
    values: dict[str, Any] = {}
    for other, allowed in by_name[name].only_if:
        usable = [v for v in allowed if v != SET] or _others(by_name[other]) or ["[a]"]
        value = by_name[other].default if by_name[other].default in allowed else usable[0]
        values |= {**with_effect(settings, other), other: value}
    return values


@pytest.mark.parametrize("name", technique_names())
def test_settings_come_back_unchanged_for_every_technique(name: str) -> None:
    settings = get_technique(name).settings
    for budget in ("smoke", "standard"):
        assert form(name, budget=budget).settings == settings(budget=budget)
    resolved = settings(budget="thorough").resolved()
    view = form(name)
    view.set(resolved)
    assert view.settings == resolved
    view.set(settings())
    assert view.settings == settings()


@pytest.mark.parametrize("name", technique_names())
def test_each_changed_knob_survives_the_form_for_every_technique(name: str) -> None:
    settings = get_technique(name).settings
    view = form(name)
    for k in knobs(settings):
        for value in _others(k):
            beside = {**with_effect(settings, k.name), **PARTNERS.get(k.name, {})}
            changed = settings.from_flat({**beside, k.name: value})
            view.set(changed)
            assert view.settings == changed, k.name


def _others(k: Any) -> list[Any]:
    """Values of a knob that are not its default, and allowed whatever the others are."""
    if k.kind == "choice":
        return list(k.choices)
    if k.kind == "bool":
        return [True, False]
    if k.kind in ("int", "float"):
        return [v for v in (k.low, k.high) if v] if not k.log else [k.high]
    if k.kind == "yaml":
        return ['["a.b"]' if k.default == "[]" else '{"a.b": 0.25}'] if k.default in EMPTY else []
    return []


def test_every_kind_nested_and_free_form_come_back_unchanged_when_set() -> None:
    view = form(Every)
    for settings in (Every(), CHANGED, Every(space={"a": 1}), CHANGED):
        view.set(settings)
        assert view.settings == settings
        assert view.problems == {}


def test_form_starts_with_its_values_and_budget() -> None:
    view = form("pruning", values={"pruning_ratio": 0.3, "fit_epochs": 2}, budget="smoke")
    assert (view.settings.pruning_ratio, view.settings.fit.epochs, view.settings.budget) == (
        0.3,
        2,
        "smoke",
    )
    assert view.value["pruning_ratio"] == 0.3


def test_form_refuses_unknown_technique_and_wrong_values() -> None:
    with pytest.raises(UnknownName, match="Did you mean `pruning`"):
        form("prunning")
    with pytest.raises(SettingsError, match=r"at most 0\.99, got 2"):
        form("pruning", values={"pruning_ratio": 2})


def test_controls_fit_their_knobs() -> None:
    view = form(Every)
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
    assert {name: type(field_of(view, name)) for name in kinds} == kinds
    names = ("share", "count", "inner_lr", "inner_epochs")
    inside = {name: {type(w) for w in all_inside(view._controls[name])} for name in names}
    assert FloatSlider in inside["share"]
    assert FloatSlider in inside["count"]
    assert FloatLogSlider in inside["inner_lr"]
    assert not {FloatSlider, FloatLogSlider} & inside["inner_epochs"]


def test_every_knob_shows_label_help_and_tooltip() -> None:
    view = form(Every)
    for k in knobs(Every):
        control = view._controls[k.name]
        assert f"wb-knob-{k.name}" in control._dom_classes
        assert shown_help(k, {}).rstrip(".") in control.children[1].value
        assert k.name == "budget" or k.help.rstrip(".") in control.children[1].value
        assert k.help in field_of(view, k.name).tooltip
        assert field_of(view, k.name).description


def test_nested_groups_are_folded_and_budget_comes_first() -> None:
    view = form(Every)
    accordion = next(w for w in all_inside(view) if isinstance(w, Accordion))
    assert accordion.selected_index is None
    assert accordion.titles[0].startswith("Inner")
    field_of(view, "inner_lr").value = "2"
    assert "1 changed, 1 wrong" in accordion.titles[0]
    first = next(w for w in all_inside(view) if "wb-knob" in w._dom_classes)
    assert "wb-knob-budget" in first._dom_classes


def test_settings_without_effect_are_hidden_and_follow_the_method_at_once() -> None:
    view = form(Method)
    assert outside_folds(view) == ["budget", "method", "ratio", "plan"]
    field_of(view, "method").value = "n_m"
    assert outside_folds(view) == ["budget", "method", "n", "m"]
    field_of(view, "method").value = "channels"
    assert outside_folds(view) == ["budget", "method", "ratio", "plan"]


def test_hidden_value_takes_its_default_and_comes_back_with_the_method() -> None:
    view = form(Method)
    field_of(view, "ratio").value = "0.3"
    field_of(view, "method").value = "n_m"
    assert view.problems == {}
    assert view.settings == Method(method="n_m")
    field_of(view, "m").value = "8"
    field_of(view, "method").value = "channels"
    assert view.settings == Method(ratio=0.3)
    assert field_of(view, "ratio").value == "0.3"
    field_of(view, "method").value = "n_m"
    assert view.settings == Method(method="n_m", m=8)


def test_wrong_value_is_no_problem_while_it_is_hidden() -> None:
    view = form(Method)
    field_of(view, "ratio").value = "3"
    assert list(view.problems) == ["ratio"]
    field_of(view, "method").value = "n_m"
    assert view.problems == {}
    assert view.settings == Method(method="n_m")
    field_of(view, "method").value = "channels"
    assert list(view.problems) == ["ratio"]


def test_setting_is_hidden_when_the_setting_of_its_condition_is_hidden() -> None:
    view = form(Method)
    field_of(view, "plan").value = "measured"
    field_of(view, "samples").value = "50"
    assert "samples" in shown_settings(view)
    field_of(view, "method").value = "none"
    assert shown_settings(view) == ["budget", "method"]
    assert view.settings == Method(method="none")
    field_of(view, "method").value = "channels"
    assert view.settings == Method(plan="measured", samples=50)


def test_set_forgets_hidden_values() -> None:
    view = form(Method)
    field_of(view, "ratio").value = "0.3"
    view.set(Method(method="n_m", n=1))
    field_of(view, "method").value = "channels"
    assert view.settings == Method()


def test_settings_for_experts_are_in_one_section_that_counts_the_changed_ones() -> None:
    view = form(Method)
    assert headings(view) == ["Fine-tuning  (1 setting)", "More settings  (4 settings)"]
    assert all(fold.selected_index is None for fold in folds(view))
    more = folds(view)[-1]
    assert [w.knob.name for w in shown_inside(more) if isinstance(w, Control)] == [
        "ratios",
        "round_to",
        "fit_schedule",
        "fit_warmup",
    ]
    field_of(view, "round_to").value = "8"
    field_of(view, "fit_schedule").value = "constant"
    assert headings(view)[-1] == "More settings  (3 settings, 2 changed)"
    field_of(view, "round_to").value = "0"
    assert headings(view)[-1] == "More settings  (3 settings, 2 changed, 1 wrong)"
    field_of(view, "method").value = "n_m"
    assert headings(view)[-1] == "More settings  (1 setting, 1 changed)"


@pytest.mark.parametrize(("typed", "is_set"), [("{}", False), ("{ }", False), ("{a: 0.5}", True)])
def test_setting_that_needs_another_set_follows_its_text(typed: str, is_set: bool) -> None:
    view = form(Method)
    field_of(view, "ratios").value = typed
    assert ("fallback" in shown_settings(view)) == is_set
    assert headings(view)[-1].count("changed") == is_set
    assert view.problems == {}


class Whole(TechniqueSettings):
    """A nested class that is for experts as a whole."""

    fit: Retraining = nested(Retraining, expert=True, title="Fine-tuning")
    """Training after pruning."""


def test_nested_group_all_for_experts_keeps_its_own_section() -> None:
    assert headings(form(Whole)) == ["Fine-tuning  (3 settings)"]


def test_nested_group_is_headed_by_its_title_and_hidden_without_effect() -> None:
    view = form(Method)
    assert headings(view)[0].startswith("Fine-tuning  (")
    more = all_inside(folds(view)[-1])
    assert [w.value for w in more if "wb-part-title" in w._dom_classes] == [
        "<span>Fine-tuning</span>"
    ]
    field_of(view, "method").value = "none"
    assert headings(view) == []
    assert view.settings.fit == Retraining()


@pytest.mark.parametrize("method", ["channels", "n_m", "none"])
def test_form_shows_the_visible_settings_of_the_class(method: str) -> None:
    view = form(Method, values={"method": method})
    assert set(shown_settings(view)) == {k.name for k in view.settings.visible(expert=True)}
    assert len(outside_folds(view)) <= 7


class Related(Settings):
    """A nested class whose help names a setting."""

    lr: float = knob(0.1, title="Learning rate")
    """Step size."""

    warmup: int | None = 3
    """Steps before the highest `lr`; see `way` and `other_thing`."""


class Relating(TechniqueSettings):
    """Settings whose help names others."""

    way: Literal["fast", "slow"] = knob("fast", title="Way of work")
    """Way."""

    share: float = 0.5
    """Share, in the unit of `way`."""

    fit: Related = nested(Related)
    """Training."""


def test_help_names_other_settings_by_their_labels() -> None:
    view = form(Relating)
    help_of = {name: control.children[1].value for name, control in view._controls.items()}
    assert "in the unit of “Way of work”." in help_of["share"]
    assert (
        "“Learning rate”; see “Way of work” and <code>other_thing</code>." in help_of["fit_warmup"]
    )
    assert "smoke" not in help_of["budget"]
    field_of(view, "fit_lr").value = "much"
    assert view.problems["fit_lr"].startswith("`fit_lr` must be a number")
    assert "“Learning rate” must be a number" in view._controls["fit_lr"].children[2].value
    assert "Empty: set automatically." in help_of["fit_warmup"]


def test_dropdown_shows_its_entry_for_none_again_after_another_value() -> None:
    view = form(Every)
    for name in ("maybe", "level"):
        for settings in (Every(), CHANGED, Every()):
            view.set(settings)
        assert field_of(view, name).label == "auto"
        assert view.value[name] is None
        assert field_of(view, name).index == 0


def test_labels_are_titles_or_names_and_choices_are_worded() -> None:
    view = form(Method)
    assert field_of(view, "budget").description == "Effort"
    assert field_of(view, "budget").options == (
        ("quick check", "smoke"),
        ("standard", "standard"),
        ("thorough", "thorough"),
    )
    assert field_of(view, "fit_epochs").description == "Number of epochs"
    assert field_of(view, "round_to").description == "Round to"
    assert field_of(view, "method").options[1] == ("n_m", "n_m")


def test_empty_field_says_what_the_budget_takes() -> None:
    view = form(Every, budget="smoke")
    epochs = field_of(view, "inner_epochs")
    assert (epochs.value, epochs.placeholder) == ("", "auto: 1")
    field_of(view, "budget").value = "thorough"
    assert epochs.placeholder == "auto: 30"
    assert view.settings.inner.epochs is None
    epochs.value = "5"
    assert view.settings.inner.epochs == 5


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
    view = form(Every)
    field_of(view, name).value = typed
    assert list(view.problems) == [name]
    assert words in view.problems[name]
    assert "wb-invalid" in view._controls[name]._dom_classes
    with pytest.raises(SettingsError, match=r"refused"):
        _ = view.settings
    view.set(Every())
    assert view.problems == {}
    assert "wb-invalid" not in view._controls[name]._dom_classes
    assert view._controls[name].children[2].value == ""


def test_slider_and_field_follow_each_other() -> None:
    view = form(Every)
    slider, field = (
        next(w for w in all_inside(view._controls["share"]) if isinstance(w, FloatSlider)),
        field_of(view, "share"),
    )
    slider.value = 0.35000000000000003
    assert field.value == "0.35"
    field.value = "0.123456789"
    assert slider.value == pytest.approx(0.123456789)
    assert field.value == "0.123456789"
    field.value = "7"
    assert (slider.value, field.value) == (1.0, "7")
    field.value = "0.5"
    whole = next(w for w in all_inside(view._controls["count"]) if isinstance(w, FloatSlider))
    whole.value = 12.0
    assert view.settings.count == 12


def test_observers_get_settings_or_none_once_a_change() -> None:
    view, seen = form(Every), []
    view.observe_settings(seen.append)
    view.set(CHANGED)
    field_of(view, "count").value = "0"
    field_of(view, "count").value = "0"
    assert seen == [CHANGED, None]


def test_closing_a_form_closes_everything_in_it() -> None:
    view = form("pruning")
    inside = all_inside(view)
    assert len(inside) > 50
    view.close()
    assert all(isinstance(w, Widget) and w.comm is None for w in inside)
