"""A graph: nodes, and edges between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from flexlogger.plots.graph import Graph, graph_of, laid_out
from flexlogger.plots.style import INK, MUTED, PALETTE, empty, figure, layout, literal, numbers
from flexlogger.plots.window import Array, Window
from flexlogger.records import Panel

_NODE = 14  # pixels across
_LINE = "#a3abb6"
_ARROWS = 500  # edges up to which each has a head


class NetworkPlot:
    """The latest graph of the first meter that has one."""

    def draw(self, window: Window) -> Panel:
        """Draw the graph; what is joined lies together."""
        graphs = window.values("table", "matrix", "points")
        look = layout(window) | {"hovermode": "closest"}
        if not graphs:
            return figure(window, [], empty(look))
        for which in ("xaxis", "yaxis"):
            look[which] |= {"visible": False}
        look["yaxis"]["scaleanchor"] = "x"
        graph, opts = graph_of(graphs[0][2]), window.plot.opts
        places = laid_out(len(graph.nodes), graph.edges)
        data = [_edges(graph, places), _nodes(window, graph, places)]
        if opts.get("showEdgeLabels"):
            data.append(_edge_labels(graph, places))
        if opts.get("directed") and len(graph.edges) <= _ARROWS:
            look["annotations"] = [_arrow(places[first], places[second]) for first, second in graph.edges]
        return figure(window, data, look)


def _edges(graph: Graph, places: Array) -> dict[str, Any]:
    ends = np.array(graph.edges, int).reshape(-1, 2)
    gap = np.full((len(ends), 1, 2), np.nan)
    strokes = np.concatenate([places[ends], gap], axis=1).reshape(-1, 2)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "edges",
        "showlegend": False,
        "hoverinfo": "skip",
        "x": numbers(strokes[:, 0]),
        "y": numbers(strokes[:, 1]),
        "line": {"color": _LINE, "width": 1.5},
    }


def _nodes(window: Window, graph: Graph, places: Array) -> dict[str, Any]:
    opts = window.plot.opts
    given = dict(enumerate(opts.get("labels", ())))
    names = [literal(given.get(index, name)) for index, name in enumerate(graph.nodes)]
    different = opts.get("scheme") == "different"
    colors = [PALETTE[index % len(PALETTE)] for index in range(len(names))] if different else PALETTE[0]
    return {
        "type": "scatter",
        "mode": "markers+text" if opts.get("showVertexLabels", True) else "markers",
        "name": "nodes",
        "showlegend": False,
        "x": numbers(places[:, 0]),
        "y": numbers(places[:, 1]),
        "text": names,
        "textposition": "top center",
        "textfont": {"size": 11, "color": INK},
        "cliponaxis": False,
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": _NODE, "color": colors, "line": {"color": "#ffffff", "width": 1.5}},
    }


def _edge_labels(graph: Graph, places: Array) -> dict[str, Any]:
    middles = places[np.array(graph.edges, int).reshape(-1, 2)].mean(axis=1)
    return {
        "type": "scatter",
        "mode": "text",
        "name": "labels of edges",
        "showlegend": False,
        "hoverinfo": "skip",
        "x": numbers(middles[:, 0]),
        "y": numbers(middles[:, 1]),
        "text": [literal(label) for label in graph.labels],
        "textfont": {"size": 10, "color": MUTED},
    }


def _arrow(start: Array, end: Array) -> dict[str, Any]:
    """The head of an edge, and the last half of its line."""
    middle = (start + end) / 2
    return {
        "text": "",
        "x": float(end[0]),
        "y": float(end[1]),
        "ax": float(middle[0]),
        "ay": float(middle[1]),
        "axref": "x",
        "ayref": "y",
        "arrowhead": 2,
        "arrowwidth": 1.5,
        "arrowcolor": _LINE,
        "standoff": _NODE / 2,
    }
