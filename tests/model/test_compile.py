"""Compiled models: collected steps run eagerly, the compiled graphs stay as they are."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn

from flexlogger.errors import ValueRefusedError
from flexlogger.model.tooled import TooledModel
from flexlogger.readback import Copied
from tests.model.cases import Branches, Checkpointed, data, total

EVERYTHING = ["weights", "grads", "inputs", "outputs", "grad_in", "grad_out"]


@pytest.fixture(autouse=True)
def a_fresh_compiler() -> Any:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Counting:
    """A backend that counts compilations and calls of what it compiled."""

    def __init__(self) -> None:
        self.compiled = self.called = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
        self.compiled += 1

        def run(*args: Any) -> Any:
            self.called += 1
            return graph.forward(*args)

        return run


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for step in range(steps):
        optimizer.zero_grad()
        total(model(data(4, 6, seed=step))).backward()
        optimizer.step()


@pytest.mark.parametrize("how", ["the wrapper is tooled", "the model is tooled", "compiled in place"])
def test_due_steps_are_complete_and_nothing_is_compiled_again(how: str) -> None:
    torch.manual_seed(0)
    model = Branches()
    twin = copy.deepcopy(model)
    backend = Counting()
    if how == "compiled in place":
        model.compile(backend=backend)
        compiled: Any = model
    else:
        compiled = torch.compile(model, backend=backend)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    tooled = TooledModel(
        compiled if how == "the wrapper is tooled" else model, optimizer, sources=EVERYTHING, stats=["norm"], every=3
    )
    train(compiled, optimizer, 7)
    latest, status = tooled.latest, tooled.status()
    tooled.remove()
    expected = TooledModel(
        twin, twin_optimizer := torch.optim.SGD(twin.parameters(), 1e-3), sources=EVERYTHING, stats=["norm"]
    )
    train(twin, twin_optimizer, 7)
    assert status["unseen"] == []
    assert latest is not None
    assert expected.latest is not None
    assert latest.step == 6
    theirs = expected.latest.table()
    for row, sources in latest.table().items():
        assert sources.keys() == theirs[row].keys()
        for source, stats in sources.items():
            assert stats["norm"] == pytest.approx(theirs[row][source]["norm"], rel=1e-4)
    expected.remove()
    assert backend.compiled == 1
    assert backend.called == 4, "steps 1, 2, 4 and 5"


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the compiler looks at it
def test_a_part_that_is_compiled() -> None:
    model = Branches()
    backend = Counting()
    model.left = torch.compile(model.left, backend=backend)  # type: ignore[assignment]
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    tooled = TooledModel(model, optimizer, sources=EVERYTHING, stats=["norm"], every=2)
    train(model, optimizer, 5)
    assert tooled.latest is not None
    assert tooled.latest.table()["left"].keys() == set(EVERYTHING)
    assert (backend.compiled, backend.called) == (1, 2)
    tooled.remove()


def test_the_stance_is_the_users_again_afterwards() -> None:
    model = Branches()
    compiled = torch.compile(model, backend=Counting())
    with torch.compiler.set_stance("eager_on_recompile"):
        tooled = TooledModel(compiled, sources=["outputs"])
        tooled.remove()
        assert torch._dynamo.eval_frame._stance.stance == "eager_on_recompile"


def test_compiling_after_the_model_was_tooled_is_told_and_mends_itself(caplog: pytest.LogCaptureFixture) -> None:
    """What a process does that tools a model before anything of the compiler is loaded."""
    model = Branches()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    tooled = TooledModel(model, optimizer, sources=["outputs", "grad_out"], stats=["norm"])
    torch.compiler.set_stance("default")
    backend = Counting()
    compiled = torch.compile(model, backend=backend)
    train(compiled, optimizer, 1)
    assert backend.called == 1
    assert tooled.status()["unseen"] == ["first", "left", "right"]
    assert "no hook has seen these layers in the first collected step: first, left, right" in caplog.text
    train(compiled, optimizer, 1)
    assert tooled.latest is not None
    assert tooled.latest.table()["left"].keys() == {"outputs", "grad_out"}
    assert backend.called == 1
    tooled.remove()


# ---- inside the graph


@pytest.mark.parametrize("order", ["first of its class", "after another of its class"])
def test_in_graph_statistics_are_part_of_one_graph(order: str) -> None:
    torch.manual_seed(0)
    model = Branches()
    twin = copy.deepcopy(model)
    if order != "first of its class":
        torch.compile(Branches(), backend="aot_eager")(data(4, 6))
    backend = Counting()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    sources, stats = (
        ["outputs", "inputs", "grad_in", "grad_out"],
        ["mean", "std", "norm", "min", "max", "zero_fraction"],
    )
    tooled = TooledModel(model, optimizer, sources=sources, stats=stats, every=3, in_graph=True)
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    train(compiled, optimizer, 7)
    assert tooled.status()["unseen"] == []
    assert tooled.latest is not None
    assert tooled.latest.step == 6
    latest = tooled.latest.table()
    assert (backend.compiled, backend.called) == (2, 7), "one graph for watched steps, one for the others"
    tooled.remove()
    assert all(not module._forward_hooks for module in model.modules())
    expected = TooledModel(
        twin, twin_optimizer := torch.optim.SGD(twin.parameters(), 1e-3), sources=sources, stats=stats
    )
    train(twin, twin_optimizer, 7)
    assert expected.latest is not None
    theirs = expected.latest.table()
    expected.remove()
    assert latest.keys() == theirs.keys()
    for row, of in latest.items():
        assert of.keys() == theirs[row].keys()
        for source, values in of.items():
            assert values == pytest.approx(theirs[row][source], rel=1e-3, abs=1e-5), (row, source)


def test_in_graph_takes_out_the_scale_of_the_step_that_runs() -> None:
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1)
    tooled = TooledModel(model, optimizer, sources=["grad_out"], stats=["mean"], scaler=scaler, in_graph=True)
    for _ in range(2):
        scaler.scale(model(data(4, 6)).sum()).backward()
        assert tooled.table(show=False)["Linear"]["grad_out"]["mean"] == pytest.approx(1.0)
        scaler.step(optimizer)
        scaler.update()
    tooled.remove()


def test_in_graph_tells_what_turned_bad_first() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    tooled = TooledModel(model, sources=EVERYTHING, stats=["norm", "nonfinite_fraction"], in_graph=True)
    with torch.no_grad():
        model[0].bias[0] = float("nan")
    total(model(data(2, 6))).backward()
    snapshot = tooled.snapshot()
    assert snapshot is not None
    bad = snapshot.nonfinite
    assert bad[:3] == [("0", "outputs"), ("1", "inputs"), ("1", "outputs")]
    assert bad.index(("2", "grad_out")) < bad.index(("2", "grads"))
    tooled.remove()


def test_in_graph_hooks_are_plain_in_copies() -> None:
    model = Branches()
    tooled = TooledModel(model, sources=["outputs"], stats=["max"], in_graph=True)
    model(torch.ones(2, 6))
    expected = float(model.first(torch.ones(2, 6)).detach().max())
    tooled.step()
    tooled.clear()
    tooled.step()
    model(torch.ones(2, 6))
    copy.deepcopy(model)(torch.full((2, 6), 100.0))
    pickle.loads(pickle.dumps(model))(torch.full((2, 6), 100.0))
    assert tooled.table(show=False)["first"]["outputs"]["max"] == pytest.approx(expected)


def abs_means(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.abs().mean()


def test_in_graph_takes_moments_only() -> None:
    with pytest.raises(
        ValueRefusedError,
        match="in_graph: outputs: 'histogram' cannot be a part of what is compiled; expected some of: mean, std, norm",
    ):
        TooledModel(Branches(), sources=["outputs"], stats=["mean", "histogram"], in_graph=True)
    with pytest.raises(ValueRefusedError, match=r"'abs_means' cannot be .* did you mean 'abs_mean'"):
        TooledModel(Branches(), sources=["outputs"], stats=[abs_means], in_graph=True)


@pytest.mark.parametrize("compiles", [False, True])
@pytest.mark.parametrize("with_optimizer", [True, False])
def test_in_graph_takes_the_scale_of_a_loss_out(with_optimizer: bool, compiles: bool) -> None:
    torch.manual_seed(0)
    model = Branches()
    twin = copy.deepcopy(model)
    optimizer, twins = (torch.optim.SGD(one.parameters(), 1e-3) for one in (model, twin))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1)  # another one in every step
    options: dict[str, Any] = {"sources": ["outputs", "grad_in", "grad_out"], "stats": ["mean", "std", "norm", "max"]}
    tooled = TooledModel(model, optimizer if with_optimizer else None, scaler=scaler, in_graph=True, **options)
    runs: Any = torch.compile(model, backend=Counting()) if compiles else model
    for step in range(3):
        optimizer.zero_grad()
        scaler.scale(total(runs(data(4, 6, seed=step)))).backward()
        scaler.step(optimizer)
        scaler.update()
        if not with_optimizer:
            tooled.step()
    got = tooled.latest.table() if tooled.latest else {}
    tooled.remove()
    assert scaler.get_scale() == 8192.0
    expected = TooledModel(twin, twins, **options)
    train(twin, twins, 3)
    theirs = expected.latest.table() if expected.latest else {}
    expected.remove()
    for row, sources in theirs.items():
        for source, stats in sources.items():
            assert got[row][source] == pytest.approx(stats, rel=1e-3, abs=1e-5), (row, source)


def test_in_graph_names_unseen_layers_without_waiting(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device's answer is looked at when it is there, in a collected step."""

    class Event:
        passed = False

        def query(self) -> bool:
            return self.passed

    event = Event()
    monkeypatch.setattr("flexlogger.model.in_graph.copy_to_host", lambda tensors: Copied(tensors, event))
    model = Branches()
    model.unused = nn.Linear(2, 2)
    tooled = TooledModel(model, sources=["outputs"], in_graph=True)
    for _ in range(2):
        total(model(data(2, 6))).backward()
        tooled.step()
        assert tooled.status()["unseen"] == []
    event.passed = True
    total(model(data(2, 6))).backward()
    tooled.step()
    assert tooled.status()["unseen"] == ["unused"]
    assert "no hook has seen these layers in the first collected step: unused." in caplog.text
    tooled.remove()


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("backend", [None, "aot_eager"])
def test_in_graph_counts_what_a_checkpoint_repeats_once(backend: str | None, reentrant: bool) -> None:
    torch.manual_seed(0)
    model = Checkpointed(reentrant)
    twin = copy.deepcopy(model)
    options: dict[str, Any] = {"sources": ["inputs", "outputs", "grad_in", "grad_out"], "stats": ["norm", "std"]}
    tooled = TooledModel(model, in_graph=True, **options)
    runs: Any = torch.compile(model, backend=backend) if backend else model
    for step in range(2):
        total(runs(data(4, 6, seed=step))).backward()
        tooled.step()
    got = tooled.latest.table() if tooled.latest else {}
    tooled.remove()
    expected = TooledModel(twin, **options)
    total(twin(data(4, 6, seed=1))).backward()
    theirs = expected.table(show=False)
    expected.remove()
    assert got.keys() == theirs.keys()
    for row, sources in theirs.items():
        for source, stats in sources.items():
            assert got[row][source] == pytest.approx(stats, rel=1e-3), (row, source)
