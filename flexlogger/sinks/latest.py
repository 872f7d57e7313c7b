"""What a person who watches a run wants to know of its scalars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from flexlogger.records import End, Event, Item, Record, Step
from flexlogger.sinks.pace import Pace

TREND = 16
"""Bars of a trend; it covers the whole run."""
_BARS = "▁▂▃▄▅▆▇█"


class Meter:
    """One scalar: its `last` value and the `step` of it, the lowest and highest finite ones, its trend.

    `bad` is the step of the first value that is not finite. `fresh` is True until somebody showed the last value.
    """

    __slots__ = ("_buckets", "_size", "bad", "fresh", "high", "last", "low", "step")

    def __init__(self) -> None:
        self.last = 0.0
        self.step: Step = 0
        self.low = float("inf")
        self.high = float("-inf")
        self.bad: Step | None = None
        self.fresh = False
        self._buckets: list[tuple[float, int]] = []  # sums and counts
        self._size = 1

    def add(self, values: Sequence[float], step: Step) -> None:
        """Take in values in the order they were logged; `step` is that of the last one."""
        self.last, self.step, self.fresh = values[-1], step, True
        total = sum(values)
        if total - total != 0.0:  # one of them is not finite, or they are huge
            values = [value for value in values if value - value == 0.0]
        if values:
            self.low, self.high = min(self.low, *values), max(self.high, *values)
        done = 0
        while done < len(values):
            done += self._fill(values[done : done + self._size])

    def _fill(self, values: Sequence[float]) -> int:
        total, count = self._buckets.pop() if self._buckets and self._buckets[-1][1] < self._size else (0.0, 0)
        taken = values[: self._size - count]
        self._buckets.append((total + sum(taken), count + len(taken)))
        if len(self._buckets) > 2 * TREND:
            pairs = zip(self._buckets[::2], [*self._buckets[1::2], (0.0, 0)], strict=False)
            self._buckets = [(a + b, m + n) for (a, m), (b, n) in pairs]
            self._size *= 2
        return len(taken)

    @property
    def trend(self) -> str:
        """How the values went from the first to the last, as at most 16 bars between the lowest and the highest mean.

        >>> meter = Meter()
        >>> meter.add([8.0, 4.0, 2.0, 1.0], 3)
        >>> meter.trend
        '█▄▂▁'
        """
        buckets = self._buckets
        if len(buckets) > TREND:
            pairs = zip(buckets[::2], [*buckets[1::2], (0.0, 0)], strict=False)
            buckets = [(a + b, m + n) for (a, m), (b, n) in pairs]
        means = [total / count for total, count in buckets]
        low, high = min(means, default=0.0), max(means, default=0.0)
        span = high - low
        if not 0 < span < float("inf"):
            return _BARS[0] * len(means)
        return "".join(_BARS[min(int((mean - low) / span * len(_BARS)), len(_BARS) - 1)] for mean in means)


class Latest:
    """The scalars of a run by name, in the order in which they came, its pace, and the words of its events."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.meters: dict[str, Meter] = {}
        self.step: Step | None = None
        """The step of the newest record."""
        self.ending: str | None = None
        """How the run ended: "finished" or "crashed"; None while it runs."""
        self._messages: list[str] = []
        self._bad: dict[Step | None, list[str]] = defaultdict(list)

    def write(self, batch: Sequence[Item]) -> None:
        """Take in items of the log."""
        columns: dict[str, list[float]] = defaultdict(list)
        steps: dict[str, Step] = {}
        for item in batch:
            if isinstance(item, Record):
                self.ending = None
                if item.values:
                    self.pace.add(item.step, item.time)
                    self.step = item.step
                for name, value in item.values.items():
                    columns[name].append(value)
                    steps[name] = item.step
            elif isinstance(item, Event):
                self._happened(item)
            elif isinstance(item, End) and item.status != "forked":
                self.ending = item.status
        for name, values in columns.items():
            if name not in self.meters:
                self.meters[name] = Meter()
            self.meters[name].add(values, steps[name])
        for step, names in self._bad.items():
            for name in names:
                if name in self.meters and self.meters[name].bad is None:
                    self.meters[name].bad = step

    def _happened(self, event: Event) -> None:
        if event.kind == "nonfinite":
            self._bad[event.step].append(str(event.info.get("name")))
        elif event.kind == "drops":
            reasons = ", ".join(f"{count} ({reason})" for reason, count in event.info.items())
            self._messages.append(f"dropped so far: {reasons}")
        elif event.kind == "artifact" and not event.info.get("use"):
            self._messages.append(f"artifact {event.info.get('name')}:{event.info.get('version')} is stored")
        elif event.kind == "run":
            self.pace.restart()

    def messages(self) -> list[str]:
        """What happened since this was asked last, a line each."""
        lines = [f"not finite since step {step}: {few(names)}" for step, names in self._bad.items()]
        lines += self._messages
        self._bad.clear()
        self._messages.clear()
        return lines

    def ordered(self) -> list[tuple[str, Meter]]:
        """The meters by name: those that are not finite first, then in the order in which they came."""
        return sorted(self.meters.items(), key=lambda each: each[1].last - each[1].last == 0.0)


def few(names: Sequence[str], most: int = 8) -> str:
    """Some names, and how many more there are.

    >>> few(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
