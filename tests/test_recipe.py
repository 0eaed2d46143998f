"""Recipes: YAML and Python are the same thing, and everything wrong is told before step 1."""

from __future__ import annotations

import itertools
import re

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
    assert recipe.to_command() == "workbench run recipe.yml", "a command has one budget for both"
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
        ("task: digits\nseed: 1\nseed: 2", "`seed` is given twice, in lines 2 and 3: keep one"),
        (
            "task: digits\nsteps: [pruning: {fit: {lr: 1, lr: 2}}]",
            "`lr` is given twice, in line 2: keep one",
        ),
        ("task: !!python/name:os.system", "tag `python/name:os.system` is not allowed"),
        ("task: &a [*a]", "an alias holds itself"),
        ("\n", "got an empty text"),
        ("recipe.txt", "got the text 'recipe.txt' .the name of a file must end in .yml or .yaml"),
    ],
)
def test_recipe_is_refused_with_the_way_out(text, words):
    with pytest.raises(RecipeError, match=words):
        Recipe.from_yaml(text + "\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_recipe_file_is_read_in_each_encoding_that_says_its_name(tmp_path, encoding):
    path = tmp_path / "recipe.YML"
    path.write_text(TEXT, encoding=encoding)
    assert Recipe.from_yaml(path) == Recipe.from_yaml(str(path)) == Recipe.from_yaml(TEXT)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.yml", "# für\ntask: digits".encode("latin-1"), "not UTF-8 .*Latin-1 or Windows-1252"),
        ("r.yml", "task: digits".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        ("r.yml", None, "There is no file .*r.yml: check the path"),
        ("", None, "is a folder: give the path of a file"),
    ],
)
def test_recipe_file_that_cannot_be_read_is_refused_in_words(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=f"The recipe cannot be read. .*{words}"):
        Recipe.from_yaml(path)


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
        RecipeError,
        match="step 2: `pruning` takes models in the form torch.*Put this step before step 1 "
        "\\(`quantization`\\), which changes the form to onnx",
    ):
        Recipe.make("digits", ["quantization", "pruning"]).check_forms("torch", "cnn")


@pytest.mark.parametrize("form", ["torch", "sklearn", "onnx"])
def test_advice_on_the_order_names_a_step_before_which_the_refused_one_fits(form):
    names = ("pruning", "quantization", "distillation")
    n_moved = 0
    for order in [o for n in (1, 2, 3) for o in itertools.product(names, repeat=n)]:
        try:
            Recipe.make("digits", list(order)).check_forms(form, "the start")
            continue
        except RecipeError as error:
            text = str(error)
        advice = re.search(
            r"step (\d): [^\n]*Put this step before step (\d) \(`(\w+)`\), .* to (\w+)\.", text
        )
        if advice is None:
            assert "or leave this step out" in text
            continue
        refused, place = int(advice[1]), int(advice[2])
        assert order[place - 1] == advice[3]
        moved = [*order[: place - 1], order[refused - 1], *order[place - 1 : refused - 1]]
        repaired = "torch" if "step 1: " in text else form  # the advice on step 1 is followed too
        Recipe.make("digits", moved).check_forms(repaired, "the start")
        n_moved += 1
    assert n_moved > 0


def test_command_of_one_step_names_only_what_was_changed():
    command = Recipe.make(
        "digits", [{"pruning": {"pruning_ratio": 0.25, "fit": {"lr": 0.1}}}], start="cnn"
    ).to_command()
    assert (
        command == "workbench pruning --task digits --start cnn --seed 0 --budget standard "
        "--pruning-ratio 0.25 --fit-lr 0.1"
    )


@pytest.mark.parametrize("steps", [None, 3, {1, 2}, b"pruning"])
def test_steps_of_another_kind_are_refused(steps):
    with pytest.raises(RecipeError, match="`steps` must be a list"):
        Recipe.make("digits", steps)


def test_settings_of_a_single_step_are_kept_when_it_is_a_mapping():
    step = {"pruning": {"pruning_ratio": 0.25}}
    assert Recipe.make("digits", step) == Recipe.make("digits", [step])


@pytest.mark.parametrize("start", [0, False, [], {}])
def test_start_of_another_kind_is_refused_when_it_is_empty(start):
    with pytest.raises(RecipeError, match="`start` must be text"):
        Recipe.make("digits", ["pruning"], start=start)


@pytest.mark.parametrize("version", [True, 1.0, "1", [1]])
def test_version_is_refused_when_it_is_no_whole_number(version):
    with pytest.raises(RecipeError, match="`version` .* is not known here"):
        Recipe.from_tree({"version": version, "task": "digits", "steps": []})


@pytest.mark.parametrize("step", [{3: {}}, {None: None}, ([], {}), {"pruning": {3: 1}}])
def test_step_is_refused_when_a_name_is_no_text(step):
    with pytest.raises(RecipeError, match="step 1"):
        Recipe.make("digits", [step])


def test_notebook_of_an_earlier_version_has_defaults_for_what_it_lacks():
    variables = {"task": "digits", "start": "cnn", "budget": "smoke", "pruning_ratio": 0.25}
    recipe = Recipe.of_parameters(variables, "pruning")
    assert recipe.options.baselines == "auto"
    assert recipe.steps[0].settings.pruning_ratio == 0.25
    assert Recipe.of_parameters({"task": "digits", "budget": "smoke", "steps": "[]"}).steps == ()


@pytest.mark.parametrize(
    "variables", [{}, {"task": "digits"}, {"task": "digits", "budget": "smoke"}]
)
def test_notebook_whose_parameters_were_not_run_says_so(variables):
    with pytest.raises(RecipeError, match="run the cell of parameters first"):
        Recipe.of_parameters(variables)
