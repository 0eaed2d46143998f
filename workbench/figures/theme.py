"""Theme of the figures: a palette and three Plotly templates, for light pages, dark pages and both.

Plotly does not follow JupyterLab's theme, and a saved notebook is read in light and dark pages. The
default template, `workbench`, therefore has no background, and its grey text has a contrast of
4.3 : 1 on white and on JupyterLab's dark #111, the highest possible on both. Every colour of the
palette has a contrast of at least 3 : 1 on both, the limit of WCAG 2.1 for graphics. Its colours
differ by a CIE76 distance of at least 17 under simulated protanopia, deuteranopia and tritanopia
(Machado, Oliveira, Fernandes 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import UnknownName, unknown

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from plotly.graph_objects.layout import Template

__all__ = ["FONT", "INKS", "MONO", "Palette", "figure", "palette", "use_theme"]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace"


@dataclass(frozen=True)
class Palette:
    """Colours as `#rrggbb`, all readable on white and on #111."""

    better: str = "#1f9e7a"
    worse: str = "#de6a1c"
    equivalent: str = "#6c7482"
    undecided: str = "#9a4fe0"
    total: str = "#3f6ea6"
    text: str = "#777c85"
    grid: str = "rgba(128, 132, 140, 0.28)"
    series: tuple[str, ...] = ("#2468e0", "#a8582a", "#2f9f78", "#b8258e", "#b38d12", "#9b7ee4")

    def of(self, verdict: str) -> str:
        """The colour of a verdict: better, worse, equivalent or undecided.

        Raises UnknownName for another word.
        """
        names = ("better", "worse", "equivalent", "undecided")
        if verdict not in names:
            raise UnknownName(unknown("verdict", verdict, names))
        return str(getattr(self, verdict))


palette = Palette()

# name of the template: (text, axis text, grid, background of the hover box)
INKS = {
    "workbench": (palette.text, palette.text, palette.grid, "#23272e"),
    "workbench_light": ("#2b3038", "#5c636e", "#e3e6ea", "#ffffff"),
    "workbench_dark": ("#e4e7eb", "#a3a9b3", "#3a3f47", "#24282e"),
}


def use_theme(dark: bool | None = None) -> str:
    """Register the templates with Plotly, make one of them the default and return its name.

    `dark` is True for dark pages (`workbench_dark`), False for light ones (`workbench_light`), None
    for both (`workbench`).
    """
    import plotly.io as pio

    for name in INKS:
        pio.templates[name] = _template(name)
    pio.templates.default = {None: "workbench", False: "workbench_light", True: "workbench_dark"}[
        dark
    ]
    return str(pio.templates.default)


def figure() -> Figure:
    """An empty figure with the template chosen by `use_theme`, or with `workbench` if none is."""
    import plotly.graph_objects as go
    import plotly.io as pio

    chosen = pio.templates.default if pio.templates.default in INKS else "workbench"
    # the template and not its name, which another process may not have registered
    return go.Figure(layout={"template": _template(str(chosen))})


def _template(name: str) -> Template:
    import plotly.graph_objects as go

    text, faint, grid, hover_background = INKS[name]
    hover_text = "#f3f4f6" if name != "workbench_light" else text
    axis = {
        "gridcolor": grid,
        "linecolor": grid,
        "zerolinecolor": grid,
        "zerolinewidth": 1,
        "tickcolor": grid,
        "tickfont": {"color": faint, "size": 12},
        "title": {"font": {"color": faint, "size": 13}, "standoff": 10},
        "automargin": True,
        "ticks": "",
        "showline": False,
    }
    layout = go.Layout(
        font={"family": FONT, "size": 13, "color": text},
        title={
            "font": {"size": 16, "color": text, "weight": 600},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "pad": {"l": 12},
            "subtitle": {"font": {"size": 12, "color": faint}},
        },
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=list(palette.series),
        colorscale={"sequential": "Cividis", "diverging": "PuOr"},
        xaxis={**axis, "showgrid": False, "showline": True},
        yaxis=axis,
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "bgcolor": "rgba(0,0,0,0)",
            "font": {"size": 12, "color": text},
        },
        hoverlabel={
            "bgcolor": hover_background,
            "bordercolor": grid,
            "font": {"family": FONT, "size": 12, "color": hover_text},
        },
        annotationdefaults={"font": {"size": 12, "color": text}, "showarrow": False},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": palette.text, "activecolor": palette.total},
        margin={"l": 64, "r": 24, "t": 64, "b": 56},
        barcornerradius=3,
        bargap=0.28,
    )
    lines = go.Scatter(line={"width": 2}, marker={"size": 8})
    return go.layout.Template(layout=layout, data={"scatter": [lines]})
