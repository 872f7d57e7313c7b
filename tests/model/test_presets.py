"""The presets that need nothing but a model: what arrives on the board is what torch itself says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from flexlogger import FlexLogger, TooledModelLogger, preset_names
from flexlogger.config.load import load
from flexlogger.records import Definition
from flexlogger.sinks.memory import MemorySink


@dataclass
class Seen:
    """One layer in one step."""

    output: torch.Tensor
    weight: torch.Tensor | None = None
    grad: torch.Tensor | None = None
    moved: torch.Tensor | None = None


def of_weight(number: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Seen], torch.Tensor | None]:
    return lambda seen: number(seen.weight) if seen.weight is not None else None


def of_grad(number: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Seen], torch.Tensor | None]:
    return lambda seen: number(seen.grad) if seen.grad is not None else None


LINES: dict[str, dict[str, Callable[[Seen], torch.Tensor | None]]] = {
    "weights": {
        "weights.norm": of_weight(torch.norm),
        "weights.mean": of_weight(torch.mean),
        "weights.std": of_weight(torch.std),
    },
    "grads": {
        "grads.norm": of_grad(torch.norm),
        "grads.mean": of_grad(torch.mean),
        "grads.std": of_grad(torch.std),
    },
    "activations": {
        "outputs.mean": lambda seen: seen.output.mean(),
        "outputs.std": lambda seen: seen.output.std(),
        "outputs.zero_fraction": lambda seen: (seen.output == 0).float().mean(),
    },
    "updates": {
        "weights.update_ratio": lambda seen: (
            seen.moved.norm() / seen.weight.norm() if seen.moved is not None and seen.weight is not None else None
        )
    },
    "layer-hist": {},
}
HISTOGRAMS = {"layer-hist": ("weights", "grads")}


def logged(preset: str) -> tuple[MemorySink, dict[str, Seen]]:
    """A step with a preset: the board, and what the step was like by layer."""
    torch.manual_seed(0)
    model, view = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)), MemorySink()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x = torch.randn(8, 6)
    outputs = [layer(inputs) for layer, inputs in zip(model, [x, model[0](x), model[:2](x)], strict=True)]
    seen = {str(row): Seen(output.detach()) for row, output in enumerate(outputs)}
    with (
        FlexLogger.from_presets(preset, sinks=[view]) as stat,
        TooledModelLogger(model, optimizer, logger=stat) as layers,
    ):
        model(x).square().sum().backward()
        for row in "02":
            weight = model.get_submodule(row).weight
            seen[row].weight, seen[row].grad = weight.detach().clone(), weight.grad.clone()
        optimizer.step()
        layers.step()
    for row in "02":
        seen[row].moved = model.get_submodule(row).weight.detach() - seen[row].weight
    return view, seen


def test_these_are_all_there_are() -> None:
    assert LINES.keys() == {name for name in preset_names() if load(name).model}


@pytest.mark.parametrize("preset", LINES)
def test_what_arrives_is_what_torch_says(preset: str) -> None:
    view, seen = logged(preset)
    expected: dict[str, dict[str, float]] = {}
    for name, number in LINES[preset].items():
        for row, of in seen.items():
            value = number(of)
            if value is not None:
                expected.setdefault(name.split(".")[0], {})[f"{name}.{row}"] = float(value)
    declared = [item for item in view.items if isinstance(item, Definition)][-1].plots
    histograms = [f"layer_{row}_histogram" for row in "02" if preset in HISTOGRAMS]
    assert {plot.name for plot in declared} == {*expected, *histograms, "model_cost"}
    for window, lines in expected.items():
        shown = {trace["name"]: trace["y"] for trace in view.panel(window).data}
        assert shown == {name: [pytest.approx(value, rel=1e-5, abs=1e-7)] for name, value in lines.items()}


@pytest.mark.parametrize("preset", HISTOGRAMS)
def test_histograms_arrive_each_in_its_own_colour(preset: str) -> None:
    view, seen = logged(preset)
    for row in "02":
        bars = {trace["name"]: trace for trace in view.panel(f"layer_{row}_histogram").data}
        tensors = {"weights": seen[row].weight, "grads": seen[row].grad}
        assert bars.keys() == {f"layer_{row}_histogram.{source}" for source in HISTOGRAMS[preset]}
        for source in HISTOGRAMS[preset]:
            counts, edges = np.histogram(tensors[source], 64)
            trace = bars[f"layer_{row}_histogram.{source}"]
            assert trace["x"] == pytest.approx(edges[:-1].tolist(), rel=1e-5, abs=1e-7)
            assert sum(trace["y"]) == counts.sum()
        assert len({trace["marker"]["color"] for trace in bars.values()}) == len(bars)
