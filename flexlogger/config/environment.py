"""`${env:NAME}` in strings: written out after everything is merged, never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from flexlogger.config.tree import Entry, FromEnvironment, Items, Leaf, Node, Problems, Table, join

_VARIABLE = re.compile(r"\$\{env:([^}]*)\}")


def interpolate(node: Node, problems: Problems, path: str = "", variables: Mapping[str, str] = os.environ) -> Node:
    """Return the tree with every `${env:NAME}` of its strings replaced; a variable that is not set is a problem.

    >>> leaf = interpolate(Leaf("${env:HOST}:80"), Problems(), variables={"HOST": "example.org"})
    >>> str(leaf.value), leaf.value
    ('example.org:80', '${env:HOST}:80')
    """
    if isinstance(node, Table):
        entries = {
            key: Entry(entry.place, interpolate(entry.node, problems, join(path, key), variables))
            for key, entry in node.entries.items()
        }
        return Table(entries, node.place)
    if isinstance(node, Items):
        nodes = (interpolate(item, problems, join(path, i), variables) for i, item in enumerate(node.nodes))
        return Items(tuple(nodes), node.place)
    return _leaf(node, problems, path, variables)


def _leaf(leaf: Leaf, problems: Problems, path: str, variables: Mapping[str, str]) -> Leaf:
    if not isinstance(leaf.value, str) or "${env:" not in leaf.value:
        return leaf

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in variables:
            problems.add(leaf.place, path, f"environment variable {name!r} is not set; set it, or write the value here")
        return variables.get(name, "unset")  # any word will do: the problem above already refuses the declaration

    return Leaf(FromEnvironment(_VARIABLE.sub(value, leaf.value), leaf.value), leaf.place)


def as_written(value: Any) -> Any:
    """Return plain data whose strings stand as they were declared, without what environment variables hold.

    >>> as_written({"key": FromEnvironment("secret", "${env:KEY}")})
    {'key': '${env:KEY}'}
    """
    if isinstance(value, FromEnvironment):
        return value.declared
    if isinstance(value, dict):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_written(item) for item in value]
    return value


def disclose(value: Any) -> Any:
    """Return plain data whose strings show what they hold.

    >>> disclose({"server": FromEnvironment("http://example.org", "${env:SERVER}")})
    {'server': 'http://example.org'}
    """
    if isinstance(value, FromEnvironment):
        return str(value)
    if isinstance(value, dict):
        return {key: disclose(item) for key, item in value.items()}
    if isinstance(value, list):
        return [disclose(item) for item in value]
    return value
