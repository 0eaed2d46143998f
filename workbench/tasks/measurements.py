"""measurements(): inputs of whole numbers that a network multiplies, so that they must be floats.

Tokens are looked up and stay whole numbers. Counts, samples of a signal and pictures of bytes are
multiplied. Only the model knows: it is asked again with floats where it failed with whole numbers.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from workbench.data.dtypes import AsFloat
from workbench.data.rows import AnyRows, DatasetRows, Splits
from workbench.model_form import form_named
from workbench.tasks.probe import Probe

__all__ = ["arranged_with_floats", "measurements", "with_floats"]


def measurements(probe: Probe) -> tuple[str, ...]:
    """Names of the inputs that the model needs as floats; empty where it runs, or never does.

    The smallest set of inputs with which the model answers is taken. Nothing is changed behind a
    `prepare` of the user's own.
    """
    candidate = probe.candidate
    trained_by_loss = form_named(candidate.form).trained_by_loss
    if probe.error is None or candidate.prepare is not None or not trained_by_loss:
        return ()
    whole = [n for n, a in probe.rows.inputs.items() if np.asarray(a).dtype.kind in "biu"]
    for size in range(1, len(whole) + 1):
        for names in combinations(whole, size):
            asked = Probe(probe.task, replace(candidate, prepare=AsFloat(names)))
            if asked.outputs is not None:
                return names
    return ()


def with_floats(data: Splits, names: tuple[str, ...]) -> Splits:
    """The splits with these inputs as float32."""
    return Splits(**{n: _as_float(rows, names) for n, rows in data.named().items()})


def arranged_with_floats(arrange: Any, names: tuple[str, ...]) -> Any:
    """How more rows of the task become rows with these inputs as float32."""
    return partial(_arranged, arrange, names)


def _arranged(arrange: Any, names: tuple[str, ...], rows: AnyRows) -> AnyRows:
    return _as_float(rows if arrange is None else arrange(rows), names)


def _as_float(rows: AnyRows, names: tuple[str, ...]) -> AnyRows:
    if isinstance(rows, DatasetRows):
        return replace(rows, prepare=AsFloat(names, rows.prepare))
    return rows.prepared(AsFloat(names))
