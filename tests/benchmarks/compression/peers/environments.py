"""An environment of its own for each peer, made once and used again, in which nothing reports to
its maker.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["PEERS", "TEXT_PEERS", "Peer", "PeerError", "ready", "run_script"]

TORCH = "torch>=2.9,<2.14"  # an open range would fetch CUDA builds
ONNX = ("onnx>=1.19,<2", "onnxruntime>=1.23,<2")
INSTALL_SECONDS, RUN_SECONDS = 2400, 3600
DEFAULT = Path("~/.cache/model-optimization-workbench/peers")

# Who reports what, from the sources of these versions. NNCF and OpenVINO's converter send without
# asking unless CI is "true" (NNCF also heeds NNCF_CI) or the file intel/openvino_telemetry under
# HOME says 0. Olive sends a first message even with OLIVE_DISABLE_TELEMETRY=1, and none at all
# where CI is set. ONNX Runtime reports from 1.29 on. The rest is for the hub.
QUIET = {
    "CI": "true",
    "NNCF_CI": "1",
    "OLIVE_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "PYTHONUTF8": "1",
}


class PeerError(Exception):
    """A peer that could not be installed or run; the message is one line."""


@dataclass(frozen=True)
class Peer:
    """A tool: `package` is the one whose version counts, `script` the file beside this one that
    drives it.
    """

    name: str
    title: str
    package: str
    requirements: tuple[str, ...]
    script: str


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "nncf",
            "NNCF + OpenVINO",
            "nncf",
            ("nncf>=3.4,<4", "openvino>=2026.4,<2027", TORCH, *ONNX, "safetensors"),
            "nncf_peer.py",
        ),
        Peer(
            "inc",
            "Intel Neural Compressor",
            "neural_compressor_pt",
            ("neural-compressor-pt>=3.10,<4", TORCH, *ONNX, "onnxscript>=0.5,<1", "safetensors"),
            "inc_peer.py",
        ),
        # It imports requests without asking for it.
        Peer(
            "olive",
            "Olive",
            "olive-ai",
            (
                "olive-ai>=0.13,<0.14",
                "requests>=2.31",
                TORCH,
                *ONNX,
                "onnxscript>=0.5,<1",
                "safetensors",
            ),
            "olive_peer.py",
        ),
        # Its extra [onnx] pins onnx and brings onnxruntime-gpu, beside which the plain one must not
        # lie. What it imports without asking: huggingface_hub, requests, and torchprofile for
        # FastNAS.
        Peer(
            "modelopt",
            "ModelOpt",
            "nvidia-modelopt",
            (
                "nvidia-modelopt[onnx]>=0.47,<0.48",
                TORCH,
                "huggingface_hub",
                "requests>=2.31",
                "torchprofile",
                "safetensors",
            ),
            "modelopt_peer.py",
        ),
    )
}

# Tools for `text_int8`. Optimum's quantizer for ONNX files is a package of its own.
TEXT_PEERS = {
    **{name: replace(PEERS[name], script=f"text_{name}_peer.py") for name in ("nncf", "olive")},
    "optimum": Peer(
        "optimum",
        "Optimum",
        "optimum-onnx",
        ("optimum-onnx[onnxruntime]>=0.1,<0.2", TORCH, *ONNX),
        "text_optimum_peer.py",
    ),
}


def ready(peer: Peer, root: Path) -> Path:
    """The interpreter of the peer's environment under `root`, made if it is not there; raises
    PeerError.
    """
    folder = root.expanduser() / peer.name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    mark, wanted = folder / "ready.json", json.dumps(sorted(peer.requirements))
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    with log.open("w", encoding="utf-8") as lines:
        if not python.exists():
            _run([sys.executable, "-m", "venv", str(folder)], lines, INSTALL_SECONDS, log)
        _run([str(python), "-m", "pip", "install", *peer.requirements], lines, INSTALL_SECONDS, log)
    mark.write_text(wanted, encoding="utf-8")
    return python


def run_script(peer: Peer, python: Path, given: Path, made: Path) -> None:
    """Run the peer's script, its output in `made`/log.txt; raises PeerError when it ends badly."""
    home = python.parents[1] / "home"
    refusal = home / "intel" / "openvino_telemetry"
    refusal.parent.mkdir(parents=True, exist_ok=True)
    refusal.write_text("0", encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= QUIET | {
        "HOME": str(home),
        "PATH": f"{python.parent}{os.pathsep}{environment.get('PATH', '')}",
    }
    made.mkdir(parents=True, exist_ok=True)
    log = made / "log.txt"
    with log.open("w", encoding="utf-8") as lines:
        script = Path(__file__).with_name(peer.script)
        _run(
            [str(python), str(script), str(given.resolve()), str(made.resolve())],
            lines,
            RUN_SECONDS,
            log,
            environment,
        )


def _run(
    command: list[str],
    lines: object,
    seconds: int,
    log: Path,
    environment: dict[str, str] | None = None,
) -> None:
    try:
        code = subprocess.run(
            command,
            stdout=lines,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            env=environment,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        raise PeerError(f"no end after {seconds} s") from None
    if code:
        said = [
            line.strip()
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.strip()
        ]
        raise PeerError(said[-1] if said else f"ended with code {code}")
