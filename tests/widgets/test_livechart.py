"""The kernel's half of the live chart: each point is sent once, at most ten messages a second."""

from __future__ import annotations

import math
import re
import threading
import time

import numpy as np
import pytest

from workbench.widgets.livechart import LiveChart


class Page:
    """A page that receives the messages of a chart."""

    def __init__(self) -> None:
        self.curves: dict[str, list[tuple[float, float]]] = {}
        self.kinds: list[str] = []
        self.times: list[float] = []
        self.gaps = 0

    def __call__(self, content, buffers=None) -> None:
        self.kinds.append(content["kind"])
        self.times.append(time.monotonic())
        if content["kind"] == "full":
            self.curves = {}
        elif content["after"] != self.n:
            self.gaps += 1
        for name, buffer in zip(content["series"], buffers, strict=True):
            self.curves.setdefault(name, []).extend(
                map(tuple, np.frombuffer(buffer).reshape(-1, 2))
            )

    @property
    def n(self) -> int:
        return sum(map(len, self.curves.values()))

    def wait_for(self, n: int) -> None:
        deadline = time.monotonic() + 10
        while self.n < n and time.monotonic() < deadline:
            time.sleep(0.01)


def hello(chart: LiveChart) -> None:
    chart._handle_custom_msg({"kind": "hello"}, [])


@pytest.fixture
def chart(monkeypatch):
    chart = LiveChart()
    chart.page = Page()
    monkeypatch.setattr(chart, "send", chart.page, raising=False)
    yield chart
    chart.close()


def test_a_page_that_says_hello_gets_everything(chart):
    for i in range(50):
        chart.add("train loss", i, 1 / (i + 1))
    chart.add("valid loss", 49, 0.5)
    chart.page.__init__()  # the page was reloaded
    hello(chart)
    assert chart.page.kinds == ["full"]
    assert len(chart.page.curves["train loss"]) == 50
    assert chart.page.curves["valid loss"] == [(49.0, 0.5)]


def test_points_waiting_when_a_page_says_hello_are_not_sent_twice(chart):
    chart.add("loss", 0, 1.0)
    chart.add("loss", 1, 0.9)  # waits for its turn
    hello(chart)
    chart.flush()
    assert chart.page.curves == {"loss": [(0.0, 1.0), (1.0, 0.9)]}
    assert chart.page.kinds == ["add", "full"]


def test_a_page_that_lost_the_last_points_gets_all_of_them(chart):
    chart.add("loss", 0, 1.0)
    chart._handle_custom_msg({"kind": "have", "n": 1}, [])
    assert chart.page.kinds == ["add"]  # nothing is missing: nothing is sent
    chart.add("loss", 1, 0.9)
    chart.flush()
    chart.page.__init__()  # the server dropped the delta, and no other follows
    chart._handle_custom_msg({"kind": "have", "n": 1}, [])
    assert chart.page.kinds == ["full"]
    assert chart.page.curves == {"loss": [(0.0, 1.0), (1.0, 0.9)]}


def test_the_last_point_arrives_without_another_add(chart):
    for i in range(5):
        chart.add("loss", i, 0.0)
    assert chart.page.n < 5
    chart.page.wait_for(5)
    assert chart.page.n == 5


def test_many_points_leave_in_few_messages(chart):
    started = time.monotonic()
    while time.monotonic() - started < 0.55:
        chart.add("loss", time.monotonic(), 0.0)
        time.sleep(0.001)
    messages, seconds = len(chart.page.kinds), time.monotonic() - started
    assert messages <= seconds * 10 + 1
    assert np.diff(chart.page.times).min() >= 0.09


def test_points_of_many_threads_all_arrive_in_order(chart):
    def work(name: str) -> None:
        for i in range(2000):
            chart.add(name, i, i)
            if i % 500 == 0:
                chart.flush()

    threads = [threading.Thread(target=work, args=(f"curve {k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        hello(chart)
    for thread in threads:
        thread.join()
    chart.page.wait_for(8000)
    assert chart.page.gaps == 0
    assert all(
        points == [(float(i), float(i)) for i in range(2000)]
        for points in chart.page.curves.values()
    )
    assert len(chart.page.curves) == 4


def test_clear_empties_the_page_and_the_count_starts_again(chart):
    chart.add("loss", 0, 1.0)
    chart.add("loss", 1, 1.0)
    chart.clear()
    assert chart.page.curves == {}
    chart.add("other", 0, 2.0)
    chart.page.wait_for(1)
    assert chart.page.curves == {"other": [(0.0, 2.0)]}
    assert chart.page.gaps == 0


def test_values_are_taken_as_numbers_and_gaps_travel(chart):
    chart.add("loss", np.int64(1), np.float32(0.5))
    chart.add("loss", 2, math.nan)
    chart.flush()
    assert chart.page.curves["loss"][0] == (1.0, 0.5)
    assert math.isnan(chart.page.curves["loss"][1][1])
    with pytest.raises(ValueError, match="could not convert"):
        chart.add("loss", 3, "high")
    assert chart.page.n == 2


def test_nothing_is_sent_when_nothing_is_new_or_the_chart_is_closed(chart):
    chart.flush()
    chart.add("loss", 0, 0)
    chart.add("loss", 1, 0)
    chart.close()
    time.sleep(0.15)
    assert chart.page.kinds == ["add"]


def test_the_script_is_whole_and_fetches_nothing():
    script = LiveChart._esm
    assert len(re.findall(r"^export (?:default|\{)", script, flags=re.MULTILINE)) == 1
    assert "export default { render }" in script
    assert "import " not in script.split("The page's half of LiveChart")[1]
    assert "http" not in LiveChart._css
