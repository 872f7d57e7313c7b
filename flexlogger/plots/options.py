"""The options that plot types share, in visdom's words where it has them."""

from __future__ import annotations

from flexlogger.catalog import Option

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
LEGEND = Option("legend", ("array",), "names shown in place of the meters' names, in their order", items=("string",))
NAMES = ("string", "integer", "number")
LABELS = Option("labels", ("array",), "names of the entries, in order", items=NAMES)
ROWNAMES = Option("rownames", ("array",), "names of the rows (labels names rows and columns)", items=NAMES)
COLUMNNAMES = Option("columnnames", ("array",), "names of the columns", items=NAMES)
CAPTION = Option("caption", ("string",), "text under the image; {step} stands for the step it was logged at")
JPEG = Option("jpgquality", ("integer",), "send JPEG of this quality (1 to 95) instead of PNG", minimum=1)
HTML = Option("html", ("boolean",), "pass the text on as HTML instead of showing it as it is", False)
COLORMAP = Option("colormap", ("string",), "colour scale", "Viridis", COLORMAPS)
LOWEST = Option("xmin", ("number",), "value that the colour scale starts at")
HIGHEST = Option("xmax", ("number",), "value that the colour scale ends at")
SPACE = (
    *FIGURE,
    Option("xlabel", ("string",), "text along the x axis"),
    Option("ylabel", ("string",), "text along the y axis"),
    Option("zlabel", ("string",), "text along the z axis"),
)
