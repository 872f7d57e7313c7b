"""Changing a dashboard that is already checked: plots and meters that come, change and go while a run is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from flexlogger.config.check import check
from flexlogger.config.environment import interpolate
from flexlogger.config.extends import Chain
from flexlogger.config.mapping import from_mapping
from flexlogger.config.merge import merge
from flexlogger.config.model import Dashboard, MeterConfig, SinkConfig
from flexlogger.config.phases import expand
from flexlogger.config.sources import user_folders
from flexlogger.config.tree import Entry, Items, Leaf, Problems, Table
from flexlogger.errors import Place
from flexlogger.records import PlotDef

_SETTINGS = (
    *("env", "uid", "server", "port", "token", "project", "run", "name", "notes", "config", "resume_step", "ranks"),
    *("dir", "model", "inspect", "max_media", "runlog", "fsync", "strict"),
)


def update(dashboard: Dashboard, changes: Mapping[str, Any], allow_imports: Iterable[str] = ()) -> Dashboard:
    """Merge changes over a dashboard by the rules of `extends`, and check the whole: None deletes, by final names too.

    A meter or plot that no change touches comes back equal to what it was. Raises ConfigError; `dashboard` stays.

    >>> from flexlogger.config.load import load
    >>> dashboard = update(load("loss"), {"plots": {"lr": {}}, "meters": {"test_loss": None}})
    >>> [meter.name for meter in dashboard.meters]
    ['train_loss', 'lr']
    """
    problems = Problems()
    chain = Chain(user_folders(), problems)
    chain.add_table(from_mapping(changes, problems, "<changes>"))
    change = interpolate(merge(chain.tables), problems)
    assert isinstance(change, Table)
    change = expand(change, dashboard.phases, problems)
    root = merge([_without_order_of(_deleted(change), _tree(dashboard)), change])
    updated = check(root, chain.complete, allow_imports, problems)
    problems.raise_if_any()
    return updated


def as_mapping(dashboard: Dashboard) -> dict[str, Any]:
    """Return the declaration that gives `dashboard` again, phases and presets written out.

    >>> from flexlogger.config.load import load
    >>> load(as_mapping(load("loss"))).plots == load("loss").plots
    True
    """
    settings = {key: getattr(dashboard, key) for key in _SETTINGS if getattr(dashboard, key) is not None}
    layout = {key: value for key, value in msgspec.structs.asdict(dashboard.layout).items() if value}
    return {
        "phases": list(dashboard.phases),
        **settings,
        "tags": list(dashboard.tags),
        "sinks": [_sink(sink) for sink in dashboard.sinks],
        "layout": layout,
        "plots": {plot.name: _plot(plot) for plot in dashboard.plots},
        "meters": {meter.name: _meter(meter) for meter in dashboard.meters if not meter.implicit},
    }


def _sink(sink: SinkConfig) -> Any:
    if sink.sink is not None:
        return sink.sink
    return {sink.type: sink.opts} if sink.opts else sink.type


def _plot(plot: PlotDef) -> dict[str, Any]:
    return {"type": plot.type, "opts": plot.opts, "x": plot.x, "max_points": plot.max_points}


def _meter(meter: MeterConfig) -> dict[str, Any]:
    said = {"type": meter.type, "target": meter.target, "opts": meter.opts, "display": meter.display}
    said |= {"reduce": True} if meter.reduce else {}
    labels = {"labels": list(meter.labels)} if meter.labels else {}
    return said | labels | ({"unit": meter.unit} if meter.unit is not None else {})


def _tree(dashboard: Dashboard) -> Table:
    """The tree of a dashboard, with the places its meters were declared at."""
    root = from_mapping(as_mapping(dashboard), Problems())
    places = {meter.name: meter.place for meter in dashboard.meters if not meter.implicit}
    implicit = {meter.name: meter.place for meter in dashboard.meters if meter.implicit}
    placed = {"plots": _placed(root, "plots", implicit), "meters": _placed(root, "meters", places)}
    return Table(root.entries | placed, root.place)


def _deleted(change: Table) -> set[str]:
    plots = change.get("plots")
    entries = plots.entries if isinstance(plots, Table) else {}
    return {name for name, e in entries.items() if isinstance(e.node, Leaf) and e.node.value is None}


def _without_order_of(gone: set[str], root: Table) -> Table:
    """Take plots that go away out of the layout's order, so that removing one is one step."""
    layout = root.get("layout")
    order = layout.get("order") if isinstance(layout, Table) else None
    if not (isinstance(layout, Table) and isinstance(order, Items)):
        return root
    kept = Items(tuple(node for node in order.nodes if isinstance(node, Leaf) and node.value not in gone), order.place)
    layout = Table(layout.entries | {"order": Entry(layout.place, kept)}, layout.place)
    return Table(root.entries | {"layout": Entry(root.entries["layout"].place, layout)}, root.place)


def _placed(root: Table, kind: str, places: Mapping[str, Place]) -> Entry:
    entry, table = root.entries[kind], root.get(kind)
    assert isinstance(table, Table)
    entries = {name: Entry(places.get(name, e.place), e.node) for name, e in table.entries.items()}
    return Entry(entry.place, Table(entries, table.place))
