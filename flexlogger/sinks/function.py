"""A function of the user's as a view."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from flexlogger import faults
from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.records import Item, Record


class FunctionSink:
    """Calls `function` with each record, in a thread of its own: its `step`, `time`, `values` and `data`.

    A record that the function fails on is counted in `left_out`; the first such error is told with its traceback.

    >>> sink = FunctionSink(lambda record: print(record.step, record.values))
    >>> sink.write([Record(0, 0.0, {"loss": 0.5})])
    0 {'loss': 0.5}
    """

    def __init__(self, function: Callable[[Record], object]) -> None:
        self._function = function
        self.left_out: dict[str, int] = {}

    def write(self, batch: Sequence[Item]) -> None:
        """Call the function for each record."""
        for item in batch:
            if isinstance(item, Record):
                try:
                    self._function(item)
                except Exception as error:  # the function is the user's
                    self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.left_out["failed"] = self.left_out.get("failed", 0) + 1
        if self.left_out["failed"] == 1:
            told = "flexlogger: the function %r of a callable sink failed; it is called on, failures are counted"
            faults.log.warning(told, getattr(self._function, "__qualname__", self._function), exc_info=error)

    def flush(self) -> None:
        """Every record written was passed on."""

    def close(self) -> None:
        """The function is the user's."""


def function_at(path: str) -> Callable[..., Any]:
    """Import the function at a dotted path. Raises UnknownNameError or ValueRefusedError where there is none.

    >>> function_at("math.sqrt")(4.0)
    2.0
    """
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueRefusedError(f"sinks: callable: {path!r} cannot be imported: {error}") from error
    found = getattr(module, name, None)
    if found is None:
        raise UnknownNameError(f"sinks: callable: {path!r}: {unknown('function', name, dir(module))}")
    if not callable(found):
        raise ValueRefusedError(f"sinks: callable: expected a function, but {path!r} is {type(found).__name__}")
    return found  # type: ignore[no-any-return]
