"""What a peer's script gets and gives back; this file and the scripts beside it import nothing of
the workbench.

    given/   network/model.onnx (fp32), network/model.safetensors and load_network.py,
             calibration.npz, valid.npz, train.npz
    made/    model files, and result.json: versions, and a line for every recipe (file, seconds,
             settings, or the error)

Each `.npz` holds `image`, float32 `(rows, 1, 28, 28)` as the network takes it, and `targets`, int64
`(rows,)`. The test rows are not among them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 64
LIBRARIES = (
    "nncf",
    "openvino",
    "neural_compressor_pt",
    "olive-ai",
    "optimum-onnx",
    "nvidia-modelopt",
    "torch",
    "torchao",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "numpy",
)


class Handoff:
    """The two folders of a script, and its result so far, which is written after every recipe so
    that a kill loses nothing.
    """

    def __init__(self, given: Path, made: Path) -> None:
        self.given, self.made = given, made
        self._result: dict[str, Any] = {
            "python": sys.version.split()[0],
            "versions": _versions(),
            "made": [],
        }
        made.mkdir(parents=True, exist_ok=True)
        self._write()

    @classmethod
    def from_command_line(cls) -> Handoff:
        parser = argparse.ArgumentParser()
        parser.add_argument("given", type=Path)
        parser.add_argument("made", type=Path)
        return cls(**vars(parser.parse_args()))

    @property
    def onnx(self) -> Path:
        """The fp32 file, a fresh copy at each asking: ModelOpt and others write into the file that
        they are given.
        """
        copied = self.made / "fp32.onnx"
        shutil.copyfile(self.given / "network" / "model.onnx", copied)
        return copied

    def rows(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Images and targets of calibration, valid or train."""
        with np.load(self.given / f"{split}.npz") as file:
            return file["image"], file["targets"]

    def batches(self, split: str, size: int = BATCH) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        images, targets = self.rows(split)
        for start in range(0, len(images), size):
            yield images[start : start + size], targets[start : start + size]

    def network(self) -> Any:
        """The fp32 network as a torch module, from the files that are kept beside it."""
        folder = self.given / "network"
        sys.path.insert(0, str(folder))
        from load_network import load

        return load(folder)

    def recipe(
        self,
        name: str,
        does: str,
        make: Callable[[Path], Any],
        *,
        ending: str = ".onnx",
        **settings: Any,
    ) -> None:
        """Run `make(file)`, which writes the file; a failure becomes a line like any other, and the
        next recipe runs.
        """
        file = self.made / f"{name}{ending}"
        line: dict[str, Any] = {"name": name, "does": does, "settings": settings, "file": None}
        started = time.perf_counter()
        try:
            told = make(file)
            if not file.exists():
                raise FileNotFoundError(f"{file.name} was not written")
            line |= {"file": file.name, "told": told}
        except Exception as error:
            line |= {"error": last_line(error), "trace": traceback.format_exc()}
        line["seconds"] = round(time.perf_counter() - started, 1)
        print(f"{name}: {line.get('error') or 'done'}, {line['seconds']} s", flush=True)
        self._result["made"].append(line)
        self._write()

    def _write(self) -> None:
        (self.made / "result.json").write_text(
            json.dumps(self._result, indent=1, default=str), encoding="utf-8"
        )


def last_line(error: BaseException) -> str:
    """An error in one line: its kind, and the last line of what it says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else 'no message'}"


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
