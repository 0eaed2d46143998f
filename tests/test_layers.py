"""The house rules about imports, read off the source: one direction, nothing heavy on top, no output from below."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1] / "workbench"

# A file imports only from lines above its own, or from its own line. A folder is one line.
LAYERS = [
    "errors", "files", "cache", "process", "references", "refusals", "settings", "events", "mounts", "machine", "figures", "data",
    "metrics", "models", "task", "sealed", "tensors", "speed",
    "predict_torch", "training", "tasks", "runtimes", "outputs", "checks", "candidates", "doors", "load_network", "specs", "tracing",
    "structure", "kept",
    "measure", "technique", "techniques", "recipe", "ledger", "appraise", "trail", "starting", "runner", "record", "tracking", "store",
    "jobs", "running", "lessons", "widgets", "doctor", "cli",
]  # fmt: skip

# Upward imports, inside functions only. Each has its reason, and goes when it is no longer needed.
LAZY = {
    ("models/reference.py", "task"): "its main() trains the weights that are shipped, by the package's own means",
    ("models/reference.py", "tasks"): "the same",
    ("models/reference.py", "training"): "the same",
    ("models/reference.py", "predict_torch"): "the same",
    **{
        ("models/teacher.py", layer): "the same: its main() fine-tunes the teacher whose answers are shipped"
        for layer in ("measure", "predict_torch", "runtimes", "tasks", "training")
    },
    ("technique.py", "techniques"): "the registry looks for the modules that declare themselves to it",
}

HEAVY = ("torchao", "lightning", "pytorch_lightning", "mlflow", "tensorflow", "sklearn.ensemble", "plotly", "torch_pruning", "skl2onnx",
         "optuna", "transformers", "dask", "openvino", "nncf")  # fmt: skip
PLOTLY_ROOM = "figures"
SPEAKERS = ("widgets", "doctor", "cli")
PRINTING = {
    ("models/reference.py", "main"): "a script for the maintainers",
    ("models/reference.py", "train_resnet20"): "the same, watched for an hour",
    ("models/teacher.py", "main"): "a script for the maintainers",
    ("models/teacher.py", "train_teacher"): "the same, watched for an hour",
    ("load_network.py", "main"): "copied beside a kept network, where it is a program of its own",
    ("lessons/tour.py", "tour"): "the whole of a command, whose output it is",
}

FILES = sorted(p.relative_to(HOME).as_posix() for p in HOME.rglob("*.py") if "notebooks" not in p.relative_to(HOME).parts)


def _layer(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def _tree(file: str) -> ast.Module:
    return ast.parse((HOME / file).read_text(encoding="utf-8"), file)


def _nodes(node: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """All nodes with the name of the outermost function around them; what is for type checkers only is left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        inside = function or (child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else "")
        yield child, inside
        yield from _nodes(child, inside)


def _imports(file: str) -> Iterator[tuple[str, str, int]]:
    """Modules that a file imports, each with the function that does it, empty at the top level, and the line."""
    package = ["workbench", *file.split("/")[:-1]]
    for node, function in _nodes(_tree(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, function, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            # `from workbench.system import files` names a module; `from workbench.system.files import x` has it already
            yield from ((f"{module}.{a.name}" if module == "workbench" else module, function, node.lineno) for a in node.names)


def _prints(file: str) -> Iterator[tuple[int, str]]:
    for node, function in _nodes(_tree(file)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield node.lineno, function


def _own(module: str) -> str:
    """The layer of one of our modules; empty for others, and for the shelf itself, which is loaded anyway."""
    parts = module.split(".")
    return parts[1] if parts[0] == "workbench" and len(parts) > 1 and not parts[1].startswith("__") else ""


def test_every_file_has_a_layer():
    unknown = {_layer(f) for f in FILES} - {*LAYERS, "__init__"}
    assert not unknown, f"Give {sorted(unknown)} a line in LAYERS, below all that it imports."
    assert len(LAYERS) == len(set(LAYERS))


@pytest.mark.parametrize("file", [f for f in FILES if f != "__init__.py"])
def test_file_imports_only_from_lines_above_its_own(file):
    mine = LAYERS.index(_layer(file))
    wrong = [
        f"line {line}: {module}"
        for module, function, line in _imports(file)
        if (layer := _own(module)) and LAYERS.index(layer) > mine and not (function and (file, layer) in LAZY)
    ]
    assert not wrong, f"{file} imports from below its own line: {', '.join(wrong)}"


def test_exceptions_are_all_still_needed():
    assert set(LAZY) <= {(f, _own(m)) for f in FILES for m, function, _ in _imports(f) if function}
    assert set(PRINTING) <= {(f, function) for f, _ in PRINTING for _, function in _prints(f)}


def test_package_itself_imports_nothing_of_ours_at_the_top():
    assert not [m for m, function, _ in _imports("__init__.py") if not function and m.startswith("workbench")]


def test_copied_loader_needs_nothing_of_this_package():
    assert not [m for m, _, _ in _imports("load_network.py") if m.startswith("workbench")]


@pytest.mark.parametrize("file", FILES)
def test_heavy_libraries_are_imported_where_they_are_needed(file):
    top = [(m, line) for m, function, line in _imports(file) if not function]
    names = [h for h in HEAVY if not (h == "plotly" and _layer(file) == PLOTLY_ROOM)]
    wrong = [f"line {line}: {m}" for m, line in top for h in names if m == h or m.startswith(f"{h}.")]
    assert not wrong, f"{file} imports at the top level what belongs into a function: {', '.join(wrong)}"


@pytest.mark.parametrize("file", [f for f in FILES if _layer(f) not in SPEAKERS])
def test_nothing_below_the_front_ends_prints_or_knows_widgets(file):
    printed = [f"line {line}" for line, function in _prints(file) if (file, function) not in PRINTING]
    assert not printed, f"{file} prints ({', '.join(printed)}); send an event through `report` instead."
    widgets = [f"line {line}: {m}" for m, _, line in _imports(file) if m.split(".")[0] in ("ipywidgets", "anywidget")]
    assert not widgets, f"{file} knows widgets: {', '.join(widgets)}"
