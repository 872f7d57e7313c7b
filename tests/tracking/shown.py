"""Values that know how to travel, all the way: through a run log on disk to a real server and a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from flexlogger.records import Item, Record
from flexlogger.runs.segment import SegmentReader, SegmentWriter
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.visdom import HttpSender, VisdomSink
from flexlogger.sinks.where import window_id
from flexlogger.sinks.wire import address
from flexlogger.tracking.media import loggable
from tests.server.peers import post


def logged(folder: Path, values: dict[str, Any]) -> list[Item]:
    """What a run log gives back of these values."""
    writer = SegmentWriter(folder, "run")
    records = [Record(7, 0.0, {}, (loggable(value).to_datum(name),)) for name, value in values.items()]  # type: ignore[union-attr]
    assert writer.append(records) == len(records)
    writer.commit()
    writer.close()
    reader = SegmentReader(writer.path)
    items = reader.read()
    assert not reader.finish()
    return items


class Dashboard:
    """An environment of a server with some windows, open in a page."""

    def __init__(self, server: ServerProcess, env: str, page: Page) -> None:
        self.server = server
        self.env = env
        self.page = page

    def window(self, name: str) -> Any:
        """What the server holds of a window."""
        answer = post(self.server, "/win_data", {"eid": self.env, "win": window_id(self.env, self.env, name)})
        return json.loads(answer.text)["content"]

    def pane(self, name: str) -> Locator:
        return self.page.locator(f'.window:has(.bar :text-is("{name}"))')

    def figure(self, name: str, expression: str) -> Any:
        """Evaluate JavaScript in which `f` is the plotly figure of a window."""
        return self.pane(name).locator(".js-plotly-plot").evaluate(f"f => {expression}")

    def texts(self, name: str, what: str) -> list[str]:
        found = self.pane(name).locator(what).all_text_contents()
        return [text.replace("−", "-").replace("\u00a0", " ").strip() for text in found]


@contextmanager
def dashboard(
    server: ServerProcess, chromium: Browser, env: str, folder: Path, values: dict[str, Any]
) -> Iterator[Dashboard]:
    """All values drawn; it fails where the page reported an error."""
    sink = VisdomSink(HttpSender(address(server.url, None)), env, env)
    sink.write(logged(folder, values))
    sink.flush()
    assert not sink.board.notes
    sink.close()
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server.url}/env/{env}")
    shown = Dashboard(server, env, page)
    for name in values:
        shown.pane(name).locator(".main-svg, .content-image, .content-text").first.wait_for()
    yield shown
    assert errors == []
    context.close()
