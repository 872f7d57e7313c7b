"""Lightning's CSVLogger: log_metrics appends to a list, and writes it out in the caller's thread every 100 steps."""

from __future__ import annotations

from lightning.pytorch.loggers import CSVLogger

from bench.contenders.stepper import Stepper
from bench.stepping import Values


class Contender(Stepper):
    def __init__(self, folder: str, port: int) -> None:
        super().__init__()
        self._logger = CSVLogger(folder)

    def step(self, i: int, values: Values) -> None:
        self._logger.log_metrics(values, i)

    def settle(self) -> None:
        self._logger.save()
