"""Ignite's WeightsScalarHandler and GradsScalarHandler: the norm of each parameter and gradient, to TensorBoard."""

from __future__ import annotations

from ignite.engine import Engine, Events
from ignite.handlers.tensorboard_logger import GradsScalarHandler, TensorboardLogger, WeightsScalarHandler

from bench.contenders.twins import Twins


class Contender(Twins):
    def __init__(self, model: str, folder: str) -> None:
        super().__init__(model)
        self._engine = Engine(lambda engine, batch: None)
        self._logger = TensorboardLogger(folder)
        self._handlers = [kind(self.watched.model) for kind in (WeightsScalarHandler, GradsScalarHandler)]

    def after(self) -> None:
        self._engine.state.iteration = self.steps
        for handler in self._handlers:
            handler(self._engine, self._logger, Events.ITERATION_COMPLETED)

    def settle(self) -> None:
        self._logger.writer.flush()
