"""Makes docs/img/demo.png: runs the demo's training against a server and photographs its dashboard in Chromium.

python -m docs.screenshot [SECONDS]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from flexlogger.demo import train
from flexlogger.logger import FlexLogger
from flexlogger.server.process import start_server

PICTURE = Path(__file__).parent / "img" / "demo.png"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


def main(seconds: float = 60.0) -> None:
    """Train, draw, photograph."""
    torch.set_num_threads(1)
    config = files("flexlogger.configs") / "digits.yaml"
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server(Path(folder) / "envs") as server,
        as_file(config) as path,
    ):
        stat = FlexLogger.from_config(path, server="127.0.0.1", port=server.port, env="digits", dir=folder)
        train(stat, seconds)
        stat.close()
        PICTURE.parent.mkdir(exist_ok=True)
        photograph(str(stat.url), PICTURE)


def photograph(url: str, picture: Path, height: int = 1150, windows: int = 8) -> None:
    """Save a picture of a dashboard once all its plots, of at least so many `windows`, are drawn."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": height})
        page.goto(url)
        page.wait_for_selector(".js-plotly-plot .main-svg")
        page.wait_for_function(f"document.querySelectorAll('.react-grid-item').length >= {windows}")
        page.wait_for_function("[...document.querySelectorAll('.plotly-graph-div')].every(plot => plot._fullLayout)")
        page.wait_for_timeout(2000)  # the page animates its panes into place and tells nobody when it is done
        page.screenshot(path=str(picture))
        browser.close()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
