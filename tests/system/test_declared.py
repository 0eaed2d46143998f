"""Named functions are called only if they say that they return the kind wanted."""

from __future__ import annotations

import pytest

from workbench.errors import UnknownName
from workbench.system.declared import named_object
from workbench.task import Task
from workbench.tasks import load_task

HERE = __name__


class Kind:
    """A kind to return."""


class Special(Kind):
    """A kind of that kind."""


ready = Kind()


def annotated() -> Kind:
    return Kind()


def special() -> Special:
    return Special()


def as_text() -> "Kind":  # noqa: UP037
    return Kind()


def with_argument(width: int = 1) -> Kind:
    kind = Kind()
    kind.width = width
    return kind


def plain():
    raise AssertionError("called")


def liar() -> Kind:
    return 3


@pytest.mark.parametrize("name", ["ready", "annotated", "special", "as_text", "Kind", "Special"])
def test_object_function_or_class_of_the_kind_is_given(name):
    assert isinstance(named_object(f"{HERE}:{name}", (Kind,), "a Kind"), Kind)


def test_arguments_reach_the_function():
    assert named_object(f"{HERE}:with_argument", (Kind,), "a Kind", {"width": 7}).width == 7


def test_function_without_the_annotation_is_not_called():
    with pytest.raises(UnknownName, match="was not called: .* must be annotated `-> Kind`"):
        named_object(f"{HERE}:plain", (Kind,), "a Kind")


def test_result_of_another_kind_is_refused():
    with pytest.raises(UnknownName, match="gave int, not a Kind"):
        named_object(f"{HERE}:liar", (Kind,), "a Kind")


@pytest.mark.parametrize("reference", ["os:system", "os:abort", "subprocess:Popen", "sys:exit"])
def test_no_recipe_is_a_shell(reference):
    with pytest.raises(UnknownName, match=r"was not called"):
        load_task(reference)


def test_task_by_reference_takes_arguments():
    task = load_task(f"{HERE}:digits_of", {"name": "digits"})
    assert task.name == "digits"


def digits_of(name: str) -> Task:
    return load_task(name)
