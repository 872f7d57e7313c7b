"""The check of `model`: what is collected of a model that shares the run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from flexlogger.catalog import describe
from flexlogger.config.environment import disclose
from flexlogger.config.fields import MODEL
from flexlogger.config.names import import_refusal
from flexlogger.config.section import Section, read
from flexlogger.config.tree import Items, Node, Problems, Table, join, plain
from flexlogger.errors import Place, ValueRefusedError, unknown
from flexlogger.model.names import NAMES, SOURCES, UPDATE_RATIO, parse_share
from flexlogger.plots.catalog import PLOTS


def read_model(top: Section, allowed: Iterable[str], problems: Problems) -> dict[str, Any]:
    """Return what `model` says, checked as far as that goes without the model: its layers are not known here."""
    section = read(top.entries.get("model"), "model", MODEL, problems)
    allowed = tuple(allowed)

    def statistic_refusal(name: str) -> str | None:
        if name in NAMES:
            return None
        return import_refusal(name, allowed) if "." in name else unknown("statistic", name, NAMES)

    sources, path = _node(section, "sources"), section.to("sources")
    for key in ("sources", "stats", "layers"):
        node = _node(section, key)
        if isinstance(node, Table | Items) and not plain(node):
            problems.add(node.place, section.to(key), f"expected at least one of {_OF[key]}, but got none")
    _each(_node(section, "layers"), section.to("layers"), _layer_refusal, problems)
    if isinstance(section.values.get("layers"), str):
        refused = _layer_refusal(section.values["layers"])
        if refused:
            problems.add(section.at("layers"), section.to("layers"), refused)
    if isinstance(sources, Table):
        _sources(sources, path, statistic_refusal, problems)
    else:
        _each(sources, path, _source_refusal, problems)
    _each(_node(section, "stats"), section.to("stats"), statistic_refusal, problems)
    _schedule(section, problems)
    if "sample" in section.values and section.values["sample"] != "all" and not _is_count(section.values["sample"]):
        message = f"expected an integer of at least 1 or 'all', but got {describe(section.values['sample'])}"
        problems.add(section.at("sample"), section.to("sample"), message)
    if "opts" in section.values:
        read(section.entries["opts"], section.to("opts"), PLOTS["line"].options, problems, "option of plot type line")
    values: dict[str, Any] = disclose(section.values)
    if isinstance(sources, Table):
        values["sources"] = {source: _wanted(stats) for source, stats in values["sources"].items()}
    return values


def _wanted(stats: Any) -> list[str]:
    return [name for name, wanted in stats.items() if wanted] if isinstance(stats, dict) else stats


def _node(section: Section, key: str) -> Node | None:
    return section.entries[key].node if key in section.values else None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_OF = {"sources": ", ".join(SOURCES), "stats": ", ".join(NAMES), "layers": "the model's layers"}


def _layer_refusal(choice: str) -> str | None:
    """What can be said of a choice without the model."""
    kind, colon, _ = choice.partition(":")
    if colon and kind.isidentifier() and kind not in ("re", "type"):
        return unknown("kind of choice", kind, ["re", "type"])
    try:
        re.compile(choice.removeprefix("re:") if kind == "re" else "")
    except re.error as error:
        return f"{choice!r} is no regular expression: {error}"
    return None


def _source_refusal(name: str) -> str | None:
    return None if name in SOURCES else unknown("source", name, SOURCES)


def _sources(sources: Table, path: str, refusal: Callable[[str], str | None], problems: Problems) -> None:
    """Sources with statistics of their own."""
    for source, entry in sources.entries.items():
        refused = _source_refusal(source)
        below = join(path, source)
        if refused:
            problems.add(entry.place, below, refused)
        elif not _names_of(entry.node):
            came = describe(plain(entry.node)) if plain(entry.node) else "none"
            message = f"expected statistics such as [mean, std] or {{mean: true, std: true}}, but got {came}"
            problems.add(entry.node.place, below, message)
        else:
            _each(entry.node, below, refusal, problems)
            if source != "weights" and UPDATE_RATIO in plain(entry.node):
                problems.add(entry.node.place, below, f"{UPDATE_RATIO} is a statistic of weights")


def _names_of(node: Node) -> bool:
    """Whether these are names, as a list or as the keys of a mapping of true and false (which merges)."""
    if isinstance(node, Table):
        return bool(node.entries) and all(isinstance(plain(entry.node), bool) for entry in node.entries.values())
    return isinstance(node, Items) and bool(node.nodes)


def _each(node: Node | None, path: str, refusal: Callable[[str], str | None], problems: Problems) -> None:
    """Check the entries of a list, or the keys of a mapping, each in its place."""
    found: list[tuple[Place, str | int, Any]] = []
    if isinstance(node, Table):
        found = [(entry.place, name, name) for name, entry in node.entries.items()]
    elif isinstance(node, Items):
        found = [(item.place, index, plain(item)) for index, item in enumerate(node.nodes)]
    for place, at, name in found:
        refused = refusal(name) if isinstance(name, str) else f"expected a name, but got {describe(name)}"
        if refused:
            problems.add(place, join(path, at), refused)


def _schedule(section: Section, problems: Problems) -> None:
    if "budget" not in section.values:
        return
    if "every" in section.values:
        problems.add(section.at("every"), section.to("every"), "expected every or budget, but got both")
    try:
        parse_share(section.values["budget"])
    except ValueRefusedError as error:
        problems.add(section.at("budget"), section.to("budget"), str(error).removeprefix("budget: "))
