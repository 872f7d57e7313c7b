"""Which layers of a model are looked at, and what they are called."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import nn

from flexlogger.errors import ValueRefusedError, nearest, unknown

Chooser = str | type[nn.Module] | Callable[[str, nn.Module], object]
"""A glob (``encoder.*``), ``re:`` and a regular expression of the whole name, ``type:`` and a class's name, a class, or
a function of name and module."""
Choice = Chooser | Iterable[Chooser] | None

_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""What torch.compile, FSDP and checkpoint wrappers call the module inside them."""


class Layer:
    """One module that is looked at. A module that stands in a model twice is one layer under its first name.

    `parameters` are (row, owner, attribute): the `weight` stands in the layer's own row, any other parameter in a row
    under its fully qualified name.
    """

    def __init__(self, name: str, module: nn.Module, aliases: tuple[str, ...], biases: bool) -> None:
        self.name, self.module, self.aliases = name, module, aliases
        self.parameters = tuple(
            (name if attribute == "weight" else f"{name}.{attribute}", module, attribute)
            for attribute, parameter in module._parameters.items()
            if parameter is not None and (biases or not attribute.startswith("bias"))
        )

    def __repr__(self) -> str:
        return f"Layer({self.name!r}, {type(self.module).__name__})"


def unwrapped(model: nn.Module) -> nn.Module:
    """The user's model inside DataParallel, DistributedDataParallel and torch.compile."""
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif "_orig_mod" in model._modules:
            model = model._modules["_orig_mod"]  # type: ignore[assignment]  # never None
        else:
            return model


def plain(path: str) -> str:
    """A module's path, or a parameter's, as it is without the wrappers inside the model.

    >>> plain("encoder._orig_mod.0.weight")
    'encoder.0.weight'
    """
    return ".".join(part for part in path.split(".") if part not in _WRAPPERS)


def flattened(model: nn.Module) -> bool:
    """Whether FSDP's first version has a part of the model."""
    return any("_fsdp_wrapped_module" in module._modules for module in model.modules())


def select_layers(model: nn.Module, choice: Choice = None, biases: bool = False) -> list[Layer]:
    """The layers of a model in its own order; by default every module without children or with parameters of its own.

    With `biases`, parameters called bias have rows too. Raises ValueRefusedError for a choice that chooses nothing.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1)))
    >>> [layer.name for layer in select_layers(net)]
    ['0', '1.0', '1.1']
    >>> [layer.name for layer in select_layers(net, ["type:Linear", "1"])]
    ['0', '1', '1.1']
    >>> select_layers(net, "encoder.*")
    Traceback (most recent call last):
    flexlogger.errors.ValueRefusedError: layers: 'encoder.*' chooses none of the model's layers: 0, 1, 1.0, 1.1
    """
    modules = _named(unwrapped(model))
    choosers = _choosers(choice)
    if not choosers:
        chosen = {id(module) for module, _ in modules if _is_layer(module)}
    else:
        chosen = set()
        for chooser in choosers:
            found = {id(module) for module, names in modules if _chooses(chooser, names, module)}
            if not found:
                raise _nothing(chooser, modules)
            chosen |= found
    return [Layer(names[0], module, tuple(names[1:]), biases) for module, names in modules if id(module) in chosen]


def _named(model: nn.Module) -> list[tuple[nn.Module, list[str]]]:
    """Every module once, with all its names."""
    found: dict[int, tuple[nn.Module, list[str]]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        if any(child in _WRAPPERS for child in module._modules):
            continue
        found.setdefault(id(module), (module, []))[1].append(plain(path) or type(module).__name__)
    return list(found.values())


def _is_layer(module: nn.Module) -> bool:
    children = any(child is not None and name != "parametrizations" for name, child in module._modules.items())
    return not children or any(parameter is not None for parameter in module._parameters.values())


def _choosers(choice: Choice) -> list[Chooser]:
    if choice is None:
        return []
    several = [choice] if isinstance(choice, str | type) or not isinstance(choice, Iterable) else list(choice)
    for chooser in several:
        if not (isinstance(chooser, str) or callable(chooser)):
            raise ValueRefusedError(
                f"layers: expected a name, a class, a function or a list of them, got {chooser!r:.60}"
            )
    if not several:
        raise ValueRefusedError("layers: expected at least one choice, but got none; without layers, all are taken")
    return several


def _chooses(chooser: Chooser, names: list[str], module: nn.Module) -> bool:
    if isinstance(chooser, type):
        return isinstance(module, chooser)
    if not isinstance(chooser, str):
        return any(chooser(name, module) for name in names)
    if chooser.startswith("type:"):
        return chooser.removeprefix("type:") in (cls.__name__ for cls in type(module).__mro__)
    if chooser.startswith("re:"):
        return any(_pattern(chooser).fullmatch(name) for name in names)
    return any(fnmatch.fnmatchcase(name, chooser) for name in names)


def _pattern(chooser: str) -> re.Pattern[str]:
    try:
        return re.compile(chooser.removeprefix("re:"))
    except re.error as error:
        raise ValueRefusedError(f"layers: {chooser!r} is no regular expression: {error}") from None


def _nothing(chooser: Chooser, modules: list[tuple[nn.Module, list[str]]]) -> ValueRefusedError:
    names = [name for _, names in modules for name in names if name]
    if isinstance(chooser, str) and chooser.startswith("type:"):
        types = {type(module).__name__ for module, _ in modules}
        return ValueRefusedError(f"layers: {unknown('type', chooser.removeprefix('type:'), types)}")
    if not isinstance(chooser, str):
        name = getattr(chooser, "__name__", chooser)
        return ValueRefusedError(f"layers: {name!r} chooses none of the model's layers")
    if chooser in {type(module).__name__ for module, _ in modules}:
        return ValueRefusedError(f"layers: {chooser!r} is the name of no layer; did you mean 'type:{chooser}'?")
    close = nearest(chooser, names)
    if close is not None:
        return ValueRefusedError(f"layers: {chooser!r} chooses none of the model's layers; did you mean {close!r}?")
    listed = ", ".join(names[1:9]) + (", …" if len(names) > 9 else "")
    return ValueRefusedError(f"layers: {chooser!r} chooses none of the model's layers: {listed}")


def leaves(value: object) -> Iterator[torch.Tensor]:
    """The tensors in what a module takes or returns: in tuples, lists, mappings and dataclasses, however deep.

    >>> [t.item() for t in leaves({"a": torch.tensor(1), "b": [torch.tensor(2), None, (torch.tensor(3),)]})]
    [1, 2, 3]
    """
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from leaves(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from leaves(entry)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for field in value.__dataclass_fields__:
            yield from leaves(getattr(value, field, None))


def measured(value: object) -> list[torch.Tensor]:
    """The tensors whose statistics are taken: all floating-point and complex ones, and where there are none, those of
    whole numbers (an embedding's input)."""
    if type(value) is tuple and len(value) == 1:
        value = value[0]
    if type(value) is torch.Tensor:
        return [value]
    found = list(leaves(value))
    floats = [tensor for tensor in found if tensor.is_floating_point() or tensor.is_complex()]
    return floats or [tensor for tensor in found if tensor.dtype != torch.bool]
