"""scikit-learn objects as skops files, which hold no pickle: nothing in them runs while they load.

Loaded are the types that skops itself trusts, the reviewed ones below, and those that the caller
trusts; a file that names any other type is refused before anything of it is imported.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import CandidateError, MissingExtra, line_of

__all__ = ["REVIEWED", "NotWritable", "read_skops", "types_of", "write_skops"]

LARGEST_BYTES = 4 * 1024**3  # of the unpacked content
LARGEST_RATIO = 200  # unpacked to packed; arrays of zeros reach 100
UNPACKED_ANYWAY = 64 * 1024**2  # small enough to need no ratio

EXTRAS = {"lightgbm": "boosting", "skrub": "features", "xgboost": "boosting"}

# Read one by one: each holds numbers, arrays or names of settings, and its state is set without a
# call of anything that the file names. Compiled trees check the shape and type of their nodes;
# boosters of LightGBM and XGBoost read their trees as numbers, from text and from binary JSON.
REVIEWED = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "numpy.mean",
        "numpy.median",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "scipy.interpolate._bsplines.BSpline",
        "scipy.sparse._csc.csc_matrix",
        "scipy.sparse._csr.csr_matrix",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.cluster._bisect_k_means._BisectingTree",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._mutual_info.mutual_info_classif",
        "sklearn.feature_selection._mutual_info.mutual_info_regression",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.gaussian_process.kernels.Sum",
        "sklearn.gaussian_process.kernels.WhiteKernel",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        "sklearn.model_selection._split.KFold",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.neighbors._ball_tree.BallTree64",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neighbors._kd_tree.KDTree64",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "skrub._apply_to_each_col.ApplyToEachCol",
        "skrub._check_input.CheckInputDataFrame",
        "skrub._clean_categories.CleanCategories",
        "skrub._clean_null_strings.CleanNullStrings",
        "skrub._dataframe._common.is_any_date",
        "skrub._dataframe._common.is_categorical",
        "skrub._dataframe._common.is_numeric",
        "skrub._datetime_encoder.DatetimeEncoder",
        "skrub._datetime_encoder._CircularEncoder",
        "skrub._drop_uninformative.DropUninformative",
        "skrub._duration_to_float.DurationToFloat",
        "skrub._string_encoder.StringEncoder",
        "skrub._table_vectorizer.PassThrough",
        "skrub._table_vectorizer.ShortReprDict",
        "skrub._table_vectorizer.TableVectorizer",
        "skrub._table_vectorizer._created_by_predicate",
        "skrub._to_datetime.ToDatetime",
        "skrub._to_float.ToFloat",
        "skrub._to_str.ToStr",
        "skrub.selectors._base.All",
        "skrub.selectors._base.And",
        "skrub.selectors._base.Cols",
        "skrub.selectors._base.Filter",
        "skrub.selectors._base.Sub",
        "skrub.selectors._selectors._cardinality_below",
        "workbench.data.cells.DateParts",
        "workbench.data.cells.Finite",
        "workbench.data.cells.Spans",
        "workbench.data.cells.TextParts",
        "workbench.data.cells.Texts",
        "workbench.data.past_rows.PastRows",
        "workbench.techniques.features.selector.Selector",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    }
)


class NotWritable(Exception):
    """An object that has no skops file, with the reason."""


def write_skops(value: Any) -> bytes:
    """The content of a skops file.

    Raises NotWritable for an object that skops cannot write and read back (lambdas, open files),
    and for classes of `__main__`, a notebook's own, which no other process can import.
    """
    from skops import io as skops_io

    try:
        content = skops_io.dumps(value)
        types = skops_io.get_untrusted_types(data=content)
    except Exception as error:  # skops passes on whatever an object's own methods raise
        raise NotWritable(f"skops cannot write it: {line_of(error)}") from error
    own = [t for t in types if t.partition(".")[0] == "__main__" or "<" in t]
    if own:
        raise NotWritable(f"{', '.join(own)} lies in no module that another process can import")
    try:
        skops_io.loads(content, trusted=types)
    except Exception as error:  # written, but not as it can be read
        raise NotWritable(f"skops cannot read it back: {line_of(error)}") from error
    return content


def types_of(value: Any) -> frozenset[str]:
    """Names of the types in an object that are neither skops' own nor reviewed here."""
    from skops import io as skops_io

    try:
        return frozenset(skops_io.get_untrusted_types(data=skops_io.dumps(value))) - REVIEWED
    except Exception:  # it cannot be written at all, so no file of it waits to be read
        return frozenset()


def read_skops(path: Path, *, trusted: Sequence[Any] = ()) -> Any:
    """The object in a skops file.

    `trusted` are further types to load: classes, their full names, or packages as `name.*`. Raises
    CandidateError that names every other type in the file, or says that the file is too large;
    MissingExtra for a model of a library that is not installed.
    """
    from skops import io as skops_io

    content = path.read_bytes()
    _check_size(path, content)
    try:
        foreign = set(skops_io.get_untrusted_types(data=content))
    except Exception as error:
        raise CandidateError(f"{path} is no skops file: {line_of(error)}") from error
    allowed = REVIEWED | {t for t in foreign if _is_trusted(t, _names(trusted))}
    refused = sorted(foreign - allowed)
    if refused:
        raise CandidateError(
            f"{path} holds types that are not known to be safe: {', '.join(refused)}. If you know "
            f"who wrote the file, load it with `load_kept(folder, trusted={refused})`."
        )
    try:
        return skops_io.loads(content, trusted=sorted(foreign))
    except Exception as error:  # another version of scikit-learn, say
        name = error.name if isinstance(error, ImportError) else None
        package = (name or "").partition(".")[0]
        if package in EXTRAS:
            raise MissingExtra(f"{path} holds a model of {package} and", EXTRAS[package]) from error
        raise CandidateError(f"{path} cannot be loaded here: {line_of(error)}") from error


def _names(trusted: Iterable[Any]) -> set[str]:
    return {t if isinstance(t, str) else f"{t.__module__}.{t.__qualname__}" for t in trusted}


def _is_trusted(name: str, trusted: set[str]) -> bool:
    return name in trusted or f"{name.partition('.')[0]}.*" in trusted


def _check_size(path: Path, content: bytes) -> None:
    """A small file that unpacks to something huge is refused before it is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
    except zipfile.BadZipFile as error:
        raise CandidateError(f"{path} is no skops file: {error}") from error
    allowed = max(UNPACKED_ANYWAY, LARGEST_RATIO * len(content))
    if unpacked > min(LARGEST_BYTES, allowed):
        raise CandidateError(
            f"{path} unpacks from {len(content):,} to {unpacked:,} bytes, more than a model of its "
            "size can hold: it is not loaded."
        )
