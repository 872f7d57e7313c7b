"""Our windows say the same as visdom's own client would for the same plot: same endpoint, same data, same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexlogger import FlexLogger
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.visdom import ClientSender, window_id
from tests.end_to_end.windows import traces, window

visdom = pytest.importorskip("visdom")


@pytest.fixture
def client(tmp_path: Path) -> Any:
    """visdom's client, writing what it would send to a file instead."""
    return visdom.Visdom(offline=True, log_to_filename=str(tmp_path / "sent.jsonl"), use_incoming_socket=False)


def theirs(client: Any) -> dict[str, Any]:
    last = Path(client.log_to_filename).read_text().splitlines()[-1]
    endpoint, message = json.loads(last)
    assert endpoint == "events"
    return dict(message)


class Recording:
    """Takes what we send in place of a visdom object."""

    def __init__(self) -> None:
        self.sent: dict[str, dict[str, Any]] = {}

    def _send(self, message: dict[str, Any], endpoint: str = "events") -> str:
        assert endpoint == "events"
        self.sent[message["win"]] = json.loads(json.dumps(message, allow_nan=False))
        return str(message["win"])


def ours(plots: dict[str, Any], values: list[dict[str, Any]], meters: dict[str, Any] | None = None) -> dict[str, Any]:
    viz = Recording()
    with FlexLogger(plots, meters or {}, viz=viz, env="contract") as stat:
        for step, value in enumerate(values):
            stat.add(value)
            stat.log(step)
        assert stat.flush()
    return viz.sent[window_id("contract", "contract", next(iter(plots)))]


def text_of(title: Any) -> Any:
    """plotly takes an axis title as a string or as {text: …}."""
    return title["text"] if isinstance(title, dict) else title


def test_both_send_the_same_fields(client: Any) -> None:
    client.line(Y=np.array([1.0, 2.0]), win="w", env="contract")
    sent = ours({"p": {}}, [{"p": 1.0}, {"p": 2.0}])
    assert set(sent) == set(theirs(client))
    assert isinstance(sent["layout"], dict)
    assert sent["eid"] == "contract"


def test_lines(client: Any) -> None:
    y = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 2.0]])
    opts = {
        "title": "T",
        "legend": ["a", "b"],
        "xlabel": "X",
        "ylabel": "Y",
        "ytype": "log",
        "dash": np.array(["dot", "solid"]),
    }
    client.line(X=np.arange(3), Y=y, opts=opts, win="w", env="contract")
    reference = theirs(client)
    plot = {"type": "line", "opts": {"title": "T", "xlabel": "X", "ylabel": "Y", "ytype": "log"}}
    meters = {
        "a": {"type": "LastValueMeter", "target": "p", "display": {"dash": "dot"}},
        "b": {"type": "LastValueMeter", "target": "p"},
    }
    sent = ours({"p": plot}, [{"a": row[0], "b": row[1]} for row in y.tolist()], meters)
    for mine, their in zip(sent["data"], reference["data"], strict=True):
        assert (mine["type"], mine["name"], mine["x"], mine["y"]) == (
            their["type"],
            their["name"],
            their["x"],
            their["y"],
        )
        assert mine["line"]["dash"] == their["line"]["dash"]
        assert mine["mode"].startswith(their["mode"])
    assert sent["opts"]["title"] == reference["opts"]["title"] == "T"
    for axis, label in (("xaxis", "X"), ("yaxis", "Y")):
        assert text_of(sent["layout"][axis]["title"]) == text_of(reference["layout"][axis]["title"]) == label
        assert sent["layout"][axis].get("type", "linear") == (reference["layout"][axis].get("type") or "linear")


def test_heatmaps(client: Any) -> None:
    z = np.array([[1.0, 2.0], [3.0, 4.0]])
    client.heatmap(z, opts={"columnnames": ["a", "b"], "rownames": ["a", "b"]}, win="w", env="contract")
    (their,) = theirs(client)["data"]
    sent = ours({"p": {"type": "heatmap", "opts": {"labels": ["a", "b"]}}}, [{"p": z}])
    mine = sent["data"][0]
    assert mine["type"] == their["type"] == "heatmap"
    assert np.array_equal(mine["z"], their["z"])


def test_bars(client: Any) -> None:
    client.bar(np.array([1.0, 3.0, 2.0]), opts={"rownames": ["a", "b", "c"]}, win="w", env="contract")
    (their,) = theirs(client)["data"]
    sent = ours({"p": {"type": "bar", "opts": {"labels": ["a", "b", "c"]}}}, [{"p": np.array([1.0, 3.0, 2.0])}])
    mine = sent["data"][0]
    assert (mine["type"], mine["y"]) == (their["type"], their["y"])
    # Ours stand at whole numbers with the labels as ticks, so that two bars of one name stay two.
    assert sent["layout"]["xaxis"]["ticktext"] == their["x"]


def test_images(client: Any) -> None:
    image = np.random.default_rng(0).integers(0, 255, (3, 400, 400), dtype=np.uint8)
    client.image(image, opts={"caption": "C"}, win="w", env="contract")
    (their,) = theirs(client)["data"]
    sent = ours({"p": {"type": "image", "opts": {"caption": "C"}}}, [{"p": image}])
    mine = sent["data"][0]
    assert mine["type"] == their["type"] == "image"
    assert mine["content"]["caption"] == their["content"]["caption"] == "C"
    assert mine["content"]["src"].startswith("data:image/png;base64,")
    assert {"width", "height"} <= set(sent["opts"])


def test_text(client: Any) -> None:
    client.text("hello", win="w", env="contract")
    (their,) = theirs(client)["data"]
    mine = ours({"p": {"type": "text"}}, [{"p": "hello"}])["data"][0]
    assert mine["type"] == their["type"] == "text"
    assert "hello" in mine["content"]


def test_a_users_own_visdom_object_draws_on_the_real_server(server: ServerProcess) -> None:
    viz = visdom.Visdom(server="http://127.0.0.1", port=server.port, env="own", use_incoming_socket=False)
    with FlexLogger(
        {"loss": {}}, {"train": {"type": "AverageValueMeter", "target": "loss"}}, viz=viz, env="own"
    ) as stat:
        for step in range(3):
            stat.add(train=float(step))
            stat.log(step)
        assert stat.flush()
        assert traces(stat, server.url, "loss") == {"train": [(0, 0.0), (1, 1.0), (2, 2.0)]}


def test_client_package_in_a_config_draws_on_the_real_server(server: ServerProcess) -> None:
    sinks = [{"visdom": {"client": "package"}}]
    with FlexLogger({"loss": {}}, sinks=sinks, env="package", server="127.0.0.1", port=server.port) as stat:
        stat.add(loss=2.5)
        stat.log(0)
        assert stat.flush()
        assert window(stat, server.url, "loss")["content"]["data"][0]["y"] == [2.5]


def test_a_client_that_fails_is_a_server_error() -> None:
    class Failing:
        def _send(self, message: dict[str, Any], endpoint: str = "events") -> bool:
            return False

    with pytest.raises(Exception, match="could not send a window"):
        ClientSender(Failing()).send({"win": "w"})
