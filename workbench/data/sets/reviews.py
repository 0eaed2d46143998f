"""Sentences of movie reviews: 10,041 English sentences, positive or negative by their ratings.

Pang and Lee collected the sentences from Rotten Tomatoes. About twenty readers rated each sentence
from -4 to 4; Hutto and Gilbert published sentences and ratings with VADER under the MIT licence.
This data set contains the sentences whose mean rating is more than 0.5 from zero. Of these 10,043,
two occur twice and are kept once. The source does not name the review of a sentence, so sentences
of one review may be in different splits. Each split has the same share of positive sentences.

Sources: Pang, Lee, "Seeing stars: exploiting class relationships for sentiment categorization with
respect to rating scales", ACL 2005; Hutto, Gilbert, "VADER: a parsimonious rule-based model for
sentiment analysis of social media text", ICWSM 2014, https://github.com/cjhutto/vaderSentiment
"""

from __future__ import annotations

import html
import io
import lzma
import tarfile
from pathlib import Path

import numpy as np

from workbench.data.rows import SPLIT_NAMES, Rows, Splits
from workbench.errors import DataError, required

__all__ = ["CLASSES", "pack", "reviews"]

CLASSES = ("negative", "positive")
FILES = Path(__file__).parent / "files"
SIZES = {"train": 6_041, "valid": 1_500, "calibration": 500, "test": 2_000}
MIN_RATING = 0.5  # absolute mean rating; sentences below it are neither positive nor negative
ARCHIVE = "additional_resources/hutto_ICWSM_2014.tar.gz"
MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


def reviews() -> Splits:
    """The embedded rows: 6,041 train, 1,500 valid, 500 calibration, 2,000 test.

    Inputs: `text`, objects `(rows,)`. Targets: int64 `(rows,)`, 1 if positive. Raises DataError
    when the file has another number of rows.
    """
    lines = lzma.decompress((FILES / "reviews.xz").read_bytes()).decode("utf-8").splitlines()
    ratings, texts = zip(*(line.split("\t", 1) for line in lines), strict=True)
    rows = Rows({"text": np.array(texts, object)}, (np.array(ratings, float) > 0).astype(np.int64))
    ends = np.cumsum([0, *SIZES.values()]).tolist()
    if ends[-1] != len(rows):
        raise DataError(
            f"{FILES / 'reviews.xz'} holds {len(rows):,} rows, not {ends[-1]:,}: install the "
            "package again."
        )
    parts = {
        name: rows.take(slice(first, end))
        for name, first, end in zip(SIZES, ends[:-1], ends[1:], strict=True)
    }
    return Splits(**parts)


def pack(source: Path, folder: Path = FILES) -> None:
    """Write the embedded file `files/reviews.xz` from the source archive of vaderSentiment 3.3.2.

    The file has one line a row, rating and sentence, with the splits one after the other. Download
    the archive by `pip download --no-deps --no-binary :all: vaderSentiment==3.3.2`.
    """
    rated = _rated(source)
    labels = np.array([rating > 0 for _, rating in rated])
    rng = np.random.default_rng(2014)
    parts: dict[str, list[int]] = {name: [] for name in SPLIT_NAMES}
    negative, positive = (
        rng.permutation(np.flatnonzero(labels == value)).tolist() for value in (False, True)
    )
    for name in reversed(SPLIT_NAMES):
        n_positive = round(SIZES[name] * labels.mean())
        for rows, n in ((negative, SIZES[name] - n_positive), (positive, n_positive)):
            n_taken = len(rows) if name == "train" else n  # train comes last and takes the rest
            parts[name] += [rows.pop() for _ in range(n_taken)]
    order = [i for name in SPLIT_NAMES for i in rng.permutation(parts[name])]
    content = "".join(f"{rated[i][1]:.3f}\t{rated[i][0]}\n" for i in order)
    (folder / "reviews.xz").write_bytes(
        lzma.compress(content.encode("utf-8"), preset=9 | lzma.PRESET_EXTREME)
    )


def _rated(source: Path) -> list[tuple[str, float]]:
    """Distinct sentences and their mean rating, without ratings near zero, in published order."""
    with tarfile.open(source) as outer:
        member = next(m for m in outer.getmembers() if m.name.endswith(ARCHIVE))
        inner = required(outer.extractfile(member))
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as archive:
            content = required(archive.extractfile(MEMBER)).read().decode("utf-8")
    rated: dict[str, float] = {}
    for line in content.splitlines():
        _, rating, text = line.split("\t")
        if abs(float(rating)) > MIN_RATING:
            rated.setdefault(" ".join(html.unescape(text).split()), float(rating))
    return list(rated.items())
