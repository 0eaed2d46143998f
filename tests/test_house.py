"""The rules that a maintainer expects, checked by the field's tools and against the guides in
`.github`.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import house
from workbench.cli.docs import PUBLIC

HOME = Path(__file__).parents[1]
GUIDE = house.CONTRIBUTING.read_text(encoding="utf-8")


def _run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A tool of the extra `test`, called in the clone; the test is skipped where it is missing."""
    module = {"codespell": "codespell_lib"}.get(tool, tool)
    if find_spec(module) is None:
        pytest.skip(f'{tool} is missing: python -m pip install -e ".[test]"')
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=HOME, capture_output=True, text=True, encoding="utf-8")


# The guide for contributors


def test_drawing_of_the_house_is_that_of_the_code():
    assert house.kept_drawing() == house.drawing(), "Run: python -m tests.house --write"


def test_every_floor_of_the_house_says_its_purpose():
    silent = [
        floor.layer
        for floor in house.floors()
        if not floor.phrase and (house.PACKAGE / floor.layer / "__init__.py").exists()
    ]
    assert not silent, f"Give {silent} a docstring: its first sentence stands in the drawing."


def test_lines_of_the_drawing_end_at_100_columns():
    assert max(map(len, house.drawing().splitlines())) <= house.WIDTH


def test_write_renews_the_drawing_and_nothing_else(tmp_path, monkeypatch):
    kept, guide = house.kept_drawing(), tmp_path / "CONTRIBUTING.md"
    guide.write_text(GUIDE.replace(kept, "old\n"), encoding="utf-8")
    monkeypatch.setattr(house, "CONTRIBUTING", guide)
    house.write()
    assert guide.read_text(encoding="utf-8") == GUIDE.replace(kept, house.drawing())


def _checklists() -> dict[str, str]:
    """The text of the numbered lines below each heading `Add a ...`."""
    parts = re.split(r"^## (.+)$", GUIDE, flags=re.MULTILINE)
    lists = {}
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        if title.startswith("Add a"):
            lists[title] = "\n".join(re.findall(r"^\d+\. .*(?:\n   .*)*", text, re.MULTILINE))
    return lists


def _named() -> list[str]:
    """Every path and every dotted name of our code in the checklists."""
    words = re.findall(r"`([^`\n]+)`", "\n".join(_checklists().values()))
    is_path = re.compile(r"(\.?\w+/)+[\w.]*|\w+\.(py|md|toml)")
    is_name = re.compile(r"(workbench|tests)(\.\w+)+")
    return sorted({w for w in words if is_path.fullmatch(w) or is_name.fullmatch(w)})


def _exists(named: str) -> bool:
    if "/" in named or named.endswith((".md", ".toml")):
        parts = Path(named).parts
        real = [p for p in parts if "NAME" not in p]
        return (HOME / Path(*real)).exists()
    if named.endswith(".py"):  # a name inside the folder that the line names
        return named == "__init__.py"
    module, _, attribute = named.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), attribute) or bool(find_spec(named))
    except ModuleNotFoundError:
        return False


def test_each_thing_that_can_be_added_has_a_numbered_checklist():
    assert list(_checklists()) == [
        f"Add a {noun}" for noun in ("technique", "form", "runtime", "metric", "task", "lesson")
    ]
    assert all(text.count("\n") >= 4 for text in _checklists().values())
    assert len(_named()) > 30


@pytest.mark.parametrize("named", _named())
def test_checklists_name_what_exists(named):
    assert _exists(named), f".github/CONTRIBUTING.md names {named}, which does not exist."


