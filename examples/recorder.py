"""What a loss and a metric return, recorded by decorators: curves on the dashboard, and a row a validation in print.

pip install 'flexlogger[torchmetrics]'
flexlogger server &
python examples/recorder.py
"""

import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from flexlogger import Recorder, RecorderHelper

recorder = Recorder()


def torch_mean(values):
    return torch.stack(values).mean().item()


class TotalLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.loss = nn.CrossEntropyLoss()

    @recorder.track_scalar("train_loss", torch_mean)
    @recorder.metric("valid_loss", torch_mean)
    def forward(self, preds, labels):
        return self.loss(preds, labels)


torch.manual_seed(0)
inputs = torch.randn(512, 8)
labels = (inputs @ torch.randn(8, 3)).argmax(1)
train, valid = range(0, 384, 32), range(384, 512, 32)
model, criterion = nn.Linear(8, 3), TotalLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
metric = RecorderHelper(recorder).metric(torch_mean, acc=MulticlassAccuracy(3))

for _ in range(4):
    model.train()
    for at in train:
        with recorder(train=True):
            criterion(model(inputs[at : at + 32]), labels[at : at + 32]).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    model.eval()
    with recorder(train=False), torch.inference_mode():
        for at in valid:
            preds = model(inputs[at : at + 32])
            criterion(preds, labels[at : at + 32])
            metric["acc"](preds, labels[at : at + 32])

print(f"the last valid_loss is {recorder.run.summary['valid_loss']:.4f}")
recorder.finish()
