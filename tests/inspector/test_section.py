"""A config's `inspect`: a TooledModelLogger that shares its run makes the videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from flexlogger import FlexLogger, ParallelHandler, TooledModelLogger, ValueRefusedError
from flexlogger.server.process import ServerProcess
from tests.inspector.callbacks import ignores
from tests.inspector.test_live import panes

MODEL = {"sources": ["grads"], "stats": ["norm"]}


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def train(logger: TooledModelLogger, model: nn.Module, steps: int = 3) -> None:
    for _ in range(steps):
        model(torch.randn(2, 4)).sum().backward()
        logger.step()


def videos(stat: FlexLogger) -> list[str]:
    return sorted(path.name for path in (stat.folder / "videos").glob("*"))


def config(**inspect: Any) -> dict[str, Any]:
    return {"model": MODEL, "sinks": [], "inspect": {"frequency": 1, "size": [64, 64], **inspect}}


def test_the_model_of_a_run_becomes_videos_in_its_folder() -> None:
    model = net()
    with FlexLogger.from_config(config(layers="type:Linear", view="histogram")) as stat:
        with TooledModelLogger(model, logger=stat) as logger:
            assert ParallelHandler.running() is not None
            train(logger, model)
        assert ParallelHandler.running() is None
        expected = [f"model.{layer}.{source}_0_0.mp4" for layer in (0, 2) for source in ("grad_out", "outputs")]
        assert videos(stat) == expected


def test_frames_are_shown_in_the_runs_environment(server: ServerProcess) -> None:
    model = net()
    said = config(live=True, sources=["outputs"]) | {"port": server.port, "env": "inspected"}
    with FlexLogger.from_config(said) as stat, TooledModelLogger(model, logger=stat) as logger:
        train(logger, model)
    assert {"model", "model: video"} <= set(panes(server, "inspected"))


def test_a_logger_alone_makes_videos_of_the_model_it_is_given() -> None:
    model = net()
    with FlexLogger.from_config(config(sources=["outputs"])) as stat:
        assert stat.inspect(model) is ParallelHandler.running()
        model(torch.randn(2, 4))
    assert ParallelHandler.running() is None
    assert videos(stat) == ["model_0_0.mp4"]


def test_without_the_section_there_is_no_process() -> None:
    model = net()
    with FlexLogger.from_config({"sinks": []}) as stat, TooledModelLogger(model, logger=stat, **MODEL) as logger:
        train(logger, model)
        assert ParallelHandler.running() is None
        assert videos(stat) == []


def test_a_logger_with_settings_of_its_own_has_the_section_too(tmp_path: Path) -> None:
    model = net()
    inspect = {"frequency": 1, "size": [64, 64], "folder": str(tmp_path / "here"), "sources": ["outputs"]}
    with TooledModelLogger(model, **MODEL, sinks=[], inspect=inspect) as logger:
        train(logger, model)
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["model_0_0.mp4"]


def test_a_handler_of_the_users_own_stays(caplog: pytest.LogCaptureFixture) -> None:
    own, model = ParallelHandler(ignores), net()
    with FlexLogger.from_config(config()) as stat, TooledModelLogger(model, logger=stat) as logger:
        train(logger, model)
    assert ParallelHandler.running() is own
    assert "inspect: this program has a ParallelHandler already; the section is left out" in caplog.text


def test_layers_that_there_are_not_are_refused_before_training() -> None:
    model = net()
    with (
        FlexLogger.from_config(config(layers="conv*")) as stat,
        pytest.raises(ValueRefusedError, match=r"layers: 'conv\*' chooses none"),
    ):
        TooledModelLogger(model, logger=stat)
    assert ParallelHandler.running() is None
    assert not model._forward_pre_hooks
