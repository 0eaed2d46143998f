"""Makes the pictures of README.md: file size and latency of a run, step by step.

    python -m tests.pictures runs/20261127-114131-fashion-resnet20

The run is that of a tour. Needs the extra `[docs]` and a Chromium. Writes `tour-light.png` and
`tour-dark.png` into `.github/pictures`, each at most 60 kB.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from workbench.figures import use_theme
from workbench.runs.handle import attach
from workbench.runs.trail import Trail
from workbench.system.files import write_bytes

FOLDER = Path(__file__).parents[1] / ".github" / "pictures"
BACKGROUNDS = {"light": "#ffffff", "dark": "#0d1117"}  # those of GitHub's pages
TITLES = {"size_bytes": "File size after each step", "latency_ms": "Latency of one image"}
WIDTH, HEIGHT, SCALE = 490, 380, 2
N_COLORS = 128
MOST_BYTES = 60_000


def picture(trail: Trail, theme: str) -> bytes:
    """A PNG with the two waterfalls of a run side by side; `theme` is light or dark."""
    from PIL import Image

    use_theme(theme == "dark")
    panels = [_panel(trail, value, BACKGROUNDS[theme]) for value in TITLES]
    whole = Image.new("RGB", (sum(p.width for p in panels), panels[0].height))
    for number, panel in enumerate(panels):
        whole.paste(panel, (number * panels[0].width, 0))
    made = io.BytesIO()
    whole.quantize(N_COLORS).save(made, "PNG", optimize=True)
    return made.getvalue()


def _panel(trail: Trail, value: str, background: str) -> Any:
    from PIL import Image

    figure = trail.plot(value)
    figure.update_layout(
        title={"text": TITLES[value], "yref": "container", "y": 0.96, "yanchor": "top"},
        legend_y=1.07,
        paper_bgcolor=background,
        plot_bgcolor=background,
        margin={"l": 56, "r": 12, "t": 112, "b": 40},
    )
    png = figure.to_image("png", width=WIDTH, height=HEIGHT, scale=SCALE)
    return Image.open(io.BytesIO(png)).convert("RGB")


def main(folder: str) -> None:
    trail = attach(folder).result
    for theme in BACKGROUNDS:
        content = picture(trail, theme)
        path = write_bytes(FOLDER / f"tour-{theme}.png", content)
        print(f"{path.name}: {len(content) / 1000:.0f} kB")
        assert len(content) <= MOST_BYTES, "Use fewer colours."


if __name__ == "__main__":
    main(sys.argv[1])
