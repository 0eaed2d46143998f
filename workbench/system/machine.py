"""Facts of the machine: cores that this process may use, devices, load, versions."""

from __future__ import annotations

import math
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from workbench.errors import SettingsError

__all__ = ["Host", "device_of", "host", "n_cores", "n_threads"]

LIBRARIES = ("torch", "torch-pruning", "onnx", "onnxruntime", "scikit-learn", "numpy", "skl2onnx")


def n_cores() -> int:
    """Cores that this process may use: the affinity mask, cut by a cgroup's quota."""
    mask = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return mask if quota == "max" else max(1, min(mask, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return mask


def n_threads() -> int:
    """Threads to compute with where nobody says how many: all cores that may be used, or as many as
    OMP_NUM_THREADS allows.

    torch obeys that variable too: with another count in one place, sums of the same numbers differ
    in their last bit.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return min(n_cores(), int(wanted)) if wanted.isdigit() and int(wanted) else n_cores()


@dataclass(frozen=True)
class Host:
    """Where and with what a number was measured; numbers of two hosts are never compared."""

    name: str
    processor: str
    n_cores: int
    instructions: tuple[str, ...]
    memory_bytes: int
    system: str
    python: str
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def host() -> Host:
    """The facts of this machine, now."""
    import psutil

    model, flags = _processor()
    wanted = (
        "avx2",
        "avx512f",
        "avx512_vnni",
        "avx_vnni",
        "avx512_bf16",
        "amx_int8",
        "amx_bf16",
        "asimddp",
        "i8mm",
        "bf16",
    )
    return Host(
        name=platform.node(),
        processor=model,
        n_cores=n_cores(),
        instructions=tuple(f for f in wanted if f in flags),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        versions=_versions(),
    )


def busy() -> float:
    """Processor load of others, as a share of the cores that this process may use (0 is idle)."""
    try:
        return max(0.0, os.getloadavg()[0] / n_cores())
    except OSError:  # not on Windows
        return 0.0


def device_of(wanted: str) -> str:
    """The torch device for `auto`, `cpu`, `cuda` or `mps`; raises SettingsError when the machine
    does not have it.
    """
    import torch

    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(d for d in ("cuda", "mps", "cpu") if has[d])
    if wanted not in has:
        raise SettingsError(f"`device` must be auto, cpu, cuda or mps, got {wanted!r}.")
    if not has[wanted]:
        raise SettingsError(
            f"`device` is {wanted!r}, but torch {torch.__version__} finds none here; use 'auto' or "
            "'cpu'."
        )
    return wanted


def _processor() -> tuple[str, set[str]]:
    if sys.platform == "linux":
        model, flags = platform.machine(), set()
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip().lower() in ("flags", "features"):
                return model, set(value.split())
        return model, flags
    return platform.processor() or platform.machine(), set()


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
