"""Facts about the machine: cores that this process may use, devices, load, versions."""

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
from workbench.system.cache import fingerprint
from workbench.system.user_folders import cache_folder

__all__ = [
    "Host",
    "device_of",
    "host",
    "lacks_int8_products",
    "machine_file",
    "n_cores",
    "n_threads",
]

LIBRARIES = ("torch", "torch-pruning", "onnx", "onnxruntime", "scikit-learn", "numpy", "skl2onnx")
# Instructions that decide how fast a network runs, by their names in /proc/cpuinfo.
INSTRUCTIONS = (
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


def n_cores() -> int:
    """Cores that this process may use: those of its affinity mask, limited by a cgroup's quota."""
    n_allowed = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        n_allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota == "max":
            return n_allowed
        n_quota = math.ceil(int(quota) / int(period))
    except (OSError, ValueError):
        return n_allowed
    return max(1, min(n_allowed, n_quota))


def n_threads() -> int:
    """The default number of threads: all cores that may be used, at most OMP_NUM_THREADS.

    torch uses that variable too. With different numbers of threads, sums of the same values differ
    in their last bit.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if limit.isdigit() and int(limit) > 0:
        return min(n_cores(), int(limit))
    return n_cores()


@dataclass(frozen=True)
class Host:
    """The machine on which a number was measured; numbers of two hosts are never compared."""

    name: str
    processor: str
    n_cores: int
    instructions: tuple[str, ...]
    memory_bytes: int
    system: str
    python: str
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Processor, cores and instructions in a line: `AMD EPYC, 2 cores, avx2`."""
        cores = f"{self.n_cores} core{'' if self.n_cores == 1 else 's'}"
        return ", ".join(filter(None, (self.processor, cores, " ".join(self.instructions))))

    def to_json(self) -> dict[str, Any]:
        """The facts as plain values."""
        return asdict(self)


def host() -> Host:
    """The facts about this machine, read now."""
    import psutil

    model, flags = _processor()
    return Host(
        name=platform.node(),
        processor=model,
        n_cores=n_cores(),
        instructions=tuple(name for name in INSTRUCTIONS if name in flags),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        versions=_versions(),
    )


def machine_file(kind: str, *, suffix: str = ".jsonl") -> Path:
    """The file in the user's cache for facts of this kind about this machine with its versions."""
    facts = host()
    key = fingerprint(
        facts.processor, facts.n_cores, facts.instructions, facts.python, facts.versions
    )
    return cache_folder() / kind / f"{key}{suffix}"


def lacks_int8_products() -> bool:
    """Whether this is an x86 processor without int8 dot products (VNNI or AMX).

    There, two products of uint8 and int8 are added in 16 bits, which saturates for large weights.
    """
    is_x86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
    has_them = {"avx512_vnni", "avx_vnni", "amx_int8"} & set(host().instructions)
    return is_x86 and not has_them


def busy() -> float:
    """The load of the machine as a share of the cores that this process may use; 0 is idle."""
    try:
        return max(0.0, os.getloadavg()[0] / n_cores())
    except OSError:  # not on Windows
        return 0.0


def device_of(device: str) -> str:
    """The torch device for `auto`, `cpu`, `cuda` or `mps`; `auto` takes the fastest one.

    Raises SettingsError for another name and for a device that the machine does not have.
    """
    import torch

    is_available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, available in is_available.items() if available)
    if device not in is_available:
        raise SettingsError(f"`device` must be auto, cpu, cuda or mps, got {device!r}.")
    if not is_available[device]:
        raise SettingsError(
            f"`device` is {device!r}, but torch {torch.__version__} finds no such device on this "
            "machine; use 'auto' or 'cpu'."
        )
    return device


def _processor() -> tuple[str, set[str]]:
    """Model and instruction flags of the processor; flags are known on Linux only."""
    if sys.platform != "linux":
        return platform.processor() or platform.machine(), set()
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
        elif key.strip().lower() in ("flags", "features"):
            return model, set(value.split())
    return model, set()


def _versions() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
