"""wandb.watch of everything it has (histograms of gradients and parameters), offline, with one scalar a step."""

from __future__ import annotations

from typing import Any

import wandb

from bench.contenders.twins import Twins


class Contender(Twins):
    def __init__(self, model: str, folder: str) -> None:
        super().__init__(model)
        self._run = wandb.init(project="bench", dir=folder, mode="offline")
        self._run.watch(self.watched.model, log="all", log_freq=1)

    def after(self) -> None:
        self._run.log({"step": self.steps})

    def close(self) -> dict[str, Any]:
        self._run.finish()
        return {}
