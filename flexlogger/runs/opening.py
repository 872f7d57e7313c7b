"""What stays in force: what a segment has to begin with, to be understood without what was before it."""

from __future__ import annotations

from typing import Any

from flexlogger.records import Definition, End, Event, Item
from flexlogger.runs.secrets import hide

LASTING = ("run", "about", "config", "summary", "metric", "artifact")
"""Events that say what the run is, in users' words."""


def without_secrets(item: Definition | Event | End) -> Definition | Event | End:
    """An item as it is to be written.

    >>> without_secrets(Event(0.0, "config", {"set": {"token": "abc"}})).info
    {'set': {'token': '***'}}
    """
    if isinstance(item, Event) and item.kind in LASTING:
        return Event(item.time, item.kind, hide(item.info), item.step)
    return item


class Opening:
    """Remembers what a log says that stays in force: the newest definition, and the events that make up the run's card.

    >>> opening = Opening()
    >>> for value in (1, 2):
    ...     opening.note(Event(0.0, "config", {"set": {"lr": value}}))
    >>> [event.info for event in opening.items()]
    [{'set': {'lr': 2}}]
    """

    def __init__(self) -> None:
        self._definition: Definition | None = None
        self._events: dict[tuple[str, str], Event] = {}

    def note(self, item: Item) -> None:
        """Remember an item, in the place of one that it supersedes."""
        if isinstance(item, Definition):
            self._definition = item
        elif isinstance(item, Event) and item.kind in LASTING:
            key = (item.kind, f"{item.info.get('name')}:{item.info.get('version')}")
            self._events[key] = _joined(self._events.get(key), item)

    def items(self) -> list[Item]:
        """What the next segment begins with."""
        definitions = [] if self._definition is None else [self._definition]
        return [*self._events.values(), *definitions]


def _joined(earlier: Event | None, event: Event) -> Event:
    if earlier is None or event.kind not in ("config", "summary"):
        return event
    gone: list[Any] = [*earlier.info.get("delete", ()), *event.info.get("delete", ())]
    kept = {key: value for key, value in earlier.info.get("set", {}).items() if key not in event.info.get("delete", ())}
    info = {"set": {**kept, **event.info.get("set", {})}} | ({"delete": gone} if gone else {})
    return Event(event.time, event.kind, info, event.step)
