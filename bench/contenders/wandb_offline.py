"""wandb in offline mode: one log call a step."""

from __future__ import annotations

from typing import Any

import wandb

from bench.contenders.stepper import Stepper
from bench.stepping import Values


class Contender(Stepper):
    def __init__(self, folder: str, port: int) -> None:
        super().__init__()
        self._run = wandb.init(project="bench", dir=folder, mode="offline")

    def step(self, i: int, values: Values) -> None:
        self._run.log(values, step=i)

    def close(self) -> dict[str, Any]:
        self._run.finish()
        return {}
