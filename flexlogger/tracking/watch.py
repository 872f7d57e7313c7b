"""`watch`: norm, mean and std of a model's weights and gradients, layer by layer, as curves of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from flexlogger import faults
from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.model.snapshot import Snapshot
from flexlogger.model.tooled import TooledModel
from flexlogger.records import Record, Scalars, Step

SOURCES = {"gradients": ("grads",), "parameters": ("weights",), "all": ("grads", "weights")}
"""What may be watched, as wandb says it, and what a `TooledModel` calls that."""
NAMES = {"grads": "gradients", "weights": "parameters"}
STATS = ("norm", "mean", "std")


class Statistics:
    """A record of what was collected in one step; worked out by the pipe's worker once it has left its device."""

    def __init__(self, snapshot: Snapshot, step: Step) -> None:
        self._snapshot = snapshot
        self._step = step
        self.size = snapshot.nbytes

    def arrived(self) -> bool:
        """True once nothing waits for a device."""
        return self._snapshot.arrived()

    def record(self) -> Record:
        """One number a layer: `gradients.norm.fc1`."""
        labels, values = self._snapshot.numbers()
        names = [f"{NAMES[source]}.{stat}.{layer}" for layer, source, stat in labels]
        return Record(self._step, self._snapshot.time, Scalars(tuple(names), values))


class Watch:
    """Watches one model until `remove`: hands `send` what was collected in each `log_freq`-th step of its optimizer.

    `optimizer` may be missing, or be a loss function as wandb's `watch` takes: then it is the first optimizer that
    steps with a parameter of the model, from its next step on. Raises ValueRefusedError.
    """

    def __init__(
        self, model: nn.Module, optimizer: Any, log: str, log_freq: int, send: Callable[[Snapshot], None]
    ) -> None:
        if log not in SOURCES:
            raise ValueRefusedError(f"watch: log: {unknown('word', str(log), SOURCES)}")
        if isinstance(log_freq, bool) or not isinstance(log_freq, int) or log_freq < 1:
            raise ValueRefusedError(f"watch: log_freq: expected a whole number of steps, but got {log_freq!r}")
        if not isinstance(model, nn.Module):
            raise ValueRefusedError(f"watch: expected a torch.nn.Module, but got {type(model).__name__}")
        self.model = model
        self._sources = SOURCES[log]
        self._every = log_freq
        self._send = send
        self._sent: Snapshot | None = None
        self._tooled: TooledModel | None = None
        self._handles: list[Any] = []
        if isinstance(optimizer, Optimizer):
            self._attach(optimizer)
        else:
            self._handles.append(register_optimizer_step_post_hook(self._look))

    @property
    def windows(self) -> list[str]:
        """The names that are windows, with a line a layer."""
        return [f"{NAMES[source]}.{stat}" for source in self._sources for stat in STATS]

    def remove(self) -> None:
        """Leave the model and the optimizer as they were."""
        while self._handles:
            self._handles.pop().remove()
        if self._tooled is not None:
            self._tooled.remove()

    def _look(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Called after the steps of any optimizer, until one of them is the model's."""
        own = {id(parameter) for parameter in self.model.parameters()}
        if self._tooled is None and any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
            self._attach(optimizer)

    def _attach(self, optimizer: Optimizer) -> None:
        self._tooled = TooledModel(self.model, optimizer, sources=self._sources, stats=STATS, every=self._every)
        self._handles.append(optimizer.register_step_post_hook(self._after_step))

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if len(self._handles) > 1:  # it was found; a hook cannot be removed by itself while torch goes through them
            self._handles.pop(0).remove()
        latest = self._tooled.latest if self._tooled is not None else None
        if latest is not None and latest is not self._sent:
            self._sent = latest
            try:
                self._send(latest)
            except Exception as error:
                faults.swallow("logging what was watched", error)
