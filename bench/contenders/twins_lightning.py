"""Lightning's grad_norm of every gradient, into its CSVLogger."""

from __future__ import annotations

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import grad_norm

from bench.contenders.twins import Twins


class Contender(Twins):
    def __init__(self, model: str, folder: str) -> None:
        super().__init__(model)
        self._logger = CSVLogger(folder)

    def after(self) -> None:
        norms = {name: float(norm) for name, norm in grad_norm(self.watched.model, 2).items()}
        self._logger.log_metrics(norms, self.steps)

    def settle(self) -> None:
        self._logger.save()
