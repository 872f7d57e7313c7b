"""The plot types known by name: plain data, so that checking a config draws nothing."""

from __future__ import annotations

import msgspec

from flexlogger.catalog import Option
from flexlogger.errors import UnknownNameError, unknown
from flexlogger.records import Kind


class PlotInfo(msgspec.Struct, frozen=True):
    """What one plot type is: the kinds of value it `accepts`, its `options`, and where its class stands (`path`)."""

    name: str
    doc: str
    accepts: frozenset[Kind]
    options: tuple[Option, ...]
    example: str
    path: str


COLORMAPS = (
    *("Blackbody", "Bluered", "Blues", "Cividis", "Earth", "Electric", "Greens", "Greys", "Hot", "Jet"),
    *("Picnic", "Portland", "Rainbow", "RdBu", "Reds", "Viridis", "YlGnBu", "YlOrRd"),
)
"""The colour scales that the dashboard's plotly knows by name."""

WINDOW = (
    Option("title", ("string",), "title of the window; the plot's name if not given"),
    Option("env", ("string",), "visdom environment of this window; the dashboard's if not given"),
    Option("width", ("integer",), "width of the window in pixels", minimum=50),
    Option("height", ("integer",), "height of the window in pixels", minimum=50),
)
FIGURE = (
    *WINDOW,
    Option("showlegend", ("boolean",), "whether the legend shows; if not given, where there is more than one trace"),
    Option("layout", ("object",), "anything else for plotly's layout, merged into ours last"),
    Option("layoutopts", ("object",), "the same in visdom's words: {plotly: {…}}"),
)
AXES = (
    *FIGURE,
    Option("xlabel", ("string",), "text under the x axis"),
    Option("ylabel", ("string",), "text beside the y axis"),
    Option("xtype", ("string",), "scale of the x axis", "linear", ("linear", "log")),
    Option("ytype", ("string",), "scale of the y axis", "linear", ("linear", "log")),
    Option("xtickmin", ("number",), "where the x axis starts; with xtickmax"),
    Option("xtickmax", ("number",), "where the x axis ends; with xtickmin"),
    Option("ytickmin", ("number",), "where the y axis starts; with ytickmax"),
    Option("ytickmax", ("number",), "where the y axis ends; with ytickmin"),
)
_LEGEND = Option("legend", ("array",), "names shown in place of the meters' names, in their order", items=("string",))
_NAMES = ("string", "integer", "number")
_LABELS = Option("labels", ("array",), "names of the entries, in order", items=_NAMES)
_ROWNAMES = Option("rownames", ("array",), "names of the rows (labels names rows and columns)", items=_NAMES)
_COLUMNNAMES = Option("columnnames", ("array",), "names of the columns", items=_NAMES)
_CAPTION = Option("caption", ("string",), "text under the image; {step} stands for the step it was logged at")
_JPEG = Option("jpgquality", ("integer",), "send JPEG of this quality (1 to 95) instead of PNG", minimum=1)
_HTML = Option("html", ("boolean",), "pass the text on as HTML instead of showing it as it is", False)

DISPLAY = (
    Option("color", ("string",), "colour of the meter's lines, as CSS writes it: '#0072b2', 'teal'"),
    Option("dash", ("string",), "dash of its lines", "solid", ("solid", "dash", "dot", "dashdot", "longdash")),
    Option("width", ("number",), "width of its lines in pixels", 2, minimum=0.5),
    Option("band", ("string",), "shade the mean plus and minus this output", None, ("std",)),
)
"""What may stand under `display` of a meter."""


def _info(name: str, doc: str, accepts: tuple[Kind, ...], options: tuple[Option, ...], example: str) -> PlotInfo:
    path = f"flexlogger.plots.{name}:{name.capitalize()}Plot"
    return PlotInfo(name, doc, frozenset((*accepts, "any")), options, example, path)


