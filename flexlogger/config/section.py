"""Reading one mapping of a declaration against the keys it may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from flexlogger.catalog import Option, check_opts, describe
from flexlogger.config.tree import Entry, Items, Leaf, Node, Problems, Table, join, plain
from flexlogger.errors import Place


class Section(msgspec.Struct):
    """The good values of one mapping, and the places of all its values; `values` lacks what was wrong or null."""

    path: str
    place: Place
    entries: Mapping[str, Entry] = {}
    values: dict[str, Any] = {}

    def at(self, key: str) -> Place:
        """Where the value of `key` stands; where it is not given, the mapping itself."""
        entry = self.entries.get(key)
        return entry.node.place if entry else self.place

    def to(self, key: str) -> str:
        """The key path of `key`."""
        return join(self.path, key)


def read(
    entry: Entry | None, path: str, options: Sequence[Option], problems: Problems, kind: str = "key", example: str = ""
) -> Section:
    """Check one mapping against `options`; null stands for not given, save where an option takes it.

    Every unknown key, missing key and wrong value goes to `problems`, with its own place.
    """
    if entry is None:
        return Section(path, Place())
    table = entry.node
    if not isinstance(table, Table):
        if not (isinstance(table, Leaf) and table.value is None):
            such = f" such as {example}" if example else ""
            problems.add(table.place, path, f"expected a mapping{such}, but got {describe(plain(table))}")
        return Section(path, entry.place)
    known = {option.name: option for option in options}
    given = {key: e for key, e in table.entries.items() if not (key in known and _is_unsaid(e.node, known[key]))}
    values = {key: plain(e.node) for key, e in given.items()}
    for key, message in check_opts(options, values, kind):
        if key not in given:
            problems.add(entry.place, path, message)
        elif key in known:
            where, key_path = _exactly(given[key].node, join(path, key), known[key])
            problems.add(where, key_path, message)
        else:
            problems.add(given[key].place, join(path, key), message)
        values.pop(key, None)
    return Section(path, entry.place, given, values)


def subsection(section: Section, key: str, options: Sequence[Option], problems: Problems, kind: str = "key") -> Section:
    """Check the mapping under `key` of a section; where it is not given, only for what it would have to hold."""
    given = section.entries[key] if key in section.values else Entry(section.place, Table({}, section.place))
    return read(given, section.to(key), options, problems, kind)


def _is_unsaid(node: Node, option: Option) -> bool:
    return isinstance(node, Leaf) and node.value is None and "null" not in option.types


def _exactly(node: Node, path: str, option: Option) -> tuple[Place, str]:
    """Point at the entry of a list that is wrong rather than at the list."""
    if isinstance(node, Items) and "array" in option.types:
        single = msgspec.structs.replace(option, types=option.items or option.types, items=())
        for index, item in enumerate(node.nodes):
            if check_opts([single], {option.name: plain(item)}):
                return item.place, join(path, index)
    return node.place, path
