"""A small experiment on iris data: the dashboard is declared in iris.yaml, the loop says add and log.

flexlogger server &
python examples/iris.py
"""

from pathlib import Path

import torch
from sklearn.datasets import load_iris
from torch.nn.functional import cross_entropy

from flexlogger import FlexLogger

torch.manual_seed(0)
data = load_iris()
x = torch.tensor(data.data, dtype=torch.float32)
y = torch.tensor(data.target)
x = (x - x.mean(0)) / x.std(0)
order = torch.randperm(len(y))
train, test = order[:110], order[110:]

model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

with FlexLogger.from_config(Path(__file__).with_name("iris.yaml")) as stat:
    print(stat.url)
    for epoch in range(40):
        for batch in train.split(22):
            output = model(x[batch])
            loss = cross_entropy(output, y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            stat.add({"train_loss": (loss, len(batch)), "train_acc": [output, y[batch]]})
        with torch.no_grad():
            output = model(x[test])
        stat.add({"test_loss": cross_entropy(output, y[test]), "test_acc": [output, y[test]]})
        stat.add({"confusion": [output, y[test]]})
        stat.log(epoch)
    print(f"test accuracy {stat.last('test_acc'):.2f}")
