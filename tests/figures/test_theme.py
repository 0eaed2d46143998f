"""The theme: readable on white and on dark pages, chosen in one call, and light to import."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import plotly.io as pio
import pytest

from workbench.errors import UnknownName
from workbench.figures import palette, use_theme
from workbench.figures.theme import INKS, figure


@pytest.fixture(autouse=True)
def _plotly_default():
    before = pio.templates.default
    yield
    pio.templates.default = before


def luminance(color: str) -> float:
    """Relative luminance of `#rrggbb` as WCAG 2.1 defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def colors() -> list[str]:
    values = [getattr(palette, f.name) for f in fields(palette)]
    return [
        c
        for value in values
        for c in ([value] if isinstance(value, str) else value)
        if c.startswith("#")
    ]


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_every_color_keeps_three_to_one_on_light_and_dark_pages(page):
    assert min(contrast(color, page) for color in colors()) >= 3.0


@pytest.mark.parametrize(
    ("name", "page", "least"),
    [
        ("workbench", "#ffffff", 4.1),
        ("workbench", "#111111", 4.1),
        ("workbench_light", "#ffffff", 4.5),
        ("workbench_dark", "#111111", 4.5),
    ],
)
def test_text_is_readable_on_the_pages_of_its_template(name, page, least):
    text, faint, *_ = INKS[name]
    assert min(contrast(text, page), contrast(faint, page)) >= least


@pytest.mark.parametrize(
    ("dark", "name"), [(None, "workbench"), (False, "workbench_light"), (True, "workbench_dark")]
)
def test_use_theme_makes_the_chosen_template_the_default(dark, name):
    assert use_theme(dark) == name == pio.templates.default
    assert set(INKS) <= set(pio.templates)
    background = pio.templates[name].layout
    assert background.paper_bgcolor == background.plot_bgcolor == "rgba(0,0,0,0)"


def test_figure_has_the_chosen_template_or_else_the_one_for_both():
    pio.templates.default = "plotly"
    assert figure().layout.template.layout.font.color == palette.text
    use_theme(True)
    assert figure().layout.template.layout.font.color == INKS["workbench_dark"][0]


def test_verdicts_have_colors_of_their_own_and_unknown_ones_are_refused():
    assert len({palette.of(v) for v in ("better", "worse", "equivalent", "undecided")}) == 4
    with pytest.raises(UnknownName, match="Did you mean `better`"):
        palette.of("beter")


def test_importing_figures_does_not_import_plotly():
    code = (
        "import sys, workbench.figures; sys.exit(any(m.split('.')[0] in ('plotly', 'pandas') for "
        "m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
