"""Folders of runs: a root that cannot be written is told before the run starts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from workbench.errors import RunError
from workbench.runs import folders
from workbench.runs.folders import new_folder, run_folders, runs_root, telling_storage
from workbench.runs.launch import launch

NOBODY = 65534
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs root, to become another user"
)


def test_new_folder_numbers_a_name_that_is_taken(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "runs"
    assert [new_folder(root, "n").name for _ in range(3)] == ["n", "n-2", "n-3"]


@pytest.mark.parametrize("below", ["file", "file/x/y"])
def test_root_that_is_a_file_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        RunError, match=r"file is a file, and must be a folder; choose another.*root"
    ):
        new_folder(tmp_path / below, "n")


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("a\0b", "cannot be a folder of runs: embedded null byte"),
        ("~nosuchuser/x", "cannot be a folder of runs"),
        ("a" * 300, "the path is too long; choose another"),
        ("/".join(["a" * 200] * 30), "the path is too long"),
    ],
)
def test_root_that_is_no_path_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=message):
        new_folder(runs_root(root), "n")


def test_run_is_refused_before_it_starts(tmp_path: Path) -> None:
    from workbench.recipe import Recipe

    (tmp_path / "file").touch()
    recipe = Recipe.make("digits", ["quantization"], budget="smoke")
    with pytest.raises(RunError, match="is a file, and must be a folder"):
        launch(recipe, root=tmp_path / "file")


def _as_nobody(code: str) -> str:
    """The output of code that runs as a user who may write nothing here; imports run before."""
    become = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    imports = """
        from pathlib import Path
        from workbench.errors import RunError
        from workbench.runs.folders import new_folder
        from workbench.runs.signing import sign
    """
    command = f"{textwrap.dedent(imports)}\n{become}\n{textwrap.dedent(code)}"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    return done.stdout


@needs_root
@pytest.mark.parametrize("below", [".", "new/deep"])
def test_folder_that_cannot_be_written_is_told_to_a_user_who_is_not_root(
    tmp_path: Path, below: str
) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)  # pytest's own folders are closed to others
    told = _as_nobody(f"""
        try:
            new_folder(Path({str(tmp_path / below)!r}), "n")
        except RunError as error:
            print(error)
    """)
    assert "this user cannot write there (Permission denied); change its rights, or choose" in told
    assert not run_folders(tmp_path)


@needs_root
def test_key_that_cannot_be_kept_is_told_to_a_user_who_is_not_root(tmp_path: Path) -> None:
    told = _as_nobody("""
        os.environ["WORKBENCH_HOME"] = "/nobody-can-write-here"
        try:
            sign(Path("/tmp"), [])
        except RunError as error:
            print(error)
    """)
    assert (
        "cannot be kept in /nobody-can-write-here (Permission denied): set WORKBENCH_HOME" in told
    )


@needs_root
def test_full_disk_is_told_before_the_run_starts(tmp_path: Path) -> None:
    mounted = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("this machine allows no mount")
    try:
        with pytest.raises(
            RunError, match="the disk is full .less than 64 MiB are free.*delete old"
        ):
            new_folder(tmp_path / "runs", "n")
        with (
            pytest.raises(RunError, match="the disk is full .No space left on device"),
            telling_storage(tmp_path),
        ):
            (tmp_path / "big").write_bytes(bytes(2**20))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_disk_that_fills_while_a_run_is_written_is_told(tmp_path: Path, number: int) -> None:
    with (
        pytest.raises(RunError, match=r"the disk is full .*; delete old runs"),
        telling_storage(tmp_path),
    ):
        raise OSError(number, os.strerror(number), str(tmp_path / "recipe.yml"))


def test_error_of_a_file_elsewhere_passes(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), telling_storage(tmp_path / "runs"):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/data.csv")


def test_disk_that_says_nothing_is_not_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path) -> None:
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr(folders.shutil, "disk_usage", fails)
    assert new_folder(tmp_path, "n").is_dir()
