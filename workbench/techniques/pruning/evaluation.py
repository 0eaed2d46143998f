"""Fast evaluation of variants of one network: quality and loss on part of valid, with a cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from workbench.data.tensors import TensorRows, tensor
from workbench.metrics import like_targets
from workbench.models.networks import copied
from workbench.system.cache import Cache, fingerprint
from workbench.training.evaluate import predict_batches
from workbench.training.losses import loss_for

if TYPE_CHECKING:
    from torch import nn

    from workbench.technique import Job
    from workbench.techniques.pruning import PruningSettings

__all__ = ["CachedEvaluation"]

N_ROWS = {"smoke": 256, "standard": 1000, "thorough": 1_000_000}


class CachedEvaluation:
    """Quality and loss of variants of the job's network on a fixed part of valid.

    Each result is written to the job's cache at once, so a cancelled run continues after its last
    result. The key holds the network, the rows, the importance and, where they matter, the seed.
    """

    def __init__(self, job: Job, settings: PruningSettings, purpose: str) -> None:
        self._job = job
        task = job.task
        valid = task.data.valid
        n_rows = min(N_ROWS[settings.budget], len(valid))
        order = np.random.default_rng(0).permutation(len(valid))
        rows = valid.take(np.sort(order[:n_rows]))
        self._targets = np.asarray(rows.targets)
        self._rows = TensorRows(rows, job.start.prepare or task.prepare, job.device)
        seed = job.seed if settings.importance in ("random", "taylor") else 0
        key = fingerprint(
            f"{purpose} 1",
            job.start.model,
            valid.digest if hasattr(valid, "digest") else self._targets,
            n_rows,
            settings.importance,
            seed,
            task.metric.name,
        )
        self._cache = Cache(job.cache, f"{purpose}-{key}")

    def evaluate(self, name: str, build: Callable[[], nn.Module]) -> tuple[float, float | None]:
        """Quality and loss of the variant called `name`; the loss is None with a `train_step`.

        `build` is called only where the cache has no result.
        """
        result = self._cache.get(name)
        if result is None:
            result = self._measure(build())
            self._cache.put(name, result)
        return tuple(result)

    def _measure(self, model: nn.Module) -> list[float | None]:
        job = self._job
        model = copied(model).to(job.device)
        batches = predict_batches(model, self._rows, job.device, {}, job.report)
        outputs = np.concatenate(list(batches))
        quality = job.task.metric(like_targets(outputs, self._targets), self._targets)
        return [float(quality), self._loss(outputs)]

    def _loss(self, outputs: np.ndarray) -> float | None:
        task = self._job.task
        if task.loss is None and task.train_step:
            return None
        loss_of = task.loss or loss_for(task.kind)
        return float(loss_of(tensor(outputs, "cpu"), tensor(self._targets, "cpu")))
