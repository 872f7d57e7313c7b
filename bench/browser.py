"""A headless Chromium that looks at a dashboard, and how long it takes to answer a click."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from playwright.sync_api import Page, sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
CLICK_EVERY_S = 0.5
SETTLE_S = 3.0
"""A page that was just opened is busy with itself."""

# From the event's own time, which counts the wait for a busy page, to the frame that shows what it did.
WATCH_CLICKS = """() => {
  window.answered = [];
  const channel = new MessageChannel(), waiting = [];
  channel.port1.onmessage = () => window.answered.push(performance.now() - waiting.shift());
  addEventListener('click', event => {
    waiting.push(event.timeStamp);
    requestAnimationFrame(() => channel.port2.postMessage(0));
  }, true);
}"""

TITLE_BARS = """() => [...document.querySelectorAll('.window .bar')].map(bar => bar.getBoundingClientRect())
  .map(box => [box.x + box.width / 2, box.y + box.height / 2]).filter(([x, y]) => y < innerHeight)"""


def available() -> bool:
    """Whether there is a Chromium."""
    return shutil.which("chromium") is not None


@contextmanager
def looking_at(url: str, panes: int) -> Iterator[Page]:
    """A page that shows `url`, once its `panes` plots are drawn."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(url)
        page.wait_for_function(
            f"document.querySelectorAll('.js-plotly-plot .lines path').length >= {panes}", timeout=60_000
        )
        yield page
        browser.close()


def click_for(page: Page, seconds: float) -> list[float]:
    """Click on the title bars of panes in view for `seconds` in all; milliseconds until each click was answered."""
    end = time.monotonic() + seconds
    places = page.evaluate(TITLE_BARS)
    page.wait_for_timeout(SETTLE_S * 1000)
    page.evaluate(WATCH_CLICKS)
    chosen = random.Random(0)
    while time.monotonic() < end:
        page.mouse.click(*chosen.choice(places))
        page.wait_for_timeout(CLICK_EVERY_S * 1000)
    return [float(answered) for answered in page.evaluate("window.answered")]


def cpu_seconds() -> float:
    """CPU seconds so far of all of our Chromium's processes."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        if "chrom" in child.name():
            times = child.cpu_times()
            total += times.user + times.system
    return total
