"""The journal of a study: many writers, killed writers, and a line that was cut off."""

import subprocess
import sys
import textwrap
import time

from workbench.techniques.tuning.journal import Journal


def test_entries_are_read_in_their_order_from_any_number(tmp_path):
    one, other = Journal(tmp_path / "a.log"), Journal(tmp_path / "a.log")
    one.append_logs([{"n": 0}, {"n": 1}])
    assert list(other.read_logs(0)) == [{"n": 0}, {"n": 1}]
    other.append_logs([{"n": 2}])
    assert list(one.read_logs(1)) == [{"n": 1}, {"n": 2}]
    assert list(one.read_logs(3)) == []
    assert list(Journal(tmp_path / "a.log").read_logs(2)) == [{"n": 2}]


def test_line_that_was_cut_off_loses_nothing_else(tmp_path):
    path = tmp_path / "a.log"
    journal = Journal(path)
    journal.append_logs([{"n": 0}])
    with path.open("ab") as file:
        file.write(b'{"n": ')
    assert list(journal.read_logs(0)) == [{"n": 0}]
    journal.append_logs([{"n": 1}])
    assert list(journal.read_logs(0)) == [{"n": 0}, {"n": 1}]
    assert list(Journal(path).read_logs(1)) == [{"n": 1}]
    journal.append_logs([{"n": 2}])
    assert list(journal.read_logs(2)) == [{"n": 2}]


def test_processes_that_write_together_keep_all_lines(tmp_path):
    path = tmp_path / "a.log"
    code = f"""
        import sys
        from pathlib import Path
        from workbench.techniques.tuning.journal import Journal
        journal = Journal(Path({str(path)!r}))
        for n in range(100):
            journal.append_logs([{{"by": int(sys.argv[1]), "n": n}}])
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(2)]
    assert [w.wait() for w in writers] == [0, 0]
    entries = list(Journal(path).read_logs(0))
    for number in range(2):
        assert [e["n"] for e in entries if e["by"] == number] == list(range(100))


def test_lock_is_free_again_when_its_process_was_killed(tmp_path):
    path = tmp_path / "a.log"
    code = f"""
        from pathlib import Path
        from workbench.techniques.tuning.journal import Journal
        Journal(Path({str(path)!r}))._lock.acquire()
        print("held", flush=True)
        import time
        time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.wait()
    began = time.monotonic()
    Journal(path).append_logs([{"n": 0}])
    assert time.monotonic() - began < 20
