"""card_of(): the scorecard of a candidate, from its quality, its timing and its counted costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.measure.coverage import Coverage
from workbench.measure.roofline import peak_share
from workbench.measure.scorecard import Scorecard
from workbench.measure.statistics.quality import Quality
from workbench.measure.timing.records import Timing
from workbench.model_form import form_named
from workbench.runtimes import RUNTIMES, runtimes_for
from workbench.system.machine import host
from workbench.task import Candidate

__all__ = ["card_of", "macs_of", "prepare_ms"]

N_PREPARED = 5  # times that one row is prepared; the shortest time counts


def card_of(
    candidate: Candidate,
    inputs: Mapping[str, np.ndarray],
    *,
    quality: tuple[Quality, ...] = (),
    timing: Timing | None = None,
    budget: str = "standard",
    price_per_core_hour: float | None = None,
    prepare_ms: float | None = None,
) -> tuple[Scorecard, Coverage | None]:
    """The scorecard, and the coverage of int8 operators where the engine can report it.

    `inputs` is one prepared row `(1, ...)`, on which multiply-adds are counted. Without `timing`
    the scorecard holds no times.
    """
    form = form_named(candidate.form)
    raw, zipped = form.size(candidate.model)
    macs = macs_of(candidate, inputs)
    runtime = timing.runtime if timing is not None else runtimes_for(candidate)[0]
    reader = RUNTIMES.get(runtime).coverage
    covered = reader(candidate.model) if reader is not None else None
    precision, share = ("", None) if timing is None else peak_share(covered, macs, timing)
    values: dict[str, Any] = (
        {}
        if timing is None
        else {"timing": {runtime: timing}, "runtime": runtime, "threads": timing.threads}
    )
    card = Scorecard(
        name=candidate.name,
        quality=quality,
        size_bytes=raw,
        size_gzip_bytes=zipped,
        parameters=form.n_parameters(candidate.model),
        macs=macs,
        coverage=covered.to_json() if covered is not None else {},
        peak_share=share,
        peak_precision=precision,
        price_per_core_hour=price_per_core_hour,
        host=host().to_json(),
        budget=budget,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        prepare_ms=prepare_ms,
        **values,
    )
    return card, covered


def macs_of(candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> int | None:
    """Multiply-adds for one sample: the candidate's own number, else counted by its form."""
    if candidate.macs is not None:
        return candidate.macs
    try:
        return form_named(candidate.form).macs(candidate.model, inputs)
    except WorkbenchError:
        return None


def prepare_ms(candidate: Candidate, rows: Any) -> float | None:
    """Shortest time to prepare one raw row, in milliseconds; None without a `prepare`."""
    if candidate.prepare is None:
        return None
    row = rows.take(slice(0, 1))
    times = []
    for _ in range(N_PREPARED):
        started = time.perf_counter()
        row.prepared(candidate.prepare)
        times.append(1000 * (time.perf_counter() - started))
    return min(times)
