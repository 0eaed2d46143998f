"""Reworded sentences: as many, made of the words of train, none empty, and the same for the same seed."""

from __future__ import annotations

import numpy as np

from workbench.data.reviews import reviews
from workbench.data.rewording import reword


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
    lengths = np.array([[len(t.split()) for t in pair] for pair in zip(texts["text"], made, strict=True)])
    assert np.mean(lengths[:, 1] < 0.8 * lengths[:, 0]) > 0.3
    assert np.mean(lengths[:, 1] > lengths[:, 0]) > 0.05


def test_empty_sentences_do_no_harm_and_other_columns_are_handed_on():
    made = reword({"text": np.array(["", "one"], object), "year": np.array([1, 2])}, np.random.default_rng(0))
    assert made["text"].shape == (2,)
    assert made["text"][1], "a sentence with words keeps one at least"
    np.testing.assert_array_equal(made["year"], [1, 2])
    assert reword({"text": np.array(["", ""], object)}, np.random.default_rng(0))["text"].tolist() == ["", ""]
