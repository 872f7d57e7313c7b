"""Handwritten digits in plain PyTorch: one line watches the layers while they learn.

flexlogger server &
python examples/watch_digits.py
"""

import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

import flexlogger

torch.manual_seed(0)
digits = load_digits()
x, y = torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target)
train, test = torch.arange(1500), torch.arange(1500, len(y))

model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

with flexlogger.watch(model, optimizer, mode="by_metric", every=5, project="digits") as run:
    print(run.url)
    for _ in range(5):
        for batch in train.split(64):
            loss = cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss})
    with torch.no_grad():
        run.summary["accuracy"] = (model(x[test]).argmax(1) == y[test]).float().mean()
    print(f"test accuracy {run.summary['accuracy']:.2f} after {run.step} steps")
