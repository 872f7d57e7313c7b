"""The values of all ranks in one window: a trace a rank, their mean, and their spread around it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from flexlogger.records import Definition, Event, Item, MeterDef, Output, PlotDef, Record, Step
from flexlogger.sinks.merged import OneDashboard

STEPS = 4096
"""How many steps of a name the ranks may be apart …"""
VALUES = 65536
"""… and how many values of a name are kept for that, however many ranks there are."""
MAX_UNDECLARED = 100
SPREAD = "std"


class AcrossRanks:
    """Renames the value `name` of rank r to `name@rank{r}`, and adds `name`, the mean over the ranks at that step, and
    from two ranks on `name.std`, their standard deviation (n - 1 in the denominator). A line is drawn for each rank and
    for the mean, which is shaded with the spread.

    The mean is over those ranks that have come to the step; it is given again when another one does. Of arrays and
    media those of rank 0 are shown.

    >>> stage = AcrossRanks(2)
    >>> _, mean = stage.take([Record(0, 0.0, {"loss": 1.0})], rank=0)[-2:]
    >>> named, mean = stage.take([Record(0, 0.1, {"loss": 2.0})], rank=1)
    >>> named.values, mean.values
    ({'loss@rank1': 2.0}, {'loss': 1.5, 'loss.std': 0.7071067811865476})
    """

    def __init__(self, world: int) -> None:
        self._one = OneDashboard()
        self._ranks = set(range(world))
        self._declared = Definition(0.0, (), ())
        self._undeclared: dict[str, None] = {}
        self._only_kept: set[str] = set()
        self._spread: set[str] = set()
        self._axes: set[str] = set()
        self._known: dict[str, bool] = {}
        self._means: dict[str, _Means] = {}

    def take(self, items: Sequence[Item], rank: int = 0, own: bool = False) -> Sequence[Item]:
        """Return what is to be drawn of items of one rank: first what it logged, then the means."""
        taken: list[Item] = []
        means: list[Item] = []
        for item in self._one.take(items, rank, own):
            if isinstance(item, Record):
                if self._has_new(item.values, rank):
                    taken += [*means, self._definition(item.time)]
                    means = []
                taken.append(self._named(item, rank))
                if (mean := self._mean(item, rank)).values:
                    means.append(mean)
            elif isinstance(item, Definition):
                taken += means
                means = []
                self._declared = item
                taken.append(self._definition(item.time))
            else:
                taken.append(_of_rank(item, rank))
        return taken + means

    def _named(self, record: Record, rank: int) -> Record:
        values = {f"{name}@rank{rank}": value for name, value in record.values.items()}
        values |= {name: record.values[name] for name in self._axes & record.values.keys()}
        return Record(record.step, record.time, values, record.data if rank == 0 else ())

    def _mean(self, record: Record, rank: int) -> Record:
        values: dict[str, float] = {}
        for name, value in record.values.items():
            if name in self._only_kept:
                continue
            if name not in self._means:
                self._means[name] = _Means(len(self._ranks))
            found = self._means[name].add(record.step, rank, value)
            if found is None:
                continue
            mean, spread = found
            values[name] = mean
            if spread is not None and name in self._spread:
                values[f"{name}.{SPREAD}"] = spread
        return Record(record.step, record.time, values)

    # ---- what is declared

    def _has_new(self, names: Iterable[str], rank: int) -> bool:
        """Take note of a rank or of undeclared names that turn up; True where the dashboard has to be told."""
        new = rank not in self._ranks
        self._ranks.add(rank)
        for name in names:
            if name not in self._known:
                self._known[name] = known = self._is_declared(name)
                if not known and len(self._undeclared) < MAX_UNDECLARED:
                    self._undeclared[name] = None
                    new = True
        return new

    def _is_declared(self, name: str) -> bool:
        meters = {meter.name for meter in self._declared.meters}
        return name in meters or any(name[:end] in meters for end in range(1, len(name)) if name[end] in ".@")

    def _definition(self, time: float) -> Definition:
        """The dashboard with the outputs that are added here."""
        said = self._declared
        self._undeclared = {name: None for name in self._undeclared if not self._is_declared(name)}
        self._known = dict.fromkeys(self._undeclared, False)
        plots = {plot.name: plot for plot in said.plots}
        plots |= {name: PlotDef(name) for name in self._undeclared if name not in plots}
        meters = (*said.meters, *(MeterDef(name, "", name) for name in self._undeclared))
        self._axes = {plot.x for plot in plots.values()} - {"step", "time"}
        self._only_kept = {m.name + output.name for m in meters for output in m.outputs if not output.drawn}
        self._spread = {m.name + output.name for m in meters for output in m.outputs if _is_line(output)}
        lines = {plot.name for plot in plots.values() if plot.type == "line"}
        drawn = tuple(self._over_ranks(meter) if meter.target in lines else meter for meter in meters)
        return Definition(time, tuple(plots.values()), drawn, said.layout)

    def _over_ranks(self, meter: MeterDef) -> MeterDef:
        outputs = {output.name: output for output in meter.outputs}
        for output in meter.outputs:
            if output.kind in ("scalar", "any"):
                for rank in sorted(self._ranks):
                    name = f"{output.name}@rank{rank}"
                    outputs[name] = Output(name, "scalar", output.unit, output.drawn)
            if _is_line(output):
                name = f"{output.name}.{SPREAD}"
                outputs[name] = Output(name, "scalar", output.unit, False)
        display = {**meter.display, "band": SPREAD}
        return msgspec.structs.replace(meter, outputs=tuple(outputs.values()), display=display)


def _of_rank(item: Item, rank: int) -> Item:
    """An event that names a value, with the name that the value has here."""
    if not isinstance(item, Event) or item.kind != "nonfinite":
        return item
    return msgspec.structs.replace(item, info={**item.info, "name": f"{item.info.get('name')}@rank{rank}"})


def _is_line(output: Output) -> bool:
    return output.drawn and output.kind in ("scalar", "any")


class _Means:
    """The values of one name by step and rank, for as many steps as the ranks may be apart."""

    def __init__(self, world: int) -> None:
        self._room = min(STEPS, max(256, VALUES // world))
        self._rows: dict[Step, int] = {}  # in order of their coming
        self._values = np.full((self._room, world), np.nan)
        self._there = np.zeros((self._room, world), bool)
        self._forgotten = -math.inf

    def add(self, step: Step, rank: int, value: float) -> tuple[float, float | None] | None:
        """The mean and spread at a step with one more rank; None where what the others had there is forgotten."""
        row = self._rows.get(step)
        if row is None:
            if step <= self._forgotten:
                return None
            row = self._new_row(step)
        if rank >= self._values.shape[1]:
            more = ((0, 0), (0, rank + 1 - self._values.shape[1]))
            self._values, self._there = np.pad(self._values, more), np.pad(self._there, more)
        self._values[row, rank], self._there[row, rank] = value, True
        values = self._values[row, self._there[row]]
        with np.errstate(invalid="ignore"):  # infinite values have no spread
            return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None

    def _new_row(self, step: Step) -> int:
        row = len(self._rows)
        if row == self._room:
            oldest = next(iter(self._rows))
            self._forgotten = max(self._forgotten, oldest)
            row = self._rows.pop(oldest)
            self._there[row] = False
        self._rows[step] = row
        return row
