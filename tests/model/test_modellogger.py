"""A model's statistics as records and windows."""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import module as torch_module

from flexlogger import FlexLogger
from flexlogger.errors import ConfigError, NonFiniteError, ValueRefusedError
from flexlogger.model.modellogger import TooledModelLogger
from flexlogger.records import Definition, Event
from flexlogger.sinks.memory import MemorySink


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


def step(model: nn.Module, scale: float = 1.0) -> None:
    (model(torch.ones(2, 4)) * scale).sum().backward()


def definition(view: MemorySink) -> Definition:
    return [item for item in view.items if isinstance(item, Definition)][-1]


@pytest.mark.parametrize(
    ("mode", "windows", "names"),
    [
        ("by_layer", ["layer_0", "layer_2"], ["layer_0.norm.weights", "layer_2.mean.inputs", "layer_2.norm.grad_in"]),
        ("by_metric", ["weights", "inputs", "grad_in"], ["weights.norm.0", "inputs.mean.2", "grad_in.norm.2"]),
        ("by_stat", ["norm", "mean"], ["norm.weights.0", "mean.inputs.2", "norm.grad_in.2"]),
    ],
)
def test_three_ways_to_lay_out_the_same_numbers(mode: str, windows: list[str], names: list[str]) -> None:
    model, view = net(), MemorySink()
    logger = TooledModelLogger(
        model,
        mode=mode,
        sources=["weights", "inputs", "grad_in"],
        stats=["norm", "mean"],
        layers="type:Linear",
        sinks=[view],
    )
    expected = float(model[0].weight.detach().norm())
    step(model)
    logger.step(log=True)
    logger.close()
    (record,) = [r for r in view.records if not math.isnan(r.step)]
    assert set(names) <= record.values.keys()
    key = names[0]
    assert record.values[key] == pytest.approx(expected, rel=1e-6)
    assert not any("grad_in" in name and ("layer_0" in name or name.endswith(".0")) for name in record.values)
    plots = [plot.name for plot in definition(view).plots]
    assert plots == [*windows, "model_cost"]


def test_layers_are_colours_and_statistics_are_dashes() -> None:
    model, view = net(), MemorySink()
    logger = TooledModelLogger(
        model, mode="by_metric", sources=["weights"], stats=["mean", "std"], layers="type:Linear", sinks=[view]
    )
    for _ in range(3):
        step(model)
        logger.step()
    logger.close()
    lines = {trace["name"]: trace["line"] for trace in view.panel("weights").data if trace.get("mode") == "lines"}
    assert list(lines) == ["weights.mean.0", "weights.mean.2", "weights.std.0", "weights.std.2"]
    colours = {name: line["color"] for name, line in lines.items()}
    dashes = {name: line["dash"] for name, line in lines.items()}
    assert colours["weights.mean.0"] == colours["weights.std.0"] != colours["weights.mean.2"]
    assert dashes["weights.mean.0"] == dashes["weights.mean.2"] != dashes["weights.std.2"]


def test_the_layers_of_a_deep_model_are_told_apart() -> None:
    model, view = nn.Sequential(*(nn.Linear(2, 2) for _ in range(12))), MemorySink()
    with TooledModelLogger(model, extends="weights", sinks=[view]) as logger:
        logger.step()
    lines = [trace["line"] for trace in view.panel("weights").data]
    assert len(lines) == 36
    assert len({(line["color"], line["dash"], line["width"]) for line in lines}) == 36


def test_losses_and_layers_on_one_dashboard() -> None:
    model, view = net(), MemorySink()
    stat = FlexLogger({"loss": {}}, {"train_loss": {"type": "AverageValueMeter", "target": "loss"}}, sinks=[view])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    logger = TooledModelLogger(model, optimizer, mode="by_metric", logger=stat, sources=["grads"], stats=["norm"])
    for n in range(3):
        optimizer.zero_grad()
        step(model)
        optimizer.step()
        stat.add(train_loss=float(n))
        stat.log(10 * n)
        logger.step(at=10 * n)
    logger.close()
    stat.add(train_loss=3.0)
    stat.log(30)
    stat.close()
    assert [x for x, _ in view.series("grads.norm.0")] == [0, 10, 20]
    assert [x for x, _ in view.series("train_loss")] == [0, 10, 20, 30], "the run goes on when the layers are done"
    assert {plot.name for plot in definition(view).plots} >= {"loss", "grads"}


