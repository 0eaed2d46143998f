"""Settings: one declaration, every face, and refusals that name the way out."""

from __future__ import annotations

import dataclasses
from typing import Literal

import pytest
import yaml

from workbench.errors import SettingsError, SettingsTypeError
from workbench.settings import (
    Knob,
    RunOptions,
    Settings,
    TechniqueSettings,
    free_form,
    inherited,
    knob,
    knobs,
    nested,
    scaled,
)
from workbench.settings.fields import KnobOptions
from workbench.techniques import get_technique


class Inner(Settings):
    lr: float = knob(0.01, above=0, high=1, log=True)
    """Learning rate."""

    epochs: int | None = scaled(smoke=1, standard=5, thorough=20, low=0)
    """Passes."""


class Outer(TechniqueSettings):
    ratio: float = knob(0.5, low=0.0, high=0.95)
    """How much."""

    mode: Literal["l1", "l2"] = "l1"
    """Which norm."""

    enabled: bool = True
    """Whether."""

    layers: list[str] = free_form([])
    """Names."""

    ratios: dict[str, float] = free_form({})
    """By layer."""

    fit: Inner = nested(Inner, lr=0.02)
    """Training."""


def test_knobs_flatten_nested_settings_in_order_of_declaration():
    assert [k.name for k in knobs(Outer)] == [
        "budget",
        "ratio",
        "mode",
        "enabled",
        "layers",
        "ratios",
        "fit_lr",
        "fit_epochs",
    ]
    by_name = {k.name: k for k in knobs(Outer)}
    assert by_name["fit_lr"].default == 0.02, (
        "a default given where the class is nested wins over the inner one"
    )
    assert (by_name["ratio"].low, by_name["ratio"].high) == (0.0, 0.95)
    assert by_name["mode"].choices == ("l1", "l2")
    assert by_name["fit_epochs"].by_budget == {"smoke": 1, "standard": 5, "thorough": 20}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ratio": 1.5}, r"`ratio` must be at most 0.95, got 1.5\."),
        ({"ratio": -1}, r"`ratio` must be at least 0, got -1\."),
        ({"rato": 0.1}, r"Unknown setting `rato`\. Did you mean `ratio`\?"),
        ({"mode": "l3"}, r"`mode` got 'l3'.*Valid: `l1`, `l2`"),
        ({"fit": {"lr": 0}}, r"`fit_lr` must be more than 0, got 0\."),
        ({"fit": {"epoch": 1}}, r"Unknown setting `fit_epoch`"),
        ({"ratio": float("nan")}, r"`ratio` must be a finite number"),
        ({"layers": "[a, "}, r"`layers` is neither YAML text nor the path"),
        ({"layers": "missing.yml"}, r"`layers` is neither YAML text nor the path"),
    ],
)
def test_settings_are_refused_with_the_way_out(values, words):
    with pytest.raises(SettingsError, match=words):
        Outer(**values)


def test_all_problems_are_told_at_once_when_several_settings_are_wrong():
    with pytest.raises(SettingsError, match="4 problems") as raised:
        Outer(ratio=2, mode="x", fit={"lr": -1, "nothing": 1})
    assert [name for name, _ in raised.value.problems] == ["ratio", "mode", "fit_lr", "fit_nothing"]


def test_wrong_kind_raises_a_type_error():
    with pytest.raises(SettingsTypeError, match=r"`ratio` must be a number, got 'much' \(str\)"):
        Outer(ratio="much")
    with pytest.raises(TypeError):
        Outer(layers=3)


def test_settings_cannot_be_changed():
    with pytest.raises(Exception, match="frozen"):
        Outer().ratio = 0.1


def test_flat_yaml_and_python_are_one_and_the_same(tmp_path):
    made = Outer(
        ratio=0.25,
        mode="l2",
        enabled=False,
        layers=["a.b", "c"],
        ratios={"a.b": 0.1},
        fit={"lr": 1e-4, "epochs": 7},
        budget="smoke",
    )
    assert Outer.from_flat(made.flat()) == made
    assert Outer(**yaml.safe_load(yaml.safe_dump(made.tree()))) == made
    assert Outer(**made.tree(changed_only=True)) == made
    file = tmp_path / "layers.yml"
    file.write_text("[a.b, c]", encoding="utf-8")
    assert made.replace(layers=str(file)) == made


