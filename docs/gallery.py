"""Makes docs/img/plots.png: one dashboard with every plot type, fed with scikit-learn's digits, seen in Chromium.

python -m docs.gallery
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

from docs import gallery_further
from docs.screenshot import photograph
from flexlogger.logger import FlexLogger
from flexlogger.server.process import start_server

PICTURE = Path(__file__).parent / "img" / "plots.png"
HEIGHT = 2990
NAMES = [str(digit) for digit in range(10)]
CONFIG: dict[str, Any] = {
    "layout": {"columns": 3, "height": 300},
    "plots": {
        "line": {"type": "line", "opts": {"ytype": "log", "ylabel": "loss"}},
        "entries of a vector": {"type": "line", "opts": {"ylabel": "recall"}},
        "scatter": {"type": "scatter", "opts": {"xlabel": "PCA 1", "ylabel": "PCA 2", "legend": ["0", "1", "4", "6"]}},
        "bar": {"type": "bar", "opts": {"ylabel": "recall", "labels": NAMES}},
        "histogram": {"type": "histogram", "opts": {"xlabel": "weight"}},
        "heatmap": {"type": "heatmap", "opts": {"labels": NAMES}},
        "image": {"type": "image", "opts": {"caption": "a digit, at step {step}"}},
        "images": {"type": "images", "opts": {"nrow": 8, "labels": NAMES * 3}},
        "curve": {"type": "curve"},
        "text": {"type": "text"},
        "table": {"type": "table"},
        "plotly": {"type": "plotly"},
        "matplotlib": {"type": "matplotlib"},
        **gallery_further.PLOTS,
    },
    "meters": {
        "train_loss": {"type": "AverageValueMeter", "target": "line", "display": {"band": "std"}},
        "test_loss": {"type": "LastValueMeter", "target": "line"},
        "recall": {"type": "LastValueMeter", "target": "entries of a vector", "labels": NAMES},
        "test_recall": {"type": "LastValueMeter", "target": "bar"},
        "first_layer": {"type": "HistogramMeter", "target": "histogram", "opts": {"bins": 40}},
        "last_layer": {"type": "HistogramMeter", "target": "histogram", "opts": {"bins": 40}},
        "confusion": {"type": "ConfusionMeter", "target": "heatmap", "opts": {"k": 10, "normalized": True}},
        "eight": {"type": "AUCMeter", "target": "curve"},
        "five": {"type": "AUCMeter", "target": "curve"},
    },
}


def main() -> None:
    """Feed, draw, photograph."""
    torch.set_num_threads(1)
    matplotlib.use("agg")
    with tempfile.TemporaryDirectory() as folder, start_server(Path(folder) / "envs") as server:
        stat = FlexLogger.from_config(CONFIG, server="127.0.0.1", port=server.port, env="plots", dir=folder)
        feed(stat)
        stat.close()
        PICTURE.parent.mkdir(exist_ok=True)
        photograph(str(stat.url), PICTURE, HEIGHT)


def feed(stat: FlexLogger) -> None:
    """Log something that looks well for every plot of CONFIG."""
    random = np.random.default_rng(0)
    digits = load_digits()
    x, y = digits.data / 16, digits.target
    noisy = x + random.normal(0, 0.45, x.shape)
    model = LogisticRegression(max_iter=200).fit(noisy[:900], y[:900])
    scores, truth = model.predict_proba(noisy[900:]), y[900:]
    recalls = recall_score(truth, scores.argmax(1), average=None)
    _lines(stat, random, recalls)
    shown = np.isin(y, [0, 1, 4, 6])
    points = PCA(2, random_state=0).fit_transform(x[shown])
    classes = np.searchsorted([0, 1, 4, 6], y[shown])
    stat.add({"scatter": np.column_stack([points, classes])[:400], "test_recall": recalls})
    stat.add({"first_layer": random.normal(0, 0.3, 4000), "last_layer": random.normal(0.2, 0.15, 3000)})
    stat.add({"confusion": (torch.tensor(scores), torch.tensor(truth)), "image": digits.images[8] / 16})
    stat.add({"images": digits.images[:24] / 16, "matplotlib": _spiral()})
    for name, digit in (("eight", 8), ("five", 5)):
        stat.add({name: (torch.tensor(scores[:, digit]), torch.tensor((truth == digit).astype(int)))})
    stat.add({"text": "Shown as it is written:\n\n  net   64 → 10, softmax\n  data  <noisy> digits, σ = 0.45"})
    rows = [{"digit": d, "recall": float(recalls[d]), "samples": int((truth == d).sum())} for d in range(10)]
    stat.add({"table": rows, "plotly": _violins(random)})
    gallery_further.feed(stat, random, digits, scores)
    stat.log(600)


def _lines(stat: FlexLogger, random: np.random.Generator, recalls: np.ndarray[Any, Any]) -> None:
    for step in range(0, 600, 5):
        loss = 0.02 + 2.3 * math.exp(-step / 90)
        for _ in range(8):
            stat.add({"train_loss": loss * float(random.lognormal(0, 0.25))})
        stat.add({"recall": recalls * (1 - np.exp(-step / (60 + 15 * np.arange(10)))) + random.normal(0, 0.004, 10)})
        if step % 25 == 0:
            stat.add({"test_loss": float("nan") if step == 300 else loss * 1.1 + 0.04})
        stat.log(step)


def _violins(random: np.random.Generator) -> dict[str, Any]:
    layers = [{"type": "violin", "name": f"layer {n}", "y": random.normal(0, 1 / n, 300).tolist()} for n in (1, 2, 3)]
    return {"data": layers, "layout": {"showlegend": False, "yaxis": {"title": "activation"}}}


def _spiral() -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 3), layout="constrained")
    axes = figure.add_subplot(projection="polar")
    turns = np.linspace(0, 6 * np.pi, 400)
    axes.plot(turns, turns, color="#6a51a3")
    axes.set_title("any figure")
    return figure


if __name__ == "__main__":
    main()
