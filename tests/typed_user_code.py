"""Code as users write it, which mypy --strict must accept. Nothing runs it."""

from __future__ import annotations

from pathlib import Path

import torch

import flexlogger
from flexlogger import ConfigError, FlexLogger, UnknownNameError, get_preset_logger, preset_info
from flexlogger.server.process import start_server
from flexlogger.sinks.memory import MemorySink


class Count:
    def __init__(self) -> None:
        self.n = 0

    def add(self, value: float) -> None:
        self.n += 1

    def value(self) -> int:
        return self.n

    def reset(self) -> None:
        self.n = 0


def train(folder: Path) -> dict[str, list[str]]:
    view = MemorySink()
    meters = {"loss": {"type": Count, "target": "loss"}}
    with FlexLogger({"loss": {"type": "line"}}, meters, env="a", sinks=["visdom", view], port=8097) as stat:
        stat.add({"loss": torch.tensor(0.5)})
        stat.add(loss=0.5)
        stat({"loss": 1})
        stat.log(3)
        stat.log(2.5, keys=["loss"], reset=False)
        flushed: bool = stat.flush(5.0)
        url: str | None = stat.url
        print(flushed, url, stat.value("loss"), stat.last("loss"), stat.step() + 1, view.series("loss"))
    try:
        other = get_preset_logger("loss+acc", phases=["train", "val"], dir=str(folder))
    except (ConfigError, UnknownNameError) as error:
        raise SystemExit(str(error)) from error
    with start_server(folder) as server:
        print(server.url, flexlogger.meter_types(), preset_info("loss").plots[0].type)
    return other.get_definitions()
