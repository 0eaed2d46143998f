"""Search spaces: declared as data, refused as a whole, and the same point on every face."""

from __future__ import annotations

import json
import random
from typing import Any, Literal

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.generated.values import ANY
from workbench.errors import SettingsError, SettingsTypeError
from workbench.settings import SET, Settings, inherited, knob
from workbench.settings.spaces import (
    Choice,
    Range,
    Space,
    Targets,
    space_for,
    space_of_knobs,
)
from workbench.training import FitSettings

YAML = """
fit.lr: {low: 1e-4, high: 1e-1, log: true}
fit.batch_size: [32, 64, 128]
model.width: {low: 16, high: 128, step: 16}
model.dropout: 0.2
estimator.model__C: {low: 0.01, high: 100, log: true}
fit.weight_decay: {low: 0.0, high: 0.99, if: {fit.optimizer: sgd}}
fit.optimizer: [adamw, sgd]
"""


class Training(Settings):
    optimizer: Literal["adamw", "sgd"] | None = inherited("adamw")
    """Optimizer."""

    momentum: float = knob(0.9, low=0, high=0.99, only_if={"optimizer": "sgd"}, search=(0.5, 0.9))
    """Momentum."""

    warmup: bool = knob(False)
    """Warm-up."""

    warmup_steps: int = knob(10, low=1, only_if={"warmup": SET}, search=(10, 100), step=10)
    """Steps."""

    folds: int = knob(5, low=2, high=10)
    """Folds."""

    note: str = knob("")
    """Note."""

    def conflicts(self) -> list[tuple[str, str]]:
        if self.folds > 8 and self.optimizer == "sgd":
            return [("folds", f"`folds` must be at most 8 with sgd, got {self.folds}.")]
        return []


def build(width: int = 16, *, depth=2, dropout: float = 0.1, bias=True, norm: str = "batch"):
    return width, depth, dropout, bias, norm


class Estimator:
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        assert deep
        return {
            "model": Estimator.__new__(Estimator),
            "model__C": 1.0,
            "model__max_iter": 100,
            "model__solver": "lbfgs",
            "model__max_features": None,
            "words__ngram_range": (1, 1),
            "model__fit_intercept": True,
        }


TARGETS = Targets.of(fit=FitSettings, builder=build, estimator=Estimator())


