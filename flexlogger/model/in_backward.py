"""Gradients of parameters whose optimizer steps inside the backward pass, and frees them there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from flexlogger.model.gather import Gather, Wanted
from flexlogger.model.hooks import Inert
from flexlogger.model.parameters import ParameterReader


class Capture:
    """While armed, sees each gradient before the hooks of others that follow its accumulation.

    Only parameters that have such hooks are watched, since only theirs may be gone by the end of the backward pass.
    """

    def __init__(self, reader: ParameterReader, wanted: Wanted, failed: Callable[[Exception], None]) -> None:
        self._reader, self._wanted, self._failed = reader, wanted, failed
        self._handles: list[Any] = []
        self._captured: list[tuple[torch.Tensor, list[int]]] = []

    def arm(self, gather: Gather) -> None:
        """Watch every parameter with hooks of others; these keep their order, behind ours."""
        self._captured = []
        if not self._reader.parameters:  # it looks at the end of every step that is collected
            self._reader.look(gather)
        for parameter in self._reader.parameters:
            hooks = parameter.tensor._post_accumulate_grad_hooks
            if hooks:
                others = dict(hooks)
                first = _First(self, gather, parameter.grads)
                handle: Any = parameter.tensor.register_post_accumulate_grad_hook(first)  # type: ignore[no-untyped-call]
                ours = hooks[handle.id]
                hooks.clear()  # autograd calls them in the order of insertion
                hooks[handle.id] = ours
                hooks.update(others)
                self._handles.append(handle)

    def disarm(self) -> None:
        """Take the hooks out again."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def take(self, gather: Gather, parameter: torch.Tensor, keys: list[int]) -> None:
        """A gradient is complete for this backward pass."""
        try:
            if parameter.grad is not None:
                taken = gather.add(keys[0], parameter.grad, self._wanted)
                taken.extend(keys[1:])
                self._captured.append((parameter, taken))
        except Exception as error:
            self._failed(error)

    def settle(self) -> None:
        """Forget what can still be read at the end: that is complete."""
        for parameter, keys in self._captured:
            if parameter.grad is not None:
                keys.clear()
        self._captured = []


class _First(Inert):
    def __init__(self, capture: Capture, gather: Gather, keys: list[int]) -> None:
        self._capture, self._gather, self._keys = capture, gather, keys

    def __call__(self, parameter: torch.Tensor) -> None:
        self._capture.take(self._gather, parameter, self._keys)
