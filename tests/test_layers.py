"""The house rules about imports, read off the source: one direction, nothing heavy on top, no
output from below.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1] / "workbench"

# A file imports only from its own folder, and from lines above its own. There are no exceptions.
LAYERS = [
    "errors",
    "system",
    "settings",
    "events",
    "metrics",
    "figures",
    "data",
    "data/sets",
    "models",
    "model_form",
    "task",
    "training",
    "runtimes",
    "technique",
    "tasks",
    "keeping",
    "measure/statistics",
    "measure/timing",
    "measure",
    "forms",
    "techniques",
    "recipe",
    "lessons",
    "ledger",
    "store",
    "runs",
    "widgets",
    "cli",
    "testing",
    "reproduce",
]
ROOM_FOR_MODULES = 8  # in the root of the package

HEAVY = (
    "torchao",
    "lightning",
    "pytorch_lightning",
    "mlflow",
    "tensorflow",
    "sklearn.ensemble",
    "plotly",
    "torch_pruning",
    "skl2onnx",
    "lightgbm",
    "xgboost",
    "onnxmltools",
    "optuna",
    "transformers",
    "dask",
    "openvino",
    "nncf",
    "skops",
)
PLOTLY_ROOM = "figures"
SPEAKERS = ("widgets", "cli", "reproduce")
COPIED = (
    "keeping/load_network.py"  # lies beside every kept network, where it is a program of its own
)

FILES = sorted(
    p.relative_to(HOME).as_posix()
    for p in HOME.rglob("*.py")
    if "notebooks" not in p.relative_to(HOME).parts
)
MODULES = {f.removesuffix(".py").removesuffix("/__init__"): f for f in FILES}


def _layer(path: str) -> str:
    """The line of LAYERS that a file or module, written with slashes, belongs to: the longest one
    that it begins with.
    """
    path = path.removesuffix(".py").removesuffix("/__init__")
    fitting = [layer for layer in LAYERS if path == layer or path.startswith(f"{layer}/")]
    return max(fitting, key=len, default="")


@cache
def _all_nodes(file: str) -> tuple[tuple[ast.AST, str], ...]:
    """All nodes of a file, read once for all tests."""
    return tuple(_nodes(ast.parse((HOME / file).read_text(encoding="utf-8"), file)))


def _nodes(node: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """All nodes with the name of the outermost function around them; what is for type checkers only
    is left out.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        inside = function or (
            child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else ""
        )
        yield child, inside
        yield from _nodes(child, inside)


@cache
def _imports(file: str) -> tuple[tuple[str, str, int], ...]:
    """Modules that a file imports, each with the function that does it, empty at the top level, and
    the line.
    """
    return tuple(_read_imports(file))


def _read_imports(file: str) -> Iterator[tuple[str, str, int]]:
    package = ["workbench", *file.split("/")[:-1]]
    for node, function in _all_nodes(file):
        if isinstance(node, ast.Import):
            yield from ((alias.name, function, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            # `from workbench.system import files` names a module, `from x import function` does not
            for alias in node.names:
                longer = f"{module}.{alias.name}"
                yield (longer if _path(longer) in MODULES else module), function, node.lineno


def _path(module: str) -> str:
    """One of our modules with slashes, without `workbench`; empty for others and for the shelf
    itself.
    """
    parts = module.split(".")
    return "/".join(parts[1:]) if parts[0] == "workbench" else ""


def _prints(file: str) -> Iterator[int]:
    for node, _ in _all_nodes(file):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ):
            yield node.lineno


def test_every_file_has_a_layer():
    unknown = [f for f in FILES if f != "__init__.py" and not _layer(f)]
    assert not unknown, f"Give {unknown} a line in LAYERS, below all that it imports."
    assert len(LAYERS) == len(set(LAYERS))


def test_root_of_the_package_holds_few_modules():
    assert len([f for f in FILES if "/" not in f]) <= ROOM_FOR_MODULES


@pytest.mark.parametrize("file", [f for f in FILES if f != "__init__.py"])
def test_file_imports_only_from_lines_above_its_own(file):
    mine = LAYERS.index(_layer(file))
    wrong = [
        f"line {line}: {module}"
        for module, _, line in _imports(file)
        if (path := _path(module)) and LAYERS.index(_layer(path)) > mine
    ]
    assert not wrong, f"{file} imports from below its own line: {', '.join(wrong)}"


def test_no_module_imports_itself_through_others():
    graph = {
        file: {MODULES[p] for m, _, _ in _imports(file) if (p := _path(m)) in MODULES} - {file}
        for file in FILES
    }
    done: set[str] = set()

    def follow(file: str, path: tuple[str, ...]) -> None:
        assert file not in path, " -> ".join([*path[path.index(file) :], file])
        if file not in done:
            for other in sorted(graph[file]):
                follow(other, (*path, file))
            done.add(file)

    for file in FILES:
        follow(file, ())


def test_package_itself_imports_nothing_of_ours_at_the_top_but_what_puts_off_an_import():
    def ours(file: str) -> list[str]:
        found = [m for m, function, _ in _imports(file) if not function]
        return [m for m in found if m.startswith("workbench")]

    assert ours("__init__.py") == ["workbench.system.deferred"]
    assert not ours("system/deferred.py")


def test_copied_loader_needs_nothing_of_this_package():
    assert not [m for m, _, _ in _imports(COPIED) if m.startswith("workbench")]


def test_nothing_imports_the_forms_by_name():
    wrong = [
        f"{f}: {m}"
        for f in FILES
        if _layer(f) != "forms"
        for m, _, _ in _imports(f)
        if _path(m).startswith("forms")
    ]
    assert not wrong, f"Forms are found by the registry: {', '.join(wrong)}"


@pytest.mark.parametrize("file", FILES)
def test_heavy_libraries_are_imported_where_they_are_needed(file):
    top = [(m, line) for m, function, line in _imports(file) if not function]
    names = [h for h in HEAVY if not (h == "plotly" and _layer(file) == PLOTLY_ROOM)]
    wrong = [
        f"line {line}: {m}" for m, line in top for h in names if m == h or m.startswith(f"{h}.")
    ]
    assert not wrong, (
        f"{file} imports at the top level what belongs into a function: {', '.join(wrong)}"
    )


@pytest.mark.parametrize("file", [f for f in FILES if _layer(f) not in SPEAKERS and f != COPIED])
def test_nothing_below_the_front_ends_prints_or_knows_widgets(file):
    printed = [f"line {line}" for line in _prints(file)]
    assert not printed, (
        f"{file} prints ({', '.join(printed)}); send an event through `report` instead."
    )
    widgets = [
        f"line {line}: {m}"
        for m, _, line in _imports(file)
        if m.split(".")[0] in ("ipywidgets", "anywidget")
    ]
    assert not widgets, f"{file} knows widgets: {', '.join(widgets)}"
