"""Data that holds itself, which no log can write down."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from flexlogger.errors import ValueRefusedError


def refuse_cycle(where: str, value: Any) -> None:
    """Raise ValueRefusedError for a dict or list that is somewhere within itself. A library's own mappings, as
    OmegaConf's, hold copies; they are left to what reads them, and tells what is missing in them.

    >>> row = {"lr": 0.1}
    >>> refuse_cycle("config: row", [row, row])
    >>> row["again"] = row
    >>> refuse_cycle("config: row", row)
    Traceback (most recent call last):
    ...
    flexlogger.errors.ValueRefusedError: config: row.again: this list or mapping holds itself: a cycle
    """
    _walk(where, value, set())


def _walk(where: str, value: Any, around: set[int]) -> None:
    parts = _parts(value)
    if parts is None:
        return
    if id(value) in around:
        raise ValueRefusedError(f"{where}: this list or mapping holds itself: a cycle")
    around.add(id(value))
    for name, part in parts:
        _walk(f"{where}{name}", part, around)
    around.discard(id(value))


def _parts(value: Any) -> Iterable[tuple[str, Any]] | None:
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, dict):
        return [(f".{key}", part) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", part) for index, part in enumerate(value) if isinstance(part, _HOLDING)]
    return None


_HOLDING = (dict, list, tuple, Namespace)
