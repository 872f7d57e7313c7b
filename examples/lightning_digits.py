"""Handwritten digits with Lightning: one logger takes metrics, hyper-parameters and checkpoints.

flexlogger server &
python examples/lightning_digits.py
"""

import torch
from lightning import LightningModule, Trainer, seed_everything
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from flexlogger.integrations.lightning import FlexLightningLogger


class Digits(LightningModule):
    def __init__(self, width: int = 64, lr: float = 1e-2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))

    def measured(self, batch: list[torch.Tensor], phase: str) -> torch.Tensor:
        x, y = batch
        output = self.net(x)
        loss = cross_entropy(output, y)
        self.log_dict({f"{phase}_loss": loss, f"{phase}_acc": (output.argmax(1) == y).float().mean()})
        return loss

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        return self.measured(batch, "train")

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.measured(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


seed_everything(0)
digits = load_digits()
data = TensorDataset(torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target))
train, val = torch.utils.data.random_split(data, [0.8, 0.2])

# train_loss and val_loss share a window, as the presets say; what they do not name has a window of its own
windows = {"extends": ["loss", "acc"], "phases": ["train", "val"]}
logger = FlexLightningLogger("digits", name="two layers", log_model=True, dashboard=windows)
trainer = Trainer(max_epochs=4, logger=logger, log_every_n_steps=5, accelerator="cpu", enable_progress_bar=False)
trainer.fit(Digits(), DataLoader(train, batch_size=64, shuffle=True), DataLoader(val, batch_size=64))

run = logger.experiment  # everything that flexlogger.runs.init returns can do
run.log({"pictures": torch.tensor(digits.images[:16]).unsqueeze(1) / 16})
print(run.url)
print(f"validation accuracy {run.summary['val_acc']:.2f}")
print(run.use_artifact(f"model-{run.id}:best"))
