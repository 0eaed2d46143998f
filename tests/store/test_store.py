import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.factories import make_run
from workbench.errors import StoreError
from workbench.store.entries import read_entry
from workbench.store.index import rebuild, record_run, recorded, shown_url, store_url
from workbench.system.files import read_json, write_json
from workbench.system.mounts import file_system, network_mount

HOME = Path(__file__).parents[2]
MOUNTS = """/dev/sda1 / ext4 rw 0 0
server:/export /home nfs4 rw 0 0
tmpfs /home/local\\040disk tmpfs rw 0 0
me@host: /mnt/remote fuse.sshfs rw 0 0
"""


def _python(code: str, *arguments: str, **environment: str) -> subprocess.Popen:
    # CI and PYTEST_* would turn MLflow's telemetry off by themselves.
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("PYTEST", "MLFLOW", "DO_NOT_TRACK")) and k != "CI"
    }
    path = os.pathsep.join([str(HOME), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**kept, "PYTHONPATH": path, **environment},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _versions(root: Path) -> tuple[list, dict]:
    from workbench.store.client import open_store

    with open_store(store_url("", root)) as client:
        found = client.search_model_versions("name = 'fashion-resnet20'")
        return sorted(found, key=lambda v: int(v.version)), dict(
            client.get_registered_model("fashion-resnet20").aliases
        )


def _comparable(root: Path) -> list:
    """The index without what MLflow draws by lot: ids."""

    def plain(run):
        tags = {k: v for k, v in run.tags.items() if k != "mlflow.parentRunId"}
        return (run.name, run.status, run.params, run.metrics, tags, [plain(r) for r in run.rows])

    return [plain(r) for r in recorded("", root)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A root with two runs that are recorded."""
    root = tmp_path_factory.mktemp("store") / "runs"
    for number, name in enumerate(
        ("20261122-101500-fashion-resnet20", "20261122-111500-fashion-resnet20")
    ):
        record_run(make_run(root, name, created=1.8e9 + number, quality=0.89 - number / 100))
    return root


def test_record_run_lists_run_with_params_metrics_and_tags(made):
    first, second = recorded("", made)
    assert (first.name, first.status) == ("20261122-101500-fashion-resnet20", "FINISHED")
    assert first.params["steps"] == "pruning, quantization"
    assert first.params["pruning.fit_epochs"] == "3"
    assert first.params["quantization.activation_type"] == "uint8"
    assert first.metrics["valid/accuracy"] == 0.89  # of the last row
    assert first.metrics["test/accuracy"] == 0.89
    assert second.metrics["test/accuracy"] == 0.88
    assert first.tags["workbench.host.name"] == "host-a"
    assert first.tags["workbench.version.torch"] == "2.13.0"
    assert first.tags["workbench.folder"] == (made / first.name).resolve().as_uri()
    assert "resnet20 quantization" in first.tags["mlflow.note.content"]


def test_record_run_nests_one_run_a_row_with_plain_setting_names(made):
    rows = recorded("", made)[0].rows
    assert [r.tags["workbench.step"] for r in rows] == ["start", "onnx", "pruning", "quantization"]
    assert rows[2].params["pruning_ratio"] == "0.5"
    assert rows[2].metrics["cost/size_bytes"] == 400_000
    assert rows[2].tags["workbench.against_start.accuracy"] == "equivalent"
    assert rows[0].metrics.keys() >= {"valid/accuracy", "cost/latency_ms"}
    assert "cost/macs" not in rows[0].metrics  # unknown, so not logged


def test_record_run_logs_the_ledger_as_a_curve_over_the_rows(made):
    from workbench.store.client import open_store

    run = recorded("", made)[0]
    with open_store(store_url("", made)) as client:
        history = client.get_metric_history(run.run_id, "cost/size_bytes")
    assert [(m.step, m.value) for m in history] == [(0, 1e6), (1, 1e6), (2, 4e5), (3, 1.1e5)]


def test_record_run_registers_the_last_model_and_newest_is_challenger(made):
    versions, aliases = _versions(made)
    assert [v.tags["workbench.run"] for v in versions] == [r.name for r in recorded("", made)]
    assert (
        versions[1].source
        == (made / "20261122-111500-fashion-resnet20/steps/02-quantization").resolve().as_uri()
    )
    assert str(aliases["challenger"]) == str(versions[1].version)


def test_record_run_replaces_when_called_again_and_keeps_aliases(tmp_path):
    from workbench.store.client import open_store

    folders = [
        make_run(tmp_path, f"2026112{n}-101500-fashion-resnet20", created=1.8e9 + n) for n in (1, 2)
    ]
    first = record_run(folders[0])
    record_run(folders[1])
    with open_store(store_url("", tmp_path)) as client:
        client.set_registered_model_alias("fashion-resnet20", "champion", "1")
    again = record_run(folders[0])
    assert again != first
    runs = recorded("", tmp_path)
    assert [r.name for r in runs] == [f.name for f in folders]
    assert [len(r.rows) for r in runs] == [4, 4]
    versions, aliases = _versions(tmp_path)
    assert {v.tags["workbench.run"]: v.run_id for v in versions} == {r.name: r.run_id for r in runs}
    assert {a: str(v) for a, v in aliases.items()} == {"champion": "3", "challenger": "2"}


def test_record_run_keeps_a_run_of_the_same_name_from_another_machine(tmp_path):
    one, two = (make_run(tmp_path / place, created=1.8e9 + n) for n, place in enumerate("ab"))
    url = f"sqlite:///{(tmp_path / 'shared.db').as_posix()}"
    record_run(one, url)
    record_run(two, url)
    record_run(two, url)
    assert [r.tags["workbench.created"] for r in recorded(url, tmp_path)] == [
        "1800000000.0",
        "1800000001.0",
    ]


def test_record_run_returns_none_when_no_step_is_done(tmp_path):
    folder = tmp_path / "empty"
    write_json(folder / "run.json", {"version": 1, "name": "empty", "created": 1.0})
    assert record_run(folder) is None
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("status", "expected"),
    [("failed", "FAILED"), ("cancelled", "KILLED"), ("finished", "FINISHED")],
)
def test_entry_has_the_status_of_the_run(tmp_path, status, expected):
    entry = read_entry(make_run(tmp_path, status=status))
    assert entry.status == expected
    assert (entry.model is not None) == (
        expected == "FINISHED"
    )  # a run that broke off gives no challenger


def test_entry_is_finished_when_a_run_records_itself(tmp_path):
    folder = make_run(tmp_path, status="running")
    assert read_entry(folder).status == "FINISHED"
    (folder / "ledger.json").unlink()
    assert read_entry(folder).status == "KILLED"


def test_entry_needs_no_technique_to_be_installed(tmp_path):
    folder = make_run(tmp_path)
    recipe = folder / "recipe.yml"
    recipe.write_text(recipe.read_text() + "- somebody_elses: {strength: 3}\n")
    assert read_entry(folder).params["steps"] == "pruning, quantization, somebody_elses"


def test_rebuild_gives_an_equal_index_when_database_is_gone(made, tmp_path):
    before = _comparable(made)
    folders = sorted(p.parent for p in made.glob("*/run.json"))
    (made / "store.db").unlink()
    assert (
        rebuild(folders, "", made) == 2
    )  # in the same process, whose MLflow remembers the old file
    assert _comparable(made) == before


def test_rebuild_puts_a_damaged_database_aside(tmp_path):
    folder = make_run(tmp_path)
    (tmp_path / "store.db").write_bytes(b"this is not a database, whatever its name says" * 50)
    assert rebuild([folder], "", tmp_path) == 1
    assert (tmp_path / "store.db.1.old").exists()


def test_rebuild_forgets_runs_whose_folder_is_gone_and_names_those_it_cannot_read(tmp_path):
    import shutil

    gone, broken, good = (make_run(tmp_path, f"run-{n}", created=1.8e9 + n) for n in range(3))
    record_run(gone)
    shutil.rmtree(gone)
    (broken / "run.json").write_text("{")
    with pytest.raises(StoreError, match=r"Recorded 1 runs; 1 cannot be read:\n.*run-1"):
        rebuild([broken, good], "", tmp_path)
    assert [r.name for r in recorded("", tmp_path)] == ["run-2"]
    assert [v.tags["workbench.run"] for v in _versions(tmp_path)[0]] == ["run-2"]


def test_store_url_is_sqlite_in_the_runs_folder_when_empty(tmp_path):
    assert store_url("", tmp_path) == f"sqlite:///{tmp_path.resolve().as_posix()}/store.db"
    assert store_url("http://tracker:5000", tmp_path) == "http://tracker:5000"


@pytest.mark.parametrize(
    "store",
    ["runs/store.db", "/data/store.db", "ftp://host/x", "file:///data/mlruns", "databricks"],
)
def test_store_url_refuses_what_is_no_url_of_a_store(tmp_path, store):
    with pytest.raises(StoreError, match=r"http://localhost:5000 or sqlite:///"):
        store_url(store, tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="mount points are POSIX paths")
def test_store_url_refuses_sqlite_on_a_network_file_system():
    with pytest.raises(StoreError, match=r"\(nfs4\).*--store http://.*WORKBENCH_RUNS"):
        store_url("", Path("/home/me/runs"), mounts=MOUNTS)
    with pytest.raises(StoreError, match="sshfs"):
        store_url("sqlite:////mnt/remote/store.db", Path("/data"), mounts=MOUNTS)
    assert (
        store_url("http://tracker:5000", Path("/home/me/runs"), mounts=MOUNTS)
        == "http://tracker:5000"
    )
    assert (
        store_url("", Path("/home/local disk/runs"), mounts=MOUNTS)
        == "sqlite:////home/local disk/runs/store.db"
    )


@pytest.mark.skipif(os.name == "nt", reason="mount points are POSIX paths")
def test_file_system_takes_the_longest_mount_and_a_sandbox_root_is_local():
    assert file_system(Path("/home/me"), MOUNTS) == ("/home", "nfs4")
    assert file_system(Path("/homework"), MOUNTS) == ("/", "ext4")
    assert file_system(Path("/x"), "") == ("", "")
    assert network_mount(Path("/x"), "none / 9p rw 0 0") == ""
    assert network_mount(Path("/mnt/c/x"), "none / ext4 rw 0 0\nC: /mnt/c 9p rw 0 0") == "9p"


def test_shown_url_hides_the_password():
    assert shown_url("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


def test_record_run_raises_store_error_when_server_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        StoreError, match=r"could not be used.*Run folders are whole.*workbench store rebuild"
    ) as caught:
        record_run(make_run(tmp_path), "http://me:secret@127.0.0.1:9")
    assert "secret" not in str(caught.value)


WRITER = """
import sys, time
from pathlib import Path
from workbench.store.index import record_run
# slow: imported before the barrier, so that both really meet
import mlflow.tracking, mlflow.store.tracking.sqlalchemy_store
for root in sys.argv[2:]:
    print("ready", flush=True)
    time.sleep(max(0.0, float(sys.stdin.readline()) - time.time()))
    for name in sys.argv[1].split(","):
        record_run(Path(root) / name)
print("done", flush=True)
"""


@pytest.mark.slow
def test_store_is_whole_when_two_processes_create_and_write_it_at_once(tmp_path):
    roots = [tmp_path / f"round-{n}" for n in range(4)]
    names = [f"run-{n}" for n in range(4)]
    for root in roots:
        for number, name in enumerate(names):
            make_run(root, name, created=1.8e9 + number)
    processes = [_python(WRITER, ",".join(names[n::2]), *map(str, roots)) for n in range(2)]
    for _ in roots:
        assert [p.stdout.readline() for p in processes] == ["ready\n"] * 2
        begin = time.time() + 0.1
        for process in processes:
            process.stdin.write(f"{begin}\n")
            process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=300) == ("done\n", "")
    for root in roots:
        assert [(r.name, len(r.rows)) for r in recorded("", root)] == [(name, 4) for name in names]


ALONE = """
import os, socket, sys
from pathlib import Path

HERE = ("127.0.0.1", "::1", "localhost", None)
asked = []
real_resolve, real_connect = socket.getaddrinfo, socket.socket.connect
def resolve(host, *rest, **options):
    if host not in HERE:
        asked.append(host)
        raise OSError(f"a look-up of {host}")
    return real_resolve(host, *rest, **options)
def connect(self, address):
    if isinstance(address, tuple) and address[0] not in HERE:
        asked.append(address)
        raise OSError(f"a connection to {address}")
    return real_connect(self, address)
socket.getaddrinfo, socket.socket.connect = resolve, connect
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "mlflow":
            switches = map(os.environ.get, ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"))
            print("telemetry off before import:", *switches)
sys.meta_path.insert(0, Watch())

from workbench.store.index import record_run, recorded
folder = Path(sys.argv[1])
record_run(folder)
recorded("", folder.parent)
import threading, time
time.sleep(1)  # for what a thread may still ask
print("asked:", asked, "threads:", [t.name for t in threading.enumerate() if "elemetry" in t.name])
"""


def test_store_opens_no_connection_says_nothing_and_turns_telemetry_off_first(tmp_path):
    process = _python(ALONE, str(make_run(tmp_path / "runs")))
    out, errors = process.communicate(timeout=300)
    assert errors == ""
    assert out.splitlines() == ["telemetry off before import: true true", "asked: [] threads: []"]
    assert process.returncode == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == [
        "20261122-101500-fashion-resnet20",
        "store.db",
        "store.db.lock",
    ]


def test_factory_makes_rows_that_the_ledger_reads(tmp_path):
    from workbench.ledger.rows import Row

    folder = make_run(tmp_path)
    rows = [Row.from_json(r) for r in read_json(folder / "ledger.json")]
    assert len(rows) == 4
    assert asdict(rows[2])["size_ratio"] == 2.5
