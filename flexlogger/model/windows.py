"""Which window, line and name each statistic of a model has on a dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.meters.base import BaseMeter
from flexlogger.model.names import HISTOGRAM, MODES
from flexlogger.model.plan import Label, Plan
from flexlogger.records import Output


class Drawn(BaseMeter):
    """Stands for lines whose values come in records of their own: it declares them, and is never given anything."""

    empty = True

    def __init__(self, outputs: Sequence[Output]) -> None:
        self.outputs = tuple(outputs)

    def add(self, *values: Any) -> None:
        """Refuse: the model's statistics are not added by hand."""
        raise ValueRefusedError("add: these lines are drawn from a model's statistics; nothing can be added to them")

    def value(self) -> None:
        """Nothing."""

    def reset(self) -> None:
        """Nothing to reset."""


class Windows:
    """Plots and meters for all statistics of a plan, and what each is called in a record.

    | mode | windows | colours | dashes | a record's name |
    |---|---|---|---|---|
    | by_layer | `layer_0` | sources | statistics | `layer_0.mean.weights` |
    | by_metric | `weights` | layers | statistics | `weights.mean.0` |
    | by_stat | `mean` | layers | sources | `mean.weights.0` |

    Histograms have a window per layer in all of them: `layer_0_histogram`. `prefix` comes before the names of windows,
    `opts` are options of the line plots.
    """

    def __init__(
        self, plan: Plan, mode: str = "by_layer", prefix: str = "", opts: Mapping[str, Any] | None = None
    ) -> None:
        if mode not in MODES:
            raise ValueRefusedError(f"mode: {unknown('mode', str(mode), MODES)}")
        self._plan, self._mode, self._prefix = plan, mode, prefix
        self._layer_of = {row: layer.name for layer in plan.layers for row, _, _ in layer.parameters}
        self._names: dict[Label, str] = {}
        self._latest: tuple[list[Label], tuple[str, ...]] = [], ()
        self.plots: dict[str, Any] = {}
        self.meters: dict[str, Any] = {}
        found: dict[tuple[str, str], list[Output]] = {}
        for row, source, stat in self._labels():
            kind = "histogram" if stat == HISTOGRAM else "line"
            window, meter, part = self._place(row, source, stat)
            self.plots.setdefault(window, {"type": kind, "opts": dict(opts or {}) if kind == "line" else {}})
            found.setdefault((window, meter), []).append(Output(part, "scalar" if kind == "line" else "histogram"))
        for (window, meter), outputs in found.items():
            self.meters[meter] = {"type": Drawn(outputs), "target": window}

    def names(self, labels: list[Label]) -> tuple[str, ...]:
        """What these numbers are called in a record; the same list of labels is only looked at once."""
        if self._latest[0] is not labels:
            self._latest = labels, tuple(map(self._name, labels))
        return self._latest[1]

    def _name(self, label: Label) -> str:
        if label not in self._names:
            _, meter, part = self._place(*label)
            self._names[label] = meter + part
        return self._names[label]

    def histogram(self, row: str, source: str) -> str:
        """What a histogram is called in a record."""
        _, meter, part = self._place(row, source, HISTOGRAM)
        return meter + part

    def own(self, name: str) -> str:
        """The name of a window of ours that is about the model as a whole."""
        return f"{self._prefix}model_{name}"

    def _labels(self) -> list[Label]:
        """All statistics there can be: rows in the model's order, then sources and statistics as they were given."""
        pairs = dict.fromkeys((target.row, target.source) for target in self._plan.targets)
        order = {row: at for at, row in enumerate(self._plan.rows)}
        sources = {source: at for at, source in enumerate(self._plan.stats)}
        known = sorted((p for p in pairs if p[1] in sources), key=lambda p: (order[p[0]], sources[p[1]]))
        return [(row, source, stat) for row, source in known for stat in self._plan.stats[source]]

    def _place(self, row: str, source: str, stat: str) -> tuple[str, str, str]:
        """Window, meter and the meter's part of a statistic."""
        if self._mode == "by_layer" or stat == HISTOGRAM:
            layer = self._layer_of.get(row, row)
            window = f"{self._prefix}layer_{layer}"
            part = f".{source}" if row == layer else f".{row.removeprefix(layer + '.')}.{source}"
            if stat == HISTOGRAM:  # a meter each: those of one window have colours of their own
                return f"{window}_histogram", f"{window}_histogram{part}", ""
            return window, f"{window}.{stat}", part
        window, line = (source, stat) if self._mode == "by_metric" else (stat, source)
        return self._prefix + window, f"{self._prefix}{window}.{line}", f".{row}"
