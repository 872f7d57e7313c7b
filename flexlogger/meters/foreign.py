"""Meters of other people: torchmetrics, torchnet, and own classes with add, value and reset."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import BaseMeter
from flexlogger.meters.results import outputs_of
from flexlogger.meters.values import as_array
from flexlogger.records import Kind, Output


def is_metric(value: object) -> bool:
    """Whether it has torchmetrics' methods: update, compute and reset."""
    return all(callable(getattr(value, method, None)) for method in ("update", "compute", "reset"))


def is_meter(value: object) -> bool:
    """Whether it has a meter's methods: add, value and reset."""
    return all(callable(getattr(value, method, None)) for method in ("add", "value", "reset"))


def wrap(meter: Any, kind: Kind = "any") -> BaseMeter:
    """Make a meter of ours out of anything with add, value and reset, or update, compute and reset.

    Our own meters are returned as they are. Raises ValueRefusedError for anything else.

    >>> class Count:
    ...     n = 0
    ...     def add(self, value): self.n += value
    ...     def value(self): return self.n
    ...     def reset(self): self.n = 0
    >>> meter = wrap(Count())
    >>> meter.add(2); meter.add(3)
    >>> meter.collect()
    {'': 5.0}
    """
    if isinstance(meter, BaseMeter):
        return meter
    if is_meter(meter):
        windowed = getattr(meter, "windowed", type(meter).__name__ == "MovingAverageValueMeter")
        return WindowedForeignMeter(meter, kind) if windowed else ForeignMeter(meter, kind)
    if is_metric(meter):
        return MetricMeter(meter, kind)
    name = type(meter).__name__
    raise ValueRefusedError(f"Expected a meter with add, value and reset, but got {name}, which has not all of them")


class ForeignMeter(BaseMeter):
    """A meter that is not ours: what it is given is copied first, what it yields is read by its shape.

    Two numbers in a tuple are a mean and its standard deviation; (area, tpr, fpr) is a ROC curve; torchnet's top-k
    list is one output each; a dict, one each. A value of no known kind is logged as an array of kind "any".
    """

    def __init__(self, meter: Any, kind: Kind = "any") -> None:
        self.meter = meter
        self.kind = kind
        declared = getattr(meter, "outputs", None)
        if isinstance(declared, tuple) and declared and all(isinstance(output, Output) for output in declared):
            self.outputs = declared
        else:
            self.outputs = (Output(kind="any"),)
        self._empty = True

    @property
    def empty(self) -> bool:
        return self._empty

    def add(self, /, *values: Any, **named: Any) -> None:
        self.meter.add(*map(_copy, values), **{key: _copy(value) for key, value in named.items()})
        self._empty = False

    def value(self) -> Any:
        """Return what the meter returns."""
        return self.meter.value()

    def reset(self) -> None:
        self._empty = True
        self.meter.reset()

    def collect(self) -> dict[str, Any]:
        return outputs_of(self.value(), self.meter, self.kind)


class WindowedForeignMeter(ForeignMeter):
    """A foreign meter that `log` must not reset."""

    windowed = True


class MetricMeter(ForeignMeter):
    """A torchmetrics Metric or MetricCollection. It follows the tensors it is given to their device.

    Arrays and lists of numbers become tensors. Inputs are copied where the metric keeps them whole (list states).
    """

    def __init__(self, meter: Any, kind: Kind = "any") -> None:
        super().__init__(meter, kind)
        self._keeps = _keeps_inputs(meter)
        self._device: torch.device | None = None

    def add(self, /, *values: Any, **named: Any) -> None:
        given = [self._tensor(value) for value in values]
        given_named = {key: self._tensor(value) for key, value in named.items()}
        for value in (*given, *given_named.values()):
            if isinstance(value, torch.Tensor):
                self._follow(value.device)
                break
        with torch.no_grad():
            self.meter.update(*given, **given_named)
        self._empty = False

    def value(self) -> Any:
        """Return what `compute` returns."""
        with torch.no_grad():
            return self.meter.compute()

    def _tensor(self, value: Any) -> Any:
        if isinstance(value, np.ndarray | np.number):
            return torch.tensor(value)
        if isinstance(value, list | tuple) and not any(isinstance(entry, torch.Tensor) for entry in value):
            array = as_array(value)
            return torch.tensor(array) if array is not None else _copy(value)
        if isinstance(value, torch.Tensor):
            return value.detach().clone() if self._keeps else value.detach()
        return _copy(value) if self._keeps else value

    def _follow(self, device: torch.device) -> None:
        if device != self._device:
            if hasattr(self.meter, "to"):
                self.meter.to(device)
            self._device = device


def _keeps_inputs(meter: Any) -> bool:
    modules = meter.modules() if isinstance(meter, torch.nn.Module) else ()
    states = [getattr(module, "metric_state", {}) for module in modules]
    return any(isinstance(state, list) for named in states for state in named.values())


def _copy(value: Any) -> Any:
    """Copy tensors and arrays, also within lists and dicts, so that a meter may keep what it is given."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copy(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_copy, value))
    return value
