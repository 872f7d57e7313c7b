"""Our windows say the same as visdom's own client would for the same plot: same endpoint, same data, same words."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexlogger import FlexLogger
from flexlogger.server.process import ServerProcess
from flexlogger.sinks.visdom import ClientSender
from flexlogger.sinks.where import window_id
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


def test_boxplots(client: Any) -> None:
    x = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 9.0]])
    client.boxplot(x, opts={"legend": ["a", "b"]}, win="w", env="contract")
    reference = theirs(client)["data"]
    sent = ours({"p": {"type": "boxplot", "opts": {"legend": ["a", "b"]}}}, [{"p": x}])["data"]
    assert [(t["type"], t["name"], t["y"]) for t in sent] == [(t["type"], t["name"], t["y"]) for t in reference]


@pytest.mark.parametrize(("kind", "call"), [("surface", "surf"), ("contour", "contour")])
def test_surfaces_and_contours(client: Any, kind: str, call: str) -> None:
    z = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    getattr(client, call)(z, opts={"colormap": "Hot", "xmin": 0, "xmax": 5}, win="w", env="contract")
    (their,) = theirs(client)["data"]
    plot = {"type": kind, "opts": {"colormap": "Hot", "xmin": 0, "xmax": 5}}
    (mine,) = ours({"p": plot}, [{"p": z}])["data"]
    assert (mine["type"], mine["colorscale"]) == (their["type"], their["colorscale"])
    assert np.array_equal(mine["z"], their["z"])
    low, high = ("cmin", "cmax") if kind == "surface" else ("zmin", "zmax")  # plotly's contours know no cmin
    assert (mine[low], mine[high]) == (their["cmin"], their["cmax"])


def test_quivers(client: Any) -> None:
    u, v = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([[0.0, 1.0], [2.0, 0.5]])
    y, x = np.mgrid[:2, :2].astype(float)
    client.quiver(u, v, gridX=x, gridY=y, opts={"normalize": 1.0, "arrowheads": False}, win="w", env="contract")
    (their,) = theirs(client)["data"]
    plot = {"type": "quiver", "opts": {"normalize": 1.0, "arrowheads": False}}
    (mine,) = ours({"p": plot}, [{"p": {"u": u, "v": v}}])["data"]
    for axis in "xy":
        assert np.allclose(np.array(mine[axis], float), np.array(their[axis], float), equal_nan=True)


def test_stems(client: Any) -> None:
    heights, places = np.array([1.0, 3.0, 2.0]), np.array([0.0, 1.0, 2.0])
    client.stem(heights, places, win="w", env="contract")
    (their,) = theirs(client)["data"]
    (mine,) = ours({"p": {"type": "stem"}}, [{"p": heights}])["data"]
    for axis in "xy":
        assert np.allclose(np.array(mine[axis], float), np.array(their[axis], float), equal_nan=True)


def test_pies(client: Any) -> None:
    client.pie(np.array([5.0, 3.0]), opts={"legend": ["a", "b"]}, win="w", env="contract")
    (their,) = theirs(client)["data"]
    (mine,) = ours({"p": {"type": "pie", "opts": {"legend": ["a", "b"]}}}, [{"p": [5.0, 3.0]}])["data"]
    assert all(mine[key] == their[key] for key in ("type", "labels", "values"))


def test_meshes(client: Any) -> None:
    vertices, faces = np.eye(4, 3), np.array([[0, 1, 2], [0, 1, 3]])
    client.mesh(vertices, faces, opts={"color": "teal", "opacity": 0.5}, win="w", env="contract")
    (their,) = theirs(client)["data"]
    plot = {"type": "mesh", "opts": {"color": "teal", "opacity": 0.5}}
    (mine,) = ours({"p": plot}, [{"p": {"vertices": vertices, "faces": faces}}])["data"]
    assert {key: mine[key] for key in their} == their


def test_svgs_videos_and_sounds(client: Any, tmp_path: Path) -> None:
    drawing = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>'
    client.svg(svgstr=drawing, win="w", env="contract")
    assert drawing in theirs(client)["data"][0]["content"]
    shown = ours({"p": {"type": "svg"}}, [{"p": drawing}])["data"][0]
    assert (shown["type"], b64encode(drawing.encode()).decode() in shown["content"]) == ("text", True)
    for kind, name, call in (("video", "v.mp4", "video"), ("audio", "a.wav", "audio")):
        (tmp_path / name).write_bytes(b"whatever is in it")
        getattr(client, call)(**{f"{kind}file": str(tmp_path / name)}, win="w", env="contract")
        (their,) = theirs(client)["data"]
        mine = ours({"p": {"type": kind}}, [{"p": tmp_path / name}])["data"][0]
        inside = re.search('src="([^"]*)"', their["content"])
        assert inside is not None
        assert (mine["type"], f'src="{inside[1]}"' in mine["content"]) == (their["type"], True)


def test_properties(client: Any) -> None:
    rows = [
        {"type": "text", "name": "Text", "value": "initial"},
        {"type": "number", "name": "Number", "value": "12"},
        {"type": "button", "name": "Button", "value": "Start"},
        {"type": "checkbox", "name": "Checkbox", "value": True},
        {"type": "select", "name": "Select", "value": 1, "values": ["Red", "Green", "Blue"]},
    ]
    client.properties(rows, win="w", env="contract")
    assert ours({"p": {"type": "properties"}}, [{"p": rows}])["data"] == theirs(client)["data"]


def test_graphs_have_the_same_nodes_edges_and_labels(client: Any) -> None:
    edges = [(0, 1), (1, 2), (0, 3)]
    client.graph(edges, nodeLabels=["a", "b", "c", "d"], opts={}, win="w", env="contract")
    their = theirs(client)["data"][0]["content"]
    plot = {"type": "network", "opts": {"labels": ["a", "b", "c", "d"], "showEdgeLabels": True}}
    lines, nodes, labels = ours({"p": plot}, [{"p": np.array(edges)}])["data"]
    assert nodes["text"] == [node["label"] for node in their["nodes"]]
    places = list(zip(nodes["x"], nodes["y"], strict=True))
    ends = list(zip(lines["x"], lines["y"], strict=True))
    drawn = [(places.index(ends[at]), places.index(ends[at + 1])) for at in range(0, len(ends), 3)]
    told = sorted((edge["source"], edge["target"], edge["label"]) for edge in their["edges"])
    assert sorted((*pair, label) for pair, label in zip(drawn, labels["text"], strict=True)) == told


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
