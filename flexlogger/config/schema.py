"""The JSON Schema of a declaration, made from the same tables as the check, so that editors complete and check YAML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flexlogger.catalog import Option
from flexlogger.config.check_pipe import PLACES, TCP
from flexlogger.config.fields import DISPLAY, INSPECT, LAYOUT, METER, MODEL, PLOT, SINKS, TOP
from flexlogger.config.names import COLOR, SAFE_NAME
from flexlogger.inspector.names import SOURCES as INSPECTED
from flexlogger.meters.catalog import METERS
from flexlogger.model.names import SOURCES
from flexlogger.plots.catalog import PLOTS

_VARIABLE = r"\$\{env:"
_SAFE = {"pattern": f"{SAFE_NAME}|{_VARIABLE}", "not": {"pattern": r"\.json"}}
_DOTTED = {"type": "string", "pattern": r"^[^\W\d]\w*(\.[^\W\d]\w*)+$", "description": "the path of a class"}
_OR_NULL = {"type": "null", "description": "deletes what is inherited"}


def json_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema, draft 2020-12) of a YAML declaration.

    It knows every key, plot type, meter and option with its documentation. What needs more than one place to judge
    (targets, units, shapes) is left to `load`.

    >>> json_schema()["properties"]["port"]["maximum"]
    65535
    """
    schema = _mapping(TOP)
    properties = schema["properties"]
    for name in ("env", "uid", "project", "run"):
        properties[name] |= _SAFE
    for plural, single in (("plots", "plot"), ("meters", "meter")):
        properties[plural]["propertyNames"] = {"pattern": r"\S"}
        properties[plural]["additionalProperties"] = {"anyOf": [{"$ref": f"#/$defs/{single}"}, _OR_NULL]}
    properties["layout"] |= _mapping(LAYOUT) | {"type": ["object", "null"]}
    properties["model"] |= _mapping(MODEL) | {"type": ["object", "null"]}
    properties["model"]["properties"]["opts"] |= _mapping(PLOTS["line"].options) | {"type": ["object", "null"]}
    properties["model"]["properties"]["sources"] |= {"propertyNames": {"enum": list(SOURCES)}}
    properties["inspect"] |= _mapping(INSPECT) | {"type": ["object", "null"]}
    properties["inspect"]["properties"]["sources"]["items"] = {"enum": list(INSPECTED)}
    properties["sinks"]["items"] = {"$ref": "#/$defs/sink"}
    properties["pipe"]["pattern"] = rf"^({'|'.join(PLACES)}|{TCP}.+:\d+)$|{_VARIABLE}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "flexlogger dashboard",
        **schema,
        "$defs": {"plot": _plot(), "meter": _meter(), "sink": _sink()},
    }


def _mapping(options: Iterable[Option]) -> dict[str, Any]:
    """A mapping of options; nothing is required, because what is missing may be inherited."""
    properties = {option.name: _value(option) for option in options}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value(option: Option) -> dict[str, Any]:
    types = [*option.types, "null"] if "null" not in option.types else list(option.types)
    schema: dict[str, Any] = {"description": option.doc, "type": types}
    limits = {"minimum": option.minimum, "maximum": option.maximum}
    limits = {word: limit for word, limit in limits.items() if limit is not None}
    if "array" in option.types:
        items: dict[str, Any] = {**limits}
        if option.items:
            items["type"] = list(option.items)
        if option.choices:
            items["enum"] = list(option.choices)
        schema["items"] = items
    if option.choices and option.types != ("array",):
        schema["enum"] = [*option.choices, None]
    if option.default is not None:
        schema["default"] = option.default
    return schema | limits


def _plot() -> dict[str, Any]:
    schema = _mapping(PLOT)
    schema["properties"]["type"] = _names({name: info.doc for name, info in PLOTS.items()})
    schema["allOf"] = [_if_type(name, info.options) for name, info in PLOTS.items()]
    return schema


def _meter() -> dict[str, Any]:
    schema = _mapping(METER)
    names = _names({name: info.doc for name, info in METERS.items()})
    schema["properties"]["type"] = {"anyOf": [*names["anyOf"], _DOTTED]}
    display = _mapping(DISPLAY)
    display["properties"]["color"] |= {"pattern": f"{COLOR}|{_VARIABLE}"}
    schema["properties"]["display"] |= display | {"type": ["object", "null"]}
    schema["allOf"] = [_if_type(name, info.options) for name, info in METERS.items()]
    return schema


def _names(docs: dict[str, str]) -> dict[str, Any]:
    return {"anyOf": [*({"const": name, "description": doc} for name, doc in docs.items()), _OR_NULL]}


def _if_type(name: str, options: Iterable[Option]) -> dict[str, Any]:
    """The options that a plot or meter of this type takes."""
    opts = _mapping(options)
    if "env" in opts["properties"]:
        opts["properties"]["env"] |= _SAFE
    return {
        "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
        "then": {"properties": {"opts": opts | {"type": ["object", "null"]}}},
    }


def _sink() -> dict[str, Any]:
    with_options = {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {name: _mapping(options) | {"type": ["object", "null"]} for name, options in SINKS.items()},
    }
    return {"anyOf": [{"enum": list(SINKS)}, with_options]}
