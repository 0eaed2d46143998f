"""What a user of the package does: list, look up, run. Called by `tests/testing`; prints JSON."""

from __future__ import annotations

import json
import sys

import workbench as wb
from workbench.errors import UnknownName


def main(root: str) -> None:
    """Run the technique on the task and print what a user sees."""
    try:
        wb.get_technique("decimal_roundin")
        refused = ""
    except UnknownName as error:
        refused = str(error)
    trail = wb.run(
        ["decimal_rounding"],
        "example_digits",
        start="linear",
        budget="smoke",
        batch_sizes=[1],
        root=root,
    )
    seen = {
        "names": wb.technique_names(),
        "refused": refused,
        "rows": [
            {"step": r.step, "runtime": r.runtime, "metric": r.metric, "quality": r.quality}
            for r in trail.rows
        ],
        "test": trail.test.metric if trail.test else "",
        "form": trail.candidate().form,
        "model": type(trail.model).__name__,
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
