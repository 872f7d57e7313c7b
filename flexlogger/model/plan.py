"""What is to be collected: sources, their statistics, layers, and a key for each row of each source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from torch import nn

from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.model.gather import Wanted
from flexlogger.model.layers import Choice, Layer, flattened, select_layers
from flexlogger.model.names import HISTOGRAM, SOURCES, UPDATE_RATIO
from flexlogger.model.need import Need
from flexlogger.model.own import Stat, resolve
from flexlogger.model.parameters import ParameterKeys
from flexlogger.model.statistics import STATISTICS, Rows, needs

DEFAULT_SOURCES = ("grad_in", "grad_out", "inputs", "weights")
DEFAULT_STATS = ("mean", "std")
UPDATES = "updates"
"""How far the optimizer moved the weights: collected for update_ratio, never shown by itself."""

Array = np.ndarray[Any, Any]
Sources = Iterable[str] | Mapping[str, Iterable[Stat] | None] | None


Label = tuple[str, str, str]
"""Layer (row), source, statistic."""


class Target(msgspec.Struct, frozen=True):
    """One row of one source."""

    row: str
    source: str


class Layout(msgspec.Struct, frozen=True):
    """Which number of which collected row stands where: all `labels`; and which numbers are taken out of the K of each
    of `stats`, one statistic behind the other."""

    labels: list[Label]
    stats: list[str]
    taken: Array

    def values(self, rows: Rows) -> Rows:
        """The numbers (N,) of rows (K, 9)."""
        if not self.stats:
            return np.zeros(0)
        values: Rows = np.concatenate([STATISTICS[name].of(rows) for name in self.stats])[self.taken]
        return values


class Plan:
    """A checked choice of what to collect from a model.

    `sources` are names, each with the statistics `stats`, or a mapping of names to statistics of their own. Raises
    ValueRefusedError with the nearest valid name.
    """

    def __init__(
        self,
        model: nn.Module,
        sources: Sources = None,
        stats: Iterable[Stat] | None = None,
        layers: Choice = None,
        biases: bool = False,
        allow_imports: Iterable[str] = (),
    ) -> None:
        common = _several(stats, "stats") if stats is not None else DEFAULT_STATS
        chosen = _by_source(sources, common)
        functions = {source: resolve(names, allow_imports) for source, names in chosen.items()}
        for source, found in functions.items():
            if UPDATE_RATIO in found and source != "weights" and isinstance(sources, Mapping):
                raise ValueRefusedError(f"sources.{source}: update_ratio is a statistic of weights")
        self.stats: dict[str, tuple[str, ...]] = {
            source: tuple(name for name in found if name != UPDATE_RATIO or source == "weights")
            for source, found in functions.items()
        }
        self.updates = UPDATE_RATIO in self.stats.get("weights", ())
        self.wanted = {source: self._wanted(source, functions[source]) for source in self.stats}
        self.need = Need()
        for wanted in self.wanted.values():
            self.need |= wanted.need
        self.layers = select_layers(model, layers, biases)
        if {"weights", "grads"} & self.stats.keys() and flattened(model):
            raise ValueRefusedError(
                "FullyShardedDataParallel keeps pieces of flattened parameters, and their statistics are no layer's: "
                "use torch's fully_shard, or sources without weights and grads"
            )
        self.targets: list[Target] = []
        self.keys = {layer.name: self._layer_keys(layer) for layer in self.layers}
        self._layouts: dict[tuple[bytes, bytes], Layout] = {}
        self.parameters = [keys for layer in self.layers for keys in self._parameter_keys(layer)]

    @property
    def rows(self) -> list[str]:
        """The names of all rows, in the model's order: each layer, and behind it its other parameters."""
        names = (n for layer in self.layers for n in (layer.name, *(row for row, _, _ in layer.parameters)))
        return list(dict.fromkeys(names))

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources collected."""
        return tuple(self.stats)

    @property
    def hooks(self) -> tuple[str, ...]:
        """The sources that are only seen while the model runs."""
        return tuple(source for source in self.stats if source not in ("weights", "grads"))

    def layout(self, keys: Array, single: Array) -> Layout:
        """How the rows of these keys become numbers; `single` tells which are of one entry, which has no std.

        From one step to the next it is the same, so the latest few are kept.
        """
        which = keys.tobytes(), single.tobytes()
        if which not in self._layouts:
            if len(self._layouts) >= 8:
                self._layouts.clear()
            self._layouts[which] = self._new_layout(keys, single)
        return self._layouts[which]

    def _new_layout(self, keys: Array, single: Array) -> Layout:
        labels: list[Label] = []
        taken: list[Array] = []
        targets = [self.targets[key] for key in keys.tolist()]
        names = list(dict.fromkeys(name for stats in self.stats.values() for name in stats if name in STATISTICS))
        for source, stats in self.stats.items():
            of_source = np.array([target.source == source for target in targets], bool)
            for name in stats:
                if name in STATISTICS:
                    at = np.flatnonzero(of_source & ~single if name == "std" else of_source)
                    taken.append(at + names.index(name) * len(targets))
                    labels += [(targets[place].row, source, name) for place in at]
        return Layout(labels, names, np.concatenate(taken) if taken else np.zeros(0, np.intp))

    def _wanted(self, source: str, found: Mapping[str, object]) -> Wanted:
        need = needs(name for name in found if name in STATISTICS)
        if source == "weights" and self.updates:
            need |= Need(square=True)
        own = {name: function for name, function in found.items() if callable(function)}
        return Wanted(need, own, HISTOGRAM in found)

    def _layer_keys(self, layer: Layer) -> dict[str, int]:
        return {source: self._key(layer.name, source) for source in self.hooks}

    def _parameter_keys(self, layer: Layer) -> Iterable[ParameterKeys]:
        for row, owner, attribute in layer.parameters:
            weights = self._key(row, "weights") if "weights" in self.stats else -1
            grads = self._key(row, "grads") if "grads" in self.stats else -1
            updates = self._key(row, UPDATES) if self.updates else -1
            yield ParameterKeys(owner, attribute, weights, grads, updates)

    def _key(self, row: str, source: str) -> int:
        self.targets.append(Target(row, source))
        return len(self.targets) - 1


def _several(stats: Any, where: str) -> tuple[Stat, ...]:
    if isinstance(stats, str) or callable(stats):
        return (stats,)
    if not isinstance(stats, Iterable):
        raise ValueRefusedError(f"{where}: expected statistics such as mean, std, but got {stats!r:.60}")
    return tuple(stats)


def _by_source(sources: Sources, common: Sequence[Stat]) -> dict[str, Sequence[Stat]]:
    if sources is None:
        sources = DEFAULT_SOURCES
    if isinstance(sources, str):
        sources = (sources,)
    if not isinstance(sources, Iterable):
        raise ValueRefusedError(f"sources: expected names such as {', '.join(SOURCES[:2])}, but got {sources!r:.60}")
    chosen: dict[str, Sequence[Stat]] = {}
    given = sources.items() if isinstance(sources, Mapping) else ((source, None) for source in sources)
    for source, stats in given:
        if source not in SOURCES:
            raise ValueRefusedError(f"sources: {unknown('source', str(source), SOURCES)}")
        chosen[source] = common if stats is None else _several(stats, f"sources.{source}")
    for source, stats in chosen.items():
        if not stats:
            raise ValueRefusedError(f"sources.{source}: expected at least one statistic, but got none")
    if not chosen:
        raise ValueRefusedError(f"sources: expected some of {', '.join(SOURCES)}, but got none")
    return chosen
