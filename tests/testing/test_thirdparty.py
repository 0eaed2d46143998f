"""A package of a third party, installed beside the workbench, is used like what is built in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]
PACKAGE = CLONE / "tests" / "thirdparty"
NAMES = (
    "wb_example",
    "decimal_rounding",
    "numpy_linear",
    "numpy_matmul",
    "top2_accuracy",
    "example_digits",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package in a folder of its own, and the environment in which Python finds it."""
    folder = tmp_path_factory.mktemp("thirdparty")
    source, site = folder / "source", folder / "site"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
    done = subprocess.run([*pip, *offline, str(source)], capture_output=True, text=True)
    if done.returncode != 0:
        _lay_out(source, site)
    paths = [str(site), str(CLONE), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "WORKBENCH_RUNS": str(folder / "runs"),
    }
    return source, environment


def _lay_out(source: Path, site: Path) -> None:
    """What an installation leaves, where neither pip nor a build backend is at hand."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir(parents=True)
    shutil.copytree(source / "wb_example", site / "wb_example", dirs_exist_ok=True)
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in points.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (about / "METADATA").write_text(metadata, encoding="utf-8")


def _python(installed, *arguments):
    source, environment = installed
    done = subprocess.run(
        [sys.executable, *arguments], cwd=source, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def seen(installed, tmp_path_factory):
    """What a user of the package sees in a session."""
    root = tmp_path_factory.mktemp("runs")
    return json.loads(_python(installed, "session.py", str(root)).splitlines()[-1])


@pytest.mark.slow
def test_its_own_contract_tests_pass(installed):
    said = _python(
        installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "tests"
    )
    assert " passed" in said
    assert "skipped" not in said


@pytest.mark.slow
def test_run_with_its_technique_form_runtime_metric_and_task_ends_well(seen):
    rows = seen["rows"]
    assert [row["step"] for row in rows] == ["start", "onnx", "decimal_rounding"]
    assert rows[0]["runtime"] == "numpy_matmul"
    assert {row["metric"] for row in rows} == {"top2_accuracy"}
    assert min(row["quality"] for row in rows) > 0.9
    assert seen["test"] == "top2_accuracy"
    assert (seen["form"], seen["model"]) == ("numpy_linear", "LinearModel")


@pytest.mark.slow
def test_its_technique_is_listed_and_named_in_errors(seen):
    assert {"decimal_rounding", "pruning"} <= set(seen["names"])
    assert "Did you mean `decimal_rounding`?" in seen["refused"]


def test_its_settings_are_shown_by_the_command(installed):
    shown = _python(installed, "-m", "workbench.cli", "settings", "decimal_rounding")
    assert "workbench decimal_rounding" in shown
    assert "places" in shown
    assert "n_steps" in shown


def test_nothing_in_the_workbench_names_it():
    for path in (CLONE / "workbench").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [name for name in NAMES if name in text], path
