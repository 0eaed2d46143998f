"""`workbench docs`: the reference of the API and of all settings, as HTML files that open offline.

`settings.html` is made here, from the declarations. The pages of the API are made by pdoc, for the
public modules only. All pages hold their styles and scripts; none loads anything from a host.
"""

from __future__ import annotations

import dataclasses
import html
import importlib
import os
import re
import sys
import types
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from workbench.errors import MissingExtra
from workbench.settings import Knob, RunOptions, Settings, knobs

__all__ = ["PUBLIC", "Table", "docs", "settings_page", "settings_tables", "write_reference"]

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
_HEADS = ("setting", "type", "default", "values", "has an effect when", "meaning")


def docs(*, open_it: bool = True, folder: Path | None = None) -> int:
    """Write the reference into a folder and open it in the browser; returns the exit status.

    The folder is by default one of the user's cache. Raises MissingExtra where pdoc is missing.
    """
    index = write_reference(folder or _cache_folder())
    print(f"Reference: {index}")
    if open_it and not webbrowser.open(index.as_uri()):
        print("No browser was found here: open this file in one.")
    return 0


def write_reference(folder: Path) -> Path:
    """Write all pages into a folder and return the path of the first, `index.html`.

    Raises MissingExtra where pdoc is missing.
    """
    if find_spec("pdoc") is None:
        raise MissingExtra("`workbench docs`", "docs")
    folder = Path(folder).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    modules = [name for name in PUBLIC if find_spec(name) is not None]
    _write_api(folder, modules)
    (folder / "settings.html").write_text(settings_page(), encoding="utf-8")
    index = folder / "index.html"
    index.write_text(_index_page(modules), encoding="utf-8")
    return index


def _cache_folder() -> Path:
    """The folder of this version's reference in the user's cache."""
    import workbench

    home = Path.home()
    usual = {
        "win32": os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local",
        "darwin": home / "Library" / "Caches",
    }
    cache = os.environ.get("XDG_CACHE_HOME") or usual.get(sys.platform, home / ".cache")
    return Path(cache) / "workbench" / f"docs-{workbench.__version__}"


# The tables of settings.html


