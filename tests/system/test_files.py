"""Files are written whole or not at all, and folders take their place in one move."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workbench.system.files import move_folder, read_json, write_bytes, write_json, write_text


def test_writing_makes_the_folder_and_leaves_nothing_else(tmp_path):
    path = write_bytes(tmp_path / "a" / "b" / "c.bin", b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_text_is_utf8_and_keeps_its_line_ends(tmp_path):
    assert (
        write_text(tmp_path / "t.txt", "größer\r\nzwei\n").read_bytes()
        == "größer\r\nzwei\n".encode()
    )


@pytest.mark.parametrize("content", [{"a": [1, 2.5, None, True], "ü": {"b": "≈"}}, [], "text", 3])
def test_json_comes_back_as_it_was(tmp_path, content):
    assert read_json(write_json(tmp_path / "a.json", content)) == content


def test_json_writes_what_it_does_not_know_as_text(tmp_path):
    assert read_json(write_json(tmp_path / "a.json", {"path": Path("x") / "y"})) == {
        "path": str(Path("x") / "y")
    }


def test_readers_find_the_old_file_when_writing_fails_halfway(tmp_path, monkeypatch):
    path = write_text(tmp_path / "state.json", "old")

    def killed(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(OSError, match="full"):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = write_json(tmp_path / "a.json", {"old": 1})
    loop: list = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular"):
        write_json(path, loop)
    assert read_json(path) == {"old": 1}


def test_folder_moves_with_all_it_holds(tmp_path):
    source = tmp_path / "work"
    write_text(source / "inner" / "a.txt", "a")
    target = move_folder(source, tmp_path / "steps" / "00-start")
    assert (target / "inner" / "a.txt").read_text() == "a"
    assert not source.exists()


def test_folder_left_from_before_a_kill_makes_way(tmp_path):
    write_text(tmp_path / "target" / "half.txt", "old")
    write_text(tmp_path / "source" / "whole.txt", "new")
    target = move_folder(tmp_path / "source", tmp_path / "target")
    assert [p.name for p in target.iterdir()] == ["whole.txt"]