def test_what_a_config_says_of_the_model_is_enough() -> None:
    model, view = net(), MemorySink()
    stat = FlexLogger.from_presets("loss+grads+updates", model={"budget": None, "every": 2}, sinks=[view])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    layers = TooledModelLogger(model, optimizer, logger=stat, layers="0")
    for _ in range(3):
        step(model)
        optimizer.step()
        layers.step()
    layers.close()
    stat.close()
    assert layers.tooled.plan.stats == {"grads": ("norm", "mean", "std"), "weights": ("update_ratio",)}
    assert [x for x, _ in view.series("grads.norm.0")] == [0, 2]
    assert [x for x, _ in view.series("weights.update_ratio.0")] == [0, 2]
    assert "grads.norm.2" not in view.records[0].values


def test_what_is_said_in_code_goes_before_the_config() -> None:
    with FlexLogger.from_presets("grads", sinks=[]) as stat:
        layers = TooledModelLogger(net(), logger=stat, every=3, mode="by_layer")
        assert layers.status()["every"] == 3
        assert "layer_0" in layers.logger.get_definitions()
        layers.close()


def test_presets_of_its_own_run_say_what_is_collected() -> None:
    model, view = net(), MemorySink()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with TooledModelLogger(
        model, optimizer, extends="grads+updates", every=2, mode="by_stat", layers="0", sinks=[view]
    ) as layers:
        for _ in range(3):
            step(model)
            optimizer.step()
            layers.step()
    assert layers.tooled.plan.stats == {"grads": ("norm", "mean", "std"), "weights": ("update_ratio",)}
    assert [x for x, _ in view.series("norm.grads.0")] == [0, 2]
    assert [x for x, _ in view.series("update_ratio.weights.0")] == [0, 2]


def test_statistics_said_in_code_are_those_of_every_source() -> None:
    with TooledModelLogger(net(), extends="weights+activations", stats=["max"], sinks=[]) as layers:
        assert layers.tooled.plan.stats == {"weights": ("max",), "outputs": ("max",)}


def test_a_file_that_is_extended_goes_over_the_config_of_the_run_it_joins(tmp_path: Path) -> None:
    file = tmp_path / "critic.yaml"
    file.write_text("model: {sources: [outputs], every: 5, prefix: critic_}\n", encoding="utf-8")
    with FlexLogger.from_presets("grads", sinks=[]) as stat:
        layers = TooledModelLogger(net(), logger=stat, extends=str(file))
        assert layers.tooled.plan.sources == ("outputs",)
        assert layers.status()["every"] == 5
        assert "critic_outputs" in layers.logger.get_definitions()
        layers.close()


