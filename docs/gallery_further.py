"""The windows of the gallery that few dashboards need, and something that looks well in each."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from flexlogger.logger import FlexLogger

NAMES = [str(digit) for digit in range(10)]
PLOTS: dict[str, Any] = {
    "boxplot": {"type": "boxplot", "opts": {"ylabel": "log10 of the score", "legend": NAMES[:5]}},
    "surface": {"type": "surface", "opts": {"zlabel": "loss"}},
    "contour": {"type": "contour", "opts": {"xlabel": "w0", "ylabel": "w1"}},
    "quiver": {"type": "quiver", "opts": {"normalize": 1.5}},
    "stem": {"type": "stem", "opts": {"xlabel": "lag", "ylabel": "autocorrelation"}},
    "pie": {"type": "pie", "opts": {"legend": NAMES}},
    "mesh": {"type": "mesh"},
    "video": {"type": "video", "opts": {"fps": 8, "loop": True}},
    "audio": {"type": "audio", "opts": {"sample_frequency": 8000}},
    "svg": {"type": "svg"},
    "properties": {"type": "properties"},
    "embeddings": {"type": "embeddings", "opts": {"legend": NAMES}},
    "network": {"type": "network", "opts": {"directed": True, "scheme": "different"}},
}
_DRAWING = """<svg viewBox="0 0 120 70" xmlns="http://www.w3.org/2000/svg" stroke="#5f6b7a">
<path d="M20 20L60 12L100 20M20 20L60 35L100 20M20 50L60 35L100 50M20 50L60 58L100 50" fill="none"/>
<g fill="#56b4e9"><circle cx="20" cy="20" r="7"/><circle cx="20" cy="50" r="7"/></g>
<g fill="#e69f00"><circle cx="60" cy="12" r="7"/><circle cx="60" cy="35" r="7"/><circle cx="60" cy="58" r="7"/></g>
<g fill="#009e73"><circle cx="100" cy="20" r="7"/><circle cx="100" cy="50" r="7"/></g></svg>"""


def feed(stat: FlexLogger, random: np.random.Generator, digits: Any, scores: np.ndarray[Any, Any]) -> None:
    """Add a value for every plot of PLOTS."""
    landscape = _landscape(40)
    slopes = np.gradient(_landscape(14))
    stat.add({"boxplot": np.log10(scores[:300, :5] + 1e-6), "surface": landscape, "contour": landscape})
    stat.add({"quiver": {"u": -slopes[1], "v": -slopes[0]}, "mesh": _torus(28, 14)})
    noise = np.convolve(random.normal(size=4000), 0.9 ** np.arange(30), "valid")
    stat.add({"stem": [float(np.corrcoef(noise[lag:], noise[: len(noise) - lag])[0, 1]) for lag in range(1, 33)]})
    stat.add({"pie": np.bincount(digits.target), "svg": _DRAWING})
    stat.add({"video": np.stack([np.roll(digits.images[8] / 16, shift, axis=1) for shift in range(8)])})
    stat.add({"audio": 0.4 * np.sin(np.arange(16000) * 2 * math.pi * 440 / 8000)})
    stat.add({"embeddings": {"features": digits.data[:700], "labels": digits.target[:700]}})
    layers = ["input", "conv1", "conv2", "conv3", "add", "pool", "linear"]
    edges = [*pairwise(layers), ("conv1", "add")]
    stat.add({"network": [{"source": source, "target": target} for source, target in edges]})
    settings = [{"name": "optimizer", "value": 1, "type": "select", "values": ["SGD", "Adam"]}]
    settings += [{"name": "learning rate", "value": 1e-3}, {"name": "augment", "value": True}]
    stat.add({"properties": settings})


def _landscape(side: int) -> np.ndarray[Any, Any]:
    y, x = np.mgrid[-2 : 2 : side * 1j, -2 : 2 : side * 1j]
    return np.asarray(0.4 * (x**2 + y**2) + np.sin(2.5 * x) * np.cos(2 * y))


def _torus(around: int, across: int) -> dict[str, np.ndarray[Any, Any]]:
    u, v = (axis.ravel() for axis in np.mgrid[0:around, 0:across])
    big, small = 2 * math.pi * u / around, 2 * math.pi * v / across
    out = 1 + 0.4 * np.cos(small)
    corner = u * across + v
    right, up = (u + 1) % around * across + v, u * across + (v + 1) % across
    far = (u + 1) % around * across + (v + 1) % across
    faces = np.concatenate([np.stack([corner, right, up], 1), np.stack([right, far, up], 1)])
    return {"vertices": np.stack([out * np.cos(big), out * np.sin(big), 0.4 * np.sin(small)], 1), "faces": faces}
