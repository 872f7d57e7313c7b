"""A merged tree to a frozen `Dashboard`; whatever is wrong is noted, and checking goes on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from flexlogger.config.check_inspect import read_inspect
from flexlogger.config.check_meters import Meter, MeterCheck
from flexlogger.config.check_model import read_model
from flexlogger.config.check_pipe import check_pipe
from flexlogger.config.check_plots import Plot, assign, check_x, read_plot, settle
from flexlogger.config.check_sinks import read_sinks
from flexlogger.config.environment import as_written, disclose
from flexlogger.config.fields import LAYOUT, TOP
from flexlogger.config.hyper import plain_data
from flexlogger.config.model import Dashboard, MeterConfig
from flexlogger.config.names import label_refusal, name_refusal
from flexlogger.config.phases import MARK, expand
from flexlogger.config.section import Section, read
from flexlogger.config.tree import Entry, Items, Leaf, Problems, Table, join
from flexlogger.errors import nearest, unknown
from flexlogger.records import Layout

_NAMES = ("env", "uid", "project", "run")
_AS_IT_IS = (
    *("env", "uid", "server", "port", "token", "project", "run", "name", "notes", "resume_step", "ranks"),
    *("dir", "pipe", "keys", "max_media", "fsync", "strict"),
)
_KEYS = [option.name for option in TOP]
_DECLARING = ("extends", "phases", "plots", "meters")
"""Where one of these is misspelt or no mapping, what it would declare is not missed anywhere else."""
_IMPLICIT = "LastValueMeter"


def check(root: Table, complete: bool, allowed: Iterable[str], problems: Problems) -> Dashboard:
    """Check a merged tree; the dashboard returned is only good where `problems` stays empty.

    `complete` is False where a part could not be read; `allowed` are packages that may be imported.
    """
    before = len(problems.found)
    top = read(Entry(root.place, root), "", TOP, problems)
    slips = [problem.path for problem in problems.found[before:]]
    complete = complete and not any(nearest(slip, _KEYS) in _DECLARING for slip in slips)
    phases = _phases(top, problems)
    root = expand(root, phases, problems)
    plots = {
        name: read_plot(name, entry, problems) for name, entry in _entries(root, "plots", complete, problems).items()
    }
    check_meter = MeterCheck(allowed, problems).meter
    meters = {name: check_meter(name, entry) for name, entry in _entries(root, "meters", complete, problems).items()}
    assign(list(meters.values()), plots, complete, problems)
    for plot in plots.values():
        settle(plot, problems)
    implicit = _implicit(plots, meters, complete, problems)
    kinds = {name: meter.primary.kind for name, meter in meters.items()} | {meter.name: "any" for meter in implicit}
    for plot in plots.values() if complete else ():
        check_x(plot, kinds, problems)
    _names(top, problems)
    check_pipe(top, problems)
    settings: dict[str, Any] = {key: top.values[key] for key in _AS_IT_IS if key in top.values}
    return Dashboard(
        plots=tuple(plot.definition(top.values.get("max_points", 2000)) for plot in plots.values()),
        meters=(*(meter.config() for meter in meters.values()), *implicit),
        phases=tuple(phases),
        sinks=read_sinks(top, allowed, problems),
        layout=_layout(root, top, plots, complete, problems),
        model=read_model(top, allowed, problems),
        inspect=read_inspect(top, problems),
        runlog=top.values.get("runlog", True) in (True, "on"),
        tags=tuple(dict.fromkeys(disclose(top.values.get("tags", [])))),
        config=plain_data(as_written(top.values.get("config", {}))),
        remarks=tuple(_remark(meter) for meter in implicit),
        **disclose(settings),
    )


def _phases(top: Section, problems: Problems) -> list[str]:
    phases: list[str] = disclose(top.values.get("phases", ["train", "test"]))
    nodes = top.entries["phases"].node if "phases" in top.values else None
    for index, node in enumerate(nodes.nodes if isinstance(nodes, Items) else ()):
        refusal = label_refusal(phases[index])
        if refusal is None and MARK in phases[index]:
            refusal = f"a phase cannot hold {MARK} itself"
        if refusal is None and phases[index] in phases[:index]:
            refusal = f"phase {phases[index]!r} is there twice"
        if refusal:
            problems.add(node.place, join("phases", index), refusal)
    return list(dict.fromkeys(phases))


def _entries(root: Table, kind: str, complete: bool, problems: Problems) -> dict[str, Entry]:
    """The plots or meters; a name with nothing under it is a slip, or deletes what is not there."""
    node = root.get(kind)
    entries = node.entries if isinstance(node, Table) else {}
    for name, entry in entries.items() if complete else ():
        if isinstance(entry.node, Leaf) and entry.node.value is None:
            message = "there is nothing here, and nothing inherited to delete; write {} for one with defaults"
            problems.add(entry.place, join(kind, entry.declared or name), message)
    return entries


def _names(top: Section, problems: Problems) -> None:
    for key in _NAMES:
        refusal = name_refusal(top.values[key]) if key in top.values else None
        if refusal:
            problems.add(top.at(key), key, refusal)
    for key in ("server", "token", "dir", "name", "keys"):
        if key in top.values and not (top.values[key].strip() and top.values[key].isprintable()):
            problems.add(top.at(key), key, f"expected printable text, but got {top.values[key]!r}")


def _implicit(
    plots: dict[str, Plot], meters: dict[str, Meter], complete: bool, problems: Problems
) -> list[MeterConfig]:
    """A plot that no meter names takes values under its own name."""
    found = []
    for name, plot in plots.items() if complete else ():
        if plot.meters:
            continue
        if name in meters:
            message = f"no meter goes here, and a meter of this name goes to {meters[name].target!r}; give it a meter"
            problems.add(plot.section.place, plot.section.path, message)
        else:
            found.append(MeterConfig(name, _IMPLICIT, name, implicit=True, place=plot.section.place))
    return found


def _remark(meter: MeterConfig) -> str:
    return f"{meter.place}: plots.{meter.name}: no meter goes here, so it shows the last value added as {meter.name!r}"


def _layout(root: Table, top: Section, plots: dict[str, Plot], complete: bool, problems: Problems) -> Layout:
    entry = root.entries.get("layout") if "layout" in top.values else None
    layout = read(entry, "layout", LAYOUT, problems)
    order = layout.entries["order"].node if "order" in layout.values else None
    for index, node in enumerate(order.nodes if isinstance(order, Items) else ()):
        name = layout.values["order"][index]
        if complete and name not in plots:
            problems.add(node.place, join("layout.order", index), unknown("plot", name, plots))
    values = {**layout.values, "order": tuple(disclose(layout.values.get("order", [])))}
    return msgspec.convert(values, Layout)
