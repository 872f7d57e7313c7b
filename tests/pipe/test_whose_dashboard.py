"""Which dashboard is drawn on, how one gets in, and how it is arranged: the same in a thread, a process, a monitor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import visdom

from flexlogger import FlexLogger
from flexlogger.server.process import start_server
from tests.end_to_end.test_owners import eventually, series
from tests.end_to_end.windows import points, post
from tests.pipe.doorkeeper import Doorkeeper
from tests.pipe.places import Monitor, Place

TOKEN = "PLANTED-between-us"


def settings_for(place: Place, port: int, token: str | None = None, monitor: Monitor | None = None) -> dict[str, Any]:
    """What the trainer's config says so that the dashboard at `port` is drawn on."""
    if monitor is not None:
        return {"pipe": monitor.where}
    return {"pipe": place.word, "port": port, **({"token": token} if token is not None else {})}


def log(stat: FlexLogger, steps: int = 20) -> None:
    for step in range(steps):
        stat.add(loss=float(step))
        stat.log(step)


# ---- a visdom client of the caller's


def test_a_visdom_client_of_the_callers_draws_where_it_says(place: Place, env: str, tmp_path: Path) -> None:
    """It stays in the trainer, as every object does; a monitor draws on its own dashboard besides."""
    with start_server(tmp_path / "envs") as own:
        viz = visdom.Visdom(server="http://127.0.0.1", port=own.port, use_incoming_socket=False)
        with FlexLogger({"loss": {}}, env=env, viz=viz, **place.settings) as stat:
            log(stat)
            assert stat.flush(60)
            assert stat.url == f"http://127.0.0.1:{own.port}/env/{env}"
            assert stat.status()["views"]["visdom"]["ok"]
            assert points(own.url, env, "loss")["loss"] == series(0, 20)
            besides = points(place.server.url, env, "loss")
        assert besides == ({"loss": series(0, 20)} if place.word == "tcp" else {})


# ---- a token


def test_a_dashboard_that_asks_for_a_token_is_drawn_on(place: Place, env: str, tmp_path: Path) -> None:
    with Doorkeeper(place.server.url, TOKEN) as door:
        monitor = None
        if place.word == "tcp":
            monitor = Monitor(tmp_path / "there", "--server", "127.0.0.1", "--port", door.port, "--token", TOKEN)
        try:
            settings = settings_for(place, door.port, TOKEN, monitor)
            with FlexLogger({"loss": {}}, env=env, dir=tmp_path / "here", **settings) as stat:
                log(stat)
                assert stat.flush(60)
                assert stat.status()["views"][place.view]["ok"]
        finally:
            if monitor is not None:
                assert monitor.stop()[0] == 0
        assert place.lines(env, "loss")["loss"] == series(0, 20)
        assert (door.let_in > 0, door.turned_away) == (True, 0)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"PLANTED" in path.read_bytes()] == []


def test_a_wrong_token_is_told_and_loses_nothing(
    place: Place, env: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Doorkeeper(place.server.url, TOKEN) as door:
        monitor = None
        if place.word == "tcp":
            monitor = Monitor(tmp_path / "there", "--server", "127.0.0.1", "--port", door.port, "--token", "another")
        try:
            settings = settings_for(place, door.port, "another", monitor)
            with FlexLogger({"loss": {}}, env=env, dir=tmp_path / "here", **settings) as stat:
                log(stat)
                assert stat.flush(10, views=False)
                eventually(lambda: "check the token" in stat.status()["views"][place.view]["error"], True)
                assert not stat.flush(0.2)
        finally:
            if monitor is not None:
                monitor.stop()
        assert door.let_in == 0
    told = sum("check the token" in record.getMessage() for record in caplog.records)
    assert told == (0 if place.word == "tcp" else 1)  # of a monitor's, its own log tells
    assert "another" not in caplog.text


# ---- how it is arranged


def test_windows_are_arranged_as_the_layout_says(place: Place, env: str) -> None:
    plots = {"loss": {}, "acc": {}, "note": {"type": "text"}}
    layout = {"columns": 3, "height": 300, "order": ["note", "acc"]}
    with FlexLogger(plots, env=env, layout=layout, **place.settings) as stat:
        stat.add(loss=1.0, acc=0.5, note="hello")
        stat.log(0)
        assert stat.flush(60)
        found = json.loads(post(place.server.url, "/win_data", {"eid": env, "win": None})).values()
    assert [window["title"] for window in found] == ["note", "acc", "loss"]
    sizes = {(window["width"], window["height"]) for window in found}
    assert len(sizes) == 1
    ((width, height),) = sizes
    assert height == 300
    assert width < 700
