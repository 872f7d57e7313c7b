"""Charts of what a classifier said against the truth: confusion, ROC, precision over recall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.style import PALETTE
from flexlogger.plots.thinning import Floats
from flexlogger.plots.window import Feed, Latest
from flexlogger.records import MeterDef
from flexlogger.tracking.figures import MAX_LINES, MAX_POINTS, Chart, drawn, feed, thinned
from flexlogger.tracking.scores import confusion, finite_rows, labels_of, places_of, precision_recall, roc, scores_of

MAX_CLASSES = 100
"""Classes of a confusion matrix; the rarest of more are counted together."""
_AREAS = 10  # curves up to which the area under each is written beside them

Curve = Callable[[NDArray[np.bool_], Floats], tuple[Floats, float]]


def confusion_matrix(
    probs: Any = None,
    y_true: Any = None,
    preds: Any = None,
    class_names: Sequence[Any] | None = None,
    title: str | None = None,
) -> Chart:
    """Draw how often each class (row) was taken for each (column).

    `y_true` (N,) holds class indices or names; `preds` likewise, or else `probs` (N, classes), of which the highest
    counts. `class_names` name the classes; if not given, those that occur make up the matrix. Of more than 100 classes
    the rarest are counted together. Raises ValueRefusedError, and UnknownNameError for a name that no class has.

    >>> confusion_matrix(y_true=[0, 1, 1], preds=[0, 0, 1], class_names=["cat", "dog"]).data[0]["z"]
    [[1, 0], [1, 1]]
    """
    if y_true is None or (probs is None) == (preds is None):
        raise ValueRefusedError("confusion_matrix: expected y_true, and either preds or probs")
    truth, notes = labels_of(y_true, "confusion_matrix: y_true"), []
    names = None if class_names is None else [str(name) for name in class_names]
    if preds is None:
        scores = scores_of(probs, "confusion_matrix: probs", len(truth))
        finite = finite_rows(scores)
        notes = _left_out(finite)
        truth, preds = truth[finite], scores[finite].argmax(axis=1)
        names = names or [str(place) for place in range(scores.shape[1])]
    told = labels_of(preds, "confusion_matrix: preds")
    if len(told) != len(truth):
        raise ValueRefusedError(f"confusion_matrix: expected {len(truth)} preds, as many as y_true, got {len(told)}")
    if names is None:
        seen = np.unique(np.concatenate((truth, told)))
        names, truth, told = [str(name) for name in seen], np.searchsorted(seen, truth), np.searchsorted(seen, told)
    rows, columns = (places_of(part, names, "confusion_matrix") for part in (truth, told))
    matrix, names, note = _largest(confusion(rows, columns, len(names)), names)
    feeds = [feed("", "matrix", matrix, "ConfusionMeter")] if len(matrix) else []
    return drawn("heatmap", feeds, title, {"labels": names}, notes + note)


def roc_curve(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[Any] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    title: str | None = None,
) -> Chart:
    """Draw the ROC curve of each class against all others, with the area under it.

    `y_true` (N,) holds class indices or names, `y_probas` (N, classes) a score each; (N,) is the score of class 1 of
    two. `labels` name the classes, `classes_to_plot` chooses among them. Samples with a score that is not finite are
    left out; so are classes without samples; the chart says how many. Raises ValueRefusedError and UnknownNameError.

    >>> chart = roc_curve([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], labels=["cat", "dog"])
    >>> [trace["name"] for trace in chart.data]
    ['chance', 'cat', 'dog']
    """
    return _curves("roc_curve", roc, "ROC", y_true, y_probas, labels, classes_to_plot, title)


def pr_curve(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[Any] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    title: str | None = None,
) -> Chart:
    """Draw precision over recall of each class against all others, with the average precision; otherwise as
    `roc_curve`.

    >>> chart = pr_curve(["cat", "dog", "dog"], [0.1, 0.4, 0.8], labels=["cat", "dog"])
    >>> chart.data[0]["x"], chart.data[0]["y"][:3]
    ([0.0, 0.5, 1.0, 1.0], [1.0, 1.0, 1.0])
    """
    return _curves(
        "pr_curve", precision_recall, "PrecisionRecallCurve", y_true, y_probas, labels, classes_to_plot, title
    )


def _curves(
    where: str,
    curve: Curve,
    meter: str,
    y_true: Any,
    y_probas: Any,
    labels: Sequence[Any] | None,
    classes_to_plot: Sequence[Any] | None,
    title: str | None,
) -> Chart:
    truth = labels_of(y_true, f"{where}: y_true")
    scores = scores_of(y_probas, f"{where}: y_probas", len(truth))
    columns = {1: scores[:, 0]} if scores.shape[1] == 1 else dict(enumerate(scores.T))
    count = max(columns) + 1
    names = [str(name) for name in (labels if labels is not None else _own_names(truth, count))]
    if len(names) != count:
        raise ValueRefusedError(f"{where}: labels: expected {count} names, one a class, but got {len(names)}")
    places = places_of(truth, names, f"{where}: y_true")
    wanted = list(columns)
    if classes_to_plot is not None:
        asked = places_of(labels_of(classes_to_plot, f"{where}: classes_to_plot"), names, f"{where}: classes_to_plot")
        wanted = [place for place in asked.tolist() if place in columns]
    finite = finite_rows(scores)
    known = [place for place in wanted if 0 < (places[finite] == place).sum() < finite.sum() + (meter != "ROC")]
    notes = _left_out(finite) + _not_drawn(known, [names[place] for place in wanted if place not in known])
    kept = known[:MAX_LINES]
    feeds = []
    for rank, place in enumerate(kept):
        points, area = curve(places[finite] == place, columns[place][finite])
        points = points[:, thinned(points[0], points[1], MAX_POINTS // len(kept))]
        feeds.append(_curve_feed(names[place], meter, points, area if len(kept) <= _AREAS else None, rank))
    return drawn("curve", feeds, title, {}, notes)


def _curve_feed(name: str, meter: str, points: Floats, area: float | None, rank: int) -> Feed:
    latest = {".curve": Latest("curve", points, 0)} | ({"": Latest("scalar", area, 0)} if area is not None else {})
    return Feed(MeterDef(name, meter, ""), PALETTE[rank % len(PALETTE)], (), latest)


def _own_names(truth: NDArray[Any], count: int) -> list[Any]:
    return [str(place) for place in range(count)] if truth.dtype.kind == "i" else np.unique(truth).tolist()


def _left_out(finite: NDArray[np.bool_]) -> list[str]:
    lost = len(finite) - int(finite.sum())
    return [f"{lost:,} samples not finite"] if lost else []


def _not_drawn(known: Sequence[int], undefined: Sequence[str]) -> list[str]:
    notes = [f"first {MAX_LINES} of {len(known):,} classes"] if len(known) > MAX_LINES else []
    if undefined:
        some = ", ".join(undefined[:5]) + (" …" if len(undefined) > 5 else "")
        notes.append(f"no curve of {len(undefined):,} classes that none or all samples are of ({some})")
    return notes


def _largest(matrix: Floats, names: list[str]) -> tuple[Floats, list[str], list[str]]:
    """Keep the classes with most samples, in their order, and count the rest together as one."""
    if len(names) <= MAX_CLASSES:
        return matrix, names, []
    samples = matrix.sum(axis=0) + matrix.sum(axis=1)
    kept = np.sort(np.argsort(-samples, kind="stable")[: MAX_CLASSES - 1])
    group = np.full(len(names), MAX_CLASSES - 1)
    group[kept] = np.arange(MAX_CLASSES - 1)
    summed = np.zeros((MAX_CLASSES, MAX_CLASSES))
    np.add.at(summed, (group[:, None], group[None, :]), matrix)
    rest = len(names) - len(kept)
    return summed, [*(names[place] for place in kept), f"other ({rest:,})"], [f"the {rest:,} rarest classes are one"]
