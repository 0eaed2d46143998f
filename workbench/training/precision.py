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

FEW_ROWS = 8  # of the first look at each pair
HOPELESS = 3.0  # times as long as the fastest on few rows: a pair that whole batches cannot save
N_ROUNDS = 3
WORTH_TIMING = 40  # steps of a training below which timing costs more than it can save


def fastest(
    model: nn.Module,
    loss_of: Callable[[nn.Module, slice], torch.Tensor],
    inputs: Mapping[str, torch.Tensor],
    options: Mapping[str, str],
    *,
    n_steps: int,
    loss: str = "",
    check: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """The fastest `precision` and `memory_format`, and `step_ms`, the milliseconds of each pair.

    `loss_of(model, rows)` is the loss of these rows of one batch. `options` holds both names with a
    value or "auto". A training of too few steps takes the first pair and sets `untimed`.

    A pair that is far slower on few rows (`few_rows_ms`), as bf16 without instructions for it, is
    left out. The others are timed in turn, `N_ROUNDS` times. The shortest time of each
    counts, as other work can only make a step slower. The result is kept for networks of this
    shape, with inputs of this shape and a loss of this name, and not measured again
    (`system.choices`). `check` may raise to give up.
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
        return math.isfinite(_step_time_or_inf(model, _few(loss_of), *pair))

    chosen: dict[str, Any] = choose_by_clock(
        "training",
        shape_of(model),
        {name: (str(t.dtype), tuple(t.shape)) for name, t in inputs.items()},
        pairs,
        loss,
        measure=lambda: _measured(model, loss_of, pairs, check),
        holds=runs,
        check=check,
    )
    return chosen


def _measured(
    model: nn.Module,
    loss_of: Callable[[nn.Module, slice], torch.Tensor],
    pairs: Sequence[tuple[str, str]],
    check: Callable[[], None],
) -> dict[str, Any]:
    """The pair whose step was fastest, and the milliseconds of each that was timed."""
    few = _in_turn(model, _few(loss_of), pairs, 2, check)  # first calls make what later ones use
    near = [pair for pair in pairs if few[pair] <= HOPELESS * min(few.values())]
    times = _in_turn(model, _whole(loss_of), near, N_ROUNDS, check)
    precision, memory_format = min(times, key=times.__getitem__)
    if math.isinf(times[precision, memory_format]):
        _step_time(model, _whole(loss_of), *pairs[0])  # no pair runs: raise the error of the first
    return {
        "precision": precision,
        "memory_format": memory_format,
        "step_ms": _milliseconds(times),
        "few_rows_ms": _milliseconds(few),
    }


def _in_turn(
    model: nn.Module,
    loss_of: Callable[[nn.Module], torch.Tensor],
    pairs: Sequence[tuple[str, str]],
    n_rounds: int,
    check: Callable[[], None],
) -> dict[tuple[str, str], float]:
    """The shortest seconds of a step of each pair, in rounds; infinity for one that cannot run."""
    times = dict.fromkeys(pairs, math.inf)
    for _ in range(n_rounds):
        for pair in pairs:
            check()
            times[pair] = min(times[pair], _step_time_or_inf(model, loss_of, *pair))
    return times


def _milliseconds(times: Mapping[tuple[str, str], float]) -> dict[str, float]:
    return {f"{p} {f}": round(1000 * t, 2) for (p, f), t in times.items() if math.isfinite(t)}


def _few(
    loss_of: Callable[[nn.Module, slice], torch.Tensor],
) -> Callable[[nn.Module], torch.Tensor]:
    return lambda model: loss_of(model, slice(FEW_ROWS))


def _whole(
    loss_of: Callable[[nn.Module, slice], torch.Tensor],
) -> Callable[[nn.Module], torch.Tensor]:
    return lambda model: loss_of(model, slice(None))


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
