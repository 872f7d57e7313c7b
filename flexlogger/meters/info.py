"""What the catalog says of a meter."""

from __future__ import annotations

import msgspec

from flexlogger.catalog import Option
from flexlogger.records import Output


class MeterInfo(msgspec.Struct, frozen=True):
    """What one meter type is.

    `path` is where its class stands (``module:Class``), `takes` what `add` accepts and `returns` what `value` gives, in
    words with shapes and dtypes. `outputs` are what it logs with default options (`declared_outputs` knows given ones).
    `syncs` is True where `add` or `log` may wait for an accelerator; `value` always does. `reduces` is True where a
    config may say `reduce: true`.
    """

    name: str
    path: str
    doc: str
    takes: str
    returns: str
    options: tuple[Option, ...] = ()
    outputs: tuple[Output, ...] = (Output(),)
    unit: str = ""
    syncs: bool = False
    reduces: bool = False
    example: str = ""

    def __str__(self) -> str:
        options = [f"  {o.name}: {o.doc}{'' if o.required else f' (default {o.default!r})'}" for o in self.options]
        lines = [
            *(self.name, self.doc, f"takes: {self.takes}", f"returns: {self.returns}"),
            *(["options:", *options] if options else []),
            *([f"unit: {self.unit}"] if self.unit else []),
            *(["add or log may wait for an accelerator"] if self.syncs else []),
            *(["can be reduced over ranks (reduce: true)"] if self.reduces else []),
        ]
        return "\n".join(lines + ([f"example: {self.example}"] if self.example else []))
