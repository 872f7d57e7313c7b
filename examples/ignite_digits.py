"""Handwritten digits with ignite: loss, metrics, learning rate, and the layers' weights and gradients.

flexlogger server &
python examples/ignite_digits.py
"""

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import global_step_from_engine
from ignite.metrics import Accuracy, Loss
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

from flexlogger.integrations.ignite import FlexIgniteLogger

torch.manual_seed(0)
digits = load_digits()
data = TensorDataset(torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target))
train, val = torch.utils.data.random_split(data, [0.8, 0.2])

model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
loss = torch.nn.CrossEntropyLoss()
trainer = create_supervised_trainer(model, optimizer, loss)
evaluator = create_supervised_evaluator(model, metrics={"accuracy": Accuracy(), "loss": Loss(loss)})


@trainer.on(Events.EPOCH_COMPLETED)
def evaluate() -> None:
    evaluator.run(DataLoader(val, batch_size=128))


with FlexIgniteLogger(project="digits", name="ignite", config={"lr": 1e-2}) as logger:
    print(logger.run.url)
    each = Events.ITERATION_COMPLETED(every=5)
    logger.attach_output_handler(trainer, each, tag="train", output_transform=lambda loss: {"loss": loss})
    logger.attach_opt_params_handler(trainer, each, optimizer)
    logger.attach_model_handler(trainer, each, model, stats=["norm", "mean"])
    step = global_step_from_engine(trainer, Events.ITERATION_COMPLETED)
    logger.attach_output_handler(evaluator, Events.COMPLETED, tag="val", metric_names="all", global_step_transform=step)
    trainer.run(DataLoader(train, batch_size=64, shuffle=True), max_epochs=5)
    print(f"validation accuracy {logger.run.summary['val/accuracy']:.2f}")
