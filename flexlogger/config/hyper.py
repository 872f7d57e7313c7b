"""Hyper-parameters as they are recorded: plain data that JSON knows, whatever training code holds them in."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import numpy as np

from flexlogger.config.tree import MAX_DEPTH

MAX_ENTRIES = 1000
"""Entries of an array up to which it is recorded whole; a larger one is recorded as text, cut short."""


def plain_data(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return dicts, lists, numbers, strings, booleans and None; anything else becomes the text it prints as.

    Parsed arguments and dataclasses become dicts, tuples and sets lists, numpy's numbers and small arrays plain ones.

    >>> plain_data({"lr": np.float32(0.5), "sizes": (8, 16), "device": np.dtype("f4"), 3: None})
    {'lr': 0.5, 'sizes': [8, 16], 'device': 'float32', '3': None}
    """
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, np.generic):
        return plain_data(value.item(), depth)
    if isinstance(value, np.ndarray) and value.size <= MAX_ENTRIES:
        return plain_data(value.tolist(), depth)
    if isinstance(value, Namespace):
        value = vars(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if depth and isinstance(value, Mapping):
        return {str(key): plain_data(entry, depth - 1) for key, entry in value.items()}
    if depth and isinstance(value, list | tuple):
        return [plain_data(entry, depth - 1) for entry in value]
    if depth and isinstance(value, set | frozenset):
        return [plain_data(entry, depth - 1) for entry in sorted(value, key=str)]
    return _text(value)


def _text(value: Any) -> str:
    text = str(value)
    return text if len(text) <= MAX_ENTRIES else text[: MAX_ENTRIES - 1] + "…"
