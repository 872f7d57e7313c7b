"""Watching a compiled model inside its graph: statistics are part of what is compiled.

Each layer has a forward hook of its own from the start, which the compiler traces. Watched steps and others are two
graphs; the first computes a row of moments a tensor into memory that was allocated beforehand, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from flexlogger.errors import ValueRefusedError, nearest
from flexlogger.model.gather import Gather
from flexlogger.model.hooks import repeating
from flexlogger.model.layers import measured
from flexlogger.model.plan import Plan
from flexlogger.model.statistics import COLUMNS, HIGH, LOW, STATISTICS, N
from flexlogger.readback import Copied, copy_to_host

EMPTY = [float("inf") if at == LOW else -float("inf") if at == HIGH else 0.0 for at in range(len(COLUMNS))]

_WITHIN = {"inputs": 0, "outputs": 1, "grad_out": 2, "grad_in": 3}
"""The order within a layer."""


class Switch:
    """Whether the step is watched; the compiler makes a graph for either. `step` is another number for each."""

    def __init__(self) -> None:
        self.on = False
        self.step = 0


class GraphProbe:
    """Takes the place of a `Probe`. All passes with gradients count. Only statistics that are made of moments.

    Make it before the first compiled call. torch is told to look at hooks of modules before it uses compiled code,
    because that of another model of the same class would be used otherwise.
    """

    by_itself = True

    def __init__(self, plan: Plan, model: nn.Module) -> None:
        for source in plan.hooks:
            _refuse_others(source, plan.stats[source])
        import torch._dynamo.config as config

        self._guards = config.skip_nnmodule_hook_guards
        config.skip_nnmodule_hook_guards = False
        self._switch = Switch()
        self.own = 0.0
        device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        self._empty = torch.tensor(EMPTY, device=device)
        self._keys: list[int] = []
        self._rows: list[torch.Tensor] = []
        self._names: list[str] = []
        self._counts: Copied | None = None
        self._handles = [
            layer.module.register_forward_hook(
                _InGraph(self._switch, self._slots(layer.name, plan.keys[layer.name])), with_kwargs=True
            )
            for layer in plan.layers
        ]
        self._in_order(plan)
        self._scaled = [plan.targets[key].source.startswith("grad") for key in self._keys]

    def _in_order(self, plan: Plan) -> None:
        """Forward through the layers, then back: what turned bad first is told by its place."""
        names = [layer.name for layer in plan.layers]

        def when(at: int) -> tuple[bool, int, int]:
            target = plan.targets[self._keys[at]]
            backward, layer = target.source.startswith("grad"), names.index(target.row)
            return backward, -layer if backward else layer, _WITHIN[target.source]

        order = sorted(range(len(self._keys)), key=when)
        self._keys = [self._keys[at] for at in order]
        self._rows = [self._rows[at] for at in order]
        self._names = [self._names[at] for at in order]

    def _slots(self, name: str, keys: Mapping[str, int]) -> dict[str, torch.Tensor]:
        slots = {source: self._empty.clone() for source in keys}
        self._names += [name] * len(slots)
        self._keys += keys.values()
        self._rows += slots.values()
        return slots

    @property
    def unseen(self) -> list[str] | None:
        """The layers without any row when this was first asked; None while the device has not told. Whether the model
        has run is not known here; it is taken to have."""
        if self._counts is None:
            self._counts = copy_to_host([torch.stack(self._rows)[:, N].contiguous()])
        if self._counts.event is not None and not self._counts.event.query():
            return None
        counts = self._counts.hosts[0].tolist()
        seen = {name for name, n in zip(self._names, counts, strict=True) if n}
        return [name for name in dict.fromkeys(self._names) if name not in seen]

    def arm(self, gather: Gather, every_pass: bool) -> None:
        """Watch from now on."""
        torch._foreach_copy_(self._rows, [self._empty] * len(self._rows))
        self._switch.on = True
        self._switch.step += 1

    def deliver(self, gather: Gather) -> None:
        """Hand over what the graph has computed."""
        gather.add_rows(self._keys, torch.stack(self._rows), self._scaled)

    def disarm(self) -> None:
        """Watch no more."""
        self._switch.on = False

    def remove(self) -> None:
        """Take the hooks out; torch's guards are as they were."""
        import torch._dynamo.config as config

        while self._handles:
            self._handles.pop().remove()
        config.skip_nnmodule_hook_guards = self._guards


class _InGraph:
    """The hook of one layer; copies of the model have one that does nothing."""

    def __init__(self, switch: Switch, slots: Mapping[str, torch.Tensor]) -> None:
        self.switch = switch
        self.inputs, self.outputs = slots.get("inputs"), slots.get("outputs")
        self.grad_in, self.grad_out = slots.get("grad_in"), slots.get("grad_out")
        self.counted = 0

    def __call__(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if not self.switch.on or not torch.is_grad_enabled():
            return
        if not torch.compiler.is_compiling() and self._counted_before():
            return
        _put(measured([args, kwargs]), self.inputs, self.grad_in)
        _put(measured(output), self.outputs, self.grad_out)

    def _counted_before(self) -> bool:
        """Whether a checkpoint repeats what has been counted. A reentrant one first runs without gradients, where
        nothing is counted."""
        if repeating():
            return self.counted == self.switch.step
        self.counted = self.switch.step
        return False

    def __deepcopy__(self, memo: dict[int, Any]) -> _InGraph:
        return _InGraph(Switch(), {})

    def __reduce__(self) -> Any:
        return _InGraph, (Switch(), {})


def _refuse_others(source: str, names: tuple[str, ...]) -> None:
    """Raise ValueRefusedError for the first statistic that is not made of moments."""
    for name in names:
        if name not in STATISTICS:
            close = nearest(name, STATISTICS)
            instead = f"did you mean {close!r}?" if close else f"expected some of: {', '.join(STATISTICS)}"
            raise ValueRefusedError(f"in_graph: {source}: {name!r} cannot be a part of what is compiled; {instead}")


def _put(tensors: list[torch.Tensor], values: torch.Tensor | None, grads: torch.Tensor | None) -> None:
    for tensor in tensors:
        if values is not None:
            _merge_into(values, tensor)
        if grads is not None and tensor.requires_grad:
            tensor.register_hook(_Merge(grads))  # type: ignore[no-untyped-call]  # torch leaves it untyped


class _Merge:
    """Adds a gradient to a row."""

    def __init__(self, row: torch.Tensor) -> None:
        self.row = row

    def __call__(self, grad: torch.Tensor) -> None:
        _merge_into(self.row, grad)


def _merge_into(row: torch.Tensor, tensor: torch.Tensor) -> None:
    """Add a tensor to a row of moments, as `statistics.merge` does, in operations that a compiler can fuse."""
    x = tensor.detach()
    x = x.abs() if x.is_complex() else x
    x = x if x.is_floating_point() and x.dtype not in (torch.float16, torch.bfloat16) else x.float()
    old_n, old_mean = row[0], row[1]
    mean = x.mean()
    n = old_n + x.numel()
    away = mean - old_mean
    new = [
        n,
        old_mean + away * (x.numel() / n),
        row[2] + (x - mean).square().sum() + away.square() * old_n * (x.numel() / n),
        row[3] + x.square().sum(),
        torch.minimum(row[4], x.amin()),
        torch.maximum(row[5], x.amax()),
        row[6] + x.abs().sum(),
        row[7] + (x == 0).sum(),
        row[8] + (~x.isfinite()).sum(),
    ]
    row.copy_(torch.stack([value.to(row.dtype) for value in new]))
