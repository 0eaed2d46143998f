"""How techniques are declared and found: the package's own, those of third parties, and what is
refused.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from workbench.errors import CandidateError, TaskError, UnknownName
from workbench.settings import TechniqueSettings
from workbench.system import registry
from workbench.technique import Decision, Job, Needs, Outcome, technique
from workbench.techniques import TECHNIQUES, get_technique, technique_names


class RoundingSettings(TechniqueSettings):
    """How to round."""

    digits: int = 3
    """Digits to keep."""


@technique("rounding", title="Rounding", accepts=("torch", "onnx"))
def rounding(job: Job, settings: RoundingSettings) -> Outcome:
    """Rounds the weights.

    More about it.
    """
    return Outcome(
        job.start.child("rounded", "rounding"),
        settings,
        decision=Decision("rounded", f"{settings.digits} digits"),
    )


@technique("anew", title="Anew", accepts=("torch",), gives="onnx", needs=Needs(builder=True))
def anew(job: Job, settings: RoundingSettings) -> Outcome:
    """Builds the network again."""
    return Outcome(None, settings, decision=Decision("built", str(job.build())))


@pytest.fixture
def third_party(monkeypatch):
    """Registers entry points `name=value`, and a module `third_party_module` that holds what is
    given as `holds`.
    """

    def register(holds: dict | None = None, **points: str) -> None:
        made = ModuleType("third_party_module")
        vars(made).update(holds or {})
        monkeypatch.setitem(sys.modules, "third_party_module", made)
        found = [EntryPoint(name, value, "workbench.techniques") for name, value in points.items()]
        monkeypatch.setattr(
            registry,
            "entry_points",
            lambda *, group: found if group == "workbench.techniques" else [],
        )
        _forget()

    yield register
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    TECHNIQUES.refresh()


def test_own_techniques_are_found_without_importing_them():
    assert {"pruning", "quantization"} <= set(technique_names())
    assert technique_names() == tuple(sorted(technique_names()))
    assert all(get_technique(name).name == name for name in technique_names())


@pytest.mark.parametrize("value", ["third_party_module", "third_party_module:found"])
def test_third_party_technique_is_found_by_its_entry_point(monkeypatch, third_party, job_of, value):
    monkeypatch.setattr(
        rounding.function, "__module__", "third_party_module"
    )  # as if it were declared there
    third_party({"found": rounding, "other": 3}, rounding=value)
    assert {"pruning", "rounding"} <= set(technique_names())
    assert get_technique("rounding") is rounding
    outcome = get_technique("rounding")(job_of())
    assert outcome.candidate.technique == "rounding"
    assert outcome.decision.reason == "3 digits", "without settings the defaults count"


def test_third_party_techniques_are_gone_once_unregistered():
    assert "rounding" not in technique_names()


def test_names_are_listed_without_importing_a_third_party(third_party):
    third_party(broken="no_such_module_anywhere")
    assert "broken" in technique_names()


@pytest.mark.parametrize(
    ("typed", "meant"), [("prunning", "pruning"), ("quantisation", "quantization")]
)
def test_unknown_technique_is_refused_with_the_nearest_name(typed, meant):
    with pytest.raises(
        UnknownName, match=f"Unknown technique `{typed}`. Did you mean `{meant}`"
    ) as caught:
        get_technique(typed)
    assert all(f"`{name}`" in str(caught.value) for name in technique_names())


@pytest.mark.parametrize("value", ["third_party_module", "third_party_module:plain"])
def test_module_that_declares_no_technique_is_refused(third_party, value):
    third_party({"plain": lambda job, settings: None}, plain=value)
    with pytest.raises(
        UnknownName,
        match=f"`{value}` declares no technique `plain`: it must hold a Technique of this name",
    ):
        get_technique("plain")


def test_declaration_reads_settings_and_summary_off_the_function():
    assert rounding.settings is RoundingSettings
    assert rounding.summary == "Rounds the weights."
    assert rounding.title == "Rounding"


def test_form_after_is_what_it_gives_or_what_went_in():
    assert rounding.form_after("onnx") == "onnx"
    assert anew.form_after("torch") == "onnx"


def test_form_that_is_not_accepted_is_refused_with_those_that_are(job_of, digits_cnn):
    from dataclasses import replace

    start = replace(digits_cnn, name="forest", form="sklearn")
    with pytest.raises(
        CandidateError,
        match="`rounding` takes models in the form torch or onnx; `forest` is in the form sklearn",
    ):
        rounding(job_of(start=start), RoundingSettings())


def test_technique_that_builds_anew_is_refused_without_a_builder(job_of):
    with pytest.raises(CandidateError, match="has no builder: give `model=` as a function"):
        anew(job_of())
    assert anew(job_of(build=lambda: "built")).decision.reason == "built"


def test_job_refuses_test_rows(job_of, digits_task):
    with pytest.raises(TaskError, match="must not hold test rows"):
        job_of(task=digits_task)


def test_job_gives_example_rows_as_the_candidate_takes_them(job_of):
    example = job_of().example(3)
    assert example["image"].shape == (3, 1, 8, 8)
    assert example["image"].dtype.name == "float32"
