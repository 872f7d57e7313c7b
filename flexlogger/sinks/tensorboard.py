"""Event files for TensorBoard, written with tensorboardX."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from flexlogger.errors import SinkError
from flexlogger.records import Datum, Event, Item, Record
from flexlogger.runs.ledger import Ledger
from flexlogger.sinks.about import as_text, flat
from flexlogger.sinks.ownfile import OwnFile
from flexlogger.sinks.scalars import LeftOut, Numbers, WholeSteps, is_short

SUFFIX = ".flexlogger"
_ABOUT = ("run", "about", "config", "summary")
_PREFIX = "flexlogger"
"""tensorboardX asks us for the files whose path begins with it."""


class TensorBoardSink:
    """Keeps one event file in `folder`: scalars, images, histograms, texts, and tables as texts.

    Steps become integers there and values single precision. What the run is, its hyper-parameters and its summary are
    the texts `run`, `config` and `summary`; the hyper-parameters are in the HParams tab too. The file is written anew
    when the run is taken up again; a TensorBoard that has read the one before lets go of it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = Numbers()
        self._steps = WholeSteps("tensorboard")
        self._ledger = Ledger()
        self._told: dict[str, str] = {}
        self._left_out = LeftOut("tensorboard")
        self.left_out = self._left_out.counts
        self._events: _Events | None = None

    def write(self, batch: Sequence[Item]) -> None:
        """Write the events of a batch. Raises SinkError where the disk refuses."""
        self._numbers.note(batch)
        events = self._opened()
        for item in batch:
            if isinstance(item, Record):
                step = self._steps.of(item.step)
                events.add_scalars(self._numbers.of(item), step, item.time)
                for datum in item.data:
                    events.add(datum, step, item.time)
        events.send()
        self._ledger.write(batch)
        for item in batch:
            for datum in item.data if isinstance(item, Record) else ():
                if not is_short(datum) and datum.kind not in _SUMMARIES:
                    self._left_out.add(datum)
        if any(isinstance(item, Event) and item.kind in _ABOUT for item in batch):
            self._tell(events, ("run", "config"))

    def _opened(self) -> _Events:
        if self._events is None:
            self._events = _Events(self._folder)
        return self._events

    def _tell(self, events: _Events, names: Sequence[str]) -> None:
        """Write what is new of what the run is."""
        card = self._ledger.card()
        said: dict[str, Mapping[str, Any]] = {
            "run": {"run": f"{card.project}/{card.id}", "name": card.name, "tags": card.tags, "notes": card.notes},
            "config": card.config,
            "summary": card.summary,
        }
        for name in names:
            entries = {key: as_text(value) for key, value in said[name].items() if value not in ("", [])}
            text = "\n".join(f"    {key}: {value}" for key, value in entries.items())
            if text and self._told.get(name) != text:
                if name == "config":
                    events.add_hparams(flat(card.config), card.beat)
                events.add(Datum(name, "text", text), self._steps.of(card.last_step or 0), card.beat)
                self._told[name] = text
        events.send()

    def flush(self) -> None:
        """Write the summary of a run that has ended."""
        if self._ledger.end is not None and self._events is not None:
            self._tell(self._events, ("run", "config", "summary"))

    def close(self) -> None:
        """Let go of the file."""
        if self._events is not None:
            self._events.close()


class _Events:
    """An event file that takes the place of ours from before."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX import event_file_writer, record_writer
        from tensorboardX.proto import event_pb2, summary_pb2

        self._event, self._session = event_pb2.Event, event_pb2.SessionLog
        self._summary = summary_pb2.Summary
        record_writer.register_writer_factory(_PREFIX, _Files)
        try:
            for path in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
                path.unlink()
        except OSError as error:
            raise SinkError(f"cannot write {folder} ({error.strerror or error})") from error
        self._writer = event_file_writer.EventsWriter(f"{_PREFIX}:{folder / 'events'}", SUFFIX)
        start = self._session(status=self._session.START)  # what was read before, from step 0 on, is void
        self._writer.write_event(self._event(step=0, session_log=start))
        self._writer.flush()

    def add_scalars(self, values: Mapping[str, float], step: int, time: float) -> None:
        if values:
            entries = [self._summary.Value(tag=name, simple_value=_single(value)) for name, value in values.items()]
            self._put(self._summary(value=entries), step, time)

    def add(self, datum: Datum, step: int, time: float) -> None:
        if datum.kind in _SUMMARIES:
            summary = _SUMMARIES[datum.kind](datum)
            for value in summary.value:
                value.tag = datum.name  # as it is: tensorboardX would replace some letters
            self._put(summary, step, time)

    def add_hparams(self, config: Mapping[str, Any], time: float) -> None:
        from tensorboardX.summary import hparams

        for summary in hparams(config, {})[:2]:  # the third says that the run has ended
            self._put(summary, 0, time)

    def _put(self, summary: Any, step: int, time: float) -> None:
        self._writer.write_event(self._event(wall_time=time, step=step, summary=summary))

    def send(self) -> None:
        """Put what was added into the file, or none of it. Raises SinkError where the disk refuses."""
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _Files:
    """How tensorboardX opens our files."""

    @staticmethod
    def open(path: str) -> _Buffered:
        return _Buffered(Path(path.removeprefix(f"{_PREFIX}:")))

    @staticmethod
    def directory_check(path: str) -> None:
        """The folder is made with the file."""


class _Buffered:
    """A file that is written in whole pieces: what goes in between two flushes, or none of it."""

    def __init__(self, path: Path) -> None:
        self._file = OwnFile(path)
        self._piece = bytearray()

    def write(self, data: bytes) -> None:
        self._piece += data

    def flush(self) -> None:
        piece = bytes(self._piece)
        self._piece.clear()
        self._file.append(piece)

    def close(self) -> None:
        self._file.close()


# ---- what values become


def _image(datum: Datum) -> Any:
    from tensorboardX.summary import image

    return image(datum.name, datum.value, dataformats="HW" if datum.value.ndim == 2 else "HWC")  # type: ignore[union-attr]  # an array


def _images(datum: Datum) -> Any:
    from tensorboardX.summary import image

    assert not isinstance(datum.value, str)
    array = datum.value if datum.value.ndim == 4 else datum.value[..., None]
    return image(datum.name, array, dataformats="NHWC")


def _histogram(datum: Datum) -> Any:
    from tensorboardX.summary import histogram_raw

    assert not isinstance(datum.value, str)
    edges, counts = datum.value[0], datum.value[1, :-1]
    middles = (edges[:-1] + edges[1:]) / 2
    sums = counts @ middles, counts @ middles**2
    return histogram_raw(datum.name, edges[0], edges[-1], counts.sum(), *sums, edges[1:], counts)


def _as_text(datum: Datum) -> Any:
    from tensorboardX.summary import text

    return text(datum.name, str(datum.value))


def _table(datum: Datum) -> Any:
    from tensorboardX.summary import text

    table = msgspec.json.decode(str(datum.value))
    rows = [table["columns"], ["---"] * len(table["columns"]), *table["rows"]]
    return text(datum.name, "\n".join(f"| {' | '.join(map(as_text, row))} |" for row in rows))


_SUMMARIES = {"image": _image, "images": _images, "histogram": _histogram, "text": _as_text, "table": _table}


def _single(value: float) -> float:
    """A number as a single: beyond its range it is infinite."""
    return value if value - value != 0.0 or abs(value) < 3.4028235e38 else math.copysign(math.inf, value)
