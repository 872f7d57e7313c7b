"""The check of `inspect`: what is drawn of a model that shares the run."""

from __future__ import annotations

from typing import Any

from flexlogger.config.environment import disclose
from flexlogger.config.fields import INSPECT
from flexlogger.config.section import Section, read
from flexlogger.config.tree import Items, Problems, Table, join
from flexlogger.errors import unknown
from flexlogger.inspector.names import LARGEST, LIMITS, SMALLEST, SOURCES, within


def read_inspect(top: Section, problems: Problems) -> dict[str, Any] | None:
    """Return what `inspect` says, None where nothing does; its layers are checked when there is a model."""
    entry = top.entries.get("inspect")
    if entry is None or not isinstance(entry.node, Table):
        return None
    section = read(entry, "inspect", INSPECT, problems)
    sources = section.entries["sources"].node if "sources" in section.values else None
    for index, node in enumerate(sources.nodes if isinstance(sources, Items) else ()):
        name = section.values["sources"][index]
        if name not in SOURCES:
            problems.add(node.place, join(section.to("sources"), index), unknown("source", str(name), SOURCES))
    if "sources" in section.values and not section.values["sources"]:
        problems.add(section.at("sources"), section.to("sources"), f"expected some of {', '.join(SOURCES)}, got none")
    size = section.values.get("size")
    if size is not None and not _is_size(size):
        message = f"expected [width, height], even, from {SMALLEST} to {LARGEST}, but got {size}"
        problems.add(section.at("size"), section.to("size"), message)
    for key in LIMITS:
        if key in section.values and (wrong := within(key, section.values[key])):
            problems.add(section.at(key), section.to(key), wrong)
    values: dict[str, Any] = disclose(section.values)
    return values


def _is_size(size: list[int]) -> bool:
    return len(size) == 2 and all(side % 2 == 0 and SMALLEST <= side <= LARGEST for side in size)
