"""The result in one sentence: plain words, no claim that the numbers do not carry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.factories import make_row, make_verdict
from tests.ledger.test_factors import session_rows
from workbench.ledger.factors import with_factors
from workbench.ledger.rows import Row, TestLine
from workbench.ledger.summary import summary
from workbench.technique import Decision


def _test_line(decision="worse", difference=-0.012, half=0.0025, n=2000, **changes) -> TestLine:
    verdict = replace(
        make_verdict("accuracy", decision, difference),
        low=difference - half,
        high=difference + half,
        n=n,
        **changes,
    )
    return TestLine(
        "net-int8", "accuracy", "points", n, (0.92, 0.9, 0.93), (0.91, 0.9, 0.92), (verdict,)
    )


def _pair(smaller=4.0, faster=2.5, *, score=None, latency="better", **changes) -> list[Row]:
    """A start and one step, neither as ONNX; `score` is the verdict on the accuracy."""
    start = make_row("start", runtime="torch", candidate="net", latencies_ms={1: 2.0})
    row = make_row(
        "pruning",
        "pruning",
        runtime="torch",
        candidate="net-pruned",
        parent="start",
        size_bytes=1_000_000 / smaller,
        latencies_ms={1: 2.0 / faster},
        start_latencies_ms={1: 2.0},
        parent_latencies_ms={1: 2.0},
        against_start=(
            score or make_verdict("accuracy", "equivalent"),
            replace(make_verdict("batch-1 latency", latency), difference=1 / faster),
        ),
        against_parent=(
            make_verdict("accuracy"),
            replace(make_verdict("batch-1 latency", latency), difference=1 / faster),
        ),
        **changes,
    )
    return [start, row]


def test_sentence_of_the_issue():
    rows = session_rows(
        [(None, None, 2.46), (2.46, 2.46, 0.66), (2.4, 0.66, 0.30), (2.4, 0.3, 0.22)],
        sizes=[1_000_000, 1_100_000, 312_000, 85_000],
    )
    assert summary(rows, _test_line(), accepted_drop=1.5) == (
        "13 times smaller and 3.0 times faster than the same model in ONNX Runtime; 1.2 points "
        "worse on test, your limit is 1.5 points: kept."
    )


@pytest.mark.parametrize(
    ("smaller", "faster", "words"),
    [
        (4.0, 2.5, "4.0 times smaller and 2.5 times faster than the start;"),
        (1.0, 2.5, "2.5 times faster than the start and as large;"),
        (4.0, 1.0, "4.0 times smaller than the start and as fast;"),
        (1.0, 1.0, "As large and as fast as the start;"),
        (0.5, 0.8, "2.0 times larger and 1.2 times slower than the start;"),
        (1.05, 1.06, "5 % smaller and 6 % faster than the start;"),
        (127.0, 31.4, "130 times smaller and 31 times faster than the start;"),
    ],
)
def test_size_and_speed_in_words(smaller, faster, words):
    assert summary(_pair(smaller, faster)).startswith(words)


@pytest.mark.parametrize(
    ("runtimes", "words"),
    [
        (("torch", "onnxruntime"), "than the same model in PyTorch"),
        (("sklearn", "onnxruntime"), "than the same model in scikit-learn"),
        (("onnxruntime", "onnxruntime"), "than the start;"),
        (("of_another_package", "onnxruntime"), "than the same model in of_another_package"),
    ],
)
def test_start_is_named_with_its_engine_where_that_differs(runtimes, words):
    rows = [replace(r, runtime=n) for r, n in zip(_pair(), runtimes, strict=True)]
    assert words in summary(rows)


def test_start_as_onnx_alone_is_compared_with_the_engine_it_came_from():
    text = summary(session_rows()[:2])
    assert text.startswith("1.1 times smaller and 3.7 times faster than the same model in PyTorch")


def test_another_network_is_not_called_the_same_model():
    rows = session_rows()
    rows[3] = replace(rows[3], candidate="student")
    assert "than the start (net) in ONNX Runtime" in summary(rows)


@pytest.mark.parametrize(
    ("decision", "difference", "words"),
    [
        ("worse", -0.012, "; 1.2 points worse on valid."),
        ("better", 0.0035, "; 0.35 points better on valid."),
        ("equivalent", 0.001, "; as good as before on valid (within 1 point)."),
    ],
)
def test_change_of_the_score_in_words(decision, difference, words):
    score = make_verdict("accuracy", decision, difference)
    assert summary(_pair(score=score)).endswith(words)


@pytest.mark.parametrize(
    ("decision", "difference", "words"),
    [
        ("better", 0.0035, "0.35 points better on valid; 4.0 times"),
        ("worse", -0.012, "1.2 points worse on valid, so the simpler start is to be kept; "),
        ("equivalent", 0.001, "Accuracy no better on valid (the same within 1 point), so the "),
    ],
)
def test_step_that_should_raise_the_score_begins_with_it(decision, difference, words):
    rows = _pair(score=make_verdict("accuracy", decision, difference), aim="quality")
    text = summary(rows)
    assert text.startswith(words)
    assert ("simpler start is to be kept" in text) == (decision != "better")


def test_baselines_beside_a_run_change_neither_sentence_nor_factors():
    rows = _pair()
    baseline = make_row("baseline dummy", "baseline", candidate="dummy", latencies_ms={})
    assert summary([baseline, *rows]) == summary(rows)
    assert with_factors([baseline, *rows])[1:] == with_factors(rows)


def test_undecided_change_tells_how_many_rows_would_decide():
    score = replace(
        make_verdict("accuracy", "undecided"), difference=-0.004, smallest=0.0137, margin=0.005
    )
    assert summary(_pair(score=score)).endswith(
        "; accuracy undecided with 1,000 valid rows (-0.40 points), about 12,000 rows would decide."
    )


def test_metric_with_a_unit_of_its_own_is_named():
    verdict = replace(
        make_verdict("mse", "worse"), difference=0.0123, unit="", higher_is_better=False
    )
    rows = [replace(r, metric="mse", unit="") for r in _pair(score=verdict)]
    assert summary(rows).endswith("; mse worse by 0.0123 on valid.")
    limited = replace(verdict, low=0.0100, high=0.0146)
    rows = [replace(r, metric="mse", unit="") for r in _pair(score=limited)]
    assert summary(rows, accepted_drop=0.02).endswith("your limit is 0.02: kept.")
    assert summary(rows, accepted_drop=0.005).endswith("your limit is 0.005: not kept.")


@pytest.mark.parametrize(
    ("accepted", "words"),
    [
        (1.5, "your limit is 1.5 points: kept."),
        (1.0, "your limit is 1 point: cannot be decided with these rows, about"),
        (0.5, "your limit is 0.5 points: not kept."),
    ],
)
def test_limit_is_kept_only_if_the_whole_interval_is_inside(accepted, words):
    text = summary(session_rows(), _test_line(), accepted_drop=accepted)
    assert words in text
    assert "your limit" not in summary(session_rows(), _test_line())


def test_quick_check_claims_nothing():
    rows = [replace(r, budget="smoke") for r in _pair(score=make_verdict("accuracy", "worse"))]
    text = summary(rows, accepted_drop=1.0)
    assert text == (
        "Quick check, decides nothing: 4.0 times smaller and about 2.5 times faster than the "
        "start; accuracy changed by -0.20 points on 1,000 valid rows, your limit is 1 point: not "
        "decided by a quick check."
    )


def test_quick_check_that_its_rows_cannot_decide_tells_how_many_would():
    line = _test_line("undecided", 0.0, half=0.0134, n=350, smallest=0.019, margin=0.005)
    rows = [replace(r, budget="smoke") for r in _pair()]
    assert summary(rows, line).endswith(
        "accuracy changed by +0.00 points on 350 test rows, about 5,100 rows would decide."
    )


@pytest.mark.parametrize("budget", ["standard", "smoke"])
def test_row_timed_beside_other_work_states_no_factor_of_speed_as_a_result(budget):
    rows = [replace(r, busy=0.6, budget=budget) for r in _pair()]
    assert (
        "4.0 times smaller than the start, about 2.5 times faster, timed beside other work: not "
        "decided;" in summary(rows)
    )
    rows = [replace(r, busy=0.6) for r in _pair(1.0, 1.0)]
    assert summary(rows).startswith(
        "As large as the start, about as fast, timed beside other work: not decided;"
    )


def test_speed_whose_verdict_is_undecided_is_not_stated_as_a_result():
    assert summary(_pair(4.0, 1.1, latency="undecided")).startswith(
        "4.0 times smaller than the start, about 1.1 times faster: not decided;"
    )


def test_run_without_timing_says_so():
    rows = [
        replace(r, latencies_ms={}, start_latencies_ms={}, parent_latencies_ms={}) for r in _pair()
    ]
    assert summary(rows).startswith("4.0 times smaller than the start (speed was not measured);")


def test_start_alone_is_told_with_its_numbers():
    start = make_row("start", candidate="net")
    assert summary([start], accepted_drop=1.0) == (
        "The start alone was measured: accuracy 90.00 % on valid, a file of 1.00 MB, 1.50 ms a "
        "call at batch 1."
    )
    assert "a call" not in summary([replace(start, latencies_ms={})])
    assert "(timed beside other work)" in summary([replace(start, busy=0.5)])


def test_decisions_are_told_alone_and_after_a_model():
    decided = Row(
        "monitoring", "monitoring", decision=Decision("drift", "Two columns moved.", {}, "Retrain.")
    )
    assert summary([decided]) == "Decision of monitoring: drift - Two columns moved."
    assert summary([*_pair(), decided]).endswith(
        "; decision of monitoring: drift - Two columns moved."
    )
    plain = replace(decided, decision=Decision("no drift", "", {}, ""))
    assert summary([plain]) == "Decision of monitoring: no drift."


def test_ledger_without_rows_is_told():
    assert summary([]) == "No step has finished."


def test_every_sentence_is_one_and_has_no_empty_part():
    texts = [
        summary(rows, line, accepted_drop=drop)
        for rows in ([], _pair()[:1], _pair(), session_rows(), session_rows()[:2])
        for line in (None, _test_line(), _test_line("undecided", 0.001, 0.01))
        for drop in (None, 0.0, 1.5)
    ]
    for text in texts:
        assert text.endswith(".")
        assert "None" not in text
        assert not any(bad in text for bad in ("; ;", ", ,", ",,", "  ", "()", ";,", ";.", ",."))
        assert text[0].isupper() or text[0].isdigit()
        assert ". " not in text, "one sentence"
