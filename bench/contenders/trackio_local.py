"""trackio with its local SQLite: one log call a step."""

from __future__ import annotations

import os
import time
from typing import Any

from bench.contenders.stepper import Stepper
from bench.stepping import Values


class Contender(Stepper):
    def __init__(self, folder: str, port: int) -> None:
        super().__init__()
        os.environ["TRACKIO_DIR"] = folder  # read when trackio is imported
        import trackio

        self._run = trackio.init("bench", embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def step(self, i: int, values: Values) -> None:
        self._run.log(values, step=i)

    def settle(self) -> None:
        end = time.monotonic() + 60
        while self._run._queued_logs and time.monotonic() < end:  # it has no flush
            time.sleep(0.1)
        time.sleep(0.5)

    def close(self) -> dict[str, Any]:
        self._run.finish()
        return {}
