"""The check of views: which there are, and what each takes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from flexlogger.catalog import describe
from flexlogger.config.environment import disclose
from flexlogger.config.fields import SINKS
from flexlogger.config.model import SinkConfig
from flexlogger.config.names import import_refusal
from flexlogger.config.rates import read_every
from flexlogger.config.section import Section, read
from flexlogger.config.tree import Entry, Items, Leaf, Node, Problems, Table, join, plain
from flexlogger.errors import unknown


def read_sinks(top: Section, allowed: Iterable[str], problems: Problems) -> tuple[SinkConfig, ...]:
    """Check the list of views; `allowed` are packages that a function may be imported from."""
    if "sinks" not in top.entries:
        return (SinkConfig("visdom"),)
    node = top.entries["sinks"].node
    sinks: list[SinkConfig] = []
    for index, item in enumerate(node.nodes if isinstance(node, Items) else ()):
        sink = _sink(item, join("sinks", index), tuple(allowed), problems)
        if sink is not None and sink in sinks:
            problems.add(item.place, join("sinks", index), f"sink {sink.type!r} is there twice")
        elif sink is not None:
            _check_place(sink, index, sinks, item, problems)
            sinks.append(sink)
    return tuple(sinks)


_PLACES = {
    "csv": ("path",),
    "jsonl": ("path",),
    "tensorboard": ("dir",),
    "wandb": ("entity", "project"),
    "mlflow": ("uri", "experiment"),
    "visdom": ("server", "port"),
}
"""The options that say where what a sink writes goes."""


def _check_place(sink: SinkConfig, index: int, before: list[SinkConfig], item: Node, problems: Problems) -> None:
    """Refuse a sink that would write over another one."""
    same = next((number for number, other in enumerate(before) if _place(other) == _place(sink) is not None), None)
    if same is not None:
        apart = " or ".join(f"{name}:" for name in _PLACES[sink.type])
        told = f"sink {sink.type!r} would write over sinks[{same}]; give it another place with {apart}"
        problems.add(item.place, join("sinks", index), told)


def _place(sink: SinkConfig) -> tuple[str, ...] | None:
    if sink.sink is not None or sink.type not in _PLACES:
        return None
    said = tuple(str(sink.opts.get(name) or "") for name in _PLACES[sink.type])
    if sink.type in ("csv", "jsonl") and said[0]:
        return "file", os.path.normpath(said[0])
    return sink.type, *said


def _sink(item: Node, path: str, allowed: tuple[str, ...], problems: Problems) -> SinkConfig | None:
    if isinstance(item, Table) and len(item.entries) == 1:
        ((name, entry),) = item.entries.items()
    elif isinstance(item, Leaf) and isinstance(item.value, str):
        name, entry = item.value, Entry(item.place, Table({}, item.place))
    elif isinstance(item, Leaf) and _is_sink(item.value):
        return SinkConfig(type(item.value).__name__, sink=item.value)
    elif isinstance(item, Leaf) and _is_function(item.value):
        return SinkConfig("callable", {"function": item.value})
    else:
        came = describe(plain(item))
        problems.add(item.place, path, f"expected a sink's name or {{name: options}}, but got {came}")
        return None
    if name not in SINKS:
        problems.add(entry.place, path, unknown("sink", name, SINKS))
        return None
    return SinkConfig(disclose(name), _opts(name, entry, join(path, name), allowed, problems))


def _opts(name: str, entry: Entry, path: str, allowed: tuple[str, ...], problems: Problems) -> dict[str, Any]:
    entry, function = _set_function_aside(entry)
    section = read(entry, path, SINKS[name], problems, f"option of sink {name}")
    every = section.values.get("every")
    if every is not None and read_every(every) is None:
        expected = "expected steps or seconds, such as '10 steps' or '30 s'"
        problems.add(section.at("every"), section.to("every"), f"{expected}, but got {describe(every)}")
    given = section.values.get("function")
    refusal = import_refusal(given, allowed) if given and function is None else None
    if refusal:
        problems.add(section.at("function"), section.to("function"), refusal)
    return disclose(section.values) | ({"function": function} if function is not None else {})  # type: ignore[no-any-return]


def _set_function_aside(entry: Entry) -> tuple[Entry, Any]:
    """Take a function object out of a mapping of options, and leave a word in its place."""
    given = entry.node.entries.get("function") if isinstance(entry.node, Table) else None
    if not isinstance(entry.node, Table) or given is None or not isinstance(given.node, Leaf):
        return entry, None
    if not _is_function(given.node.value):
        return entry, None
    entries = {**entry.node.entries, "function": Entry(given.place, Leaf("function", given.node.place))}
    return Entry(entry.place, Table(entries, entry.node.place), entry.declared), given.node.value


def _is_sink(value: object) -> bool:
    verbs = ("write", "flush", "close")
    return not isinstance(value, type) and all(callable(getattr(value, verb, None)) for verb in verbs)


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, type)
