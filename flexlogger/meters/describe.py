"""What torchmetrics' classes say of themselves, in the words of our catalog."""

from __future__ import annotations

import importlib
import inspect

from flexlogger.catalog import Option
from flexlogger.errors import MissingExtraError, UnknownNameError, unknown
from flexlogger.meters.info import MeterInfo
from flexlogger.records import Output

_ANYTHING = ("string", "number", "boolean", "array", "object", "null")


def describe_torchmetrics(path: str) -> MeterInfo:
    """Read a class's first line, constructor and `update`; imports it.

    Raises MissingExtraError without torchmetrics, UnknownNameError where there is no such class.

    >>> describe_torchmetrics("torchmetrics.regression.MeanSquaredError").takes
    'preds, target'
    """
    try:
        importlib.import_module("torchmetrics")
    except ImportError as error:
        raise MissingExtraError(f"meter {path!r}", "torchmetrics", "torchmetrics") from error
    module, _, name = path.rpartition(".")
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError:
        raise UnknownNameError(f"unknown meter {path!r}; there is no module {module!r}") from None
    found = getattr(home, name, None)
    if not isinstance(found, type):
        raise UnknownNameError(unknown(f"meter in {module}", name, getattr(home, "__all__", ())))
    parameters = inspect.signature(found).parameters.values()
    return MeterInfo(
        name=path,
        path=f"{module}:{name}",
        doc=(inspect.getdoc(found) or "").partition("\n")[0],
        takes=_takes(found),
        returns="what its compute returns",
        options=tuple(_option(p) for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)),
        outputs=(Output(kind="any"),),
        syncs=True,  # some validate or count with a wait, and none promises not to
        example=f"meters: {{test_metric: {{type: {path}, target: metric}}}}",
    )


def _takes(found: type) -> str:
    update = getattr(found, "update", None)
    names = list(inspect.signature(update).parameters)[1:] if callable(update) else []
    return ", ".join(names) or "what its update takes"


def _option(parameter: inspect.Parameter) -> Option:
    required = parameter.default is parameter.empty
    said = "" if parameter.annotation is parameter.empty else inspect.formatannotation(parameter.annotation)
    return Option(parameter.name, _ANYTHING, said, None if required else parameter.default, required=required)
