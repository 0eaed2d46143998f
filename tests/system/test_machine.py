"""Facts about the machine: plain values, cores that may be used, and devices that it has."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from workbench.errors import SettingsError
from workbench.system import machine
from workbench.system.machine import Host, busy, device_of, host, n_cores, n_threads


def test_cores_are_at_least_one_and_no_more_than_there_are():
    assert 1 <= n_cores() <= os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity mask here")
@pytest.mark.parametrize(
    ("quota", "n"),
    [
        ("max 100000", 8),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("9900000 100000", 8),
        ("garbage", 8),
    ],
)
def test_cores_are_cut_by_the_quota_of_a_cgroup(monkeypatch, quota, n):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(Path, "read_text", lambda self, *_, **__: quota)
    assert n_cores() == n


@pytest.mark.parametrize(
    ("variable", "n"), [("1", 1), ("3,2", 3), ("64", None), ("0", None), ("", None), ("many", None)]
)
def test_threads_are_as_many_as_the_variable_allows(monkeypatch, variable, n):
    monkeypatch.setattr(machine, "n_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert n_threads() == (n or 8)


def test_host_survives_json_with_plain_types():
    here = host()
    data = json.loads(json.dumps(here.to_json()))  # no default=: every value is plain already
    again = Host(**{**data, "instructions": tuple(data["instructions"])})
    assert again == here
    assert {k: type(v) for k, v in data.items()} == {
        "name": str,
        "processor": str,
        "n_cores": int,
        "instructions": list,
        "memory_bytes": int,
        "system": str,
        "python": str,
        "versions": dict,
    }


def test_host_names_the_libraries_that_numbers_depend_on():
    here = host()
    assert here.versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"onnxruntime", "numpy", "scikit-learn"} <= set(here.versions) <= set(machine.LIBRARIES)
    assert here.memory_bytes > 250_000_000
    assert here.processor


def test_library_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(machine, "LIBRARIES", ("torch", "no-such-library-here"))
    assert set(host().versions) == {"torch"}


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="no load average here")
def test_busy_is_a_share_of_the_cores_and_0_on_systems_without_a_load_average(monkeypatch):
    assert busy() >= 0
    monkeypatch.setattr(machine, "n_cores", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (2.0, 9.0, 9.0))
    assert busy() == 0.5

    def unknown():
        raise OSError

    monkeypatch.setattr(os, "getloadavg", unknown)
    assert busy() == 0.0


@pytest.fixture
def devices(monkeypatch):
    """Sets the devices that torch finds: `devices(cuda=True)`."""

    def pretend(*, cuda: bool = False, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("has", "chosen"),
    [
        ({}, "cpu"),
        ({"mps": True}, "mps"),
        ({"cuda": True}, "cuda"),
        ({"cuda": True, "mps": True}, "cuda"),
    ],
)
def test_auto_takes_the_fastest_device_of_the_machine(devices, has, chosen):
    devices(**has)
    assert device_of("auto") == chosen
    assert device_of("cpu") == "cpu"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_missing_device_is_refused_with_the_way_out(devices, device):
    devices()
    with pytest.raises(SettingsError, match=f"`device` is '{device}'.*use 'auto' or 'cpu'"):
        device_of(device)


@pytest.mark.parametrize("device", ["gpu", "", "CPU"])
def test_unknown_device_is_refused_with_the_valid_names(device):
    with pytest.raises(SettingsError, match=f"auto, cpu, cuda or mps, got '{device}'"):
        device_of(device)
