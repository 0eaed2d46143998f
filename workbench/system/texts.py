"""Texts: files in UTF-8 or with a byte order mark, and YAML that says one thing only.

YAML itself allows a key to be given twice, where the last one counts, and aliases of aliases that
grow without bound. Recipes are files that people pass on and edit by hand, so both are refused.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Hashable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "UnreadableText",
    "bom_encoding",
    "decoded",
    "read_json_or_yaml",
    "read_text",
    "read_yaml",
]

MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Texts that both loaders of PyYAML read alike. The C loader is less strict about others: block
# texts, complex keys, tabs, byte order marks.
PLAIN = re.compile(r"[\w \n.,:/+=#@~'\"()\[\]{}-]*", re.ASCII)
MERGE = "tag:yaml.org,2002:merge"
MOST_LEVELS = 50
MOST_VALUES = 100_000  # values of a document, with those of its aliases counted at each use


class UnreadableText(ValueError):
    """A text that cannot be read; the message is a sentence with the reason and the way out."""


def bom_encoding(head: bytes) -> str | None:
    """The encoding that a byte order mark at the beginning of a file says; None without one."""
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)


def decoded(content: bytes) -> str:
    """Bytes as text: UTF-8, or another Unicode encoding with a byte order mark.

    Raises UnreadableText that names the encoding wanted, and the one that the bytes seem to have.
    """
    encoding = bom_encoding(content)
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise UnreadableText(
                f"The text begins as {encoding.upper()} and does not go on so (byte "
                f"{error.start}): save it as UTF-8."
            ) from None
        line = content.count(b"\n", 0, error.start) + 1
        seems = "UTF-16" if b"\x00" in content[:100] else "Latin-1 or Windows-1252"
        raise UnreadableText(
            f"The text is not UTF-8 (byte 0x{content[error.start]:02x} in line {line}); it seems "
            f"to be {seems}: save it as UTF-8."
        ) from None
    if "\x00" in text:
        raise UnreadableText(
            "The text holds null bytes; it seems to be UTF-16 without a byte order mark, or no "
            "text: save it as UTF-8."
        )
    return text


def read_text(path: Path) -> str:
    """The text of a file, as `decoded` reads it.

    Raises UnreadableText with a sentence for a file that is not there, too.
    """
    try:
        return decoded(path.read_bytes())
    except FileNotFoundError:
        raise UnreadableText(f"There is no file {path.absolute()}: check the path.") from None
    except IsADirectoryError:
        raise UnreadableText(
            f"{path.absolute()} is a folder: give the path of a file in it."
        ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, UnreadableText):
            raise UnreadableText(f"{path}: {error}") from None
        reason = getattr(error, "strerror", None) or error
        raise UnreadableText(f"{str(path)[:300]!r} cannot be read: {reason}.") from None


def read_json_or_yaml(text: str) -> Any:
    """The content of JSON text, or of YAML text; YAML alone would read JSON's 1e-05 as text.

    Raises UnreadableText as `read_yaml` does.
    """
    try:
        return json.loads(text, object_pairs_hook=_mapping)
    except UnreadableText:
        raise
    except RecursionError:
        raise UnreadableText("The text has too many levels of lists and mappings.") from None
    except ValueError:
        return read_yaml(text)


def read_yaml(text: str) -> Any:
    """The content of YAML text: plain values only, and each key of a mapping once.

    Raises UnreadableText with the line and the reason: a key given twice, a tag of a Python object,
    more than 50 levels, aliases that make more than 100,000 values, or text that is not YAML.
    """
    fast = _fast_loader()
    if fast is not None and PLAIN.fullmatch(text):
        with suppress(yaml.YAMLError, ValueError, TypeError, RecursionError):
            return yaml.load(text, Loader=fast)  # the other loader words a refusal
    try:
        return yaml.load(text, Loader=_Loader)
    except UnreadableText:
        raise
    except yaml.MarkedYAMLError as error:
        raise UnreadableText(_sentence(error)) from error
    except (yaml.YAMLError, ValueError, TypeError) as error:  # a date such as 2020-13-45
        reason = " ".join(str(error).split())
        raise UnreadableText(f"The text is not YAML: {reason}.") from error


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of JSON, with each key once."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UnreadableText(f"`{twice}` is given twice: keep one.")
    return mapping


class _Loader(yaml.SafeLoader):
    """The safe loader, which refuses keys given twice, deep nesting and endless aliases."""

    depth = 0

    def compose_document(self) -> Any:
        node = super().compose_document()
        _count(node, {}, ())
        return node

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > MOST_LEVELS:
            raise UnreadableText(_too_deep(self.peek_event().start_mark.line + 1))
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        _refuse_keys_given_twice(self, node)
        return node

    def flatten_mapping(self, node: Any) -> None:
        """Put merged keys (`<<`) into a mapping: its own first, then those of the first source.

        PyYAML's own method gives merged keys the wrong value where a source merges another one.
        """
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key, value in node.value:
            if key.tag != MERGE:
                own[_identity(key)] = key, value
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(source, yaml.MappingNode):
                    raise UnreadableText(
                        f"Line {key.start_mark.line + 1}: `<<` takes a mapping, or a list of them."
                    )
                self.flatten_mapping(source)
                for pair in source.value:
                    merged.setdefault(_identity(pair[0]), pair)
        node.value = list({**merged, **own}.values())


def _refuse_keys_given_twice(loader: Any, node: Any) -> None:
    """Raise UnreadableText for a mapping in which a key is given twice."""
    lines: dict[Hashable, int] = {}
    for key_node, _ in node.value:
        key = "<<" if key_node.tag == MERGE else loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, Hashable):
            continue  # the safe loader refuses it
        if key in lines:
            where = f"lines {lines[key]} and {line}" if line > lines[key] else f"line {line}"
            raise UnreadableText(f"`{key_node.value}` is given twice, in {where}: keep one.")
        lines[key] = line


@lru_cache(maxsize=1)
def _fast_loader() -> Any:
    """A loader in C for plain texts, several times faster; None where PyYAML was built without it.

    It composes all nodes before the rules are applied. So it is for texts without aliases.
    """
    if not yaml.__with_libyaml__:
        return None

    class FastLoader(yaml.CSafeLoader):
        def get_single_node(self) -> Any:
            node = super().get_single_node()
            _count(node, {}, ())
            self._check(node)
            return node

        def _check(self, node: Any) -> None:
            if node is None or isinstance(node, yaml.ScalarNode):
                return
            if isinstance(node, yaml.MappingNode):
                _refuse_keys_given_twice(self, node)
            for child in node.value:
                for part in _parts(child):
                    self._check(part)

    return FastLoader


def _identity(node: Any) -> Any:
    """What makes two keys of mappings equal, before they have values."""
    return (node.tag, node.value) if isinstance(node, yaml.ScalarNode) else id(node)


def _count(
    node: Any, counts: dict[int, tuple[int, int]], above: tuple[int, ...]
) -> tuple[int, int]:
    """Values and levels below a node, each alias with all of its values."""
    line = node.start_mark.line + 1 if node is not None else 1
    if id(node) in above:
        raise UnreadableText(f"Line {line}: an alias holds itself: write the values out.")
    if id(node) not in counts:
        children = [] if isinstance(node, yaml.ScalarNode) or node is None else node.value
        below = [
            _count(part, counts, (*above, id(node))) for child in children for part in _parts(child)
        ]
        counts[id(node)] = 1 + sum(n for n, _ in below), 1 + max((d for _, d in below), default=0)
    values, levels = counts[id(node)]
    if values > MOST_VALUES:
        raise UnreadableText(
            f"Aliases make more than {MOST_VALUES:,} values of this text: write fewer of them."
        )
    if levels > MOST_LEVELS:
        raise UnreadableText(_too_deep(line))
    return values, levels


def _too_deep(line: int) -> str:
    return f"Line {line}: more than {MOST_LEVELS} levels of lists and mappings: write it flatter."


def _parts(child: Any) -> tuple[Any, ...]:
    return child if isinstance(child, tuple) else (child,)


def _sentence(error: yaml.MarkedYAMLError) -> str:
    """Reason and line of an error of the parser."""
    mark = error.problem_mark or error.context_mark
    line = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    problem = error.problem or error.context or "unknown reason"
    if "constructor for the tag" in problem:
        tag = problem.rpartition("tag '")[2].strip("'").removeprefix("tag:yaml.org,2002:")
        return f"The tag `{tag}` is not allowed{line}: use plain values, lists and mappings."
    if "\\t" in problem:
        return f"The text is not YAML{line}: a tab begins a value; indent with spaces."
    return f"The text is not YAML{line}: {problem}."
