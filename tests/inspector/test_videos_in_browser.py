"""Videos of each kind in a real browser: they play, also where their writer was killed half-way."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page
from torch import nn

from flexlogger import DataRecorder, ParallelHandler
from flexlogger.inspector.video import CODECS
from tests.inspector.test_processes import wait_for
from tests.inspector.test_recorder import VIEWS, decoded


def record(folder: Path, view: str, codec: str, killed: bool) -> Path:
    """Forty frames at 20 a second, of which about half are written where the process is killed."""
    dr = DataRecorder((320, 240), 20.0, 100.0, folder, codec=codec)
    ph = ParallelHandler(getattr(dr, view), dr.flush)
    layer = nn.Identity()
    ph.track_layer(-1, {"a": layer}, sources="outputs")
    for _ in range(40):
        layer(torch.randn(8, 6))
    if killed:
        wait_for(lambda: ph.status()[0]["taken"] >= 22)
        os.kill(ph.status()[0]["pid"], signal.SIGKILL)
    assert ph.stop() is not killed
    (path,) = folder.iterdir()
    return path


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("view", VIEWS)
def test_the_video_plays(tmp_path: Path, page: Page, view: str, codec: str, killed: bool) -> None:
    video = record(tmp_path / "videos", view, codec, killed)
    html = tmp_path / "page.html"
    html.write_text(f'<video muted src="videos/{video.name}"></video>')
    page.goto(html.as_uri())
    page.evaluate("document.querySelector('video').play()")
    seconds = len(decoded(video)) / 20
    assert seconds >= (1.0 if killed else 2.0)
    page.wait_for_function("seconds => document.querySelector('video').currentTime > seconds - 0.2", arg=seconds)
    shown = page.evaluate("(v => [v.videoWidth, v.videoHeight, v.error])(document.querySelector('video'))")
    assert shown == [320, 240, None]
