"""One meter as the logger sees it: what to push into, and how its outputs become parts of a record."""

from __future__ import annotations

from typing import Any

import torch

from flexlogger.config.model import MeterConfig
from flexlogger.meters.base import BaseMeter, Payload
from flexlogger.readback import Reading, place, to_array
from flexlogger.records import Datum, MeterDef


class Channel:
    """A declared meter with its instance. `labels` name the entries of a vector."""

    __slots__ = ("config", "labels", "meter", "name")

    def __init__(self, config: MeterConfig, meter: BaseMeter, labels: tuple[str, ...]) -> None:
        self.name = config.name
        self.config = config
        self.meter = meter
        self.labels = config.labels or labels

    def definition(self) -> MeterDef:
        """How this meter travels."""
        kind = self.config.type
        name = kind if isinstance(kind, str) else getattr(kind, "__qualname__", type(kind).__qualname__)
        return MeterDef(
            self.name, name, self.config.target, tuple(self.meter.outputs), self.labels, dict(self.config.display)
        )


class Draft:
    """The parts of one `log` call: host values, and what is still on a device.

    Arrays above `max_media` bytes are refused; `refused` counts them by output name.
    """

    __slots__ = ("data", "max_media", "readings", "refused", "scalars", "values")

    def __init__(self, values: dict[str, float], max_media: int) -> None:
        self.values = values
        self.data: list[Datum] = []
        self.scalars: dict[str, torch.Tensor] = {}
        self.readings: list[Reading] = []
        self.refused: list[tuple[str, int]] = []
        self.max_media = max_media

    def take(self, name: str, value: Any, labels: tuple[str, ...]) -> None:
        """Add one output of a meter, whose `labels` name the entries of a vector."""
        if isinstance(value, float):
            self.values[name] = value
        elif isinstance(value, Payload):
            self._take_payload(name, value, labels)
        elif isinstance(value, torch.Tensor) and value.device.type != "cpu":
            self.scalars[name] = value
        else:
            self.values[name] = float(value)

    def _take_payload(self, name: str, payload: Payload, labels: tuple[str, ...]) -> None:
        value = payload.value
        size = len(value) if isinstance(value, str) else value.nbytes
        if size > self.max_media:
            self.refused.append((name, size))
            return
        reading = Reading(name, payload.kind, value, labels)
        if isinstance(value, torch.Tensor) and value.device.type != "cpu":
            self.readings.append(reading)
        else:
            place(reading, value if isinstance(value, str) else to_array(value), self.values, self.data)
