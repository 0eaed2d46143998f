"""Recipes: YAML and Python are the same thing, and everything wrong is told before step 1."""

from __future__ import annotations

import pytest

from workbench.errors import RecipeError
from workbench.recipe import Recipe

TEXT = """
version: 1
task: digits
start: cnn
seed: 3
budget: smoke
steps:
- pruning: {pruning_ratio: 0.25, fit: {epochs: 2}, ratios: {"0": 0.1}}
- quantization
"""


def test_yaml_goes_round_unchanged():
    recipe = Recipe.from_yaml(TEXT)
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert [s.technique for s in recipe.steps] == ["pruning", "quantization"]
    assert recipe.steps[0].settings.fit.epochs == 2
    assert recipe.steps[1].settings.budget == "smoke", (
        "the recipe's budget is every step's, unless it has its own"
    )


def test_a_steps_own_budget_survives_the_round():
    recipe = Recipe.make("digits", [{"pruning": {"budget": "standard"}}], budget="smoke")
    assert recipe.steps[0].settings.budget == "standard"
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe


def test_python_of_a_recipe_makes_the_same_recipe():
    import workbench as wb

    recipe = Recipe.from_yaml(TEXT)
    code = recipe.to_python().split("result =")[0]
    names: dict = {}
    exec(code, names)
    assert names["recipe"] == recipe
    assert names["wb"] is wb


def test_steps_can_be_given_as_yaml_text():
    made = Recipe.make("digits", "[{pruning: {pruning_ratio: 0.25}}, quantization]")
    assert made == Recipe.make("digits", [{"pruning": {"pruning_ratio": 0.25}}, "quantization"])


def test_labels_are_numbered_when_a_technique_comes_twice():
    recipe = Recipe.make("digits", ["pruning", "pruning", "quantization"])
    assert recipe.labels == ("pruning", "pruning 2", "quantization")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a", "A recipe is a mapping"),
        ("version: 2\ntask: digits", "`version` 2 is not known here"),
        ("task: digits\nstepps: []", r"Unknown key of a recipe `stepps`\. Did you mean `steps`"),
        ("steps: []", "`task` is missing"),
        (
            "task: digits\nsteps: [prunning]",
            r"step 1: Unknown technique `prunning`\. Did you mean `pruning`",
        ),
        ("task: digits\nbudget: huge\nsteps: []", "`budget` got 'huge'.*Did you mean"),
        (
            "task: digits\nsteps: [pruning: {pruning_ratio: 3}]",
            "step 1: .*`pruning_ratio` must be at most 0.99, got 3",
        ),
        ("task: digits\nsteps: [[1,2,3]]", "step 1: a step is a technique's name"),
        ("task: [", "not YAML"),
    ],
)
def test_recipe_is_refused_with_the_way_out(text, words):
    with pytest.raises(RecipeError, match=words):
        Recipe.from_yaml(text + "\n")


def test_all_problems_of_all_steps_are_told_at_once():
    with pytest.raises(RecipeError, match="2 problems"):
        Recipe.make("digits", [{"pruning": {"pruning_ratio": 3}}, "quantisation"])


def test_forms_are_checked_before_step_one():
    assert Recipe.make("digits", ["pruning", "quantization"]).check_forms("torch", "cnn") == [
        "torch",
        "torch",
        "onnx",
    ]
    with pytest.raises(
        RecipeError, match="step 2: `pruning` takes models in the form torch.*Put the step before"
    ):
        Recipe.make("digits", ["quantization", "pruning"]).check_forms("torch", "cnn")


def test_command_of_one_step_names_only_what_was_changed():
    command = Recipe.make(
        "digits", [{"pruning": {"pruning_ratio": 0.25, "fit": {"lr": 0.1}}}], start="cnn"
    ).to_command()
    assert (
        command == "workbench pruning --task digits --start cnn --seed 0 --budget standard "
        "--pruning-ratio 0.25 --fit-lr 0.1"
    )
