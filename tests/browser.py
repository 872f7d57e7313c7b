"""A real Chromium, for what only a browser can show."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module's tests; not for the session, since playwright keeps an event loop running meanwhile."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("FLEXLOGGER_REQUIRE_BROWSER") == "1":
            pytest.fail("chromium is not installed, and FLEXLOGGER_REQUIRE_BROWSER=1 asks for it")
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), headless=True)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page with a profile of its own, so that no drag or zoom of another test is remembered."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()
