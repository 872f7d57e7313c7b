"""What a model was like in one step: numbers by layer, source and statistic."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from flexlogger.model.gathered import Collected, Gathered
from flexlogger.model.names import HISTOGRAM, UPDATE_RATIO
from flexlogger.model.plan import UPDATES, Label, Plan
from flexlogger.model.statistics import COLUMNS, SQUARE, N, Rows

ROW_BYTES = 8 * len(COLUMNS)
Table = dict[str, dict[str, dict[str, float]]]
"""{layer: {source: {statistic: value}}}"""


class Snapshot:
    """The statistics of one step. They are worked out when first asked for, on whichever thread asks.

    What does not exist has no value: the gradient of a frozen parameter, the std of a single number.
    """

    def __init__(self, plan: Plan, gathered: Gathered, step: int, frozen: frozenset[int], early: bool) -> None:
        self.step = step
        self.time = time.time()
        self._plan, self._gathered = plan, gathered
        self._frozen = frozen
        self._early = early  # the weights were read before the optimizer's step: those of the forward pass
        self._collected: Collected | None = None
        self._lock = threading.Lock()
        self.nbytes = ROW_BYTES * len(plan.targets)
        """Memory held."""

    def arrived(self) -> bool:
        """Whether the statistics can be had without waiting for a device."""
        return self._collected is not None or self._gathered.arrived()

    @property
    def known(self) -> bool:
        """Whether the statistics have been worked out."""
        return self._collected is not None

    @property
    def collected(self) -> Collected:
        """The rows. Waits for a device."""
        with self._lock:
            if self._collected is None:
                self._gathered.wait()
                self._collected = self._gathered.read()
            return self._collected

    def numbers(self) -> tuple[list[Label], Rows]:
        """Every statistic that has a value, and the values (N,). Waits for a device.

        Where the labels are those of another step of the same plan, they are the same list, wherever that can be.
        """
        collected = self.collected
        layout = self._plan.layout(collected.keys, collected.rows[:, N] == 1)
        values = layout.values(collected.rows)
        others = self._others(collected)
        if not others:
            return layout.labels, values
        return layout.labels + [label for label, _ in others], np.append(values, [value for _, value in others])

    def _others(self, collected: Collected) -> list[tuple[Label, float]]:
        targets = self._plan.targets
        found = [((targets[key].row, targets[key].source, name), value) for (key, name), value in collected.own.items()]
        if self._plan.updates:
            norms = dict(zip(collected.keys.tolist(), np.sqrt(collected.rows[:, SQUARE]).tolist(), strict=True))
            weights = {targets[key].row: norm for key, norm in norms.items() if targets[key].source == "weights"}
            for key, moved in norms.items():
                row = targets[key].row
                if targets[key].source == UPDATES and weights.get(row):
                    found.append(((row, "weights", UPDATE_RATIO), moved / weights[row]))
        return found

    def table(self) -> Table:
        """{layer: {source: {statistic: value}}}, layers in the model's order. Waits for a device."""
        found: dict[tuple[str, str], dict[str, float]] = {}
        labels, values = self.numbers()
        for (row, source, name), value in zip(labels, values.tolist(), strict=True):
            found.setdefault((row, source), {})[name] = value
        table: Table = {}
        for row in self._plan.rows:
            sources = {source: found[row, source] for source in self._plan.sources if (row, source) in found}
            if sources:
                table[row] = {source: _ordered(stats, self._plan.stats[source]) for source, stats in sources.items()}
        return table

    def histograms(self) -> dict[tuple[str, str], np.ndarray[Any, Any]]:
        """(2, bins + 1) edges and counts by (layer, source), for sources with the statistic histogram."""
        targets = self._plan.targets
        return {(targets[key].row, targets[key].source): array for key, array in self.collected.histograms.items()}

    @property
    def frozen(self) -> frozenset[str]:
        """Rows whose parameter does not require a gradient."""
        return frozenset(self._plan.targets[key].row for key in self._frozen)

    @property
    def nonfinite(self) -> list[tuple[str, str]]:
        """(layer, source) of everything with NaN or infinities, in the order in which it came to be.

        Without gradients where a GradScaler left the step out: that is how it finds its scale, which is in nothing
        else. Waits for a device.
        """
        targets = [self._plan.targets[key] for key in self.collected.bad]
        bad = [(target.row, target.source) for target in targets if target.source != UPDATES]
        if self.collected.skipped:
            bad = [place for place in bad if not place[1].startswith("grad")]
        return sorted(bad, key=lambda place: (place[1] == "weights") != self._early)


def _ordered(stats: dict[str, float], order: tuple[str, ...]) -> dict[str, float]:
    return {name: stats[name] for name in order if name in stats and name != HISTOGRAM}