PLOTS: dict[str, PlotInfo] = {
    info.name: info
    for info in (
        _info(
            "line",
            "Scalars over steps, one line per meter; a vector of up to 32 entries is one line per entry, a longer one "
            "is drawn as bars of its latest value.",
            ("scalar", "vector"),
            (
                *AXES,
                _LEGEND,
                Option("markers", ("boolean",), "mark every point", False),
                Option("fillarea", ("boolean",), "fill the area under the lines", False),
                Option("smoothing", ("number",), "0 to 1: weight of the past in a moving average", 0, minimum=0),
            ),
            "plots: {loss: {type: line, opts: {ytype: log, xlabel: step}}}",
        ),
        _info(
            "scatter",
            "Points (N, 2), or (N, 3) with the class index last: one colour per class, past 32 classes a colour scale; "
            "the latest value.",
            ("points",),
            (*AXES, _LEGEND, Option("markersize", ("number",), "diameter of a point in pixels", 7, minimum=1)),
            "plots: {embedding: {type: scatter, opts: {legend: [cat, dog]}}}",
        ),
        _info(
            "bar",
            "One bar per entry of the latest vector, or one bar per scalar meter.",
            ("vector", "scalar"),
            (*AXES, _LEGEND, _LABELS, _ROWNAMES, Option("stacked", ("boolean",), "stack the meters' bars", False)),
            "plots: {recall: {type: bar, opts: {labels: [cat, dog, bird]}}}",
        ),
        _info(
            "histogram",
            "Counts between their true bin edges, the latest value; several meters lie over each other. A vector is "
            "counted into numbins bins.",
            ("histogram", "vector"),
            (*AXES, _LEGEND, Option("numbins", ("integer",), "bins a vector is counted into", 30, minimum=1)),
            "plots: {weights: {type: histogram, opts: {ytype: log}}}",
        ),
        _info(
            "heatmap",
            "The latest matrix, row 0 on top; a confusion matrix has row = truth and column = prediction. Cells carry "
            "their numbers up to 12 by 12.",
            ("matrix",),
            (
                *AXES,
                _LABELS,
                _ROWNAMES,
                _COLUMNNAMES,
                Option("colormap", ("string",), "colour scale; if not given, white to blue", None, COLORMAPS),
                Option("xmin", ("number",), "value that the colour scale starts at"),
                Option("xmax", ("number",), "value that the colour scale ends at"),
                Option("annotate", ("boolean",), "write the numbers into the cells; if not given, up to 12 by 12"),
            ),
            "plots: {confusion: {type: heatmap, opts: {labels: [cat, dog, bird]}}}",
        ),
        _info(
            "image",
            "The latest image; tiny ones are enlarged with sharp pixels.",
            ("image", "images"),
            (*WINDOW, _CAPTION, _JPEG),
            "plots: {sample: {type: image, opts: {caption: 'step {step}'}}}",
        ),
        _info(
            "images",
            "The latest batch of images as a grid, nrow side by side.",
            ("images", "image"),
            (
                *WINDOW,
                _CAPTION,
                _JPEG,
                Option("nrow", ("integer",), "images per row", 8, minimum=1),
                Option("padding", ("integer",), "pixels between images", 2, minimum=0),
                Option("labels", ("array",), "text over each image, in order", items=_NAMES),
            ),
            "plots: {mistakes: {type: images, opts: {nrow: 8}}}",
        ),
        _info(
            "text",
            "The latest text, or the latest number of each scalar meter.",
            ("text", "scalar"),
            (*WINDOW, _HTML),
            "plots: {notes: {type: text}}",
        ),
        _info(
            "table",
            "The latest table, scrollable; scalar meters make a table of their latest numbers.",
            ("table", "scalar"),
            (*WINDOW, _HTML),
            "plots: {summary: {type: table}}",
        ),
        _info(
            "curve",
            "The latest curve of each meter: ROC (with its diagonal), precision over recall, or any y over x.",
            ("curve",),
            (
                *AXES,
                _LEGEND,
                Option("diagonal", ("boolean",), "draw the line of a guessing classifier; if not given, for ROC"),
            ),
            "plots: {roc: {type: curve}}",
        ),
        _info(
            "plotly",
            "Any figure of plotly's, as it is: JSON with data and layout.",
            ("figure",),
            FIGURE,
            "plots: {surface: {type: plotly}}",
        ),
        _info(
            "matplotlib",
            "Any figure of matplotlib's, as an image.",
            ("image",),
            (*WINDOW, _CAPTION, _JPEG),
            "plots: {figure: {type: matplotlib}}",
        ),
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
