"""1,000 generated bad inputs: no foreign exception, and no silent default."""

from __future__ import annotations

import pytest

from tests.generated.kinds import KINDS, Kind, cases_of
from tests.generated.running import prove

N_CASES = 1000


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_bad_input_is_taken_as_given_or_refused_in_words(kind: Kind) -> None:
    prove(kind, cases_of(kind, N_CASES))
