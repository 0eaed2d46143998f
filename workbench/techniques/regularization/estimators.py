"""Parameters that regularize estimators, by class, and penalties of linear models.

A strength s is a factor on the penalty: 1 leaves an estimator as it is, a larger one makes it
simpler. A parameter follows by one of four rules:

    times      value * s                     penalties, sizes of leaves, neighbours
    over       value / s                     C, the inverse of a penalty
    shallower  value - log2(s) levels        depths: a level halves the number of leaves
    fewer      value / sqrt(s)               numbers of leaves

A penalty that is 0 becomes `usual` * (s - 1) above strength 1 and stays 0 below. A limit that is
not set stays so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.errors import CandidateError, SettingsError
from workbench.models.estimators import unfitted

if TYPE_CHECKING:
    from workbench.techniques.regularization import RegularizationSettings

__all__ = [
    "TABLE",
    "Parameter",
    "Rule",
    "check_parameters",
    "configured",
    "parameters_of",
    "strengthened",
]

How = Literal["times", "over", "shallower", "fewer"]


@dataclass(frozen=True)
class Rule:
    """How a parameter follows a strength; `usual` is the value that a penalty of 0 grows from."""

    how: How
    usual: float = 1.0
    least: float = 0.0


_TIMES, _OVER = Rule("times"), Rule("over")
_LEAF, _DEPTH, _LEAVES = Rule("times", least=1), Rule("shallower", least=1), Rule("fewer", least=2)
_TREE = {"min_samples_leaf": _LEAF, "max_depth": _DEPTH, "ccp_alpha": Rule("times", usual=1e-4)}
_HISTOGRAM = {
    "l2_regularization": _TIMES,
    "min_samples_leaf": _LEAF,
    "max_leaf_nodes": _LEAVES,
    "max_depth": _DEPTH,
}
_LIGHTGBM = {
    "reg_lambda": _TIMES,
    "reg_alpha": Rule("times", usual=0.1),
    "min_child_samples": _LEAF,
    "num_leaves": _LEAVES,
}
_XGBOOST = {"reg_lambda": _TIMES, "min_child_weight": _TIMES, "max_depth": _DEPTH}


def _classes(names: str, rules: Mapping[str, Rule]) -> dict[str, Mapping[str, Rule]]:
    return dict.fromkeys(names.split(), rules)


TABLE: dict[str, Mapping[str, Rule]] = {
    **_classes("LogisticRegression LinearSVC LinearSVR SVC SVR", {"C": _OVER}),
    **_classes("Ridge RidgeClassifier KernelRidge Lasso ElasticNet", {"alpha": _TIMES}),
    **_classes("MultiTaskLasso MultiTaskElasticNet", {"alpha": _TIMES}),
    **_classes("SGDClassifier SGDRegressor MLPClassifier MLPRegressor", {"alpha": _TIMES}),
    **_classes(
        "PoissonRegressor GammaRegressor TweedieRegressor HuberRegressor QuantileRegressor",
        {"alpha": _TIMES},
    ),
    **_classes("BernoulliNB MultinomialNB ComplementNB CategoricalNB", {"alpha": _TIMES}),
    **_classes("GaussianNB", {"var_smoothing": _TIMES}),
    **_classes("GaussianProcessRegressor", {"alpha": _TIMES}),
    **_classes("KNeighborsClassifier KNeighborsRegressor", {"n_neighbors": _LEAF}),
    **_classes("DecisionTreeClassifier DecisionTreeRegressor", _TREE),
    **_classes("ExtraTreeClassifier ExtraTreeRegressor", _TREE),
    **_classes("RandomForestClassifier RandomForestRegressor", _TREE),
    **_classes("ExtraTreesClassifier ExtraTreesRegressor", _TREE),
    **_classes(
        "GradientBoostingClassifier GradientBoostingRegressor",
        {"max_depth": _DEPTH, "min_samples_leaf": _LEAF},
    ),
    **_classes("HistGradientBoostingClassifier HistGradientBoostingRegressor", _HISTOGRAM),
    **_classes("LGBMClassifier LGBMRegressor", _LIGHTGBM),
    **_classes("XGBClassifier XGBRegressor", _XGBOOST),
    **_classes("CatBoostClassifier CatBoostRegressor", {"l2_leaf_reg": _TIMES, "depth": _DEPTH}),
}

L1_RATIO = {"ridge": 0.0, "lasso": 1.0}
REGRESSORS = ("LinearRegression", "Ridge", "Lasso", "ElasticNet")


@dataclass(frozen=True)
class Parameter:
    """One parameter that regularizes an estimator; `name` as `set_params` takes it."""

    name: str
    value: Any
    rule: Rule

    def at(self, strength: float) -> Any:
        """The value at a strength; whole numbers stay whole."""
        value, rule = self.value, self.rule
        if strength == 1:
            return value
        if value == 0 and rule.how == "times":
            return rule.usual * max(0.0, strength - 1)
        scaled = {
            "times": lambda: value * strength,
            "over": lambda: value / strength if strength else math.inf,
            "shallower": lambda: value - math.log2(strength) if strength else math.inf,
            "fewer": lambda: value / math.sqrt(strength) if strength else math.inf,
        }[rule.how]()
        if math.isinf(scaled):
            return None if rule.how != "over" else 1e10
        if isinstance(value, int):
            return max(int(rule.least), round(scaled))
        return max(rule.least, scaled)


def parameters_of(estimator: Any) -> list[Parameter]:
    """The parameters of the table, through pipelines, ColumnTransformers and meta-estimators.

    A limit that is not set (None) is left out, as it has no value to scale.
    """
    found = []
    for path, part in _parts(estimator):
        own = part.get_params(deep=False)
        for name, rule in TABLE.get(type(part).__name__, {}).items():
            if isinstance(own.get(name), (int, float)) and not isinstance(own[name], bool):
                full = f"{path}__{name}" if path else name
                found.append(Parameter(full, own[name], rule))
    return found


def _parts(estimator: Any) -> Iterator[tuple[str, Any]]:
    """The estimator and all estimators in it, each with its path."""
    if not hasattr(estimator, "get_params"):
        return
    yield "", estimator
    for path, value in estimator.get_params(deep=True).items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            yield path, value


def check_parameters(estimator: Any, name: str) -> None:
    """Raise CandidateError for an estimator without a parameter of the table."""
    if parameters_of(estimator):
        return
    classes = ", ".join(sorted({type(part).__name__ for _, part in _parts(estimator)}))
    raise CandidateError(
        f"`{name}` ({classes or type(estimator).__name__}) has no parameter that is known to "
        f"regularize it. Known are those of: {', '.join(sorted(TABLE))}. A linear regression takes "
        "`penalty` ridge, lasso or elastic_net."
    )


def strengthened(estimator: Any, strength: float, *, only: str = "") -> Any:
    """A new, unfitted estimator with its parameters at a strength, or with one of them so."""
    changed = {p.name: p.at(strength) for p in parameters_of(estimator) if only in ("", p.name)}
    return unfitted(estimator).set_params(**changed)


def configured(estimator: Any, settings: RegularizationSettings) -> tuple[Any, tuple[str, ...]]:
    """A new, unfitted estimator with the penalty of the settings, and notes about it.

    Raises SettingsError where no part of the estimator can have this penalty.
    """
    fresh = unfitted(estimator)
    if settings.penalty == "own":
        return fresh, ()
    ratio = L1_RATIO.get(settings.penalty, settings.l1_ratio)
    notes = []
    for path, part in _parts(fresh):
        new = _penalized(part, settings.penalty, ratio)
        if new is None:
            continue
        name = type(part).__name__
        notes.append(f"{name} has the penalty {settings.penalty}: {type(new).__name__}.")
        if not path:
            return new, tuple(notes)
        fresh.set_params(**{path: new})
    if not notes:
        names = "LogisticRegression, LinearSVC, SGDClassifier, SGDRegressor, RidgeClassifier"
        raise SettingsError(
            f"`penalty` {settings.penalty} is for linear estimators ({names}, "
            f"{', '.join(REGRESSORS)}), and there is none in {type(estimator).__name__} that can "
            "have it: set `penalty` to own."
        )
    return fresh, tuple(notes)


def _penalized(part: Any, penalty: str, ratio: float) -> Any:
    """An estimator with a penalty in place of a linear one; None where that cannot be."""
    name = type(part).__name__
    params = part.get_params(deep=False)
    if name == "LogisticRegression":
        return unfitted(part).set_params(**_logistic(params, ratio))
    if name in ("SGDClassifier", "SGDRegressor"):
        kinds = {"ridge": "l2", "lasso": "l1", "elastic_net": "elasticnet"}
        return unfitted(part).set_params(penalty=kinds[penalty], l1_ratio=ratio)
    if name == "LinearSVC" and penalty != "elastic_net":
        if penalty == "ridge":
            return unfitted(part).set_params(penalty="l2")
        return unfitted(part).set_params(penalty="l1", loss="squared_hinge", dual=False)
    if name == "RidgeClassifier" and penalty == "ridge":
        return unfitted(part)
    if name in REGRESSORS:
        return _linear_regression(params, penalty, ratio)
    return None


def _logistic(params: Mapping[str, Any], ratio: float) -> dict[str, Any]:
    """Parameters of a logistic regression with a share of L1, in the names of its version."""
    solver = params["solver"] if ratio == 0 else "saga"
    if params.get("penalty") == "deprecated":
        return {"solver": solver, "l1_ratio": ratio}
    if 0 < ratio < 1:
        return {"solver": solver, "penalty": "elasticnet", "l1_ratio": ratio}
    return {"solver": solver, "penalty": "l1" if ratio else "l2"}


def _linear_regression(params: Mapping[str, Any], penalty: str, ratio: float) -> Any:
    """Ridge, Lasso or ElasticNet with the settings that a linear regression shares with it."""
    from sklearn.linear_model import ElasticNet, Lasso, Ridge

    shared = {n: params[n] for n in ("fit_intercept", "positive") if n in params}
    # For standardized columns; scikit-learn's default of 1 makes most coefficients of a lasso zero.
    alpha = params.get("alpha", 1.0 if penalty == "ridge" else 0.01)
    if penalty == "ridge":
        return Ridge(alpha=alpha, **shared)
    if penalty == "lasso":
        return Lasso(alpha=alpha, max_iter=10_000, **shared)
    return ElasticNet(alpha=alpha, l1_ratio=ratio, max_iter=10_000, **shared)
