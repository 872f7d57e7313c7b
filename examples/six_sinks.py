"""One training, one config, six views beside the run log: CSV, JSON lines, TensorBoard, W&B, MLflow and a function.

pip install 'flexlogger[tensorboard,wandb,mlflow]'
python examples/six_sinks.py

W&B is offline here (`wandb sync` sends it), MLflow is a database: `mlflow ui --backend-store-uri sqlite:///mlflow.db`.
"""

import torch

from flexlogger import FlexLogger, track
from flexlogger.records import Record

seen: dict[str, list[tuple[float, float]]] = {}


def collect(record: Record) -> None:
    for name, value in record.values.items():
        seen.setdefault(name, []).append((record.step, value))


config = {
    "project": "six",
    "run": "first",
    "extends": "loss",
    "config": {"lr": 0.1, "net": {"width": 8}},
    "sinks": [
        {"csv": {"path": "six.csv"}},
        {"jsonl": {"path": "six.jsonl"}},
        {"tensorboard": {"dir": "tensorboard"}},
        {"wandb": {"mode": "offline"}},
        {"mlflow": {"uri": "sqlite:///mlflow.db"}},
        {"callable": {"function": collect, "only": "*_loss"}},
    ],
}

torch.manual_seed(0)
inputs = torch.randn(256, 4)
targets = inputs.sum(1, keepdim=True).sin()
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

with FlexLogger.from_config(config) as stat:
    for step in track(range(40), "steps"):
        batch = torch.randint(0, 192, (32,))
        loss = torch.nn.functional.mse_loss(model(inputs[batch]), targets[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        stat.add({"train_loss": loss})
        if step % 10 == 9:
            with torch.no_grad():
                stat.add({"test_loss": torch.nn.functional.mse_loss(model(inputs[192:]), targets[192:])})
        stat.log(step)
    stat.flush(90)  # a short training is over before MLflow has made its database
    folder = stat.folder

print(f"{len(seen['train_loss'])} values of train_loss are in {folder} and in six other places")
