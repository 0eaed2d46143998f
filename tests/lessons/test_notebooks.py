import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.cli import lab
from workbench.lessons.notebooks import copy_notebooks, notebooks_folder
from workbench.system.files import read_json

NAME = "00_start_here.ipynb"


@pytest.fixture
def shipped(tmp_path):
    folder = tmp_path / "shipped"
    (folder / "images").mkdir(parents=True)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / NAME).write_text("one")
    (folder / "01_pruning.ipynb").write_text("prune")
    (folder / "images" / "net.png").write_bytes(b"png")
    (folder / ".ipynb_checkpoints" / NAME).write_text("old")
    return folder


def _whats(copied, target):
    return {c.path.relative_to(target).as_posix(): c.what for c in copied}


def test_copy_notebooks_copies_all_but_hidden_files(shipped, tmp_path):
    target = tmp_path / "notebooks"
    assert _whats(copy_notebooks(target, shipped), target) == {
        NAME: "new",
        "01_pruning.ipynb": "new",
        "images/net.png": "new",
    }
    assert (target / NAME).read_text() == "one"
    assert sorted(p.name for p in target.iterdir()) == [
        ".workbench.json",
        NAME,
        "01_pruning.ipynb",
        "images",
    ]
    assert set(_whats(copy_notebooks(target, shipped), target).values()) == {"same"}


def test_copy_notebooks_renews_what_nobody_changed(shipped, tmp_path):
    target = tmp_path / "notebooks"
    copy_notebooks(target, shipped)
    (shipped / NAME).write_text("two")
    assert _whats(copy_notebooks(target, shipped), target)[NAME] == "updated"
    assert (target / NAME).read_text() == "two"


def test_copy_notebooks_keeps_a_changed_one_and_puts_the_new_version_beside_it(shipped, tmp_path):
    target = tmp_path / "notebooks"
    copy_notebooks(target, shipped)
    (target / NAME).write_text("mine")
    assert _whats(copy_notebooks(target, shipped), target)[NAME] == "kept"  # nothing new to offer
    assert not (target / "00_start_here.new.ipynb").exists()
    (shipped / NAME).write_text("two")
    copied = copy_notebooks(target, shipped)
    assert _whats(copied, target)["00_start_here.new.ipynb"] == "beside"
    assert (target / NAME).read_text() == "mine"
    assert (target / "00_start_here.new.ipynb").read_text() == "two"
    assert any("beside the one that you changed" in c.text for c in copied)
    (target / "00_start_here.new.ipynb").unlink()
    assert (
        _whats(copy_notebooks(target, shipped), target)[NAME] == "kept"
    )  # offered once, and thrown away
    assert not (target / "00_start_here.new.ipynb").exists()


def test_copy_notebooks_writes_over_no_changed_one_beside_either(shipped, tmp_path):
    target = tmp_path / "notebooks"
    copy_notebooks(target, shipped)
    (target / NAME).write_text("mine")
    beside = target / "00_start_here.new.ipynb"
    for version in ("two", "three"):
        (shipped / NAME).write_text(version)
        copy_notebooks(target, shipped)
        assert beside.read_text() == version  # ours, untouched: renewed
    beside.write_text("mine too")
    (shipped / NAME).write_text("four")
    copy_notebooks(target, shipped)
    assert beside.read_text() == "mine too"
    assert (target / "00_start_here.new-2.ipynb").read_text() == "four"


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"files": []}'])
def test_copy_notebooks_takes_files_for_the_owners_when_the_manifest_is_gone(
    shipped, tmp_path, manifest
):
    target = tmp_path / "notebooks"
    target.mkdir()
    (target / NAME).write_text("somebody's")
    if manifest is not None:
        (target / ".workbench.json").write_text(manifest)
    whats = _whats(copy_notebooks(target, shipped), target)
    assert (whats[NAME], whats["00_start_here.new.ipynb"]) == ("kept", "beside")
    assert (target / NAME).read_text() == "somebody's"
    assert read_json(target / ".workbench.json")["version"] == 1


def test_notebooks_folder_is_the_clones_or_the_packages():
    folder = notebooks_folder()
    assert folder.name == "notebooks"
    assert folder.is_dir()


def test_prepare_folder_copies_elsewhere_and_not_in_the_clone(shipped, tmp_path):
    clone = shipped.rename(tmp_path / "notebooks")
    assert lab.prepare_folder(tmp_path, clone) == (clone, [])
    assert lab.prepare_folder(clone, clone) == (clone, [])
    elsewhere = tmp_path / "work"
    elsewhere.mkdir()
    folder, copied = lab.prepare_folder(elsewhere, clone)
    assert folder == elsewhere / "notebooks"
    assert len(copied) == 3
    second = tmp_path / "second-clone"
    (second / "workbench").mkdir(parents=True)
    (second / "workbench" / "__init__.py").touch()
    (second / "notebooks").mkdir()
    assert lab.prepare_folder(second, clone) == (second / "notebooks", [])


def test_lab_becomes_jupyter_lab_with_the_options_last(shipped, tmp_path, monkeypatch, capsys):
    started = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "notebooks_folder", lambda: shipped)
    monkeypatch.setattr(lab.os, "name", "posix")
    monkeypatch.setattr(lab.os, "execv", lambda program, line: started.append((program, line)))
    monkeypatch.setattr(lab.subprocess, "call", lambda line: 0)
    assert lab.lab(["--no-browser", "--port", "9999"]) == 0
    ((program, line),) = started
    assert program == sys.executable
    assert line[1:4] == ["-c", lab.START, str((tmp_path / "notebooks" / NAME).resolve())]
    assert line[-3:] == ["--no-browser", "--port", "9999"]
    assert f"{NAME}: copied" in capsys.readouterr().err


def test_command_opens_the_folder_when_the_first_notebook_is_not_there(tmp_path):
    assert lab.command(Path(tmp_path), [])[3] == str(tmp_path)


def test_command_is_that_of_jupyterlab(tmp_path):
    line = [*lab.command(tmp_path, ["--version"])]
    shown = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == importlib.metadata.version("jupyterlab")
