"""The meters known by name, as plain data: checking a config imports no torch."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from flexlogger.catalog import Option
from flexlogger.errors import MissingExtraError, UnknownNameError, unknown
from flexlogger.records import Output


class MeterInfo(msgspec.Struct, frozen=True):
    """What one meter is, for people and for the check of configs.

    `path` is module:class. `takes` says what `add` expects, `returns` what `value()` gives. `outputs` are what `log`
    records. `syncs` says whether `add` or `log` waits for a device (None: unknown); `value()` always does.
    """

    name: str
    path: str
    doc: str
    takes: str
    returns: str
    options: tuple[Option, ...] = ()
    outputs: tuple[Output, ...] = (Output(),)
    unit: str = ""
    syncs: bool | None = False
    example: str = ""


_NUMBER = "a number, or a tensor or array with one element"
_SCORES = "scores (N, K) and classes (N) as integers"
_BINARY = "scores (N, K) or (N) and targets 0 or 1 of the same shape"
_STD = Output(".std", drawn=False)
KINDS = (
    "scalar",
    "vector",
    "matrix",
    "curve",
    "points",
    "histogram",
    "image",
    "images",
    "text",
    "table",
    "figure",
    "any",
)


def _info(name: str, module: str, doc: str, takes: str, returns: str, example: str, **more: Any) -> MeterInfo:
    return MeterInfo(name, f"flexlogger.meters.{module}:{name}", doc, takes, returns, example=example, **more)


_ALL = (
    _info(
        "AverageValueMeter",
        "average",
        "Mean and standard deviation of the numbers added since the last log.",
        f"{_NUMBER}; a second argument n counts it as n samples of that mean",
        "(mean, std); std is NaN below two samples",
        "train_loss: {type: AverageValueMeter, target: loss}",
        outputs=(Output(), _STD),
    ),
    _info(
        "MSEMeter",
        "mse",
        "Mean squared error over all elements; with root its square root.",
        "two tensors or arrays of the same shape, or two numbers: output, target",
        "float",
        "test_mse: {type: MSEMeter, opts: {root: true}, target: mse}",
        options=(Option("root", ("boolean",), "take the square root (RMSE)", False),),
    ),
    _info(
        "ConfusionMeter",
        "confusion",
        "Confusion matrix of k classes: row = truth, column = prediction; normalized: each row sums to 1.",
        "scores (N, k, …) or classes (N), and true classes (N, …) as integers or one-hot (N, k)",
        "(k, k) array, int64 or, if normalized, float32",
        "test_confusion: {type: ConfusionMeter, opts: {k: 10, normalized: true}, target: confusion}",
        options=(
            Option("k", ("integer",), "number of classes", required=True, minimum=1),
            Option("normalized", ("boolean",), "divide each row by its sum", False),
        ),
        outputs=(Output(kind="matrix", shape=(None, None)),),
    ),
    _info(
        "ClassErrorMeter",
        "classerror",
        "Percentage of samples whose class is not among the k highest scores; with accuracy, the rest of 100.",
        _SCORES,
        "list of percentages, one per k in ascending order; value(k) gives one",
        "test_error: {type: ClassErrorMeter, opts: {topk: [1, 5]}, target: error}",
        options=(
            Option("topk", ("array",), "the k to report", [1], items=("integer",), minimum=1),
            Option("accuracy", ("boolean",), "report accuracy instead of error", False),
        ),
        outputs=(Output(unit="%"),),
        unit="%",
    ),
    _info(
        "AUCMeter",
        "auc",
        "Area under the ROC curve of a binary classifier, and the curve.",
        "scores (N) and targets (N) of 0 and 1",
        "(area, tpr, fpr): float and two arrays of N + 1 entries",
        "test_auc: {type: AUCMeter, target: auc}",
        outputs=(Output(), Output(".curve", "curve", shape=(2, None))),
    ),
    _info(
        "APMeter",
        "ap",
        "Average precision of each class.",
        f"{_BINARY}; optionally weights (N)",
        "(K) float tensor on the CPU",
        "test_ap: {type: APMeter, target: ap}",
        outputs=(Output(kind="vector", shape=(None,)),),
    ),
    _info(
        "mAPMeter",
        "ap",
        "Mean over the classes of average precision.",
        f"{_BINARY}; optionally weights (N)",
        "float",
        "test_map: {type: mAPMeter, target: map}",
        outputs=(Output(), Output(".ap", "vector", drawn=False, shape=(None,))),
    ),
    _info(
        "MovingAverageValueMeter",
        "moving",
        "Mean and standard deviation of the last windowsize numbers; log does not reset it.",
        _NUMBER,
        "(mean, std); std is NaN below two samples",
        "train_smooth: {type: MovingAverageValueMeter, opts: {windowsize: 100}, target: loss}",
        options=(Option("windowsize", ("integer",), "how many numbers it looks back", required=True, minimum=1),),
        outputs=(Output(), _STD),
    ),
    _info(
        "TimeMeter",
        "clock",
        "Seconds since its last reset; with unit, seconds per add.",
        "anything or nothing; each add counts one unit",
        "float, seconds",
        "train_time: {type: TimeMeter, target: time}",
        options=(Option("unit", ("boolean", "null"), "divide by the number of adds", False),),
        outputs=(Output(unit="s"),),
        unit="s",
    ),
    _info(
        "LastValueMeter",
        "last",
        "The latest value as it is: number, vector, matrix, image(s), text, table or figure.",
        "any one value; kind decides how an array is read, else its shape does",
        "the value (own copy)",
        "sample: {type: LastValueMeter, opts: {kind: image}, target: sample}",
        options=(Option("kind", ("string",), "what the value is; 'any' goes by its shape", "any", KINDS),),
        outputs=(Output(kind="any"),),
    ),
    _info("MinMeter", "extreme", "The least number added.", _NUMBER, "float", "best: {type: MinMeter, target: loss}"),
    _info(
        "MaxMeter", "extreme", "The greatest number added.", _NUMBER, "float", "worst: {type: MaxMeter, target: loss}"
    ),
    _info(
        "SumMeter", "sum", "The sum of the numbers added.", _NUMBER, "float", "tokens: {type: SumMeter, target: tokens}"
    ),
    _info(
        "RateMeter",
        "clock",
        "Amount per second since its last reset: samples per second.",
        "an amount, such as the batch size; " + _NUMBER,
        "float, per second",
        "train_rate: {type: RateMeter, target: rate}",
        outputs=(Output(unit="1/s"),),
        unit="1/s",
    ),
    _info(
        "ETAMeter",
        "clock",
        "Seconds left until total is reached at the pace so far; log does not reset it.",
        "the amount done since the last add; " + _NUMBER,
        "float, seconds",
        "eta: {type: ETAMeter, opts: {total: 10000}, target: eta}",
        options=(Option("total", ("number",), "the amount at which training is done", required=True, minimum=0),),
        outputs=(Output(unit="s"),),
        unit="s",
    ),
    _info(
        "AccuracyMeter",
        "accuracy",
        "Fraction of right predictions, in [0, 1].",
        "scores (N, K, …) or classes as integers, and true classes (N, …) as integers",
        "float",
        "test_acc: {type: AccuracyMeter, target: acc}",
    ),
    _info(
        "HistogramMeter",
        "histogram",
        "How the elements added are distributed, counted on their device; NaN and Inf are left out.",
        "a tensor or array of any shape, or a number",
        "(counts, edges): arrays of bins and bins + 1 entries",
        "weights: {type: HistogramMeter, opts: {bins: 40}, target: weights}",
        options=(Option("bins", ("integer",), "number of bins", 30, minimum=1),),
        outputs=(Output(kind="histogram", shape=(2, None)),),
    ),
)

METERS: dict[str, MeterInfo] = {info.name: info for info in _ALL}
"""All meters known by name, in the order they are listed in."""


def declared_outputs(name: str, opts: Mapping[str, Any]) -> tuple[Output, ...]:
    """Return what meter `name` yields with checked options `opts`: names, kinds, units and, where known, shapes.

    A name that is not in the catalog yields one output of kind 'any'.

    >>> declared_outputs("ConfusionMeter", {"k": 3})[0].shape
    (3, 3)
    >>> [output.name for output in declared_outputs("ClassErrorMeter", {"topk": [5, 1]})]
    ['@1', '@5']
    """
    if name not in METERS:
        return (Output(kind="any"),)
    if name == "ConfusionMeter":
        return (Output(kind="matrix", shape=(opts["k"], opts["k"])),)
    if name == "ClassErrorMeter":
        topk = sorted(set(opts.get("topk") or [1]))
        return tuple(Output(f"@{k}" if len(topk) > 1 else "", unit="%") for k in topk)
    if name == "HistogramMeter":
        return (Output(kind="histogram", shape=(2, opts.get("bins", 30) + 1)),)
    if name == "LastValueMeter":
        return (Output(kind=opts.get("kind", "any")),)
    return METERS[name].outputs


def meter_types() -> list[str]:
    """Return the names of all meters of our own, as a config writes them.

    >>> meter_types()[:2]
    ['AverageValueMeter', 'MSEMeter']
    """
    return list(METERS)


def meter_info(name: str) -> MeterInfo:
    """Return what is known of a meter: one of our own, or the dotted path of a torchmetrics class (which is imported).

    Raises UnknownNameError with the nearest name, MissingExtraError where torchmetrics is not installed.

    >>> meter_info("ClassErrorMeter").unit
    '%'
    """
    if name in METERS:
        return METERS[name]
    if name.startswith("torchmetrics."):
        return _torchmetrics_info(name)
    raise UnknownNameError(unknown("meter", name, METERS))


def _torchmetrics_info(path: str) -> MeterInfo:
    module, _, attribute = path.rpartition(".")
    try:
        importlib.import_module("torchmetrics")
    except ImportError as error:
        raise MissingExtraError(f"meter {path!r}", "torchmetrics", "torchmetrics") from error
    try:
        names = importlib.import_module(module)
    except ImportError:
        raise UnknownNameError(f"unknown meter {path!r}: there is no module {module!r}") from None
    cls = getattr(names, attribute, None)
    if not isinstance(cls, type):
        raise UnknownNameError(unknown(f"meter in {module}", attribute, getattr(names, "__all__", ())))
    return MeterInfo(
        name=path,
        path=f"{module}:{attribute}",
        doc=(inspect.getdoc(cls) or "").partition("\n")[0],
        takes="what its update takes",
        returns="what its compute returns",
        options=tuple(
            _option(parameter) for parameter in inspect.signature(cls).parameters.values() if _is_option(parameter)
        ),
        outputs=(Output(kind="any"),),
        syncs=None,
        example=f"name: {{type: {path}, target: plot}}",
    )


def _is_option(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def _option(parameter: inspect.Parameter) -> Option:
    words = ("string", "number", "boolean", "array", "object", "null")
    required = parameter.default is parameter.empty
    said = "" if parameter.annotation is parameter.empty else inspect.formatannotation(parameter.annotation)
    return Option(parameter.name, words, said, None if required else parameter.default, required=required)
