"""From `add` and `log` to pixels: every plot type fed through a logger, drawn by a real server in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page

from docs import gallery
from flexlogger import FlexLogger
from flexlogger.plots.catalog import PLOTS
from flexlogger.server.process import ServerProcess


@pytest.fixture(scope="module")
def dashboard(server: ServerProcess, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The gallery of the docs, all of it in sight; it fails where the page reported an error."""
    where = {"server": "127.0.0.1", "port": server.port, "env": "logged", "dir": str(tmp_path_factory.mktemp("runs"))}
    with FlexLogger.from_config(gallery.CONFIG, **where) as stat:
        gallery.feed(stat)
        assert stat.flush(20)
        context = chromium.new_context(viewport={"width": 1440, "height": gallery.HEIGHT})
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(str(stat.url))
        for name in gallery.CONFIG["plots"]:
            window(page, name).locator(".main-svg, .content-image, .content-text, .content-properties").first.wait_for()
        yield page
        assert errors == []
        context.close()


def window(page: Page, title: str) -> Locator:
    return page.locator(f'.window:has(.bar :text-is("{title}"))')


def test_the_gallery_has_every_type() -> None:
    assert {plot["type"] for plot in gallery.CONFIG["plots"].values()} == set(PLOTS)


@pytest.mark.parametrize(
    ("plot", "what", "count"),
    [
        ("line", ".lines path.js-line", 3),  # the NaN parts one of the two
        ("line", ".fills path.js-fill", 1),
        ("line", ".points path.point", 1),
        ("entries of a vector", ".lines path.js-line", 10),
        ("entries of a vector", ".legendtext", 10),
        ("scatter", ".points path.point", 400),
        ("bar", ".bars .point path", 10),
        ("histogram", ".barlayer .trace", 2),
        ("heatmap", ".hm image", 1),
        ("heatmap", ".xtick text", 10),
        ("curve", ".lines path.js-line", 3),  # two curves and the diagonal
        ("table", "tbody tr", 10),
        ("plotly", ".violinlayer .violins path.violin", 3),
    ],
)
def test_what_was_logged_is_drawn(dashboard: Page, plot: str, what: str, count: int) -> None:
    assert window(dashboard, plot).locator(what).count() == count


def test_text_is_shown_as_it_was_written(dashboard: Page) -> None:
    assert "data  <noisy> digits" in window(dashboard, "text").locator(".content-text").inner_text()


@pytest.mark.parametrize("plot", ["image", "images", "matplotlib"])
def test_pictures_fill_their_panes(dashboard: Page, plot: str) -> None:
    image, pane = window(dashboard, plot).locator("img.content-image"), window(dashboard, plot)
    natural = image.evaluate("image => image.decode().then(() => image.naturalWidth / image.naturalHeight)")
    shown, around = image.bounding_box(), pane.bounding_box()
    assert shown is not None
    assert around is not None
    assert shown["width"] == pytest.approx(around["width"], abs=2)
    assert shown["height"] == pytest.approx(around["height"], abs=2), (
        "of which the title bar's height is below the pane"
    )
    assert shown["width"] / shown["height"] == pytest.approx(natural, rel=0.01)


def test_windows_stand_in_rows_of_three(dashboard: Page) -> None:
    boxes = [window(dashboard, name).bounding_box() for name in gallery.CONFIG["plots"]]
    places = [(round(box["x"]), round(box["y"])) for box in boxes if box is not None]
    assert len({y for _, y in places[:12]}) == 4
    assert len({x for x, _ in places[:12]}) == 3
