"""coverage(): how many operators of an ONNX file run in int8 on an engine of this machine."""

from __future__ import annotations

from workbench.errors import UnknownName, unknown
from workbench.runtimes import RUNTIMES
from workbench.runtimes.coverage import Coverage

__all__ = ["Coverage", "coverage"]


def coverage(content: bytes, runtime: str = "onnxruntime") -> Coverage:
    """The coverage of an ONNX file's content on a runtime.

    Raises CandidateError when the runtime cannot load it, UnknownName for a runtime that does not
    report its operators.
    """
    readers = {name: r.coverage for name, r in RUNTIMES.all().items() if r.coverage is not None}
    if runtime not in readers:
        raise UnknownName(unknown("runtime with a coverage", runtime, readers))
    return readers[runtime](content)
