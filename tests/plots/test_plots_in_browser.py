"""Every plot type drawn by a real server in a real browser, and what a user has done to a window survives refreshes."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from flexlogger.plots.catalog import PLOTS
from flexlogger.records import Datum, Definition, MeterDef, PlotDef, Record
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.visdom import HttpSender, VisdomSink
from flexlogger.sinks.wire import address
from tests.plots import gallery


@contextmanager
def sink(server: ServerProcess, env: str) -> Iterator[VisdomSink]:
    view = VisdomSink(HttpSender(address(server.url, None)), env, env)
    try:
        yield view
    finally:
        view.close()


@pytest.fixture
def view(server: ServerProcess, request: pytest.FixtureRequest) -> Iterator[VisdomSink]:
    """A dashboard in an environment called like the test."""
    with sink(server, request.node.name) as made:
        yield made


@pytest.fixture
def url(server: ServerProcess, request: pytest.FixtureRequest) -> str:
    """Where that environment shows."""
    return f"{server.url}/env/{request.node.name}"


def pane(page: Page, title: str) -> Locator:
    return page.locator(f'.window:has(.bar :text-is("{title}"))')


def texts(where: Locator) -> list[str]:
    return [text.replace("−", "-").strip() for text in where.all_text_contents()]


def boxes(where: Locator) -> list[dict[str, float]]:
    """Return the place of each element on the page."""
    found: list[dict[str, float]] = where.evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
    return found


def figure(window: Locator, expression: str) -> Any:
    """Evaluate JavaScript in which `f` is the plotly figure of a window."""
    return window.locator(".js-plotly-plot").evaluate(f"f => {expression}")


def pixels(window: Locator) -> np.ndarray:
    """Return the pixels (H, W, 3) of the picture a window shows, without the white around it."""
    image = window.locator("img.content-image")
    image.evaluate("image => image.decode()")
    _, _, encoded = (image.get_attribute("src") or "").partition("base64,")
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))
    assert image.evaluate("image => [image.naturalHeight, image.naturalWidth]") == list(picture.shape[:2])
    inked: np.ndarray = (picture < 250).max(axis=2)
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@pytest.fixture(scope="module")
def shown(server: ServerProcess, chromium: Browser) -> Iterator[Page]:
    """The gallery, drawn; it fails where the page reported an error."""
    with sink(server, "gallery") as view:
        view.write(gallery.items())
        view.flush()
        assert not view.board.notes
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server.url}/env/gallery")
    for plot in gallery.PLOTS:
        pane(page, plot.name).locator(".main-svg, .content-image, .content-text, .content-properties").first.wait_for()
    yield page
    assert errors == []
    context.close()


class TestEveryType:
    def test_the_gallery_has_them_all(self) -> None:
        assert {plot.type for plot in gallery.PLOTS} == set(PLOTS)

    def test_line(self, shown: Page) -> None:
        loss = pane(shown, "loss")
        assert texts(loss.locator(".legendtext")) == ["train_loss", "test_loss"]
        assert loss.locator(".lines path.js-line").count() == 3, "the NaN parts test_loss in two"
        assert loss.locator(".scatterlayer .fills path.js-fill").count() == 1, "the band"
        assert loss.locator(".scatterlayer .points path.point").count() == 2, "a mark for the NaN and one for the Inf"
        assert figure(loss, "f._fullLayout.yaxis.type") == "log"
        assert loss.locator(".xtitle").text_content() == "step"
        assert loss.locator(".ytitle").text_content() == "cross entropy"

    def test_lines_of_parts(self, shown: Page) -> None:
        f1 = pane(shown, "f1")
        assert texts(f1.locator(".legendtext")) == [f"test_f1.{animal}" for animal in gallery.ANIMALS]
        assert texts(f1.locator(".xtick text")) == ["0", "1", "2", "3", "4", "5"], "no ticks between whole epochs"
        accuracy = figure(pane(shown, "accuracy"), "f.data.map(t => [t.name, t.line.color, t.line.dash])")
        by_name = {name: (color, dash) for name, color, dash in accuracy}
        assert by_name["train_acc@1"][0] == by_name["test_acc@1"][0] != by_name["train_acc@5"][0]
        assert by_name["train_acc@1"][1] == by_name["train_acc@5"][1] != by_name["test_acc@1"][1]

    def test_line_over_hours(self, shown: Page) -> None:
        speed = pane(shown, "speed")
        assert speed.locator(".xtitle").text_content() == "hours"
        low, high = figure(speed, "f._fullLayout.xaxis.range")
        assert low < 0.1
        assert 0.9 < high < 1.2

    def test_scatter(self, shown: Page) -> None:
        embedding = pane(shown, "embedding")
        assert embedding.locator(".points path.point").count() == 240
        assert texts(embedding.locator(".legendtext")) == list(gallery.ANIMALS)

    def test_bar(self, shown: Page) -> None:
        recall = pane(shown, "recall")
        assert texts(recall.locator(".legendtext")) == ["train_recall", "test_recall"]
        assert recall.locator(".barlayer .trace").nth(1).locator(".point path").count() == 4
        assert texts(recall.locator(".xtick text")) == list(gallery.ANIMALS)
        counts = boxes(pane(shown, "counts").locator(".bars .point path"))
        assert counts[0]["height"] == pytest.approx(counts[1]["height"] * 7616 / 357, rel=0.1)

    def test_histogram(self, shown: Page) -> None:
        bars = pane(shown, "weights").locator(".barlayer .trace")
        assert bars.count() == 2
        first = boxes(bars.nth(0).locator(".point path"))
        assert len(first) == 40
        neighbours = [(left, right) for left, right in pairwise(first) if left["height"] and right["height"]]
        assert len(neighbours) > 20
        assert all(left["right"] == pytest.approx(right["left"], abs=1.5) for left, right in neighbours)

    def test_heatmap(self, shown: Page) -> None:
        confusion = pane(shown, "confusion")
        assert texts(confusion.locator(".xtick text")) == list(gallery.DIGITS)
        labels = confusion.locator(".ytick text")
        tops = [label["top"] for label in boxes(labels)]
        assert [name for _, name in sorted(zip(tops, texts(labels), strict=True))] == list(gallery.DIGITS)
        assert texts(confusion.locator(".heatmap-label")).count("0.06") == 2
        assert confusion.locator(".ytitle").text_content() == "truth"
        assert confusion.locator(".xtitle").text_content() == "prediction"
        assert figure(confusion, "f.calcdata[0][0].z[4][9]") == pytest.approx(0.06, abs=0.005)
        assert confusion.locator(".hm image").count() == 1

    def test_heatmap_of_many_cells(self, shown: Page) -> None:
        gradients = pane(shown, "gradients")
        assert gradients.locator(".heatmap-label").count() == 0
        low, high = figure(gradients, "[f._fullData[0].zmin, f._fullData[0].zmax]")
        assert low == -high < 0

    def test_image(self, shown: Page) -> None:
        sample = pane(shown, "sample")
        assert sample.locator("img.content-image").get_attribute("alt") == "step 120"
        drawn, told = pixels(sample)[:, :, 0], gallery.digits()[0]
        assert min(drawn.shape) >= 240, "enlarged"
        rows, columns = ((np.arange(8) + 0.5) * drawn.shape[0] / 8, (np.arange(8) + 0.5) * drawn.shape[1] / 8)
        assert (drawn[rows.astype(int)][:, columns.astype(int)] == told).all(), "sharp and in order"

    def test_images(self, shown: Page) -> None:
        drawn = pixels(pane(shown, "mistakes"))
        assert drawn.shape[1] > drawn.shape[0] * 1.4, "six by three"
        white_columns = (drawn > 250).all(axis=(0, 2)).astype(int)
        assert (np.diff(white_columns) == 1).sum() == 5, "five gaps between six columns"

    def test_matplotlib(self, shown: Page) -> None:
        drawn = pixels(pane(shown, "figure"))
        assert drawn.shape[1] / drawn.shape[0] == pytest.approx(400 / 240, rel=0.03)
        assert drawn[5, 5, 0] < 20
        assert drawn[5, -5, 0] > 235

    def test_text(self, shown: Page) -> None:
        notes = pane(shown, "notes").locator(".content-text")
        assert "<b>not bold</b> & kept   as   written" in notes.inner_text().replace("\u00a0", " ")
        assert notes.locator("b").count() == 0

    def test_table(self, shown: Page) -> None:
        layers = pane(shown, "layers")
        assert texts(layers.locator("th")) == ["layer", "parameters", "mean gradient", "activation"]
        assert texts(layers.locator("td"))[8:] == ["fc <out>", "5130", "1.25e-06", ""]

    def test_curve(self, shown: Page) -> None:
        roc = pane(shown, "roc")
        assert texts(roc.locator(".legendtext")) == ["train_auc", "test_auc"]
        assert roc.locator(".scatterlayer .lines path.js-line").count() == 3, "two curves and the diagonal"
        assert roc.locator(".xtitle").text_content() == "false positive rate"
        assert "train_auc: 0.9" in (roc.locator(".annotation").first.text_content() or "")
        assert pane(shown, "precision").locator(".scatterlayer .lines path.js-line").count() == 1
        assert pane(shown, "precision").locator(".ytitle").text_content() == "precision"

    def test_plotly(self, shown: Page) -> None:
        surface = pane(shown, "surface")
        assert figure(surface, "f._fullData[0].type") == "surface"
        assert surface.locator("canvas").count() >= 1

    def test_a_window_without_values_says_so(self, shown: Page) -> None:
        assert "no values yet" in (pane(shown, "empty").locator(".annotation").text_content() or "")


def two_lines(max_points: int = 2000) -> Definition:
    meters = (MeterDef("train_loss", "", "loss"), MeterDef("test_loss", "", "loss"))
    return Definition(0.0, (PlotDef("loss", max_points=max_points),), meters)


def steps(first: int, last: int) -> list[Record]:
    return [Record(s, float(s), {"train_loss": 1 / (s + 1), "test_loss": 2 / (s + 1)}) for s in range(first, last)]


def test_zoom_and_a_hidden_trace_survive_ten_refreshes(view: VisdomSink, url: str, page: Page) -> None:
    view.write([two_lines(), *steps(0, 50)])
    view.flush()
    page.goto(url)
    loss = pane(page, "loss")
    area = loss.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 0.2 * area["width"], area["y"] + 0.3 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + 0.6 * area["width"], area["y"] + 0.7 * area["height"], steps=8)
    page.mouse.up()
    page.wait_for_function("document.querySelector('.js-plotly-plot').layout.xaxis.autorange === false")
    loss.locator(".legendtoggle").nth(1).click()
    page.wait_for_function("document.querySelector('.js-plotly-plot').data[1].visible === 'legendonly'")
    before = figure(loss, "[f.layout.xaxis.range, f.layout.yaxis.range]")

    for refresh in range(10):
        view.write(steps(50 + refresh, 51 + refresh))
        view.flush()
        page.wait_for_function(f"document.querySelector('.js-plotly-plot').data[0].x.length === {51 + refresh}")
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot .legendtoggle').length === 2")

    assert figure(loss, "[f.layout.xaxis.range, f.layout.yaxis.range]") == before
    assert figure(loss, "[f._fullData[0].visible, f._fullData[1].visible]") == [True, "legendonly"]
    assert loss.locator(".scatterlayer .lines path.js-line").count() == 1


def test_a_million_steps_stay_within_max_points(view: VisdomSink, url: str, page: Page) -> None:
    definition, n = two_lines(), 1_000_000
    noise = np.random.default_rng(3).normal(size=n)
    noise[[77_777, 555_555]] = 50.0, -50.0
    view.write([definition])
    for start in range(0, n, 20_000):
        values = noise[start : start + 20_000].tolist()
        view.write([Record(s, float(s), {"train_loss": v}) for s, v in enumerate(values, start)])
    view.flush()
    page.goto(url)
    page.wait_for_selector(".scatterlayer .lines path.js-line")
    x, y = figure(pane(page, "loss"), "[f.data[0].x, f.data[0].y]")
    points = dict(zip(x, y, strict=True))
    assert 900 < len(points) <= 2000
    assert (min(points), max(points)) == (0, n - 1)
    assert (points[77_777], points[555_555]) == (50.0, -50.0)
    assert (points[0], points[n - 1]) == (noise[0], noise[-1])


def test_the_dashboards_own_smoothing_takes_our_lines(view: VisdomSink, url: str, page: Page) -> None:
    outputs = gallery.METERS[0].outputs
    banded = MeterDef("train_loss", "", "loss", outputs, (), {"band": "std"})
    records = [Record(s, float(s), {"train_loss": s % 7 * 1.0, "train_loss.std": 1.0}) for s in range(60)]
    view.write([Definition(0.0, (PlotDef("loss"),), (banded,)), *records])
    view.flush()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    loss = pane(page, "loss")
    before = figure(loss, "f.data.length")
    loss.locator('button[title="smooth lines"]').click()
    loss.locator('.widget input[type="range"]').fill("8")
    page.wait_for_function(f"document.querySelector('.js-plotly-plot').data.length > {before}")
    page.wait_for_selector(".scatterlayer .lines path.js-line")
    assert errors == []


def test_a_captioned_image_does_not_grow(view: VisdomSink, url: str, page: Page) -> None:
    plot = PlotDef("sample", "image", {"caption": "step {step}"})
    sample = gallery.METERS[13]
    assert sample.name == "sample"
    view.write([Definition(0.0, (plot,), (sample,))])
    heights: list[float] = []
    for step, picture in enumerate(gallery.digits()[:11]):
        view.write([Record(step, 0.0, {}, (Datum("sample", "image", picture),))])
        view.flush()
        if not heights:
            page.goto(url)
        page.wait_for_selector(f'img[alt="step {step}"]')
        page.set_viewport_size({"width": 1440 - step, "height": 1000})  # lays the page out again
        heights.append(boxes(page.locator(".react-grid-item"))[0]["height"])
    assert len(set(heights)) == 1
