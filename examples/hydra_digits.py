"""Handwritten digits with Hydra: its config declares the training and the dashboard, and is handed over as it is.

flexlogger server &
python examples/hydra_digits.py lr=0.003 dashboard.layout.columns=2
"""

import hydra
import torch
from omegaconf import DictConfig
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

from flexlogger import FlexLogger


@hydra.main(version_base="1.3", config_path="hydra_conf", config_name="digits")
def main(cfg: DictConfig) -> None:
    torch.manual_seed(0)
    digits = load_digits()
    x, y = torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target)
    train, test = torch.arange(1500), torch.arange(1500, len(y))
    model = torch.nn.Sequential(torch.nn.Linear(64, cfg.width), torch.nn.ReLU(), torch.nn.Linear(cfg.width, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg.lr)

    with FlexLogger.from_config(cfg.dashboard) as stat:
        print(stat.url)
        for epoch in range(cfg.epochs):
            for batch in train.split(cfg.batch_size):
                output = model(x[batch])
                loss = cross_entropy(output, y[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                stat.add({"train_loss": (loss, len(batch)), "train_acc": [output, y[batch]]})
            with torch.no_grad():
                output = model(x[test])
            stat.add({"test_loss": cross_entropy(output, y[test]), "test_acc": [output, y[test]]})
            stat.log(epoch)
        print(f"test accuracy {stat.last('test_acc'):.2f} with lr {cfg.lr}")


if __name__ == "__main__":
    main()
