"""`workbench docs`: the reference of the API and of all settings, as HTML files that open offline.

`settings.html` is made here, from the declarations. The pages of the API are made by pdoc, for the
public modules only. All pages hold their styles and scripts; none loads anything from a host.
"""

from __future__ import annotations

import html
import importlib
import re
import types
import webbrowser
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from string import Template

from workbench.cli.reference_tables import Table, settings_tables
from workbench.errors import MissingExtra
from workbench.system.user_folders import cache_folder

__all__ = ["PUBLIC", "docs", "left_out", "settings_page", "write_reference"]

PUBLIC = (
    "workbench",
    "workbench.settings",
    "workbench.technique",
    "workbench.task",
    "workbench.model_form",
    "workbench.runtimes",
    "workbench.metrics",
    "workbench.events",
    "workbench.errors",
    "workbench.testing",
)
_TEMPLATES = Path(__file__).with_name("templates")


def docs(*, open_it: bool = True, folder: Path | None = None) -> int:
    """Write the reference into a folder and open it in the browser; returns the exit status.

    The folder is by default one of the user's cache. Raises MissingExtra where pdoc is missing.
    """
    index = write_reference(folder or _cache_folder())
    print(f"Reference: {index}")
    for name, reason in left_out().items():
        print(f"Without the page of {name}: {reason}")
    if open_it and not webbrowser.open(index.as_uri()):
        print("No browser was found here: open this file in one.")
    return 0


def write_reference(folder: Path) -> Path:
    """Write all pages into a folder and return the path of the first, `index.html`.

    A module of `left_out()` has no page; the first page says so. Raises MissingExtra where pdoc is
    missing.
    """
    if find_spec("pdoc") is None:
        raise MissingExtra("`workbench docs`", "docs")
    folder = Path(folder).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    missing = left_out()
    modules = [name for name in PUBLIC if name not in missing]
    _write_api(folder, modules)
    (folder / "settings.html").write_text(settings_page(), encoding="utf-8")
    index = folder / "index.html"
    index.write_text(_index_page(modules, missing), encoding="utf-8")
    return index


def left_out() -> dict[str, str]:
    """The public modules that need a library which is missing here, each with the reason."""
    reasons = {}
    for name in PUBLIC:
        try:
            importlib.import_module(name)
        except MissingExtra as error:
            reasons[name] = str(error)
    return reasons


def _cache_folder() -> Path:
    """The folder of this version's reference in the user's cache."""
    import workbench

    return cache_folder() / f"docs-{workbench.__version__}"


def settings_page() -> str:
    """`settings.html`: every setting, run option, runtime, metric and column of the ledger."""
    tables = settings_tables()
    links = "".join(f'<li><a href="#{t.name}">{html.escape(t.title)}</a></li>' for t in tables)
    nav = (
        '<a class="back" href="index.html">All pages</a>'
        '<input type="search" placeholder="Filter settings" aria-label="Filter settings">'
        f"<ul>{links}</ul>"
    )
    return _page("Settings", nav, "<h1>Settings</h1>" + "".join(map(_table_html, tables)))


def _table_html(table: Table) -> str:
    head = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in table.heads)
    bodies = ""
    for group, text, rows in table.groups:
        title = (
            f'<tr class="group"><th scope="rowgroup" colspan="{len(table.heads)}">'
            f"<code>{html.escape(group)}</code> {_marked(text)}</th></tr>"
            if group
            else ""
        )
        lines = "".join(_row_html(table.name, row) for row in rows)
        bodies += f"<tbody>{title}{lines}</tbody>"
    return (
        f'<section id="{table.name}"><h2>{html.escape(table.title)}</h2>'
        f"<p>{_marked(table.text)}</p>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>{bodies}</table></div></section>'
    )


def _row_html(table: str, row: tuple[str, ...]) -> str:
    name, *rest = row
    first, *below = name.split("\n")
    anchor = html.escape(f"{table}.{first}", quote=True)
    cells = "".join(f"<td>{_lines(*text.split(chr(10)))}</td>" for text in rest)
    title = f'<a href="#{anchor}"><code>{html.escape(first)}</code></a>'
    small = "".join(f"<small>{_marked(line)}</small>" for line in below)
    return f'<tr id="{anchor}"><th scope="row">{title}{small}</th>{cells}</tr>'


def _lines(first: str, *below: str) -> str:
    return _marked(first) + "".join(f"<small>{_marked(line)}</small>" for line in below)


def _marked(text: str) -> str:
    """Text as HTML; backticks become code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def _index_page(modules: Sequence[str], missing: Mapping[str, str]) -> str:
    rows = [("settings.html", "Settings", "Settings, runtimes, metrics and columns of the ledger.")]
    rows += [(f"{name.replace('.', '/')}.html", name, _summary(name)) for name in modules]
    items = "".join(
        f'<dt><a href="{link}">{html.escape(title)}</a></dt><dd>{_marked(text)}</dd>'
        for link, title, text in rows
    )
    links = "".join(
        f'<li><a href="{link}">{html.escape(title)}</a></li>' for link, title, _ in rows
    )
    items += "".join(
        f"<dt>{html.escape(name)}</dt><dd>No page here: {_marked(reason)}</dd>"
        for name, reason in missing.items()
    )
    body = f'<h1>Reference</h1><dl class="pages">{items}</dl>'
    return _page("Reference", f"<ul>{links}</ul>", body)


def _summary(module: str) -> str:
    """The first paragraph of a module's docstring."""
    text = importlib.import_module(module).__doc__ or ""
    return " ".join(text.strip().split("\n\n")[0].split())


def _page(title: str, nav: str, body: str) -> str:
    import workbench

    return Template((_TEMPLATES / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(f"{title} - Workbench {workbench.__version__}"),
        version=html.escape(workbench.__version__),
        theme=(_TEMPLATES / "theme.css").read_text(encoding="utf-8"),
        nav=nav,
        body=body,
    )


def _write_api(folder: Path, modules: Sequence[str]) -> None:
    """The pages of the public modules and the index of their search, made by pdoc."""
    import pdoc.doc
    import pdoc.render

    import workbench

    pdoc.render.configure(
        docformat="numpy",
        footer_text=f"Workbench {workbench.__version__}",
        template_directory=_TEMPLATES,
    )
    pages = {name: pdoc.doc.Module(_with_names(importlib.import_module(name))) for name in modules}
    for name, page in pages.items():
        path = folder / f"{name.replace('.', '/')}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pdoc.render.html_module(page, pages), encoding="utf-8")
    (folder / "search.js").write_text(pdoc.render.search_index(pages), encoding="utf-8")


def _with_names(module: types.ModuleType) -> types.ModuleType:
    """A copy of a module that holds all names of its `__all__`; the shelf loads them when asked."""
    page = types.ModuleType(module.__name__, module.__doc__)
    vars(page).update(vars(module))
    names = {name: getattr(module, name) for name in module.__all__ if not name.startswith("__")}
    vars(page).update(names)
    page.__dict__["__all__"] = list(names)
    page.__dict__.pop("__path__", None)  # pages of submodules are asked for by name
    return page
