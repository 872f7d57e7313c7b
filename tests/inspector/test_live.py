"""Frames on a real dashboard while the video is made, and the video in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import torch
from playwright.sync_api import Page
from torch import nn

from flexlogger import DataRecorder, ParallelHandler
from flexlogger.errors import ServerError
from flexlogger.inspector import live
from flexlogger.inspector.live import HistorySink, Place
from flexlogger.records import Datum, Record
from flexlogger.server.process import ServerProcess, start_server
from flexlogger.sinks.where import server_of
from tests.inspector.test_processes import wait_for
from tests.ports import free_port


def panes(server: ServerProcess, env: str) -> dict[str, dict[str, Any]]:
    """The windows of an environment, by title; none where there is no such environment yet."""
    answer = requests.post(f"{server.url}/win_data", json={"win": None, "eid": env}, timeout=10)
    return {pane["title"]: pane for pane in answer.json().values()} if answer.status_code == 200 else {}


def frame(n: int, key: str = "a") -> Record:
    return Record(n, 0.0, {}, (Datum(f"0/{key}", "image", np.full((64, 64, 3), n, np.uint8), (f"step {n}",)),))


def sink(server: ServerProcess, env: str) -> HistorySink:
    return HistorySink(Place(server_of("localhost", server.port), None, env, env))


def captions(pane: dict[str, Any]) -> list[str]:
    return [entry["caption"] for entry in pane["content"]]


def test_of_the_frames_between_two_looks_the_last_is_added(server: ServerProcess) -> None:
    history = sink(server, "live-one")
    for n in range(6):
        history.write([frame(n)])
        if n % 2:
            history.flush()
            history.flush()
    pane = panes(server, "live-one")["a"]
    assert (pane["type"], pane["show_slider"], pane["selected"]) == ("image_history", True, 2)
    assert (pane["width"], pane["height"]) == (64, 64 + live.CONTROLS)
    assert captions(pane) == ["step 1", "step 3", "step 5"]
    history.close()


def test_a_long_history_is_thinned(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HISTORY", 8)
    history = sink(server, "live-long")
    for n in range(20):
        history.write([frame(n)])
        history.flush()
    shown = captions(panes(server, "live-long")["a"])
    steps = [int(caption.removeprefix("step ")) for caption in shown]
    assert 4 <= len(steps) <= 8
    assert steps == sorted(set(steps))
    assert steps[-1] == 19
    history.close()


def test_a_server_that_comes_back_has_all_again(tmp_path: Path) -> None:
    first = start_server(tmp_path / "one", free_port())
    history = sink(first, "back")
    for n in range(3):
        history.write([frame(n)])
        history.flush()
    first.kill()
    history.write([frame(3)])
    with pytest.raises(ServerError):
        history.flush()
    with start_server(tmp_path / "two", port=first.port) as second:
        history.flush()
        assert captions(panes(second, "back")["a"]) == [f"step {n}" for n in range(4)]
    history.close()


def test_a_window_that_somebody_closed_is_made_again(server: ServerProcess) -> None:
    history = sink(server, "live-closed")
    for n in range(2):
        history.write([frame(n)])
        history.flush()
    requests.post(f"{server.url}/close", json={"win": None, "eid": "live-closed"}, timeout=10)
    history.write([frame(2)])
    for _ in range(2):
        try:
            history.flush()
        except ServerError:
            continue
    assert captions(panes(server, "live-closed")["a"]) == ["step 0", "step 1", "step 2"]
    history.close()


def test_the_page_has_a_slider_while_it_goes_on_and_a_video_that_plays_in_the_end(
    server: ServerProcess, page: Page, tmp_path: Path
) -> None:
    dr = DataRecorder((320, 240), 20.0, 100.0, tmp_path, live=True, port=server.port, env="live-page")
    ph = ParallelHandler(dr.tensor_plot2D, dr.flush)
    layer = nn.Identity()
    ph.track_layer(-1, {"layer": layer}, sources="outputs")
    layer(torch.randn(8, 6))
    wait_for(lambda: "layer" in panes(server, "live-page"))  # a page of an environment that is not there shows another
    page.goto(f"{server.url}/env/live-page")
    slider = page.locator("input[type=range]")
    page.wait_for_function("document.querySelector('.content-image')?.naturalWidth == 320")
    while slider.get_attribute("max") != "2":
        layer(torch.randn(8, 6))
        page.wait_for_timeout(100)
    last = page.locator(".content-image").get_attribute("src")
    slider.fill("0")
    page.wait_for_function("last => document.querySelector('.content-image').src != last", arg=last)
    for _ in range(20):
        layer(torch.randn(8, 6))
    assert ph.stop()
    page.wait_for_selector("video")
    page.evaluate("(v => { v.muted = true; v.play() })(document.querySelector('video'))")
    page.wait_for_function("document.querySelector('video').currentTime > 0.5")
    assert page.evaluate("document.querySelector('video').error") is None
    assert set(panes(server, "live-page")) == {"layer", "layer: video"}


def test_a_dashboard_that_is_away_costs_the_video_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dr = DataRecorder((64, 64), 20.0, 100.0, tmp_path, live=True, port=9)
    ph = ParallelHandler(dr.tensor_plot2D, dr.flush)
    layer = nn.Identity()
    ph.track_layer(-1, {"layer": layer}, sources="outputs")
    for _ in range(50):
        layer(torch.randn(8, 6))
    assert ph.stop()
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size > 10_000
    assert capfd.readouterr().err.count("no dashboard server answers at http://localhost:9") == 1


def test_two_processes_with_the_same_key_have_a_window_each(server: ServerProcess, tmp_path: Path) -> None:
    dr = DataRecorder((64, 64), 20.0, 100.0, tmp_path, live=True, port=server.port, env="live-two")
    ph = ParallelHandler(dr.tensor_plot2D, dr.flush)
    layers = nn.Identity(), nn.Identity()
    for layer in layers:
        ph.track_layer(-1, {"a": layer}, sources="outputs")
        layer(torch.randn(8, 6))
    assert ph.stop()
    answer = requests.post(f"{server.url}/win_data", json={"win": None, "eid": "live-two"}, timeout=10)
    assert sorted(pane["title"] for pane in answer.json().values()) == ["a", "a", "a: video", "a: video"]
