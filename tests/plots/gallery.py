"""One window of every plot type, filled with data a user might log, for tests in a browser."""

from __future__ import annotations

import json

import numpy as np

from flexlogger.records import Datum, Definition, Item, Layout, MeterDef, Output, PlotDef, Record
from tests.plots import further

T0 = 1_763_659_872.0
ANIMALS = ("cat", "dog", "bird", "fish")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

PLOTS = (
    PlotDef("loss", "line", {"ytype": "log", "ylabel": "cross entropy"}),
    PlotDef("accuracy", "line", {"ylabel": "accuracy"}),
    PlotDef("f1", "line", {"xlabel": "epoch"}),
    PlotDef("speed", "line", {"ylabel": "samples/s", "smoothing": 0.9}, x="time"),
    PlotDef("embedding", "scatter", {"legend": list(ANIMALS), "xlabel": "t-SNE 1", "ylabel": "t-SNE 2"}),
    PlotDef("recall", "bar", {"ylabel": "recall"}),
    PlotDef("weights", "histogram", {"xlabel": "weight"}),
    PlotDef("confusion", "heatmap", {"labels": list(DIGITS)}),
    PlotDef("gradients", "heatmap", {"xlabel": "layer", "ylabel": "layer"}),
    PlotDef("sample", "image", {"caption": "step {step}"}),
    PlotDef("mistakes", "images", {"nrow": 6, "labels": [f"{i % 10} as {i * 7 % 10}" for i in range(18)]}),
    PlotDef("notes", "text", {}),
    PlotDef("layers", "table", {}),
    PlotDef("roc", "curve", {}),
    PlotDef("precision", "curve", {}),
    PlotDef("surface", "plotly", {}),
    PlotDef("figure", "matplotlib", {}),
    PlotDef("counts", "bar", {}),
    PlotDef("empty", "line", {"xlabel": "step"}),
    *further.PLOTS,
)
_CURVE = (Output(""), Output(".curve", "curve", drawn=False))
METERS = (
    MeterDef("train_loss", "AverageValueMeter", "loss", (Output(""), Output(".std", drawn=False)), (), {"band": "std"}),
    MeterDef("test_loss", "AverageValueMeter", "loss", (Output(""), Output(".std", drawn=False))),
    MeterDef("train_acc", "ClassAccuracyMeter", "accuracy", (Output("@1"), Output("@5"))),
    MeterDef("test_acc", "ClassAccuracyMeter", "accuracy", (Output("@1"), Output("@5"))),
    MeterDef("test_f1", "F1", "f1", (Output("", "vector"),), ANIMALS),
    MeterDef("rate", "RateMeter", "speed"),
    MeterDef("tsne", "LastValueMeter", "embedding", (Output("", "points"),)),
    MeterDef("train_recall", "Recall", "recall", (Output("", "vector"),), ANIMALS),
    MeterDef("test_recall", "Recall", "recall", (Output("", "vector"),), ANIMALS),
    MeterDef("conv1", "HistogramMeter", "weights", (Output("", "histogram"),)),
    MeterDef("conv2", "HistogramMeter", "weights", (Output("", "histogram"),)),
    MeterDef("test_confusion", "ConfusionMeter", "confusion", (Output("", "matrix"),)),
    MeterDef("cosine", "LastValueMeter", "gradients", (Output("", "matrix"),)),
    MeterDef("sample", "LastValueMeter", "sample", (Output("", "image"),)),
    MeterDef("worst", "LastValueMeter", "mistakes", (Output("", "images"),)),
    MeterDef("notes", "LastValueMeter", "notes", (Output("", "text"),)),
    MeterDef("layers", "LastValueMeter", "layers", (Output("", "table"),)),
    MeterDef("train_auc", "AUCMeter", "roc", _CURVE),
    MeterDef("test_auc", "AUCMeter", "roc", _CURVE),
    MeterDef("test_pr", "PrecisionRecallCurve", "precision", (Output("", "curve"),)),
    MeterDef("surface", "LastValueMeter", "surface", (Output("", "figure"),)),
    MeterDef("figure", "LastValueMeter", "figure", (Output("", "image"),)),
    MeterDef("seen", "SumMeter", "counts"),
    MeterDef("skipped", "SumMeter", "counts"),
    MeterDef("later", "LastValueMeter", "empty"),
    *further.METERS,
)

STEPS = 120


def items(layout: Layout | None = None) -> list[Item]:
    """Everything a run of the gallery logs, in order."""
    random = np.random.default_rng(7)
    definition = Definition(T0, PLOTS, METERS, layout or Layout())
    return [definition, *_scalars(random), Record(STEPS, T0 + 3600, _recalls(), tuple(_data(random)))]


