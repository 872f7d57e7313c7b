"""visdom's own client, appending one point to each of five lines with one call a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import visdom

from bench.contenders.stepper import Stepper
from bench.stepping import NAMES, Values


class Contender(Stepper):
    def __init__(self, folder: str, port: int) -> None:
        super().__init__()
        self._viz = visdom.Visdom(
            "http://127.0.0.1", port=port, env="bench", use_incoming_socket=False, raise_exceptions=True
        )
        self._opts: dict[str, Any] = {"legend": list(NAMES), "title": "scalars"}

    def step(self, i: int, values: Values) -> None:
        x, y = np.full((1, len(NAMES)), i), np.array([list(values.values())])
        update = "append" if i else None
        self._viz.line(Y=y, X=x, win="scalars", update=update, opts=self._opts)
