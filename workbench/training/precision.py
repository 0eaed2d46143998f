"""The fastest precision and memory format for training on this machine, by timing steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from workbench.models.networks import copied, shape_of
from workbench.system.choices import choose_by_clock

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["fastest"]

N_ROUNDS = 3
WORTH_TIMING = 40  # steps of a training below which timing costs more than it can save


def fastest(
    model: nn.Module,
    loss_of: Callable[[nn.Module], torch.Tensor],
    inputs: Mapping[str, torch.Tensor],
    options: Mapping[str, str],
    *,
    n_steps: int,
    loss: str = "",
    check: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """The fastest `precision` and `memory_format`, and `step_ms`, the milliseconds of each pair.

    `options` holds both names with a value or "auto". A training of too few steps takes the first
    pair and sets `untimed`. The pairs are timed in turn, `N_ROUNDS` times. The shortest time of
    each counts, as other work can only make a step slower. The result is kept for networks of this
    shape, with inputs of this shape and a loss of this name, and not measured again
    (`system.choices`). `check` may raise to give up waiting.
    """
    images = any(t.ndim == 4 for t in inputs.values())
    formats = [options["memory_format"]]
    if formats == ["auto"]:
        formats = ["contiguous", "channels_last"] if images else ["contiguous"]
    precisions = [options["precision"]]
    if precisions == ["auto"]:
        precisions = ["fp32", "bf16"]
    pairs = [(p, f) for p in precisions for f in formats]
    if len(pairs) == 1:
        return {"precision": precisions[0], "memory_format": formats[0]}
    if n_steps < WORTH_TIMING:
        return {"precision": precisions[0], "memory_format": formats[0], "untimed": True}

    def runs(chosen: Mapping[str, Any]) -> bool:
        """Whether a choice runs here: the kept one may be of another loss or forward pass."""
        pair = chosen["precision"], chosen["memory_format"]
        return math.isfinite(_step_time_or_inf(model, loss_of, *pair))

    chosen: dict[str, Any] = choose_by_clock(
        "training",
        shape_of(model),
        {name: (str(t.dtype), tuple(t.shape)) for name, t in inputs.items()},
        pairs,
        loss,
        measure=lambda: _measured(model, loss_of, pairs),
        holds=runs,
        check=check,
    )
    return chosen


def _measured(
    model: nn.Module,
    loss_of: Callable[[nn.Module], torch.Tensor],
    pairs: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """The pair whose step was fastest, and the milliseconds of each that runs."""
    times = dict.fromkeys(pairs, math.inf)
    for _ in range(N_ROUNDS):
        for pair in pairs:
            times[pair] = min(times[pair], _step_time_or_inf(model, loss_of, *pair))
    precision, memory_format = min(times, key=times.__getitem__)
    if math.isinf(times[precision, memory_format]):
        _step_time(model, loss_of, *pairs[0])  # no pair runs: raise the error of the first
    measured = {f"{p} {f}": round(1000 * t, 2) for (p, f), t in times.items() if math.isfinite(t)}
    return {"precision": precision, "memory_format": memory_format, "step_ms": measured}


def _step_time_or_inf(
    model: nn.Module,
    loss_of: Callable[[nn.Module], torch.Tensor],
    precision: str,
    memory_format: str,
) -> float:
    """Seconds of a step; infinity if the model cannot run with these choices.

    Examples are a `view` that needs contiguous rows, and an operator without bf16.
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

    trained = copied(model).train()
    if memory_format == "channels_last":
        trained = trained.to(memory_format=torch.channels_last)
    device = next(trained.parameters()).device
    context = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
    state = torch.get_rng_state()
    started = time.perf_counter()
    with context:
        loss = loss_of(trained)
    loss.backward()
    if device.type == "cuda":
        torch.cuda.synchronize()
    torch.set_rng_state(state)
    return time.perf_counter() - started
