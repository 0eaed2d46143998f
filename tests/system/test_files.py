"""Files are written completely or not at all, checked by hash, and folders move in one step."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from workbench.errors import CandidateError, FileError
from workbench.system.files import (
    checked_bytes,
    move_folder,
    path_of,
    read_json,
    sha256_of,
    write_bytes,
    write_json,
    write_text,
)


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


def test_json_writes_unknown_objects_as_text(tmp_path):
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


def test_hash_of_a_file_is_that_of_its_content(tmp_path):
    content = bytes(range(256)) * 5_000
    path = write_bytes(tmp_path / "large.bin", content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()


def test_content_with_the_expected_hash_is_returned(tmp_path):
    path = write_bytes(tmp_path / "weights.bin", b"weights")
    content = checked_bytes(path, sha256_of(path), CandidateError, way_out="train it again")
    assert content == b"weights"


def test_changed_file_is_refused_with_both_hashes_and_the_way_out(tmp_path):
    path = write_bytes(tmp_path / "weights.bin", b"weights")
    expected = sha256_of(path)
    write_bytes(path, b"Weights")
    pattern = (
        f"weights.bin was changed: .* {sha256_of(path)[:12]}, .* {expected[:12]}: train it again"
    )
    with pytest.raises(CandidateError, match=pattern):
        checked_bytes(path, expected, CandidateError, way_out="train it again")


@pytest.mark.parametrize("name", ["missing.bin", "."])
def test_missing_file_is_refused_with_the_way_out(tmp_path, name):
    with pytest.raises(CandidateError, match="is missing: install the package again"):
        checked_bytes(
            tmp_path / name, "0" * 64, CandidateError, way_out="install the package again"
        )


def test_folder_moves_with_all_its_files(tmp_path):
    source = tmp_path / "work"
    write_text(source / "inner" / "a.txt", "a")
    target = move_folder(source, tmp_path / "steps" / "00-start")
    assert (target / "inner" / "a.txt").read_text() == "a"
    assert not source.exists()


def test_folder_left_by_a_killed_process_is_replaced(tmp_path):
    write_text(tmp_path / "target" / "half.txt", "old")
    write_text(tmp_path / "source" / "whole.txt", "new")
    target = move_folder(tmp_path / "source", tmp_path / "target")
    assert [p.name for p in target.iterdir()] == ["whole.txt"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no JSON"),
        (b"not json", "holds no JSON"),
        (b"\xff\xfe\x00", "UTF-16"),
        (b"\x80\x02", "not UTF-8"),
        (b"[" * 5000, "damaged"),
        (b"{}", "the entry `name` is missing"),
        (b"[1]", "its entries are not those that were written"),
    ],
)
def test_damaged_json_is_refused_with_its_path(tmp_path, content, words):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(CandidateError, match=words) as refused:
        read_json(path, lambda about: about["name"], error=CandidateError)
    assert str(path) in str(refused.value)


def test_missing_json_is_refused_as_an_error_of_the_package(tmp_path):
    with pytest.raises(FileError, match="There is no file"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("value", [None, 3, [], "x" * 5000, "~nobody-here/x", b"bytes"])
def test_value_that_is_no_path_is_refused(value):
    with pytest.raises(CandidateError, match="cannot be a path"):
        path_of(value, error=CandidateError)
