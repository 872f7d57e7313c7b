"""The demo: a small conv net learns scikit-learn's handwritten digits while its dashboard fills.

This is also how flexlogger is meant to be used: the dashboard is declared in configs/digits.yaml, and the training code
below says `add` and `log`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from flexlogger.errors import MissingExtraError
from flexlogger.logger import FlexLogger

BATCH = 32
WORST = 25


def digits(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Handwritten digits from scikit-learn: train images, train labels, test images, test labels.

    Images are (N, 1, 8, 8) float32 in [0, 1], labels (N,) int64; a quarter is for testing.
    """
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # scikit-learn ships no types
    except ImportError as error:
        raise MissingExtraError("the demo", "scikit-learn", "demo") from error
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    cut = len(labels) // 4
    test, train = order[:cut], order[cut:]
    return images[train], labels[train], images[test], labels[test]


def make_net() -> nn.Sequential:
    """A conv net for 8 x 8 images, small enough for any CPU."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(512, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def train(stat: FlexLogger, seconds: float, clock: Callable[[], float] = time.monotonic) -> int:
    """Train for about `seconds`, logging every step and testing after every epoch; return the number of epochs."""
    torch.manual_seed(0)
    train_x, train_y, test_x, test_y = digits()
    net = make_net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    end = clock() + seconds
    step = epoch = 0
    while not epoch or clock() < end:
        for x, y in _batches(train_x, train_y):
            rate = _rate(1 - max(0.0, end - clock()) / seconds)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss, output = _learn(net, optimizer, x, y)
            stat.add({"train_loss": loss, "train_acc": [output, y], "lr": rate, "throughput": float(len(y))})
            stat.log(step)
            step += 1
        _test(stat, net, test_x, test_y)
        stat.log(step)
        stat.reset()  # testing takes time that is not the training's
        epoch += 1
    return epoch


def _rate(progress: float) -> float:
    """Warm up over the first twentieth, then a cosine down to a hundredth."""
    warm = min(1.0, 0.1 + progress / 0.05)
    return warm * (2e-5 + 0.5 * (2e-3 - 2e-5) * (1 + math.cos(math.pi * progress)))


def _batches(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(y))
    for start in range(0, len(y), BATCH):
        chosen = order[start : start + BATCH]
        yield x[chosen], y[chosen]


def _learn(net: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    output = net(x)
    loss = functional.cross_entropy(output, y)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimizer.step()
    return loss, output


def _test(stat: FlexLogger, net: nn.Sequential, x: Tensor, y: Tensor) -> None:
    net.eval()
    with torch.no_grad():
        output = net(x)
        losses = functional.cross_entropy(output, y, reduction="none")
    stat.add({"test_loss": losses.mean(), "test_acc": [output, y], "test_f1": [output, y], "confusion": [output, y]})
    stat.add({"mistakes": x[losses.argsort(descending=True)[:WORST]]})
    stat.add(weights(net))
    net.train()


def weights(net: nn.Module) -> dict[str, Any]:
    """The weights of conv and linear layers, flat, under the names of their meters."""
    layers = [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return {f"layer_{index}": layer.weight.flatten() for index, layer in enumerate(layers)}
