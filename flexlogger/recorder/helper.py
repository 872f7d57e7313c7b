"""Metrics that a Recorder records where there is no function to decorate."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import nn

from flexlogger.errors import ValueRefusedError
from flexlogger.recorder.gathered import Aggregation
from flexlogger.recorder.recorder import Recorder, check


class RecorderHelper:
    """Tells a recorder of values that are worked out by metrics.

    >>> helper = RecorderHelper(Recorder())
    >>> metric = helper.metric(sum, wrong=lambda guess, truth: float(guess != truth))
    >>> metric["wrong"](1, 2)
    1.0
    """

    def __init__(self, recorder: Recorder) -> None:
        if not isinstance(recorder, Recorder):
            raise ValueRefusedError(f"RecorderHelper: expected the Recorder to tell, but got {recorder!r}")
        self._recorder = recorder

    def metric(self, agg: Aggregation | None = None, /, **metrics: Any) -> dict[str, Any]:
        """Return the metrics by name; what their calls within `with recorder(train=False)` return is recorded.

        A metric of torchmetrics' (or a collection of them), or any module, is the same object as before; another
        callable is one that calls it. Without `agg` what has `update`, `compute` and `reset` is reset when a validation
        begins, and its `compute()` at the end is what is logged, whether it was called or updated; for others it is the
        mean of the numbers that they returned.
        """
        return {name: self._wrapped(name, agg, metric) for name, metric in metrics.items()}

    def _wrapped(self, name: str, agg: Aggregation | None, metric: Any) -> Any:
        check(name, agg)
        if agg is None and all(callable(getattr(metric, verb, None)) for verb in ("update", "compute", "reset")):
            self._recorder.add_source(name, _Computed(name, metric))
        elif not callable(metric):
            raise ValueRefusedError(f"recorder: {name!r}: expected a metric to call, but got {metric!r}")
        elif isinstance(metric, nn.Module):
            metric.register_forward_hook(_Hook(self._recorder, name, agg))
        else:
            return _Called(self._recorder, name, agg, metric)
        return metric


class _Computed:
    """A metric that is asked for its value of the whole validation."""

    def __init__(self, name: str, metric: Any) -> None:
        self._name = name
        self._metric = metric

    def begin(self) -> None:
        self._metric.reset()

    def end(self) -> dict[str, Any]:
        if not _updated(self._metric):
            return {}
        try:
            value = self._metric.compute()
        except Exception as error:
            error.add_note(f"while the recorder asked the metric {self._name!r} for its value")
            raise
        self._metric.reset()
        return {self._name: value}


def _updated(metric: Any) -> bool:
    """Whether a metric of torchmetrics', or one of a collection, has seen a value; others do not say."""
    if isinstance(metric, nn.ModuleDict):
        return any(_updated(part) for part in metric.values())
    return bool(getattr(metric, "update_called", True))


class _Hook:
    """A module's forward hook, which can be pickled with the module."""

    def __init__(self, recorder: Recorder, name: str, agg: Aggregation | None) -> None:
        self._recorder = recorder
        self._name = name
        self._agg = agg

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._recorder.recording is False:
            self._recorder.take(self._name, self._agg, output)


class _Called:
    """A callable whose results are recorded."""

    def __init__(self, recorder: Recorder, name: str, agg: Aggregation | None, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function, updated=())
        self._recorder = recorder
        self._name = name
        self._agg = agg
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        value = self._function(*args, **kwargs)
        if self._recorder.recording is False:
            self._recorder.take(self._name, self._agg, value)
        return value
