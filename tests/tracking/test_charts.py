"""Charts: scores equal scikit-learn's, what is left out is told, and a real browser draws what was meant."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from flexlogger.errors import UnknownNameError, ValueRefusedError
from flexlogger.tracking import charts as plot
from flexlogger.tracking.figures import MAX_LINES, MAX_POINTS, Chart
from flexlogger.tracking.judged import MAX_CLASSES
from flexlogger.tracking.scores import precision_recall, roc
from flexlogger.tracking.table import Table
from tests.tracking.scored import ANIMALS, scored


def named(chart: Chart) -> dict[str, Any]:
    return {trace["name"]: trace for trace in chart.data}


def told(chart: Chart) -> str:
    return " ".join(str(note["text"]) for note in chart.layout["annotations"])


binary = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=60).filter(
    lambda pairs: len({truth for truth, _ in pairs}) == 2
)


class TestScores:
    @given(binary)
    def test_roc_is_scikit_learns(self, pairs: list[tuple[bool, int]]) -> None:
        truth, scores = np.array([t for t, _ in pairs]), np.array([s / 12 for _, s in pairs])
        curve, area = roc(truth, scores)
        false, true, _ = metrics.roc_curve(truth, scores)
        assert curve == pytest.approx(np.stack([false, true]))
        assert area == pytest.approx(metrics.roc_auc_score(truth, scores))

    @given(binary)
    def test_precision_and_recall_are_scikit_learns(self, pairs: list[tuple[bool, int]]) -> None:
        truth, scores = np.array([t for t, _ in pairs]), np.array([s / 12 for _, s in pairs])
        curve, area = precision_recall(truth, scores)
        precision, recall, _ = metrics.precision_recall_curve(truth, scores)
        assert curve == pytest.approx(np.stack([recall, precision])[:, ::-1])
        assert area == pytest.approx(metrics.average_precision_score(truth, scores))

    def test_each_class_against_all_others(self) -> None:
        truth, scores = scored()
        roc_traces = named(plot.roc_curve(truth, scores, labels=ANIMALS))
        pr_traces = named(plot.pr_curve(truth, scores, labels=ANIMALS))
        for place, name in enumerate(ANIMALS):
            false, true, _ = metrics.roc_curve(truth == place, scores[:, place])
            assert roc_traces[name]["x"] == pytest.approx(false)
            assert roc_traces[name]["y"] == pytest.approx(true)
            precision, recall, _ = metrics.precision_recall_curve(truth == place, scores[:, place])
            assert pr_traces[name]["x"] == pytest.approx(recall[::-1])
            assert pr_traces[name]["y"] == pytest.approx(precision[::-1])

    def test_the_areas_stand_beside_the_curves(self) -> None:
        truth, scores = scored()
        note = plot.roc_curve(truth, scores, labels=ANIMALS).layout["annotations"][0]["text"]
        assert f"cat: {metrics.roc_auc_score(truth == 0, scores[:, 0]):.4g}" in note

    @pytest.mark.parametrize("make", [np.asarray, torch.as_tensor, np.ndarray.tolist])
    def test_confusion_is_scikit_learns(self, make: Any) -> None:
        truth, scores = scored()
        preds = scores.argmax(axis=1)
        expected = metrics.confusion_matrix(truth, preds).tolist()
        assert plot.confusion_matrix(make(scores), make(truth)).data[0]["z"] == expected
        assert plot.confusion_matrix(y_true=make(truth), preds=make(preds)).data[0]["z"] == expected


class TestLabels:
    def test_names_and_indices_are_the_same(self) -> None:
        truth, scores = scored()
        names = np.array(ANIMALS)
        for chart in (plot.roc_curve, plot.pr_curve):
            assert chart(names[truth], scores, ANIMALS) == chart(truth, scores, ANIMALS)
        by_name = plot.confusion_matrix(y_true=names[truth], preds=names[scores.argmax(1)], class_names=ANIMALS)
        assert by_name == plot.confusion_matrix(scores, truth, class_names=ANIMALS)

    def test_without_names_those_that_occur(self) -> None:
        chart = plot.confusion_matrix(y_true=["b", "b", "a"], preds=["b", "c", "a"])
        assert chart.layout["yaxis"]["ticktext"] == ["a", "b", "c"]
        assert chart.data[0]["z"] == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
        assert plot.confusion_matrix(y_true=[7, 9], preds=[9, 9]).layout["yaxis"]["ticktext"] == ["7", "9"]
        assert set(named(plot.pr_curve(["no", "yes"], [0.1, 0.9]))) == {"yes"}

    def test_one_score_a_sample_is_that_of_class_1(self) -> None:
        truth = [0, 1, 1, 0]
        both = plot.roc_curve(truth, [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], classes_to_plot=[1])
        assert plot.roc_curve(truth, [0.1, 0.6, 0.8, 0.7]) == both

    def test_classes_can_be_chosen(self) -> None:
        truth, scores = scored()
        assert set(named(plot.pr_curve(truth, scores, ANIMALS, classes_to_plot=["dog", "bird"]))) == {"dog", "bird"}
        assert set(named(plot.pr_curve(truth, scores, ANIMALS, classes_to_plot=[0]))) == {"cat"}

    def test_a_class_without_samples_has_no_curve_and_is_told(self) -> None:
        truth, scores = scored()
        truth[truth == 2] = 0
        chart = plot.roc_curve(truth, scores, labels=ANIMALS)
        assert set(named(chart)) == {"chance", "cat", "dog"}
        assert "no curve of 1 classes that none or all samples are of (bird)" in told(chart)

    def test_samples_that_are_not_finite_are_left_out_and_told(self) -> None:
        truth, scores = scored()
        broken = scores.copy()
        broken[:5, 0] = np.nan
        for chart in (plot.roc_curve, plot.pr_curve):
            assert chart(truth, broken, ANIMALS).data == chart(truth[5:], scores[5:], ANIMALS).data
            assert "5 samples not finite" in told(chart(truth, broken, ANIMALS))
        assert np.sum(plot.confusion_matrix(broken, truth).data[0]["z"]) == 295

    @pytest.mark.parametrize(
        ("make", "error", "message"),
        [
            (lambda: plot.confusion_matrix(y_true=[0]), ValueRefusedError, "either preds or probs"),
            (lambda: plot.confusion_matrix([[1]], [0], [0]), ValueRefusedError, "either preds or probs"),
            (lambda: plot.confusion_matrix(y_true=[0, 1], preds=[0]), ValueRefusedError, "expected 2 preds"),
            (
                lambda: plot.confusion_matrix(y_true=[0.5], preds=[0]),
                ValueRefusedError,
                "one class a sample, but got 0.5",
            ),
            (
                lambda: plot.confusion_matrix(y_true=[3], preds=[0], class_names=["a", "b"]),
                ValueRefusedError,
                "expected classes 0 to 1, but got 3",
            ),
            (
                lambda: plot.confusion_matrix(y_true=["cats"], preds=["cat"], class_names=ANIMALS),
                UnknownNameError,
                "unknown class 'cats'; did you mean 'cat'",
            ),
            (lambda: plot.roc_curve([0, 1], [[1, 0]]), ValueRefusedError, r"expected scores \(2, classes\).*\(1, 2\)"),
            (
                lambda: plot.roc_curve(None, None),
                ValueRefusedError,
                "roc_curve: y_true: expected one integer or string",
            ),
            (lambda: plot.pr_curve([0, 1], [[1, 0], [0, 1]], ["a"]), ValueRefusedError, "expected 2 names"),
            (lambda: plot.pr_curve([0], [[1, 0, 0]], ANIMALS, ["cow"]), UnknownNameError, "unknown class 'cow'"),
        ],
    )
    def test_refuses(self, make: Any, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            make()


class TestOfATable:
    def test_a_line_goes_along_x_and_marks_what_is_not_finite(self) -> None:
        table = Table([[3, 9.0], [1, 1.0], [2, float("nan")], [None, 5.0]], columns=["x", "y"])
        line, marks = plot.line(table, "x", "y", title="squares <of> x").data
        assert (line["x"], line["y"]) == ([1, 2, 3], [1, None, 9])
        assert (marks["x"], marks["text"]) == ([2], ["NaN"])
        chart = plot.line(table, "x", "y", title="squares <of> x")
        assert chart.layout["title"]["text"] == "squares &lt;of&gt; x"
        assert "1 points without a place on x" in told(chart)
        assert chart.layout["yaxis"]["title"]["text"] == "y"

    def test_stroke_parts_lines(self) -> None:
        table = Table([[0, 1, "a"], [0, 2, "b"], [1, 3, "a"]], columns=["x", "y", "kind"])
        lines = named(plot.line(table, "x", "y", stroke="kind"))
        assert (lines["a"]["y"], lines["b"]["y"]) == ([1, 3], [2])

    def test_text_makes_categories(self) -> None:
        table = Table([["mon", 1], ["tue", 3], ["mon", 2]], columns=["day", "n"])
        chart = plot.scatter(table, "day", "n")
        assert chart.data[0]["x"] == [0, 1, 0]
        assert chart.layout["xaxis"]["ticktext"] == ["mon", "tue"]

    def test_bars_and_histograms(self) -> None:
        table = Table([["cat", 3.0], ["dog", None], ["cat", 3.5]], columns=["animal", "n"])
        chart = plot.bar(table, "animal", "n")
        assert chart.data[0]["y"] == [3, None, 3.5]
        assert chart.layout["xaxis"]["ticktext"] == ["cat", "dog", "cat"]
        chart = plot.histogram(table, "n", title="n")
        assert sum(chart.data[0]["y"]) == 2
        assert "1 not finite" in told(chart)

    def test_series_share_x_or_have_their_own(self) -> None:
        shared = plot.line_series(xs=[0, 1], ys=[[1, 2], [3, 4]], keys=["a", "b"], title="t", xname="epoch")
        assert shared.layout["xaxis"]["title"]["text"] == "epoch"
        own = plot.line_series(xs=np.array([[0, 1], [0, 1]]), ys=torch.tensor([[1, 2], [3, 4]]), keys=["a", "b"])
        assert own.data == shared.data
        assert set(named(plot.line_series([0], [[1], [2]]))) == {"key_0", "key_1"}

    @pytest.mark.parametrize("chart", [plot.line, plot.scatter, plot.bar])
    def test_an_unknown_column_has_its_nearest_name(self, chart: Any) -> None:
        table = Table([[1, 2]], columns=["accuracy", "epoch"])
        with pytest.raises(UnknownNameError, match="unknown column 'acuracy'; did you mean 'accuracy'"):
            chart(table, "acuracy", "epoch")
        with pytest.raises(UnknownNameError, match="unknown column 'y'; expected one of: accuracy, epoch"):
            chart(table, "epoch", "y")
        with pytest.raises(UnknownNameError, match="'epcoh'"):
            plot.histogram(table, "epcoh")

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: plot.line([[1, 2]], "x", "y"), r"expected a Table, but got a list; make one with Table\(data\)"),  # type: ignore[arg-type]
            (lambda: plot.line(Table([[1, "a"]], ["x", "y"]), "x", "y"), "expected numbers in column 'y', but got 'a'"),
            (lambda: plot.line_series([0, 1], [[1]]), r"but got \[2\] xs, \[1\] ys and 1 keys"),
            (lambda: plot.line_series([0], [[1]], keys=["a", "b"]), "2 keys"),
            (lambda: plot.line_series([0], [["a"]]), r"line_series: ys\[0\]: expected a sequence of numbers"),
        ],
    )
    def test_refuses(self, make: Any, message: str) -> None:
        with pytest.raises(ValueRefusedError, match=message):
            make()

    @pytest.mark.parametrize("chart", [plot.line, plot.scatter, plot.bar])
    def test_of_nothing_it_says_so(self, chart: Any) -> None:
        assert "no values yet" in str(chart(Table(columns=["x", "y"]), "x", "y").layout)

    def test_it_travels_as_json_of_the_standard(self) -> None:
        text = plot.line_series([0], [[float("inf")]]).to_datum("c").value
        json.loads(str(text), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


class TestBounds:
    def test_a_long_line_keeps_its_extremes(self) -> None:
        random = np.random.default_rng(0)
        y = random.normal(size=50_000)
        y[[777, 31_000]] = 50.0, -50.0
        chart = plot.line_series(np.arange(50_000), [y, y])
        for trace in chart.data:
            assert len(trace["x"]) <= MAX_POINTS // 2
            assert {50.0, -50.0} <= set(trace["y"])
            assert (trace["x"][0], trace["x"][-1]) == (0, 49_999)
        kept = sum(len(trace["x"]) for trace in chart.data)
        assert f"{kept:,} of 100,000 points, the extremes of each stretch" in told(chart)

    def test_many_lines_points_bars_and_classes(self) -> None:
        lines = plot.line_series([0, 1], [[0, 1]] * 120)
        assert len(lines.data) == MAX_LINES
        assert "first 50 of 120 lines" in told(lines)
        table = Table([[n, n] for n in range(12_000)], columns=["x", "y"])
        dots = plot.scatter(table, "x", "y")
        assert (len(dots.data[0]["x"]), dots.data[0]["x"][-1]) == (MAX_POINTS, 11_999)
        assert "10,000 of 12,000 points, evenly chosen" in told(dots)
        bars = plot.bar(table, "x", "y")
        assert len(bars.data[0]["x"]) == 200
        assert "first 200 of 12,000 bars" in told(bars)

    def test_many_curves_share_the_points(self) -> None:
        truth, scores = scored(6000, 60, seed=1)
        chart = plot.pr_curve(truth, scores + np.random.default_rng(0).random(scores.shape) / 100)
        assert len(chart.data) == MAX_LINES
        assert sum(len(trace["x"]) for trace in chart.data) <= MAX_POINTS
        assert "first 50 of 60 classes" in told(chart)
        assert "area" not in told(chart), "those of so many have no room"

    def test_the_rarest_of_many_classes_are_one(self) -> None:
        truth = np.concatenate((np.repeat(np.arange(99), 5), np.arange(99, 150)))
        chart = plot.confusion_matrix(y_true=truth, preds=truth)
        matrix = np.array(chart.data[0]["z"])
        assert matrix.shape == (MAX_CLASSES, MAX_CLASSES)
        assert np.diag(matrix).tolist() == [5] * 99 + [51]
        assert "the 51 rarest classes are one" in told(chart)
        assert "other (51)" in chart.layout["yaxis"]["ticktext"] or len(chart.layout["yaxis"]["ticktext"]) < 100
