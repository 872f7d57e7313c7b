"""What torch calls: small objects that do nothing in copies and pickles of what they hang on."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from flexlogger.model.gather import Wanted

if TYPE_CHECKING:
    from flexlogger.model.probe import Probe


_graph_task: Callable[[], int] = getattr(torch._C, "_current_graph_task_id", lambda: -1)


def repeating() -> bool:
    """Whether autograd runs: a forward pass then is one that a checkpoint repeats."""
    return _graph_task() != -1


def nothing(*_: Any) -> None:
    """What a hook is in a copy."""


def _unpickled() -> Callable[..., None]:
    return nothing


class Inert:
    """A hook that does nothing in what is copied or pickled with it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return nothing

    def __reduce__(self) -> Any:
        return _unpickled, ()


class Before(Inert):
    """Any module is about to run."""

    def __init__(self, probe: Probe) -> None:
        self._probe = weakref.ref(probe)

    def __call__(self, module: torch.nn.Module, args: Any) -> None:
        if torch.compiler.is_compiling():
            return
        probe = self._probe()
        if probe is not None:
            probe.before(module, args)


class After(Inert):
    """Any module has run."""

    def __init__(self, probe: Probe) -> None:
        self._probe = weakref.ref(probe)

    def __call__(self, module: torch.nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            return
        probe = self._probe()
        if probe is not None:
            probe.after(module, args, kwargs, output)


class OnGrad(Inert):
    """The gradient of a tensor has come back, in the step `generation` or a later one, which it is not of."""

    def __init__(self, probe: Probe, generation: int, key: int, wanted: Wanted) -> None:
        self.probe, self.generation, self.keys, self.wanted = probe, generation, [key], wanted

    def __call__(self, grad: torch.Tensor) -> None:
        if self.probe.generation == self.generation:
            self.probe.take_grad(self, grad)
