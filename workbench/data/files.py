"""Files of rows: CSV, Parquet and Feather files as DataFrames."""

from __future__ import annotations

import csv
import difflib
import io
import os
import re
import warnings
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from workbench.data.notices import notice
from workbench.errors import DataError, sentence_of
from workbench.system.texts import bom_encoding

__all__ = [
    "FORMATS",
    "is_file_of_rows",
    "is_path",
    "paths_of",
    "read_file",
    "texts_read_as_missing",
]

FORMATS = (".csv", ".tsv", ".parquet", ".feather")
PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst")  # pandas unpacks a text file with these endings
SEPARATORS = (",", ";", "\t", "|")
DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?")


def is_path(data: Any) -> bool:
    """Whether data are given as the path of a file."""
    return isinstance(data, (str, os.PathLike))


def is_file_of_rows(name: str) -> bool:
    """Whether a name ends as that of a file that `read_file` reads."""
    return _kind(Path(name)) in FORMATS


def paths_of(data: Mapping[str, Any]) -> dict[str, str]:
    """The absolute path of each of the data that are given as one."""
    return {name: str(_absolute(path)) for name, path in data.items() if is_path(path)}


def read_file(path: str | os.PathLike[str]) -> Any:
    """The DataFrame of a CSV, Parquet or Feather file; a CSV file may be compressed.

    The separator of a CSV file is found in its first line. Texts are UTF-8, or UTF-16 and UTF-32
    with a byte order mark. Raises DataError for a file that is not there or cannot be read.
    """
    file = _existing(path)
    kind = _kind(file)
    if kind not in FORMATS:
        raise DataError(
            f"{file} is no file of rows: its name must end in {', '.join(FORMATS)}, and a text "
            f"file may be compressed ({', '.join(PACKED)}). Read other files in Python, and give "
            "the DataFrame."
        )
    import pandas as pd

    try:
        if kind in (".csv", ".tsv"):
            return _read_text(file, "\t" if kind == ".tsv" else None)
        return (pd.read_parquet if kind == ".parquet" else pd.read_feather)(file)
    except DataError:
        raise
    except ImportError as error:
        raise DataError(
            f"{file} cannot be read: {sentence_of(error)} Install the library: python -m pip "
            'install "pyarrow>=18".'
        ) from error
    except Exception as error:  # pandas passes on the errors of its parsers
        raise DataError(
            f"{file} is not a {kind[1:].upper() if kind == '.csv' else kind[1:]} file that can be "
            f"read: {sentence_of(error)}"
        ) from error


def texts_read_as_missing(path: str | os.PathLike[str], column: str) -> list[str]:
    """The texts of a column of a CSV file that pandas reads as missing, such as `NA`; sorted.

    Empty places are not among them. The list is empty for files of other formats.
    """
    file = _existing(path)
    if _kind(file) not in (".csv", ".tsv"):
        return []
    encoding = _encoding(file)
    first = _first_record(file, encoding, "\t" if _kind(file) == ".tsv" else None)
    options: dict[str, Any] = {
        "sep": first[0] if first else ",",
        "encoding": encoding,
        "index_col": False,
        "dtype": str,
    }
    raw = _parsed(file, {**options, "keep_default_na": False})[column]
    missing = _parsed(file, options)[column].isna().to_numpy()
    return sorted({text for text in raw.to_numpy(object)[missing] if text.strip()})


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


def _kind(file: Path) -> str:
    """The ending of a name that says the format, in small letters."""
    endings = [ending.lower() for ending in file.suffixes[-2:]]
    if endings and endings[-1] in PACKED and len(endings) == 2 and endings[0] in (".csv", ".tsv"):
        return endings[0]
    return endings[-1] if endings else ""


def _existing(path: str | os.PathLike[str]) -> Path:
    """The absolute path of a file that is there; raises DataError with the nearest name."""
    text = os.fspath(path)
    if not text or "\x00" in text:
        raise DataError(f"{text[:200]!r} is no path: give the name of a file.")
    if "://" in text:
        raise DataError(f"{text} is an address: download the file, and give its path.")
    try:
        file = _absolute(path)
        if file.is_file():
            return file
        is_folder = file.is_dir()
        beside = [p.name for p in islice(file.parent.iterdir(), 1000)] if not is_folder else []
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null byte, no such user
        beside, is_folder = [], False
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise DataError(f"{text[:200]!r} cannot be a path: {sentence_of(error)}") from error
    if is_folder:
        inside = sorted(p.name for p in islice(file.iterdir(), 1000) if _kind(p) in FORMATS)
        hint = f" It holds {', '.join(inside[:8])}." if inside else ""
        raise DataError(f"{file} is a folder: give the path of one file.{hint}")
    nearest = difflib.get_close_matches(file.name, beside, n=1, cutoff=0.5)
    hint = f" Did you mean `{nearest[0]}`?" if nearest else ""
    raise DataError(
        f"There is no file {str(file)[:300]}.{hint} Relative paths start in the working folder, "
        f"{Path.cwd()}."
    )


