"""ModelExplorer: what of a model can be tracked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from torch import nn

from flexlogger.inspector.tracker import Watched
from flexlogger.model.eager import EAGER
from flexlogger.model.gather import Gather, Wanted
from flexlogger.model.layers import Layer, leaves, select_layers, unwrapped
from flexlogger.model.need import Need
from flexlogger.model.plan import Plan
from flexlogger.model.probe import Probe


class LayerInfo(NamedTuple):
    """A layer without children: the module, its qualified name, its class, the name of the module around it, and the
    classes of all around it, outermost first."""

    module: nn.Module
    name: str
    type: str
    parent: str
    types: str


class HookLayers(NamedTuple):
    """Layers by name: those whose outputs can be tracked, and those that a gradient comes back to."""

    forward: dict[str, nn.Module]
    backward: dict[str, nn.Module]


class ModelExplorer:
    """Looks at what a model is made of.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2)))
    >>> [(info.name, info.type, info.parent, info.types) for info in ModelExplorer.get_layers(model)][1]
    ('1.0', 'ReLU', '1', 'Sequential.Sequential')
    >>> forward, backward = ModelExplorer.get_hook_layers(model, torch.rand(5, 4))
    >>> list(forward), list(backward)
    (['0', '1.0', '1.1'], ['0', '1.0', '1.1'])
    """

    @staticmethod
    def get_layers(model: nn.Module) -> list[LayerInfo]:
        """All modules without children, in the model's order, each once."""
        root = unwrapped(model)
        modules = dict(root.named_modules())
        found = []
        for name, module in modules.items():
            if next(module.children(), None) is None:
                parents = [".".join(name.split(".")[:depth]) for depth in range(name.count(".") + 1)] if name else []
                types = ".".join(type(modules[parent]).__name__ for parent in parents)
                found.append(LayerInfo(module, name, type(module).__name__, name.rpartition(".")[0], types))
        return found

    @staticmethod
    def get_hook_layers(model: nn.Module, input_to_test: Any) -> HookLayers:
        """The layers that `ParallelHandler.track_layer` sees something of: `track_layer(-1, found.forward)`.

        Found by one pass forward and back. `input_to_test` is one valid input: a tensor, a tuple of positional or a
        mapping of named arguments. Parameters, their gradients, buffers and random states stay as they are. What the
        model raises for the input is raised.
        """
        root = unwrapped(model)
        layers = select_layers(root)
        sources = ("outputs", "grad_out")
        keys = {
            layer.name: {source: 2 * at + back for back, source in enumerate(sources)}
            for at, layer in enumerate(layers)
        }
        errors: list[Exception] = []
        watched = Watched(layers, keys, {source: Wanted(Need()) for source in sources})
        probe = Probe(cast(Plan, watched), root, None, errors.append)
        seen = _Seen()
        with _undisturbed(root):
            EAGER.hold()
            try:
                probe.arm(cast(Gather, seen), every_pass=False)
                _pass(root, input_to_test)
            finally:
                probe.disarm()
                EAGER.release()
        if errors:
            raise errors[0]
        return HookLayers(_named(layers, seen.keys, 0), _named(layers, seen.keys, 1))


class _Seen:
    """Stands where a `Gather` collects: remembers what came."""

    factor = 1.0

    def __init__(self) -> None:
        self.keys: set[int] = set()

    def add(self, key: int, tensor: torch.Tensor, wanted: Wanted, *, scaled: bool = False) -> list[int]:
        self.keys.add(key)
        return [key]

    def forget(self) -> None:
        self.keys.clear()


def _named(layers: list[Layer], seen: set[int], back: int) -> dict[str, nn.Module]:
    return {layer.name: layer.module for at, layer in enumerate(layers) if 2 * at + back in seen}


def _pass(model: nn.Module, given: Any) -> None:
    with torch.enable_grad():
        if isinstance(given, Mapping):
            output = model(**given)
        else:
            output = model(*given) if isinstance(given, tuple) else model(given)
        ends = [leaf for leaf in leaves(output) if leaf.requires_grad]
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if ends and parameters:
            loss = sum(end.abs().sum() if end.is_complex() else end.sum() for end in ends)
            torch.autograd.grad(loss, parameters, allow_unused=True)  # type: ignore[arg-type]  # a tensor: ends has one


@contextmanager
def _undisturbed(model: nn.Module) -> Iterator[None]:
    """Put buffers (statistics of batches) and random states back afterwards."""
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(list(devices)):
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
