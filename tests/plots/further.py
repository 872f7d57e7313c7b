"""The windows of the gallery that few dashboards need, and data for them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np

from flexlogger.plots.audio import wav
from flexlogger.plots.video import encoded
from flexlogger.records import Datum, Kind, MeterDef, Output, PlotDef

ANIMALS = ("cat", "dog", "bird", "fish")
PLOTS = (
    PlotDef("margins", "boxplot", {"ylabel": "margin", "legend": list(ANIMALS)}),
    PlotDef("hills", "surface", {"zlabel": "loss"}),
    PlotDef("map", "contour", {"xlabel": "w0", "ylabel": "w1"}),
    PlotDef("flow", "quiver", {"normalize": 0.9}),
    PlotDef("impulse", "stem", {"xlabel": "lag"}),
    PlotDef("classes", "pie", {"legend": ["cat", "dog", "<unk>"]}),
    PlotDef("body", "mesh", {"opacity": 0.9}),
    PlotDef("rollout", "video", {"fps": 5, "loop": True}),
    PlotDef("film", "video", {}),
    PlotDef("tone", "audio", {"sample_frequency": 8000}),
    PlotDef("record", "audio", {}),
    PlotDef("drawing", "svg", {}),
    PlotDef("settings", "properties", {}),
    PlotDef("features", "embeddings", {"legend": list(ANIMALS)}),
    PlotDef("graph", "network", {"directed": True, "showEdgeLabels": True, "scheme": "different"}),
    PlotDef("ring", "network", {}),
)
_KINDS: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "margins": ("matrix", ("",)),
    "hills": ("matrix", ("",)),
    "map": ("matrix", ("",)),
    "flow": ("matrix", (".u", ".v")),
    "impulse": ("vector", ("",)),
    "classes": ("vector", ("",)),
    "body": ("matrix", (".vertices", ".faces")),
    "rollout": ("images", ("",)),
    "film": ("video", ("",)),
    "tone": ("vector", ("",)),
    "record": ("audio", ("",)),
    "drawing": ("text", ("",)),
    "settings": ("table", ("",)),
    "features": ("any", ("",)),
    "graph": ("table", ("",)),
    "ring": ("matrix", ("",)),
}
METERS = tuple(
    MeterDef(name, "LastValueMeter", name, tuple(Output(suffix, kind) for suffix in suffixes))
    for name, (kind, suffixes) in _KINDS.items()
)
DRAWING = '<svg viewBox="0 0 40 20"><rect width="40" height="20" fill="#009e73"/><script>window.hacked=1</script></svg>'
SETTINGS = {
    "columns": ["name", "value", "type", "values"],
    "rows": [
        ["optimizer", 1, "select", ["SGD", "Adam"]],
        ["rate", 0.001, None, None],
        ["augment", True, None, None],
        ["note <b>", "kept & shown", "text", None],
        ["stop", "Stop", "button", None],
        ["odd", "one", "slider", None],
    ],
}
EDGES = [["input", "conv1", "3x32x32"], ["conv1", "conv2", None], ["conv1", "add", None], ["conv2", "add", "skip"]]


def data() -> list[Datum]:
    """One value for each of METERS."""
    random = np.random.default_rng(11)
    across = np.linspace(-3, 3, 30)
    hills = np.exp(-(across[:, None] ** 2) - (across - 1) ** 2)
    hills += 0.5 * np.exp(-((across[:, None] + 1.5) ** 2) - (across + 1) ** 2)
    y, x = np.mgrid[-1:1:9j, -1:1:12j]
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    cone = np.vstack([np.column_stack([np.cos(turn), np.sin(turn), np.zeros(12)]), [[0, 0, 1.5]]])
    sides = np.column_stack([np.arange(12), (np.arange(12) + 1) % 12, np.full(12, 12)])
    kinds = np.repeat(np.arange(4), 40)
    centres = random.normal(0, 5, (4, 6))
    features = centres[kinds] + random.normal(0, 1, (160, 6))
    return [
        Datum("margins", "matrix", random.normal([1, 2, 0, 1.5], [0.5, 1, 0.3, 0.8], (300, 4))),
        Datum("hills", "matrix", hills),
        Datum("map", "matrix", hills),
        Datum("flow.u", "matrix", -y),
        Datum("flow.v", "matrix", x),
        Datum("impulse", "vector", np.exp(-np.arange(40) / 8) * np.cos(np.arange(40) / 2)),
        Datum("classes", "vector", np.array([5.0, 3.0, 2.0])),
        Datum("body.vertices", "matrix", cone),
        Datum("body.faces", "matrix", sides),
        Datum("rollout", "images", balls()),
        Datum("film", "video", as_uri("video/mp4", encoded(balls(), 5))),
        Datum("tone", "vector", 0.5 * np.sin(np.arange(8000) * 440 * 2 * np.pi / 8000)),
        Datum("record", "audio", as_uri("audio/wav", wav(np.zeros((4000, 2)), 8000))),
        Datum("drawing", "text", DRAWING),
        Datum("settings", "table", json.dumps(SETTINGS)),
        Datum("features.features", "matrix", features),
        Datum("features.labels", "vector", kinds),
        Datum("graph", "table", json.dumps({"columns": ["source", "target", "label"], "rows": EDGES})),
        Datum("ring", "matrix", np.column_stack([np.arange(8), (np.arange(8) + 1) % 8])),
    ]


def balls() -> np.ndarray:
    """Ten frames of a ball that crosses them, (10, 24, 33, 3) uint8; the last one is red."""
    rows, columns = np.mgrid[0:24, 0:33]
    frames = [np.hypot(rows - 12, columns - 3 * shift - 3) < 4 for shift in range(10)]
    film = np.repeat(np.stack(frames)[..., None], 3, axis=3) * np.uint8(255)
    film[-1, ..., 1:] = 0
    film[-1, ..., 0] = 255
    return film


def as_uri(media: str, content: bytes) -> str:
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


def write_files(folder: Path) -> None:
    """Lay a video, a sound and a drawing into `folder`."""
    (folder / "film.mp4").write_bytes(encoded(balls(), 5))
    (folder / "tone.wav").write_bytes(wav(np.zeros(100), 8000))
    (folder / "drawing.svg").write_text(DRAWING)
