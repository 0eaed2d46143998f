"""A technique that does nothing, with a setting of every kind, for tests of its command."""

from __future__ import annotations

from typing import Any, Literal

from workbench.settings import Settings, TechniqueSettings, free_form, knob, nested
from workbench.technique import Job, Outcome, technique

__all__ = ["SampleSettings", "sample"]


class SampleFit(Settings):
    """Training of the sample."""

    lr: float = knob(0.1, above=0, high=1)
    """Learning rate."""

    patience: int = knob(3, low=1, expert=True)
    """Epochs without a better score before training stops."""


class SampleSettings(TechniqueSettings):
    """Settings of the sample."""

    method: Literal["channels", "bits"] = knob("channels")
    """Sample method."""

    ratio: float = knob(
        0.5, low=0.0, high=0.9, unit="of the channels", only_if={"method": "channels"}
    )
    """Fraction to remove."""

    n_bits: int = knob(8, low=1, high=16, unit="bits", only_if={"method": "bits"})
    """Bits of a weight."""

    ratios: dict[str, float] = free_form({}, expert=True)
    """Ratios of single layers."""

    name: str | None = knob(None, expert=True)
    """Name of the result."""

    label: str = knob("", expert=True)
    """Label of the result."""

    mirror: bool = knob(True, expert=True)
    """Whether to mirror."""

    fit: SampleFit = nested(SampleFit, title="Fine-tuning")
    """Training after the change."""

    late: SampleFit = nested(SampleFit, only_if={"method": "bits"}, expert=True)
    """Training after the fine-tuning."""


def look(job: Job, settings: SampleSettings) -> dict[str, Any]:
    """An action."""
    return {}


@technique("sample", title="Sample", accepts=("torch",), gives="onnx", actions={"look": look})
def sample(job: Job, settings: SampleSettings) -> Outcome:
    """Does nothing."""
    return Outcome(job.start, settings)
