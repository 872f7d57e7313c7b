"""Reading parameters and their gradients between two steps of training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from flexlogger.model.gather import Gather, Wanted


class ParameterKeys:
    """One parameter of a row: where to find it, and its keys per source (-1: not wanted)."""

    __slots__ = ("attribute", "grads", "owner", "updates", "weights")

    def __init__(self, owner: nn.Module, attribute: str, weights: int, grads: int, updates: int) -> None:
        self.owner, self.attribute = owner, attribute
        self.weights, self.grads, self.updates = weights, grads, updates

    def parameter(self) -> torch.Tensor | None:
        """The parameter as it is now; None where it was taken away or has no size yet."""
        parameter = self.owner._parameters.get(self.attribute)
        return None if parameter is None or nn.parameter.is_lazy(parameter) else parameter


class ParameterReader:
    """Puts the parameters of a model and their gradients into a collection. A parameter that several layers share is
    read once, for all of them."""

    def __init__(self, keys: Sequence[ParameterKeys], weights: Wanted | None, grads: Wanted | None) -> None:
        self._keys, self._weights, self._grads = keys, weights, grads
        self._known: list[torch.Tensor | None] = []
        self._small: list[tuple[torch.Tensor, list[int], list[int]]] = []
        self._other: list[tuple[torch.Tensor, list[int], list[int]]] = []
        self._signatures: dict[tuple[bool, ...], object] = {}
        self.frozen: list[int] = []
        """Keys of the gradients that did not exist when last read because their parameter is frozen."""
        self._before: list[tuple[list[int], torch.Tensor, torch.Tensor]] = []

    def read(self, gather: Gather, scale: torch.Tensor | None = None) -> None:
        """Add weights and gradients. `scale` is what a GradScaler left to the optimizer to divide gradients by."""
        self._sort(gather)
        together: list[tuple[list[int], torch.Tensor]] = []
        if self._weights is not None:
            together += [(weights, parameter) for parameter, weights, _ in self._small]
            for parameter, weights, _ in self._other:
                self._add(gather, weights, parameter, self._weights)
        present: list[bool] = []
        if self._grads is not None:
            self.frozen = []
            for parameter, _, keys in self._small:
                grad = parameter.grad
                plain = grad is not None and grad.layout is torch.strided and scale is None
                present.append(plain)
                if plain:
                    together.append((keys, grad))  # type: ignore[arg-type]  # plain: it is there
                else:
                    self._read_grad(gather, parameter, keys, scale)
            for parameter, _, keys in self._other:
                self._read_grad(gather, parameter, keys, scale)
        if together:
            gather.add_together(together, self._signatures.setdefault(tuple(present), object()))

    def _read_grad(self, gather: Gather, parameter: torch.Tensor, keys: list[int], scale: torch.Tensor | None) -> None:
        if parameter.grad is not None and self._grads is not None:
            grad = parameter.grad if scale is None else parameter.grad / scale.to(parameter.grad.device)
            self._add(gather, keys, grad, self._grads)
        elif not parameter.requires_grad:
            self.frozen += keys

    def parameters(self) -> Iterable[tuple[torch.Tensor, list[int]]]:
        """Every parameter whose gradient is wanted, with the keys of its gradient."""
        found: dict[int, tuple[torch.Tensor, list[int]]] = {}
        for keys in self._keys:
            parameter = keys.parameter()
            if parameter is not None and keys.grads >= 0:
                found.setdefault(id(parameter), (parameter, []))[1].append(keys.grads)
        return found.values()

    # ---- how far a step moves them

    def remember(self) -> None:
        """Keep a copy of the weights as they are before the optimizer's step."""
        found: dict[int, tuple[list[int], torch.Tensor, torch.Tensor]] = {}
        for keys in self._keys:
            parameter = keys.parameter()
            if parameter is not None and keys.updates >= 0 and parameter.requires_grad:
                if id(parameter) not in found:
                    found[id(parameter)] = ([], parameter, parameter.detach().clone())
                found[id(parameter)][0].append(keys.updates)
        self._before = list(found.values())

    def read_updates(self, gather: Gather, wanted: Wanted) -> None:
        """Add how far the weights have moved since `remember`."""
        before, self._before = self._before, []
        with torch.no_grad():
            for keys, parameter, old in before:
                self._add(gather, keys, old.sub_(parameter.detach()), wanted)

    # ---- which parameters there are

    def _sort(self, gather: Gather) -> None:
        """Tell small parameters from others; again where some have been replaced."""
        now = [keys.parameter() for keys in self._keys]
        if len(now) == len(self._known) and all(a is b for a, b in zip(now, self._known, strict=True)):
            return
        self._known = now
        whole = any(wanted is not None and (wanted.own or wanted.histogram) for wanted in (self._weights, self._grads))
        found: dict[int, tuple[torch.Tensor, list[int], list[int]]] = {}
        for keys, parameter in zip(self._keys, now, strict=True):
            if parameter is not None:
                entry = found.setdefault(id(parameter), (parameter, [], []))
                if keys.weights >= 0:
                    entry[1].append(keys.weights)
                if keys.grads >= 0:
                    entry[2].append(keys.grads)
        self._small = [e for e in found.values() if not whole and gather.is_small(e[0])]
        self._other = [e for e in found.values() if whole or not gather.is_small(e[0])]
        self._signatures = {}

    @staticmethod
    def _add(gather: Gather, keys: list[int], tensor: torch.Tensor, wanted: Wanted) -> None:
        gather.add(keys[0], tensor, wanted).extend(keys[1:])
