"""Reading parameters and their gradients between two steps of training."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
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


class Small(msgspec.Struct, frozen=True):
    """The small parameters that are read together: the keys of their weights and gradients, the weights, and whose
    gradients come with them. It stands for the shapes of all these."""

    keys: list[list[int]]
    weights: list[torch.Tensor]
    graded: list[torch.Tensor]
    others: list[Parameter]
    """Parameters whose gradients are read one by one: there is none, or it is sparse, or scaled."""


class ParameterReader:
    """Puts the parameters of a model and their gradients into a collection. A parameter that several layers share is
    read once, for all of them."""

    def __init__(self, keys: Sequence[ParameterKeys], weights: Wanted | None, grads: Wanted | None) -> None:
        self._keys, self._weights, self._grads = keys, weights, grads
        self._places = [(key.owner._parameters, key.attribute) for key in keys]
        self._known: list[Any] = []
        self._before: list[tuple[Parameter, torch.Tensor]] = []
        self._large: list[Parameter] = []
        self._small: list[Parameter] = []
        self._together: Small | None = None
        self.parameters: list[Parameter] = []
        """Every parameter once, as of the last `look`."""
        self.frozen: list[int] = []
        """Keys of the gradients that did not exist when last read because their parameter is frozen."""

    def look(self, gather: Gather) -> None:
        """See which parameters there are: lazy ones get theirs late, and any may be replaced."""
        now = [parameters.get(attribute) for parameters, attribute in self._places]
        if len(now) == len(self._known) and all(map(is_, now, self._known)):
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
        self._large = [p for p in self.parameters if whole or not gather.is_small(p.tensor)]
        self._together = None

    def read(self, gather: Gather, scale: torch.Tensor | None = None) -> None:
        """Add weights and gradients. `scale` is what a GradScaler left to the optimizer to divide gradients by."""
        self.look(gather)
        self.frozen = []
        small = self._read_small(gather, scale is not None)
        if self._weights is not None:
            for parameter in self._large:
                _add(gather, parameter.weights, parameter.tensor, self._weights)
        if self._grads is not None:
            for parameter in (*small.others, *self._large):
                self._read_grad(gather, parameter, scale, self._grads)

    def _read_small(self, gather: Gather, scaled: bool) -> Small:
        """Copy what is small, as it was last time; where that has changed, look at every gradient first."""
        small = self._together
        if small is not None and not (scaled and small.graded):
            try:
                _copy(gather, small)
                return small
            except (TypeError, NotImplementedError):  # a gradient is not there any more, or has become sparse
                pass
        small = self._together = self._look_at_small(scaled)
        _copy(gather, small)
        return small

    def _look_at_small(self, scaled: bool) -> Small:
        weights = self._small if self._weights is not None else []
        graded: list[Parameter] = []
        if self._grads is not None and not scaled:
            graded = [p for p in self._small if p.tensor.grad is not None and p.tensor.grad.layout is torch.strided]
        known = {id(parameter) for parameter in graded}
        return Small(
            [p.weights for p in weights] + [p.grads for p in graded],
            [p.tensor for p in weights],
            [p.tensor for p in graded],
            [p for p in self._small if id(p) not in known] if self._grads is not None else [],
        )

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


def _copy(gather: Gather, small: Small) -> None:
    if small.keys:
        grads: list[Any] = [weight.grad for weight in small.graded]  # None is refused
        gather.add_together(small.keys, small.weights + grads, small)
