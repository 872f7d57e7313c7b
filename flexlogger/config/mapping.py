"""Any Mapping of Python (a dict, Hydra's DictConfig) to the located tree that YAML gives; its file is ``<dict>``."""

from __future__ import annotations

import numbers
import os
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import numpy as np

from flexlogger.catalog import describe
from flexlogger.config.resolved import Unresolved, resolved
from flexlogger.config.scalars import fits_64_bits
from flexlogger.config.tree import MAX_DEPTH, MAX_VALUES, Entry, Items, Leaf, Node, Problems, Table, join
from flexlogger.errors import Place


def from_mapping(mapping: Mapping[str, Any], problems: Problems, file: str = "<dict>") -> Table:
    """Return the tree of a mapping; what cannot be taken is left out and goes to `problems`.

    >>> from flexlogger.config.tree import plain
    >>> plain(from_mapping({"labels": (1, np.float32(0.5))}, Problems()))
    {'labels': [1, 0.5]}
    """
    table = _Walk(Place(file), problems).node(mapping, "", ())
    return table if isinstance(table, Table) else Table({}, Place(file))


class _Walk:
    def __init__(self, place: Place, problems: Problems) -> None:
        self._place, self._problems = place, problems
        self._left = MAX_VALUES

    def node(self, value: Any, path: str, around: tuple[int, ...]) -> Node:
        value = self._resolved(value, path)
        if not isinstance(value, Mapping | list | tuple):
            return Leaf(self._scalar(value, path), self._place)
        if not self._fits(value, path, around):
            return Leaf(None, self._place)
        around = (*around, id(value))
        if isinstance(value, Mapping):
            return Table(self._entries(value, path, around), self._place)
        return Items(tuple(self.node(item, join(path, i), around) for i, item in enumerate(value)), self._place)

    def _entries(self, mapping: Mapping[Any, Any], path: str, around: tuple[int, ...]) -> dict[str, Entry]:
        entries = {}
        for key, value in mapping.items():
            if isinstance(key, str):
                entries[str(key)] = Entry(self._place, self.node(value, join(path, key), around))
            else:
                self._problems.add(self._place, path, f"expected a string as key, but got {describe(key)}")
        return entries

    def _fits(self, value: Any, path: str, around: tuple[int, ...]) -> bool:
        self._left -= len(value)
        if id(value) in around:
            self._problems.add(self._place, path, "this list or mapping holds itself: a cycle")
        elif len(around) >= MAX_DEPTH:
            self._problems.add(self._place, path, f"expected at most {MAX_DEPTH} levels of nesting")
        elif self._left < 0:
            if self._left + len(value) >= 0:  # say it once
                self._problems.add(self._place, path, f"expected at most {MAX_VALUES:,} values")
        else:
            return True
        return False

    def _scalar(self, value: Any, path: str) -> Any:
        """Numbers and strings of numpy's and other types become Python's own, paths strings; anything else passes."""
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, os.PathLike) and isinstance(path_text := os.fspath(value), str):
            return path_text
        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            if not fits_64_bits(int(value)):
                self._problems.add(self._place, path, "expected an integer that fits 64 bits")
                return 0
            return int(value)
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            return float(value)
        return value

    def _resolved(self, value: Any, path: str) -> Any:
        """Parsed arguments become a mapping; a DictConfig or ListConfig plain data, its interpolations resolved."""
        if isinstance(value, Namespace):
            return vars(value)
        try:
            return resolved(value)
        except Unresolved as error:
            key = error.key
            where = f"{path}{key}" if key.startswith("[") or not path else f"{path}.{key}" if key else path
            self._problems.add(self._place, where, str(error))
            return {}