@dataclass(frozen=True)
class Table:
    """One table of the reference.

    A row holds a text for each of the `heads`; the first one is the name. Further lines of a text
    are shown smaller. A `group` is a heading, a text and the rows below them.
    """

    name: str
    title: str
    text: str
    heads: tuple[str, ...]
    groups: tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...]

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The rows of all groups."""
        return tuple(row for _, _, rows in self.groups for row in rows)


def settings_tables() -> tuple[Table, ...]:
    """All tables of settings.html: options of a run, techniques, runtimes, metrics, columns."""
    from workbench.metrics import METRICS
    from workbench.runtimes import RUNTIMES

    tables = [
        _settings_table(
            "run",
            "Every run",
            "Options of `workbench run`, of a recipe and of each technique's command.",
            RunOptions,
        ),
        *_technique_tables(),
        _declared_table(
            "runtimes",
            "Runtimes",
            "Engines that run a model.",
            RUNTIMES,
            ("title", "forms", "devices"),
        ),
        _declared_table("metrics", "Metrics", "Scores that a task can name.", METRICS),
    ]
    if find_spec("workbench.ledger.columns") is not None:
        columns = importlib.import_module("workbench.ledger.columns").COLUMNS
        text = "Columns of a run's table, one row a step."
        fields = ("title", "unit", "direction", "sentence")
        tables.append(_declared_table("ledger", "Columns of the ledger", text, columns, fields))
    return tuple(tables)


def _technique_tables() -> Iterator[Table]:
    from workbench.techniques import get_technique, technique_names

    for name in technique_names():
        declared = get_technique(name)
        forms = " or ".join(_plain(form) for form in declared.accepts)
        gives = "the same form" if declared.gives == "same" else _plain(declared.gives)
        lines = [declared.summary, f"Takes {forms}; gives {gives}."]
        if declared.actions:
            commands = (f"`workbench {name} {action}`" for action in sorted(declared.actions))
            lines.append(f"Analyses: {', '.join(commands)}.")
        yield _settings_table(name, declared.title, " ".join(lines), declared.settings)


def _settings_table(name: str, title: str, text: str, settings: type[Settings]) -> Table:
    """The settings of one class, those of a nested class as a group; without empty columns."""
    inside: dict[str, list[tuple[str, ...]]] = {}
    for k in knobs(settings):
        inside.setdefault(k.path[0] if len(k.path) > 1 else "", []).append(_knob_row(k))
    used = [
        number
        for number in range(len(_HEADS))
        if any(row[number] for rows in inside.values() for row in rows)
    ]
    groups = tuple(
        (group, _help_of(settings, group), tuple(tuple(row[n] for n in used) for row in rows))
        for group, rows in inside.items()
    )
    return Table(name, title, text, tuple(_HEADS[n] for n in used), groups)


def _help_of(settings: type[Settings], field: str) -> str:
    return " ".join((settings.model_fields[field].description or "").split()) if field else ""


def _knob_row(k: Knob) -> tuple[str, ...]:
    label = ", ".join(filter(None, (k.title, "expert" if k.expert else "")))
    return (
        f"{k.name}\n{label}" if label else k.name,
        f"{k.kind} or None" if k.optional else k.kind,
        _default_text(k),
        _values_text(k),
        k.condition,
        k.help,
    )


def _default_text(k: Knob) -> str:
    if k.by_budget is None:
        return "empty" if k.default == "" else _plain(k.default)
    usual = {_plain(value) for value in k.by_budget.values()}
    if len(usual) == 1:
        return f"None\n{usual.pop()} unless the model brings its own"
    return "None\n" + ", ".join(f"{b} {_plain(v)}" for b, v in k.by_budget.items())


def _values_text(k: Knob) -> str:
    """The choices or the range, and the unit below."""
    if k.choices:
        values = ", ".join(_plain(choice) for choice in k.choices)
    elif k.low is None and k.high is None:
        values = ""
    elif k.low is None:
        values = f"at most {_plain(k.high)}"
    elif k.high is None:
        values = f"at least {_plain(k.low)}"
    else:
        values = f"{_plain(k.low)} to {_plain(k.high)}"
    return "\n".join(filter(None, (values, k.unit)))


def _declared_table(
    name: str, title: str, text: str, things: Any, fields: tuple[str, ...] = ()
) -> Table:
    """A table of declared things (a registry, a mapping or a sequence), a column a plain field.

    `fields` chooses the columns and their order. Fields that hold functions are left out, and so
    are those that no thing fills.
    """
    if hasattr(things, "all"):
        things = things.all()
    by_name = things if isinstance(things, Mapping) else {thing.name: thing for thing in things}
    filled = {key: {"name": key, **_plain_fields(thing)} for key, thing in by_name.items()}
    columns = fields or tuple(head for row in filled.values() for head in row)
    heads = [
        head
        for head in dict.fromkeys(("name", *columns))
        if all(head in row for row in filled.values()) and any(row[head] for row in filled.values())
    ]
    rows = tuple(tuple(row[head] for head in heads) for row in filled.values())
    shown = tuple(head.replace("_", " ") for head in heads)
    return Table(name, title, text, shown, (("", "", rows),))


def _plain_fields(thing: Any) -> dict[str, str]:
    if not dataclasses.is_dataclass(thing):
        return {"forms": _plain(thing)}
    values = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
    return {name: _plain(value) for name, value in values.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(_is_plain(one) for one in value)
    return isinstance(value, (str, bool, int, float))


def _plain(value: Any) -> str:
    """A value as a reader types or reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(_plain(one) for one in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(getattr(value, "name", value))


# The pages


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


def _index_page(modules: Sequence[str]) -> str:
    rows = [("settings.html", "Settings", "Settings, runtimes, metrics and columns of the ledger.")]
    rows += [(f"{name.replace('.', '/')}.html", name, _summary(name)) for name in modules]
    items = "".join(
        f'<dt><a href="{link}">{html.escape(title)}</a></dt><dd>{_marked(text)}</dd>'
        for link, title, text in rows
    )
    links = "".join(
        f'<li><a href="{link}">{html.escape(title)}</a></li>' for link, title, _ in rows
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
