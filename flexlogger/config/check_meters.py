"""The check of meters by themselves: what they are, what they yield, how they look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from flexlogger.catalog import describe
from flexlogger.config.environment import disclose
from flexlogger.config.fields import DISPLAY, METER
from flexlogger.config.model import MeterConfig
from flexlogger.config.names import color_refusal, import_refusal, label_refusal
from flexlogger.config.section import Section, read, subsection
from flexlogger.config.torchmetrics_names import torchmetrics_paths
from flexlogger.config.tree import Entry, Leaf, Node, Problems, Table, join, plain
from flexlogger.errors import nearest, unknown
from flexlogger.meters.catalog import METERS, declared_outputs
from flexlogger.records import Output

UNDECLARED = (Output(kind="any"),)
_EXAMPLE = "{type: AverageValueMeter, target: loss}"
_BY_PATH = {info.path.replace(":", "."): name for name, info in METERS.items()}
_METHODS = (("add", "value", "reset"), ("update", "compute", "reset"))


class Meter(msgspec.Struct):
    """A meter whose own declaration is checked: what it yields and where its parts stand."""

    name: str
    section: Section
    target: str | None
    type: Any = None
    outputs: tuple[Output, ...] = UNDECLARED
    unit: str = ""
    """'' where none is declared."""
    opts: dict[str, Any] = {}
    display: dict[str, Any] = {}

    @property
    def primary(self) -> Output:
        """What a plot draws first of it."""
        return next((output for output in self.outputs if output.drawn), self.outputs[0])

    def config(self) -> MeterConfig:
        """Return the frozen form."""
        values = disclose(self.section.values)
        return MeterConfig(
            name=self.name,
            type=self.type,
            target=disclose(self.target) or "",
            opts=disclose(self.opts),
            labels=tuple(str(label) for label in values.get("labels", ())),
            display=disclose(self.display),
            unit=values.get("unit"),
            reduce=values.get("reduce", False),
            place=self.section.place,
        )


class MeterCheck:
    """Checks one meter after the other; `allowed` are packages that may be imported besides our own list."""

    def __init__(self, allowed: Iterable[str], problems: Problems) -> None:
        self._allowed, self._problems = tuple(allowed), problems
        self._instances: dict[int, str] = {}

    def meter(self, name: str, entry: Entry) -> Meter:
        """Check what a meter says of itself."""
        path = join("meters", entry.declared or name)
        refusal = label_refusal(name)
        if refusal:
            self._problems.add(entry.place, path, refusal)
        entry, node = _set_type_aside(entry)
        section = read(entry, path, METER, self._problems, example=_EXAMPLE)
        meter = Meter(name, section, section.values.get("target"), opts=section.values.get("opts", {}))
        if node is not None:
            meter.type = self._type(node, meter)
            self._yields(meter)
            self._reduces(meter)
        meter.unit = section.values.get("unit", meter.unit)
        self._display(meter)
        self._labels(meter)
        return meter

    def _type(self, node: Node, meter: Meter) -> Any:
        """Return the type as given, or None where it is refused."""
        value = node.value if isinstance(node, Leaf) else ()
        if isinstance(value, str):
            refusal = self._named_refusal(value)
        elif isinstance(value, type):
            refusal = None if _is_meter(value) else f"{value.__name__} has no add, value and reset, so it is no meter"
        elif _is_meter(value):
            refusal = self._instance_refusal(value, meter)
        else:
            expected = "expected a meter's name, class, instance or factory"
            refusal = None if callable(value) else f"{expected}, but got {describe(plain(node))}"
        if refusal:
            self._problems.add(node.place, meter.section.to("type"), refusal)
            return None
        if isinstance(value, str) and value not in METERS:
            value = torchmetrics_paths().get(value, value)
        return disclose(value)

    def _named_refusal(self, name: str) -> str | None:
        if name in METERS:
            return None
        if "." in name:
            return import_refusal(name, self._allowed)
        return None if name in torchmetrics_paths() else unknown("meter", name, _nearest_first(name))

    def _instance_refusal(self, instance: object, meter: Meter) -> str | None:
        if meter.section.values.get("opts"):
            return "an instance takes no opts; pass its class instead, or construct it with them"
        first = self._instances.setdefault(id(instance), meter.name)
        if first == meter.name:
            return None
        return f"one instance cannot be both {first!r} and {meter.name!r}; pass its class instead"

    def _yields(self, meter: Meter) -> None:
        """Find out what the meter yields, and check its opts, as far as the catalog knows it."""
        known = _catalog_name(meter.type)
        if known is None:
            declared = None if isinstance(meter.type, type) else getattr(meter.type, "outputs", None)
            if isinstance(declared, tuple) and declared and all(isinstance(output, Output) for output in declared):
                meter.outputs, meter.unit = declared, declared[0].unit
            return
        info, before = METERS[known], len(self._problems.found)
        meter.opts = subsection(meter.section, "opts", info.options, self._problems, f"option of {known}").values
        good = len(self._problems.found) == before
        meter.outputs = declared_outputs(known, meter.opts) if good else info.outputs
        meter.unit = info.unit

    def _reduces(self, meter: Meter) -> None:
        known = _catalog_name(meter.type)
        if meter.section.values.get("reduce") and not (known is not None and METERS[known].reduces):
            what = known or (meter.type if isinstance(meter.type, str) else describe(meter.type))
            able = ", ".join(name for name, info in METERS.items() if info.reduces)
            message = f"{what} cannot be reduced over ranks; leave it out, or take one of: {able}"
            self._problems.add(meter.section.at("reduce"), meter.section.to("reduce"), message)

    def _display(self, meter: Meter) -> None:
        display = subsection(meter.section, "display", DISPLAY, self._problems)
        meter.display = display.values
        color, band = display.values.get("color"), display.values.get("band")
        refusal = None if color is None else color_refusal(color)
        if refusal:
            self._problems.add(display.at("color"), display.to("color"), refusal)
        bands = [output.name.removeprefix(".") for output in meter.outputs if not output.drawn]
        if band is not None and band not in bands and meter.outputs is not UNDECLARED:
            yields = f"it yields {', '.join(bands)}" if bands else "drop the band"
            self._problems.add(display.at("band"), display.to("band"), f"this meter yields no {band!r}; {yields}")

    def _labels(self, meter: Meter) -> None:
        labels = meter.section.values.get("labels")
        size = entries_of(meter.primary)
        if labels is not None and size is not None and len(labels) != size:
            message = f"expected {size} labels, one per entry, but got {len(labels)}"
            self._problems.add(meter.section.at("labels"), meter.section.to("labels"), message)


def entries_of(output: Output) -> int | None:
    """Return how many entries of an output want a label, if that is declared."""
    if output.kind not in ("vector", "matrix") or not output.shape:
        return None
    return output.shape[-1]


def _set_type_aside(entry: Entry) -> tuple[Entry, Node | None]:
    """Take the type out of a meter's mapping, because it may be any object, and leave a word in its place."""
    given = entry.node.entries.get("type") if isinstance(entry.node, Table) else None
    unsaid = given is None or (isinstance(given.node, Leaf) and given.node.value is None)
    if given is None or unsaid or not isinstance(entry.node, Table):
        return entry, None
    entries = {**entry.node.entries, "type": Entry(given.place, Leaf("", given.node.place))}
    return Entry(entry.place, Table(entries, entry.node.place), entry.declared), given.node


def _is_meter(value: object) -> bool:
    return any(all(callable(getattr(value, method, None)) for method in methods) for methods in _METHODS)


def _nearest_first(name: str) -> Iterable[str]:
    """The names to suggest: our own, and torchmetrics' where one of those is near."""
    foreign = torchmetrics_paths()
    return [*METERS, *foreign] if nearest(name, METERS) is None and nearest(name, foreign) else METERS


def _catalog_name(kind: Any) -> str | None:
    if isinstance(kind, type):
        kind = f"{kind.__module__}.{kind.__qualname__}"
    if not isinstance(kind, str):
        return None
    return kind if kind in METERS else _BY_PATH.get(kind)
