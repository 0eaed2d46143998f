"""Nothing phones home: a whole run, its workers included, asks for no outside host."""

from __future__ import annotations

import subprocess
import sys

from tests.finished_run import watched


def test_a_whole_run_looks_up_no_outside_host(digits_run_folder):
    place = digits_run_folder.parents[1]
    assert "Not recorded in the store" not in (place / "said.txt").read_text(encoding="utf-8"), (
        "the store was used, and asked nobody"
    )
    processes = (place / "guarded.txt").read_text(encoding="utf-8").split()
    assert processes.count("started") >= 3, "command, run and the templates of workers"
    if sys.platform == "linux":
        assert processes.count("forked") >= 4, (
            "each worker and its keeper, for two runtimes or more"
        )
    outside = place / "outside.txt"
    assert not outside.exists(), outside.read_text(encoding="utf-8")


def test_the_guard_itself_sees_a_lookup(tmp_path):
    code = "import socket\ntry: socket.getaddrinfo('example.invalid', 80)\nexcept OSError: pass"
    subprocess.run([sys.executable, "-c", code], env=watched(tmp_path), check=True)
    assert "example.invalid" in (tmp_path / "outside.txt").read_text(encoding="utf-8")
