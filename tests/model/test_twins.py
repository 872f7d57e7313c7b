"""Random trees of modules: one that was tooled, trained and cleared is the same as its twin that was not."""

from __future__ import annotations

import copy
from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.modules import module as torch_module
from torch.utils.checkpoint import checkpoint

from flexlogger.model.names import SOURCES
from flexlogger.model.tooled import TooledModel

WIDTH = 4


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(x)


class Twice(nn.Module):
    """The same module under two names."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.alias = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.alias(torch.tanh(self.inner(x)))


class Wrapped(nn.Module):
    """Passes its input by keyword, and through a dict."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = Inside(inner)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(given={"x": x})["y"][0]


class Inside(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *, given: dict[str, torch.Tensor]) -> dict[str, Any]:
        return {"y": (self.inner(given["x"]), None)}


class Checkpointed(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return checkpoint(self.inner, x, use_reentrant=False)


def frozen(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False)


leaves = st.sampled_from(
    [
        lambda: nn.Linear(WIDTH, WIDTH),
        lambda: nn.Linear(WIDTH, WIDTH, bias=False),
        lambda: nn.LayerNorm(WIDTH),
        lambda: nn.BatchNorm1d(WIDTH),
        lambda: nn.Tanh(),
        lambda: nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(inplace=True)),
        lambda: nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ELU(inplace=True)),
        lambda: nn.Dropout(0.5),
        lambda: nn.Identity(),
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(WIDTH, WIDTH)),
    ]
)


def branches(trees: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    wrappers = st.sampled_from([Residual, Twice, Wrapped, Checkpointed, frozen])
    several = st.lists(trees, min_size=1, max_size=4).map(lambda makes: lambda: nn.Sequential(*(m() for m in makes)))
    return st.tuples(wrappers, trees).map(lambda pair: lambda: pair[0](pair[1]())) | several


trees = st.recursive(leaves, branches, max_leaves=8)


def hooks(model: nn.Module) -> list[Any]:
    """Everything of modules and parameters in which hooks could hide."""
    found: list[Any] = []
    for module in model.modules():
        for name, value in vars(module).items():
            if "hook" in name and isinstance(value, dict):  # weight_norm has some of its own, copied with the model
                found.append((name, [(key, type(hook).__name__) for key, hook in value.items()]))
        found += [sorted(vars(module)), getattr(module, "_is_full_backward_hook", None)]
    found += [(parameter._backward_hooks, parameter._post_accumulate_grad_hooks) for parameter in model.parameters()]
    return found


def global_hooks() -> dict[str, Any]:
    """Those that torch has for all modules."""
    found = {name: value for name, value in vars(torch_module).items() if name.startswith("_global_")}
    return {name: dict(value) if isinstance(value, dict) else value for name, value in found.items()}


def train(model: nn.Module, steps: int, tooled: TooledModel | None, optimizer: torch.optim.Optimizer) -> torch.Tensor:
    torch.manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(torch.randn(6, WIDTH)).square().mean()
        if loss.requires_grad:
            loss.backward()
        optimizer.step()
        if tooled is not None:
            tooled.table(show=False)
    with torch.no_grad():
        return model(torch.randn(6, WIDTH))


@settings(max_examples=max(200, settings.default.max_examples), suppress_health_check=list(HealthCheck))
@given(tree=trees, every=st.integers(1, 3), with_optimizer=st.booleans())
def test_a_tooled_model_trains_as_its_twin_and_leaves_nothing_behind(
    tree: Any, every: int, with_optimizer: bool
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), tree())
    twin = copy.deepcopy(model)
    optimizers = [torch.optim.Adam(m.parameters(), 0.05) for m in (model, twin)]
    before = global_hooks()
    stats = ["mean", "std", "norm", "min", "max", "zero_fraction", "histogram", *["update_ratio"] * with_optimizer]
    tooled = TooledModel(model, optimizers[0] if with_optimizer else None, sources=SOURCES, stats=stats, every=every)
    output = train(model, 3, tooled, optimizers[0])
    assert tooled.status()["broken"] is None
    tooled.clear()
    tooled.remove()
    assert global_hooks() == before
    expected = train(twin, 3, None, optimizers[1])
    assert torch.equal(output, expected)
    assert model.state_dict().keys() == twin.state_dict().keys()
    for ours, theirs in zip(model.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert hooks(model) == hooks(twin)
