"""Code as users write it, which mypy --strict must accept. Nothing runs it."""

from __future__ import annotations

from pathlib import Path

import torch

import flexlogger
import flexlogger.runs as wandb
from flexlogger import (
    ConfigError,
    DataRecorder,
    FlexLogger,
    ModelExplorer,
    ParallelHandler,
    UnknownNameError,
    get_preset_logger,
    preset_info,
)
from flexlogger.server.process import start_server
from flexlogger.sinks.memory import MemorySink


class Count:
    def __init__(self) -> None:
        self.n = 0

    def add(self, value: float) -> None:
        self.n += 1

    def value(self) -> int:
        return self.n

    def reset(self) -> None:
        self.n = 0


def train(folder: Path) -> dict[str, list[str]]:
    view = MemorySink()
    meters = {"loss": {"type": Count, "target": "loss"}}
    with FlexLogger({"loss": {"type": "line"}}, meters, env="a", sinks=["visdom", view], port=8097) as stat:
        stat.add({"loss": torch.tensor(0.5)})
        stat.add(loss=0.5)
        stat({"loss": 1})
        stat.log(3)
        stat.log(2.5, keys=["loss"], reset=False)
        flushed: bool = stat.flush(5.0)
        url: str | None = stat.url
        print(flushed, url, stat.value("loss"), stat.last("loss"), stat.step() + 1, view.series("loss"))
    try:
        other = get_preset_logger("loss+acc", phases=["train", "val"], dir=str(folder))
    except (ConfigError, UnknownNameError) as error:
        raise SystemExit(str(error)) from error
    with start_server(folder) as server:
        print(server.url, flexlogger.meter_types(), preset_info("loss").plots[0].type)
    return other.get_definitions()


def inside(model: torch.nn.Module, stat: FlexLogger) -> float:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tooled = flexlogger.TooledModel(
        model, optimizer, sources={"grads": ["norm", torch.median]}, layers=[torch.nn.Linear]
    )
    table = tooled.table(show=False)
    with flexlogger.TooledModelLogger(
        model, optimizer, "by_metric", logger=stat, budget="1%", stop_on_nan=True
    ) as layers:
        try:
            steps: int = layers.step(log=True, at=3)
        except flexlogger.NonFiniteError as error:
            raise SystemExit(str(error)) from error
        layers.add()
        layers.log(steps)
        layers.reset()
    return table["0"]["grads"]["norm"]


def track(model: torch.nn.Module, folder: Path) -> str:
    with wandb.init(project="demo", tags=["a"], config={"lr": 0.1}, dir=folder, resume="allow", mode="offline") as run:
        wandb.define_metric("val/*", summary="min,last", step_metric="epoch")
        table = wandb.Table(columns=["x", "y"], data=[[1, 2]])
        wandb.log({"loss": torch.tensor(0.5), "table": table, "line": wandb.plot.line(table, "x", "y")}, step=3)
        run.log({"image": wandb.Image(torch.zeros(3, 4, 4)), "val/loss": 0.5}, commit=False)
        wandb.watch(model, log="all", log_freq=10)
        wandb.unwatch()
        wandb.config.lr = wandb.config["lr"] / 2
        wandb.summary["acc"] = 0.5
        run.summary.update({"best": run.summary["loss"]})
        artifact = wandb.Artifact("words", type="dataset")
        artifact.add(table, "counts")
        version: str = run.log_artifact(artifact).version
        url: str | None = run.url
        current: wandb.TrackedRun | None = wandb.run
        print(url, version, current is run, run.step + 1, run.dir / "run.json", flexlogger.runs.login())
        with FlexLogger({"loss": {}}, {"train_loss": {"type": "AverageValueMeter", "target": "loss"}}) as stat:
            stat.log()
        path: str = wandb.use_model("model:best")
    wandb.finish()
    return path


def inspect(model: torch.nn.Module, folder: Path) -> bool:
    def note(unique_id: int, key: str, internal_message: str, message: str, tensor: torch.Tensor) -> None:
        print(unique_id, key, internal_message, message, tensor.shape)

    recorder = DataRecorder((640, 480), 20.0, 100, folder, codec="vp8", live=True, port=8097, env="a")
    handler = ParallelHandler(recorder.tensor_plot2D, recorder.flush, frequency=20.0, timeout=30.0, capacity=10**7)
    number: int = handler.track_model(-1, {"model": model}, layers=["encoder.*"], sources=["outputs"])
    handler.track_layer(number, ModelExplorer.get_hook_layers(model, torch.zeros(1, 4)).backward)
    handler.set_internal_message("epoch 1")
    print(handler.is_alive(), handler.is_alive(number), handler.status()[number]["sent"])
    print([info.name for info in ModelExplorer.get_layers(model)])
    handler.stop()
    return ParallelHandler(note).stop()
