"""Nothing phones home: a whole run, its workers included, asks for no outside host."""

from __future__ import annotations

import os
import subprocess
import sys

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


def test_a_whole_run_looks_up_no_outside_host(tmp_path):
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    outside, guarded = tmp_path / "outside.txt", tmp_path / "guarded.txt"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(tmp_path / "guard"), os.environ.get("PYTHONPATH", "")])
        ),
        "OUTSIDE_HOSTS": str(outside),
        "GUARDED": str(guarded),
        "WORKBENCH_RUNS": str(tmp_path / "runs"),
    }
    environment = {
        k: v for k, v in environment.items() if not k.endswith("_TELEMETRY")
    }  # the package itself must turn it off
    command = [
        sys.executable,
        "-m",
        "workbench.cli.main",
        "quantization",
        "--task",
        "digits",
        "--start",
        "cnn",
        "--budget",
        "smoke",
    ]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    assert "Not recorded in the store" not in done.stderr, "the store was used, and asked nobody"
    watched = guarded.read_text().split()
    assert watched.count("started") >= 3, "command, run and the templates of workers"
    if sys.platform == "linux":
        assert watched.count("forked") >= 4, "each worker and its keeper, for two runtimes or more"
    assert not outside.exists(), outside.read_text()


def test_the_guard_itself_sees_a_lookup(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "OUTSIDE_HOSTS": str(tmp_path / "o"),
        "GUARDED": str(tmp_path / "g"),
    }
    code = "import socket\ntry: socket.getaddrinfo('example.invalid', 80)\nexcept OSError: pass"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert "example.invalid" in (tmp_path / "o").read_text()