def _imports_of_notebooks() -> list[tuple[str, str, str]]:
    """Notebook, module and name of each import of our code; the shelf itself is left out."""
    imports = []
    for path in sorted((HOME / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for source in ("".join(c["source"]) for c in cells if c["cell_type"] == "code"):
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.ImportFrom):
                    names = [(node.module or "", alias.name) for alias in node.names]
                elif isinstance(node, ast.Import):
                    names = [(alias.name, "") for alias in node.names]
                else:
                    continue
                imports += [(path.name, *name) for name in names]
    return [i for i in imports if i[1].startswith("workbench.")]


def test_notebooks_import_from_the_shelf_and_from_the_modules_that_the_guide_allows():
    import workbench

    rule = _checklists()["Add a lesson"].partition("\n3. ")[2].partition("\n4. ")[0]
    allowed = re.findall(r"`(workbench\.[a-z_]+)`", rule)
    assert len(allowed) == 6
    imports = _imports_of_notebooks()
    assert imports
    other = [i for i in imports if ".".join(i[1].split(".")[:2]) not in allowed]
    assert not other, f"Import from the shelf instead, or change the guide: {other}"
    shelved = [i for i in imports if i[2] in workbench.__all__]
    assert not shelved, f"These names stand on the shelf (`import workbench as wb`): {shelved}"


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([a-z_.]+)", GUIDE))))
def test_commands_of_the_guide_exist(module):
    # Not find_spec("pip"): setuptools then gives up its distutils, and torch.compile fails later.
    found = PathFinder.find_spec(module) if "." not in module else find_spec(module)
    assert found, f".github/CONTRIBUTING.md calls {module}, which does not exist."


def test_entry_point_groups_of_the_guide_are_those_of_the_registries():
    groups = set(re.findall(r'^\[project\.entry-points\."(.+)"\]$', GUIDE, re.MULTILINE))
    assert groups == {
        f"workbench.{noun}" for noun in ("techniques", "forms", "runtimes", "metrics", "tasks")
    }
    used = {
        node.value
        for path in (HOME / "workbench").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in groups
    }
    assert "workbench.techniques" in used


def test_public_modules_of_the_guide_are_those_of_the_reference():
    inside = GUIDE.partition("<!-- public -->")[2].partition("<!-- end of public -->")[0]
    assert ("workbench", *re.findall(r"^- `(.+)`$", inside, re.MULTILINE)) == PUBLIC


@pytest.mark.parametrize("module", PUBLIC)
def test_public_module_declares_its_public_names(module):
    if find_spec(module) is None:
        pytest.skip(f"{module} is not in this version yet")
    loaded = importlib.import_module(module)
    assert len(loaded.__all__) == len(set(loaded.__all__))
    assert all(hasattr(loaded, name) for name in loaded.__all__)


@pytest.mark.parametrize("file", ["recipe.yml", "step.json", "candidate.json"])
def test_files_that_are_a_contract_are_named_in_guide_and_code(file):
    assert f"`{file}`" in GUIDE
    texts = (p.read_text(encoding="utf-8") for p in (HOME / "workbench").rglob("*.py"))
    assert any(f'"{file}"' in text for text in texts)


def test_changelog_begins_with_the_unreleased_and_holds_this_version():
    import workbench

    text = (HOME / ".github" / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\S+)", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert workbench.__version__ in versions


def test_types_travel_with_the_package():
    assert (HOME / "workbench" / "py.typed").exists()


def test_hooks_download_nothing():
    import yaml

    text = (HOME / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    (repository,) = yaml.safe_load(text)["repos"]
    assert repository["repo"] == "local"
    assert {hook["id"] for hook in repository["hooks"]} == {
        "ruff-check",
        "ruff-format",
        "codespell",
    }
    assert all(hook["language"] == "system" for hook in repository["hooks"])


# The field's tools


def test_spelling_is_right_everywhere():
    paths = ["workbench", "tests", "binder", ".github", "README.md", "pyproject.toml"]
    done = _run("codespell", *paths)
    assert done.returncode == 0, done.stdout + done.stderr


def test_spelling_is_right_in_the_prose_of_notebooks(tmp_path):
    for path in sorted((HOME / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
        (tmp_path / f"{path.stem}.md").write_text("\n\n".join(prose), encoding="utf-8")
    done = _run("codespell", "--toml", "pyproject.toml", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_docstrings_follow_the_numpy_convention():
    settings = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))
    ignored = ",".join(settings["tool"]["ruff"]["lint"]["ignore"])  # the option would undo it
    options = ("--extend-select", "D", "--ignore", ignored, "--output-format", "concise")
    done = _run("ruff", "check", *options, "workbench")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_types_pass(tmp_path):
    done = _run("mypy", "--cache-dir", str(tmp_path), "--no-error-summary")
    files = Counter(re.findall(r"^(\S+?):\d+: error", done.stdout, re.MULTILINE))
    counts = "".join(f"\n{count:5} {file}" for file, count in files.most_common())
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{counts}"
