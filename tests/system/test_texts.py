"""Texts: encodings are told, and YAML that says two things is refused."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
import yaml

from workbench.system import texts
from workbench.system.texts import UnreadableText, decoded, read_json_or_yaml, read_text, read_yaml

PACKAGE = Path(__file__).parents[2] / "workbench"
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
CHAIN = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_each_encoding_that_says_its_name(encoding: str) -> None:
    assert decoded("tâsk: 1".encode(encoding)) == "tâsk: 1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\nb: ä".encode("latin-1"), "not UTF-8 .byte 0xe4 in line 2.; it seems to be Latin-1"),
        ("ä".encode("utf-16-be"), "not UTF-8.*|null bytes.*UTF-16"),
        (
            "task: d".encode("utf-16-le"),
            "null bytes; it seems to be UTF-16 without.*save it as UTF",
        ),
        (b"\xff\xfea", "begins as UTF-16 and does not go on so"),
    ],
)
def test_other_encodings_are_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableText, match=message):
        decoded(content)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no.yml", "There is no file .*no.yml"),
        (".", "is a folder"),
        ("a\0", "cannot be read: embedded null byte"),
        ("a" * 300, "cannot be read: File name too long"),
    ],
)
def test_file_that_is_none_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadableText, match=message):
        read_text(Path(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "`a` is given twice, in lines 1 and 3: keep one"),
        ("x:\n- y: {lr: 1, lr: 2}", "`lr` is given twice, in line 2"),
        ("1: a\ntrue: b", "`true` is given twice"),
        ("x: !!set {a, a}", "`a` is given twice"),
        (
            "!!python/object/apply:os.system [ls]",
            "tag `python/object/apply:os.system` is not allow",
        ),
        ("a: !mine 1", "The tag `!mine` is not allowed .line 1, column 4.: use plain values"),
        (LAUGHS, "Aliases make more than 100,000 values"),
        (CHAIN, "more than 50 levels"),
        ("a: &a [*a]", "Line 1: an alias holds itself"),
        ("[" * 60 + "]" * 60, "Line 1: more than 50 levels"),
        ("[" * 9000, "Line 1: more than 50 levels"),
        ("a:\n\tb: 1", "line 2, column 1.: a tab begins a value; indent with spaces"),
        ("a: 2020-13-45", "is not YAML: month must be in 1..12"),
        ("a: [", "is not YAML .line 1"),
        ("- {<<: 1}", "Line 1: `<<` takes a mapping"),
        ("? [1]\n: 2", "unhashable key"),
        ("--- 1\n--- 2", "another document"),
        ("a: *x", "undefined alias 'x'"),
        ("a: \x07", "not YAML: unacceptable character"),
    ],
)
def test_yaml_is_refused_with_line_and_reason(text: str, message: str) -> None:
    with pytest.raises(UnreadableText, match=message):
        read_yaml(text)


def test_aliases_and_merged_keys_are_read() -> None:
    assert read_yaml("x: {<<: [{long: 1}, {long: 2, b: 3}]}") == {"x": {"long": 1, "b": 3}}
    text = "a: &b {c: 1}\nd: {<<: *b, c: 2}\ne: *b\nf: &g {<<: *b, c: 3}\nh: {<<: *g, x: 1}"
    assert read_yaml(text) == {
        "a": {"c": 1},
        "d": {"c": 2},
        "e": {"c": 1},
        "f": {"c": 3},
        "h": {"c": 3, "x": 1},
    }


def test_json_keeps_its_numbers_and_is_refused_a_key_twice() -> None:
    assert read_json_or_yaml('{"lr": 1e-05}') == {"lr": 1e-05}
    assert read_json_or_yaml("{lr: 0.5}") == {"lr": 0.5}
    with pytest.raises(UnreadableText, match="`lr` is given twice"):
        read_json_or_yaml('{"fit": {"lr": 1, "lr": 2}}')
    with pytest.raises(UnreadableText, match="too many levels|more than 50 levels"):
        read_json_or_yaml("[" * 100_000 + "]" * 100_000)


PIECES = [
    *(
        "a",
        "b",
        "1",
        "1e-05",
        "0.5",
        "null",
        "~",
        "true",
        "yes",
        ".inf",
        "0x1f",
        "1:30",
        "2020-01-01",
    ),
    *(
        ": ",
        ":",
        "- ",
        "-",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ",",
        " #",
        "#",
        "a: 1",
    ),
    *(
        "'",
        '"',
        "@",
        "=",
        "(",
        ")",
        "---",
        "\n...\n",
        "|",
        ">",
        "?",
        "\t",
        "&x ",
        "*x",
        "!!str ",
        "é",
    ),
]


def test_fast_loader_accepts_nothing_that_the_strict_one_refuses_or_reads_otherwise() -> None:
    if texts._fast_loader() is None:
        pytest.skip("PyYAML was built without its loader in C")
    random, n_fast = Random(0), 0
    for _ in range(4000):
        text = "".join(random.choices(PIECES, k=random.randint(1, 12)))
        text = random.choice(["{}", "task: a\nsteps:\n- pruning: {{{}}}\n"]).format(text)
        if not texts.PLAIN.fullmatch(text):
            continue
        try:
            read = yaml.load(text, Loader=texts._fast_loader())
        except (yaml.YAMLError, ValueError, TypeError, RecursionError):
            continue
        n_fast += 1
        assert repr(read) == repr(yaml.load(text, Loader=texts._Loader)), text
    assert n_fast > 100


def test_whole_package_reads_yaml_in_one_way() -> None:
    others = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\byaml\.(safe_load|load|full_load)\(", path.read_text(encoding="utf-8"))
    ]
    assert others == ["system/texts.py"]
