"""Images, histograms and HTML drawn by a real server in a real browser; no script of a page of HTML runs."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import Browser, Page, Request

from flexlogger.plots.board import Board
from flexlogger.server.process import ServerProcess
from flexlogger.tracking.media import Histogram, Html, Image
from tests.tracking.shown import Dashboard, dashboard, logged

ATTACK = """<title id="title">t</title><h1 id="said">kept</h1>
<script>document.querySelector('#said').textContent = 'script'; parent.attacked = 1</script>
<img src="x" onerror="document.querySelector('#said').textContent = 'handler'">
<svg onload="document.querySelector('#said').textContent = 'svg'"></svg>
<a id="link" href="javascript:document.querySelector('#said').textContent = 'link'">link</a>
<a id="away" target="_top" href="http://example.org/">away</a>
<form id="form" action="http://example.org/"><button id="send">send</button></form>
<iframe srcdoc="<script>top.attacked = 2</script>"></iframe>
<img src="http://example.org/track.png"><link rel="stylesheet" href="http://example.org/style.css">
<meta http-equiv="refresh" content="0;url=http://example.org/">
<style>#said { color: rgb(1, 2, 3) }</style><b id="end">end</b>"""


@pytest.fixture(scope="module")
def shown(server: ServerProcess, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    rings = [np.hypot(*np.mgrid[-3.5:4, -3.5:4]) / (5 + n) for n in range(5)]
    values = {
        "ring": Image(rings[0], caption="a ring of eight by eight, and a caption that needs more than a line"),
        "rings": [Image(ring, caption=f"ring {n}") for n, ring in enumerate(rings)],
        "weights": Histogram([0.0, 1.0, 1.0, 4.0, float("inf")], num_bins=4),
        "report": Html(ATTACK),
    }
    with dashboard(server, chromium, "media", tmp_path_factory.mktemp("run"), values) as made:
        yield made


class TestInTheBrowser:
    def test_an_image_above_its_caption(self, shown: Dashboard) -> None:
        image = shown.pane("ring").locator("img.content-image")
        image.evaluate("image => image.decode()")
        assert image.get_attribute("alt") == "a ring of eight by eight, and a caption that needs more than a line"
        caption = shown.pane("ring").locator(".widgets .widget").bounding_box()
        around = image.bounding_box()
        assert caption is not None
        assert around is not None
        drawn = _picture(shown.window("ring")["src"])
        inked = np.flatnonzero((drawn < 250).any(axis=(1, 2)))
        assert caption["height"] > 30, "two lines"
        assert around["y"] + inked[-1] / len(drawn) * around["height"] <= caption["y"] + 2

    def test_the_pixels_are_those_of_the_array(self, shown: Dashboard) -> None:
        drawn = _picture(shown.window("ring")["src"])
        assert drawn[:20, :20].min() > 200, "the far corner is light"

    def test_a_list_of_images_is_a_grid_with_captions(self, shown: Dashboard) -> None:
        drawn = _picture(shown.window("rings")["src"])
        white = (drawn > 250).all(axis=(0, 2)).astype(int)
        assert (np.diff(white) == 1).sum() == 5, "five beside each other"
        strip = drawn[2:18, :, 0]
        assert 0 < (strip < 128).mean() < 0.2, "text above them"

    def test_a_histogram_says_what_it_left_out(self, shown: Dashboard) -> None:
        assert shown.window("weights")["data"][0]["y"] == [1, 2, 0, 1]
        assert shown.pane("weights").locator(".barlayer .point path").count() == 4
        assert shown.texts("weights", ".annotation") == ["weights: 1 not finite"]

    def test_html_is_shown_and_no_script_of_it_runs(self, shown: Dashboard) -> None:
        elsewhere: list[str] = []

        def ended(request: Request) -> None:
            if "example.org" in request.url and request.failure != "csp":  # the policy stopped it on its way out
                elsewhere.append(request.url)

        shown.page.on("requestfinished", ended)
        shown.page.on("requestfailed", ended)
        shown.page.reload()
        _survives(shown.page)
        assert elsewhere == []
        assert shown.page.url.endswith("/env/media")
        assert "sandbox" in shown.window("report")


def _survives(page: Page) -> None:
    """The page of HTML is there as it was written, and nothing it tries to do happens."""
    frame = page.frame_locator("iframe[srcdoc]").first
    frame.locator("#end").wait_for()
    frame.locator("#link").click()
    frame.locator("#send").click()
    frame.locator("#away").click()
    page.wait_for_load_state("networkidle")
    assert frame.locator("#said").inner_text() == "kept"
    assert frame.locator("#said").evaluate("said => getComputedStyle(said).color") == "rgb(1, 2, 3)"
    assert page.evaluate("window.attacked") is None


def test_no_script_of_it_runs_on_a_page_that_allows_them(page: Page, tmp_path: Path) -> None:
    """A stock visdom server sends no policy: the frame alone has to do."""
    board = Board()
    board.write(logged(tmp_path, {"report": Html(ATTACK)}))
    content = board.panel("report").data[0]["content"]
    page.goto("about:blank")
    page.set_content(f"<script>window.scripts = 'run'</script>{content}")
    assert page.evaluate("window.scripts") == "run"
    _survives(page)


def _picture(uri: str) -> np.ndarray[Any, Any]:
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))).convert("RGB"))
