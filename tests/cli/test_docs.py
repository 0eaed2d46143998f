"""The reference that `workbench docs` writes: complete, linked, and without any host."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

import workbench.cli.docs as reference
import workbench.cli.reference_tables as reference_tables
from workbench.cli.docs import docs, settings_page, write_reference
from workbench.cli.reference_tables import settings_tables
from workbench.errors import MissingExtra
from workbench.metrics import METRICS
from workbench.runtimes import RUNTIMES
from workbench.settings import RunOptions, knobs
from workbench.techniques import get_technique, technique_names

LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "link": "href",
    "object": "data",
}


class _Page(HTMLParser):
    """What a page loads, the pages that it links to, and the ids that it holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)
        self.loads += re.findall(r"url\(\s*['\"]?([^'\")]+)", text)
        self.loads += re.findall(r"@import\s+['\"]?([^'\";]+)", text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids.add(values.get("id", ""))
        if tag == "a":
            self.links.append(values.get("href", ""))
        if values.get(LOADING.get(tag)):
            self.loads.append(values[LOADING[tag]])


@pytest.fixture(scope="module")
def tables():
    return {table.name: table for table in settings_tables()}


@pytest.fixture(scope="module")
def page():
    return settings_page()


@pytest.mark.parametrize("name", ["run", *technique_names()])
def test_table_holds_every_setting_with_its_help_and_condition(tables, name):
    settings = RunOptions if name == "run" else get_technique(name).settings
    rows = {
        row[0].split("\n")[0]: dict(zip(tables[name].heads, row, strict=True))
        for row in tables[name].rows
    }
    assert list(rows) == sorted(rows, key=[k.name for k in knobs(settings)].index)
    for k in knobs(settings):
        row = rows[k.name]
        assert row["meaning"] == k.help
        assert k.title in row["setting"]
        assert row.get("has an effect when", "") == k.condition
        assert all(str(choice) in row["values"] for choice in k.choices if choice is not None)
        assert k.unit in row.get("values", "")


def test_settings_of_a_nested_class_form_a_group_with_its_help(tables):
    groups = {group: (text, rows) for group, text, rows in tables["pruning"].groups}
    text, rows = groups["fit"]
    assert text
    assert all(row[0].startswith("fit_") for row in rows)


def test_default_that_the_budget_decides_is_shown_for_each_budget(tables):
    row = next(r for r in tables["quantization"].rows if r[0].startswith("calibration_rows"))
    assert "None\nsmoke 128, standard 512, thorough 1000" in row


def test_every_runtime_and_metric_has_a_row(tables):
    assert {row[0] for row in tables["runtimes"].rows} == set(_names(RUNTIMES))
    assert {row[0] for row in tables["metrics"].rows} == set(_names(METRICS))
    assert "higher is better" in tables["metrics"].heads


def _names(things):
    return things.names() if hasattr(things, "names") else things


def test_columns_of_the_ledger_have_a_table_where_they_are_declared(monkeypatch):
    @dataclass(frozen=True)
    class Column:
        name: str
        title: str
        unit: str
        sentence: str

    columns = SimpleNamespace(COLUMNS=(Column("size", "File", "bytes", "Size of the file."),))
    monkeypatch.setattr(reference_tables, "find_spec", lambda name: columns)
    monkeypatch.setattr(
        reference_tables,
        "importlib",
        SimpleNamespace(import_module={"workbench.ledger.columns": columns}.get),
    )
    table = settings_tables()[-1]
    assert table.heads == ("name", "title", "unit", "sentence")
    assert table.rows == (("size", "File", "bytes", "Size of the file."),)


def test_columns_of_the_ledger_tell_which_table_shows_them(tables):
    table = tables["ledger"]
    shown = {row[0]: row[table.heads.index("table")] for row in table.rows}
    assert shown["quality"] == "short, all numbers"
    assert shown["verdict"] == "short"
    assert shown["throughput"] == "all numbers"
    assert shown["memory_bytes"] == ""


def test_settings_page_loads_nothing_and_its_links_lead_somewhere(page):
    read = _Page(page)
    assert read.loads == []
    inside = [link.removeprefix("#") for link in read.links if link.startswith("#")]
    assert "pruning.pruning_ratio" in inside
    assert set(inside) <= read.ids
    assert {link for link in read.links if not link.startswith("#")} == {"index.html"}


def test_settings_page_shows_texts_as_text(page):
    assert "<code>workbench pruning sensitivity</code>" in page
    assert reference._marked("a < b `c`") == "a &lt; b <code>c</code>"


def test_docs_names_the_pip_line_when_pdoc_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(reference, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[docs\]"):
        docs(folder=tmp_path / "docs", open_it=False)
    assert not (tmp_path / "docs").exists()


def test_default_folder_is_in_the_cache_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("WORKBENCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert reference._cache_folder().parent == tmp_path / "workbench"


@pytest.mark.slow
def test_docs_writes_all_pages_which_load_nothing_from_a_host(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pdoc", reason='python -m pip install -e ".[docs]"')
    opened = []
    monkeypatch.setattr(reference.webbrowser, "open", lambda url: opened.append(url) or True)
    assert docs(folder=tmp_path) == 0
    index = tmp_path / "index.html"
    assert opened == [index.as_uri()]
    assert str(index) in capsys.readouterr().out
    modules = reference.PUBLIC
    pages = {p: _Page(p.read_text(encoding="utf-8")) for p in tmp_path.rglob("*.html")}
    assert len(pages) == len(modules) + 2
    for path, read in pages.items():
        assert not [url for url in read.loads if not url.startswith("data:")], path
        for link in filter(None, read.links):
            if link.startswith("http"):  # followed by a click only
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target in pages, f"{path} links to {link}"
            assert not anchor or anchor in pages[target].ids, f"{path} links to {link}"
    assert {"Candidate", "make_task", "run"} <= pages[tmp_path / "workbench.html"].ids
    assert "softmax" in (tmp_path / "search.js").read_text(encoding="utf-8")
    assert write_reference(tmp_path) == index  # over the files of an earlier call


WITHOUT_PYTEST = """
import sys
from pathlib import Path

for name in [name for name in sys.modules if name.split(".")[0] in ("pytest", "_pytest")]:
    del sys.modules[name]
sys.modules["pytest"] = None  # an import of it raises ModuleNotFoundError

from workbench.cli.docs import docs

raise SystemExit(docs(open_it=False, folder=Path(sys.argv[1])))
"""


@pytest.mark.slow
def test_page_of_the_contract_is_left_out_with_the_pip_line_where_pytest_is_missing(tmp_path):
    pytest.importorskip("pdoc", reason='python -m pip install -e ".[docs]"')
    command = [sys.executable, "-c", WITHOUT_PYTEST, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Without the page of workbench\.testing: .*pip install", done.stdout)
    assert not (tmp_path / "workbench" / "testing.html").exists()
    assert (tmp_path / "workbench" / "task.html").exists()
    first = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert re.search(r"workbench\.testing</dt><dd>No page here: .*pip install", first)
    assert set(_Page(first).links) <= {
        "settings.html",
        "workbench.html",
        *(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.html")),
    }


def test_no_module_is_left_out_where_all_libraries_are_installed():
    assert reference.left_out() == {}


def test_templates_of_the_pages_ask_no_host():
    for path in Path(reference.__file__).with_name("templates").iterdir():
        assert not re.findall(r"https?://", path.read_text(encoding="utf-8")), path
