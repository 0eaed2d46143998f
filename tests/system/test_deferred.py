"""The import that is put off: the same answers, in a fresh process, and only when asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("rfc3987_syntax", reason="python -m pip install rfc3987-syntax")


def _printed(code: str) -> list[str]:
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_notebooks_are_read_without_the_parser_of_addresses():
    code = "import workbench, nbformat, jsonschema, sys; print('lark' in sys.modules)"
    assert _printed(code) == ["False"]


def test_addresses_are_checked_as_before():
    ask = (
        "import jsonschema\nchecker = jsonschema.FormatChecker()\n"
        "for text in ('http://a.b/c', 'no address', 'http://\\u00e4.de'):\n"
        "    print(*(checker.conforms(text, name) for name in ('iri', 'iri-reference')))\n"
    )
    answers = _printed(ask)
    assert len(set(answers)) == 2
    assert _printed("import workbench\n" + ask) == answers


@pytest.mark.parametrize(
    "code",
    [
        "from rfc3987_syntax import parse; print(parse.__name__)",
        "import rfc3987_syntax.utils; print('parse')",
        "import rfc3987_syntax as m; m.parse; import rfc3987_syntax as n; print(n.parse.__name__)",
        "import importlib as i; print(i.import_module('rfc3987_syntax').parse.__name__)",
    ],
)
def test_the_package_itself_is_there_for_everybody(code):
    assert _printed(f"import workbench; {code}") == ["parse"]


def test_a_package_that_was_imported_before_stays():
    code = "import rfc3987_syntax as a, workbench, rfc3987_syntax as b; print(a is b)"
    assert _printed(code) == ["True"]
