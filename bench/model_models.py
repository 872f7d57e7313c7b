"""The models whose training is watched: convolutions, many small layers, a transformer, and two like GPT-2 small."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Self

import torch
from torch import nn
from torch.nn import functional as F


class Work:
    """A model, its optimizer and one step of training."""

    def __init__(self, model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        self._batch = batch

    def to(self, device: torch.device) -> Self:
        """The same there, with an optimizer that has not done a step."""
        self.model.to(device)
        self._batch = self._batch[0].to(device), self._batch[1].to(device)
        return self

    def step(self) -> torch.Tensor:
        """Train once; returns the loss, detached."""
        inputs, targets = self._batch
        self.optimizer.zero_grad()
        output = self.model(inputs)
        loss = F.cross_entropy(output.view(-1, output.shape[-1]), targets.view(-1))
        loss.backward()
        self.optimizer.step()
        return loss.detach()


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm_2, self.up, self.act = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU()
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        qkv = self.qkv(self.norm_1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*qkv, is_causal=True).transpose(1, 2).reshape(x.shape)
        x = x + self.out(mixed)
        return x + self.down(self.act(self.up(self.norm_2(x))))


class GPT(nn.Module):
    def __init__(self, blocks: int, width: int, heads: int, tokens: int, length: int) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(tokens, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) + self.place(torch.arange(tokens.shape[1], device=tokens.device))
        return self.norm(self.blocks(x)) @ self.embed.weight.T


def conv8() -> Work:
    sizes = [3, 32, 32, 64, 64, 64, 64, 128, 128]
    layers: list[nn.Module] = []
    for at, (before, after) in enumerate(pairwise(sizes)):
        stride = 2 if at in (2, 6) else 1
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    return Work(model, (torch.randn(32, 3, 32, 32), torch.randint(0, 10, (32,))))


def mlp100() -> Work:
    layers = [layer for _ in range(100) for layer in (nn.Linear(64, 64), nn.ReLU())]
    for layer in layers[::2]:  # torch's own initialisation lets gradients vanish, and subnormal numbers are slow
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return Work(nn.Sequential(*layers), (torch.randn(64, 64), torch.randint(0, 64, (64,))))


def gpt10m() -> Work:
    model = GPT(6, 384, 6, 512, 128)
    return Work(model, (torch.randint(0, 512, (4, 128)), torch.randint(0, 512, (4, 128))))


def gpt2small() -> Work:
    model = GPT(12, 768, 12, 50257, 64)
    return Work(model, (torch.randint(0, 50257, (1, 64)), torch.randint(0, 50257, (1, 64))))


def gpt2() -> Work:
    model = GPT(12, 768, 12, 50257, 512)
    return Work(model, (torch.randint(0, 50257, (4, 512)), torch.randint(0, 50257, (4, 512))))


MODELS: dict[str, Callable[[], Work]] = {
    "conv8": conv8,
    "mlp100": mlp100,
    "gpt10m": gpt10m,
    "gpt2small": gpt2small,
    "gpt2": gpt2,
}
