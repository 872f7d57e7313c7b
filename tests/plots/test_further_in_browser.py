"""The plot types that few dashboards need, logged as users log them, read back from a real server and seen in a real
browser; and what a form, a drawing or a video may not do."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from flexlogger import FlexLogger
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import window
from tests.plots import further

PLOTS = {plot.name: {"type": plot.type, "opts": plot.opts} for plot in further.PLOTS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that are logged."""
    made = tmp_path_factory.mktemp("further")
    further.write_files(made)
    return made


@pytest.fixture(scope="module")
def stat(server: ServerProcess, folder: Path) -> Iterator[FlexLogger]:
    """A logger that was given a value for each window, as a user gives it."""
    given: dict[str, Any] = {}
    for datum in further.data():
        name, _, part = datum.name.partition(".")
        given.setdefault(name, {})[part] = datum.value
    values = {name: parts.get("", parts) for name, parts in given.items()}
    for name in ("settings", "graph"):
        table = json.loads(values[name])
        values[name] = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    values |= {"film": folder / "film.mp4", "record": folder / "tone.wav", "drawing": folder / "drawing.svg"}
    where = {"server": "127.0.0.1", "port": server.port, "env": "further", "dir": str(folder)}
    with FlexLogger(PLOTS, layout={"columns": 4, "height": 300}, **where) as made:
        made.add(values)
        made.log(7)
        assert made.flush(20, views=True)
        assert made.status()["views"]["visdom"]["ok"]
        yield made


