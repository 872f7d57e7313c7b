"""Every key a declaration may hold, with its type and meaning: the check and the JSON Schema both read it here."""

from __future__ import annotations

from flexlogger.catalog import Option
from flexlogger.inspector.names import CODECS, LIMITS, VIEWS
from flexlogger.inspector.names import SOURCES as INSPECTED
from flexlogger.model.names import MODES, NAMES, SOURCES
from flexlogger.plots.catalog import DISPLAY

_TEXT, _WHOLE, _YES_NO = ("string",), ("integer",), ("boolean",)
_PORT = Option("port", _WHOLE, "port of the dashboard server", 8097, minimum=1, maximum=65535)
_SERVER = Option("server", _TEXT, "address of the dashboard server", "http://localhost")
_TOKEN = Option("token", _TEXT, "the server's token, best as ${env:NAME}; never logged")

TOP = (
    Option("extends", ("string", "array"), "presets and files to start from, as names, paths or a+b", items=_TEXT),
    Option("phases", ("array",), "what {phase} in a name stands for", ["train", "test"], items=_TEXT),
    Option("env", _TEXT, "visdom environment; the run's name if not given"),
    Option("uid", _TEXT, "who owns the windows: the same uid continues them; the environment if not given"),
    _SERVER,
    _PORT,
    _TOKEN,
    Option("project", _TEXT, "folder that groups runs"),
    Option("run", _TEXT, "id and folder of the run; FLEXLOGGER_RUN, or date and time if not given"),
    Option("name", _TEXT, "what the run is called; its id if not given"),
    Option("tags", ("array",), "words to find the run by", items=_TEXT),
    Option("notes", _TEXT, "what there is to say about the run"),
    Option("config", ("object",), "hyper-parameters to record: any nested plain data"),
    Option("resume_step", ("number",), "where a resumed run goes on; older points from here on are hidden"),
    Option("ranks", _TEXT, "whose values are shown: those of rank 0, or of all ranks", "first", ("first", "all")),
    Option("dir", _TEXT, "where run logs are kept; FLEXLOGGER_DIR or ./flexlogger_runs if not given"),
    Option("plots", ("object",), "windows by name"),
    Option("meters", ("object",), "what is measured, by name"),
    Option("sinks", ("array",), "views to feed, as names or {name: options}", ["visdom"]),
    Option("pipe", _TEXT, "where dashboards are drawn: thread, process, or tcp://host:port of a monitor", "thread"),
    Option("keys", _TEXT, "key file for a tcp pipe that leaves this machine: NAME.client.key of flexlogger keys NAME"),
    Option("layout", ("object",), "how windows are placed"),
    Option("model", ("object",), "what a TooledModelLogger that shares the run collects of its model, and how often"),
    Option("inspect", ("object",), "what of its model becomes videos, see the inspector; nothing if not given"),
    Option("max_points", _WHOLE, "most points of a trace that a window keeps", 2000, minimum=4),
    Option("max_media", _WHOLE, "largest array, image or text that is kept, in bytes", 16 * 2**20, minimum=1),
    Option("runlog", ("boolean", "string"), "whether the run log is written", True, (True, False, "on", "off")),
    Option("fsync", ("number",), "seconds between fsync calls of the run log; never if not given", minimum=0),
    Option("strict", _YES_NO, "whether adding to an unknown meter is an error (or one warning)", True),
)

PLOT = (
    Option("type", _TEXT, "plot type; chosen by what its meters yield if not given"),
    Option("opts", ("object",), "options of the plot type"),
    Option("x", _TEXT, "what x is: step, time (hours) or the name of a meter", "step"),
    Option("max_points", _WHOLE, "most points of a trace that this window keeps", 2000, minimum=4),
)

METER = (
    Option("type", _TEXT, "a meter's name, or the dotted path of a class", required=True),
    Option("opts", ("object",), "options of the meter"),
    Option("target", _TEXT, "the plot it is drawn in; the plot of the meter's own name if not given"),
    Option("display", ("object",), "how its traces look"),
    Option("labels", ("array",), "names of the entries of its vector or matrix", items=("string", "integer", "number")),
    Option("unit", _TEXT, "unit of its values; meters of one plot share it"),
    Option("reduce", _YES_NO, "log it over all ranks, which all have to call log then", False),
)

