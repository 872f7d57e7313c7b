"""torchnet's meters and VisdomPlotLogger: five lines of one plot, each its own call, as torchnet's examples do."""

from __future__ import annotations

from torchnet.logger import VisdomPlotLogger
from torchnet.meter import AverageValueMeter

from bench.contenders.stepper import Stepper
from bench.stepping import NAMES, Values


class Contender(Stepper):
    def __init__(self, folder: str, port: int) -> None:
        super().__init__()
        self._plot = VisdomPlotLogger("line", env="bench", port=port, server="127.0.0.1", opts={"title": "scalars"})
        self._meters = {name: AverageValueMeter() for name in NAMES}

    def step(self, i: int, values: Values) -> None:
        for name, value in values.items():
            meter = self._meters[name]
            meter.add(value)
            self._plot.log(i, meter.value()[0], name=name)
            meter.reset()
