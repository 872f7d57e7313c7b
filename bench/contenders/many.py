"""flexlogger with many windows of five lines each, every line logged every time."""

from __future__ import annotations

import random
import time
from typing import Any

from flexlogger import FlexLogger

LINES = 5


class Contender:
    def __init__(self, folder: str, port: int, windows: int) -> None:
        names = {f"plot_{w}": [f"plot_{w}_line_{line}" for line in range(LINES)] for w in range(windows)}
        self._names = [name for lines in names.values() for name in lines]
        self._stat = FlexLogger(
            {plot: {"type": "line"} for plot in names},
            {name: {"type": "LastValueMeter", "target": plot} for plot, lines in names.items() for name in lines},
            server="127.0.0.1",
            port=port,
            env="bench",
            dir=folder,
            layout={"columns": 4, "height": 240},
        )
        self._step = 0
        self._random = random.Random(0)

    def round(self, seconds: float, rate: float, steps: int = 0) -> dict[str, Any]:
        """Log `steps` times at once and wait until it is shown, then `rate` times a second for `seconds`."""
        for _ in range(steps):
            self._log()
        self._stat.flush(60)
        before, cpu, due = self._flushes(), time.process_time(), time.monotonic()
        end = due + seconds
        while (now := time.monotonic()) < end:
            time.sleep(max(0.0, due - now))
            self._log()
            due += 1 / rate
        return {
            "cpu": time.process_time() - cpu,
            "refreshes": (self._flushes() - before) / seconds if seconds else 0.0,
            "dropped": sum(self._stat.status()["dropped"].values()),
        }

    def _log(self) -> None:
        self._stat.add({name: self._random.random() for name in self._names})
        self._stat.log(self._step)
        self._step += 1

    def _flushes(self) -> int:
        return int(self._stat.status()["views"]["visdom"]["flushes"])

    def close(self) -> dict[str, Any]:
        self._stat.close()
        return {}
