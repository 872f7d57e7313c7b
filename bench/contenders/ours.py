"""flexlogger: five AverageValueMeters on one plot, `add` and `log` every step."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from bench.contenders.stepper import Stepper
from bench.stepping import NAMES, Values
from flexlogger import FlexLogger


class Contender(Stepper):
    """`views`: "visdom", or "all" (visdom, a terminal that is /dev/null, memory). `patience` bounds the settling."""

    def __init__(self, folder: str, port: int, views: str = "visdom", patience: float = 120.0) -> None:
        super().__init__()
        if views == "all":
            sys.stderr = Path("/dev/null").open("w")  # noqa: SIM115 - for the life of the process
        self._patience = patience
        self.stat = stat = FlexLogger(
            {"scalars": {"type": "line"}},
            {name: {"type": "AverageValueMeter", "target": "scalars"} for name in NAMES},
            server="127.0.0.1",
            port=port,
            env="bench",
            dir=folder,
            sinks=["visdom", "terminal", "memory"] if views == "all" else ["visdom"],
        )
        add, log = stat.add, stat.log

        def step(i: int, values: Values) -> None:
            add(values)
            log(i)

        self.step = step  # type: ignore[method-assign]  # what a training loop writes, and no more

    def settle(self) -> None:
        self.stat.flush(self._patience, views=False)
        self.stat.flush(self._patience)

    def figures(self) -> dict[str, Any]:
        return {"dropped": sum(self.stat.status()["dropped"].values())}

    def close(self) -> dict[str, Any]:
        self.stat.close()
        return {}
