"""The merging of trees: mappings merge, lists and scalars replace, null deletes.

A plot or meter that changes its `type` keeps neither the `opts` nor the `display` of the old one.
"""

from __future__ import annotations

from collections.abc import Iterable

from flexlogger.config.tree import Entry, Leaf, Table

_TYPED = ("plots", "meters")
_BELONGS_TO_TYPE = ("opts", "display")


def merge(tables: Iterable[Table]) -> Table:
    """Merge trees, later ones over earlier ones; every value keeps the place it came from.

    A null with nothing to delete stays, for the check to judge.

    >>> from flexlogger.config.mapping import from_mapping
    >>> from flexlogger.config.tree import Problems, plain
    >>> layers = [{"plots": {"a": {"type": "line"}}, "env": "x"}, {"plots": {"a": {"x": "time"}}, "env": None}]
    >>> plain(merge([from_mapping(layer, Problems()) for layer in layers]))
    {'plots': {'a': {'type': 'line', 'x': 'time'}}}
    """
    merged = Table({})
    for table in tables:
        merged = _over(merged, table, ())
    return merged


def _over(base: Table, table: Table, path: tuple[str, ...]) -> Table:
    entries = dict(base.entries)
    if len(path) == 2 and path[0] in _TYPED and _changes_type(base, table):
        entries = {key: entry for key, entry in entries.items() if key not in _BELONGS_TO_TYPE}
    for key, entry in table.entries.items():
        inherited = base.get(key) if key in entries else None
        if isinstance(entry.node, Table):
            below = inherited if isinstance(inherited, Table) else Table({})
            entries[key] = Entry(entry.place, _over(below, entry.node, (*path, key)))
        elif inherited is not None and isinstance(entry.node, Leaf) and entry.node.value is None:
            del entries[key]
        else:
            entries[key] = entry
    return Table(entries, table.place)


def _changes_type(base: Table, table: Table) -> bool:
    old, new = base.get("type"), table.get("type")
    if not (isinstance(old, Leaf) and isinstance(new, Leaf)) or old.value is None or new.value is None:
        return False
    if isinstance(old.value, str) and isinstance(new.value, str):
        return old.value != new.value
    return old.value is not new.value
