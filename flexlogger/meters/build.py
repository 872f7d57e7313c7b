"""From what a declaration names to a meter: a catalog name, a path, a class, an instance or a factory."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flexlogger.catalog import check_opts
from flexlogger.config.names import import_refusal
from flexlogger.config.torchmetrics_names import torchmetrics_paths
from flexlogger.errors import FlexLoggerError, MissingExtraError, UnknownNameError, ValueRefusedError, nearest, unknown
from flexlogger.meters.base import BaseMeter
from flexlogger.meters.catalog import METERS
from flexlogger.meters.foreign import is_meter, is_metric, wrap
from flexlogger.meters.last import LastValueMeter
from flexlogger.records import Kind

_EXTRAS = {"torchmetrics": "torchmetrics", "torchnet": "torchnet", "visdom": "visdom"}


def build_meter(
    type_: Any, opts: Mapping[str, Any] | None = None, *, kind_hint: Kind = "any", allow_imports: Iterable[str] = ()
) -> BaseMeter:
    """Make the meter that `type_` stands for, with `opts` as its constructor's arguments.

    `type_` is a name of the catalog or of a torchmetrics class, a dotted path below a package that may be imported
    (`allow_imports` adds packages), a class, an instance, or a function that returns a meter. `kind_hint` says what
    kind of value its plot draws, for meters that take any.

    Raises UnknownNameError, ValueRefusedError for options or classes that do not fit, MissingExtraError.

    >>> type(build_meter("LastValueMeter")).__name__
    'LastValueMeter'
    >>> build_meter("MulticlassF1Score", {"classes": 3})
    Traceback (most recent call last):
    flexlogger.errors.ValueRefusedError: MulticlassF1Score: unknown option 'classes'; did you mean 'num_classes'?
    """
    opts = dict(opts or {})
    if isinstance(type_, str):
        return _construct(type_, _class_named(type_, tuple(allow_imports)), opts, kind_hint)
    if isinstance(type_, type):
        return _construct(type_.__name__, type_, opts, kind_hint)
    if is_meter(type_) or is_metric(type_):
        if opts:
            raise ValueRefusedError(f"{type(type_).__name__}: an instance takes no options; pass its class instead")
        return wrap(type_, kind_hint)
    if callable(type_):
        return _construct(getattr(type_, "__name__", "the factory"), type_, opts, kind_hint)
    raise ValueRefusedError(f"Expected a meter's name, class, instance or factory, but got {type_!r}")


# ---- finding


def _class_named(name: str, allowed: tuple[str, ...]) -> type:
    if name in METERS:
        module, _, attribute = METERS[name].path.partition(":")
        return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]
    path = name if "." in name else torchmetrics_paths().get(name)
    if path is None:
        near = nearest(name, METERS) or nearest(name, torchmetrics_paths()) is None
        raise UnknownNameError(unknown("meter", name, METERS if near else torchmetrics_paths()))
    refusal = import_refusal(path, allowed)
    if refusal:
        raise ValueRefusedError(refusal)
    found = _import(path)
    if not isinstance(found, type) or not (is_meter(found) or is_metric(found)):
        raise ValueRefusedError(f"{path!r} is no meter: expected a class with add, value and reset, or a Metric")
    return found


def _import(path: str) -> Any:
    """Import the longest part of a path that is a module, and take the rest from it."""
    parts = path.split(".")
    found, depth = _module(parts[0], path), 1
    while depth < len(parts):
        part = parts[depth]
        if not hasattr(found, part) and inspect.ismodule(found):
            _module(".".join(parts[: depth + 1]), path, optional=True)
        if not hasattr(found, part):
            public = [name for name in dir(found) if name[:1].isupper()]
            raise UnknownNameError(f"{path!r}: {unknown('name', part, public)}")
        found, depth = getattr(found, part), depth + 1
    return found


def _module(name: str, path: str, optional: bool = False) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = (error.name or name).partition(".")[0]
        if missing in _EXTRAS:
            if optional and error.name == name:
                return None
            raise MissingExtraError(f"meter {path!r}", missing, _EXTRAS[missing]) from error
        if optional and error.name == name:
            return None
        raise ValueRefusedError(f"{path!r} cannot be imported: {_one_line(error)}") from error


# ---- constructing


def _construct(name: str, make: Callable[..., Any], opts: dict[str, Any], kind: Kind) -> BaseMeter:
    short = name.rpartition(".")[2]
    if isinstance(make, type) and issubclass(make, LastValueMeter):
        opts.setdefault("kind", kind)
    if name in METERS:
        problems = check_opts(METERS[name].options, opts)
        if problems:
            raise ValueRefusedError(f"{short}: {'; '.join(message for _, message in problems)}")
    _check_arguments(short, make, opts)
    try:
        meter = make(**opts)
    except FlexLoggerError:
        raise
    except Exception as error:  # whatever a stranger's constructor raises is told as one line
        raise ValueRefusedError(f"{short}: {_why(make, opts, error)}") from error
    if isinstance(make, type) and is_metric(meter) and "sync_on_compute" not in opts:
        _keep_to_own_process(meter)
    return wrap(meter, kind)


def _check_arguments(name: str, make: Callable[..., Any], opts: Mapping[str, Any]) -> None:
    try:
        parameters = inspect.signature(make).parameters.values()
    except (ValueError, TypeError):  # a builtin without a signature: its constructor will tell
        return
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    missing = [p.name for p in named.values() if p.default is p.empty and p.name not in opts]
    takes_any = any(p.kind == p.VAR_KEYWORD for p in parameters)
    strange = [key for key in opts if key not in named and (missing or not takes_any)]
    problems = [unknown("option", key, named) for key in strange] or [f"missing option {key!r}" for key in missing]
    if problems:
        raise ValueRefusedError(f"{name}: {'; '.join(problems)}")


def _why(make: Callable[..., Any], opts: Mapping[str, Any], error: Exception) -> str:
    """Say why a constructor refused: where it names an option we do not know either, what it may have meant."""
    named = [name for name in inspect.signature(make).parameters if name not in ("args", "kwargs")]
    strange = [key for key in opts if key not in named and key in str(error)]
    return unknown("option", strange[0], named) if strange else _one_line(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _keep_to_own_process(metric: Any) -> None:
    """Keep `compute` from gathering over all ranks by itself: `log` would wait for those that never call it."""
    for module in metric.modules() if hasattr(metric, "modules") else ():
        if hasattr(module, "sync_on_compute"):
            module.sync_on_compute = False
