"""The located tree: what a declaration says, with the place of every key, value and list entry."""

from __future__ import annotations

from typing import Any

import msgspec

from flexlogger.errors import ConfigError, Place, Problem

MAX_DEPTH = 50
MAX_VALUES = 100_000
"""Most keys, values and entries a declaration may hold, aliases written out."""


class Leaf(msgspec.Struct, frozen=True):
    """A scalar, or from a dict any object (a meter's class, say)."""

    value: Any
    place: Place = Place()


class Items(msgspec.Struct, frozen=True):
    """A list."""

    nodes: tuple[Node, ...]
    place: Place = Place()


class Table(msgspec.Struct, frozen=True):
    """A mapping."""

    entries: dict[str, Entry]
    place: Place = Place()

    def get(self, key: str) -> Node | None:
        """Return what stands under `key`, or None."""
        entry = self.entries.get(key)
        return entry.node if entry else None


Node = Leaf | Items | Table


class Entry(msgspec.Struct, frozen=True):
    """One key of a mapping: the place of the key itself, and what stands under it."""

    place: Place
    node: Node
    declared: str | None = None
    """The key as written, where phases made another of it."""


class Problems:
    """Collects what is wrong, so that a whole file is judged at once."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self.found)

    def add(self, place: Place, path: str, message: str) -> None:
        """Note one problem and go on."""
        self.found.append(Problem(place, path, message))

    def raise_if_any(self) -> None:
        """Raise all of them as one ConfigError: each once, file by file, from top to bottom."""
        if self.found:
            files = list(dict.fromkeys(problem.place.file for problem in self.found))
            unique = dict.fromkeys(self.found)
            raise ConfigError(sorted(unique, key=lambda p: (files.index(p.place.file), p.place.line, p.place.column)))


def join(path: str, key: str | int) -> str:
    """Extend a key path by a key or a list index.

    >>> join(join("sinks", 0), "visdom")
    'sinks[0].visdom'
    """
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


class FromEnvironment(str):
    """A string with environment variables written out; its repr, and so every message, shows what was declared."""

    declared: str

    def __new__(cls, value: str, declared: str) -> FromEnvironment:
        """Hold `value`, show `declared`."""
        string = super().__new__(cls, value)
        string.declared = declared
        return string

    def __repr__(self) -> str:
        return repr(self.declared)


def plain(node: Node) -> Any:
    """Return the Python data of a tree: dicts, lists, scalars.

    >>> plain(Table({"a": Entry(Place(), Items((Leaf(1), Leaf("x"))))}))
    {'a': [1, 'x']}
    """
    if isinstance(node, Table):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.nodes]
    return node.value
