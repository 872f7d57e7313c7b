"""What users of the original wrote must run, and what arrives in the windows must be the numbers that went in."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

import flexlogger
from flexlogger.server.process import ServerProcess
from tests.end_to_end.windows import traces, window
from tests.ports import free_port


def mse(pair: list[torch.Tensor]) -> float:
    return float(((pair[0] - pair[1]) ** 2).mean())


def test_a_preset_logger_logs_one_by_one_and_all_at_once(server: ServerProcess) -> None:
    stat = flexlogger.get_preset_logger("loss+MSE", env="seed-presets", port=server.port)
    assert stat.get_definitions() == {"loss": ["train_loss", "test_loss"], "mse": ["train_mse", "test_mse"]}
    train = [torch.randn([4, 20]), torch.randn([4, 20])]
    test = [torch.randn([4, 20]), torch.randn([4, 20])]
    stat.add({"train_mse": train})
    stat.add({"test_mse": test})
    stat.add({"train_loss": 0.7, "test_loss": 0.8})
    stat.log(3)
    stat.reset()
    assert stat.flush()
    loss, squared = traces(stat, server.url, "loss"), traces(stat, server.url, "mse")
    assert loss == {"train_loss": [(3, 0.7)], "test_loss": [(3, 0.8)]}
    assert squared["train_mse"] == [(3, pytest.approx(mse(train)))]
    assert squared["test_mse"] == [(3, pytest.approx(mse(test)))]
    stat.close()


def test_a_fake_training_loop(server: ServerProcess) -> None:
    stat = flexlogger.get_preset_logger("loss+MSE", env="seed-loop", port=server.port)
    expected: dict[str, list[tuple[float, float]]] = {name: [] for name in ("train_loss", "test_loss")}
    squares: dict[str, list[tuple[float, float]]] = {name: [] for name in ("train_mse", "test_mse")}
    for i in range(5):
        losses = {"train_loss": random.random(), "test_loss": random.random()}
        stat.add(losses)
        pairs = {k: [torch.randn(4, 20), torch.randn(4, 20)] for k in ["test_mse", "train_mse"]}
        stat.add(pairs)
        stat.log(i)
        for name, value in losses.items():
            expected[name].append((i, value))
        for name, pair in pairs.items():
            squares[name].append((i, pytest.approx(mse(pair))))
    assert stat.flush()
    assert traces(stat, server.url, "loss") == expected
    assert traces(stat, server.url, "mse") == squares
    stat.close()


def test_a_custom_logger_from_dictionaries(server: ServerProcess) -> None:
    stat = flexlogger.FlexLogger(
        {"loss": {"type": "line"}, "images": {"type": "image", "opts": {"env": "my_env2"}}},
        {
            "train_loss": {"type": "AverageValueMeter", "target": "loss"},
            "test_loss": {"type": "AverageValueMeter", "target": "loss"},
        },
        env="my_env",
        uid="my_uid",
        port=server.port,
    )
    stat.add({"train_loss": 1.0, "test_loss": 2.0})
    stat.add({"train_loss": 3.0})
    stat.add({"images": torch.rand(3, 16, 16)})
    stat.log(0)
    assert stat.flush()
    assert stat.uid == "my_uid"
    assert traces(stat, server.url, "loss") == {"train_loss": [(0, 2.0)], "test_loss": [(0, 2.0)]}
    image = window(stat, server.url, "images", env="my_env2")
    assert image["type"] == "image"
    assert image["content"]["src"].startswith("data:image/png;base64,")
    stat.close()


def test_the_notes_on_meters_and_plots() -> None:
    assert "AverageValueMeter" in flexlogger.meter_types()
    assert {"line", "image", "heatmap"} <= set(flexlogger.plot_types())
    assert "k" in [option.name for option in flexlogger.meter_info("ConfusionMeter").options]
    assert "scalar" in flexlogger.plot_info("line").accepts
    assert {"loss", "mse", "acc"} <= set(flexlogger.preset_names())
    info = flexlogger.preset_info("loss+Acc")
    assert [plot.name for plot in info.plots] == ["loss", "acc"]
    assert "train_acc" in str(info)


def test_plots_and_meters_added_on_the_fly(server: ServerProcess) -> None:
    stat = flexlogger.get_preset_logger("loss", env="seed-fly", port=server.port)
    stat.add({"train_loss": 1.0})
    stat.log(0)
    stat.add_plot("grad", type="line", opts={"ytype": "log"})
    stat.add_meter("grad_norm", "MaxMeter", target="grad")
    stat.update_definition({"plots": {"loss": {"opts": {"title": "the loss"}}}})
    stat.add({"train_loss": 2.0, "grad_norm": 5.0})
    stat.log(1)
    assert stat.flush()
    assert traces(stat, server.url, "grad") == {"grad_norm": [(1, 5.0)]}
    assert traces(stat, server.url, "loss")["train_loss"] == [(0, 1.0), (1, 2.0)]
    assert window(stat, server.url, "loss")["title"] == "the loss"
    stat.remove("grad")
    with pytest.raises(flexlogger.UnknownNameError):
        stat.add({"grad_norm": 1.0})
    stat.close()


def test_a_restarted_server_gets_every_window_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    from flexlogger.server.process import start_server

    with start_server(tmp_path_factory.mktemp("first"), free_port()) as first:
        port = first.port
        stat = flexlogger.get_preset_logger("loss+acc", env="restart", port=port)
        for n in range(50):
            stat.add({"train_loss": float(n), "train_acc": [torch.eye(4), torch.arange(4)]})
            stat.log(n)
        assert stat.flush()
        first.kill()
    with start_server(tmp_path_factory.mktemp("second"), port=port) as second:
        stat.add({"test_loss": 7.0})
        stat.log(50)
        assert stat.flush(30)
        assert traces(stat, second.url, "loss")["train_loss"] == [(n, float(n)) for n in range(50)]
        assert len(traces(stat, second.url, "acc")["train_acc"]) == 50
        stat.close()


def test_a_resumed_run_shows_both_halves(server: ServerProcess) -> None:
    for start in (0, 10):
        with flexlogger.get_preset_logger("loss", env="resumed", run="resumed", port=server.port) as stat:
            for n in range(start, start + 10):
                stat.add({"train_loss": float(n)})
                stat.log(n)
            assert stat.flush()
            assert traces(stat, server.url, "loss")["train_loss"] == [(n, float(n)) for n in range(start + 10)]


def test_a_million_points_stay_bounded_with_their_extremes(server: ServerProcess) -> None:
    stat = flexlogger.get_preset_logger("loss", env="million", port=server.port)
    rng = np.random.default_rng(0)
    values = rng.normal(size=100_000)
    values[54_321], values[65_432] = 99.0, -99.0
    for n, value in enumerate(values.tolist()):
        stat.add({"train_loss": value})
        stat.log(n)
    assert stat.flush(60)
    points = traces(stat, server.url, "loss")["train_loss"]
    assert len(points) <= 2000
    assert points[0] == (0, values[0])
    assert points[-1] == (99_999, values[-1])
    assert (54_321, 99.0) in points
    assert (65_432, -99.0) in points
    assert stat.status()["dropped"] == {}
    stat.close()
