"""Ignite's visdom handler, called as its engine calls it at the end of an iteration. Each scalar is a window.

The handler hands its calls to one thread and saves the environment after each; its queue has no bound.
"""

from __future__ import annotations

from ignite.engine import Engine, Events
from ignite.handlers.visdom_logger import OutputHandler, VisdomLogger

from bench.contenders.stepper import Stepper
from bench.stepping import Values


class Contender(Stepper):
    def __init__(self, folder: str, port: int) -> None:
        super().__init__()
        self._engine = Engine(lambda engine, batch: None)
        self._logger = VisdomLogger(server="http://127.0.0.1", port=port, env="bench", use_incoming_socket=False)
        self._handler = OutputHandler("training", output_transform=lambda output: output)

    def step(self, i: int, values: Values) -> None:
        state = self._engine.state
        state.iteration, state.output = i, values
        self._handler(self._engine, self._logger, Events.ITERATION_COMPLETED)

    def settle(self) -> None:
        self._logger.executor.submit(lambda: None).result()
