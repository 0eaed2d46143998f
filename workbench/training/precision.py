"""Which precision and memory format train fastest on this machine, found by timing a few steps of
each.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["fastest"]

N_ROUNDS = 3
WORTH_TIMING = 40  # steps below which a probe costs more than it can win


def fastest(
    model: nn.Module,
    loss_of: Callable[[nn.Module], torch.Tensor],
    inputs: Mapping[str, torch.Tensor],
    wanted: Mapping[str, str],
    *,
    n_steps: int,
) -> dict[str, Any]:
    """Choices for `wanted` ({"precision", "memory_format"}, each a value or "auto"), with the
    milliseconds a step of each.

    A training too short to be worth it takes the first of each, and says `untimed`. Candidates run
    in turn, `N_ROUNDS` times; the best time of each counts, as disturbance only ever adds.
    """
    images = any(t.ndim == 4 for t in inputs.values())
    formats = (
        [wanted["memory_format"]]
        if wanted["memory_format"] != "auto"
        else ["contiguous"] + ["channels_last"] * images
    )
    precisions = [wanted["precision"]] if wanted["precision"] != "auto" else ["fp32", "bf16"]
    options = [(p, f) for p in precisions for f in formats]
    if len(options) == 1:
        return {"precision": precisions[0], "memory_format": formats[0]}
    if n_steps < WORTH_TIMING:
        return {"precision": precisions[0], "memory_format": formats[0], "untimed": True}
    times = {option: float("inf") for option in options}
    for _ in range(N_ROUNDS):
        for option in options:
            times[option] = min(times[option], _or_never(model, loss_of, *option))
    precision, memory_format = min(times, key=times.__getitem__)
    if math.isinf(times[precision, memory_format]):
        _step_time(model, loss_of, *options[0])  # none runs: let the plain one say why
    measured = {f"{p} {f}": round(1000 * t, 2) for (p, f), t in times.items() if math.isfinite(t)}
    return {"precision": precision, "memory_format": memory_format, "step_ms": measured}


def _or_never(
    model: nn.Module,
    loss_of: Callable[[nn.Module], torch.Tensor],
    precision: str,
    memory_format: str,
) -> float:
    """Seconds of a step, or infinity where the model cannot run so: a `view` that needs contiguous
    rows, no bf16 form.
    """
    import torch

    state = torch.get_rng_state()
    try:
        return _step_time(model, loss_of, precision, memory_format)
    except RuntimeError:
        torch.set_rng_state(state)
        return math.inf


def _step_time(
    model: nn.Module,
    loss_of: Callable[[nn.Module], torch.Tensor],
    precision: str,
    memory_format: str,
) -> float:
    """Seconds of one forward and backward pass on a copy of the model."""
    import torch

    copied = copy.deepcopy(model).train()
    if memory_format == "channels_last":
        copied = copied.to(memory_format=torch.channels_last)
    device = next(copied.parameters()).device
    context = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
    state = torch.get_rng_state()
    started = time.perf_counter()
    with context:
        loss = loss_of(copied)
    loss.backward()
    if device.type == "cuda":
        torch.cuda.synchronize()
    torch.set_rng_state(state)
    return time.perf_counter() - started
