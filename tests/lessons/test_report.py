"""The report of a notebook: whole, alone, and alive in a browser that reaches nothing."""

from __future__ import annotations

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from workbench.errors import RunError
from workbench.lessons.report import write_report

CHROMIUM = Path("/usr/bin/chromium")
FIGURE = {
    "data": [{"type": "bar", "name": "</script>", "x": ["start", "int8"], "y": [3.71234, 0.98765]}],
    "layout": {"title": {"text": "What it bought"}},
    "config": {"plotlyServerURL": "https://plot.example"},
}
REMOTE = (
    '<script src="https://cdn.example.org/x.js"></script>'
    '<link rel="stylesheet" href="http://example.org/a.css">'
    '<img src="https://example.org/a.png" alt="a picture">'
    '<style>@import url("https://example.org/f.css");</style><p>kept</p>'
)


def cell(source: str, *data: dict, **metadata) -> nbformat.NotebookNode:
    outputs = [v4.new_output("display_data", data=d) for d in data]
    return v4.new_code_cell(source, execution_count=1, outputs=outputs, metadata=metadata)


@pytest.fixture
def notebook(tmp_path) -> Path:
    cells = [
        v4.new_markdown_cell(
            "# Pruning\n\n[![badge](https://example.org/badge.svg)](https://example.org/run) "
            "Prose leads."
        ),
        cell("seed = 0", tags=["parameters"]),
        cell(
            "figure",
            {
                "application/vnd.plotly.v1+json": FIGURE,
                "image/png": "iVBORw0KGgo=",
                "text/html": REMOTE,
            },
        ),
        cell(
            "table", {"text/html": "<table><tr><td>0.987</td></tr></table>", "text/plain": "plain"}
        ),
        cell(
            "chart",
            {
                "application/vnd.jupyter.widget-view+json": {"model_id": "x"},
                "text/plain": "LiveChart(x)",
            },
        ),
        cell("display(HTML(page))", {"text/html": REMOTE}),
    ]
    cells[-1].outputs.append(v4.new_output("stream", name="stdout", text="verdict: better\n"))
    book = v4.new_notebook(
        cells=cells,
        metadata={"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}}},
    )
    path = tmp_path / "lesson.ipynb"
    nbformat.write(book, path)
    return path


@pytest.fixture
def report(notebook, tmp_path) -> Path:
    return write_report(notebook, tmp_path / "out" / "lesson.html", title="A lesson & more")


class Sources(HTMLParser):
    """Everything that a browser would fetch for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        names = ["src", "srcset", "data", "poster", *(["href"] if tag in ("link", "base") else [])]
        fetched = [values.get(name) for name in names]
        self.found += [value for value in fetched if value and not value.startswith("data:")]


def test_report_holds_the_figure_the_table_and_the_text(report):
    text = report.read_text(encoding="utf-8")
    assert "3.71234" in text
    assert "0.987</td>" in text
    assert "verdict: better" in text
    assert "Plotly.react" in text
    assert "<title>A lesson &amp; more</title>" in text


def test_report_fetches_nothing(report):
    text = report.read_text(encoding="utf-8")
    sources = Sources()
    sources.feed(text)
    assert sources.found == []
    page = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "@import" not in page
    assert not re.search(r"require\.js|mathjax|mermaid|jquery", page, flags=re.IGNORECASE)
    assert "default-src 'none'" in page


def test_report_is_under_eight_megabytes_and_small_without_figures(report, tmp_path):
    assert report.stat().st_size < 8e6
    path = tmp_path / "plain.ipynb"
    nbformat.write(v4.new_notebook(cells=[cell("1 + 1", {"text/plain": "2"})]), path)
    assert write_report(path, tmp_path / "plain.html", title="Plain").stat().st_size < 50_000


def test_code_is_folded_and_widgets_are_left_out(report):
    text = report.read_text(encoding="utf-8")
    assert text.count('<details class="wb-code">') == 5
    assert "<summary>Parameters</summary>" in text
    assert "LiveChart(x)" not in text
    assert "widget-view" not in text


def test_what_came_from_elsewhere_leaves_its_text(report):
    text = report.read_text(encoding="utf-8")
    assert "a picture" in text
    assert "<p>kept</p>" in text
    assert (
        'href="https://example.org/run"' in text
    )  # a link is followed by the reader, not by the page


def test_title_is_the_heading_when_the_notebook_has_none(tmp_path):
    path = tmp_path / "plain.ipynb"
    nbformat.write(v4.new_notebook(cells=[cell("1", {"text/plain": "1"})]), path)
    assert "<h1>Costs &lt; 1</h1>" in write_report(
        path, tmp_path / "plain.html", title="Costs < 1"
    ).read_text(encoding="utf-8")


def test_the_notebook_is_untouched_and_no_half_file_is_left(notebook, tmp_path):
    before = notebook.read_bytes()
    write_report(notebook, tmp_path / "a.html", title="A")
    write_report(notebook, tmp_path / "a.html", title="B")
    assert notebook.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "lesson.ipynb"]
    assert "<title>B</title>" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_a_notebook_that_was_not_run_is_refused(tmp_path):
    path = tmp_path / "fresh.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1 + 1")]), path)
    with pytest.raises(RunError, match=r"No cell of .*was executed"):
        write_report(path, tmp_path / "fresh.html", title="Fresh")
    assert not (tmp_path / "fresh.html").exists()


def test_a_file_that_is_no_notebook_is_refused(tmp_path):
    with pytest.raises(RunError, match="cannot be read"):
        write_report(tmp_path / "missing.ipynb", tmp_path / "x.html", title="X")
    (tmp_path / "bad.ipynb").write_text("no JSON", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read"):
        write_report(tmp_path / "bad.ipynb", tmp_path / "x.html", title="X")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_draws_its_figure_in_a_browser_without_a_network(report, scheme):
    if not CHROMIUM.exists() or importlib.util.find_spec("playwright") is None:
        pytest.skip("needs playwright and a Chromium at /usr/bin/chromium")
    from playwright.sync_api import sync_playwright

    requests: list[str] = []
    errors: list[str] = []
    with sync_playwright() as play:
        flags = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
        ]
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        page = browser.new_context(offline=True, color_scheme=scheme).new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type == "error" else None,
        )
        page.goto(report.as_uri())
        page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=30_000)
        bars = page.locator(".js-plotly-plot .bars .point").count()
        browser.close()
    assert bars == 2
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
