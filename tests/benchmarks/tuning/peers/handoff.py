"""The files that a peer's script gets and gives back; it imports nothing of the workbench.

    given/   train.npz: an array a column, and `targets`; valid.npz: the columns alone;
             folds.npz: `learn_0`, `held_0`, ... row numbers of train
    made/    probabilities.npy: of the positive class on valid; result.json: trials and seconds

The targets of valid are not among them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

LIBRARIES = ("optuna", "flaml", "scikit-learn", "lightgbm", "xgboost", "numpy", "pandas")


@dataclass(frozen=True)
class Handoff:
    """Both folders of a script, the seconds of its search, and its seed."""

    given: Path
    made: Path
    seconds: float
    seed: int
    options: tuple[str, ...] = ()

    @classmethod
    def from_command_line(cls) -> Handoff:
        parser = argparse.ArgumentParser()
        parser.add_argument("given", type=Path)
        parser.add_argument("made", type=Path)
        parser.add_argument("seconds", type=float)
        parser.add_argument("seed", type=int)
        parser.add_argument("options", nargs="*")
        return cls(**vars(parser.parse_args()))

    def train(self) -> tuple[pd.DataFrame, np.ndarray]:
        """The columns and targets of train, in order of time."""
        columns = self._arrays("train")
        targets = columns.pop("targets")
        return pd.DataFrame(columns), targets

    def valid(self) -> pd.DataFrame:
        """The columns of the rows to predict at the end."""
        return pd.DataFrame(self._arrays("valid"))

    def folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Row numbers of train `(learn, held)` of each fold."""
        rows = self._arrays("folds")
        return [(rows[f"learn_{n}"], rows[f"held_{n}"]) for n in range(len(rows) // 2)]

    def _arrays(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self.given / f"{name}.npz") as file:
            return {key: file[key] for key in file.files}

    def give_back(self, probabilities: np.ndarray, **result: Any) -> None:
        """Write the probabilities on valid `(rows,)` and the facts of the search."""
        np.save(self.made / "probabilities.npy", np.asarray(probabilities, np.float64))
        content = json.dumps({**result, "versions": _versions()}, indent=1, default=str)
        (self.made / "result.json").write_text(content, encoding="utf-8")


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
