"""The drawing of the folders in `.github/CONTRIBUTING.md`, made from the code.

    python -m tests.house            shows it
    python -m tests.house --write    renews it in the file

The order is that of LAYERS in `tests/test_layers.py`, the phrases are the docstrings of the
modules, and only modules that hold code are counted.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CONTRIBUTING", "Floor", "drawing", "floors", "kept_drawing", "write"]

HOME = Path(__file__).parents[1]
PACKAGE = HOME / "workbench"
CONTRIBUTING = HOME / ".github" / "CONTRIBUTING.md"
BEGIN, END = "<!-- drawing: python -m tests.house --write -->\n", "<!-- end of drawing -->"
WIDTH, NAME = 100, 22


@dataclass(frozen=True)
class Floor:
    """One line of LAYERS: a module or folder of the package."""

    layer: str
    is_folder: bool
    phrase: str
    n_modules: int


def floors() -> list[Floor]:
    """Every line of LAYERS that is there, bottom first."""
    layers = _layers()
    modules = [p for p in sorted(PACKAGE.rglob("*.py")) if _holds_code(p)]
    names = [p.relative_to(PACKAGE).as_posix().removesuffix(".py") for p in modules]
    counts = dict.fromkeys(layers, 0)
    for name in names:
        fitting = [layer for layer in layers if name == layer or name.startswith(f"{layer}/")]
        if fitting:
            counts[max(fitting, key=len)] += 1
    found = []
    for layer in layers:
        folder = PACKAGE / layer
        file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        if file.exists() or folder.is_dir():
            found.append(Floor(layer, folder.is_dir(), _phrase(file), counts[layer]))
    return found


def _layers() -> list[str]:
    """LAYERS of `tests/test_layers.py`, read without importing it."""
    tree = ast.parse((HOME / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS":
            return ast.literal_eval(node.value)
    raise AssertionError("tests/test_layers.py holds no list LAYERS.")


def _holds_code(path: Path) -> bool:
    """Whether a file is more than a docstring; copies of notebooks are not of the package."""
    if "notebooks" in path.relative_to(PACKAGE).parts:
        return False
    return path.name != "__init__.py" or len(ast.parse(path.read_text(encoding="utf-8")).body) > 1


def _phrase(file: Path) -> str:
    """The first sentence of a module's docstring, without its period."""
    if not file.exists():
        return ""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).removesuffix(".")


def drawing() -> str:
    """The drawing as text, a line a floor, longer phrases on further lines."""
    lines = [f"{'workbench/':<{NAME}}modules"]
    for floor in floors():
        name = f"  {floor.layer}{'/' if floor.is_folder else '.py'}"
        head = f"{name:<{NAME}}{floor.n_modules:>7}  "
        lines += textwrap.wrap(
            floor.phrase or " ",
            WIDTH,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            drop_whitespace=True,
        ) or [head.rstrip()]
    return "\n".join(lines) + "\n"


def kept_drawing() -> str:
    """The drawing that `.github/CONTRIBUTING.md` holds."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    inside = text.partition(BEGIN)[2].partition(END)[0]
    return inside.removeprefix("```text\n").removesuffix("```\n")


def write() -> None:
    """Put the drawing into `.github/CONTRIBUTING.md`."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{CONTRIBUTING} lacks the lines {BEGIN.strip()} and {END}.")
    new = f"{before}{begin}```text\n{drawing()}```\n{end}{after}"
    CONTRIBUTING.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    elif sys.argv[1:]:
        raise SystemExit("Usage: python -m tests.house [--write]")
    else:
        print(drawing(), end="")
