"""Watch a small net learn to read digits: its layers' outputs and gradients as videos, made in another process."""

from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from flexlogger import DataRecorder, ModelExplorer, ParallelHandler

torch.manual_seed(0)
images, labels = load_digits(return_X_y=True)
images, labels = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

recorder = DataRecorder((640, 480), 10.0, 60, "videos")
handler = ParallelHandler(recorder.tensor_plot2D, recorder.flush, frequency=10, timeout=30.0)
handler.track_layer(-1, ModelExplorer.get_hook_layers(model, images[:1]).backward)
handler.track_layer(-1, {"weights": model[0]}, sources="weights")

optimizer = torch.optim.Adam(model.parameters(), 1e-2)
for epoch in range(10):
    handler.set_internal_message(f"epoch {epoch}")
    for batch in torch.randperm(len(images)).split(64):
        optimizer.zero_grad()
        F.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()

complete = handler.stop()
accuracy = (model(images).argmax(1) == labels).float().mean()
print(f"accuracy {accuracy:.3f}, all frames drawn: {complete}")
print(*sorted(path.name for path in Path("videos").iterdir()), sep="\n")
