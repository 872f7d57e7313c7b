"""The meters known by name: plain data, so that checking a config imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from flexlogger.catalog import Option
from flexlogger.errors import UnknownNameError, unknown
from flexlogger.meters.info import MeterInfo
from flexlogger.records import Kind, Output

_STD = Output(".std", drawn=False)
_NUMBER = "a number, or a tensor or array with one entry"
_SCORES = "output: (N,) or (N, K) scores, target: the same shape, 0 or 1"
_SCORES_WEIGHTED = f"{_SCORES}, weight (optional): (N,), at least 0"


def _yaml(kind: str, target: str = "loss", opts: str = "", meter: str = "train_loss") -> str:
    inner = f", opts: {{{opts}}}" if opts else ""
    return f"meters: {{{meter}: {{type: {kind}{inner}, target: {target}}}}}"


_INFOS = (
    MeterInfo(
        "AverageValueMeter",
        "flexlogger.meters.average:AverageValueMeter",
        "Mean of what was added since the last reset, with its standard deviation.",
        f"value: {_NUMBER}; n (optional): a count of at least 1, for n samples of mean value",
        "(mean, std), std with n - 1 in the denominator",
        outputs=(Output(), _STD),
        reduces=True,
        example=_yaml("AverageValueMeter"),
    ),
    MeterInfo(
        "MSEMeter",
        "flexlogger.meters.mse:MSEMeter",
        "Mean squared error of outputs against targets, or its root.",
        "output and target: tensors, arrays or lists of one shape",
        "float",
        (Option("root", ("boolean",), "take the square root", False),),
        reduces=True,
        example=_yaml("MSEMeter", "mse", "root: true", "test_mse"),
    ),
    MeterInfo(
        "ConfusionMeter",
        "flexlogger.meters.confusion:ConfusionMeter",
        "Confusion matrix of k classes: row = truth, column = prediction.",
        "predicted: (N, k, ...) scores or (N,) class indices; target: (N, ...) class indices or (N, k) one-hot rows",
        "(k, k) array: int64 counts, or float32 rows that sum to 1",
        (
            Option("k", ("integer",), "number of classes", required=True, minimum=1),
            Option("normalized", ("boolean",), "divide each row by its sum", False),
        ),
        (Output(kind="matrix", shape=(None, None)),),
        reduces=True,
        example=_yaml("ConfusionMeter", "confusion", "k: 10, normalized: true", "test_confusion"),
    ),
    MeterInfo(
        "ClassErrorMeter",
        "flexlogger.meters.classerror:ClassErrorMeter",
        "Top-k classification error (or accuracy) in percent; several k are logged as name@k.",
        "output: (N, K) or (K,) scores; target: (N,) class indices or one index",
        "list of floats in [0, 100], one per k in rising order; value(k) one of them",
        (
            Option("topk", ("integer", "array"), "which k, one or several", [1], items=("integer",), minimum=1),
            Option("accuracy", ("boolean",), "100 - error instead of error", False),
        ),
        (Output(unit="%"),),
        "%",
        reduces=True,
        example=_yaml("ClassErrorMeter", "error", "topk: [1, 5]", "test_error"),
    ),
    MeterInfo(
        "AUCMeter",
        "flexlogger.meters.auc:AUCMeter",
        "Area under the ROC curve; on a plot of type curve, the curve itself.",
        "output: (N,) scores; target: (N,) 0 or 1",
        "(area, tpr, fpr), the latter arrays of N + 1",
        outputs=(Output(), Output(".curve", "curve", shape=(2, None))),
        example=_yaml("AUCMeter", "auc", meter="test_auc"),
    ),
    MeterInfo(
        "APMeter",
        "flexlogger.meters.ap:APMeter",
        "Average precision of each of K classes.",
        _SCORES_WEIGHTED,
        "(K,) float32 tensor",
        outputs=(Output(kind="vector", shape=(None,)),),
        example=_yaml("APMeter", "ap", meter="test_ap"),
    ),
    MeterInfo(
        "mAPMeter",
        "flexlogger.meters.ap:mAPMeter",
        "Mean of the classes' average precisions, with those as name.ap.",
        _SCORES_WEIGHTED,
        "0-d float32 tensor",
        outputs=(Output(), Output(".ap", "vector", drawn=False, shape=(None,))),
        example=_yaml("mAPMeter", "map", meter="test_map"),
    ),
    MeterInfo(
        "MovingAverageValueMeter",
        "flexlogger.meters.moving:MovingAverageValueMeter",
        "Mean of the last windowsize values; log does not reset it.",
        f"value: {_NUMBER}",
        "(mean, std), std with n - 1 in the denominator",
        (Option("windowsize", ("integer",), "how many values it looks back", required=True, minimum=1),),
        (Output(), _STD),
        example=_yaml("MovingAverageValueMeter", opts="windowsize: 100"),
    ),
    MeterInfo(
        "TimeMeter",
        "flexlogger.meters.timing:TimeMeter",
        "Seconds since the last reset.",
        "nothing, or the amount of work done (counted when unit is true)",
        "float",
        (Option("unit", ("boolean", "null"), "seconds per unit added instead of seconds", False),),
        (Output(unit="s"),),
        "s",
        example=_yaml("TimeMeter", "time", meter="epoch_time"),
    ),
    MeterInfo(
        "LastValueMeter",
        "flexlogger.meters.last:LastValueMeter",
        "The latest value, of any shape: number, vector, matrix, image(s), text, table, figure.",
        "numbers, tensors, arrays, strings, tables, figures; several arguments make a list",
        "what was added last",
        (Option("kind", ("string",), "what the value is, where its shape does not say", "any", get_args(Kind)),),
        (Output(kind="any"),),
        example=_yaml("LastValueMeter", "lr", meter="lr"),
    ),
    MeterInfo(
        "MinMeter",
        "flexlogger.meters.extremes:MinMeter",
        "Smallest of what was added since the last reset.",
        f"value: {_NUMBER}",
        "float",
        reduces=True,
        example=_yaml("MinMeter"),
    ),
    MeterInfo(
        "MaxMeter",
        "flexlogger.meters.extremes:MaxMeter",
        "Largest of what was added since the last reset.",
        f"value: {_NUMBER}",
        "float",
        reduces=True,
        example=_yaml("MaxMeter"),
    ),
    MeterInfo(
        "SumMeter",
        "flexlogger.meters.extremes:SumMeter",
        "Sum of what was added since the last reset.",
        f"value: {_NUMBER}",
        "float",
        reduces=True,
        example=_yaml("SumMeter", "seen", meter="samples"),
    ),
    MeterInfo(
        "RateMeter",
        "flexlogger.meters.timing:RateMeter",
        "Amount per second since the last reset, such as samples per second.",
        f"amount: {_NUMBER}",
        "float",
        outputs=(Output(unit="1/s"),),
        unit="1/s",
        reduces=True,
        example=_yaml("RateMeter", "speed", meter="samples_per_second"),
    ),
    MeterInfo(
        "ETAMeter",
        "flexlogger.meters.timing:ETAMeter",
        "Seconds left until total is done, at the pace so far; log does not reset it.",
        f"amount (default 1): {_NUMBER}",
        "float",
        (Option("total", ("number",), "the amount that is everything, in what add counts", required=True, minimum=0),),
        (Output(unit="s"),),
        "s",
        example=_yaml("ETAMeter", "eta", "total: 1000", "eta"),
    ),
    MeterInfo(
        "AccuracyMeter",
        "flexlogger.meters.accuracy:AccuracyMeter",
        "Fraction of right predictions, in [0, 1].",
        "output: (N, K, ...) scores or (N, ...) class indices; target: (N, ...) class indices",
        "float",
        outputs=(Output(unit="fraction"),),
        unit="fraction",
        reduces=True,
        example=_yaml("AccuracyMeter", "acc", meter="test_acc"),
    ),
    MeterInfo(
        "HistogramMeter",
        "flexlogger.meters.histogram:HistogramMeter",
        "Histogram of all entries added since the last reset.",
        "value: a tensor, array or list of any shape",
        "(2, bins + 1) float64 array: edges in row 0, counts and one 0 in row 1",
        (Option("bins", ("integer",), "number of bins", 64, minimum=1),),
        (Output(kind="histogram", shape=(2, 65)),),
        example=_yaml("HistogramMeter", "weights", "bins: 50", "conv1"),
    ),
)

METERS: dict[str, MeterInfo] = {info.name: info for info in _INFOS}


def declared_outputs(name: str, opts: Mapping[str, Any]) -> tuple[Output, ...]:
    """Return what meter type `name` yields with valid options `opts`, as far as that is known before training.

    >>> declared_outputs("ConfusionMeter", {"k": 3})[0].shape
    (3, 3)
    >>> [output.name for output in declared_outputs("ClassErrorMeter", {"topk": [5, 1]})]
    ['@1', '@5']
    """
    if name == "ConfusionMeter" and "k" in opts:
        return (Output(kind="matrix", shape=(opts["k"], opts["k"])),)
    if name == "HistogramMeter" and "bins" in opts:
        return (Output(kind="histogram", shape=(2, opts["bins"] + 1)),)
    if name == "LastValueMeter" and "kind" in opts:
        return (Output(kind=opts["kind"]),)
    if name == "ClassErrorMeter" and isinstance(opts.get("topk"), list | tuple) and len(set(opts["topk"])) > 1:
        return tuple(Output(f"@{k}", unit="%") for k in sorted(set(opts["topk"])))
    return METERS[name].outputs


def meter_types() -> list[str]:
    """Return the names of all meter types, as a config writes them.

    >>> meter_types()[:3]
    ['AverageValueMeter', 'MSEMeter', 'ConfusionMeter']
    """
    return list(METERS)


def meter_info(name: str) -> MeterInfo:
    """Return what is known of meter type `name`: one of ours, or a dotted path into torchmetrics (which it imports).

    Raises UnknownNameError, with the nearest name, if there is none; MissingExtraError without torchmetrics.

    >>> meter_info("ConfusionMeter").returns
    '(k, k) array: int64 counts, or float32 rows that sum to 1'
    """
    if name in METERS:
        return METERS[name]
    if name.startswith("torchmetrics."):
        from flexlogger.meters.describe import describe_torchmetrics

        return describe_torchmetrics(name)
    raise UnknownNameError(unknown("meter", name, METERS))
