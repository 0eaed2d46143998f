import getpass
import json
import platform
import re
import sys
from pathlib import Path

import pytest

import workbench.cli.checks as software
import workbench.cli.doctor as front
import workbench.cli.machine_checks as machine
from workbench.cli.checks import Check
from workbench.cli.doctor import CHECKS, checks, doctor, summary
from workbench.system.wording import GIB


def test_checks_cover_the_machine_and_each_way_out_belongs_to_something_to_do():
    found = {c.name: c for c in checks()}
    assert {
        "Python",
        "PyTorch",
        "ONNX Runtime",
        "Jupyter kernel",
        "widgets",
        "runs folder",
        "memory",
        "processor",
    } <= found.keys()
    assert found["Python"].status == "ok"
    assert all(c.way_out or c.status != "problem" for c in found.values())
    assert not any(c.way_out for c in found.values() if c.status == "ok")


def test_summary_is_one_line_without_user_host_or_paths():
    line = summary(
        [
            Check("memory", "problem", "0.1 GiB free", "Close something."),
            Check("browser", "note", "none"),
        ]
    )
    assert "\n" not in line
    assert f"Python {platform.python_version()}" in line
    assert "problems: memory | notes: browser" in line
    words = line.replace("|", " ").split()
    assert getpass.getuser() not in words
    assert platform.node() not in words
    assert str(Path.home()) not in line
    assert sys.prefix not in line


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("note", 0), ("problem", 1)])
def test_doctor_fails_only_for_problems_and_prints_the_way_out(monkeypatch, capsys, status, code):
    monkeypatch.setattr(
        front, "checks", lambda: [Check("memory", status, "some", "Close something.")]
    )
    assert doctor() == code
    out = capsys.readouterr().out
    assert f"{status:<8} memory  some\n" in out
    assert "-> Close something." in out
    assert out.splitlines()[-1].startswith("workbench ")


def test_doctor_prints_json_and_nothing_else(monkeypatch, capsys):
    found = [Check("memory", "problem", "some", "Close something.")]
    monkeypatch.setattr(front, "checks", lambda: found)
    assert doctor(as_json=True) == 1
    shown = json.loads(capsys.readouterr().out)
    assert [Check(**c) for c in shown["checks"]] == found
    now, then = (
        re.sub(r"[\d.]+ GiB free", "", text) for text in (summary(found), shown["summary"])
    )
    assert now == then, "apart from the memory that is free at each moment"


def test_check_that_breaks_is_a_problem_and_the_others_go_on(monkeypatch):
    def broken():
        raise OSError("libtorch is missing\nand more")

    monkeypatch.setitem(CHECKS, "PyTorch", broken)
    found = {c.name: c for c in checks()}
    assert found["PyTorch"] == Check(
        "PyTorch", "problem", "OSError: libtorch is missing", found["PyTorch"].way_out
    )
    assert found["Python"].status == "ok"


def test_kernel_is_found_by_its_environment_and_missed_in_another(tmp_path):
    here = str(tmp_path / "env" / "bin" / "python")
    assert software._kernel_check({"python3": "python"}, here).status == "ok"
    assert (
        software._kernel_check({"mine": str(tmp_path / "env" / "bin" / "python3.11")}, here).text
        == "mine"
    )
    other = software._kernel_check({"conda": str(tmp_path / "conda" / "bin" / "python")}, here)
    assert other.status == "problem"
    assert "ipykernel install" in other.way_out
    assert software._kernel_check({}, here).text == "none found"


def test_widgets_name_what_jupyterlab_does_not_see(tmp_path):
    versions = {"jupyterlab": "4.6", "ipywidgets": "8.1", "anywidget": "0.9"}
    for folder in ("@jupyter-widgets/jupyterlab-manager", "anywidget"):
        assert software._widgets_check(versions, [tmp_path]).status == "problem"
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "package.json").write_text("{}")
    assert software._widgets_check(versions, [tmp_path]).status == "ok"
    lacking = software._widgets_check({**versions, "anywidget": ""}, [tmp_path])
    assert "does not see anywidget" in lacking.text


@pytest.mark.parametrize(
    ("free", "network", "writable", "status"),
    [
        (50, "", True, "ok"),
        (3, "", True, "note"),
        (0.5, "", True, "problem"),
        (50, "nfs4", True, "note"),
        (50, "", False, "problem"),
    ],
)
def test_disk_is_judged_by_space_kind_and_permission(tmp_path, free, network, writable, status):
    found = machine._disk_check(tmp_path, int(free * GIB), network, writable=writable)
    assert found.status == status
    assert (network in found.text) if network else ("local" in found.text or not writable)


def test_memory_and_processor_say_what_to_do_when_short():
    assert machine._memory_check(4 * GIB, 8 * GIB).status == "ok"
    assert machine._memory_check(GIB * 3 // 2, 8 * GIB).status == "note"
    assert machine._memory_check(GIB // 2, 8 * GIB).status == "problem"
    assert machine._processor_check("P", 2, ("avx2", "avx512_vnni"), 0.0).status == "ok"
    assert "faster by little" in machine._processor_check("P", 2, ("avx2",), 0.0).way_out
    assert "noisy" in machine._processor_check("P", 2, ("avx512_vnni",), 0.9).way_out
