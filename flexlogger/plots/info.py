"""What is known of a plot type without loading it."""

from __future__ import annotations

import msgspec

from flexlogger.catalog import Option
from flexlogger.records import Kind


class PlotInfo(msgspec.Struct, frozen=True):
    """What one plot type is: the kinds of value it `accepts`, its `options`, and where its class stands (`path`)."""

    name: str
    doc: str
    accepts: frozenset[Kind]
    options: tuple[Option, ...]
    example: str
    path: str


def info_of(name: str, doc: str, accepts: tuple[Kind, ...], options: tuple[Option, ...], example: str) -> PlotInfo:
    """Describe the plot type `name`, whose class stands in the module of that name."""
    path = f"flexlogger.plots.{name}:{name.capitalize()}Plot"
    return PlotInfo(name, doc, frozenset((*accepts, "any")), options, example, path)
