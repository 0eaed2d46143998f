"""Files of rows: read as they are meant, or refused with the line or the encoding named."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.data.files import read_file, texts_read_as_missing
from workbench.data.notices import WorkbenchWarning
from workbench.errors import DataError
from workbench.tasks.make import make_task

FRAME = pd.DataFrame({"a": [1.5, -2.25, 3.0], "ä": ["x", "y, z", 'q "r"\ns'], "t": [0, 1, 0]})
CSV = FRAME.to_csv(index=False)


@pytest.fixture
def written(tmp_path: Path) -> object:
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV.encode()),
        ("A.CSV", CSV.encode()),
        ("bom.csv", CSV.encode("utf-8-sig")),
        ("utf16.csv", CSV.encode("utf-16")),
        ("utf32.csv", CSV.encode("utf-32")),
        ("crlf.csv", CSV.replace("0\n", "0\r\n").encode()),
        ("semicolon.csv", FRAME.to_csv(index=False, sep=";").encode()),
        ("tab.csv", FRAME.to_csv(index=False, sep="\t").encode()),
        ("tab.tsv", FRAME.to_csv(index=False, sep="\t").encode()),
        ("bar.csv", FRAME.to_csv(index=False, sep="|").encode()),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("blank.csv", b"\n" + CSV.encode()),
    ],
)
def test_table_is_the_same_in_any_encoding_and_with_any_separator(
    written: object, name: str, content: bytes
) -> None:
    pd.testing.assert_frame_equal(read_file(written(name, content)), FRAME)


def test_zip_parquet_and_feather_files_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as file:
        file.writestr("a.csv", CSV)
    FRAME.to_parquet(tmp_path / "a.parquet")
    FRAME.to_feather(tmp_path / "a.feather")
    for name in ("a.csv.zip", "a.parquet", "a.feather"):
        pd.testing.assert_frame_equal(read_file(tmp_path / name), FRAME)


def test_decimal_commas_are_read_with_a_warning(written: object) -> None:
    path = written("a.csv", FRAME.to_csv(index=False, sep=";", decimal=","))
    with pytest.warns(WorkbenchWarning, match="a.csv: numbers such as `1,5` are read as 1.5"):
        assert read_file(path)["a"].tolist() == [1.5, -2.25, 3.0]


def test_column_that_only_numbers_the_rows_is_left_out_with_a_warning(written: object) -> None:
    with pytest.warns(WorkbenchWarning, match="the first column numbers the rows"):
        assert list(read_file(written("a.csv", FRAME.to_csv()))) == ["a", "ä", "t"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", CSV.encode("latin-1"), r"not UTF-8 \(byte 0xe4\).*encoding=.*cp1252"),
        ("a.csv", CSV.encode("utf-16-le"), "UTF-16 without a byte order mark: save it as UTF-8"),
        ("a.csv", b"", "is empty: the first line must hold the names"),
        ("a.csv", b"\n\n", "is empty"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "unequal length .Expected 2 fields in line 3, saw 3"),
        ("a.csv", b"a,b\n1,2,3\n1,2,3\n", "unequal length"),
        ("a.csv", b"a,b\n1,2\n1\n", "line 3 has 1 of 2 values separated by ','"),
        ("a.csv", b"a,b,b\n1,2,3\n", "more than one column with the name `b`"),
        ("a.csv", b"a,,b\n1,2,3\n", "no name for column 1"),
        ("a.csv", b",a\nx,2\n", "no name for its first column"),
        ("a.csv.gz", b"a,b\n", "is not a CSV file that can be read: Not a gzipped file"),
        ("a.parquet", b"hello", "is not a parquet file that can be read"),
        ("a.xlsx", b"", r"its name must end in .csv, .tsv, .parquet, .feather"),
    ],
)
def test_file_that_cannot_be_read_is_refused_with_the_reason(
    written: object, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=f"(?s){name}.*{message}"):
        read_file(written(name, content))


def test_cell_that_is_empty_is_no_short_line(written: object) -> None:
    assert np.isnan(read_file(written("a.csv", "a,b\n1,2\n3,\n"))["b"].to_numpy()).tolist() == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("chrun.csv", "There is no file .*chrun.csv. Did you mean `churn.csv`.*working folder"),
        (".", "is a folder: give the path of one file. It holds churn.csv"),
        ("", "is no path"),
        ("a\0.csv", "is no path"),
        ("a" * 300 + ".csv", "cannot be a path.*too long"),
        ("~nosuchuser/a.csv", "cannot be a path"),
        ("https://x.y/a.csv", "is an address: download the file"),
        ("churn.csv/a.csv", "There is no file"),
    ],
)
def test_path_that_leads_to_no_file_is_refused(
    written: object, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    monkeypatch.chdir(written("churn.csv", CSV).parent)
    with pytest.raises(DataError, match=message):
        read_file(path)


def test_make_task_reads_a_path_and_says_so(
    written: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    frame = pd.DataFrame(x, columns=list("abc")).assign(t=(x[:, 0] > 0).astype(int))
    path = written("churn.csv", frame.to_csv(index=False))
    monkeypatch.setenv("HOME", str(path.parent))
    for given in (path, str(path), "~/churn.csv"):
        task = make_task("churn", train=given, target="t")
        assert sum(task.data.sizes().values()) == 200
        assert f"train read from: {path}" in repr(task)
    assert len(task.read(str(path))) == 200
    assert task.prepare is None
    assert "read from" not in repr(make_task("churn", train=frame, target="t"))


def test_make_task_prepares_the_table_of_a_file_as_a_dataframe(written: object) -> None:
    from torch import nn

    x = np.random.default_rng(0).normal(size=(200, 3))
    frame = pd.DataFrame(x, columns=list("abc")).assign(t=(x[:, 0] > 0).astype(int))
    path = written("churn.csv", frame.to_csv(index=False))
    task = make_task("churn", model=lambda n: nn.Linear(n, 2), train=path, target="t")
    assert task.example(5)["x"].shape == (5, 3)


@pytest.mark.parametrize("labels", [["NA", "yes"] * 50, ["NA"] * 100, ["NA", "n/a", "", "no"] * 25])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_label_that_is_read_as_missing_is_named(written: object, name: str, labels: list) -> None:
    separator = "\t" if name == "a.tsv" else ","
    frame = pd.DataFrame({"a": np.arange(100.0), "t": labels})
    path = written(name, frame.to_csv(index=False, sep=separator))
    with pytest.raises(DataError, match=r"The file has `NA`.* there, which is read as missing"):
        make_task("t", train=path, target="t")
    assert texts_read_as_missing(path, "t") == sorted({"NA", "n/a"} & set(labels))


def test_places_without_a_label_are_no_text_read_as_missing(written: object) -> None:
    frame = pd.DataFrame({"a": np.arange(100.0), "t": ["", "yes"] * 50})
    path = written("a.csv", frame.to_csv(index=False))
    with pytest.raises(DataError, match="50 targets of train are missing") as refused:
        make_task("t", train=path, target="t")
    assert "The file has" not in str(refused.value)
