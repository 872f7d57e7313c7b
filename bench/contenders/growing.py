"""Another contender's step, many times: what it costs in CPU and memory until all of it is shown."""

from __future__ import annotations

import importlib
import time
from typing import Any

from bench import process
from bench.stepping import made_up_values


class Contender:
    """`kind` is the module of the contender."""

    def __init__(self, kind: str, folder: str, port: int) -> None:
        self._stepper = importlib.import_module(f"bench.contenders.{kind}").Contender(folder=folder, port=port)
        self._values = made_up_values()
        self._done = 0

    def round(self, steps: int, settle: bool = True) -> dict[str, Any]:
        """Log `steps` steps as fast as it goes and, with `settle`, wait until they are shown.

        `cpu` is this process's, in seconds, `grown` its peak memory over what it had before, in MB, `logged_at` when
        the last call returned, in unix seconds.
        """
        step, values, first = self._stepper.step, self._values, self._done
        process.forget_peak()
        before, cpu = process.rss_mb(), time.process_time()
        for i in range(steps):
            step(first + i, values[i % len(values)])
        logged_at = time.time()
        self._done += steps
        if settle:
            self._stepper.settle()
        spent, grown = time.process_time() - cpu, process.peak_mb() - before
        return {"cpu": spent, "grown": grown, "logged_at": logged_at, **self._stepper.figures()}

    def close(self) -> dict[str, Any]:
        return dict(self._stepper.close())
