"""NNCF on a text network: int8 after training of the ONNX file, by its scheme for transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nncf
import numpy as np
import onnx
from handoff import Handoff


def main() -> None:
    work = Handoff.from_command_line()
    with np.load(work.given / "calibration.npz") as file:
        rows = {name: file[name] for name in file.files if name != "targets"}
    n_rows = len(next(iter(rows.values())))
    batches = [{name: array[i : i + 1] for name, array in rows.items()} for i in range(n_rows)]

    def make(file: Path) -> Any:
        onnx.save(
            nncf.quantize(
                onnx.load(work.onnx),
                nncf.Dataset(batches, lambda row: row),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=n_rows,
            ),
            file,
        )

    work.recipe("nncf-text", "nncf.quantize, for transformers", make, subset_size=n_rows)


if __name__ == "__main__":
    main()
