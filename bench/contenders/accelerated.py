"""Training on a device whose loss tensors are logged as they are, with statistics of its layers; and a twin without."""

from __future__ import annotations

import time
import warnings
from typing import Any

import torch

from bench.contenders.twins import seeded
from bench.contenders.twins_ours import PARAMETERS, STATS
from bench.model_models import MODELS
from flexlogger import FlexLogger, TooledModelLogger


class Contender:
    """`device` is as torch names it; every `every` steps parameters and gradients are looked at."""

    def __init__(self, model: str, device: str, every: int, folder: str, port: int) -> None:
        self._device = torch.device(device)
        self._steps = 0
        self._bare, self._watched = (seeded(MODELS[model]).to(self._device) for _ in range(2))
        self._losses = FlexLogger(
            {"loss": {"type": "line"}},
            {"loss": {"type": "AverageValueMeter", "target": "loss"}},
            server="127.0.0.1",
            port=port,
            env="bench",
            dir=folder,
        )
        work, options = self._watched, {"sources": PARAMETERS, "stats": STATS, "biases": True, "every": every}
        self._logger = TooledModelLogger(work.model, work.optimizer, logger=self._losses, **options)

    def round(self, watched: bool, steps: int, counted: bool = False) -> dict[str, Any]:
        """Milliseconds a step of `steps` steps, waited for at the end; with `counted`, how often torch says that a step
        waited for the device (which it is asked to look for, so that the time tells nothing)."""
        self._wait()
        with warnings.catch_warnings(record=True) as waits:
            warnings.simplefilter("always")
            if counted and self._device.type == "cuda":
                torch.cuda.set_sync_debug_mode("warn")
            started = time.perf_counter()
            for _ in range(steps):
                self._watched_step() if watched else self._bare.step()
            if counted and self._device.type == "cuda":
                torch.cuda.set_sync_debug_mode("default")
        self._wait()
        each = (time.perf_counter() - started) / steps * 1000
        self._logger.flush(60)
        return {"ms": each, "waits": sum("synchronizing" in str(wait.message) for wait in waits)}

    def _watched_step(self) -> None:
        self._losses.add({"loss": self._watched.step()})
        self._losses.log(self._steps)
        self._steps += 1
        self._logger.step()

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def close(self) -> dict[str, Any]:
        self._logger.close()
        self._losses.close()
        return {}