class Trial:
    """Suggests at random, as a trial of Optuna does, and keeps what it was asked."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.asked: dict[str, Any] = {}
        self.params: dict[str, Any] = {}

    def suggest_float(self, name, low, high, *, step=None, log=False):
        self.asked[name] = low, high, step, log
        value = self.rng.uniform(low, high)
        if step is not None:
            value = low + round((value - low) / step) * step  # 0.1 + 2 * 0.1 is not 0.3
        return self._kept(name, value)

    def suggest_int(self, name, low, high, *, step=1, log=False):
        self.asked[name] = low, high, step, log
        return self._kept(name, np.int64(self.rng.randrange(low, high + 1, step)))

    def suggest_categorical(self, name, choices):
        self.asked[name] = list(choices)
        return self._kept(name, self.rng.choice(list(choices)))

    def _kept(self, name, value):
        self.params[name] = value
        return value


def _refusal(data: Any, targets: Targets | None = TARGETS) -> SettingsError:
    with pytest.raises(SettingsError) as error:
        Space.of(data, targets)
    return error.value


# Declared as data


def test_forms_of_yaml_are_range_choice_and_fixed_value():
    space = Space.of(YAML, TARGETS)
    assert space["fit.lr"] == Range(name="fit.lr", low=1e-4, high=0.1, log=True)
    assert space["fit.batch_size"] == Choice(name="fit.batch_size", choices=(32, 64, 128))
    assert space["model.width"] == Range(name="model.width", low=16, high=128, is_int=True, step=16)
    assert space["model.dropout"] == Choice(name="model.dropout", choices=(0.2,))
    assert space["fit.weight_decay"].conditions == (("fit.optimizer", ("sgd",)),)
    assert space.names[0] == "fit.lr"
    assert len(space) == 7
    assert [p.name for p in space.searched if p.name == "model.dropout"] == []


def test_yaml_reads_its_text_of_floats_as_numbers():
    assert isinstance(yaml.safe_load("1e-4"), str), "the reason for all this"
    space = Space.of("fit.lr: [1e-4, 1e-3]\nmodel.dropout: 1e-1\nmodel.norm: 1e-1", TARGETS)
    assert space["fit.lr"] == Choice(name="fit.lr", choices=(1e-4, 1e-3))
    assert space["model.dropout"] == Choice(name="model.dropout", choices=(0.1,))
    assert space["model.norm"] == Choice(name="model.norm", choices=("1e-1",)), "it takes text"
    assert Space.of("model.x: 1e-4")["model.x"] == Choice(name="model.x", choices=(1e-4,))
    kept = Space.of("model.x: {choices: [1e-4, auto], type: text}")
    assert kept["model.x"] == Choice(name="model.x", choices=("1e-4", "auto"))
    assert Space.of(kept.to_yaml()) == kept


@pytest.mark.parametrize("ending", [".yml", ".YAML"])
def test_path_of_a_yaml_file_is_read(tmp_path, ending):
    path = tmp_path / f"space{ending}"
    path.write_text(YAML, encoding="utf-8")
    assert Space.of(str(path), TARGETS) == Space.of(path, TARGETS) == Space.of(YAML, TARGETS)


def test_nested_and_wrapped_spaces_are_read_as_the_flat_one():
    flat = Space.of({"fit.lr": {"low": 0.1, "high": 1.0}, "model.width": [8, 16]}, TARGETS)
    tree = {"fit": {"lr": {"low": 0.1, "high": 1}}, "model": {"width": [8, 16]}}
    assert Space.of(tree, TARGETS) == flat
    assert Space.of({"space": tree}, TARGETS) == flat
    assert Space.of(flat, TARGETS) == flat


def test_python_values_of_numpy_ranges_and_tuples_become_plain_data():
    data = {
        "model.width": np.array([8, 16]),
        "model.depth": range(1, 4),
        "model.dropout": {"low": np.float32(0.25), "high": np.float64(0.5)},
        "fit.batch_size": (np.int64(32), 64),
        "fit.optimizer": np.array(["sgd", "adamw"]),
    }
    space = Space.of(data, TARGETS)
    assert json.loads(json.dumps(space.to_data())) == space.to_data()
    assert space["model.depth"] == Choice(name="model.depth", choices=(1, 2, 3))
    assert type(space["fit.batch_size"].corners()[0]) is int
    assert type(space["model.dropout"].corners()[1]) is float


def test_kind_of_a_range_is_that_of_its_target():
    data = {
        "model.width": {"low": 16.0, "high": "1e2"},
        "model.dropout": {"low": 0, "high": 1},
        "estimator.model__C": {"low": 1, "high": 100},
        "estimator.model__max_iter": {"low": 0.5, "high": 2.5},
        "estimator.model__max_features": {"low": 1, "high": 9},
    }
    space = Space.of(data, TARGETS)
    assert {p.name: p.is_int for p in space if isinstance(p, Range)} == {
        "model.width": True,
        "model.dropout": False,
        "estimator.model__C": False,
        "estimator.model__max_iter": False,
        "estimator.model__max_features": True,
    }
    typed = {"estimator.model__C": {"low": 1, "high": 9, "type": "int"}}
    assert Space.of(typed, TARGETS).size() == 9
    assert Space.of({"model.x": {"low": 1, "high": 9, "type": "float"}}).size() is None
    assert Space.of({"model.x": {"choices": [1, 2], "type": "float"}})["model.x"].corners() == [
        1,
        2,
    ]


def test_numbers_of_an_estimator_whose_default_is_text_are_numbers():
    space = Space.of("estimator.model__solver: [auto, 1e-3]", TARGETS)
    assert space["estimator.model__solver"].corners() == ["auto", 1e-3]
    assert Space.of({"estimator.model__solver": {"low": 0, "high": 1.5}}, TARGETS).size() is None


def test_space_survives_yaml_beside_its_targets():
    def of_text(name: Literal["1e-1", "x"] = "x", text: str = "", free=None):
        return name, text, free

    targets = Targets.of(builder=of_text, estimator=Estimator())
    data = {
        "model.name": ["1e-1", "x"],
        "model.text": "1e-1",
        "model.free": {"value": "1e-1", "type": "text"},
        "estimator.model__C": {"low": 1, "high": 9, "type": "int", "log": True},
        "estimator.model__max_iter": {"low": 1, "high": 9, "type": "float"},
    }
    space = Space.of(data, targets)
    assert Space.of(space.to_yaml(), targets) == Space.of(space.to_yaml()) == space
    assert Space.of(space, targets) == space
    assert space["model.free"].corners() == ["1e-1"]
    assert space["estimator.model__C"].n_values == 9


def test_null_is_a_choice_and_a_fixed_value_where_it_is_written_out():
    space = Space.of({"fit.max_steps": [None, 100], "fit.lr": {"value": None}}, TARGETS)
    assert space.grid() == [
        {"fit.max_steps": None, "fit.lr": None},
        {"fit.max_steps": 100, "fit.lr": None},
    ]
    assert Space.of(space.to_yaml(), TARGETS) == space


# Refused as a whole


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "The search space is empty: declare at least one parameter, such as `fit.lr: "),
        ("{}", "The search space is empty"),
        ({"fit.learning": 1}, r"Unknown setting of training `fit.learning`\. .*Valid: `fit.batch"),
        ({"fit.batchsize": 8}, "Did you mean `fit.batch_size`"),
        ({"model.widht": 1}, "Unknown argument of the model's builder `model.widht`. Did you mean"),
        ({"estimator.model__c": 1}, "parameter of the estimator .* mean `estimator.model__C`"),
        ({"trainer.lr": 1}, r"`trainer.lr`: Unknown namespace `trainer`\. Valid: `estimator`, "),
        ({"lr": 1}, "`lr` has no namespace: write `fit.lr`"),
        ({"rate": 1}, "`rate` has no namespace. Write `fit.` for a setting of training, `model."),
        ({"fit.": 1}, "`fit.` has no namespace"),
        ({7: 1}, "A name must be text, got 7"),
        ({"fit": {"lr": 0.1}, "fit.lr": 0.2}, "`fit.lr` is declared twice: keep one"),
        ({"fit.lr": {"low": 1, "high": 0.1}}, "`fit.lr` needs `low` below `high`, got 1 and 0.1"),
        ({"fit.lr": {"low": 1, "high": 1}}, "For a fixed value write the value alone"),
        ({"fit.lr": {"low": 0, "high": 1, "log": True}}, "needs `low` above 0 for `log: true`"),
        ({"fit.lr": {"low": 0.1, "high": 1, "log": "yes"}}, "true or false as `log`, got 'yes'"),
        (
            {"fit.lr": {"low": 0.1, "high": 1, "log": True, "step": 0.1}},
            "has `step` and `log: true`, which exclude each other: leave one out",
        ),
        (
            {"model.width": {"low": 16, "high": 128, "step": 10}},
            "does not divide the range from 16 to 128: set `high` to 126 or 136",
        ),
        (
            {"model.dropout": {"low": 0, "high": 0.5, "step": 0.3}},
            r"does not divide the range from 0 to 0\.5: set `high` to 0\.3 or 0\.6",
        ),
        ({"model.width": {"low": 1, "high": 5, "step": 9}}, "a `step` of 9, larger than the range"),
        ({"model.width": {"low": 1, "high": 5, "step": 0}}, "needs a `step` above 0, got 0"),
        ({"model.dropout": {"low": 0, "high": 1, "step": 1e-300}}, "more than 1,000,000,000 steps"),
        ({"model.dropout": {"low": -1e308, "high": 1e308}}, "spans more than a number can hold"),
        ({"model.width": {"low": 1.5, "high": 5}}, "is a whole number: change `low` 1.5"),
        ({"model.depth": {"low": 1.5, "high": 5}}, "`low` 1.5. Or annotate it as float"),
        ({"model.width": [1.5]}, "`model.width` must be a whole number, got 1.5"),
        ({"model.depth": [1.5]}, "must be a whole number, got 1.5, or annotate it as float"),
        ({"model.width": ["wide"]}, "`model.width` must be a whole number, got 'wide'"),
        ({"model.dropout": True}, "`model.dropout` must be a number, got True"),
        ({"model.width": {"value": None}}, "`model.width` must be a whole number, got null"),
        ({"model.bias": [1]}, "`model.bias` must be true or false, got 1"),
        ({"model.norm": [1, "batch"]}, "`model.norm` must be text, got 1"),
        ({"model.bias": {"low": 0, "high": 1}}, "true or false and takes no range: write"),
        ({"model.norm": {"low": 0, "high": 1}}, "`model.norm` is text and takes no range"),
        ({"fit.optimizer": {"low": 0, "high": 1}}, "no range: write a list of adamw, sgd"),
        ({"estimator.model": {"low": 0, "high": 1}}, "is an estimator and takes no range"),
        ({"estimator.model": 3}, "is an estimator, got 3: name one of its parameters"),
        ({"fit.lr": {"low": True, "high": 2}}, "has a wrong `low`: it must be a number, got True"),
        ({"fit.lr": {"low": 0.1, "high": float("inf")}}, "wrong `high`: it must be a finite"),
        ({"fit.lr": {"low": float("nan"), "high": 1}}, "wrong `low`: it must be a finite"),
        ({"fit.lr": {"low": "small", "high": 1}}, "it must be a number, got 'small'"),
        ({"fit.lr": {"low": 1, "high": 10**400}}, r"between -2\*\*53 and 2\*\*53, got 1000"),
        ({"model.width": {"low": 1, "high": 1e99}}, r"-2\*\*53 and 2\*\*53: change `high`"),
        ({"fit.lr": {"low": 0.1}}, "`fit.lr` is a range and lacks `high`"),
        ({"fit.lr": {"log": True}}, "is a range and lacks `low` and `high`"),
        ({"fit.lr": {"min": 0.1, "high": 1}}, "Unknown key `min`: write `low`"),
        ({"fit.lr": {"lo": 0.1, "high": 1}}, "Unknown key `lo`. Did you mean `low`"),
        ({"fit.lr": {"if": {"fit.epochs": 1}}}, "needs `low` and `high`, or `choices`, or `value`"),
        ({"fit.lr": {"low": 0.1, "high": 1, "choices": [1]}}, "or `value`, and only one of them"),
        ({"fit.lr": {"low": 0.1, "high": 1, "type": "real"}}, "the `type` 'real': Unknown type"),
        ({"model.width": {"choices": [1], "type": "text"}}, "it is a whole number: leave `type`"),
        ({"fit.lr": {"choices": 3}}, "must have a list as `choices`, got 3"),
        ({"fit.lr": []}, "`fit.lr` has an empty list: give at least one value"),
        ({"fit.lr": None}, "is empty: give a value, a list or a range, or {value: null} for none"),
        ({"fit.lr": {0.1, 0.2}}, "is a set, which has no order: write a list"),
        ({"fit.batch_size": [32, 64, 32]}, "`fit.batch_size` lists 32 twice: keep one"),
        ({"fit.lr": [0.1, "1e-1"]}, "`fit.lr` lists 0.1 twice"),
        ({"estimator.model__max_features": [1, True]}, "lists True twice"),
        ({"estimator.model__solver": [float("nan")]}, "must be a finite number, got nan"),
        ({"estimator.model__solver": [object()]}, "must be a number, text, true, false, null, or"),
        ({"fit.lr": [-1]}, "`fit.lr` must be more than 0, got -1"),
        ({"fit.lr": {"low": 0, "high": 1}}, "`fit.lr` must be more than 0, got 0"),
        ({"fit.lr": {"low": 0.1, "high": 20}}, "`fit.lr` must be at most 10, got 20"),
        ({"fit.batch_size": {"low": 1, "high": 64}}, "`fit.batch_size` must be at least 2, got 1"),
        ({"fit.optimizer": ["sgd", "adam"]}, "Unknown value `adam`. Did you mean `adamw`"),
        ({"fit.patience": {"value": None}}, "`fit.patience` must be a whole number, got null"),
    ],
)  # fmt: skip
def test_wrong_space_is_refused_with_the_rule_and_the_way_out(data, words):
    error = _refusal(data)
    with pytest.raises(SettingsError, match=words):
        raise error
    if data not in ({}, "{}"):
        assert len(error.problems) == 1, error


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"fit.optimiser": "sgd"}, "condition of `fit.lr`: Unknown parameter `fit.optimiser`. Did"),
        ({"fit.lr": 0.1}, "condition of `fit.lr`: it depends on itself; name another"),
        ({"fit.optimizer": "adam"}, "`fit.optimizer` cannot be 'adam'; its values: 'adamw', 'sgd'"),
        ({"fit.batch_size": 17}, "cannot be 17; its values: whole numbers from 16 to 64 in steps"),
        ({"fit.batch_size": 80}, "`fit.batch_size` cannot be 80"),
        ({"model.dropout": 0.5}, "`model.dropout` is a range of real numbers; give it a step or"),
        ({"fit.optimizer": []}, "give at least one value of `fit.optimizer`"),
        ({}, "must have a mapping as `if`, such as {fit.optimizer: sgd}, got {}"),
        ("fit.optimizer", "must have a mapping as `if`, .* got 'fit.optimizer'"),
        ({"model.bias": 1}, "`model.bias` cannot be 1; its values: False, True"),
    ],
)
def test_wrong_condition_is_refused(condition, words):
    data = {
        "fit.lr": {"low": 0.1, "high": 1, "if": condition},
        "fit.optimizer": ["adamw", "sgd"],
        "fit.batch_size": {"low": 16, "high": 64, "step": 16},
        "model.dropout": {"low": 0, "high": 1},
        "model.bias": [False, True],
    }
    error = _refusal(data)
    with pytest.raises(SettingsError, match=words):
        raise error
    assert [name for name, _ in error.problems] == ["fit.lr"]


def test_circle_of_conditions_is_refused_with_its_names():
    data = {
        "model.a": {"choices": [1, 2], "if": {"model.c": 1}},
        "model.b": {"choices": [1, 2], "if": {"model.a": 1}},
        "model.c": {"choices": [1, 2], "if": {"model.b": 1}},
        "model.d": {"choices": [1, 2], "if": {"model.a": 1}},
    }
    error = _refusal(data, None)
    assert "`model.a` -> `model.c` -> `model.b` -> `model.a`: these conditions form" in str(error)
    assert len(error.problems) == 1


def test_parameter_that_is_never_active_is_refused():
    data = {
        "model.kind": ["cnn", "mlp"],
        "model.depth": {"choices": [1, 2], "if": {"model.kind": "cnn"}},
        "model.hidden": {"choices": [8, 16], "if": {"model.kind": "mlp", "model.depth": 1}},
    }
    error = _refusal(data, None)
    assert "`model.hidden` is never active" in str(error)
    assert "need different values of `model.kind`" in str(error)


def test_all_problems_are_told_at_once_and_by_name():
    data = {
        "fit.lr": {"low": 0.1, "high": 100},
        "fit.batchsize": [8],
        "model.width": {"low": 5, "high": 1},
        "model.dropout": {"low": 0, "high": 0.5, "if": {"model.depth": 7}},
        "model.depth": [1, 2],
    }
    error = _refusal(data)
    assert {n for n, _ in error.problems} == {
        "fit.lr",
        "fit.batchsize",
        "model.width",
        "model.dropout",
    }
    assert str(error).startswith("Search space refused, 4 problems:\n  - ")


@pytest.mark.parametrize("data", [5, [1], "just a text", "", "[1, 2]"])
def test_space_that_is_no_mapping_is_refused(data):
    with pytest.raises(SettingsTypeError, match="A search space is a mapping such as `fit.lr"):
        Space.of(data)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is not YAML"), ("missing.yml", "There is no file"), ("a: 1\na: 2", "given twice")],
)
def test_text_that_cannot_be_read_is_refused(text, words):
    with pytest.raises(SettingsError, match=f"neither YAML text nor the path .*{words}"):
        Space.of(text)


def test_model_without_a_namespace_is_told():
    targets = Targets.of(fit=FitSettings)
    error = _refusal({"model.width": 1, "estimator.C": 1}, targets)
    assert "is an argument of the model's builder, and this model has no builder" in str(error)
    assert "is a parameter of the estimator, and this model is no estimator" in str(error)
    no_fit = _refusal({"fit.lr": 0.1}, Targets.of(builder=build))
    assert "no settings of training take part here: leave it out" in str(no_fit)


# Checked by the settings class


def test_value_without_effect_is_refused_with_the_condition_to_add():
    targets = Targets.of(fit=Training)
    data = {"fit.optimizer": ["adamw", "sgd"], "fit.momentum": {"low": 0.5, "high": 0.9}}
    error = _refusal(data, targets)
    assert "has an effect only if optimizer is sgd: add `if: {fit.optimizer: sgd}` to" in str(error)
    data["fit.momentum"]["if"] = {"fit.optimizer": "sgd"}
    assert Space.of(data, targets).has_conditions
    alone = {"fit.momentum": {"low": 0.5, "high": 0.9}}
    assert Space.of(alone, Targets.of(fit=Training(optimizer="sgd")))
    with pytest.raises(SettingsError, match="add an `if` on `fit.warmup`"):
        Space.of({"fit.warmup_steps": [20, 30]}, targets)


def test_values_that_exclude_each_other_are_refused_when_the_space_is_declared():
    targets = Targets.of(fit=Training)
    data = {"fit.optimizer": ["adamw", "sgd"], "fit.folds": {"low": 2, "high": 10}}
    assert "`fit.folds` must be at most 8 with sgd, got 10" in str(_refusal(data, targets))
    by_model = {
        "model.kind": ["a", "b"],
        "fit.optimizer": {"choices": ["sgd"], "if": {"model.kind": "a"}},
        "fit.folds": {"low": 2, "high": 10, "if": {"model.kind": "b"}},
    }
    targets = Targets.of(fit=Training, builder=lambda kind="a": kind)
    assert Space.of(by_model, targets).size() == 1 + 9


def test_rare_value_is_checked_too_when_there_are_very_many_combinations():
    data = {
        "fit.lr": {"low": 0.1, "high": 1},
        "fit.epochs": {"low": 1, "high": 5},
        "fit.optimizer": ["adamw", "sgd"],
        "fit.schedule": ["cosine", "constant"],
        "fit.precision": ["auto", "fp32", "bf16"],
        "fit.batch_size": [*range(2, 400), 70_000],
    }
    assert "`fit.batch_size` must be at most 65536, got 70000" in str(_refusal(data))


# Names of a model


def test_arguments_of_a_builder_have_kinds_of_annotation_or_default():
    names = Targets.of(builder=build).names
    assert {n: (t.kind, t.strict) for n, t in names.items()} == {
        "model.width": ("int", True),
        "model.depth": ("int", True),
        "model.dropout": ("float", True),
        "model.bias": ("bool", True),
        "model.norm": ("text", True),
    }
    assert names["model.dropout"].default == 0.1


def test_further_kinds_of_arguments_are_read():
    def other(
        a,
        /,
        b: Literal["x", "y"] = "x",
        c: int | None = None,
        d: tuple[int, ...] = (1,),
        e: Missing = 3,  # noqa: F821
        f: int = 0,
        *rest,
        g,
    ):
        return a, b, c, d, e, f, rest, g

    targets = Targets.of(builder=other)
    kinds = {n.partition(".")[2]: t.kind for n, t in targets.names.items()}
    assert kinds == {"b": "choice", "c": "int", "d": "any", "e": "any", "f": "int", "g": "any"}
    assert targets.names["model.c"].allows_none
    assert "Unknown value `z`. Valid: `x`, `y`" in str(_refusal({"model.b": ["z"]}, targets))
    assert "no range: write a list of x, y" in str(
        _refusal({"model.b": {"low": 0, "high": 1}}, targets)
    )


def test_builder_with_any_arguments_takes_any_name():
    targets = Targets.of(builder=lambda width=8, **others: others)
    assert Space.of({"model.anything": [1, 2], "model.width": [8]}, targets)
    assert Space.of({"model.anything": [1, 2]}, Targets.of(builder=dict))


def test_builder_that_is_given_the_number_of_inputs_keeps_it():
    class Sized:
        n_in = 3

        @staticmethod
        def build(n_in, width=8):
            return n_in, width

        def __call__(self, **args):
            return self.build(self.n_in, **args)

    assert list(Targets.of(builder=Sized()).names) == ["model.width"]


def test_parameters_of_a_pipeline_are_those_of_scikit_learn():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    pipeline = Pipeline([("words", TfidfVectorizer()), ("model", LogisticRegression())])
    targets = Targets.of(estimator=pipeline)
    assert Targets.of(estimator=pipeline.get_params(deep=True)) == targets
    space = Space.of(
        {
            "estimator.model__C": {"low": 0.01, "high": 100, "log": True},
            "estimator.words__ngram_range": [[1, 1], [1, 2]],
            "estimator.words__max_features": [None, 1000],
        },
        targets,
    )
    for point in space.grid(2):
        pipeline.set_params(**space.split(point, targets)["estimator"])
    assert pipeline.get_params()["words__ngram_range"] == (1, 2)
    assert space.split(point)["estimator"]["words__ngram_range"] == [1, 2]
    assert "is an estimator, got 1" in str(_refusal({"estimator.steps": 1}, targets))


def test_estimator_that_cannot_tell_its_parameters_is_refused():
    class Broken:
        def get_params(self, deep=True):
            raise RuntimeError("no")

    with pytest.raises(SettingsError, match="Broken cannot be read by `get_params`: RuntimeError"):
        Targets.of(estimator=Broken())


# Usual spaces


def test_knobs_give_their_own_ranges():
    space = space_of_knobs(FitSettings)
    assert space.to_data() == {
        "fit.epochs": {"low": 2, "high": 60},
        "fit.lr": {"low": 1e-4, "high": 0.03, "log": True},
        "fit.batch_size": {"low": 16, "high": 512, "log": True},
        "fit.weight_decay": {"low": 1e-5, "high": 0.1, "log": True},
    }
    assert space_of_knobs(FitSettings, ["lr", "optimizer"]).names == ("fit.lr", "fit.optimizer")


def test_conditions_of_knobs_become_those_of_the_space():
    assert space_of_knobs(Training(optimizer="sgd")).names == ("fit.momentum",)
    assert space_of_knobs(Training, ["optimizer", "momentum"]).to_data() == {
        "fit.optimizer": ["adamw", "sgd"],
        "fit.momentum": {"low": 0.5, "high": 0.9, "if": {"fit.optimizer": "sgd"}},
    }
    assert space_of_knobs(Training, ["warmup", "warmup_steps"])["fit.warmup_steps"].conditions == (
        ("fit.warmup", (True,)),
    )
    assert space_of_knobs(Training(warmup=True), ["warmup_steps"]).size() == 10
    with pytest.raises(SettingsError, match="`fit.momentum` has an effect only if optimizer is"):
        space_of_knobs(Training, ["momentum"])


class Chained(Settings):
    steps: int = knob(0, low=0, search=(1, 9))
    """Steps, of which one or more are searched."""

    decay: float = knob(0.1, low=0, search=(0.1, 0.5), only_if={"steps": SET})
    """Decay."""

    noise: float = knob(0.0, low=0, search=(0.0, 1.0))
    """Noise, which a search may leave out."""

    scale: float = knob(1.0, low=0, search=(0.5, 2.0), only_if={"noise": SET})
    """Scale of the noise."""

    fold: float = knob(1.0, low=0, search=(0.5, 2.0), only_if={"scale": 1.5})
    """A knob below one that a search leaves out."""


def test_knob_whose_condition_no_space_can_express_is_left_out():
    space = space_of_knobs(Chained)
    assert space.names == ("fit.steps", "fit.decay", "fit.noise")
    assert not space.has_conditions, "all values of the range of steps count as set"


def test_knobs_without_a_range_are_refused_when_they_are_named():
    with pytest.raises(SettingsError, match="2 problems") as error:
        space_of_knobs(FitSettings, ["patience", "learning_rate"])
    assert "`patience` declares no range to search: declare one in a space" in str(error.value)
    assert "Unknown setting `learning_rate`" in str(error.value)
    with pytest.raises(SettingsError, match="The search space is empty"):
        space_of_knobs(Training)


@pytest.mark.parametrize("nothing", [None, {}, ""])
def test_model_without_a_declared_space_gets_that_of_training(nothing):
    assert space_for(nothing, fit=FitSettings, builder=build) == space_of_knobs(FitSettings)
    with pytest.raises(SettingsError, match="no usual search space: .*`estimator.model__C: {low"):
        space_for(nothing, estimator=Estimator())


def test_declared_space_is_checked_against_the_model():
    assert space_for({"model.width": [8]}, fit=FitSettings, builder=build).size() == 1
    with pytest.raises(SettingsError, match="Unknown argument of the model's builder `model.w`"):
        space_for({"model.w": [8]}, fit=FitSettings, builder=build)


# Points


def test_trial_is_asked_about_active_parameters_only():
    space = Space.of(YAML, TARGETS)
    seen = set()
    for seed in range(20):
        trial = Trial(seed)
        point = space.suggest(trial)
        assert space.contains(point)
        assert json.loads(json.dumps(point)) == point
        assert ("fit.weight_decay" in trial.asked) == (point["fit.optimizer"] == "sgd")
        assert "model.dropout" not in trial.asked
        assert point["model.dropout"] == 0.2
        assert space.of_trial(trial.params) == point
        assert space.of_trial(space.to_trial(point)) == point
        seen.add(point["fit.optimizer"])
    assert seen == {"adamw", "sgd"}
    assert trial.asked["fit.lr"] == (1e-4, 0.1, None, True)
    assert trial.asked["model.width"] == (16, 128, 16, False)
    assert trial.asked["fit.batch_size"] == [32, 64, 128]


def test_condition_may_name_several_values_and_conditional_parameters():
    data = {
        "model.fusion": {"choices": ["add", "cat"], "if": {"model.layers": [2, 3]}},
        "model.size": {"low": 1, "high": 4, "if": {"model.fusion": "cat"}},
        "model.layers": {"low": 1, "high": 5},
    }
    space = Space.of(data)
    assert space.size() == len(space.grid()) == 3 + 2 * (1 + 4)
    assert space.grid()[0] == {"model.layers": 1}
    assert {"model.layers": 2, "model.fusion": "cat", "model.size": 4} in space.grid()
    assert not space.contains({"model.layers": 1, "model.size": 4})
    assert space.is_finite
    assert space.has_conditions
    assert space.has_categories


def test_properties_tell_samplers_about_the_space():
    numbers = Space.of({"model.a": {"low": 0.0, "high": 1.0}, "model.b": "fixed"})
    assert not numbers.has_conditions
    assert not numbers.has_categories, "a fixed value is no choice"
    assert not numbers.is_finite
    assert numbers.size() is None
    assert Space.of({"model.a": {"low": 0.0, "high": 1.0, "step": 0.1}}).size() == 11


def test_lists_among_choices_are_shown_to_a_trial_as_json():
    space = Space.of({"model.hidden": [[64], [64, 32]], "model.x": {"value": {"a": [1]}}})
    trial = Trial()
    point = space.suggest(trial)
    assert trial.asked == {"model.hidden": ["[64]", "[64, 32]"]}
    assert point["model.hidden"] in ([64], [64, 32])
    point["model.hidden"].append(1)
    assert space["model.hidden"].corners() == [[64], [64, 32]], "a point is a copy"
    assert Space.of(space.to_yaml()) == space
    condition = {"model.y": {"choices": [1, 2], "if": {"model.hidden": [[64]]}}}
    assert Space.of({**space.to_data(), **condition}).size() == 3


def test_mappings_and_deep_lists_among_choices_are_checked():
    twice = {"choices": [{"a": 1, "b": [2]}, {"b": [2], "a": 1}]}
    assert "`model.x` lists {'b': [2], 'a': 1} twice" in str(_refusal({"model.x": twice}, None))
    space = Space.of({"model.x": [{"a": 1}, {"a": True}]})
    assert space.contains({"model.x": {"a": True}})
    assert not space.contains({"model.x": {"a": 2}})
    deep: list[Any] = []
    for _ in range(99):
        deep = [deep]
    assert "at most 20 levels of lists and mappings" in str(_refusal({"model.x": deep}, None))


def test_size_of_a_space_with_many_joined_conditions_is_counted_without_its_points():
    data: dict[str, Any] = {f"model.p{i}": list(range(50)) for i in range(8)}
    conditions = {name: list(range(49)) for name in data}
    space = Space.of({**data, "model.c": {"choices": [1, 2], "if": conditions}})
    assert space.size() == 50**8 + 49**8


def test_grid_has_both_ends_of_every_range_and_even_steps_between():
    space = Space.of({"fit.lr": {"low": 1e-4, "high": 1, "log": True}}, TARGETS)
    assert [p["fit.lr"] for p in space.grid(3)] == pytest.approx([1e-4, 1e-2, 1])
    space = Space.of({"model.dropout": {"low": 0.1, "high": 0.7, "step": 0.2}}, TARGETS)
    assert [p["model.dropout"] for p in space.grid()] == [0.1, 0.3, 0.5, 0.7]
    space = Space.of({"fit.batch_size": {"low": 16, "high": 256, "log": True}}, TARGETS)
    assert [p["fit.batch_size"] for p in space.grid(n_per_int=3)] == [16, 64, 256]
    assert len(space.grid()) == 241


def test_grid_names_ranges_without_a_number_of_values():
    space = Space.of(YAML, TARGETS)
    words = "values for `fit.lr`, `estimator.model__C`, `fit.weight_decay`: give `n_per_float`, or"
    with pytest.raises(SettingsError, match=words):
        space.grid()
    assert len(space.grid(2)) == 2 * 3 * 8 * 2 * (1 + 2)
    for wrong in (1, 2.0, True):
        with pytest.raises(SettingsError, match="`n_per_float` must be a whole number from 2 on"):
            space.grid(wrong)


def test_grid_that_is_too_large_says_how_many_points_it_has():
    space = Space.of({f"model.p{i}": {"low": 1, "high": 10} for i in range(9)})
    with pytest.raises(SettingsError, match="The grid has 1,000,000,000 points, more than 10,000"):
        space.grid()
    assert len(space.grid(n_per_int=2)) == 2**9
    with pytest.raises(SettingsError, match="512 points, more than 100: give fewer choices"):
        space.grid(n_per_int=2, limit=100)


def test_whole_numbers_that_a_condition_names_stay_on_a_thinned_grid():
    data = {
        "model.layers": {"low": 1, "high": 5},
        "model.skip": {"choices": [True, False], "if": {"model.layers": 3}},
    }
    assert Space.of(data).grid(n_per_int=2) == Space.of(data).grid()


def test_random_points_cover_the_space_and_follow_the_seed():
    space = Space.of(YAML, TARGETS)
    points = [space.sample(np.random.default_rng(0)) for _ in range(2)]
    assert points[0] == points[1]
    rng = random.Random(0)
    points = [space.sample(rng) for _ in range(300)]
    assert all(space.contains(p) for p in points)
    assert {p["model.width"] for p in points} == set(range(16, 129, 16))
    assert np.mean([p["fit.lr"] < 10**-2.5 for p in points]) == pytest.approx(0.5, abs=0.1)
    log = Space.of({"model.n": {"low": 1, "high": 100, "log": True}})
    assert np.mean([log.sample(rng)["model.n"] <= 10 for _ in range(300)]) > 0.4


def test_points_that_do_not_belong_to_the_space_are_told():
    space = Space.of(YAML, TARGETS)
    point = space.sample(random.Random(0)) | {"fit.optimizer": "adamw"}
    point.pop("fit.weight_decay", None)
    assert space.contains(point)
    assert space.contains(point | {"model.width": np.int64(32)})
    for change, words in (
        ({"model.width": 17}, "`model.width` cannot be 17; its values: whole numbers from 16 to"),
        ({"model.width": True}, "`model.width` cannot be True"),
        ({"fit.lr": 5}, "`fit.lr` cannot be 5; its values: numbers from 0.0001 to 0.1"),
        ({"fit.weight_decay": 0.1}, "`fit.weight_decay` is not active at this point: leave it out"),
        ({"fit.batchsize": 32}, "Unknown parameter `fit.batchsize`. Did you mean"),
        ({"model.dropout": 0.3}, "`model.dropout` cannot be 0.3; its values: 0.2"),
    ):
        assert not space.contains(point | change)
        with pytest.raises(SettingsError, match=words):
            space.normal(point | change)
    with pytest.raises(SettingsError, match="The point lacks `fit.lr`: numbers from 0.0001"):
        space.normal({})
    with pytest.raises(KeyError, match="Unknown parameter `lr`"):
        space["lr"]


def test_point_is_split_by_namespace():
    space = Space.of(YAML, TARGETS)
    parts = space.split(space.sample(random.Random(3)))
    assert set(parts) == {"fit", "model", "estimator"}
    assert parts["model"].keys() == {"width", "dropout"}
    assert FitSettings(**parts["fit"]).batch_size in (32, 64, 128)
    assert build(**parts["model"])


def test_long_list_of_choices_is_cut_in_a_message():
    space = Space.of({"model.a": list(range(100))})
    with pytest.raises(SettingsError, match="its values: 0, 1, 2, 3, 4, 5, 6, 7 and 92 more"):
        space.normal({"model.a": -1})


@pytest.mark.parametrize("seed", range(2))
def test_trials_of_optuna_give_points_of_the_space(seed):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    extra = {
        "model.hidden": [[64], [64, 32]],
        "model.scale": {"low": 0.1, "high": 0.7, "step": 0.2},
        "model.n": {"low": 1, "high": 64, "log": True},
    }
    space = Space.of(yaml.safe_load(YAML) | extra)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=5))
    first = space.sample(random.Random(seed))
    study.enqueue_trial(space.to_trial(first))
    points = []

    def objective(trial):
        points.append(space.suggest(trial))
        return points[-1]["fit.lr"]

    study.optimize(objective, n_trials=12)
    assert points[0] == first
    assert all(space.contains(p) for p in points)
    assert [space.of_trial(t.params) for t in study.trials] == points


# Round trips, for any space

PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(
        ["1e-4", "yes", "null", "1", "~", "a: b", "2020-01-01", "0x10", "\x85", "\u2028 é"]
    ),
)
CHOICES = st.lists(
    st.one_of(PLAIN, st.lists(st.integers(0, 9), max_size=2)), min_size=1, max_size=4
)


@st.composite
def ranges(draw) -> dict[str, Any]:
    is_log = draw(st.booleans())
    if draw(st.booleans()):
        low, n = draw(st.integers(1 if is_log else -50, 50)), draw(st.integers(1, 20))
        step = draw(st.integers(1, 5))
        more = {"log": True} if is_log else {"step": step}
        return {"low": low, "high": low + n * step, **more}
    if draw(st.booleans()):
        places, n = draw(st.integers(0, 5)), draw(st.integers(1, 20))
        low = draw(st.integers(-50, 50))
        unit = 10**places
        return {"low": low / unit, "high": (low + 3 * n) / unit, "step": 3 / unit}
    low = draw(st.floats(1e-12 if is_log else -1e12, 1e6))
    return {"low": low, "high": low + draw(st.floats(1e-3, 1e9)), "log": is_log}


@st.composite
def spaces(draw) -> Space:
    """A space of up to five parameters, of which later ones depend on earlier ones."""
    data: dict[str, Any] = {}
    for i in range(draw(st.integers(1, 5))):
        choices = st.fixed_dictionaries({"choices": CHOICES, "type": st.just("text")})
        own = draw(st.one_of(ranges(), choices))
        if "choices" in own:
            kept: list[Any] = []
            for value in own["choices"]:
                label = value if not isinstance(value, list) else json.dumps(value)
                if all(label != (k if not isinstance(k, list) else json.dumps(k)) for k in kept):
                    kept.append(value)
            own["choices"] = kept
        earlier = Space.of(data) if data else ()
        discrete = [p for p in earlier if p.n_values is not None]
        if discrete and draw(st.booleans()):
            parent = draw(st.sampled_from(discrete))
            values = parent.grid(None, None)
            own["if"] = {
                parent.name: draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))
            }
        data[f"{draw(st.sampled_from(['fit', 'model', 'estimator']))}.p{i}"] = own
    order = draw(st.permutations(list(data)))
    return Space.of({name: data[name] for name in order})


@settings(max_examples=150, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_any_space_and_its_points_survive_yaml_and_json(space, seed):
    assert Space.of(space.to_yaml()) == space
    assert Space.of(json.dumps(space.to_data())) == space
    assert Space.of(space.to_data()).to_data() == space.to_data()
    for point in (space.sample(random.Random(seed)), space.suggest(Trial(seed))):
        assert space.contains(point)
        assert json.loads(json.dumps(point)) == point
        assert space.of_trial(space.to_trial(point)) == point


@settings(max_examples=60, deadline=None)
@given(spaces())
def test_size_is_the_number_of_points_of_any_grid(space):
    size = space.size()
    assert (size is not None) == space.is_finite
    try:
        points = space.grid(2, limit=2000)
    except SettingsError:
        return
    assert size is None or len(points) == size
    assert all(space.contains(p) for p in points)
    texts = [json.dumps(p, sort_keys=True) for p in points]
    assert len(set(texts)) == len(texts)


NAMES = st.sampled_from(["fit.lr", "fit.optimizer", "model.width", "estimator.model__C", "lr", 3])
KEYS = st.sampled_from(["low", "high", "step", "log", "type", "choices", "value", "if", "min"])
LONG = st.dictionaries(KEYS, st.one_of(ANY, st.dictionaries(NAMES, ANY, max_size=2)), max_size=4)


@settings(max_examples=200, deadline=None)
@given(st.one_of(ANY, st.dictionaries(NAMES, st.one_of(ANY, LONG), max_size=4)), st.booleans())
def test_odd_data_raise_errors_of_settings_only(data, has_targets):
    try:
        space = Space.of(data, TARGETS if has_targets else None)
    except SettingsError:
        return
    assert Space.of(space.to_yaml()) == space
