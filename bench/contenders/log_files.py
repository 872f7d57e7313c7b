"""The run log's writer and reader beside what they cannot do without: encoding and writing, reading and decoding."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench import process
from bench.stepping import NAMES, made_up_values
from flexlogger.plots.board import Board
from flexlogger.records import Definition, MeterDef, PlotDef, Record
from flexlogger.runs.segment import SegmentReader, SegmentWriter, segments

BATCH = 1024
"""Records written at a time, as the pipe does."""


class Contender:
    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._files = 0
        self._written: dict[int, Path] = {}

    def round(self, what: str, records: int) -> dict[str, Any]:
        """`what` is one of write, bare_write, read, bare_read, replay."""
        process.forget_peak()
        before, started, cpu = process.rss_mb(), time.perf_counter(), time.process_time()
        answer: dict[str, Any] = getattr(self, f"_{what}")(records)
        answer.setdefault("seconds", time.perf_counter() - started)
        return {**answer, "cpu": time.process_time() - cpu, "grown": process.peak_mb() - before}

    def _write(self, records: int) -> dict[str, Any]:
        writer = SegmentWriter(self._new(), "bench")
        plots = (PlotDef("scalars"),)
        writer.append(
            [Definition(time.time(), plots, tuple(MeterDef(n, "AverageValueMeter", "scalars") for n in NAMES))]
        )

        def write(batch: list[Record]) -> None:
            writer.append(batch)
            writer.commit()

        seconds = _in_batches(records, write)
        writer.close()
        self._written[records] = writer.path
        return {"seconds": seconds, "bytes": writer.path.stat().st_size}

    def _bare_write(self, records: int) -> dict[str, Any]:
        path = self._new() / "bare.jsonl"
        path.parent.mkdir()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        encode = msgspec.json.Encoder().encode

        def write(batch: list[Record]) -> None:
            os.write(descriptor, b"\n".join([encode({"s": r.step, "t": r.time, "v": r.values}) for r in batch]) + b"\n")

        seconds = _in_batches(records, write)
        os.close(descriptor)
        return {"seconds": seconds, "bytes": path.stat().st_size}

    def _read(self, records: int) -> dict[str, Any]:
        """To items, in order, with every checksum."""
        count = 0
        reader = SegmentReader(segments(self._written[records].parent)[0])
        while items := reader.read():
            count += len(items)
        assert count == records + 1
        assert not reader.finish()
        return {}

    def _bare_read(self, records: int) -> dict[str, Any]:
        decode = msgspec.json.Decoder().decode
        count = 0
        with self._written[records].open("rb") as file:
            for line in file:
                decode(line)
                count += 1
        assert count == records + 2
        return {}

    def _replay(self, records: int) -> dict[str, Any]:
        """From the file to the window that a dashboard would be sent."""
        board = Board()
        reader = SegmentReader(self._written[records])
        while items := reader.read():
            board.write(items)
        panel = board.panel("scalars")
        assert len(panel.data) == len(NAMES)
        return {}

    def _new(self) -> Path:
        self._files += 1
        return self._folder / str(self._files)

    def close(self) -> dict[str, Any]:
        return {}


def _in_batches(records: int, write: Callable[[list[Record]], None]) -> float:
    """Seconds spent in `write` for `records` records of five scalars; making them is not counted."""
    ring = made_up_values()
    clock, spent = time.perf_counter_ns, 0
    for start in range(0, records, BATCH):
        steps = range(start, min(start + BATCH, records))
        batch = [Record(step, time.time(), ring[step % len(ring)]) for step in steps]
        before = clock()
        write(batch)
        spent += clock() - before
    return spent / 1e9