MODEL = (
    Option("sources", ("array", "object"), f"some of {', '.join(SOURCES)}, or {{source: [statistics]}}", items=_TEXT),
    Option("stats", ("array",), f"some of {', '.join(NAMES)}, or paths of functions of a tensor", items=_TEXT),
    Option("layers", ("string", "array"), "globs, 're:' and an expression, 'type:' and a class's name", items=_TEXT),
    Option("every", _WHOLE, "steps from one that is collected to the next", minimum=1),
    Option("budget", ("string", "number"), "share of the steps' time that collecting may take, such as 1%"),
    Option("mode", _TEXT, "a window per layer, per source or per statistic", "by_layer", MODES),
    Option("biases", _YES_NO, "whether parameters called bias have rows", False),
    Option("bins", _WHOLE, "bins of a histogram", 64, minimum=1),
    Option("sample", ("integer", "string"), "entries of a tensor that a histogram counts at most; all", 16384),
    Option("prefix", _TEXT, "what comes before the windows' names, for a second model", ""),
    Option("opts", ("object",), "options of the line plots"),
    Option("stop_on_nan", _YES_NO, "whether training stops once anything collected is NaN or infinite", False),
)

INSPECT = (
    Option("layers", ("string", "array"), "as for model; the model as a whole if not given", items=_TEXT),
    Option("sources", ("array",), f"some of {', '.join(INSPECTED)}", ["outputs", "grad_out"], items=_TEXT),
    Option("view", _TEXT, "what a tensor is drawn as", "plot2D", VIEWS),
    Option("frequency", _WHOLE, "steps from one that is sent to the next", 20, minimum=1),
    Option("timeout", ("number",), "seconds that drawing a frame may take", 30, minimum=LIMITS["timeout"][0]),
    Option("capacity", _WHOLE, "bytes of memory shared with the process that draws", 64 * 2**20, minimum=4096),
    Option("size", ("array",), "width and height of a frame in pixels", [640, 480], items=_WHOLE),
    Option("fps", ("number",), "frames a second", 20, minimum=LIMITS["fps"][0]),
    Option("seconds", ("number",), "length of a video; then the next one begins", 100, minimum=LIMITS["seconds"][0]),
    Option("folder", _TEXT, "where videos lie; videos in the run's folder if not given"),
    Option("codec", _TEXT, "how videos are written", "h264", CODECS),
    Option("live", _YES_NO, "whether frames are shown on the dashboard as well", False),
)

LAYOUT = (
    Option("columns", _WHOLE, "windows side by side", minimum=1),
    Option("width", _WHOLE, "width of a window in pixels", minimum=50),
    Option("height", _WHOLE, "height of a window in pixels", minimum=50),
    Option("order", ("array",), "names of plots, first to last", items=_TEXT),
)

_CHOICE = (
    Option("only", ("string", "array"), "globs: the names that it is given; all if not given", items=_TEXT),
    Option("not", ("string", "array"), "globs: names that it is not given", items=_TEXT),
    Option("every", _TEXT, "how far apart a name's values are, such as 10 steps or 30 s; all if not given"),
)
"""What every sink takes."""
_FILE = Option("path", _TEXT, "the file, {run} in it being the run's id; in the run's folder if not given")

SINKS: dict[str, tuple[Option, ...]] = {
    "visdom": (
        Option("client", _TEXT, "who talks to the server: we do, or the visdom package", "http", ("http", "package")),
        _SERVER,
        _PORT,
        _TOKEN,
        *_CHOICE,
    ),
    "terminal": (
        Option("total", ("number",), "steps the whole run will have; tells how long it will take", minimum=1),
        Option("epoch", ("number",), "steps of an epoch; tells how long this one will take", minimum=1),
        *_CHOICE,
    ),
    "memory": _CHOICE,
    "csv": (_FILE, *_CHOICE),
    "jsonl": (_FILE, *_CHOICE),
    "tensorboard": (
        Option("dir", _TEXT, "TensorBoard's logdir, the run being a folder in it; in the run's folder if not given"),
        *_CHOICE,
    ),
    "wandb": (
        Option("project", _TEXT, "W&B's project; ours if not given"),
        Option("entity", _TEXT, "W&B's user or team"),
        Option("mode", _TEXT, "whether it is sent; WANDB_MODE if not given", "online", ("online", "offline")),
        *_CHOICE,
    ),
    "mlflow": (
        Option("uri", _TEXT, "tracking server or database; MLFLOW_TRACKING_URI if not given"),
        Option("experiment", _TEXT, "MLflow's experiment; the project if not given"),
        *_CHOICE,
    ),
    "callable": (
        Option("function", _TEXT, "dotted path of a function that is called with each record", required=True),
        *_CHOICE,
    ),
}

__all__ = ["DISPLAY", "INSPECT", "LAYOUT", "METER", "MODEL", "PLOT", "SINKS", "TOP"]
