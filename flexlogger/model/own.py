"""Statistics by name, and own ones: a function or class, or its dotted path."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from flexlogger.config.names import import_refusal
from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.model.names import NAMES

Stat = str | Callable[..., Any]


def resolve(stats: Iterable[Stat], allow_imports: Iterable[str] = ()) -> dict[str, Callable[..., Any] | None]:
    """The statistics asked for, by name, in order; None stands for one of our own.

    An own statistic is a function of a tensor (detached, in its own dtype, on its device) that gives a number or a
    tensor with one entry. A class is made once, without arguments, and its object called. A dotted path is imported
    only below packages that may be imported. Raises ValueRefusedError.

    >>> import torch
    >>> list(resolve(["mean", torch.median]))
    ['mean', 'median']
    >>> resolve(["men"])
    Traceback (most recent call last):
    flexlogger.errors.ValueRefusedError: stats: unknown statistic 'men'; did you mean 'mean'?
    """
    allowed = tuple(allow_imports)
    found: dict[str, Callable[..., Any] | None] = {}
    for stat in [stats] if isinstance(stats, str) else stats:
        if isinstance(stat, str) and stat in NAMES:
            found[stat] = None
            continue
        name, function = _own(stat, allowed)
        if name in NAMES:
            raise ValueRefusedError(f"stats: {name!r} is one of flexlogger's own statistics; rename the function")
        if name in found and found[name] is not function:
            raise ValueRefusedError(f"stats: two functions are called {name!r}; rename one")
        found[name] = function
    return found


def _own(stat: Stat, allowed: tuple[str, ...]) -> tuple[str, Callable[..., Any]]:
    if isinstance(stat, str):
        stat = _imported(stat, allowed)
    if not callable(stat):
        raise ValueRefusedError(f"stats: expected a statistic's name, a function or a class, but got {stat!r:.60}")
    name = getattr(stat, "__name__", type(stat).__name__)
    if not isinstance(stat, type):
        return name, stat
    try:
        made = stat()
    except Exception as error:  # whatever a stranger's constructor raises is told as one line
        raise ValueRefusedError(f"stats: {name}() failed: {error}") from error
    if not callable(made):
        raise ValueRefusedError(f"stats: expected a class whose objects can be called with a tensor, but got {name}")
    return name, made


def _imported(path: str, allowed: tuple[str, ...]) -> Any:
    if "." not in path:
        raise ValueRefusedError(f"stats: {unknown('statistic', path, NAMES)}")
    refusal = import_refusal(path, allowed)
    if refusal:
        raise ValueRefusedError(f"stats: {refusal}")
    module, _, name = path.rpartition(".")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ValueRefusedError(f"stats: {path!r} cannot be imported: {error}") from error
    if not hasattr(found, name):
        public = [public for public in dir(found) if not public.startswith("_")]
        raise ValueRefusedError(f"stats: {path!r}: {unknown('name', name, public)}")
    return getattr(found, name)
