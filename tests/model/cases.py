"""Models and training steps that are awkward to watch, each as small as it can be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

Note = Callable[[], None]


@dataclass
class Case:
    """`model()` is built once and copied. `train(model, optimizer, note, tooled)` runs the steps, and calls `note` when
    parameters and gradients are as they should be read; `tooled` is None in the run that shows the truth. All other
    runs have what `watched` makes of the model."""

    model: Callable[[], nn.Module]
    train: Callable[[nn.Module, Any, Note, Any], None]
    optimizer: Callable[[Any], Any] | None = lambda params: torch.optim.SGD(params, 0.1)
    options: dict[str, Any] = field(default_factory=dict)
    scale: Callable[[], float] = lambda: 1.0
    watched: Callable[[nn.Module], Any] = lambda model: model
    histograms: bool = True


def data(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def one_step(x: Any, **calls: Any) -> Callable[[nn.Module, Any, Note, Any], None]:
    def train(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
        total(model(x, **calls)).backward()
        note()
        optimizer.step()

    return train


def total(output: Any) -> torch.Tensor:
    """A loss of anything a model returns, with another gradient for every entry."""
    if isinstance(output, torch.Tensor):
        flat = output.flatten()
        return (flat.float() ** 2 * torch.linspace(0.5, 1.5, flat.numel(), device=flat.device)).sum()
    if isinstance(output, dict):
        return sum(map(total, output.values()), torch.zeros(()))
    if isinstance(output, list | tuple):
        return sum(map(total, output), torch.zeros(()))
    return sum((total(getattr(output, name)) for name in output.__dataclass_fields__), torch.zeros(()))


# ---- how steps go


def accumulation(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    for n in range(3):
        total(model(data(2 + n, 6, seed=n))).backward()
    note()
    optimizer.step()


def steps(set_to_none: bool) -> Callable[[nn.Module, Any, Note, Any], None]:
    def train(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
        total(model(data(4, 6))).backward()
        note()
        optimizer.step()
        optimizer.zero_grad(set_to_none=set_to_none)

    return train


def clipping(before: bool) -> Callable[[nn.Module, Any, Note, Any], None]:
    def train(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
        total(model(data(4, 6))).backward()
        if before:
            note()
            if tooled is not None:
                tooled.read_grads()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        if not before:
            note()
        optimizer.step()

    return train


def scaled(scaler: Any) -> Callable[[nn.Module, Any, Note, Any], None]:
    def train(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
        scaler.scale(total(model(data(4, 6)))).backward()
        if tooled is None:  # the gradients as they will be unscaled
            for parameter in model.parameters():
                parameter.grad /= scaler.get_scale()
            note()
            for parameter in model.parameters():
                parameter.grad *= scaler.get_scale()
        scaler.step(optimizer)

    return train


def amp(optimizer: Callable[[Any], Any]) -> Case:
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    return Case(mlp, scaled(scaler), optimizer, {"scaler": scaler}, scaler.get_scale)


def autocast(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        loss = total(model(data(4, 6)))
    loss.backward()
    note()
    optimizer.step()


def evaluation_between(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    with torch.no_grad():
        _untapped(model, data(9, 6, seed=5))
    total(model(data(4, 6))).backward()
    with torch.no_grad():
        _untapped(model, data(9, 6, seed=6))
    note()
    optimizer.step()


def _untapped(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A call that the truth does not see."""
    kept = {module: module.__dict__.pop("forward") for module in model.modules() if "forward" in module.__dict__}
    output: torch.Tensor = model(x)
    for module, forward in kept.items():
        module.forward = forward  # type: ignore[method-assign]
    return output


def closure(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    def compute() -> torch.Tensor:
        optimizer.zero_grad()
        loss = total(model(data(4, 6)))
        loss.backward()
        return loss

    optimizer.step(compute)
    note()


def third_step(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    """Three steps; the last one is due again."""
    for n in range(3):
        optimizer.zero_grad()
        unseen = tooled is None and n < 2
        total(_untapped(model, data(4, 6, seed=n)) if unseen else model(data(4, 6, seed=n))).backward()
        note()
        optimizer.step()


def nan_in_the_second_pass(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    for value in (0.0, math.nan):
        total(model(spoiled(value))).backward()
    note()
    optimizer.step()


def no_grad(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    with torch.no_grad():
        model(data(4, 6))
    note()


def inference(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    with torch.inference_mode():
        model(data(4, 6))
    note()


def only_backward(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    total(model(data(4, 6))).backward()
    note()


def functional_loss(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    F.mse_loss(model(data(4, 6)), data(4, 3)).backward()
    note()
    optimizer.step()


def in_backward(model: nn.Module, optimizer: Any, note: Note, tooled: Any) -> None:
    """Each parameter's own optimizer steps, and frees the gradient, as soon as it is complete."""
    if tooled is None:
        total(model(data(4, 6))).backward()
        note()
        return
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(_step_and_free)
    tooled.clear()
    tooled.step()  # hooks that came later are seen from the next step on
    total(model(data(4, 6))).backward()
    assert all(parameter.grad is None for parameter in model.parameters())


def _step_and_free(parameter: torch.Tensor) -> None:
    with torch.no_grad():
        parameter.grad = None


# ---- how models are built


def compiled(model: nn.Module) -> Any:
    torch.compiler.reset()
    return torch.compile(model, backend="eager")


def spoiled(*values: float) -> torch.Tensor:
    """Inputs, a few of whose entries are these."""
    x = data(4, 6)
    x.view(-1)[: 2 * len(values) : 2] = torch.tensor(values)
    return x


def infinite_weight() -> nn.Module:
    model = mlp()
    with torch.no_grad():
        model[2].weight[0, 0] = math.inf  # type: ignore[index]
    return model


def conv() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))


def in_place() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Linear(5, 5), nn.ELU(inplace=True), nn.Linear(5, 3))


def frozen() -> nn.Module:
    model = mlp()
    model[0].requires_grad_(False)  # type: ignore[index]
    return model


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.again = self.first
        self.last = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.again(torch.tanh(self.first(x)))))


class Tied(nn.Module):
    def __init__(self, sparse: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 4, sparse=sparse)
        self.head = nn.Linear(4, 11, bias=False)
        if not sparse:
            self.head.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(tokens).mean(1))


class Named(nn.Module):
    """Keyword inputs, a dict out of one layer, a dataclass out of another."""

    @dataclass
    class Out:
        score: torch.Tensor
        hidden: torch.Tensor

    class Split(nn.Module):
        def forward(self, x: torch.Tensor, *, gain: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"left": x * gain, "right": (x - gain)}

    class Join(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(data(5, seed=9))
            self.offset = nn.Parameter(data(3, seed=8))

        def forward(self, *, parts: dict[str, torch.Tensor]) -> Named.Out:
            return Named.Out(parts["left"] @ self.weight + self.offset[0], parts["right"] * self.offset.sum())

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.split, self.join = nn.Linear(6, 5), Named.Split(), Named.Join()

    def forward(self, x: torch.Tensor) -> Named.Out:
        hidden = self.inner(input=x)
        return self.join(parts=self.split(hidden.tanh(), gain=hidden.sigmoid()))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.last = nn.LSTM(6, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> Any:
        out, (hidden, cell) = self.lstm(x)
        return [self.last(out), hidden * 1.5, cell * 0.5]


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.first = nn.Linear(6, 5)
        self.block = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 5))
        self.last = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x)
        return self.last(checkpoint(self.block, hidden, use_reentrant=self.reentrant))


