"""The classic example, MiniLM into a small student: `python -m tests.benchmarks.compression.text
--weights minilm.safetensors`.

The weights are those that `python -m workbench.reproduce.teacher --seed 0 --weights
minilm.safetensors` makes (fine-tuned on the train rows of `reviews`, the best epoch on valid).
Teacher and student are held against each other on the 2,000 test sentences, once, at the end, and
timed side by side.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd
from safetensors.torch import load_file

from workbench.cli.console import console
from workbench.events import Event, Report
from workbench.ledger.appraise import outputs_of
from workbench.measure import compare_quality, quality, time_side_by_side
from workbench.runtimes import installed_for
from workbench.runtimes.to_onnx import to_onnx
from workbench.task import Candidate
from workbench.tasks import load_task
from workbench.technique import Job
from workbench.techniques import get_technique

HOW = {"temperature": 2.0, "alpha": 1.0, "control_seeds": 0}
FIT = {"lr": 0.002, "batch_size": 128, "patience": 1000, "memory_format": "contiguous"}


def show(event: Event) -> None:
    if event.kind == "curve" and event.data["name"].startswith("valid"):
        print(f"step {event.data['x']}: {event.data['name']} {event.data['y']:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="the fine-tuned MiniLM")
    parser.add_argument("--student", default="thin_cnn")
    parser.add_argument(
        "--views",
        type=int,
        default=64,
        help="the train sentences, and this many less one times as many reworded ones",
    )
    parser.add_argument("--passes", type=int, default=2, help="over all of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--budget",
        default="standard",
        choices=("smoke", "standard", "thorough"),
        help="of the timing",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/text"),
        help="folder of the answers, checkpoints and the student",
    )
    given = parser.parse_args()
    task = load_task("reviews")
    teacher, _ = task.candidate("minilm")
    teacher.model.load_state_dict(load_file(given.weights))
    teacher.model.eval()
    exported = to_onnx(teacher, task.example(16, teacher.prepare))
    given.out.mkdir(parents=True, exist_ok=True)
    technique = get_technique("distillation")
    settings = technique.settings(
        student=given.student,
        views=given.views,
        fit={**FIT, "epochs": given.views * given.passes},
        **HOW,
    )
    with console() as bar:
        report = Report(bar, show)
        job = Job(
            task.without_test(),
            teacher,
            given.out,
            seed=given.seed,
            report=report,
            cache=given.out / "cache",
            exported=exported,
        )
        outcome = technique(job, settings)
    print(*outcome.notes, sep="\n")
    student = outcome.candidate
    small = to_onnx(student, task.example(16, student.prepare))
    (given.out / "student.onnx").write_bytes(small.model)
    judged(task, exported, small)
    timed(task, {"MiniLM": (teacher, exported), given.student: (student, small)}, given.budget)


def judged(task: object, teacher: Candidate, student: Candidate) -> None:
    """Accuracy of both on test, paired, and the share of the teacher's that the student keeps."""
    targets = task.data.test.targets
    before, after = (outputs_of(c, task.data.test) for c in (teacher, student))
    scores = [quality(o, targets, task.metric) for o in (before, after)]
    print(
        f"test: teacher {scores[0].text}, student {scores[1].text}, share "
        f"{scores[1].value / scores[0].value:.4f}"
    )
    print(compare_quality(before, after, targets, task.metric).text)


def timed(task: object, models: dict[str, tuple[Candidate, Candidate]], budget: str) -> None:
    """Best calls of both on every runtime, on one thread."""
    chosen = {}
    for name, forms in models.items():
        for form in forms:
            chosen |= {
                f"{name} on {r}": (replace(form, name=name), r)
                for r in installed_for(form)
                if r != "torch-compiled"
            }
    timings = time_side_by_side(
        chosen,
        lambda c, n: task.example(n, c.prepare),
        batch_sizes=(1, 64),
        threads=1,
        budget=budget,
    )
    rows = [
        {"model": label, **{f"b{n} ms": t.at(n).best_ms for n in (1, 64)}, "busy": round(t.busy, 2)}
        for label, t in timings.items()
    ]
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