def _read_text(file: Path, separator: str | None) -> Any:
    """A CSV file as a DataFrame, its first line checked before pandas changes names."""
    import pandas as pd

    encoding = _encoding(file)
    first = _first_record(file, encoding, separator)
    if first is None:
        raise DataError(f"{file} is empty: the first line must hold the names of the columns.")
    separator, header = first
    counter = header[0].strip() == "" and len(header) > 1
    _refuse_names(file, header[1:] if counter else header)
    options: dict[str, Any] = {
        "sep": separator,
        "encoding": encoding,
        "low_memory": False,  # one type a column, not one a part of the file
        "index_col": False,
    }
    try:
        frame = _parsed(file, options)
        if separator == ";" and _has_decimal_commas(frame):
            frame = _parsed(file, {**options, "decimal": ","})
            notice(f"{file.name}: numbers such as `1,5` are read as 1.5.")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is not {encoding.upper()} (byte 0x{error.object[error.start]:02x}): save it "
            "as UTF-8, or read it with `pandas.read_csv(path, encoding=...)` and give the "
            'DataFrame; "cp1252" is usual on Windows.'
        ) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = sentence_of(error).removeprefix("Error tokenizing data. C error: ")
        raise DataError(
            f"{file} has lines of unequal length ({reason.rstrip('.')}): each line needs "
            f"{len(header)} values separated by {separator!r}."
        ) from error
    if len(frame) and frame.iloc[:, -1].isna().any():
        _refuse_short_lines(file, encoding, separator, len(header))
    return _without_counter(file, frame) if counter else frame


def _parsed(file: Path, options: dict[str, Any]) -> Any:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a longer line, cut by pandas
        return pd.read_csv(file, **options)


def _opened(file: Path, encoding: str) -> io.TextIOWrapper:
    from pandas.io.common import get_handle

    binary = get_handle(file, "rb", is_text=False, compression="infer").handle
    return io.TextIOWrapper(binary, encoding=encoding, newline="")


def _encoding(file: Path) -> str:
    from pandas.io.common import get_handle

    with get_handle(file, "rb", is_text=False, compression="infer") as opened:
        head = opened.handle.read(4)
    encoding = bom_encoding(head)
    if encoding is None and b"\x00" in head:
        raise DataError(
            f"{file} is no UTF-8 text; it seems to be UTF-16 without a byte order mark: save it as "
            "UTF-8."
        )
    return encoding or "utf-8"


def _first_record(file: Path, encoding: str, separator: str | None) -> tuple[str, list[str]] | None:
    """The separator and the names of the columns; None for a file without a line."""
    with _opened(file, encoding) as lines:
        try:
            line = next((line for line in lines if line.strip()), None)
            if line is None:
                return None
            outside = re.sub(r'"[^"]*"', "", line)
            separator = separator or max(SEPARATORS, key=outside.count)
            rest = islice(lines, 100)  # a name in quotes may hold the end of a line
            return separator, next(csv.reader([line, *rest], delimiter=separator))
        except UnicodeDecodeError:  # told when the whole file is read
            return separator or ",", ["?"]


def _refuse_names(file: Path, header: list[str]) -> None:
    """Raise DataError for columns without a name, and for two of one name, which pandas renames."""
    names = [name.strip() for name in header]
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise DataError(
            f"{file} has more than one column with the name "
            f"{', '.join(f'`{name}`' for name in twice[:5])}: rename them in the first line."
        )
    if "" in names:
        raise DataError(
            f"{file} has no name for column {names.index('')} (counted from 0): give one in the "
            "first line."
        )


def _without_counter(file: Path, frame: Any) -> Any:
    """The table without its first column, which has no name and numbers the rows.

    Raises DataError for other content of a column without a name.
    """
    import numpy as np

    first = frame.iloc[:, 0].to_numpy()
    if first.dtype.kind in "iu" and len(np.unique(first)) == len(first):
        notice(f"{file.name}: the first column numbers the rows and has no name; it is left out.")
        return frame.iloc[:, 1:]
    raise DataError(f"{file} has no name for its first column: give one in the first line.")


def _has_decimal_commas(frame: Any) -> bool:
    """Whether a column of text holds numbers with decimal commas only."""
    for _, column in frame.items():
        if column.dtype.kind in "biuf":
            continue
        texts = column.dropna().astype(str).head(1000).str.strip()
        if len(texts) and texts.str.fullmatch(DECIMAL_COMMA.pattern).all():
            return True
    return False


def _refuse_short_lines(file: Path, encoding: str, separator: str, n_columns: int) -> None:
    """Raise DataError for a line with too few values, which pandas fills with missing ones."""
    with _opened(file, encoding) as lines:
        reader = csv.reader(lines, delimiter=separator)
        for record in reader:
            if record and len(record) < n_columns:
                raise DataError(
                    f"{file} has lines of unequal length: line {reader.line_num} has "
                    f"{len(record)} of {n_columns} values separated by {separator!r}."
                )
