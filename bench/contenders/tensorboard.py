"""TensorBoard's SummaryWriter of torch: five add_scalar a step."""

from __future__ import annotations

from torch.utils.tensorboard import SummaryWriter

from bench.contenders.stepper import Stepper
from bench.stepping import Values


class Contender(Stepper):
    def __init__(self, folder: str, port: int) -> None:
        super().__init__()
        self._writer = SummaryWriter(folder)

    def step(self, i: int, values: Values) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, i)

    def settle(self) -> None:
        self._writer.flush()
