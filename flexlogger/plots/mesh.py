"""Bodies made of triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.entries import part
from flexlogger.plots.space import nowhere, space
from flexlogger.plots.style import figure, literal, numbers
from flexlogger.plots.window import Array, Feed, Window
from flexlogger.records import Panel


class MeshPlot:
    """The latest body of each meter: vertices (N, 3), and faces (M, 3) that name three vertices each by their index.
    Without faces the vertices are a landscape: neighbours in x and y are joined."""

    def draw(self, window: Window) -> Panel:
        """Draw the bodies of all meters, a unit as long on each axis."""
        data = [_body(window, feed) for feed in window.feeds if feed.latest]
        return figure(window, data, space(window, "data") if data else nowhere(window))


def _body(window: Window, feed: Feed) -> dict[str, Any]:
    vertices, faces = part(feed, ".vertices"), part(feed, ".faces")
    vertices = part(feed, "") if vertices is None else vertices
    if vertices is None or vertices.ndim != 2 or vertices.shape[1] != 3:
        got = "none" if vertices is None else f"shape {vertices.shape}"
        raise ValueRefusedError(f"{feed.meter.name!r}: expected vertices (N, 3), got {got}")
    opts = window.plot.opts
    body: dict[str, Any] = {
        "type": "mesh3d",
        "name": literal(feed.meter.name),
        **{axis: numbers(vertices[:, index]) for index, axis in enumerate("xyz")},
        "color": opts.get("color", feed.color),
        "opacity": opts.get("opacity", 1),
        "flatshading": True,
        "lighting": {"ambient": 0.6, "diffuse": 0.7},
    }
    if faces is not None:
        _check(feed, faces, len(vertices))
        body |= {corner: numbers(faces[:, index]) for index, corner in enumerate("ijk")}
    return body


def _check(feed: Feed, faces: Array, count: int) -> None:
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueRefusedError(f"{feed.meter.name!r}: expected faces (M, 3), got shape {faces.shape}")
    wrong = (faces < 0) | (faces >= count) | (faces != np.floor(faces))
    if wrong.any():
        raise ValueRefusedError(
            f"{feed.meter.name!r}: expected faces of vertices 0 to {count - 1}, got {faces[wrong][0]:g}"
        )
