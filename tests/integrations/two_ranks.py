"""A training of two ranks, which Lightning starts itself: `python two_ranks.py ddp_spawn`."""

import sys

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers.logger import DummyExperiment

from flexlogger.integrations.lightning import FlexLightningLogger


class Model(BoringModel):
    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()

    def training_step(self, batch, batch_idx):
        loss = self.step(batch)
        self.log("loss", loss, sync_dist=True)
        return loss


class RanksAreRight(Callback):
    def on_train_batch_start(self, trainer, module, batch, index):
        assert trainer.world_size == 2
        is_dummy = isinstance(trainer.logger.experiment, DummyExperiment)
        assert is_dummy != trainer.is_global_zero
        if is_dummy:
            assert module.logger.experiment.something(foo="bar") is None


if __name__ == "__main__":
    torch.set_num_threads(1)
    trainer = Trainer(
        logger=FlexLightningLogger(mode="offline"),
        strategy=sys.argv[1],
        accelerator="cpu",
        devices=2,
        max_steps=3,
        log_every_n_steps=1,
        limit_val_batches=0,
        enable_progress_bar=False,
        callbacks=[RanksAreRight()],
    )
    trainer.fit(Model(lr=0.5))
