"""`workbench clean`: deletes old runs, and none that is under way, needed or accepted."""

from __future__ import annotations

import io
import os
import time

import psutil
import pytest

from tests.factories import make_run
from workbench.cli import main as cli
from workbench.store.client import open_store, store_url
from workbench.store.index import record_run
from workbench.system.files import read_json, write_json

DAY = 86400.0


def _run(root, name, days=40, *, decision="worse", **values):
    folder = make_run(root, name, created=time.time() - days * DAY, **values)
    line = read_json(folder / "final.json")
    line["verdicts"][0] |= {"decision": decision}
    write_json(folder / "final.json", line)
    return folder


def _clean(root, *words, older="30d"):
    return cli.main(["clean", "--older", older, "--root", str(root), *words])


def _add(folder, text):
    recipe = folder / "recipe.yml"
    recipe.write_text(recipe.read_text() + text)


def test_old_runs_are_deleted_and_young_ones_stay(tmp_path, capsys):
    old, young = _run(tmp_path, "a"), _run(tmp_path, "b", days=2)
    other = tmp_path / "tour-20261101"
    other.mkdir()
    (other / "report.html").write_text("not a run")
    assert _clean(tmp_path, "--yes") == 0
    assert not old.exists()
    assert young.exists()
    assert other.exists()
    out = capsys.readouterr().out
    assert "delete  a  (40 d, " in out
    assert "Deleted 1 run." in out
    assert "store rebuild" in out


def test_dry_run_tells_what_would_go_and_how_many_bytes(tmp_path, capsys):
    folder = _run(tmp_path, "a")
    (folder / "steps" / "big.bin").write_bytes(b"0" * 3_000_000)
    assert _clean(tmp_path, "--dry-run", "--yes") == 0
    assert folder.exists()
    assert "To delete: 1 run, 3.0" in capsys.readouterr().out


def test_without_a_terminal_nothing_is_deleted_unless_told(tmp_path, capsys, monkeypatch):
    folder = _run(tmp_path, "a")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert _clean(tmp_path) == 1
    assert "Add `--yes`" in capsys.readouterr().err
    assert folder.exists()


@pytest.mark.parametrize(("answer", "exists"), [(False, True), (True, False)])
def test_a_terminal_is_asked(answer, exists, tmp_path, monkeypatch):
    folder = _run(tmp_path, "a")
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("workbench.cli.clean.click.confirm", lambda t: asked.append(t) or answer)
    assert _clean(tmp_path) == 0
    assert asked == ["Delete 1 run?"]
    assert folder.exists() is exists


@pytest.mark.parametrize(
    ("words", "text"),
    [([], "Name an age"), (["--older", "old"], "`--older` must be a number of minutes")],
)
def test_age_is_needed_and_checked(words, text, tmp_path, capsys):
    assert cli.main(["clean", "--root", str(tmp_path), *words]) == 1
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "recipe", "stays"),
    [
        ({"decision": "better"}, "", True),
        ({"decision": "equivalent"}, "", True),
        ({"decision": "worse"}, "", False),
        ({"decision": "undecided"}, "", False),
        ({"decision": "equivalent", "budget": "smoke"}, "", False),
        ({"decision": "worse"}, "accepted_drop: 1.5\n", True),
        ({"decision": "equivalent"}, "accepted_drop: 0.1\n", False),
    ],
)
def test_accepted_runs_stay(changes, recipe, stays, tmp_path):
    folder = _run(tmp_path, "a", **changes)
    _add(folder, recipe)
    assert _clean(tmp_path, "--yes") == 0
    assert folder.exists() is stays
    if stays:
        assert _clean(tmp_path, "--yes", "--keep", "nothing") == 0
        assert not folder.exists()


def test_run_under_way_stays(tmp_path, capsys):
    folder = _run(tmp_path, "a")
    me = psutil.Process()
    state = {"status": "running", "error": "", "pid": me.pid, "born": me.create_time()}
    write_json(folder / "state.json", state)
    assert _clean(tmp_path, "--yes", "--keep", "nothing") == 0
    assert folder.exists()
    assert "it is running" in capsys.readouterr().out


def test_run_that_another_one_starts_from_stays_as_long_as_that_one(tmp_path, capsys):
    first, second, third = (_run(tmp_path, n) for n in "abc")
    young = _run(tmp_path, "d", days=1, start=f"{second}/steps/01-pruning")
    _add(second, f"extra: [{{teacher: {first.name}}}]\n")  # relative to where the run was started
    assert _clean(tmp_path, "--yes", "--keep", "nothing") == 0
    assert first.exists()
    assert second.exists()
    assert not third.exists()
    out = capsys.readouterr().out
    assert "stays   b  (d starts from it)" in out
    assert "stays   a  (b starts from it)" in out
    run = read_json(young / "run.json")
    write_json(young / "run.json", {**run, "created": time.time() - 50 * DAY})
    assert _clean(tmp_path, "--yes", "--keep", "nothing") == 0
    assert not any(f.exists() for f in (first, second, young)), "nothing needs them any more"


def test_run_that_an_alias_or_a_recipe_with_a_model_points_at_stays(tmp_path, capsys):
    folders = [_run(tmp_path, n, days=d) for n, d in (("a", 50), ("b", 45), ("c", 42), ("d", 40))]
    for folder in folders:
        record_run(folder)
    with open_store(store_url("", tmp_path)) as client:
        client.set_registered_model_alias("fashion-resnet20", "champion", "1")
    young = _run(tmp_path, "e", days=1, start="models:/fashion-resnet20/2")
    assert _clean(tmp_path, "--yes", "--keep", "nothing") == 0
    assert [f.name for f in folders if f.exists()] == ["a", "b", "d"]
    assert young.exists()
    out = capsys.readouterr().out
    assert "the alias fashion-resnet20@champion points at it" in out
    assert "the alias fashion-resnet20@challenger points at it" in out
    assert "stays   b  (e starts from it)" in out


def test_runs_of_a_store_that_cannot_be_read_stay(tmp_path, capsys):
    folder = _run(tmp_path, "a")
    (tmp_path / "store.db").write_text("not a database")
    assert _clean(tmp_path, "--yes", "--keep", "nothing") == 0
    assert folder.exists()
    assert "cannot be read" in capsys.readouterr().out


def test_no_store_is_made_by_cleaning(tmp_path):
    _run(tmp_path, "a")
    assert _clean(tmp_path, "--yes") == 0
    assert not (tmp_path / "store.db").exists()


def test_folder_that_may_be_no_run_and_a_link_stay(tmp_path, capsys):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    os.utime(broken / "run.json", (1, 1))
    elsewhere = _run(tmp_path / "elsewhere", "real")
    (tmp_path / "link").symlink_to(elsewhere)
    assert _clean(tmp_path, "--yes", "--keep", "nothing") == 0
    assert broken.exists()
    assert elsewhere.exists()
    assert "its files cannot be read" in capsys.readouterr().out


def test_run_resumed_between_the_question_and_the_answer_stays(tmp_path, monkeypatch, capsys):
    folder = _run(tmp_path, "a")
    me = psutil.Process()

    def resumed(question):
        state = {"status": "running", "error": "", "pid": me.pid, "born": me.create_time()}
        write_json(folder / "state.json", state)
        return True

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("workbench.cli.clean.click.confirm", resumed)
    assert _clean(tmp_path) == 0
    assert folder.exists()
    assert "under way again" in capsys.readouterr().err
