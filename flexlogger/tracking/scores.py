"""What classifiers are judged by, as pure functions of labels and scores: ROC, precision over recall, confusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.readback import to_array

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Labels = NDArray[Any]


def roc(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, float]:
    """Return the ROC curve, (2, N): false over true positive rate as the threshold falls, and the area under it.

    Points on a straight line between others are left out. Equal to scikit-learn's roc_curve and roc_auc_score. Needs
    positives and negatives.

    >>> curve, area = roc(np.array([False, True, True]), np.array([0.1, 0.9, 0.4]))
    >>> curve.tolist(), area
    ([[0.0, 0.0, 0.0, 1.0], [0.0, 0.5, 1.0, 1.0]], 1.0)
    """
    hits, alarms = _counts(truth, scores)
    corner = (np.diff(alarms, 2) != 0) | (np.diff(hits, 2) != 0)
    keep = np.concatenate(([True], corner, [True])) if len(hits) > 2 else np.ones(len(hits), bool)
    curve = np.stack([np.append(0.0, counts[keep]) / counts[-1] for counts in (alarms, hits)])
    return curve, float(np.trapezoid(curve[1], curve[0]))


def precision_recall(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, float]:
    """Return the precision-recall curve, (2, N): precision over rising recall, and the average precision.

    The average precision is the sum of precision times gain in recall. Equal to scikit-learn's
    precision_recall_curve, read backwards, and average_precision_score. Needs positives.

    >>> curve, area = precision_recall(np.array([False, True, True]), np.array([0.1, 0.9, 0.4]))
    >>> curve.round(2).tolist(), area
    ([[0.0, 0.5, 1.0, 1.0], [1.0, 1.0, 1.0, 0.67]], 1.0)
    """
    hits, alarms = _counts(truth, scores)
    recall = np.concatenate(([0.0], hits / hits[-1]))
    precision = np.concatenate(([1.0], hits / (hits + alarms)))
    return np.stack([recall, precision]), float((np.diff(recall) * precision[1:]).sum())


def _counts(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Return how many positives and how many negatives score at least as much as each of the distinct scores,
    highest first."""
    order = np.argsort(-scores, kind="stable")
    truth, scores = truth[order], scores[order]
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    hits = np.cumsum(truth, dtype=np.float64)[last]
    return hits, last + 1 - hits


def confusion(truth: Indices, predicted: Indices, classes: int) -> Floats:
    """Return how often truth (row) was predicted as (column).

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.float64)


# ---- what users pass


def labels_of(values: Any, where: str) -> Labels:
    """Return labels as an array (N,) of int64 or of str. Raises ValueRefusedError for anything else.

    >>> labels_of([1.0, 0.0, True], "y_true").tolist(), labels_of(["cat"], "y_true").tolist()
    ([1, 0, 1], ['cat'])
    """
    labels = _array(values, where)
    if labels.ndim != 1 or labels.dtype.kind not in "biufUO":
        got = f"shape {labels.shape} of {labels.dtype}"
        raise ValueRefusedError(f"{where}: expected one integer or string a sample, but got {got}")
    if labels.dtype.kind in "UO":
        return labels.astype(str)
    whole = np.isfinite(labels) & (labels == np.round(labels))
    if not whole.all():
        raise ValueRefusedError(f"{where}: expected one class a sample, but got {labels[~whole][0]}")
    return labels.astype(np.int64)


def scores_of(values: Any, where: str, samples: int) -> Floats:
    """Return scores as (samples, classes); a score a sample is that of class 1. Raises ValueRefusedError."""
    scores = _array(values, where)
    if scores.dtype.kind not in "biuf" or scores.ndim not in (1, 2) or len(scores) != samples:
        expected = f"expected scores ({samples}, classes), as many rows as y_true has labels"
        raise ValueRefusedError(f"{where}: {expected}, but got shape {scores.shape} of {scores.dtype}")
    return scores.reshape(samples, -1).astype(np.float64)


def finite_rows(scores: Floats) -> NDArray[np.bool_]:
    """Return which samples have only finite scores."""
    return np.asarray(np.isfinite(scores).all(axis=1), np.bool_)


def places_of(labels: Labels, names: Sequence[str], where: str) -> Indices:
    """Return the class index of each label: an integer is one, a string is looked up among the names of the classes.

    Raises UnknownNameError, and ValueRefusedError for an integer that is no index.
    """
    if labels.dtype.kind == "i":
        outside = labels[(labels < 0) | (labels >= len(names))]
        if len(outside):
            raise ValueRefusedError(f"{where}: expected classes 0 to {len(names) - 1}, but got {outside[0]}")
        return labels.astype(np.intp)
    known = {name: place for place, name in enumerate(names)}
    distinct, inverse = np.unique(labels, return_inverse=True)
    missing = [str(name) for name in distinct if name not in known]
    if missing:
        raise UnknownNameError(f"{where}: {unknown('class', missing[0], names)}")
    return np.array([known[name] for name in distinct], np.intp)[inverse]


def _array(values: Any, where: str) -> NDArray[Any]:
    try:
        return to_array(values)
    except (TypeError, ValueError) as error:
        raise ValueRefusedError(f"{where}: expected an array, but got a {type(values).__name__}: {error}") from error
