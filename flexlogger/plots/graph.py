"""Graphs as they were logged, and where their nodes go."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.text import mapping
from flexlogger.plots.window import Array, Latest

MOST = 2000
"""Nodes of a graph that is drawn; a larger one is refused."""
_WORK = 20_000_000  # distances that laying a graph out may take


class Graph(msgspec.Struct, frozen=True):
    """Nodes by name, and edges as pairs of their indices, each with a label."""

    nodes: list[str]
    edges: list[tuple[int, int]]
    labels: list[str]


def graph_of(latest: Latest) -> Graph:
    """Read a graph: a table with the columns source, target and perhaps label, or edges (E, 2) between nodes counted
    from 0. Raises ValueRefusedError."""
    graph = _from_table(latest) if latest.kind == "table" else _from_edges(np.asarray(latest.value))
    if len(graph.nodes) > MOST:
        raise ValueRefusedError(f"expected a graph of at most {MOST:,} nodes, got {len(graph.nodes):,}")
    return graph


def _from_table(latest: Latest) -> Graph:
    table = mapping(latest, "a table: {columns, rows}")
    columns = [str(column) for column in table.get("columns", ())]
    if "source" not in columns or "target" not in columns:
        got = ", ".join(columns) or "none"
        raise ValueRefusedError(f"expected a table with the columns source and target, got {got}")
    places: dict[str, int] = {}
    edges, labels = [], []
    for cells in table.get("rows", ()):
        row: dict[str, Any] = dict(zip(columns, cells, strict=False))
        ends = [str(row.get(end)) for end in ("source", "target")]
        first, second = (places.setdefault(end, len(places)) for end in ends)
        edges.append((first, second))
        labels.append("-".join(ends) if row.get("label") is None else str(row["label"]))
    return Graph(list(places), edges, labels)


def _from_edges(array: Array) -> Graph:
    if array.ndim != 2 or array.shape[1] != 2 or (array < 0).any() or (array != np.floor(array)).any():
        raise ValueRefusedError(f"expected edges (E, 2) between nodes counted from 0, got shape {array.shape}")
    edges = [(int(first), int(second)) for first, second in array.tolist()]
    count = 1 + max((max(edge) for edge in edges), default=-1)
    return Graph([str(node) for node in range(count)], edges, [f"{first}-{second}" for first, second in edges])


def laid_out(count: int, edges: list[tuple[int, int]]) -> Array:
    """Return where `count` nodes go, (N, 2): springs along the edges, and every node pushing all others away.

    After Fruchterman and Reingold, "Graph Drawing by Force-directed Placement" (1991), from a spiral instead of
    random places, so that the same graph always looks the same.

    >>> places = laid_out(3, [(0, 1)])
    >>> bool(np.hypot(*(places[0] - places[1])) < np.hypot(*(places[0] - places[2])))
    True
    """
    if not count:
        return np.zeros((0, 2))
    turn = np.arange(count) * 2.399963  # the golden angle: no two nodes lie in line
    radius = np.sqrt((np.arange(count) + 0.5) / count)
    places = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    first, second = np.array([edge for edge in edges if edge[0] != edge[1]], int).reshape(-1, 2).T
    distance = 1 / np.sqrt(count)
    rounds = max(10, min(300, _WORK // count**2))
    for heat in np.linspace(0.1, 0.002, rounds):
        apart = places[:, None] - places[None]
        length = np.maximum(np.hypot(apart[..., 0], apart[..., 1]), 1e-6)
        push = (apart * (distance**2 / length**2)[..., None]).sum(axis=1)
        pull = apart[first, second] * (length[first, second] / distance)[:, None]
        np.add.at(push, first, -pull)
        np.add.at(push, second, pull)
        strength = np.maximum(np.hypot(push[:, 0], push[:, 1]), 1e-6)
        places += push / strength[:, None] * np.minimum(strength, heat)[:, None]
        places -= places.mean(axis=0) * 0.05
    return places
