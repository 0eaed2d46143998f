"""The command that prepares a notebook for a commit: it runs it, adds pictures, and cleans it.

    python -m workbench.lessons.prepare notebooks/00_start_here.ipynb
    python -m workbench.lessons.prepare --parameters notebooks/*.ipynb    # that cell alone

Outputs hold each figure in plotly's format and as PNG, tables as HTML, and no widget state.
Raises RunError when the notebook fails, prints to stderr, or grows over 300 KB.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from workbench.errors import RunError
from workbench.lessons.cells import common_knobs, parameters_cell
from workbench.settings import knobs
from workbench.system.files import write_text
from workbench.techniques import get_technique, technique_names

__all__ = ["prepare", "renew_parameters"]

LIMIT_BYTES = 300_000
FOLDED = ("parameters", "settings")  # tags of cells whose source JupyterLab shows folded
RENDERER = "plotly_mimetype+png"


def prepare(path: Path, *, parameters: dict[str, Any] | None = None) -> Path:
    """Execute a notebook in place with its committed parameters, and clean it.

    Raises RunError when a cell fails or writes to stderr, and when the file becomes too large.
    """
    import nbformat
    import papermill

    with tempfile.TemporaryDirectory() as folder:
        executed = Path(folder) / path.name
        variables = {"PLOTLY_RENDERER": RENDERER, "WORKBENCH_RUNS": str(Path(folder) / "runs")}
        with mock.patch.dict(os.environ, variables):
            try:
                papermill.execute_notebook(
                    path,
                    executed,
                    parameters=parameters,
                    progress_bar=False,
                    cwd=folder,
                    engine_name="workbench",
                )
            except papermill.PapermillExecutionError as error:
                raise RunError(
                    f"{path.name} fails in cell [{error.exec_count}]: {error.ename}: {error.evalue}"
                ) from error
        notebook = nbformat.read(executed, as_version=4)
    clean(notebook)
    _shrink_pictures(notebook)
    text = nbformat.writes(notebook) + "\n"
    noisy = [
        c["id"] for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"
    ]
    if noisy:
        raise RunError(
            f"{path.name}: the cells {', '.join(noisy)} write to stderr. Mend the cause, or catch "
            "the warning in the cell."
        )
    if len(text.encode()) > LIMIT_BYTES:
        raise RunError(
            f"{path.name} would have {len(text.encode()) / 1e3:.0f} KB, over "
            f"{LIMIT_BYTES / 1e3:.0f}: use smaller figures or fewer outputs."
        )
    return write_text(path, text)


def renew_parameters(path: Path) -> Path:
    """Write the cell `parameters` of a technique's notebook anew from the declared settings.

    Its values stay, and nothing is executed. A notebook of no technique is left as it is.
    """
    import nbformat

    name = path.stem.partition("_")[2]
    if name not in technique_names():
        return path
    notebook = nbformat.read(path, as_version=4)
    settings = get_technique(name).settings
    (cell,) = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    values: dict[str, Any] = {}
    exec(cell.source, values)
    names = {k.name for k in (*common_knobs(), *knobs(settings))}
    cell.source = parameters_cell(settings, {n: v for n, v in values.items() if n in names})
    return write_text(path, nbformat.writes(notebook) + "\n")


def clean(notebook: Any) -> None:
    """Remove, in place, the metadata that differ from run to run, and the state of widgets.

    The sources of the generated cells are folded.
    """
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    notebook.cells = [
        c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = {"tags": tags} if tags else {}
        if set(FOLDED) & set(tags):
            cell.metadata["jupyter"] = {"source_hidden": True}
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def _shrink_pictures(notebook: Any) -> None:
    """Reduce PNGs to 64 colours, in place: figures have few, and shrink to a third."""
    import base64
    import io

    pictures = [
        o["data"]
        for c in notebook.cells
        for o in c.get("outputs", [])
        if "image/png" in o.get("data", {})
    ]
    if not pictures:
        return
    from PIL import Image

    for data in pictures:
        small = io.BytesIO()
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGBA")
        picture.quantize(64, method=Image.Quantize.FASTOCTREE).save(small, "PNG", optimize=True)
        data["image/png"] = base64.b64encode(small.getvalue()).decode()


if __name__ == "__main__":
    only_parameters = "--parameters" in sys.argv
    for argument in (Path(a) for a in sys.argv[1:] if a != "--parameters"):
        renew_parameters(argument)
        if not only_parameters:
            prepare(argument)
