"""The parts: kinds of columns, dates, the past, rankings, stability."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.data.cells import DateParts, TextParts
from workbench.data.past_rows import PastRows
from workbench.data.table_columns import TableColumns
from workbench.techniques.features.rankings import RANKINGS
from workbench.techniques.features.selector import Selector
from workbench.techniques.features.stability import stability_index

EXTRAS = {"boruta": "boruta", "mrmr": "mrmr", "shap": "shap"}


def test_december_is_as_near_to_january_as_any_two_months():
    dates = pd.DataFrame({"d": pd.date_range("2023-01-15", periods=12, freq="MS")})
    table = pd.DataFrame(DateParts().fit(dates).transform(dates)[:, 1:3])
    steps = np.linalg.norm(table.diff().dropna().to_numpy(), axis=1)
    around = np.linalg.norm(table.iloc[0] - table.iloc[-1])
    np.testing.assert_allclose(around, steps, rtol=1e-6)


def test_dates_as_texts_have_the_parts_of_dates_and_other_texts_are_missing():
    texts = pd.DataFrame({"d": np.array(["2023-03-01 06:00", "no date", None], object)})
    parts = DateParts("parts").fit(texts.iloc[:1])
    assert parts.get_feature_names_out().tolist() == ["d days", "d month", "d weekday", "d hour"]
    values = parts.transform(texts)
    np.testing.assert_allclose(values[0, 1:], [2, 2, 6])
    assert np.isnan(values[1:]).all()


def test_past_means_use_earlier_rows_only_and_are_the_same_for_train_and_new_rows():
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(["2023-05-03", "2023-05-01", "2023-05-02", "2023-05-02"]),
            "who": ["a", "a", "a", "b"],
        }
    )
    past = PastRows(smoothing=0.5).fit(frame, np.array([1, 1, 0, 1]))
    means = past.transform(frame)[:, 0]
    # 3 May: overall mean of three earlier rows 2/3; a had 1 and 0.
    np.testing.assert_allclose(means[0], (1 + 0.5 * 2 / 3) / 2.5)
    np.testing.assert_allclose(means[1], 0.0)  # nothing is earlier
    np.testing.assert_allclose(means[2], (1 + 0.5 * 1) / 1.5)
    np.testing.assert_allclose(means[3], 1.0)  # b is new: the overall mean of 1 May
    later = pd.DataFrame({"date": pd.to_datetime(["2024-01-01"]), "who": ["b"]})
    np.testing.assert_allclose(past.transform(later)[0], [(1 + 0.5 * 0.75) / 1.5, np.log(2)])


def test_texts_with_fewer_words_than_components_have_zeros():
    texts = pd.Series(["good day", "bad day", None], name="t")
    parts = TextParts(n_components=8).fit(texts)
    values = parts.transform(texts)
    assert values.shape == (3, 8)
    assert (values[:, 3:] == 0).all()
    assert (TextParts(4).fit(pd.Series(["", ""])).transform(pd.Series(["new words"])) == 0).all()


def test_kinds_of_columns_are_told_by_their_cells():
    n = 100
    columns = TableColumns.of(
        {
            "number": np.arange(n) * 1.0,
            "mixed": np.array([1, "a"] * 50, object),
            "day": np.array([f"2023-01-{1 + i % 28:02d}" for i in range(n)], object),
            "span": np.arange(n).astype("timedelta64[h]"),
            "list": np.array([[1, 2]] * n + [None], object)[:n],
            "name": np.array([f"name {i}" for i in range(n)], object),
            "infinite": np.array([np.inf, *range(n - 1)]),
        },
        max_categories=40,
    )
    assert columns.kinds == {
        "number": "number",
        "mixed": "category",
        "day": "date",
        "span": "span",
        "infinite": "number",
    }
    assert columns.untidy == {"mixed"}
    assert columns.infinite == {"infinite"}
    assert "identifier" in columns.unused["name"]
    assert "list" in columns.unused["list"]


SLOW = ("boruta", "sequential")


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        *((method, "binary") for method in RANKINGS),
        *((method, "classification") for method in RANKINGS if method not in SLOW),
        *((method, "regression") for method in RANKINGS if method not in SLOW),
    ],
)
def test_every_method_finds_the_three_columns_that_matter(method, kind):
    if method in EXTRAS:
        reason = 'pip install "model-optimization-workbench[features]"'
        pytest.importorskip(EXTRAS[method], reason=reason)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 10))
    x[:, 9] = 2.0  # constant
    if method == "variance":
        x[:, [0, 4, 7]] = rng.integers(0, 2, (300, 3))
    signal = x[:, [0, 4, 7]].sum(axis=1)
    targets = {
        "binary": (signal > np.median(signal)).astype(int),
        "classification": np.digitize(signal, np.quantile(signal, [0.33, 0.67])),
        "regression": signal + 0.1 * rng.normal(size=300),
    }[kind]
    steps = []
    selector = Selector(method, n_features=3, kind=kind)
    selector.fit(x, targets, on_step=lambda *told: steps.append(told))
    assert np.flatnonzero(selector.support_).tolist() == [0, 4, 7]
    assert steps, "progress is told"
    assert selector.transform(x).shape == (300, 3)
    if method != "boruta":
        again = Selector(method, n_features=3, kind=kind).fit(x, targets)
        np.testing.assert_array_equal(again.order_, selector.order_)


def models_to_explain():
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import SVR

    return {
        "trees": RandomForestClassifier(20, random_state=0),
        "linear": LogisticRegression(),
        "trees without exact values": GradientBoostingClassifier(n_estimators=5, random_state=0),
        "neither": SVR(),
        "two labels a row": OneVsRestClassifier(LogisticRegression()),
    }


@pytest.mark.parametrize("name", models_to_explain())
def test_shap_values_are_largest_for_the_features_that_move_predictions(name):
    pytest.importorskip("shap", reason='pip install "model-optimization-workbench[features]"')
    from workbench.techniques.features.shap_values import mean_shap_values

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    classes = np.digitize(x[:, 1] - x[:, 3], [-0.5, 0.5])
    y = np.stack([x[:, 1] > 0, x[:, 3] > 0], 1).astype(int) if "labels" in name else classes
    told = []
    model = models_to_explain()[name].fit(x[:150], y[:150])
    values = mean_shap_values(model, x[:150], x[150:], lambda *step: told.append(step))
    assert set(np.argsort(-values)[:2].tolist()) == {1, 3}
    assert values[[1, 3]].min() > 3 * values[[0, 2, 4]].max()
    assert [done for done, _, _ in told] == [0, 25]


def test_stability_index_is_one_for_equal_sets_and_near_zero_by_chance():
    equal = np.tile([1, 1, 0, 0, 0], (6, 1))
    assert stability_index(equal) == 1.0
    rng = np.random.default_rng(0)
    chance = np.array([rng.permutation(equal[0]) for _ in range(400)])
    assert abs(stability_index(chance)) < 0.02
    assert np.isnan(stability_index(equal[:1]))
