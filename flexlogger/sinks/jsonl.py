"""Everything that is plain data as lines of JSON, simpler than the run log's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from flexlogger.records import Datum, End, Event, Item, Record
from flexlogger.runs.format import jsonable, plain
from flexlogger.runs.opening import without_secrets
from flexlogger.sinks.ownfile import OwnFile
from flexlogger.sinks.scalars import LeftOut

MEDIA = ("image", "images", "video", "audio")
_JSON = ("table", "figure")


class JsonlSink:
    """Keeps a file of JSON objects, one a line: `{"step", "time", "values": {name: number}}` for the numbers of a
    record, `{"step", "time", "name", "kind", "value"}` for each other value, `{"time", "event", "info"}`, and at the
    end `{"time", "end": "finished"}`.

    Arrays are nested lists, tables and figures objects; images, videos and sounds are left out. Numbers that are not
    finite are the strings NaN, Infinity and -Infinity. The file is written anew when the run is taken up again.
    """

    def __init__(self, path: Path) -> None:
        self._file = OwnFile(path)
        self._encode = msgspec.json.Encoder().encode_lines
        self._left_out = LeftOut("jsonl")
        self.left_out = self._left_out.counts

    def write(self, batch: Sequence[Item]) -> None:
        """Append the lines of a batch."""
        self._file.append(self._encode([line for item in batch for line in _lines(item)]))
        for item in batch:
            for datum in item.data if isinstance(item, Record) else ():
                if datum.kind in MEDIA:
                    self._left_out.add(datum)

    def flush(self) -> None:
        """Everything written is in the file."""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _lines(item: Item) -> Iterator[dict[str, Any]]:
    if isinstance(item, Record):
        at = {"step": item.step, "time": item.time}
        if item.values:
            yield at | {"values": {name: jsonable(value) for name, value in item.values.items()}}
        for datum in item.data:
            if datum.kind not in MEDIA:
                captions = {"captions": datum.captions} if datum.captions else {}
                yield at | {"name": datum.name, "kind": datum.kind, "value": _value(datum)} | captions
    elif isinstance(item, End):
        yield {"time": item.time, "end": item.status}
    elif isinstance(item, Event) and isinstance(event := without_secrets(item), Event):
        at_step = {} if event.step is None else {"step": event.step}
        yield {"time": event.time, "event": event.kind, "info": plain(event.info)} | at_step


def _value(datum: Datum) -> Any:
    if isinstance(datum.value, str):
        return msgspec.Raw(datum.value.encode()) if datum.kind in _JSON else datum.value
    return plain(datum.value.tolist())
