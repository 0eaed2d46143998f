"""The text of a search space: plain data, YAML or the path of a file, read into parameters.

fit.lr: {low: 1e-4, high: 1e-1, log: true}        # a range
model.width: {low: 16, high: 128, step: 16}
fit.batch_size: [32, 64, 128]                      # a choice
model.dropout: 0.2                                 # fixed
model.momentum: {low: 0.0, high: 0.9, if: {fit.optimizer: sgd}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.errors import SettingsError, SettingsTypeError, all_of, shown, unknown
from workbench.settings.spaces.checks import refused_by_settings
from workbench.settings.spaces.conditions import with_conditions
from workbench.settings.spaces.parameters import Choice, Parameter
from workbench.settings.spaces.ranges import read_range
from workbench.settings.spaces.targets import ABSENT, MEANINGS, NAMESPACES, Target, Targets
from workbench.settings.spaces.values import looks_like_number, plain, read_number, same, unwrapped
from workbench.system.texts import UnreadableText, read_json_or_yaml, read_text

__all__ = ["read_space", "refused"]

Problems = list[tuple[str, str]]
EXAMPLE = "fit.lr: {low: 1e-4, high: 1e-1, log: true}"
RANGE_KEYS = ("low", "high", "step", "log")
KEYS = (*RANGE_KEYS, "type", "choices", "value", "if")
KEYS_ELSEWHERE = {
    "min": "low",
    "max": "high",
    "lower": "low",
    "upper": "high",
    "values": "choices",
    "options": "choices",
    "q": "step",
    "when": "if",
}
TYPES = ("float", "int", "text")  # text keeps 1e-4 as text
NARROWER = (("int", "float"), ("text", "choice"))  # a `type` that a kind of target allows too
NOUNS = {"float": "a number", "int": "a whole number", "bool": "true or false", "text": "text"}


def refused(problems: Problems) -> SettingsError:
    """The error that tells all problems of a space."""
    error = SettingsError(all_of([text for _, text in problems], "Search space refused"))
    error.problems = problems
    return error


def read_space(data: Any, targets: Targets | None) -> tuple[Parameter, ...]:
    """The parameters that plain data, YAML text or a YAML file declare, in their order.

    Without `targets`, names and kinds are not checked. Raises SettingsError that tells all
    problems, SettingsTypeError for data of another kind.
    """
    problems: Problems = []
    tree = _flattened(_mapping(data), problems)
    if not tree and not problems:
        raise SettingsError(
            f"The search space is empty: declare at least one parameter, such as `{EXAMPLE}`."
        )
    by_name: dict[str, Parameter] = {}
    for name, declared in tree.items():
        target = _target(name, targets, problems)
        parameter = target and _parameter(name, declared, target, problems)
        if parameter:
            by_name[name] = parameter
    by_name = with_conditions(by_name, tree, problems)
    if targets is not None and targets.fit is not None:
        problems += refused_by_settings(list(by_name.values()), targets.fit)
    if problems:
        raise refused(problems)
    return tuple(by_name.values())


def _mapping(data: Any) -> Mapping[Any, Any]:
    """The content of the data, of YAML text, or of the YAML file that a path names."""
    if isinstance(data, (str, Path)):
        text = str(data)
        is_path = isinstance(data, Path) or (
            "\n" not in text and text.lower().endswith((".yml", ".yaml", ".json"))
        )
        try:
            data = read_json_or_yaml(read_text(Path(data).expanduser()) if is_path else text)
        except UnreadableText as error:
            raise SettingsError(
                "The search space is neither YAML text nor the path of a YAML file. " + str(error)
            ) from None
    if not isinstance(data, Mapping):
        raise SettingsTypeError(
            f"A search space is a mapping such as `{EXAMPLE}`, or the path of a YAML file; got "
            f"{'an empty text' if data is None else shown(data)}."
        )
    return data


def _flattened(tree: Mapping[Any, Any], problems: Problems) -> dict[str, Any]:
    """The tree with `fit: {lr: ...}` written as `fit.lr: ...`."""
    pairs: list[tuple[Any, Any]] = []
    for key, value in tree.items():
        if key in NAMESPACES and isinstance(value, Mapping):
            pairs += [(f"{key}.{name}", inner) for name, inner in value.items()]
        elif key == "space" and isinstance(value, Mapping) and len(tree) == 1:
            return _flattened(value, problems)
        else:
            pairs.append((key, value))
    flat: dict[str, Any] = {}
    for name, value in pairs:
        if not isinstance(name, str):
            problems.append((str(name), f"A name must be text, got {shown(name)}."))
        elif name in flat:
            problems.append((name, f"`{name}` is declared twice: keep one."))
        else:
            flat[name] = value
    return flat


def _target(name: str, targets: Targets | None, problems: Problems) -> Target | None:
    namespace, dot, rest = name.partition(".")
    if not dot or not rest:
        text = _without_namespace(name, targets)
    elif namespace not in NAMESPACES:
        text = f"`{name}`: {unknown('namespace', namespace, NAMESPACES)}"
    elif targets is None:
        return Target("any")
    elif not targets.has(namespace):
        text = f"`{name}` is {MEANINGS[namespace]}, and {ABSENT[namespace]}: leave it out."
    else:
        target = targets.get(name)
        if target:
            return target
        text = unknown(f"{MEANINGS[namespace].partition(' ')[2]}", name, targets.within(namespace))
    problems.append((name, text))
    return None


def _without_namespace(name: str, targets: Targets | None) -> str:
    rest = name.rstrip(".")
    meant = [f"`{n}`" for n in (targets.names if targets else ()) if n.partition(".")[2] == rest]
    if meant:
        return f"`{name}` has no namespace: write {' or '.join(meant)}."
    meanings = ", ".join(f"`{n}.` for {MEANINGS[n]}" for n in NAMESPACES)
    return f"`{name}` has no namespace. Write {meanings} before the name."


def _parameter(name: str, declared: Any, target: Target, problems: Problems) -> Parameter | None:
    """The parameter without its conditions; None, and problems, if it is refused."""
    declared = unwrapped(declared)
    texts: list[str] = []
    parameter: Parameter | None = None
    if isinstance(declared, Mapping):
        parameter = _long_form(name, declared, target, texts)
    elif isinstance(declared, (list, tuple, range)):
        parameter = _choice(name, list(declared), target, texts)
    elif isinstance(declared, (set, frozenset)):
        texts.append("is a set, which has no order: write a list.")
    elif declared is None:
        texts.append("is empty: give a value, a list or a range, or {value: null} for none.")
    else:
        parameter = _choice(name, [declared], target, texts)
    problems += [(name, f"`{name}` {text}") for text in texts]
    return None if texts else parameter


def _long_form(
    name: str, declared: Mapping[Any, Any], target: Target, texts: list[str]
) -> Parameter | None:
    """A mapping with `low` and `high`, `choices`, or `value`."""
    for key in declared:
        if key not in KEYS:
            meant = KEYS_ELSEWHERE.get(key) if isinstance(key, str) else None
            hint = f"Unknown key `{key}`: write `{meant}`." if meant else unknown("key", key, KEYS)
            texts.append(f"has a wrong key. {hint}")
    if texts:
        return None
    forms = [
        form
        for form, keys in {"range": RANGE_KEYS, "choices": ["choices"], "value": ["value"]}.items()
        if any(key in declared for key in keys)
    ]
    if len(forms) != 1:
        texts.append("needs `low` and `high`, or `choices`, or `value`, and only one of them.")
        return None
    kind = declared.get("type")
    if "type" in declared and kind not in TYPES:
        texts.append(f"has the `type` {shown(kind)}: {unknown('type', kind, TYPES)}")
        return None
    if kind and target.strict and kind != target.kind and (kind, target.kind) not in NARROWER:
        texts.append(f"has the `type` {kind}, and it is {_noun(target)}: leave `type` out.")
        return None
    if forms == ["range"]:
        return read_range(name, declared, target, texts)
    if kind == "text" and not target.strict:
        target = replace(target, kind="verbatim")
    elif kind and kind != "text":
        target = replace(target, kind=kind, strict=True)
    if forms == ["value"]:
        return _choice(name, [declared["value"]], target, texts)
    choices = unwrapped(declared["choices"])
    if not isinstance(choices, (list, tuple, range)):
        texts.append(f"must have a list as `choices`, got {shown(choices)}.")
        return None
    return _choice(name, list(choices), target, texts)


def _noun(target: Target) -> str:
    return NOUNS.get(target.kind, "one of " + ", ".join(map(str, target.choices)))


def _choice(name: str, values: list[Any], target: Target, texts: list[str]) -> Choice | None:
    if not values:
        texts.append("has an empty list: give at least one value.")
        return None
    choices: list[Any] = []
    for value in values:
        try:
            choices.append(_value(value, target))
        except ValueError as error:
            texts.append(f"{error}.")
    choice = Choice(name=name, choices=tuple(choices))
    labels = choice.labels
    twice = [c for i, c in enumerate(choices) if labels[i] in labels[:i]]
    texts += [f"lists {shown(value)} twice: keep one." for value in twice]
    return choice


def _value(value: Any, target: Target) -> Any:
    """A value as plain data of the kind of a target; raises ValueError with the rule."""
    value = plain(value)
    if value is None:
        if not target.allows_none:
            raise ValueError(f"must be {_noun(target)}, got null")
        return None
    if target.kind in ("float", "int"):
        return _number(value, target)
    is_open = target.kind == "any" or (target.kind == "text" and not target.strict)
    if is_open and looks_like_number(value):
        return read_number(value)
    if target.kind == "estimator" and not isinstance(value, str):
        raise ValueError(
            f"is an estimator, got {shown(value)}: name one of its parameters after two underscores"
        )
    if target.kind == "choice" and not any(same(value, choice) for choice in target.choices):
        listed = unknown("value", value, map(str, target.choices))
        raise ValueError(f"got {shown(value)}. {listed.removesuffix('.')}")
    kind = {"bool": bool, "text": str}.get(target.kind)
    if target.strict and kind and not isinstance(value, kind):
        raise ValueError(f"must be {_noun(target)}, got {shown(value)}")
    return value


def _number(value: Any, target: Target) -> Any:
    """A value of a target that takes numbers; one that is not strict takes other values too."""
    try:
        number = read_number(value)
    except ValueError as error:
        if target.strict:
            raise ValueError(f"must be {_noun(target)}, got {shown(value)}") from error
        return value
    if not target.strict:
        return number
    if target.kind == "float":
        return float(number)
    if number != int(number):
        advice = ", or annotate it as float" if target.from_default else ""
        raise ValueError(f"must be a whole number, got {shown(value)}{advice}")
    return int(number)
