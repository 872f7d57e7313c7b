"""A model as a table of its layers."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

import flexlogger.runs as runs


def describe_model(run: runs.TrackedRun, model: nn.Module) -> None:
    """Log the table of a model's layers as `model`, and note in the run's summary how many parameters it has.

    >>> run = runs.init(mode="disabled")
    >>> describe_model(run, nn.Linear(3, 2))
    >>> run.summary["parameters"], run.summary["trainable_parameters"]
    (8, 8)
    >>> run.finish()
    """
    parameters = list(model.parameters())
    run.summary["parameters"] = _count(parameters)
    run.summary["trainable_parameters"] = _trainable(parameters)
    run.log({"model": layer_table(model)}, step=run.step)


def layer_table(model: nn.Module) -> runs.Table:
    """The layers with parameters of their own or without layers inside: name, type, own parameters, how many train.

    Nothing is called: no forward pass is spent and no random number is drawn. Parameters of a lazy layer count as 0
    until it has seen an input.

    >>> layer_table(nn.Sequential(nn.Linear(3, 2), nn.ReLU())).data
    [['0', 'Linear', 8, 8], ['1', 'ReLU', 0, 0]]
    """
    table = runs.Table(columns=["layer", "type", "parameters", "trainable"])
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if own or not any(True for _ in module.children()):
            kind = type(module).__name__
            table.add_data(name or kind, kind, _count(own), _trainable(own))
    return table


def _count(parameters: Iterable[nn.Parameter]) -> int:
    return sum(0 if nn.parameter.is_lazy(parameter) else parameter.numel() for parameter in parameters)


def _trainable(parameters: Iterable[nn.Parameter]) -> int:
    return _count(parameter for parameter in parameters if parameter.requires_grad)
