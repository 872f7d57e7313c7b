"""A run of five scalars a record, logged here and kept by `flexlogger monitor` in another process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.stepping import NAMES, made_up_values
from flexlogger import FlexLogger


class Contender:
    def __init__(self, folder: str) -> None:
        command = [sys.executable, "-m", "flexlogger", "monitor", "--listen", "tcp://127.0.0.1:0", "--sinks", "none"]
        self._far = subprocess.Popen([*command, "--dir", f"{folder}/there"], stdout=subprocess.PIPE, text=True)
        assert self._far.stdout is not None
        where = self._far.stdout.readline().split("listening on ")[1].split(",")[0]
        self._there = Path(folder, "there")
        self._stat = FlexLogger(
            {"scalars": {"type": "line"}},
            {name: {"type": "LastValueMeter", "target": "scalars"} for name in NAMES},
            dir=f"{folder}/here",
            pipe=where,
        )
        self._steps = 0

    def round(self, count: int) -> dict[str, Any]:
        """`count` records, until the other side has written them all."""
        ring, add, log = made_up_values(), self._stat.add, self._stat.log
        started = time.perf_counter()
        for n in range(count):
            add(ring[n % len(ring)])
            log()
        logged = time.perf_counter() - started
        assert self._stat.flush(120.0), "not all arrived"
        seconds = time.perf_counter() - started
        self._steps += count
        assert sum(map(_records, self._there.rglob("*.jsonl"))) == self._steps, "something was lost, or came twice"
        return {"per_second": count / seconds, "log_us": 1e6 * logged / count}

    def close(self) -> dict[str, Any]:
        self._stat.close()
        self._far.terminate()
        return {"ended": self._far.wait(10)}


def _records(segment: Path) -> int:
    return segment.read_bytes().count(b'"v":{')
