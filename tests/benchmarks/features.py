"""Features measured on larger tables: gains on flights, pure noise, and a million rows.

    python -m tests.benchmarks.features flights --budget standard
    python -m tests.benchmarks.features noise --repeats 20
    python -m tests.benchmarks.features rows --rows 1000000

`flights` compares encodings and selections on valid, each beside the control. `noise` counts how
often the interval of nested cross-validation holds one half, and the accuracy of a selection
before the split. `rows` generates a table with numbers, categories, a column of a million
categories, dates and texts, and prints seconds and peak memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.rows import Rows, Splits
from workbench.measure.statistics.verdict import compare_quality
from workbench.model_form import Training, form_named
from workbench.runtimes.outputs import outputs_on
from workbench.task import Task
from workbench.tasks import load_task
from workbench.tasks.make import make_task
from workbench.technique import Job, Outcome
from workbench.techniques import get_technique

VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "no bins": {"bins": "off"},
    "splines": {"bins": "off", "splines": True},
    "target encoding": {"max_categories": 40},
    "from_model": {"select": "from_model"},
    "f_test": {"select": "f_test"},
    "from_model, one_se": {"select": "from_model", "rule": "one_se"},
}


def outcome_of(task: Task, model: str, budget: str, **settings: Any) -> Outcome:
    """The outcome of the step on a trained start, in a folder that is removed."""
    start = task.candidate(model)[0]
    start = form_named(start.form).fit(start, task, Training(budget))
    technique = get_technique("features")
    with tempfile.TemporaryDirectory() as folder:
        return technique(
            Job(task, start, Path(folder)), technique.settings(budget=budget, **settings)
        )


def flights(budget: str) -> None:
    task = load_task("flights").without_test()
    valid = task.data.valid
    print("| start | variant | features | pr_auc against the control (interval) | seconds |")
    print("|---|---|---|---|---|")
    for model in ("logistic", "boosting"):
        for name, settings in VARIANTS.items():
            began = time.perf_counter()
            outcome = outcome_of(task, model, budget, nested_folds=0, **settings)
            seconds = time.perf_counter() - began
            verdict = compare_quality(
                outputs_on(outcome.control, valid),
                outputs_on(outcome.candidate, valid),
                valid.targets,
                task.metric,
                blocks=valid.blocks,
            )
            kept = int(outcome.evidence["features"]["kept"].sum())
            print(f"| {model} | {name} | {kept} | {verdict.text} | {seconds:.0f} |", flush=True)


def noise(repeats: int) -> None:
    from sklearn.feature_selection import SelectKBest, f_classif
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    n_held, wrong = 0, []
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(150, 2_000)).astype(np.float32)
        y = rng.permutation(np.arange(150) % 2)
        parts = {"train": (0, 100), "valid": (100, 130), "calibration": (130, 150)}
        rows = {n: Rows({"x": x[a:b]}, y[a:b]) for n, (a, b) in parts.items()}
        task = make_task("noise", model=LogisticRegression(), train=(x, y), metric="accuracy")
        task = replace(task, data=Splits(**rows))
        outcome = outcome_of(task, "", "smoke", select="f_test", n_sizes=3, nested_folds=5)
        note = next(n for n in outcome.notes if n.startswith("Nested"))
        low, high = (float(v) for v in note.split("(")[1].split(" %)")[0].split(" % to "))
        n_held += low <= 50 <= high
        chosen = SelectKBest(f_classif, k=20).fit_transform(x[:100], y[:100])
        wrong.append(cross_val_score(LogisticRegression(), chosen, y[:100], cv=5).mean())
    print(f"The interval holds one half in {n_held} of {repeats} tables.")
    print(f"Selection before the split shows an accuracy of {np.mean(wrong):.3f} on average.")


def table_of(n: int) -> pd.DataFrame:
    """A table of n rows with columns of all kinds."""
    rng = np.random.default_rng(0)
    words = np.array(["delay", "refund", "great", "broken", "late", "fast", "box", "blue"])
    number = rng.normal(size=n)
    texts = words[rng.integers(0, len(words), (n, 4))]
    return pd.DataFrame(
        {
            "number": np.where(rng.random(n) < 0.05, np.nan, number),
            "amount": rng.exponential(size=n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "customer": np.char.add("c", rng.integers(0, 1_000_000, n).astype(str)).astype(object),
            "date": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 1_400, n), unit="D"),
            "review": [" ".join(row) for row in texts.tolist()],
            "target": (number + rng.normal(size=n) > 0).astype(int),
        }
    )


def rows(n: int) -> None:
    frame = table_of(n)
    began = time.perf_counter()
    task = make_task("large", train=frame, target="target").without_test()
    print(f"make_task: {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    outcome = outcome_of(task, "linear", "smoke", encode="simple", select="f_test")
    print(f"features, its start and its control: {time.perf_counter() - began:.0f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"peak memory: {peak:.1f} GB")
    for note in outcome.notes:
        print("-", note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("flights", "noise", "rows"))
    parser.add_argument("--budget", default="standard")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.which == "flights":
        flights(options.budget)
    elif options.which == "noise":
        noise(options.repeats)
    else:
        rows(options.rows)


if __name__ == "__main__":
    main()
