"""The front doors: a user's own loss, metric, step and outputs are what the task that they become
is trained and judged by.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.utils.data import DataLoader

from tests.small_tasks import wine, wine_net
from workbench.errors import TaskError, UnknownName
from workbench.metrics import Metric
from workbench.runtimes.outputs import outputs_of
from workbench.tasks.make import make_task
from workbench.training import FitSettings, fit


def test_own_loss_metric_and_augment_are_what_fit_uses() -> None:
    seen: dict[str, int] = {"loss": 0, "augment": 0}

    def margin(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen["loss"] += 1
        return nn.functional.multi_margin_loss(outputs, targets)

    def jitter(
        inputs: dict[str, torch.Tensor], generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        seen["augment"] += 1
        return {n: t + 0.01 * torch.randn(t.shape, generator=generator) for n, t in inputs.items()}

    def sure(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return 10.0 + (outputs.argmax(1) == targets)

    task = make_task(
        "wine", model=wine_net, train=wine(), loss=margin, metric=[sure, "accuracy"], augment=jitter
    )
    seen["loss"] = 0
    fitted = fit(
        task.build("wine_net"), task, FitSettings(epochs=3, batch_size=32, precision="fp32")
    )
    assert seen == {"loss": fitted.n_steps, "augment": fitted.n_steps}
    assert task.metric.per_sample is not None
    assert all(row["valid_score"] >= 10 for row in fitted.history)


def test_own_train_step_replaces_forward_and_loss() -> None:
    steps = []

    def step(
        model: nn.Module, inputs: dict[str, torch.Tensor], targets: torch.Tensor
    ) -> torch.Tensor:
        steps.append(len(targets))
        return nn.functional.cross_entropy(model(inputs["x"]), targets, label_smoothing=0.1)

    task = make_task("wine", model=wine_net, train=wine(), train_step=step)
    steps.clear()  # it was tried once
    fitted = fit(
        task.build("wine_net"), task, FitSettings(epochs=2, batch_size=32, precision="fp32")
    )
    assert len(steps) == fitted.n_steps


def test_own_metric_may_score_the_whole_and_prefer_small_values() -> None:
    def worst(outputs: np.ndarray, targets: np.ndarray) -> float:
        return np.abs(outputs.reshape(-1) - targets).max()

    worst.higher_is_better = False
    raw = load_diabetes()
    task = make_task("diabetes", model=nn.Linear(10, 1), train=(raw.data, raw.target), metric=worst)
    assert (task.metric.whole is not None, task.metric.higher_is_better) == (True, False)
    assert task.metric(np.zeros((2, 1)), np.array([1.0, 5.0])) == 5.0


@pytest.mark.parametrize(
    ("metric", "error", "message"),
    [
        ("acuracy", UnknownName, "Unknown metric `acuracy`. Did you mean `accuracy`"),
        (7, TaskError, "A metric is a name, a Metric or a function"),
        (lambda o, t: o, TaskError, r"gave shape \(32, 3\) for 32 rows: one number, or one a row"),
        (
            lambda o, t: o.nothing,
            TaskError,
            r"`metric` raised AttributeError on outputs \(32, 3\) and targets \(32,\)",
        ),
        (
            ["accuracy", Metric("accuracy", whole=lambda o, t: 0.0)],
            TaskError,
            "Two metrics have one name",
        ),
    ],
)
def test_make_task_refuses_a_metric_that_cannot_score(
    metric: object, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        make_task("wine", model=wine_net, train=wine(), metric=metric)


class Answer:
    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


class MeanOfWords(nn.Module):
    """Tokens `(batch, length)` and their mask, of any length, to something with `.logits`."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(20, 8), nn.Linear(8, 2)

    def forward(self, attention_mask: torch.Tensor, input_ids: torch.Tensor) -> Answer:
        mask = attention_mask[..., None].float()
        return Answer(self.head((self.words(input_ids) * mask).sum(1) / mask.sum(1)))


def _padded(samples: list[tuple[list[int], int]]) -> dict[str, torch.Tensor]:
    longest = max(len(tokens) for tokens, _ in samples)
    ids = torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens, _ in samples])
    return {
        "input_ids": ids,
        "attention_mask": (ids > 0).long(),
        "labels": torch.tensor([label for _, label in samples]),
    }


def test_sequences_keep_their_length_by_batch_and_logits_are_found() -> None:
    rng = np.random.default_rng(0)
    samples = [
        ([int(t) for t in rng.integers(1, 10, rng.integers(2, 9)) + 10 * (i % 2)], i % 2)
        for i in range(80)
    ]
    task = make_task(
        "words", model=MeanOfWords, train=DataLoader(samples, batch_size=8, collate_fn=_padded)
    )
    candidate, _ = task.candidate()
    lengths = {inputs["input_ids"].shape[1] for inputs, _ in task.data.train.batches(3)}
    assert len(lengths) > 1
    for n in (1, 7):
        assert outputs_of(candidate, task.data.valid.take(slice(0, n)).inputs).shape == (n, 2)
    fitted = fit(
        candidate.model, task, FitSettings(epochs=10, batch_size=16, lr=0.05, precision="fp32")
    )
    assert fitted.history[-1]["valid_score"] == 1.0  # the tokens of the two classes do not overlap