@pytest.mark.parametrize("where", ["logger", "file"])
def test_what_a_config_may_import_its_statistics_may(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"spread_of_{where}"
    tmp_path.joinpath(f"{module}.py").write_text("def spread(tensor):\n    return tensor.max() - tensor.min()\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = tmp_path / "dashboard.yaml"
    config.write_text(f"model: {{sources: [weights], stats: [{module}.spread], mode: by_metric}}\n", encoding="utf-8")
    model, view = net(), MemorySink()
    weight = model[0].weight.detach()
    if where == "logger":
        with FlexLogger.from_config(config, allow_imports=[module], sinks=[view]) as stat:
            with pytest.raises(ConfigError, match="is not below a package that may be imported"):
                TooledModelLogger(model, extends=str(config), sinks=[])
            with TooledModelLogger(model, logger=stat) as layers:
                layers.step()
    else:
        with TooledModelLogger(model, extends=str(config), allow_imports=[module], sinks=[view]) as layers:
            layers.step()
    assert view.series("weights.spread.0") == [(0, pytest.approx(float(weight.max() - weight.min())))]


def test_a_step_off_schedule_logs_what_can_be_read_after_it() -> None:
    model, view = net(), MemorySink()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    sources = ["weights", "grads", "inputs", "outputs", "grad_in", "grad_out"]
    logger = TooledModelLogger(
        model, optimizer, "by_metric", sources=sources, stats=["norm", "update_ratio"], every=3, sinks=[view]
    )
    weights, grads = [], []
    for n in range(3):
        optimizer.zero_grad()
        step(model)
        optimizer.step()
        weights.append(float(model[2].weight.detach().norm()))
        grads.append(float(model[2].weight.grad.norm()))
        logger.step(log=True if n == 2 else None)
    logger.close()
    first, late = view.records
    assert (first.step, late.step) == (0, 2)
    assert {name.split(".")[0] for name in first.values} == {*sources, "model_cost"}
    assert set(late.values) == {
        *(f"{source}.norm.{row}" for source in ("weights", "grads") for row in "02"),
        "model_cost.percent",
        "model_cost.every",
    }
    assert late.values["weights.norm.2"] == pytest.approx(weights[2], rel=1e-6), "as the step has left them"
    assert late.values["grads.norm.2"] == pytest.approx(grads[2], rel=1e-6)


def test_two_models_on_one_dashboard_need_a_prefix() -> None:
    view = MemorySink()
    with FlexLogger({"loss": {}}, sinks=[view]) as stat:
        first = TooledModelLogger(net(), mode="by_metric", logger=stat)
        with pytest.raises(ConfigError, match="another logger of this run"):
            TooledModelLogger(net(), mode="by_metric", logger=stat)
        assert len(torch_module._global_forward_hooks) == 1, "what was refused has left nothing behind"
        second = TooledModelLogger(net(), mode="by_metric", logger=stat, prefix="critic_")
        assert stat.flush()
        assert {"weights", "critic_weights"} <= {plot.name for plot in definition(view).plots}
        first.close()
        second.close()


def test_every_kth_step_is_one_record() -> None:
    model, view = net(), MemorySink()
    logger = TooledModelLogger(model, every=3, sources=["weights", "outputs"], stats=["norm"], sinks=[view])
    for _ in range(8):
        step(model)
        logger.step()
    logger.close()
    assert [record.step for record in view.records] == [0, 3, 6]
    assert view.series("model_cost.every") == [(0, 3.0), (3, 3.0), (6, 3.0)]


def test_a_log_averages_the_steps_since_the_last_one() -> None:
    model, view = net(), MemorySink()
    logger = TooledModelLogger(
        model, mode="by_metric", sources=["outputs"], stats=["mean", "min", "max"], layers="2", sinks=[view]
    )
    outputs = []
    for n in range(40):  # more than wait as they are
        x = torch.full((2, 4), float(n))
        outputs.append(model(x).detach())
        logger.step(log=n == 39)
    logger.step(log=False)
    logger.reset()
    logger.log()
    logger.close()
    (record,) = view.records
    stacked = torch.stack(outputs)
    assert record.step == 39
    assert record.values["outputs.mean.2"] == pytest.approx(float(stacked.mean()), rel=1e-5)
    assert record.values["outputs.min.2"] == pytest.approx(float(stacked.min()), rel=1e-5)
    assert record.values["outputs.max.2"] == pytest.approx(float(stacked.max()), rel=1e-5)


@pytest.mark.parametrize("wrong", [True, "3", math.nan])
def test_a_step_that_is_none_is_refused_at_the_call(wrong: Any) -> None:
    with TooledModelLogger(net(), sinks=[]) as logger:
        for call in (lambda: logger.step(at=wrong), lambda: logger.log(wrong)):
            with pytest.raises(ValueRefusedError, match="step: expected a finite int or float"):
                call()
        assert logger.step() == 1, "what was refused ends no step"


def test_add_keeps_what_a_step_has_collected_so_far() -> None:
    model, view = net(), MemorySink()
    logger = TooledModelLogger(model, mode="by_metric", sources=["outputs"], stats=["mean"], layers="2", sinks=[view])
    output = model(torch.ones(2, 4)).detach()
    logger.add()
    logger.log(7)
    logger.close()
    assert view.series("outputs.mean.2") == [(7, pytest.approx(float(output.mean()), rel=1e-6))]


def test_a_tight_loop_loses_no_step() -> None:
    """Faster than the worker looks: what does not fit is worked out at once."""
    model, view = nn.Sequential(*(nn.Linear(60, 60) for _ in range(30))), MemorySink()
    logger = TooledModelLogger(model, mode="by_metric", sources=["weights"], stats=["norm"], sinks=[view])
    for _ in range(300):
        logger.step()
    logger.close()
    assert [record.step for record in view.records] == list(range(300))
    assert logger.logger.status()["dropped"] == {}


def test_histograms_are_windows_of_their_own() -> None:
    model, view = net(), MemorySink()
    logger = TooledModelLogger(
        model, sources={"weights": ["histogram"], "grads": ["histogram", "norm"]}, layers="0", bins=8, sinks=[view]
    )
    step(model)
    logger.step()
    logger.close()
    (record,) = view.records
    data = {datum.name: datum for datum in record.data}
    assert data.keys() == {"layer_0_histogram.weights", "layer_0_histogram.grads"}
    datum = data["layer_0_histogram.weights"]
    assert isinstance(datum.value, np.ndarray)
    assert datum.value.shape == (2, 9)
    assert not datum.value.flags.writeable
    bars = view.panel("layer_0_histogram").data
    assert [trace["type"] for trace in bars] == ["bar", "bar"]


# ---- what is not finite


class Fragile(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 3), nn.Linear(3, 3), nn.Linear(3, 1)
        self.divide = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.second(self.first(x))
        return self.last(hidden / 0 if self.divide else hidden)


WATCHED = ["weights", "inputs", "outputs", "grads", "grad_out"]


def fragile(view: MemorySink, **options: Any) -> tuple[Fragile, TooledModelLogger]:
    model = Fragile()
    return model, TooledModelLogger(model, mode="by_metric", sources=WATCHED, sinks=[view], **options)


def test_the_first_layer_source_and_step_that_were_not_finite_are_named(caplog: pytest.LogCaptureFixture) -> None:
    view = MemorySink()
    model, logger = fragile(view)
    for n in range(4):
        model.divide = n >= 2
        step(model)
        logger.step()
    logger.close()
    told = "first inputs of layer 'last' in step 2 (all was finite in step 1)"
    assert logger.status()["nonfinite"].startswith(told)
    assert len([record for record in caplog.records if told in record.getMessage()]) == 1
    events = [item for item in view.items if isinstance(item, Event) and item.kind == "nonfinite"]
    assert any(told in event.info.get("told", "") for event in events)
    assert "in step 2 (all was finite in step 1)" in str(view.panel("model_nonfinite"))


def test_training_stops_there_where_that_was_asked_for() -> None:
    view = MemorySink()
    model, logger = fragile(view, stop_on_nan=True)
    step(model)
    logger.step()
    model.divide = True
    step(model)
    with pytest.raises(NonFiniteError, match=r"first inputs of layer 'last' in step 1 \(all was finite in step 0\)"):
        logger.step()
    logger.close()
    assert [record.step for record in view.records if "weights.mean.last" in record.values] == [0, 1]


def test_a_weight_that_was_bad_to_begin_with() -> None:
    model = Fragile()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    logger = TooledModelLogger(model, optimizer, sources=WATCHED, stop_on_nan=True, sinks=[])
    with torch.no_grad():
        model.second.weight[0, 0] = math.nan
    step(model)
    optimizer.step()
    with pytest.raises(NonFiniteError, match=r"first weights of layer 'second' in step 0 \(the first step collected\)"):
        logger.step()
    logger.close()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("every", [1, 100])
@pytest.mark.parametrize("with_optimizer", [True, False])
def test_a_scaler_that_looks_for_its_scale_is_no_reason_to_stop(with_optimizer: bool, every: int, fused: bool) -> None:
    model = Fragile()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
    given = optimizer if with_optimizer else None
    with TooledModelLogger(
        model, given, sources=["grads", "weights"], scaler=scaler, stop_on_nan=True, every=every, sinks=[]
    ) as logger:
        for _ in range(3):
            optimizer.zero_grad()
            scaler.scale(model(torch.ones(2, 4) * 1e3).sum()).backward()
            assert not all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
            scaler.step(optimizer)
            scaler.update()
            logger.step(log=True)
        assert logger.status()["nonfinite"] is None


def test_a_step_that_one_of_several_optimizers_leaves_out_is_no_reason_to_stop() -> None:
    model = net()
    first, last = (torch.optim.SGD(model[at].parameters(), 1e-3) for at in (0, 2))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with TooledModelLogger(
        model, [first, last], sources=["grads"], scaler=scaler, stop_on_nan=True, sinks=[]
    ) as logger:
        scaler.scale(model(torch.ones(2, 4)).sum()).backward()
        model[0].weight.grad[0, 0] = math.inf
        scaler.step(first)
        scaler.step(last)
        scaler.update()
        logger.step()
        assert logger.status()["nonfinite"] is None


def test_windows_of_the_model_may_be_named_beside_presets() -> None:
    view = MemorySink()
    layout = {"order": ["weights", "loss"]}
    options: dict[str, Any] = {"sources": ["weights"], "mode": "by_metric", "layout": layout, "sinks": [view]}
    with TooledModelLogger(net(), extends="loss", **options):
        pass
    assert definition(view).layout.order == ("weights", "loss")


@pytest.mark.parametrize("every", [1, 100])
@pytest.mark.parametrize("with_optimizer", [True, False])
def test_a_gradient_that_a_scaled_step_is_taken_with_is_looked_at(with_optimizer: bool, every: int) -> None:
    """Also in a step that is logged though it was not due."""
    model = Fragile()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    given = optimizer if with_optimizer else None
    with TooledModelLogger(
        model, given, sources=["grads"], scaler=scaler, stop_on_nan=True, every=every, sinks=[]
    ) as logger:
        for bad in (False, True):
            scaler.scale(model(torch.ones(2, 4)).sum()).backward()
            scaler.unscale_(optimizer)
            if bad:
                model.second.weight.grad[0, 0] = math.nan  # type: ignore[index]
            scaler.step(optimizer)
            scaler.update()
            with pytest.raises(NonFiniteError, match="second") if bad else nullcontext():
                logger.step(log=True)


@pytest.mark.parametrize("with_optimizer", [True, False])
def test_what_no_scale_can_be_the_cause_of_is_told_though_the_scaler_leaves_the_step_out(with_optimizer: bool) -> None:
    model = Fragile()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    given = optimizer if with_optimizer else None
    with TooledModelLogger(model, given, sources=WATCHED, scaler=scaler, stop_on_nan=True, sinks=[]) as logger:
        model.divide = True
        scaler.scale(model(torch.ones(2, 4)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == 512.0
        with pytest.raises(NonFiniteError, match="first inputs of layer 'last' in step 0"):
            logger.step()


def test_a_scaler_that_is_none_is_refused() -> None:
    with pytest.raises(ValueRefusedError, match=r"scaler: expected a torch.amp.GradScaler, but got float"):
        TooledModelLogger(net(), scaler=1024.0, sinks=[])
    model = net()
    with TooledModelLogger(model, scaler=torch.amp.GradScaler("cpu", enabled=False), sinks=[]) as logger:
        step(model)
        logger.step()
        assert logger.status()["broken"] is None


# ---- promises


def test_mistakes_are_told_before_anything_is_opened() -> None:
    with pytest.raises(ValueRefusedError, match="mode: unknown mode 'by_layers'; did you mean 'by_layer'"):
        TooledModelLogger(net(), mode="by_layers", sinks=[])
    with pytest.raises(ConfigError, match="unknown key 'sink'"):
        TooledModelLogger(net(), sink=[])
    with pytest.raises(ConfigError, match="evry: unknown key 'evry'; did you mean 'every'"):
        TooledModelLogger(net(), evry=2, sinks=[])
    assert not torch_module._global_forward_hooks


def test_nothing_is_added_to_its_lines_by_hand() -> None:
    with TooledModelLogger(net(), mode="by_metric", sinks=[]) as logger, pytest.raises(ValueRefusedError):
        logger.logger.add({"weights.mean": 1.0})


def test_the_table_is_the_last_collected_step() -> None:
    model = net()
    with TooledModelLogger(model, sources=["outputs"], stats=["mean"], sinks=[]) as logger:
        output = model(torch.ones(2, 4))
        assert logger.table(show=False)["2"]["outputs"]["mean"] == pytest.approx(float(output.detach().mean()))
        logger.step()
        model(torch.zeros(2, 4))
        assert logger.table(show=False)["2"]["outputs"]["mean"] == pytest.approx(float(output.detach().mean()))