def test_shell_text_is_read_as_the_kind_of_the_knob():
    made = Outer.from_flat(
        {
            "ratio": "0.25",
            "enabled": "false",
            "fit_lr": "1e-4",
            "fit_epochs": "3",
            "ratios": "{a: 0.5}",
        }
    )
    assert (made.ratio, made.enabled, made.fit.lr, made.fit.epochs, made.ratios) == (
        0.25,
        False,
        1e-4,
        3,
        {"a": 0.5},
    )


def test_unknown_flat_names_and_wrong_values_are_told_together():
    with pytest.raises(SettingsError, match="2 problems"):
        Outer.from_flat({"fit_l": 1, "ratio": 3})


def test_budget_decides_only_what_the_user_left_open():
    assert Outer(budget="smoke").resolved().fit.epochs == 1
    assert Outer().resolved().fit.epochs == 5
    assert Outer(budget="smoke", fit={"epochs": 9}).resolved().fit.epochs == 9
    assert Outer().fit.epochs is None


def test_declarations_that_would_break_a_face_are_refused():
    with pytest.raises(SettingsError, match="both flatten to `fit_lr`"):

        class Clash(Settings):
            fit_lr: float = 0.1
            """One."""
            fit: Inner = nested(Inner)
            """Other."""

    with pytest.raises(SettingsError, match="needs a docstring line"):

        class Silent(Settings):
            ratio: float = 0.1

    with pytest.raises(SettingsError, match="clashes with an option that every run has"):

        class Taken(TechniqueSettings):
            seed: int = 0
            """Seed."""


@pytest.mark.parametrize(
    "declare",
    [
        lambda **options: knob(1, **options),
        lambda **options: scaled(smoke=1, standard=2, thorough=3, **options),
        lambda **options: inherited(1, **options),
        lambda **options: free_form({}, **options),
    ],
)
def test_option_that_no_field_has_is_refused_with_the_nearest(declare):
    with pytest.raises(SettingsTypeError, match="Unknown option of a field `experts`.*`expert`"):
        declare(experts=True)


def test_every_option_of_a_field_is_an_attribute_of_its_knob():
    bounds = {"above"}  # a knob holds it as `low`
    declared = set(KnobOptions.__optional_keys__) - bounds
    assert declared <= {field.name for field in dataclasses.fields(Knob)}
    options = {
        "low": 1,
        "high": 9,
        "step": 2,
        "log": True,
        "unit": "ms",
        "search": (2, 4),
        "only_if": {"mode": "l1"},
        "forms": ("torch",),
        "expert": True,
        "title": "Label",
    }
    assert set(options) == declared

    class Whole(Settings):
        mode: str = "l1"
        """Mode."""

        one: int = knob(3, **options)
        """One value."""

        two: int | None = scaled(smoke=1, standard=2, thorough=3, **options)
        """One value a budget."""

    _, one, two = knobs(Whole)
    assert two.by_budget == {"smoke": 1, "standard": 2, "thorough": 3}
    for name, value in {**options, "only_if": (("mode", ("l1",)),)}.items():
        assert getattr(one, name) == getattr(two, name) == value


def test_choice_of_numbers_is_read_from_text_and_annotated_as_a_number():
    class Bits(Settings):
        bits: Literal[8, 4] = 8
        """Bits of a weight."""

    assert Bits.from_flat({"bits": "4"}).bits == 4
    assert knobs(Bits)[0].cell_type == "int"
    with pytest.raises(SettingsError, match="`bits` got '5'"):
        Bits.from_flat({"bits": "5"})


@pytest.mark.parametrize("way", ["construct", "flat"])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"seed": True}, "`seed` must be a whole number, got True"),
        ({"price_per_core_hour": True}, "`price_per_core_hour` must be a number, got True"),
        ({"batch_sizes": [True, 64]}, "holds true or false"),
        ({"start": b"cnn"}, "`start` must be text"),
        ({"seed": b"3"}, "`seed` must be a whole number"),
    ],
)
def test_value_of_another_kind_is_refused_when_it_could_be_converted(way, values, words):
    with pytest.raises(SettingsError, match=words):
        RunOptions(**values) if way == "construct" else RunOptions.from_flat(values)


def test_value_without_a_text_is_refused_when_it_has_too_many_levels():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(SettingsError, match="`seed` must be a whole number, got a list"):
        RunOptions(seed=deep)


def test_nested_mapping_is_refused_when_a_key_is_no_name():
    with pytest.raises(SettingsError, match="must have names as keys, got 2"):
        get_technique("pruning").settings(fit={2: 1})