def _recalls() -> dict[str, float]:
    """Two short vectors, as the logger sends them."""
    recalls = {"train": (0.99, 0.97, 0.94, 0.98), "test": (0.95, 0.91, 0.83, 0.96)}
    return {f"{p}_recall.{a}": r for p, row in recalls.items() for a, r in zip(ANIMALS, row, strict=True)}


def _scalars(random: np.random.Generator) -> list[Item]:
    made: list[Item] = []
    for step in range(STEPS):
        fall = np.exp(-step / 30)
        values = {
            "train_loss": 0.02 + 2.2 * fall * random.lognormal(0, 0.06),
            "train_loss.std": 0.012 + 0.45 * fall,
            "test_loss": 0.12 + 2.1 * fall * random.lognormal(0, 0.05),
            "test_loss.std": 0.1,
            "rate": 9000 + random.normal(0, 900) - (4000 if 60 <= step < 66 else 0),
            "train_auc": 0.9,
            "test_auc": 0.8,
            "seen": 64.0 * step,
            "skipped": float(3 * step),
        }
        if step in (70, 71):
            values["test_loss"] = float("nan") if step == 70 else float("inf")
        for phase, gap in (("train", 0.0), ("test", 0.05)):
            for k, top in ((1, 0.97), (5, 0.995)):
                values[f"{phase}_acc@{k}"] = (top - gap) * (1 - 0.8 * fall / k) + random.normal(0, 0.004)
        made.append(Record(step, T0 + 30 * step, values))
        if step % 20 == 0:
            rise = 1 - np.exp(-(step + 10) / 40)
            f1 = {f"test_f1.{a}": rise * (0.95 - 0.08 * i) for i, a in enumerate(ANIMALS)}
            made.append(Record(step // 20, T0 + 30 * step, f1))
    return made


def _data(random: np.random.Generator) -> list[Datum]:
    centres = random.normal(0, 6, (4, 2))
    kinds = np.repeat(np.arange(4), 60)
    points = np.column_stack((centres[kinds] + random.normal(0, 1.3, (240, 2)), kinds))
    confusion = np.full((10, 10), 0.004) * random.random((10, 10)) + np.eye(10) * 0.97
    confusion[4, 9] = confusion[9, 4] = 0.06
    cosine = random.normal(0, 0.4, (24, 24))
    x = np.linspace(0, 1, 200)
    bowl = np.linspace(-2, 2, 40)
    surface = np.sin(3 * bowl)[:, None] * np.cos(2 * bowl)[None, :] + bowl[:, None] ** 2 / 3
    figure = {"data": [{"type": "surface", "z": surface.tolist(), "showscale": False}], "layout": {}}
    rows = [["conv1", 320, 0.0113, "relu"], ["conv2", 9248, -0.0021, "relu"], ["fc <out>", 5130, 1.25e-06, None]]
    table = {"columns": ["layer", "parameters", "mean gradient", "activation"], "rows": rows}
    return [
        Datum("tsne", "points", points),
        Datum("conv1", "histogram", _histogram(random.normal(0, 0.1, 4000))),
        Datum("conv2", "histogram", _histogram(random.normal(0.05, 0.05, 4000))),
        Datum("test_confusion", "matrix", confusion / confusion.sum(1, keepdims=True)),
        Datum("cosine", "matrix", (cosine + cosine.T) / 2 + np.eye(24)),
        Datum("sample", "image", digits()[0]),
        Datum("worst", "images", digits()),
        Datum("notes", "text", "Learning rate halved at step 80.\n  <b>not bold</b> & kept   as   written"),
        Datum("layers", "table", json.dumps(table)),
        Datum("train_auc.curve", "curve", np.stack((x, x**0.12))),
        Datum("test_auc.curve", "curve", np.stack((x, x**0.25))),
        Datum("test_pr", "curve", np.stack((x, 1 - 0.6 * x**6))),
        Datum("surface", "figure", json.dumps(figure)),
        Datum("figure", "image", _picture()),
        *further.data(),
    ]


def _histogram(values: np.ndarray) -> np.ndarray:
    counts, edges = np.histogram(values, 40)
    return np.stack((edges, np.append(counts, 0)))


def digits() -> np.ndarray:
    """Eighteen 8 x 8 pictures of shapes, (18, 8, 8) uint8."""
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[0:8, 0:8]
    rings = [np.hypot(rows - 3.5, columns - 3.5 + shift) for shift in random.normal(0, 0.7, 18)]
    return np.stack([(255 * np.exp(-((ring - 2.4) ** 2))).astype(np.uint8) for ring in rings])


def _picture() -> np.ndarray:
    across, down = np.meshgrid(np.linspace(0, 1, 400), np.linspace(0, 1, 240))
    channels = (across, down, 0.5 + 0.5 * np.sin(20 * across * down), np.ones_like(across))
    return (255 * np.stack(channels, -1)).astype(np.uint8)
