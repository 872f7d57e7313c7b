"""A tutorial written for wandb, on the handwritten digits of scikit-learn: one import line is another one.

flexlogger server &
python examples/tutorial.py
"""

import csv

import torch
from sklearn.datasets import load_digits, load_iris
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import flexlogger.runs as wandb


class DigitsModel(nn.Module):
    def __init__(self, x_len: int = 8) -> None:
        # Convolution + attention
        super().__init__()
        # [batch, 1, x_len, x_len] -> [batch, 32, x_len, x_len]
        self.conv = nn.Conv2d(in_channels=1, out_channels=32, kernel_size=3, stride=1, padding=1)
        self.relu = nn.ReLU()
        # -> [batch, 32, x_len/2, x_len/2]
        self.maxpool1 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv2 = nn.Conv2d(in_channels=32, out_channels=64, kernel_size=3, stride=1, padding=1)
        # -> [batch, 64, x_len/4, x_len/4]
        self.maxpool2 = nn.MaxPool2d(kernel_size=2, stride=2)
        # -> [batch, 64, l * l]
        self.flatten_before_attn = nn.Flatten(start_dim=-2)
        self.attn = nn.MultiheadAttention(embed_dim=(x_len // 4) ** 2, num_heads=1, batch_first=True)
        # -> [batch, 64 * l * l]
        self.flatten_after_attn = nn.Flatten(start_dim=-2)
        flattened_last_dim = 64 * (x_len // 4) ** 2
        self.fc1 = nn.Linear(flattened_last_dim, flattened_last_dim * 2)
        self.activation1 = nn.ReLU()
        self.fc2 = nn.Linear(flattened_last_dim * 2, flattened_last_dim)
        self.activation2 = nn.ReLU()
        self.fc3 = nn.Linear(flattened_last_dim, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool1(self.relu(self.conv(x)))
        x = self.maxpool2(self.conv2(x))
        x = self.flatten_before_attn(x)
        x, _ = self.attn(x, x, x)
        x = self.flatten_after_attn(x)
        x = self.activation1(self.fc1(x))
        x = self.activation2(self.fc2(x))
        return self.fc3(x)


# ---- before training

torch.manual_seed(0)
digits = load_digits()
pixels = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
labels = torch.tensor(digits.target)

wandb.login()
wandb.init(
    project="demo",
    name="mnist-demo",
    tags=["demo"],
    config={"lr": 3e-3, "epoch": 5, "batch_size": 64, "weight_decay": 1e-5},
)

train = TensorDataset(pixels[:1500], labels[:1500])
train_loader = DataLoader(train, batch_size=wandb.config.batch_size, shuffle=True)
model = DigitsModel()
optim = torch.optim.Adam(model.parameters(), lr=wandb.config.lr, weight_decay=wandb.config["weight_decay"])
loss_fn = nn.CrossEntropyLoss()

# ---- in training

wandb.define_metric("loss", summary="min")
for ep in range(wandb.config.epoch):
    for idx, (x, y) in enumerate(train_loader):
        optim.zero_grad()
        y_pred = model(x)
        loss = loss_fn(y_pred, y)
        loss.backward()
        optim.step()
        wandb.log({"loss": loss.item(), "epoch": ep, "iter": idx})
    torch.save(model.state_dict(), f"model_{ep}.pth")
    wandb.log_model(path=f"model_{ep}.pth", name=f"model_{ep}")

x_values = list(range(10))
y_values = [digit**2 for digit in x_values]
data = [[x, y] for (x, y) in zip(x_values, y_values, strict=True)]
table = wandb.Table(data=data, columns=["x", "y"])
wandb.log({"custom_plot_id": wandb.plot.line(table, "x", "y", title="Custom Y vs X Line Plot")})
wandb.log({"custom_table_id": wandb.Table(data=data, columns=["x", "y"])})
pictures = [[wandb.Image(pixels[n], caption=str(labels[n].item())), labels[n]] for n in range(8)]
wandb.log({"digits": wandb.Table(data=pictures, columns=["digit", "label"])})

# ---- after training

model.eval()
with torch.no_grad():
    correct = (model(pixels[1500:]).argmax(1) == labels[1500:]).sum()
wandb.summary["acc"] = correct / len(labels[1500:])
print(f"smallest loss {wandb.summary['loss']['min']:.3f}, accuracy {wandb.summary['acc']:.2f}")
wandb.finish()

# ---- in another run of the project

run = wandb.init(project="demo")
downloaded_model_path = run.use_model(name=f"model_{ep}")
again = DigitsModel()
again.load_state_dict(torch.load(downloaded_model_path))
equal = all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))
print("use_model returns equal weights" if equal else "use_model returns other weights")

iris = load_iris()
rows = [[*map(float, values), iris.target_names[kind]] for values, kind in zip(iris.data, iris.target, strict=True)]
iris_table = wandb.Table(data=rows, columns=[*iris.feature_names, "kind"])
with open("iris.csv", "w", newline="") as file:
    csv.writer(file).writerows(rows)
iris_table_artifact = wandb.Artifact("iris_artifact", type="dataset")
iris_table_artifact.add(iris_table, "iris_table")
iris_table_artifact.add_file("iris.csv")
run = wandb.init(project="tables-walkthrough")
run.log_artifact(iris_table_artifact)
print(run.use_artifact("iris_artifact:latest").get("iris_table"))
wandb.finish()
