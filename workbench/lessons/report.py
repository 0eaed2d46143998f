"""One HTML file from an executed notebook: prose, tables, interactive figures, and no network.

nbconvert silently drops figures in Plotly's format, and its page loads scripts from four hosts. So
a figure becomes a `<div>` and its JSON here, nbconvert writes the cells only, and the page around
them is that of this module, with Plotly's script inside.
"""

from __future__ import annotations

import html as html_
import json
import os
import re
import tempfile
from pathlib import Path
from string import Template
from typing import Any

from workbench.errors import RunError

__all__ = ["write_report"]

_TEMPLATES = Path(__file__).with_name("templates")
_PLOTLY = "application/vnd.plotly.v1+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"


def write_report(notebook: Path, html: Path, *, title: str) -> Path:
    """Write an executed notebook as one self-contained HTML file, and return the file's path.

    All code is folded. Figures are drawn by Plotly's script inside the file (4.8 MB), which is left
    out if there is no figure. Widgets and their text are left out, as are scripts of outputs and
    all that a browser would load from elsewhere. The file is written completely or not at all.
    Raises RunError when the notebook cannot be read, or no cell was executed.
    """
    cells = _read(Path(notebook))
    for cell in cells.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                shown for output in cell.outputs if (shown := _shown(output)) is not None
            ]
    cells.metadata.pop("widgets", None)
    body = _offline(_cells_html(cells, Path(notebook).parent))
    if "<h1" not in body:
        body = f"<h1>{html_.escape(title)}</h1>\n{body}"
    html = Path(html)
    html.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(html, _page(body, title))
    return html


def _read(notebook: Path) -> Any:
    import nbformat

    try:
        cells = nbformat.read(notebook, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise RunError(
            f"{notebook} cannot be read as a notebook ({error}): give the path of an executed "
            ".ipynb."
        ) from error
    code = [cell for cell in cells.cells if cell.cell_type == "code"]
    if not any(cell.execution_count or cell.outputs for cell in code):
        raise RunError(
            f"No cell of {notebook} was executed, so there is nothing to report: run it first, for "
            "example with `jupyter nbconvert --to notebook --execute --inplace NOTEBOOK`."
        )
    return cells


def _shown(output: Any) -> Any | None:
    """An output for the report, with figures as HTML; None for one that is left out."""
    data = output.get("data")
    if data is None:
        return output
    if _PLOTLY in data:
        # Its PNG and its other HTML show the same figure.
        return _with_data(output, {"text/html": _figure_html(data[_PLOTLY])})
    if _WIDGET in data:
        # Without its kernel, a widget is only its repr, which does not help a reader.
        rest = {mime: value for mime, value in data.items() if mime not in (_WIDGET, "text/plain")}
        return _with_data(output, rest) if rest else None
    return output


def _with_data(output: Any, data: dict[str, Any]) -> Any:
    import nbformat

    return nbformat.from_dict({**output, "data": data, "metadata": {}})


def _figure_html(figure: dict[str, Any]) -> str:
    spec = json.dumps(
        {"data": figure.get("data", []), "layout": figure.get("layout", {})}, separators=(",", ":")
    )
    height = figure.get("layout", {}).get("height", 450)
    # `</script>` inside a label would end the element
    safe = spec.replace("</", "<\\/").replace("<!--", "<\\u0021--")
    return (
        f'<div class="wb-figure" role="img" aria-label="{_label(figure)}" '
        f'style="min-height:{int(height)}px"></div>'
        f'<script type="application/json">{safe}</script>'
    )


def _label(figure: dict[str, Any]) -> str:
    title = figure.get("layout", {}).get("title") or {}
    text = title.get("text") if isinstance(title, dict) else title
    return html_.escape(re.sub(r"<[^>]*>", " ", text or "figure"), quote=True)


def _cells_html(cells: Any, folder: Path) -> str:
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(_TEMPLATES)],
        embed_images=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    # images beside the notebook are found from its folder
    body, _ = exporter.from_notebook_node(
        cells, resources={"metadata": {"path": str(folder), "name": "report"}}
    )
    return str(body)


def _offline(body: str) -> str:
    """The body without scripts and without links that a browser would load.

    An image from elsewhere is replaced by its alternative text.
    """
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "html.parser")
    for tag in soup(["script", "link", "iframe", "object", "embed", "base", "meta"]):
        if not (tag.name == "script" and tag.get("type") == "application/json"):
            tag.decompose()
    for tag in soup(["img", "source", "video", "audio", "track", "image"]):
        source = (
            tag.get("src")
            or tag.get("srcset")
            or tag.get("href")
            or tag.get("xlink:href")
            or "data:"
        )
        if not str(source).startswith("data:"):
            note = soup.new_tag("span", attrs={"class": "wb-missing"})
            note.string = str(tag.get("alt") or "")
            tag.replace_with(note)
    for style in soup("style"):
        style.string = re.sub(
            r"@import[^;]*;?|url\(\s*['\"]?(?!data:)[^)]*\)", "", style.get_text()
        )
    return str(soup)


def _page(body: str, title: str) -> str:
    shell = Template((_TEMPLATES / "report" / "page.html").read_text(encoding="utf-8"))
    css = (_TEMPLATES / "report" / "report.css").read_text(encoding="utf-8") + _code_css()
    plotly = script = ""
    if 'class="wb-figure"' in body:
        from plotly.offline import get_plotlyjs

        from workbench.figures.theme import INKS

        # text, faint text and grid of the template for both, for light and for dark pages
        inks = json.dumps([ink[:3] for ink in INKS.values()])
        plotly = f"<script>{get_plotlyjs()}</script>"
        drawing = (_TEMPLATES / "report" / "report.js").read_text(encoding="utf-8")
        script = f"<script>const INKS = {inks};\n{drawing}</script>"
    return shell.substitute(
        title=html_.escape(title), css=css, plotly=plotly, body=body, script=script
    )


def _code_css() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="friendly", nobackground=True).get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark", nobackground=True).get_style_defs(".highlight")
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _write_whole(path: Path, text: str) -> None:
    """Write to a temporary file, then move it: readers see the old file or all of the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp gives read permission to the owner only; a report is for others too.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
