"""visdom's own Python client, unchanged, against our server."""

from __future__ import annotations

import json
import queue
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import visdom

from flexlogger.server.process import ServerProcess, start_server
from tests.server.peers import browser


@pytest.fixture
def vis(server: ServerProcess, request: pytest.FixtureRequest) -> visdom.Visdom:
    return client(server, request.node.name)


def client(server: ServerProcess, env: str, **options: Any) -> visdom.Visdom:
    options = {"use_incoming_socket": False, "raise_exceptions": True, **options}
    return visdom.Visdom(server="http://127.0.0.1", port=server.port, env=env, **options)


def window(vis: visdom.Visdom, win: str) -> dict[str, Any]:
    return json.loads(vis.get_window_data(win))


def test_a_line_arrives_and_grows(vis: visdom.Visdom) -> None:
    win = vis.line(Y=np.array([1.0, 2.0]), X=np.array([0, 1]), name="train", opts={"title": "loss"})
    assert vis.line(Y=np.array([3.0]), X=np.array([2]), win=win, name="train", update="append") == win
    assert vis.line(Y=np.array([7.0]), X=np.array([0]), win=win, name="test", update="append") == win
    shown = window(vis, win)
    assert shown["title"] == "loss"
    traces = {trace["name"]: (trace["x"], trace["y"]) for trace in shown["content"]["data"]}
    assert traces == {"train": ([0, 1, 2], [1, 2, 3]), "test": ([0], [7])}


def test_replacing_and_removing_a_trace(vis: visdom.Visdom) -> None:
    win = vis.line(Y=np.array([1.0, 2.0]), name="a")
    vis.line(Y=np.array([5.0]), X=np.array([1.0]), win=win, name="b", update="append")
    vis.line(Y=np.array([9.0, 8.0]), X=np.array([0.0, 1.0]), win=win, name="a", update="replace")
    assert [trace["y"] for trace in window(vis, win)["content"]["data"]] == [[9, 8], [5]]
    vis.line(Y=None, X=None, win=win, name="b", update="remove")
    assert [trace["name"] for trace in window(vis, win)["content"]["data"]] == ["a"]


def test_images_text_and_matrices(vis: visdom.Visdom) -> None:
    image = vis.image(np.zeros((3, 4, 4)), opts={"caption": "black"})
    assert window(vis, image)["content"]["src"].startswith("data:image/png;base64,")
    history = vis.image(np.zeros((3, 4, 4)), opts={"store_history": True})
    vis.image(np.ones((3, 4, 4)), win=history, opts={"store_history": True})
    assert len(window(vis, history)["content"]) == 2
    text = vis.text("one")
    vis.text("two", win=text, append=True)
    assert window(vis, text)["content"] == "one<br>two"
    heatmap = vis.heatmap(np.eye(2), opts={"columnnames": ["a", "b"], "rownames": ["c", "d"]})
    assert window(vis, heatmap)["content"]["data"][0]["z"] == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("draw", "kind"),
    [
        (lambda vis: vis.scatter(np.array([[1.0, 2.0], [3.0, 4.0]])), "scatter"),
        (lambda vis: vis.bar(np.array([1.0, 2.0])), "bar"),
        (lambda vis: vis.histogram(np.arange(10.0)), "bar"),
        (lambda vis: vis.boxplot(np.arange(10.0)), "box"),
        (lambda vis: vis.surf(np.eye(3)), "surface"),
        (lambda vis: vis.contour(np.eye(3)), "contour"),
        (lambda vis: vis.quiver(np.eye(3), np.eye(3)), "scatter"),
        (lambda vis: vis.pie(np.array([1.0, 2.0])), "pie"),
    ],
    ids=["scatter", "bar", "histogram", "boxplot", "surf", "contour", "quiver", "pie"],
)
def test_other_plots(vis: visdom.Visdom, draw: Any, kind: str) -> None:
    assert window(vis, draw(vis))["content"]["data"][0]["type"] == kind


def test_numbers_no_browser_can_read_become_gaps(vis: visdom.Visdom) -> None:
    win = vis.bar(np.array([1.0, np.nan, np.inf]))
    shown = vis.get_window_data(win)
    assert json.loads(shown, parse_constant=pytest.fail)["content"]["data"][0]["y"] == [1, None, None]


def test_windows_close_and_environments_come_and_go(vis: visdom.Visdom) -> None:
    kept, closed = vis.text("kept"), vis.text("closed")
    assert vis.win_exists(kept)
    vis.close(closed)
    assert not vis.win_exists(closed)
    assert vis.fork_env(vis.env, "forked") == "forked"
    assert vis.win_exists(kept, env="forked")
    assert {vis.env, "forked", "main"} <= set(vis.get_env_list())
    vis.delete_env("forked")
    assert "forked" not in vis.get_env_list()
    vis.close()
    assert not vis.win_exists(kept)


def test_window_data_goes_out_and_comes_back_in(vis: visdom.Visdom) -> None:
    win = vis.line(Y=np.array([1.0, 2.0]))
    stored = vis.get_window_data(win)
    vis.close(win)
    vis.set_window_data(stored, win)
    assert vis.get_window_data(win) == stored
    assert vis.line(Y=np.array([5.0]), win=win) == win


def test_updating_options_leaves_the_data(vis: visdom.Visdom) -> None:
    win = vis.line(Y=np.array([1.0, 2.0]))
    vis.update_window_opts(win, {"title": "renamed"})
    shown = window(vis, win)
    assert (shown["title"], shown["content"]["data"][0]["y"]) == ("renamed", [1, 2])


def test_saved_environments_survive_a_kill(tmp_path: Path) -> None:
    with start_server(tmp_path, save_every=3600) as server:
        vis = client(server, "runs/a")
        win = vis.text("kept")
        assert json.loads(vis.save(["runs/a"])) == ["runs_a"]
        server.kill()
    with start_server(tmp_path) as server:
        vis = client(server, "runs/a")
        assert window(vis, win)["content"] == "kept"


def test_a_listening_client_hears_what_is_done_in_a_page(server: ServerProcess) -> None:
    vis = client(server, "listener", use_incoming_socket=True)
    win = vis.text("press a key")
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    vis.register_event_handler(heard.put, win)
    with browser(server) as page:
        page.send(cmd="forward_to_vis", data={"eid": "listener", "target": win, "event_type": "KeyPress", "key": "q"})
        event = heard.get(timeout=10)
    assert (event["event_type"], event["key"], event["pane_data"]["content"]) == ("KeyPress", "q", "press a key")
    vis.use_socket = False  # or its thread reconnects for ever


def test_a_log_file_is_replayed(vis: visdom.Visdom, tmp_path: Path) -> None:
    log = tmp_path / "visdom.log"
    offline = visdom.Visdom(offline=True, log_to_filename=str(log), env=vis.env)
    win = offline.line(Y=np.array([1.0, 2.0]), win="logged")
    vis.replay_log(str(log))
    assert vis.win_exists(win)
