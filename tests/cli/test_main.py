"""The command line: real commands in real processes, refusals in words, and options made from the
settings.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from workbench.cli import main as cli
from workbench.cli import runs
from workbench.errors import RunError
from workbench.measure.everywhere import Everywhere
from workbench.runs.handle import attach
from workbench.settings import knobs
from workbench.store.index import record_run
from workbench.techniques import get_technique, technique_names


@pytest.fixture(scope="module")
def finished(digits_run_folder, tmp_path_factory):
    """A copy of a finished run of pruning and quantization, the only run under its root."""
    folder = tmp_path_factory.mktemp("runs") / digits_run_folder.name
    shutil.copytree(digits_run_folder, folder)
    record_run(folder)
    return attach(folder)


def _root(run):
    return ["--root", str(run.folder.parent)]


def test_list_and_show_tell_the_runs_and_the_ledger(finished, capsys):
    assert cli.main(["list", *_root(finished)]) == 0
    assert finished.name in capsys.readouterr().out
    assert cli.main(["show", "last", *_root(finished)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Quick check, decides nothing: "), "the sentence comes first"
    assert "quantization" in shown
    assert "core-s/1M" not in shown
    assert "Test: cnn-pruned-int8" in shown
    assert str(finished.result.onnx_path) in shown
    assert cli.main(["show", "last", "--all", *_root(finished)]) == 0
    assert "core-s/1M" in capsys.readouterr().out


def test_resume_of_a_finished_run_shows_it_again(finished, capsys):
    assert cli.main(["run", "--resume", finished.name, *_root(finished)]) == 0
    assert "quantization" in capsys.readouterr().out


def test_measure_takes_any_onnx_file_and_a_kept_candidate(finished, tmp_path, capsys):
    lonely = tmp_path / "lonely.onnx"
    lonely.write_bytes(finished.result.onnx_path.read_bytes())
    assert (
        cli.main(["measure", str(lonely), "--budget", "smoke", "--price-per-core-hour", "0.1"]) == 0
    )
    out = capsys.readouterr().out
    assert all(
        word in out for word in ("latency, batch 1", "multiply-adds", "core-seconds", "price")
    )
    assert (
        cli.main(
            [
                "measure",
                str(finished.folder / "steps" / "02-quantization"),
                "--task",
                "digits",
                "--budget",
                "smoke",
            ]
        )
        == 0
    )
    assert "accuracy (valid)" in capsys.readouterr().out


def test_measure_hands_task_arguments_and_batch_sizes_on(finished, monkeypatch):
    import workbench.measure.file as measure

    seen = {}
    card = finished.result.scorecard()
    monkeypatch.setattr(measure, "measure_file", lambda file, **o: seen.update(o) or card)
    command = ["measure", "m.onnx", "--task", "digits", "--task-args", "{n: 3}"]
    assert cli.main([*command, "--batch-sizes", "[8, 2]"]) == 0
    assert seen["task"] == "digits"
    assert seen["task_args"] == {"n": 3}
    assert seen["batch_sizes"] == [2, 8]
    assert cli.main(["measure", "m.onnx"]) == 0
    assert (seen["task"], seen["task_args"], seen["batch_sizes"]) == ("", {}, [1, 64])


def test_measure_prints_json_and_nothing_else(finished, monkeypatch, capsys):
    import workbench.measure.file as measure

    card = finished.result.scorecard()
    monkeypatch.setattr(measure, "measure_file", lambda file, **options: card)
    assert cli.main(["measure", "m.onnx", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(card.to_json()))


def test_measure_everywhere_prints_json_and_nothing_else(monkeypatch, capsys):
    import workbench.measure.file as measure

    table = pd.DataFrame({"runtime": ["a", "b"], "best_ms": [1.0, float("nan")]})
    found = Everywhere("a", 1, table, {"a": None}, {}, {"c": "no kernel"})
    monkeypatch.setattr(Everywhere, "text", "a is the fastest.")
    monkeypatch.setattr(measure, "measure_file_everywhere", lambda file, **options: found)
    assert cli.main(["measure", "m.onnx", "--everywhere", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "best": "a",
        "batch_size": 1,
        "runtimes": [{"runtime": "a", "best_ms": 1.0}, {"runtime": "b", "best_ms": None}],
        "failed": {"c": "no kernel"},
        "text": "a is the fastest.",
    }


def test_list_and_show_print_json_and_nothing_else(finished, capsys):
    assert cli.main(["list", "--json", *_root(finished)]) == 0
    (row,) = [r for r in json.loads(capsys.readouterr().out) if r["name"] == finished.name]
    assert (row["status"], row["task"], row["steps"]) == (
        "finished",
        "digits",
        ["pruning", "quantization"],
    )
    assert cli.main(["show", finished.name, "--json", *_root(finished)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [r["step"] for r in shown["rows"]] == [r.step for r in finished.result.rows]
    assert shown["rows"][-1]["latencies_ms"]["1"] == finished.result.rows[-1].latency_ms
    assert shown["summary"] == finished.result.summary
    assert shown["shown"][-1]["speedup_start"] == finished.result.ledger.speedup_start.iloc[-1]
    assert shown["test"]["candidate"] == "cnn-pruned-int8"
    assert shown["model_file"] == str(finished.result.onnx_path)


def test_list_show_help_and_dry_run_import_no_user_code(finished, tmp_path):
    (tmp_path / "mycode.py").write_text("raise SystemExit('mycode was imported')")
    copy = tmp_path / "runs" / finished.name
    for name in ("recipe.yml", "run.json", "state.json", "final.json"):
        copy.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((finished.folder / name).read_bytes())
    (copy / "steps").symlink_to(finished.folder / "steps")
    text = (copy / "recipe.yml").read_text().replace("task: digits", "task: mycode:make_task")
    (copy / "recipe.yml").write_text(text)
    commands = [
        ["list"],
        ["list", "--json"],
        ["show", "last"],
        ["show", "last", "--json"],
        ["pruning", "--help"],
        ["pruning", "--task", "mycode:make_task", "--dry-run"],
        ["run", str(copy / "recipe.yml"), "--dry-run"],
    ]
    code = f"from workbench.cli.main import main; print([main(c) for c in {commands!r}])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "WORKBENCH_RUNS": str(tmp_path / "runs")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str([0] * len(commands)), done.stderr
    assert "mycode:make_task" in done.stdout
    assert [p.name for p in (tmp_path / "runs").iterdir()] == [finished.name], "nothing started"


def test_store_is_rebuilt_from_the_run_folders(finished, capsys):
    (finished.folder.parent / "store.db").unlink()
    assert cli.main(["store", "rebuild", *_root(finished)]) == 0
    assert "Recorded 1 runs" in capsys.readouterr().out
    assert (finished.folder.parent / "store.db").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("run nowhere.yml", "The recipe cannot be read"),
        ("run", "Name a recipe"),
        ("pruning --pruning-ratio 3", "`pruning_ratio` must be at most 0.99, got 3"),
        ("show nothing", "No run matches `nothing`"),
        ("measure nothing.onnx", "There is no file"),
        ("settings prunning", "Did you mean `pruning`"),
    ],
)
def test_refusals_are_told_in_words_and_by_the_exit_status(
    command, words, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split(command)) == 1
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*/run.json")), "nothing was started"


@pytest.mark.parametrize("name", technique_names())
def test_help_of_a_technique_names_every_setting(name, capsys):
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"--{k.name.replace('_', '-')}" in text for k in knobs(get_technique(name).settings))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("pruning --prunning-ratio 0.3", "No such option `--prunning-ratio`. Did you mean "
         "`--pruning-ratio`?"),
        ("pruning --prunning-ratio=0.3", "Did you mean `--pruning-ratio`?"),
        ("pruning --zzz 1", "No such option `--zzz`.\n"),
        ("prunning", "Unknown command `prunning`. Did you mean `pruning`?"),
        ("pruning sensitivty", "Did you mean `sensitivity`?"),
        ("pruning sensitivity more", "unexpected extra argument"),
        ("pruning sensitivity --dry-run", "`--detach` and `--dry-run` are for runs"),
        ("store rebild", "Did you mean `rebuild`?"),
        ("completion zssh", "Did you mean `zsh`?"),
        ("show", "Missing argument 'RUN'"),
        ("run recipe.yml --resume last", "`--resume` takes neither"),
        ("settings --method n_m", "`--method` needs a technique"),
        ("measure model.onnx --threads 0", "x>=1"),
        ("evaluate --folds 0", "x>=1"),
        ("measure model.onnx --task-args '{n: 3}'", "`--task-args` needs the task"),
    ],
)  # fmt: skip
def test_wrong_usage_names_the_word_and_the_nearest(command, words, capsys):
    assert cli.main(shlex.split(command)) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert "--help`" in shown.err, "the way out"
    assert not shown.out


def test_without_a_command_the_help_is_shown_as_wrong_usage(capsys):
    assert cli.main([]) == 2
    assert "quantization" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 0), (RunError("no"), 1)]
)
def test_exit_status_tells_how_a_command_ended(error, status, monkeypatch, capsys):
    def broken(*_):
        raise error

    monkeypatch.setattr(runs, "_find", broken)
    assert cli.main(["cancel", "last"]) == status
    assert not capsys.readouterr().out


def _modules_after(code):
    line = f"import sys; {code}; print('\\n', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_import_of_the_command_line_loads_nothing_heavy():
    loaded = {m.split(".")[0] for m in _modules_after("import workbench.cli.main")}
    assert not loaded & {"torch", "pandas", "numpy", "pydantic", "onnx", "plotly", "mlflow"}


def test_help_imports_no_technique_and_a_technique_only_itself():
    code = "from workbench.cli.main import main; main(['--help'])"
    loaded = _modules_after(code)
    own = {f"workbench.techniques.{name}" for name in technique_names()}
    assert not loaded & own
    assert not loaded & {"torch", "pandas"}
    assert _modules_after(code.replace("--help", "pruning', '--help")) & own == {
        "workbench.techniques.pruning"
    }


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "workbench.cli", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "Usage: workbench" in done.stdout


def test_docs_is_imported_when_called(monkeypatch):
    seen = []
    module = type(sys)("workbench.cli.docs")
    module.docs = lambda *, open_it: seen.append(open_it) or 0
    monkeypatch.setitem(sys.modules, "workbench.cli.docs", module)
    assert cli.main(["docs"]) == 0
    assert cli.main(["docs", "--no-open"]) == 0
    assert seen == [True, False]


def test_lab_hands_every_option_on(monkeypatch):
    from workbench.cli import lab

    seen = []
    monkeypatch.setattr(lab, "lab", lambda options: seen.extend(options) or 0)
    words = ["--no-browser", "--port", "9999", "-y", "--LabApp.token=", "notebooks"]
    assert cli.main(["lab", *words]) == 0
    assert seen == words


def test_shell_completion_gives_a_script_for_each_shell(capsys):
    for shell in ("bash", "zsh", "fish"):
        assert cli.main(["completion", shell]) == 0
        assert "_WORKBENCH_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("workbench qua", {"quantization"}),
        ("workbench pruning --pruning-r", {"--pruning-ratio"}),
        ("workbench pruning --pri", {"--price-per-core-hour"}),
        ("workbench pruning sens", {"sensitivity"}),
        ("workbench pruning --target lat", {"latency"}),
        ("workbench pruning --target=mac", {"macs"}),
        ("workbench quantization --per-channel fa", {"false"}),
        ("workbench quantization --task dig", {"digits"}),
        ("workbench measure m.onnx --task dig", {"digits"}),
        ("workbench evaluate --task dig", {"digits"}),
        ("workbench evaluate --fo", {"--folds"}),
        ("workbench settings dist", {"distillation"}),
        ("workbench store re", {"rebuild"}),
        ("workbench completion f", {"fish"}),
        ("workbench show las", {"last"}),
    ],
)
def test_shell_completes_commands_options_and_values(line, words, monkeypatch, capsys):
    monkeypatch.setenv("_WORKBENCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert {item.partition(",")[2] for item in out.split()} == words


def test_show_of_a_run_without_a_step_is_json_too(tmp_path, capsys):
    folder = tmp_path / "20260101-000000-digits-cnn"
    folder.mkdir()
    (folder / "run.json").write_text('{"version": 1}')
    (folder / "recipe.yml").write_text("task: [")
    (folder / "state.json").write_text('{"status": "failed", "error": "no rows", "pid": null}')
    assert cli.main(["show", "last", "--json", "--root", str(tmp_path)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["status"], shown["error"], shown["rows"]) == ("failed", "no rows", [])
    assert cli.main(["list", "--root", str(tmp_path)]) == 0
    assert "its recipe cannot be read" in capsys.readouterr().out
    assert cli.main(["list", "--json", "--root", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)[0]["steps"] is None