class Branches(nn.Module):
    """A value with several consumers: the gradient with respect to it is the sum of theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.left, self.right = nn.Linear(6, 5), nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x)
        return hidden + self.left(hidden) * self.right(hidden)


def weight_norm() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)), nn.Tanh(), nn.Linear(5, 2))


def double() -> nn.Module:
    return mlp().double()


class Double(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x.double())


def wide() -> nn.Module:
    """Parameters and activations too large to be copied."""
    return nn.Sequential(nn.Linear(6, 20_000), nn.Tanh(), nn.Linear(20_000, 4))


tokens = torch.randint(0, 11, (3, 7), generator=torch.Generator().manual_seed(1))
x = data(4, 6)

CASES: dict[str, Case] = {
    "plain": Case(mlp, one_step(x)),
    "convolutions": Case(conv, one_step(data(2, 3, 8, 8))),
    "channels last": Case(conv, one_step(data(2, 3, 8, 8).to(memory_format=torch.channels_last))),
    "large tensors": Case(wide, one_step(data(8, 6))),
    "float64": Case(Double, one_step(x)),
    "input with gradient": Case(mlp, one_step(data(4, 6).requires_grad_())),
    "no optimizer": Case(mlp, only_backward, None),
    "gradient accumulation": Case(mlp, accumulation),
    "zero_grad to None": Case(mlp, steps(True)),
    "zero_grad to zero": Case(mlp, steps(False)),
    "clipping, before": Case(mlp, clipping(True)),
    "clipping, after": Case(mlp, clipping(False)),
    "GradScaler": amp(lambda params: torch.optim.SGD(params, 0.1)),
    "GradScaler, fused": amp(lambda params: torch.optim.AdamW(params, fused=True)),
    "autocast": Case(mlp, autocast),
    "evaluation between": Case(mlp, evaluation_between),
    "closure": Case(mlp, closure, lambda params: torch.optim.LBFGS(params, 0.1, max_iter=1)),
    "no_grad": Case(mlp, no_grad, None),
    "inference_mode": Case(mlp, inference, None),
    "optimizer in backward": Case(mlp, in_backward, None),
    "in-place activations": Case(in_place, one_step(x)),
    "frozen": Case(frozen, one_step(x)),
    "shared module": Case(Shared, one_step(x)),
    "tied parameters": Case(Tied, one_step(tokens)),
    "sparse gradients": Case(lambda: Tied(sparse=True), one_step(tokens)),
    "keywords, dicts and dataclasses": Case(Named, one_step(x)),
    "nested tuples": Case(Recurrent, one_step(data(3, 5, 6))),
    "checkpoint": Case(lambda: Checkpointed(False), one_step(x)),
    "checkpoint, reentrant": Case(lambda: Checkpointed(True), one_step(x)),
    "parametrized": Case(weight_norm, one_step(x)),
    "DataParallel": Case(lambda: nn.DataParallel(mlp()), one_step(x)),
    "functional loss": Case(mlp, functional_loss),
    "compiled": Case(mlp, third_step, options={"every": 2}, watched=compiled),
    "compiled, in the graph": Case(
        mlp, third_step, options={"every": 2, "in_graph": True}, watched=compiled, histograms=False
    ),
    "NaN": Case(mlp, one_step(spoiled(math.nan))),
    "infinity": Case(mlp, one_step(spoiled(math.inf))),
    "infinities of both signs": Case(mlp, one_step(spoiled(math.inf, -math.inf))),
    "NaN in one of several passes": Case(mlp, nan_in_the_second_pass),
    "NaN and infinity, large tensors": Case(wide, one_step(spoiled(math.nan, math.inf))),
    "infinite weight": Case(infinite_weight, one_step(x)),
}
