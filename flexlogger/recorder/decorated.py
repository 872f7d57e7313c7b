"""A function as a Recorder has it: what it returns is heard, and nothing else about it changes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from flexlogger.errors import ValueRefusedError


def decorated(name: str, function: Any, heard: Callable[[Any], None]) -> Any:
    """Return `function` such that `heard` is told of each value that it returns, or that it is awaited for.

    Raises ValueRefusedError for what returns no value of its own: a class, a generator function, no function at all.
    """
    if isinstance(function, staticmethod | classmethod):
        return type(function)(decorated(name, function.__func__, heard))
    _check(name, function)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            value = await function(*args, **kwargs)
            heard(value)
            return value

        return awaited

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        heard(value)
        return value

    return called


def _check(name: str, function: Any) -> None:
    expected = f"recorder: {name!r}: expected a function to decorate, but got"
    if isinstance(function, type):
        raise ValueRefusedError(
            f"{expected} the class {function.__name__}; decorate the method that returns the value, such as "
            f"{function.__name__}.forward"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ValueRefusedError(
            f"{expected} the generator function {function.__name__}; a generator's values are its caller's: decorate "
            "what works one out"
        )
    if not callable(function):
        raise ValueRefusedError(f"{expected} {function!r}")
