"""Charts drawn by a real server in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser
from sklearn import metrics

from flexlogger.server.process import ServerProcess
from flexlogger.tracking import charts as plot
from flexlogger.tracking.figures import MAX_POINTS
from flexlogger.tracking.table import Table
from tests.tracking.scored import ANIMALS, scored
from tests.tracking.shown import Dashboard, dashboard


@pytest.fixture(scope="module")
def shown(server: ServerProcess, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    truth, scores = scored()
    squares = Table([[n, n * n, "even" if n % 2 == 0 else "odd"] for n in range(20)], columns=["x", "y", "kind"])
    noise = np.random.default_rng(0).normal(size=30_000)
    values = {
        "custom": plot.line(squares, "x", "y", title="Custom Y vs X Line Plot"),
        "long": plot.line_series(range(30_000), [noise], title="long", xname="step"),
        "strokes": plot.line(squares, "x", "y", stroke="kind"),
        "dots": plot.scatter(squares, "x", "y", title="dots"),
        "bars": plot.bar(Table([["cat", 3], ["dog", 6]], ["animal", "n"]), "animal", "n", title="animals"),
        "spread": plot.histogram(squares, "y", title="spread"),
        "series": plot.line_series([0, 1, 2], [[0, 1, 4], [0, 1, 8]], ["square", "cube"], "powers", "n"),
        "confusion": plot.confusion_matrix(scores, truth, class_names=ANIMALS, title="confused"),
        "roc": plot.roc_curve(truth, scores, labels=ANIMALS, title="ROC"),
        "pr": plot.pr_curve(truth, scores, labels=ANIMALS),
    }
    with dashboard(server, chromium, "charts", tmp_path_factory.mktemp("run"), values) as made:
        yield made


class TestInTheBrowser:
    @pytest.mark.parametrize(
        ("name", "what", "count"),
        [
            ("custom", ".scatterlayer .lines path.js-line", 1),
            ("strokes", ".scatterlayer .lines path.js-line", 2),
            ("dots", ".scatterlayer .points path.point", 20),
            ("bars", ".barlayer .point path", 2),
            ("spread", ".barlayer .point path", 64),
            ("series", ".scatterlayer .lines path.js-line", 2),
            ("confusion", ".heatmap-label", 9),
            ("roc", ".scatterlayer .lines path.js-line", 4),
            ("pr", ".scatterlayer .lines path.js-line", 3),
        ],
    )
    def test_everything_is_drawn(self, shown: Dashboard, name: str, what: str, count: int) -> None:
        assert shown.pane(name).locator(what).count() == count

    def test_the_server_holds_the_numbers(self, shown: Dashboard) -> None:
        data = shown.window("custom")["data"][0]
        assert (data["x"], data["y"]) == (list(range(20)), [n * n for n in range(20)])

    def test_titles_and_axes_are_written(self, shown: Dashboard) -> None:
        assert shown.texts("custom", ".gtitle") == ["Custom Y vs X Line Plot"]
        assert shown.texts("custom", ".xtitle") == ["x"]
        assert shown.texts("custom", ".ytitle") == ["y"]
        assert shown.texts("series", ".legendtext") == ["square", "cube"]
        assert shown.texts("bars", ".xtick text") == ["cat", "dog"]

    def test_the_title_is_above_the_legend(self, shown: Dashboard) -> None:
        title = shown.pane("series").locator(".gtitle").bounding_box()
        legend = shown.pane("series").locator(".legend").bounding_box()
        bar = shown.pane("series").locator(".bar").first.bounding_box()
        assert title is not None
        assert legend is not None
        assert bar is not None
        assert bar["y"] + bar["height"] <= title["y"] + 2
        assert title["y"] + title["height"] <= legend["y"] + 2

    def test_what_was_left_out_is_written_below(self, shown: Dashboard) -> None:
        kept = len(shown.figure("long", "f.data[0].x"))
        assert 2000 < kept <= MAX_POINTS
        text = shown.pane("long").locator(".annotation")
        assert text.text_content() == f"{kept:,} of 30,000 points, the extremes of each stretch"
        title, below = (one.bounding_box() for one in (shown.pane("long").locator(".xtitle"), text))
        pane = shown.pane("long").bounding_box()
        assert title is not None
        assert below is not None
        assert pane is not None
        assert title["y"] + title["height"] <= below["y"] + 4
        assert below["y"] + below["height"] <= pane["y"] + pane["height"]

    def test_the_row_of_a_confusion_matrix_is_the_truth(self, shown: Dashboard) -> None:
        truth, scores = scored()
        expected = metrics.confusion_matrix(truth, scores.argmax(axis=1))
        assert shown.window("confusion")["data"][0]["z"] == expected.tolist()
        assert (shown.texts("confusion", ".ytitle"), shown.texts("confusion", ".xtitle")) == (["truth"], ["prediction"])
        ticks = shown.pane("confusion").locator(".ytick text")
        tops = ticks.evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
        assert [name for _, name in sorted(zip(tops, ticks.all_text_contents(), strict=True))] == ANIMALS
        assert shown.figure("confusion", "f.calcdata[0][0].z[0][1]") == expected[0, 1]

    def test_curves_are_those_of_scikit_learn(self, shown: Dashboard) -> None:
        truth, scores = scored()
        false, true, _ = metrics.roc_curve(truth == 1, scores[:, 1])
        x, y = shown.figure("roc", "[f.data[2].x, f.data[2].y]")
        assert shown.figure("roc", "f.data[2].name") == "dog"
        assert np.allclose([x, y], [false, true])
        assert f"dog: {metrics.roc_auc_score(truth == 1, scores[:, 1]):.4g}" in shown.texts("roc", ".annotation")[0]
        assert shown.texts("pr", ".xtitle") == ["recall"]
