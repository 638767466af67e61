"""scikit-learn's estimators by state; sparse matrices by content."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from values_under_test import fp

X = np.random.default_rng(0).random((60, 4))
Y = (X.sum(axis=1) > 2).astype(int)


class Majority(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator of the user's own."""

    def __init__(self, bias: float = 0.0) -> None:
        self.bias = bias

    def fit(self, x: Any, y: Any) -> Majority:
        self.mean_ = float(y.mean()) + self.bias
        return self


MODELS: dict[str, Callable[[], Any]] = {
    "unfitted": lambda: RandomForestClassifier(5),
    "forest": lambda: RandomForestClassifier(5, random_state=1).fit(X, Y),
    "forest 2": lambda: RandomForestClassifier(5, random_state=2).fit(X, Y),
    "forest deep": lambda: RandomForestClassifier(5, max_depth=9, random_state=1).fit(X, Y),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=3, random_state=1).fit(X, Y),
    "gradient": lambda: GradientBoostingRegressor(n_estimators=3, random_state=1).fit(X, Y),
    "linear": lambda: LinearRegression().fit(X, Y),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
    "pipeline C": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=2)).fit(X, Y),
    "function": lambda: FunctionTransformer(np.log1p),
    "columns": lambda: make_column_transformer((OneHotEncoder(), make_column_selector(dtype_include=object))),
    "neighbours": lambda: KNeighborsClassifier(algorithm="kd_tree").fit(X, Y),
    "svc": lambda: SVC().fit(X, Y),
    "means": lambda: KMeans(2, random_state=1, n_init=1).fit(X),
    "text": lambda: TfidfVectorizer().fit(["a word", "another word"]),
    "search": lambda: GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=KFold(3)),
    "own": lambda: Majority().fit(X, Y),
    "own 2": lambda: Majority(0.5).fit(X, Y),
    "bunch": load_iris,
    "csr": lambda: scipy.sparse.csr_matrix(np.eye(3)),
    "csr array": lambda: scipy.sparse.csr_array(np.eye(3)),
    "csc": lambda: scipy.sparse.csc_matrix(np.eye(3)),
    "coo": lambda: scipy.sparse.coo_array(np.eye(3)),
    "dia": lambda: scipy.sparse.dia_matrix(np.eye(3)),
    "bsr": lambda: scipy.sparse.bsr_matrix(np.eye(4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_built_again_and_through_pickle(name: str) -> None:
    """Fitting again with the same seed gives the same digest, whatever lies in the padding of a tree's nodes."""
    model = MODELS[name]()
    digest = fp(model)
    assert digest == fp(MODELS[name]())
    assert digest == fp(pickle.loads(pickle.dumps(model)))


def test_all_apart() -> None:
    assert len({fp(build()) for build in MODELS.values()}) == len(MODELS)


def test_the_state_of_a_tree_counts() -> None:
    model = MODELS["forest"]()
    before = fp(model)
    model.estimators_[3].tree_.value[0, 0, 0] += 0.125
    assert before != fp(model)


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
def test_asking_for_neighbours_does_not_change_a_model(algorithm: str) -> None:
    """Its tree counts the work; a body that only asks would else have changed its argument."""
    model = KNeighborsClassifier(algorithm=algorithm).fit(X, Y)
    before = fp(model)
    model.predict(X)
    assert before == fp(model)
    model._tree.data.base[0, 0] += 1
    assert before != fp(model)


def test_looking_through_a_sparse_matrix_does_not_change_it() -> None:
    """scipy notes in the matrix whether its indices are sorted, as soon as someone asks."""
    matrix = scipy.sparse.csr_matrix(np.eye(3))
    before = fp(matrix)
    assert matrix.has_sorted_indices
    assert before == fp(matrix)
