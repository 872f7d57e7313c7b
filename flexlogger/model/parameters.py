"""Reading parameters and their gradients between two steps of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import torch
from torch import nn

from flexlogger.model.gather import Gather, Wanted


class ParameterKeys(msgspec.Struct, frozen=True):
    """One parameter of a row: where to find it, and its keys per source (-1: not wanted)."""

    owner: nn.Module
    attribute: str
    weights: int
    grads: int
    updates: int


class Parameter(msgspec.Struct, frozen=True):
    """A parameter as it is now, with the keys of all the rows it stands in."""

    tensor: torch.Tensor
    weights: list[int]
    grads: list[int]
    updates: list[int]


class ParameterReader:
    """Puts the parameters of a model and their gradients into a collection. A parameter that several layers share is
    read once, for all of them."""

    def __init__(self, keys: Sequence[ParameterKeys], weights: Wanted | None, grads: Wanted | None) -> None:
        self._keys, self._weights, self._grads = keys, weights, grads
        self._places = [(key.owner._parameters, key.attribute) for key in keys]
        self._known: list[Any] = []
        self._signatures: dict[tuple[bool, ...], object] = {}
        self._before: list[tuple[Parameter, torch.Tensor]] = []
        self._few: list[Parameter] = []
        self._small: list[Parameter] = []
        self.parameters: list[Parameter] = []
        """Every parameter once, as of the last `look`."""
        self.frozen: list[int] = []
        """Keys of the gradients that did not exist when last read because their parameter is frozen."""

    def look(self, gather: Gather) -> None:
        """See which parameters there are: lazy ones get theirs late, and any may be replaced."""
        now = [parameters.get(attribute) for parameters, attribute in self._places]
        if len(now) == len(self._known) and all(a is b for a, b in zip(now, self._known, strict=True)):
            return
        found: dict[int, Parameter] = {}
        for key, tensor in zip(self._keys, now, strict=True):
            if tensor is not None and not nn.parameter.is_lazy(tensor):
                parameter = found.setdefault(id(tensor), Parameter(tensor, [], [], []))
                for wanted, keys in (("weights", parameter.weights), ("grads", parameter.grads)):
                    if getattr(key, wanted) >= 0:
                        keys.append(getattr(key, wanted))
                if key.updates >= 0:
                    parameter.updates.append(key.updates)
        lazy = len(found) < len({id(tensor) for tensor in now if tensor is not None})
        self._known = [] if lazy else now
        self.parameters = list(found.values())
        whole = any(wanted is not None and (wanted.own or wanted.histogram) for wanted in (self._weights, self._grads))
        self._small = [p for p in self.parameters if not whole and gather.is_small(p.tensor)]
        self._few = [p for p in self.parameters if whole or not gather.is_small(p.tensor)]
        self._signatures = {}

    def read(self, gather: Gather, scale: torch.Tensor | None = None) -> None:
        """Add weights and gradients. `scale` is what a GradScaler left to the optimizer to divide gradients by."""
        self.look(gather)
        keys: list[list[int]] = []
        tensors: list[torch.Tensor] = []
        if self._weights is not None:
            keys += [parameter.weights for parameter in self._small]
            tensors += [parameter.tensor for parameter in self._small]
            for parameter in self._few:
                _add(gather, parameter.weights, parameter.tensor, self._weights)
        plain: tuple[bool, ...] = ()
        if self._grads is not None:
            self.frozen = []
            grads = [parameter.tensor.grad for parameter in self._small]
            plain = tuple(g is not None and g.layout is torch.strided and scale is None for g in grads)
            for parameter, grad, together in zip(self._small, grads, plain, strict=True):
                if together:
                    keys.append(parameter.grads)
                    tensors.append(grad)  # type: ignore[arg-type]  # it is there
                else:
                    self._read_grad(gather, parameter, scale, self._grads)
            for parameter in self._few:
                self._read_grad(gather, parameter, scale, self._grads)
        if tensors:
            gather.add_together(keys, tensors, self._signatures.setdefault(plain, object()))

    def _read_grad(self, gather: Gather, parameter: Parameter, scale: torch.Tensor | None, wanted: Wanted) -> None:
        grad = parameter.tensor.grad
        if grad is not None:
            _add(gather, parameter.grads, grad if scale is None else grad / scale.to(grad.device), wanted)
        elif not parameter.tensor.requires_grad:
            self.frozen += parameter.grads

    # ---- how far a step moves them

    def remember(self) -> None:
        """Keep a copy of the weights as they are before the optimizer's step."""
        self._before = [
            (parameter, parameter.tensor.detach().clone())
            for parameter in self.parameters
            if parameter.updates and parameter.tensor.requires_grad
        ]

    def read_updates(self, gather: Gather, wanted: Wanted) -> None:
        """Add how far the weights have moved since `remember`."""
        before, self._before = self._before, []
        for parameter, old in before:
            _add(gather, parameter.updates, old.sub_(parameter.tensor.detach()), wanted)


def _add(gather: Gather, keys: list[int], tensor: torch.Tensor, wanted: Wanted) -> None:
    gather.add(keys[0], tensor, wanted).extend(keys[1:])
