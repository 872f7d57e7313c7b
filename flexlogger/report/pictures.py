"""The panes of a report as PNG files, photographed in Chromium."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flexlogger.errors import FlexLoggerError, MissingExtraError, RunLogError
from flexlogger.report.panes import Pane

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SHARP = 2  # pixels of a picture for each of the page's
_PATIENCE_MS = 300_000


def save_pictures(
    report: Path, panes: Sequence[Pane], folder: Path, advance: Callable[[int], None] = lambda done: None
) -> list[Path]:
    """Photograph each pane of a report into `folder`, as `01-loss.png` and so on; return the files.

    `advance` is told of each that is done. Raises MissingExtraError where playwright is not installed, FlexLoggerError
    where there is no Chromium, RunLogError where a file cannot be written.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise MissingExtraError("--png", "playwright", "report") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunLogError(f"{folder}: cannot write pictures ({error.strerror or error})") from error
    files = [folder / f"{number:02}-{slug(pane.title)}.png" for number, pane in enumerate(panes, 1)]
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=_browser(), args=_flags())
        except Error as error:
            raise FlexLoggerError(
                "--png draws with Chromium, which does not start here; install your system's, or run: playwright "
                f"install chromium ({str(error).splitlines()[0]})"
            ) from error
        shown = browser.new_page(device_scale_factor=_SHARP, viewport={"width": 1440, "height": 1000}, offline=True)
        shown.goto(report.absolute().as_uri())
        shown.wait_for_selector("html[data-drawn=all]", timeout=_PATIENCE_MS)
        for pane, file in zip(panes, files, strict=True):
            _photograph(shown, pane, file)
            advance(1)
        browser.close()
    return files


def _photograph(shown: Any, pane: Pane, file: Path) -> None:
    picture = shown.locator(f".card:has(> #{pane.id})").screenshot(style=".modebar { display: none }")
    try:
        file.write_bytes(picture)
    except OSError as error:
        raise RunLogError(f"{file}: cannot write the picture ({error.strerror or error})") from error


def _browser() -> str | None:
    """The system's Chromium; None for the one that playwright may have fetched."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def _flags() -> list[str]:
    """Chromium's sandbox refuses to start for root."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


def slug(title: str) -> str:
    """Return what of a title any file system takes.

    >>> slug("loss / test"), slug("../<b>"), slug("損失")
    ('loss-test', 'b', '損失')
    """
    return re.sub(r"\W+", "-", title).strip("-")[:60] or "pane"
