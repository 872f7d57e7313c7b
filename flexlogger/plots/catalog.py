"""The plot types known by name: plain data, so that checking a config draws nothing."""

from __future__ import annotations

from flexlogger.catalog import Option
from flexlogger.errors import UnknownNameError, unknown
from flexlogger.plots.further import FURTHER
from flexlogger.plots.info import PlotInfo as PlotInfo  # whoever knows the catalog knows what is in it
from flexlogger.plots.info import info_of
from flexlogger.plots.options import (
    AXES,
    CAPTION,
    COLORMAPS,
    COLUMNNAMES,
    FIGURE,
    HIGHEST,
    HTML,
    JPEG,
    LABELS,
    LEGEND,
    LOWEST,
    NAMES,
    ROWNAMES,
    WINDOW,
)
from flexlogger.records import Kind

DISPLAY = (
    Option("color", ("string",), "colour of the meter's lines, as CSS writes it: '#0072b2', 'teal'"),
    Option("dash", ("string",), "dash of its lines", "solid", ("solid", "dash", "dot", "dashdot", "longdash")),
    Option("width", ("number",), "width of its lines in pixels", 2, minimum=0.5),
    Option("band", ("string",), "shade the mean plus and minus this output", None, ("std",)),
)
"""What may stand under `display` of a meter."""

PLOTS: dict[str, PlotInfo] = {
    info.name: info
    for info in (
        info_of(
            "line",
            "Scalars over steps, one line per meter; a vector of up to 32 entries is one line per entry, a longer one "
            "is drawn as bars of its latest value.",
            ("scalar", "vector"),
            (
                *AXES,
                LEGEND,
                Option("markers", ("boolean",), "mark every point", False),
                Option("fillarea", ("boolean",), "fill the area under the lines", False),
                Option("smoothing", ("number",), "0 to 1: weight of the past in a moving average", 0, minimum=0),
            ),
            "plots: {loss: {type: line, opts: {ytype: log, xlabel: step}}}",
        ),
        info_of(
            "scatter",
            "Points (N, 2), or (N, 3) with the class index last: one colour per class, past 32 classes a colour scale; "
            "the latest value.",
            ("points",),
            (*AXES, LEGEND, Option("markersize", ("number",), "diameter of a point in pixels", 7, minimum=1)),
            "plots: {embedding: {type: scatter, opts: {legend: [cat, dog]}}}",
        ),
        info_of(
            "bar",
            "One bar per entry of the latest vector, or one bar per scalar meter.",
            ("vector", "scalar"),
            (*AXES, LEGEND, LABELS, ROWNAMES, Option("stacked", ("boolean",), "stack the meters' bars", False)),
            "plots: {recall: {type: bar, opts: {labels: [cat, dog, bird]}}}",
        ),
        info_of(
            "histogram",
            "Counts between their true bin edges, the latest value; several meters lie over each other. A vector is "
            "counted into numbins bins.",
            ("histogram", "vector"),
            (*AXES, LEGEND, Option("numbins", ("integer",), "bins a vector is counted into", 30, minimum=1)),
            "plots: {weights: {type: histogram, opts: {ytype: log}}}",
        ),
        info_of(
            "heatmap",
            "The latest matrix, row 0 on top; a confusion matrix has row = truth and column = prediction. Cells carry "
            "their numbers up to 12 by 12.",
            ("matrix",),
            (
                *AXES,
                LABELS,
                ROWNAMES,
                COLUMNNAMES,
                Option("colormap", ("string",), "colour scale; if not given, white to blue", None, COLORMAPS),
                LOWEST,
                HIGHEST,
                Option("annotate", ("boolean",), "write the numbers into the cells; if not given, up to 12 by 12"),
            ),
            "plots: {confusion: {type: heatmap, opts: {labels: [cat, dog, bird]}}}",
        ),
        info_of(
            "image",
            "The latest image; tiny ones are enlarged with sharp pixels.",
            ("image", "images"),
            (*WINDOW, CAPTION, JPEG),
            "plots: {sample: {type: image, opts: {caption: 'step {step}'}}}",
        ),
        info_of(
            "images",
            "The latest batch of images as a grid, nrow side by side.",
            ("images", "image"),
            (
                *WINDOW,
                CAPTION,
                JPEG,
                Option("nrow", ("integer",), "images per row", 8, minimum=1),
                Option("padding", ("integer",), "pixels between images", 2, minimum=0),
                Option("labels", ("array",), "text over each image, in order", items=NAMES),
            ),
            "plots: {mistakes: {type: images, opts: {nrow: 8}}}",
        ),
        info_of(
            "text",
            "The latest text, or the latest number of each scalar meter.",
            ("text", "scalar"),
            (*WINDOW, HTML),
            "plots: {notes: {type: text}}",
        ),
        info_of(
            "table",
            "The latest table, scrollable; scalar meters make a table of their latest numbers.",
            ("table", "scalar"),
            (*WINDOW, HTML),
            "plots: {summary: {type: table}}",
        ),
        info_of(
            "curve",
            "The latest curve of each meter: ROC (with its diagonal), precision over recall, or any y over x.",
            ("curve",),
            (
                *AXES,
                LEGEND,
                Option("diagonal", ("boolean",), "draw the line of a guessing classifier; if not given, for ROC"),
            ),
            "plots: {roc: {type: curve}}",
        ),
        info_of(
            "plotly",
            "Any figure of plotly's, as it is: JSON with data and layout.",
            ("figure",),
            FIGURE,
            "plots: {surface: {type: plotly}}",
        ),
        info_of(
            "matplotlib",
            "Any figure of matplotlib's, as an image.",
            ("image",),
            (*WINDOW, CAPTION, JPEG),
            "plots: {figure: {type: matplotlib}}",
        ),
        *FURTHER,
    )
}

_DEFAULTS: dict[Kind, str] = {
    "scalar": "line",
    "vector": "line",
    "matrix": "heatmap",
    "curve": "curve",
    "points": "scatter",
    "histogram": "histogram",
    "image": "image",
    "images": "images",
    "text": "text",
    "table": "table",
    "figure": "plotly",
    "video": "video",
    "audio": "audio",
    "any": "line",
}


def plot_types() -> list[str]:
    """Return the names of all plot types, as a config writes them.

    >>> plot_types()[:3]
    ['line', 'scatter', 'bar']
    """
    return list(PLOTS)


def plot_info(name: str) -> PlotInfo:
    """Return what is known of plot type `name`; raise `UnknownNameError` with the nearest name if there is none.

    >>> sorted(plot_info("heatmap").accepts)
    ['any', 'matrix']
    """
    try:
        return PLOTS[name]
    except KeyError:
        raise UnknownNameError(unknown("plot type", name, PLOTS)) from None


def default_plot(kind: Kind) -> str:
    """Return the plot type that draws values of `kind` where a config names none.

    >>> default_plot("matrix")
    'heatmap'
    """
    return _DEFAULTS[kind]
