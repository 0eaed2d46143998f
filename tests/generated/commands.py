"""Command lines: wrong words, options and values; each ends with a status and a message."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from tests.generated import folders
from tests.generated.checker import Attempt, Foreign, attempt, check_text
from tests.generated.contents import BASES, Content, bytes_of
from tests.generated.values import TEXT
from workbench.cli.main import main

__all__ = ["CASES", "try_case"]

OPTIONS = (
    "--help", "--root", "--store", "--seed", "--budget", "--task", "--start", "--device",
    "--threads", "--batch-sizes", "--task-args", "--test", "--price-per-core-hour",
    "--pruning-ratio", "--method", "--fit-lr", "--ratios", "--json", "--detach", "--dry-run",
    "--resume", "--trust", "--expert", "--everywhere", "--nope", "-x", "--", "-",
)  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(OPTIONS), TEXT, st.sampled_from(("RUN", "FILE", "last", "pruning"))
)
COMMANDS = (
    "run", "resume", "show", "list", "test", "settings", "pruning", "quantization", "distillation",
    "measure", "store", "completion", "cancel", "prunning", "", "docs", "evaluate",
)  # fmt: skip
USUAL = (
    "run FILE", "run --resume RUN", "run FILE --root x", "resume RUN", "resume last", "show RUN",
    "show last", "show RUN --json", "list", "list --json", "test RUN", "settings",
    "settings pruning", "settings quantization --method static", "settings --expert",
    "pruning --pruning-ratio 0.3",
    "pruning sensitivity", "pruning --ratios FILE", "quantization --keep-float [a]", "measure FILE",
    "quantization --method static --calibration-rows 64", "distillation --seed 3 --budget smoke",
    "measure RUN", "measure FILE --task digits", "measure --everywhere FILE", "store where",
    "store rebuild", "completion bash", "cancel nobody",
)  # fmt: skip
NOT_MODELS = tuple(b for b in BASES if not b.startswith("onnx"))


@dataclass(frozen=True)
class Case:
    """Words of a command; `RUN` is the folder of a damaged run, `FILE` a file beside it."""

    words: tuple[str, ...]
    content: Content
    run: folders.Case


CASES = st.builds(
    Case,
    st.one_of(
        st.tuples(st.sampled_from(COMMANDS), st.lists(WORDS, max_size=4)),
        st.tuples(st.sampled_from(USUAL), st.lists(WORDS, max_size=2)),
    ).map(lambda p: (*p[0].split(" "), *p[1])),
    st.builds(Content, st.sampled_from(NOT_MODELS)),
    folders.CASES,
)


def try_case(case: Case) -> str:
    """Run the command in this process; status 0 is accepted, 1 and 2 are refused in words."""
    with tempfile.TemporaryDirectory() as home, _in(Path(home)), folders.no_processes():
        run = folders.damaged_run(Path(home) / "runs", case.run.file, case.run.damage)
        file = Path(home) / "FILE"
        file.write_bytes(bytes_of(case.content))
        words = [_word(word, run, file) for word in case.words]
        if words[0] not in ("show", "list", "settings", "measure", "store", "test", "resume"):
            words.append("--dry-run")  # whatever is accepted starts nothing
        if words[0] == "cancel":
            words = ["cancel", "no-such-run"]
        if words[:1] == ["store"]:
            words = ["store", *(w if w != "rebuild" else "where" for w in words[1:])]
        status, told = _called(words)
    if status not in (0, 1, 2):
        raise Foreign(f"status {status}", f"{words}")
    if status:
        check_text(told, f"status {status} of {words[0]}")
    return "accepted" if status == 0 else "refused"


def _word(word: str, run: Path, file: Path) -> str:
    return {"RUN": str(run), "FILE": str(file)}.get(word, word)


def _called(words: list[str]) -> tuple[Any, str]:
    told = io.StringIO()

    def call() -> Any:
        with contextlib.redirect_stderr(told):
            return main(words)

    ended: Attempt = attempt(call)
    return ended.value, told.getvalue()


@contextlib.contextmanager
def _in(home: Path) -> Iterator[None]:
    """Inside, `home` is the working folder, and runs lie below it."""
    with (
        contextlib.chdir(home),
        mock.patch.dict(os.environ, {"WORKBENCH_RUNS": str(home / "runs")}),
    ):
        yield
