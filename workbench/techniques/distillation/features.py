"""Inner features of teacher and student: which layer, what is kept of a teacher's, and a student
whose layer is watched.

What a teacher's layer says of each row is computed once and kept as float16, reduced to what the
method looks at:

    hint        the whole map `(channels, height, width)`, made as small as the student's
    attention   the mean square over channels `(height, width)`
    relational  the mean over places `(channels,)`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from workbench.data.tensors import tensor
from workbench.errors import CandidateError, SettingsError, unknown
from workbench.models.networks import call_model, first_tensor
from workbench.runtimes.outputs import BATCH
from workbench.system.cache import fingerprint
from workbench.task import Candidate
from workbench.techniques.distillation.answers import Course, kept_array, teacher_rows

if TYPE_CHECKING:
    from workbench.technique import Job

__all__ = ["Watched", "features_of", "last_map", "project", "reduced", "watched"]

AT_MOST_BYTES = 1 << 30  # of a teacher's features on all rows


class Watched(nn.Module):
    """A student in training: the network, whose `layer` is watched, and a projection of what it
    says that is thrown away.
    """

    def __init__(
        self, network: nn.Module, layer: str, names: tuple[str, ...], projection: nn.Module | None
    ) -> None:
        super().__init__()
        self.network, self.layer, self.names, self.projection = network, layer, names, projection
        self._seen: torch.Tensor | None = None

    def forward(self, *values: torch.Tensor) -> Any:
        if not self.training:
            return call_model(self.network, dict(zip(self.names, values, strict=True)))
        outputs, self._seen = watched(
            self.network, self.layer, dict(zip(self.names, values, strict=True))
        )
        return outputs

    def taken(self) -> torch.Tensor:
        """What the layer gave in the last forward pass, handed out once: a model that keeps it
        cannot be copied.
        """
        seen, self._seen = self._seen, None
        return seen.float()


def watched(
    model: nn.Module, layer: str, inputs: Mapping[str, torch.Tensor]
) -> tuple[Any, torch.Tensor]:
    """The model's outputs, and what `layer` gave while it was called; raises CandidateError when it
    was not.
    """
    seen: list[torch.Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _m, _i, o: seen.append(first_tensor(o))
    )
    try:
        outputs = call_model(model, inputs)
    finally:
        handle.remove()
    if not seen:
        raise CandidateError(
            f"The layer `{layer}` does not run when the model is called: name another."
        )
    return outputs, seen[-1]


def last_map(
    candidate: Candidate,
    inputs: Mapping[str, np.ndarray],
    layer: str = "",
    setting: str = "hint_layer",
) -> str:
    """`layer`, or the automatic one: the last that gives a map before pooling, else a sequence,
    else a vector before the output.

    Raises SettingsError for a layer that the model does not have.
    """
    names = dict.fromkeys(n for n, _ in candidate.model.named_modules() if n)
    if layer:
        if layer not in names:
            raise SettingsError(f"`{setting}`: {unknown('layer', layer, names)}")
        return layer
    shapes = _shapes(candidate.model, inputs)
    maps = [n for n, s in shapes if len(s) == 4 and s[2] * s[3] > 1]
    sequences = [n for n, s in shapes if len(s) == 3 and s[1] > 1]
    vectors = [n for n, s in shapes if len(s) == 2][:-1]
    found = maps or sequences or vectors
    if not found:
        raise SettingsError(
            f"`{candidate.name}` has no inner layer to look at: name one as `{setting}`, or take "
            "`method` logits."
        )
    return found[-1]


def _shapes(
    model: nn.Module, inputs: Mapping[str, np.ndarray]
) -> list[tuple[str, tuple[int, ...]]]:
    """Shapes of what the layers give, in the order in which they ran; what holds others comes after
    them.
    """
    shapes: list[tuple[str, tuple[int, ...]]] = []

    def look(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            found = output[0] if isinstance(output, (tuple, list)) and output else output
            if hasattr(found, "shape"):
                shapes.append((name, tuple(found.shape)))

        return hook

    handles = [m.register_forward_hook(look(n)) for n, m in model.named_modules() if n]
    try:
        _plain_call(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _plain_call(
    model: nn.Module, inputs: Mapping[str, np.ndarray], layer: str = ""
) -> torch.Tensor | None:
    """Call a network in evaluation mode without gradients and leave it as it was; what `layer`
    gave, if one is named.
    """
    modes = {m: m.training for m in model.modules()}
    device = str(next((p.device for p in model.parameters()), "cpu"))
    tensors = {n: tensor(a, device).clone() for n, a in inputs.items()}
    try:
        with torch.no_grad():
            if not layer:
                call_model(model.eval(), tensors)
                return None
            return watched(model.eval(), layer, tensors)[1].float()
    finally:
        for module, mode in modes.items():
            module.training = mode


def reduced(
    feature: torch.Tensor, method: str, size: tuple[int, int] | None = None
) -> torch.Tensor:
    """What a method looks at in a feature `(batch, ...)`; maps larger than `size` are averaged down
    to it first.

    Raises CandidateError for attention in a vector, which has no places to attend to.
    """
    if feature.ndim == 4 and size is not None and method != "relational":
        target = (min(size[0], feature.shape[2]), min(size[1], feature.shape[3]))
        feature = (
            F.adaptive_avg_pool2d(feature, target)
            if target != tuple(feature.shape[2:])
            else feature
        )
    if method == "hint":
        return feature
    if method == "attention":
        if feature.ndim < 3:
            raise CandidateError(
                "`method` attention compares maps or sequences, and this layer gives a vector: "
                "name an earlier layer, or take `method` hint or relational."
            )
        squares = feature.square().mean(1 if feature.ndim == 4 else 2).flatten(1)
        return F.normalize(squares, dim=1)
    return (
        feature.mean((2, 3))
        if feature.ndim == 4
        else feature.mean(1)
        if feature.ndim == 3
        else feature
    )


def project(student: tuple[int, ...], teacher: tuple[int, ...]) -> nn.Module:
    """A 1x1 convolution, or a linear layer, from a student's feature shape `(batch, ...)` to a
    teacher's.

    Raises CandidateError for shapes of which no such layer leads to the other.
    """
    if len(student) == len(teacher) == 4:
        return nn.Conv2d(student[1], teacher[1], 1)
    if len(student) == len(teacher) == 2 or (
        len(student) == len(teacher) == 3 and student[1] == teacher[1]
    ):
        return nn.Linear(student[-1], teacher[-1])
    raise CandidateError(
        f"No projection leads from the student's feature {student[1:]} to the teacher's "
        f"{teacher[1:]}: name other layers as `student_layer` and `hint_layer`, or take `method` "
        "relational, which compares rows only."
    )


def feature_shape(
    candidate: Candidate, layer: str, inputs: Mapping[str, np.ndarray]
) -> tuple[int, ...]:
    """Shape `(batch, ...)` of what a layer gives on these inputs."""
    return tuple(_plain_call(candidate.model, inputs, layer).shape)


def features_of(
    teacher: Candidate,
    layer: str,
    course: Course,
    job: Job,
    method: str,
    size: tuple[int, int] | None,
) -> np.ndarray:
    """What a teacher's layer says of all rows of a course, reduced, as float16; asked once, then
    kept in the cache.
    """
    rows = teacher_rows(teacher, course)
    first = next(iter(rows.batches(2)))[0]
    one = reduced(_plain_call(teacher.model, first, layer), method, size)
    n_bytes = one[0].numel() * 2 * len(rows)
    if n_bytes > AT_MOST_BYTES:
        raise SettingsError(
            f"What `{layer}` of `{teacher.name}` says of {len(rows):,} rows takes "
            f"{n_bytes / 1e9:.1f} GB, more than 1: name a later layer as `hint_layer`, take fewer "
            "`views`, or `method` attention or relational."
        )
    key = fingerprint(
        "features 1", teacher.model, layer, rows, repr(teacher.prepare), method, size or ()
    )

    def asked() -> np.ndarray:
        parts = []
        for done, (inputs, _) in enumerate(rows.batches(BATCH)):
            job.report.progress(done * BATCH, len(rows), f"looking into {teacher.name}")
            parts.append(
                reduced(_plain_call(teacher.model, inputs, layer), method, size)
                .cpu()
                .numpy()
                .astype(np.float16)
            )
        return np.concatenate(parts)

    return kept_array(job.cache / f"features-{key}.npy", asked)
