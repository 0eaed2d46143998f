"""Recipes: as Python, as trees, as YAML text with damage, and as files in several encodings."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.generated.checker import Attempt, attempt, require
from tests.generated.settings import flat_values, tree_of, values_of
from tests.generated.values import ANY, PLAIN, TEXT, same
from workbench.recipe import KEYS, Recipe
from workbench.settings import RunOptions, Settings, knobs
from workbench.techniques import get_technique, technique_names

__all__ = ["CASES", "DAMAGE", "TEXTS", "damaged", "try_case"]

WAYS = ("make", "tree", "text", "file")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1")
SNIPPETS = (
    "\t", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "!!python/name:os.system ", "<<: ", "|", ">",
    "#", "'", '"', "\x00", "\x85", "\ufeff", "%", "@", "? ", "---\n", "...\n", "2020-13-45", "é",
    "\r", "\x1b", "0o17", "1:30", "=", "\n",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """The tree of a recipe, the way it is given, damage of its text, and the file's encoding."""

    way: str
    tree: Any
    damage: tuple[tuple[float, str], ...] = ()
    encoding: str = "utf-8"


def _plain(values: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return values.map(_as_plain)


def _as_plain(value: Any) -> Any:
    """What YAML can write of a value; text for anything else."""
    try:
        yaml.safe_dump(value)
        return value
    except (yaml.YAMLError, RecursionError, TypeError):
        pass
    if isinstance(value, dict):
        return {str(k): _as_plain(v) for k, v in value.items()}
    if type(value) in (list, tuple) and len(value) < 9 and not any(v is value for v in value):
        return [_as_plain(v) for v in value]
    return f"<{type(value).__name__}>"


def _settings(name: str) -> st.SearchStrategy[dict[str, Any]]:
    of = get_technique(name).settings
    return flat_values(of, most=3).map(lambda values: tree_of(of, values))


NAMES = st.one_of(st.sampled_from(technique_names()), st.just("prunning"))
STEP = st.one_of(
    NAMES,
    st.sampled_from(technique_names()).flatmap(lambda n: _settings(n).map(lambda s: {n: s})),
    st.sampled_from(technique_names()).flatmap(lambda n: _settings(n).map(lambda s: (n, s))),
)
STEPS = st.one_of(
    st.lists(STEP, max_size=2), st.lists(st.one_of(STEP, STEP, STEP, ANY), max_size=3)
)
OPTIONS = [(k.name, values_of(k)) for k in knobs(RunOptions) if k.name in KEYS]
OPTION = st.sampled_from(OPTIONS).flatmap(lambda o: st.tuples(st.just(o[0]), o[1]))
STRANGE = st.one_of(
    st.tuples(st.just("version"), st.one_of(st.just(1), ANY)),
    st.tuples(st.one_of(st.just("sead"), TEXT, st.none(), st.integers(0, 3)), ANY),
)
PAIRS = st.lists(st.one_of(OPTION, OPTION, OPTION, OPTION, STRANGE), max_size=3).map(dict)
TREES = st.builds(
    lambda task, steps, others: {**task, **steps, **others},
    st.sampled_from(({"task": "digits"}, {"task": "digits"}, {"task": "digits"}, {})),
    st.one_of(STEPS, STEPS, STEPS, ANY).map(lambda steps: {"steps": steps}),
    PAIRS,
)
DAMAGE = st.lists(
    st.tuples(
        st.floats(0, 1), st.one_of(st.sampled_from(SNIPPETS), st.just("cut"), st.text(max_size=2))
    ),
    max_size=3,
).map(tuple)
CASES = st.builds(
    Case,
    st.sampled_from(WAYS),
    st.one_of(TREES, TREES, TREES, TREES, TREES, PLAIN),
    st.one_of(st.just(()), DAMAGE),
    st.one_of(st.just("utf-8"), st.sampled_from(ENCODINGS)),
)
TEXTS = TEXT


def damaged(text: str, damage: tuple[tuple[float, str], ...]) -> str:
    """A text with snippets put in at places from 0 to 1; `cut` drops the rest."""
    for place, snippet in damage:
        at = int(place * len(text))
        text = text[:at] if snippet == "cut" else text[:at] + snippet + text[at:]
    return text


def try_case(case: Case) -> str:
    """Read the recipe; one that is accepted holds what was written, and goes round."""
    if case.way in ("make", "tree"):
        return _judged(_in_python(case), case.tree)
    text = damaged(yaml.safe_dump(_as_plain(case.tree), allow_unicode=True), case.damage)
    if case.way == "text":
        return _judged(attempt(lambda: Recipe.from_yaml(text)), _tree_in(text))
    content = text.encode(case.encoding, "replace")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yml"
        path.write_bytes(content)
        ended = attempt(lambda: Recipe.from_yaml(path))
    return _judged(ended, _tree_in(text.encode(case.encoding, "replace").decode(case.encoding)))


def _in_python(case: Case) -> Attempt:
    tree = case.tree
    if case.way == "tree" or not isinstance(tree, Mapping):
        return attempt(lambda: Recipe.from_tree(tree))
    options = {k: v for k, v in tree.items() if k not in ("task", "steps", "version")}
    if not all(isinstance(k, str) for k in options):
        return attempt(lambda: Recipe.from_tree(tree))
    return attempt(lambda: Recipe.make(tree.get("task"), tree.get("steps"), **options))


def _tree_in(text: str) -> Any:
    """The content of a text as PyYAML alone reads it; None where it cannot."""
    try:
        return yaml.safe_load(text.lstrip("\ufeff"))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None


def _judged(ended: Attempt, tree: Any) -> str:
    if ended.refusal is not None:
        return "refused"
    recipe: Recipe = ended.value
    require(isinstance(tree, Mapping), "recipe", tree)
    for key, given in tree.items():
        require(key in KEYS, "unknown key", key)
        if key not in ("version", "steps"):
            got = getattr(recipe.options, key)
            is_no_start = key == "start" and given is None and got == ""
            require(same(given, got) or is_no_start, "option", key, given, got)
    steps = tree.get("steps", [])
    if isinstance(steps, (list, tuple)):
        require(len(steps) == len(recipe.steps), "steps", steps, recipe.steps)
        for given_step, step in zip(steps, recipe.steps, strict=True):
            _check_step(given_step, step)
    again = attempt(lambda: Recipe.from_yaml(recipe.to_yaml()))
    require(
        again.refusal is None,
        "recipe refused again",
        recipe.to_yaml(),
        again.refusal,
    )
    require(again.value == recipe, "recipe round trip", recipe, again.value)
    shown = attempt(lambda: [recipe.to_python(), recipe.to_command(), recipe.labels])
    require(shown.refusal is None, "recipe not shown", recipe, shown.refusal)
    return "accepted"


def _check_step(given: Any, step: Any) -> None:
    if isinstance(given, str):
        require(given == step.technique, "step", given, step)
        return
    name, settings = next(iter(given.items())) if isinstance(given, Mapping) else given
    require(name == step.technique, "step", given, step)
    _check_tree(settings or {}, step.settings)


def _check_tree(given: Any, settings: Any) -> None:
    for name, value in dict(given).items():
        got = getattr(settings, str(name))
        if isinstance(got, Settings):
            _check_tree(value, got)
        else:
            require(same(value, got), "setting of a step", name, value, got)
