"""What goes to a sink where it is not everything: some names, and of each no more values than it is to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from flexlogger.records import Datum, Definition, End, Event, Item, MeterDef, Record, Step
from flexlogger.runs.summaries import fits
from flexlogger.sinks.base import Sink


class Chosen:
    """Passes on to `sink` the names that fit a glob of `only` (all, without any) and none of `without`.

    With `steps` or `seconds` a name's next value is passed on only so far behind the one before, by the steps and times
    of the log; what was held back last is passed on at the end of the run, so the last value is always there.

    >>> from flexlogger.sinks.memory import MemorySink
    >>> sink = MemorySink()
    >>> chosen = Chosen(sink, only=["*loss"], steps=10)
    >>> chosen.write([Record(step, 0.0, {"loss": 1.0, "lr": 0.1}) for step in range(25)])
    >>> [(record.step, dict(record.values)) for record in sink.records]
    [(0, {'loss': 1.0}), (10, {'loss': 1.0}), (20, {'loss': 1.0})]
    """

    def __init__(
        self,
        sink: Sink,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        steps: float | None = None,
        seconds: float | None = None,
    ) -> None:
        self._sink = sink
        self._only = tuple(only)
        self._without = tuple(without)
        self._known: dict[str, bool] = {}
        self._pace = _Pace(steps, seconds) if steps or seconds else None
        self.flush = sink.flush
        self.close = sink.close

    @property
    def nonfinite(self) -> Mapping[str, Any]:
        """What the sink knows of the first values that were not finite."""
        return getattr(self._sink, "nonfinite", {})

    @property
    def left_out(self) -> Mapping[str, int]:
        """What the sink could not take."""
        return getattr(self._sink, "left_out", {})

    def write(self, batch: Sequence[Item]) -> None:
        """Pass on what is chosen of a batch."""
        passed = [part for item in batch for part in self._parts(item)]
        if passed:
            self._sink.write(passed)

    def _parts(self, item: Item) -> Sequence[Item]:
        if isinstance(item, Record):
            record = self._of_record(item)
            return [record] if record is not None else ()
        if isinstance(item, Definition):
            return [self._of_definition(item)]
        if isinstance(item, Event) and item.kind == "nonfinite" and not self._wants(str(item.info.get("name"))):
            return ()
        if isinstance(item, End) and self._pace is not None:
            return [*self._pace.held(), item]
        return [item]

    def _wants(self, name: str) -> bool:
        if name not in self._known:
            chosen = not self._only or any(fits(glob, name) for glob in self._only)
            self._known[name] = chosen and not any(fits(glob, name) for glob in self._without)
        return self._known[name]

    def _of_record(self, record: Record) -> Record | None:
        values = {name: value for name, value in record.values.items() if self._wants(name)}
        data = tuple(datum for datum in record.data if self._wants(datum.name))
        if self._pace is not None:
            values, data = self._pace.take(record, values, data)
        return Record(record.step, record.time, values, data) if values or data else None

    def _of_definition(self, definition: Definition) -> Definition:
        """The meters that anything is passed on of, and their plots; a plot that never had a meter stays."""
        meters = tuple(meter for meter in definition.meters if self._wants_of(meter))
        gone = {meter.target for meter in definition.meters} - {meter.target for meter in meters}
        plots = tuple(plot for plot in definition.plots if plot.name not in gone)
        return msgspec.structs.replace(definition, plots=plots, meters=meters)

    def _wants_of(self, meter: MeterDef) -> bool:
        names = {meter.name, *(meter.name + output.name for output in meter.outputs)}
        parts = [glob for glob in self._only if glob.startswith((f"{meter.name}.", f"{meter.name}@"))]
        return bool(parts) or any(self._wants(name) for name in names)


class _Pace:
    """Which values are far enough behind the one of the same name before."""

    def __init__(self, steps: float | None, seconds: float | None) -> None:
        self._steps = steps is not None
        self._apart = steps or seconds or 0.0
        self._last: dict[str, float] = {}
        self._held: dict[str, tuple[Step, float, float | Datum]] = {}

    def take(
        self, record: Record, values: dict[str, float], data: tuple[Datum, ...]
    ) -> tuple[dict[str, float], tuple[Datum, ...]]:
        passed = {name: value for name, value in values.items() if self._is_due(name, record, value)}
        return passed, tuple(datum for datum in data if self._is_due(datum.name, record, datum))

    def _is_due(self, name: str, record: Record, value: float | Datum) -> bool:
        at = record.step if self._steps else record.time
        last = self._last.get(name)
        if last is not None and last <= at < last + self._apart:
            self._held[name] = (record.step, record.time, value)
            return False
        self._last[name] = at
        self._held.pop(name, None)
        return True

    def held(self) -> list[Record]:
        """What was held back last of each name; none of it is held back any more."""
        held, self._held = self._held, {}
        together: dict[tuple[Step, float], tuple[dict[str, float], list[Datum]]] = {}
        for name, (step, time, value) in held.items():
            values, data = together.setdefault((step, time), ({}, []))
            if isinstance(value, Datum):
                data.append(value)
            else:
                values[name] = value
        records = (Record(*at, values, tuple(data)) for at, (values, data) in together.items())
        return sorted(records, key=lambda record: record.time)
