"""Makes docs/img/model.png: the layers of a small network while it learns, beside its loss.

python -m docs.model_picture [MODE [PICTURE]]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from docs.screenshot import photograph
from flexlogger import FlexLogger, TooledModelLogger
from flexlogger.server.process import start_server

PICTURE = Path(__file__).parent / "img" / "model.png"


def main(mode: str = "by_metric", picture: str | Path = PICTURE) -> None:
    """Train, draw, photograph."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, start_server(Path(folder) / "envs") as server:
        losses = {"train_loss": {"type": "AverageValueMeter", "target": "loss"}}
        stat = FlexLogger(
            {"loss": {}}, losses, port=server.port, env="model", dir=folder, layout={"columns": 3}, phases=["train"]
        )
        train(stat, mode)
        stat.close()
        photograph(str(stat.url), Path(picture), height=680, windows=4)


def train(stat: FlexLogger, mode: str) -> None:
    """Fit a sum of squares, and log the layers every tenth step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    layers = TooledModelLogger(
        model,
        optimizer,
        mode,
        logger=stat,
        layers="type:Linear",
        sources=["weights", "grads", "outputs", "grad_out"],
        every=10,
    )
    for step in range(600):
        x = torch.rand(64, 8)
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), x.square().sum(1, keepdim=True))
        loss.backward()
        optimizer.step()
        stat.add(train_loss=loss)
        stat.log(step)
        layers.step()
    layers.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
