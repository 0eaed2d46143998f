"""How fit() compares with hand-written loops: `python -m tests.benchmarks.training`.

Loops take turns, `ROUNDS` times; the best round of each counts, as disturbance only ever adds.
resnet20 on fashion, batches of 128, AdamW, without augmentation, steps 10 to 100; all read rows
that are already in memory and prepared.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

import torch
from torch.nn import functional as F

from workbench.data.tensors import TensorRows
from workbench.models.resnet import resnet20
from workbench.task import Task
from workbench.tasks import load_task
from workbench.training import FitSettings, fit

ROUNDS, FIRST, LAST, BATCH = 4, 10, 100, 128


def by_hand(task: Task, *, channels_last: bool, bf16: bool) -> float:
    """Samples a second of the loop that one writes by hand."""
    inputs = TensorRows(task.data.train, task.prepare, "cpu")._inputs["image"]
    targets = torch.from_numpy(task.data.train.targets)
    model = resnet20().train()
    if channels_last:
        model, inputs = (
            model.to(memory_format=torch.channels_last),
            inputs.to(memory_format=torch.channels_last),
        )
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.002)
    order = torch.randperm(len(inputs))
    for step in range(LAST):
        if step == FIRST:
            began = time.perf_counter()
        chosen = order[step * BATCH : (step + 1) * BATCH]
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs = model(inputs[chosen])
        loss = F.cross_entropy(outputs.float(), targets[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return (LAST - FIRST) * BATCH / (time.perf_counter() - began)


def by_fit(task: Task, *, channels_last: bool, bf16: bool) -> float:
    """Samples a second of fit(), between the same steps."""
    moments: dict[int, float] = {}
    settings = FitSettings(
        epochs=1,
        max_steps=LAST,
        batch_size=BATCH,
        precision="bf16" if bf16 else "fp32",
        memory_format="channels_last" if channels_last else "contiguous",
    )
    fit(
        resnet20(),
        task,
        settings,
        step_hook=lambda _, step: moments.__setitem__(step, time.perf_counter()),
    )
    return (LAST - FIRST) * BATCH / (moments[LAST] - moments[FIRST])


def loops() -> Iterator[tuple[str, Callable[[Task], float]]]:
    yield "by hand, plain", lambda t: by_hand(t, channels_last=False, bf16=False)
    yield "by hand, channels_last", lambda t: by_hand(t, channels_last=True, bf16=False)
    yield "by hand, channels_last + bf16", lambda t: by_hand(t, channels_last=True, bf16=True)
    yield "fit(), plain", lambda t: by_fit(t, channels_last=False, bf16=False)
    yield "fit(), channels_last + bf16", lambda t: by_fit(t, channels_last=True, bf16=True)


def main() -> None:
    task = load_task("fashion").without_test()
    small = dataclasses.replace(task.data.valid.take(slice(0, 256)))
    task = dataclasses.replace(task, augment=None, data=dataclasses.replace(task.data, valid=small))
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, loop in loops():
            found.setdefault(name, []).append(loop(task))
    best = {name: max(rates) for name, rates in found.items()}
    top = max(rate for name, rate in best.items() if name.startswith("by hand"))
    print(f"| loop | samples/s, best of {ROUNDS} | of the best by hand |\n|---|---|---|")
    for name, rate in best.items():
        print(f"| {name} | {rate:,.0f} | {rate / top:.2f} |")


if __name__ == "__main__":
    main()
