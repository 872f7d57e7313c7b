"""A report opened in a real browser without a network shows every window; nothing that was logged runs in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page

from flexlogger.cli import main
from flexlogger.plots.board import Board
from flexlogger.records import Datum, Definition, MeterDef, Output, PlotDef, Record
from tests.plots import gallery
from tests.report.runs import ink, run


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the gallery and its report."""
    base = tmp_path_factory.mktemp("report")
    run(base, "gallery", gallery.items(), name="every type")
    assert main(["report", "gallery", "--dir", str(base), "-o", str(base / "report.html")]) == 0
    return base


def opened(chromium: Browser, path: Path, errors: list[str], asked: list[str]) -> Page:
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, offline=True)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-drawn=all]")
    return page


@pytest.fixture(scope="module")
def shown(chromium: Browser, base: Path) -> Iterator[Page]:
    errors: list[str] = []
    asked: list[str] = []
    page = opened(chromium, base / "report.html", errors, asked)
    yield page
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
    page.context.close()


def pane(page: Page, title: str) -> Locator:
    return page.locator(f'.card:has(h2:text-is("{title}")) .pane')


@pytest.mark.parametrize("plot", gallery.PLOTS, ids=lambda plot: plot.name)
def test_every_window_is_there_and_not_blank(shown: Page, plot: PlotDef) -> None:
    window = pane(shown, plot.name)
    window.scroll_into_view_if_needed()
    assert window.locator(".main-svg, iframe, img, table").count() >= 1
    assert ink(window.screenshot()) > 0.003


def test_figures_have_the_dashboards_points(shown: Page) -> None:
    board = Board()
    board.write(gallery.items())
    for plot in ("loss", "accuracy", "embedding", "confusion", "roc"):
        there = json.loads(pane(shown, plot).evaluate("f => JSON.stringify(f.data)"))
        told = board.panel(plot).data
        for axis in ("x", "y", "z"):
            assert [trace.get(axis) for trace in there] == [trace.get(axis) for trace in told]


def test_text_and_tables_are_readable(shown: Page) -> None:
    notes = pane(shown, "notes").locator("iframe").content_frame.locator("body")
    assert "<b>not bold</b> & kept" in notes.inner_text()
    table = pane(shown, "layers").locator("iframe").content_frame
    assert table.locator("th").all_text_contents() == ["layer", "parameters", "mean gradient", "activation"]
    assert pane(shown, "sample").locator(".caption").text_content() == "step 120"


BAD = "<img src=x onerror='window.hacked=1;alert(1)'><script>window.hacked=1;parent.hacked=1;alert(2)</script></script>"


def planted() -> list[Definition | Record]:
    """Scripts wherever a run may hold text."""
    plots = (
        PlotDef(f"line {BAD}", "line", {"xlabel": BAD, "legend": [BAD]}),
        PlotDef("text", "text", {"html": True}),
        PlotDef("page", "text"),
        PlotDef("table", "table", {"html": True}),
        PlotDef("figure", "plotly", {"layout": {"title": BAD}}),
        PlotDef("image", "image", {"caption": BAD}),
    )
    kinds = {"text": "text", "page": "text", "table": "table", "figure": "figure", "image": "image"}
    meters = [MeterDef(f"m{BAD}", "M", plots[0].name)]
    meters += [MeterDef(name, "M", name, (Output("", kind),)) for name, kind in kinds.items()]  # type: ignore[arg-type] # kinds
    figure = {"data": [{"type": "scatter", "y": [1, 2], "name": BAD, "text": [BAD, BAD]}], "layout": {}}
    data = (
        Datum("text", "text", BAD),
        Datum("page", "text", f"<!doctype html>{BAD}"),
        Datum("table", "table", json.dumps({"columns": [BAD], "rows": [[BAD]]})),
        Datum("figure", "figure", json.dumps(figure)),
        Datum("image", "image", np.zeros((4, 4), np.uint8)),
    )
    return [Definition(0.0, plots, tuple(meters)), Record(0, 0.0, {meters[0].name: 1.0}, data)]


def test_nothing_that_was_logged_runs(chromium: Browser, tmp_path: Path) -> None:
    facts = {"name": BAD, "notes": BAD, "tags": [BAD], "config": {BAD: BAD}, "summary": {BAD: BAD}, "command": [BAD]}
    run(tmp_path, "planted", planted(), **facts, git={"commit": BAD}, host=BAD, nonfinite={BAD: {"value": BAD}})
    out = tmp_path / "report.html"
    assert main(["report", "planted", "--dir", str(tmp_path), "-o", str(out)]) == 0
    errors: list[str] = []
    page = opened(chromium, out, errors, [])
    assert page.locator(".card h2").count() == 6 + 4
    assert page.title() == page.locator("h1").evaluate("h => h.firstChild.textContent") == BAD
    assert BAD in page.locator(".tables").inner_text()
    assert [frame.evaluate("window.hacked") for frame in page.frames] == [None] * len(page.frames)
    assert errors == []
    page.context.close()


def test_its_policy_stops_a_script_that_came_in_all_the_same(chromium: Browser, base: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.html"
    forged.write_text((base / "report.html").read_text("utf-8").replace("</header>", f"</header>{BAD}"), "utf-8")
    errors: list[str] = []
    page = opened(chromium, forged, errors, [])
    assert page.evaluate("window.hacked") is None
    assert errors == []
    page.context.close()
