"""`{phase}` in names: one meter or plot per phase, in place, after everything else is merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flexlogger.config.tree import Entry, Items, Leaf, Node, Problems, Table, join
from flexlogger.errors import Place

MARK = "{phase}"


def expand(root: Table, phases: Sequence[str], problems: Problems) -> Table:
    """Return the tree with every plot and meter named `{phase}…` written out; what they say of themselves follows.

    Without phases, `{phase}_` is taken out of the names. Two entries of one name are a problem, with both places.

    >>> from flexlogger.config.mapping import from_mapping
    >>> tree = from_mapping({"meters": {"{phase}_loss": {"target": "loss"}, "lr": {"target": "lr"}}}, Problems())
    >>> list(expand(tree, ["train", "test"], Problems()).get("meters").entries)
    ['train_loss', 'test_loss', 'lr']
    """
    entries = dict(root.entries)
    for kind in ("plots", "meters"):
        entry = entries.get(kind)
        if entry is not None and isinstance(entry.node, Table):
            entries[kind] = Entry(entry.place, _expand_names(entry.node, kind, phases, problems))
    layout = entries.get("layout")
    if layout is not None and isinstance(layout.node, Table):
        entries["layout"] = Entry(layout.place, _expand_order(layout.node, phases))
    return Table(entries, root.place)


def _expand_names(table: Table, kind: str, phases: Sequence[str], problems: Problems) -> Table:
    expanded: dict[str, Entry] = {}
    declared: dict[str, Place] = {}
    for name, entry in table.entries.items():
        for phase in _phases(name, phases):
            full = in_phase(name, phase)
            if full in expanded:
                message = f"two {kind} of one name: {full!r} is also declared at {declared[full]}"
                problems.add(entry.place, join(kind, name), message)
            else:
                node = entry.node if phase is None else _substitute(entry.node, phase)
                expanded[full] = Entry(entry.place, node, name)
                declared[full] = entry.place
    return Table(expanded, table.place)


def _expand_order(layout: Table, phases: Sequence[str]) -> Table:
    order = layout.entries.get("order")
    if order is None or not isinstance(order.node, Items):
        return layout
    nodes = [_substitute(node, phase) for node in order.node.nodes for phase in _order_phases(node, phases)]
    return Table({**layout.entries, "order": Entry(order.place, Items(tuple(nodes), order.node.place))}, layout.place)


def _order_phases(node: Node, phases: Sequence[str]) -> Iterable[str | None]:
    return _phases(node.value, phases) if isinstance(node, Leaf) and isinstance(node.value, str) else (None,)


def _phases(name: str, phases: Sequence[str]) -> Iterable[str | None]:
    """The phases that a name stands for: None for once, '' for once without the mark."""
    if MARK not in name:
        return (None,)
    return phases or ("",)


def in_phase(name: str, phase: str | None) -> str:
    """Write a phase into a name; the empty phase takes its underscore with it.

    >>> in_phase("{phase}_loss", "train"), in_phase("{phase}_loss", ""), in_phase("lr", None)
    ('train_loss', 'loss', 'lr')
    """
    if phase is None:
        return name
    if phase == "":
        name = name.replace(MARK + "_", "").replace("_" + MARK, "")
    return name.replace(MARK, phase)


def _substitute(node: Node, phase: str | None) -> Node:
    if phase is None:
        return node
    if isinstance(node, Table):
        entries = {key: Entry(entry.place, _substitute(entry.node, phase)) for key, entry in node.entries.items()}
        return Table(entries, node.place)
    if isinstance(node, Items):
        return Items(tuple(_substitute(item, phase) for item in node.nodes), node.place)
    return Leaf(in_phase(node.value, phase), node.place) if type(node.value) is str else node
