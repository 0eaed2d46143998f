"""Checks of the machine: room for runs, memory and processor."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.cli.checks import Check
from workbench.system.wording import GIB, gib_text, percent

__all__ = ["MACHINE"]

INT8 = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
BF16 = ("avx512_bf16", "amx_bf16", "bf16")


def _disk() -> Check:
    from workbench.runs.folders import runs_root
    from workbench.system.mounts import network_mount

    root = runs_root()
    there = next(p for p in (root, *root.parents) if p.exists())
    return _disk_check(
        root, shutil.disk_usage(there).free, network_mount(root), writable=os.access(there, os.W_OK)
    )


def _disk_check(root: Path, free: int, network: str, *, writable: bool) -> Check:
    place = f"on a network file system ({network})" if network else "on a local disk"
    text = f"{root}: {gib_text(free)} free, {place}"
    elsewhere = "Set WORKBENCH_RUNS to a folder on a local disk"
    if not writable:
        return Check(
            "runs folder",
            "problem",
            f"{root} cannot be written",
            f"{elsewhere} that you may write.",
        )
    if free < GIB:
        return Check(
            "runs folder", "problem", text, f"{elsewhere} with some GiB free, or delete old runs."
        )
    if network:
        way = (
            f"Runs work, but SQLite cannot list them there. {elsewhere}, or track on a server: "
            "--store http://..."
        )
        return Check("runs folder", "note", text, way)
    return Check("runs folder", "ok" if free > 5 * GIB else "note", text)


def _memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available
    # A container may have less memory than its machine.
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        used = Path("/sys/fs/cgroup/memory.current")
        free = min(free, int(text) - (int(used.read_text()) if used.exists() else 0))
    return _memory_check(free, psutil.virtual_memory().total)


def _memory_check(free: int, total: int) -> Check:
    text = f"{gib_text(free)} of {gib_text(total)} free"
    way = "Close other kernels and programs; the notebooks want 2 GiB free."
    return (
        Check("memory", "ok", text)
        if free >= 2 * GIB
        else Check("memory", "problem" if free < GIB else "note", text, way)
    )


def _processor() -> Check:
    from workbench.system.machine import busy, host

    here = host()
    return _processor_check(here.processor, here.n_cores, here.instructions, busy())


def _processor_check(name: str, n_cores: int, instructions: Sequence[str], load: float) -> Check:
    int8, bf16 = ([i for i in kind if i in instructions] for kind in (INT8, BF16))
    text = (
        f"{name}, {n_cores} cores, int8: {' '.join(int8) or 'none'}, bf16: "
        f"{' '.join(bf16) or 'none'}"
    )
    ways = []
    if not int8:
        ways.append(
            "This processor has no int8 dot product: a quantized model gets smaller here, "
            "and faster by little."
        )
    if load > 0.5:
        ways.append(
            f"Other work takes {percent(load, 0)} of the cores: timings will be noisy; end it "
            "before measuring."
        )
    return Check("processor", "note" if ways else "ok", text, " ".join(ways))


MACHINE: dict[str, Callable[[], Check]] = {
    "runs folder": _disk,
    "memory": _memory,
    "processor": _processor,
}
