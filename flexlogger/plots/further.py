"""The plot types that few dashboards need: bodies and fields in space, sound and film, graphs, forms."""

from __future__ import annotations

from flexlogger.catalog import Option
from flexlogger.plots.info import info_of
from flexlogger.plots.options import AXES, COLORMAP, FIGURE, HIGHEST, LABELS, LEGEND, LOWEST, SPACE, WINDOW

FURTHER = (
    info_of(
        "boxplot",
        "The spread of the latest values: quartiles, median, whiskers and what lies outside, a box for each meter "
        "with a vector or for each column of a matrix.",
        ("vector", "matrix"),
        (*AXES, LEGEND),
        "plots: {margins: {type: boxplot, opts: {legend: [cat, dog, bird]}}}",
    ),
    info_of(
        "surface",
        "The latest matrix as heights in space, rows along y and columns along x.",
        ("matrix",),
        (*SPACE, COLORMAP, LOWEST, HIGHEST),
        "plots: {landscape: {type: surface, opts: {zlabel: loss}}}",
    ),
    info_of(
        "contour",
        "The latest matrix as lines of equal height, rows along y and columns along x.",
        ("matrix",),
        (*AXES, COLORMAP, LOWEST, HIGHEST),
        "plots: {landscape: {type: contour}}",
    ),
    info_of(
        "quiver",
        "The latest field of arrows: a mapping of matrices u and v, their parts along x and y, and x and y where "
        "they do not stand on a grid.",
        ("matrix",),
        (
            *AXES,
            Option("normalize", ("number",), "length of the longest arrow; if not given, as logged", minimum=1e-9),
            Option("arrowheads", ("boolean",), "draw the arrows' heads", True),
        ),
        "plots: {flow: {type: quiver, opts: {normalize: 1}}}",
    ),
    info_of(
        "stem",
        "One stem from zero for each entry of the latest vector, or at each x of the latest curve.",
        ("vector", "curve"),
        (*AXES, LEGEND, LABELS),
        "plots: {impulse: {type: stem}}",
    ),
    info_of(
        "pie",
        "The latest shares of a whole: one slice for each entry of a vector or a mapping, or each scalar meter.",
        ("vector", "scalar"),
        (*FIGURE, LEGEND, LABELS),
        "plots: {classes: {type: pie, opts: {legend: [cat, dog, bird]}}}",
    ),
    info_of(
        "mesh",
        "The latest body in space: a mapping of vertices (N, 3) and faces (M, 3), which are their indices, or "
        "vertices alone.",
        ("matrix", "points"),
        (
            *SPACE,
            Option("color", ("string",), "colour of the faces, as CSS writes it; if not given, the meter's"),
            Option("opacity", ("number",), "opacity of the faces, 0 to 1", 1, minimum=0, maximum=1),
        ),
        "plots: {body: {type: mesh, opts: {opacity: 0.5}}}",
    ),
    info_of(
        "video",
        "The latest video: a file, or a batch of images as its frames.",
        ("video", "images"),
        (
            *WINDOW,
            Option("fps", ("integer",), "frames a second, of a batch of images", 25, minimum=1, maximum=240),
            Option("autoplay", ("boolean",), "play it, without sound, as soon as it is there", False),
            Option("loop", ("boolean",), "play it again and again", False),
        ),
        "plots: {rollout: {type: video, opts: {fps: 30, loop: true}}}",
    ),
    info_of(
        "audio",
        "The latest sound: a file, or a waveform (N,), in stereo (N, 2), from -1 to 1.",
        ("audio", "vector", "matrix"),
        (*WINDOW, Option("sample_frequency", ("integer",), "samples a second, of a waveform", 44100, minimum=1)),
        "plots: {speech: {type: audio, opts: {sample_frequency: 16000}}}",
    ),
    info_of(
        "svg",
        "The latest drawing in SVG, as text or from a file; no script in it runs.",
        ("text",),
        WINDOW,
        "plots: {tree: {type: svg}}",
    ),
    info_of(
        "properties",
        "A form of names and values, from a table with the columns name and value, and type and values where it "
        "has them; or from scalar meters and texts.",
        ("table", "scalar", "text"),
        WINDOW,
        "plots: {settings: {type: properties}}",
    ),
    info_of(
        "embeddings",
        "Points (N, 2), or (N, 3) with the class last, or features (N, D), which are projected onto their two "
        "principal components; a mapping of features and labels colours those by class.",
        ("points", "matrix", "vector"),
        (*FIGURE, LEGEND, Option("markersize", ("number",), "diameter of a point in pixels", 7, minimum=1)),
        "plots: {features: {type: embeddings, opts: {legend: [cat, dog]}}}",
    ),
    info_of(
        "network",
        "The latest graph: a table with the columns source and target, and label where edges have one; or edges "
        "(E, 2) between nodes counted from 0.",
        ("table", "matrix", "points"),
        (
            *FIGURE,
            Option("directed", ("boolean",), "draw edges as arrows", False),
            Option("showVertexLabels", ("boolean",), "write each node's name beside it", True),
            Option("showEdgeLabels", ("boolean",), "write each edge's label onto it", False),
            Option("scheme", ("string",), "colours of the nodes", "same", ("same", "different")),
            LABELS,
        ),
        "plots: {graph: {type: network, opts: {directed: true}}}",
    ),
)
