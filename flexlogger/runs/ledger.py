"""From a run's items to its card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from flexlogger.records import End, Event, Item, Record
from flexlogger.rows import Rows
from flexlogger.runs.card import Card
from flexlogger.runs.secrets import hide
from flexlogger.runs.summaries import Summary

MAX_ARTIFACTS = 1000
_SAID = ("id", "project", "name", "tags", "notes", "env", "uid", "url", "rank", "world")


class Ledger:
    """Takes a run's items in order and knows the card they make up, in bounded memory.

    >>> ledger = Ledger()
    >>> ledger.write([Event(1.0, "run", {"id": "a", "config": {"lr": 0.1}}), Record(7, 2.0, {"loss": 0.5}), End(3.0)])
    >>> card = ledger.card()
    >>> card.id, card.config, card.summary, card.last_step, card.status
    ('a', {'lr': 0.1}, {'loss': 0.5}, 7, 'finished')
    """

    def __init__(self) -> None:
        self.end: End | None = None
        """The last `End` of a process that was not forked off another."""
        self._card = Card()
        self._summary = Summary()
        self._counted: dict[str, int] = {}  # drops of the process that counts them now
        self._owners = 0
        self._newest = 0.0

    def write(self, items: Sequence[Item]) -> None:
        """Take items in log order."""
        if not items:
            return
        card = self._card
        card.start = card.start or items[0].time
        if isinstance(items, Rows):
            self._rows(items)
            return
        steps = [item.step for item in items if type(item) is Record]
        if steps:
            card.last_step = max(steps) if card.last_step is None else max(card.last_step, *steps)
        self._newest = max(self._newest, *(item.time for item in items))
        self._summary.write(items)
        for item in items:
            if isinstance(item, Event):
                self._event(item)
            elif isinstance(item, End) and item.status != "forked":
                self.end = item

    def _rows(self, rows: Rows) -> None:
        card = self._card
        card.last_step = rows.highest if card.last_step is None else max(card.last_step, rows.highest)
        self._newest = max(self._newest, float(rows.times.max()))
        self._summary.write(rows)

    def card(self) -> Card:
        """The card as of now. What comes later does not change it."""
        card = msgspec.structs.replace(self._card, summary=self._summary.as_dict(), metrics=list(self._summary.rules))
        card.name = card.name or card.id
        card.beat = self._newest
        if self.end is not None and self.end.time >= self._newest:
            card.status, card.end = self.end.status, self.end.time
        return card

    @property
    def nonfinite(self) -> dict[str, dict[str, Any]]:
        """The first value of each name that was not finite, and its step."""
        return self._card.nonfinite

    def _event(self, event: Event) -> None:
        card, info = self._card, event.info
        if event.kind == "run":
            self._run(hide(info))
        elif event.kind == "about":
            self._about(hide(info))
        elif event.kind == "config":
            card.config = {**card.config, **hide(info.get("set", {}))}
        elif event.kind == "nonfinite":
            self._nonfinite(str(info.get("name")), info)
        elif event.kind == "drops":
            self._drops(info)
        elif event.kind == "artifact" and info not in card.artifacts:
            card.artifacts = [*card.artifacts, info][-MAX_ARTIFACTS:]

    def _run(self, info: dict[str, Any]) -> None:
        """An owner's first event: what it says goes before what earlier owners said, what it leaves out stays."""
        self._about({key: info[key] for key in _SAID if info.get(key)})
        self._card.config = {**self._card.config, **info.get("config", {})}
        self._card.resumed = self._owners
        self._owners += 1
        self._counted = {}
        self.end = None

    def _about(self, said: dict[str, Any]) -> None:
        for key, value in said.items():
            setattr(self._card, key, value)

    def _nonfinite(self, name: str, info: dict[str, Any]) -> None:
        """The first of each name stays: a resumed run's process finds its own first one."""
        known = self._card.nonfinite
        if name not in known:
            self._card.nonfinite = {**known, name: {key: value for key, value in info.items() if key != "name"}}

    def _drops(self, info: dict[str, int]) -> None:
        """Each process counts from zero, and says its sums so far."""
        new = {reason: count - self._counted.get(reason, 0) for reason, count in info.items()}
        total = Counter(self._card.dropped)
        total.update({reason: more if more > 0 else info[reason] for reason, more in new.items() if more})
        self._card.dropped = dict(total)
        self._counted = dict(info)
