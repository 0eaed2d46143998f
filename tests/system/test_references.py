"""References such as `package.module:name` give the object, or an error with the reason."""

from __future__ import annotations

import os.path
import sys

import pytest

from workbench.errors import UnknownName
from workbench.system.references import resolve


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    """A temporary working folder; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_reference_gives_the_object_itself():
    assert resolve("os.path:join") is os.path.join
    assert resolve("os:path.join") is os.path.join


def test_working_folder_is_searched_once(working_folder):
    (working_folder / "my_parts.py").write_text("class Maker:\n    def make(): return 'made'\n")
    assert resolve("my_parts:Maker.make")() == "made"
    resolve("my_parts:Maker")
    assert sys.path.count(str(working_folder)) == 1


@pytest.mark.parametrize("reference", ["digits", "package.module", "module:", ""])
def test_text_without_a_name_is_refused_with_the_form(reference):
    with pytest.raises(UnknownName, match="write it as package.module:name"):
        resolve(reference)


def test_missing_module_is_refused_with_the_folder_that_was_searched(working_folder):
    with pytest.raises(UnknownName, match="my_missing") as caught:
        resolve("my_missing:name")
    assert str(working_folder) in str(caught.value)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_missing_name_is_refused(working_folder):
    (working_folder / "my_empty.py").write_text("")
    with pytest.raises(UnknownName, match="has no attribute 'task'"):
        resolve("my_empty:task")


def test_a_module_that_needs_another_which_is_missing_says_which(working_folder):
    (working_folder / "my_needy.py").write_text("import not_installed_here\n")
    with pytest.raises(UnknownName, match="not_installed_here"):
        resolve("my_needy:task")


def test_module_that_fails_while_it_is_imported_is_refused(working_folder):
    (working_folder / "failing_module.py").write_text("raise LookupError('no settings file')")
    with pytest.raises(UnknownName, match="its module raised LookupError: no settings file"):
        resolve("failing_module:x")