@pytest.fixture(scope="module")
def page(stat: FlexLogger, chromium: Browser) -> Iterator[Page]:
    """All windows in sight and drawn; it fails where the page reported an error."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1400})
    context.set_default_timeout(60_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(str(stat.url))
    for name in PLOTS:
        pane(page, name).locator(".main-svg, .content-text, .content-properties").first.wait_for()
    yield page
    assert errors == []
    context.close()


def pane(page: Page, title: str) -> Locator:
    return page.locator(f'.window:has(.bar :text-is("{title}"))')


def ink(where: Locator) -> float:
    """The share of what an element shows that is neither white nor grey."""
    pixels = np.asarray(Image.open(io.BytesIO(where.screenshot())).convert("RGB")).astype(int)
    return float((np.ptp(pixels, axis=2) > 40).mean())


def on_server(stat: FlexLogger, server: ServerProcess, plot: str) -> Any:
    return window(stat, server.url, plot)["content"]


def values(name: str) -> Any:
    return next(datum.value for datum in further.data() if datum.name == name)


class TestOnTheServer:
    """What /win_data gives back is what was logged."""

    def test_boxplot(self, stat: FlexLogger, server: ServerProcess) -> None:
        boxes = on_server(stat, server, "margins")["data"]
        assert [box["name"] for box in boxes] == list(further.ANIMALS)
        assert np.allclose([box["y"] for box in boxes], values("margins").T)

    @pytest.mark.parametrize("plot", ["hills", "map"])
    def test_surface_and_contour(self, stat: FlexLogger, server: ServerProcess, plot: str) -> None:
        (heights,) = on_server(stat, server, plot)["data"]
        assert heights["type"] == {"hills": "surface", "map": "contour"}[plot]
        assert np.allclose(heights["z"], values(plot))

    def test_quiver(self, stat: FlexLogger, server: ServerProcess) -> None:
        (arrows,) = on_server(stat, server, "flow")["data"]
        x, y = (np.array(arrows[axis], float).reshape(9, 12, 6) for axis in "xy")
        assert (x[..., 0] == np.arange(12)).all()
        assert (y[..., 0] == np.arange(9)[:, None]).all()
        longest = np.hypot(values("flow.u"), values("flow.v")).max()
        assert np.allclose(x[..., 1] - x[..., 0], values("flow.u") * 0.9 / longest)
        assert np.isnan(x[..., 5]).all()

    def test_stem(self, stat: FlexLogger, server: ServerProcess) -> None:
        (stems,) = on_server(stat, server, "impulse")["data"]
        y = np.array(stems["y"], float).reshape(40, 3)
        assert (y[:, 0] == 0).all()
        assert np.allclose(y[:, 1], values("impulse"))

    def test_pie(self, stat: FlexLogger, server: ServerProcess) -> None:
        (pie,) = on_server(stat, server, "classes")["data"]
        assert (pie["labels"], pie["values"]) == (["cat", "dog", "&lt;unk&gt;"], [5, 3, 2])

    def test_mesh(self, stat: FlexLogger, server: ServerProcess) -> None:
        (body,) = on_server(stat, server, "body")["data"]
        assert np.allclose([body[axis] for axis in "xyz"], values("body.vertices").T)
        assert np.array_equal([body[corner] for corner in "ijk"], values("body.faces").T)

    def test_files_are_whole(self, stat: FlexLogger, server: ServerProcess, folder: Path) -> None:
        for plot, name in (("film", "film.mp4"), ("record", "tone.wav")):
            encoded = base64.b64encode((folder / name).read_bytes()).decode()
            assert encoded in on_server(stat, server, plot)

    def test_properties(self, stat: FlexLogger, server: ServerProcess) -> None:
        rows = on_server(stat, server, "settings")
        assert [(row["type"], row["value"]) for row in rows] == [
            ("select", 1),
            ("number", "0.001"),
            ("checkbox", True),
            ("text", "kept & shown"),
            ("button", "Stop"),
            ("text", "one"),
        ]

    def test_embeddings(self, stat: FlexLogger, server: ServerProcess) -> None:
        classes = on_server(stat, server, "features")["data"]
        assert [trace["name"] for trace in classes] == list(further.ANIMALS)
        assert sorted(row for trace in classes for row in trace["customdata"]) == list(range(160))

    def test_network(self, stat: FlexLogger, server: ServerProcess) -> None:
        edges, nodes, labels = on_server(stat, server, "graph")["data"]
        assert nodes["text"] == ["input", "conv1", "conv2", "add"]
        assert labels["text"] == ["3x32x32", "conv1-conv2", "conv1-add", "skip"]
        assert edges["x"][:2] == [nodes["x"][0], nodes["x"][1]]


class TestInTheBrowser:
    """What is drawn."""

    def test_boxplot(self, page: Page) -> None:
        margins = pane(page, "margins")
        assert margins.locator(".boxlayer path.box").count() == 4
        assert margins.locator(".xtick text").all_text_contents() == list(further.ANIMALS)

    @pytest.mark.parametrize("plot", ["hills", "body"])
    def test_bodies_in_space(self, page: Page, plot: str) -> None:
        assert pane(page, plot).locator("canvas").count() >= 1
        assert ink(pane(page, plot)) > 0.05

    def test_contour(self, page: Page) -> None:
        assert pane(page, "map").locator(".contourlines path").count() > 5
        assert ink(pane(page, "map")) > 0.2

    def test_quiver(self, page: Page) -> None:
        assert pane(page, "flow").locator(".lines path.js-line").count() == 9 * 12, "one stroke for each arrow"

    def test_stem(self, page: Page) -> None:
        points = pane(page, "impulse").locator(".points path.point")
        assert points.count() == 80, "of which those at zero have no size"

    def test_pie(self, page: Page) -> None:
        slices = pane(page, "classes").locator(".slicetext").all_text_contents()
        assert set(slices) == {"<unk>20%", "cat50%", "dog30%"}

    @pytest.mark.parametrize("plot", ["rollout", "film"])
    def test_video_plays(self, page: Page, plot: str) -> None:
        video = pane(page, plot).locator("video")
        video.evaluate("v => v.readyState >= 2 || new Promise(done => v.onloadeddata = done)")
        assert video.evaluate("v => [v.duration, v.videoWidth % 2, v.error]") == [2, 0, None]
        last = "v => new Promise(done => { v.onseeked = () => done(); v.currentTime = 1.95 })"
        video.evaluate(last)
        pixel = (
            "v => { const c = document.createElement('canvas'); c.width = v.videoWidth; c.height = v.videoHeight;"
            "const g = c.getContext('2d'); g.drawImage(v, 0, 0);"
            "return [...g.getImageData(c.width / 2, c.height / 2, 1, 1).data] }"
        )
        red, green, blue, _ = video.evaluate(pixel)
        assert red > 200, "the last frame is red"
        assert max(green, blue) < 60
        assert video.evaluate("v => v.loop") is (plot == "rollout")
        player, around = video.bounding_box(), pane(page, plot).bounding_box()
        assert player is not None
        assert around is not None
        assert player["y"] + player["height"] <= around["y"] + around["height"], "its controls are in sight"
        assert player["width"] > 0.8 * around["width"]

    def test_audio_plays(self, page: Page) -> None:
        for plot, seconds in (("tone", 1.0), ("record", 100 / 8000)):
            audio = pane(page, plot).locator("audio")
            audio.evaluate("a => a.readyState >= 1 || new Promise(done => a.onloadedmetadata = done)")
            assert audio.evaluate("a => a.duration") == pytest.approx(seconds, abs=1e-3)

    def test_svg_is_drawn_and_its_script_does_not_run(self, page: Page) -> None:
        drawing = pane(page, "drawing").locator("img")
        assert drawing.evaluate("i => i.decode().then(() => i.naturalWidth / i.naturalHeight)") == pytest.approx(
            2, rel=0.02
        )
        assert ink(drawing) > 0.5
        assert page.evaluate("window.hacked") is None

    def test_properties(self, page: Page) -> None:
        settings = pane(page, "settings")
        names = ["optimizer", "rate", "augment", "note <b>", "stop", "odd"]
        assert settings.locator(".table-properties-name").all_text_contents() == names
        assert settings.locator("select").evaluate("s => s.selectedOptions[0].text") == "Adam"
        assert settings.locator("input[type=checkbox]").is_checked()

    def test_embeddings(self, page: Page) -> None:
        features = pane(page, "features")
        assert features.locator(".points path.point").count() == 160
        assert features.locator(".legendtext").all_text_contents() == list(further.ANIMALS)

    def test_network(self, page: Page) -> None:
        graph = pane(page, "graph")
        assert graph.locator(".points path.point").count() == 4
        assert graph.locator(".annotation-arrow-g path").count() >= 4
        assert "skip" in [text.strip() for text in graph.locator(".textpoint text").all_text_contents()]
        assert pane(page, "ring").locator(".points path.point").count() == 8


def test_a_newer_value_replaces_what_is_seen(server: ServerProcess, chromium: Browser, tmp_path: Path) -> None:
    """The same number of points and of nodes as before: visdom's own panes for these would not be drawn again."""
    random = np.random.default_rng(0)
    plots = {name: PLOTS[name] for name in ("ring", "features", "settings")}
    where = {"server": "127.0.0.1", "port": server.port, "env": "replaced", "dir": str(tmp_path)}
    page = chromium.new_page()
    with FlexLogger(plots, **where) as stat:
        for step, edges in enumerate(([[0, 1], [1, 2]], [[0, 2], [2, 1]])):
            stat.add(ring=np.array(edges), features=random.normal(size=(50, 4)))
            stat.add(settings=[{"name": "step", "value": step}])
            stat.log(step)
            assert stat.flush(20, views=True)
            if not step:
                page.goto(str(stat.url))
                page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length === 2")
                read = "() => [...document.querySelectorAll('.js-plotly-plot')].map(f => JSON.stringify(f.data))"
                before = page.evaluate(read)
        page.wait_for_function(f"before => ({read})().every((now, at) => now !== before[at])", arg=before)
        page.wait_for_function("document.querySelector('.content-properties input').value === '1'")
    page.close()


def test_the_camera_stays_where_it_was_turned_to(server: ServerProcess, chromium: Browser, tmp_path: Path) -> None:
    page = chromium.new_page()
    with FlexLogger(
        {"hills": {"type": "surface"}}, server="127.0.0.1", port=server.port, env="camera", dir=str(tmp_path)
    ) as stat:
        for step in range(2):
            stat.add(hills=values("hills") * (step + 1))
            stat.log(step)
            assert stat.flush(20, views=True)
            if not step:
                page.goto(str(stat.url))
                plot = page.locator(".js-plotly-plot")
                page.wait_for_selector(".js-plotly-plot .gl-container canvas")
                plot.evaluate("f => Plotly.relayout(f, {'scene.camera.eye': {x: 0.5, y: 2, z: 0.7}})")
        page.wait_for_function("document.querySelector('.js-plotly-plot').data[0].cmax > 1.5")
        assert plot.evaluate("f => f.layout.scene.camera.eye") == {"x": 0.5, "y": 2, "z": 0.7}
    page.close()
