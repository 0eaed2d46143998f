"""One whole run, started by a command and watched for look-ups of hosts, that many tests look at.

`make(place)` writes into a folder:

    runs/20261122-101500-digits-cnn/    the run: pruning and quantization of a cnn on digits
    home/                               its user's folder, empty before: nothing was chosen earlier
    guarded.txt, outside.txt            each process that was watched, each outside host it asked
    said.txt                            what the command that followed the run told on stderr
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from workbench.recipe import Recipe

__all__ = ["GUARD", "make", "watched"]

GUARD = """
import os, socket
LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "", None)
def note(what, host):
    host = host.decode() if isinstance(host, bytes) else host
    if host not in LOCAL:
        with open(os.environ["OUTSIDE_HOSTS"], "a") as file:
            file.write(f"{what} {host}\\n")
        raise OSError(f"outside host {host}")
def guarded(name):
    plain = getattr(socket, name)
    def wrapper(host, *rest, **options):
        note(name, host)
        return plain(host, *rest, **options)
    setattr(socket, name, wrapper)
for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
    guarded(name)
plain_connect = socket.socket.connect
def connect(self, address):
    if isinstance(address, tuple):
        note("connect", address[0])
    return plain_connect(self, address)
socket.socket.connect = connect
def tell(how):
    with open(os.environ["GUARDED"], "a") as file:
        file.write(how + "\\n")
tell("started")
os.register_at_fork(after_in_child=lambda: tell("forked"))
"""
STEPS = [{"pruning": {"fit": {"epochs": 40, "max_steps": 300}}}, "quantization"]
OPTIONS = {"start": "cnn", "budget": "smoke", "threads": 1, "price_per_core_hour": 0.1}


def watched(folder: Path) -> dict[str, str]:
    """The environment of a Python process that notes its look-ups, and refuses outside hosts."""
    (folder / "guard").mkdir(exist_ok=True)
    (folder / "guard" / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    paths = [str(folder / "guard"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OUTSIDE_HOSTS": str(folder / "outside.txt"),
        "GUARDED": str(folder / "guarded.txt"),
    }


def make(place: Path) -> Path:
    """Start the run by a command that ends at once, follow it by another, and return its folder."""
    recipe, root = place / "recipe.yml", place / "runs"
    recipe.write_text(Recipe.make("digits", STEPS, **OPTIONS).to_yaml(), encoding="utf-8")
    environment = {
        name: value
        for name, value in watched(place).items()
        # The package itself must turn telemetry off.
        if not name.endswith("_TELEMETRY") and name != "WORKBENCH_CHOICES"
    } | {"WORKBENCH_HOME": str(place / "home")}
    _command(place, environment, "run", str(recipe), "--detach", "--root", str(root))
    (folder,) = root.glob("*-digits-cnn")
    followed = _command(place, environment, "run", "--resume", folder.name, "--root", str(root))
    (place / "said.txt").write_text(followed.stderr, encoding="utf-8")
    return folder


def _command(
    place: Path, environment: dict[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    """A finished `workbench` command."""
    done = subprocess.run(
        [sys.executable, "-m", "workbench.cli.main", *words],
        env=environment,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    return done
