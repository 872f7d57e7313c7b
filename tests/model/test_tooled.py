"""What a user of TooledModel is promised."""

from __future__ import annotations

import copy
import gc
import io
import math
import pickle
import re
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules import module as torch_module

from flexlogger import faults
from flexlogger.errors import ValueRefusedError
from flexlogger.model.tooled import TooledModel
from tests.model import cases


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(20, 10), nn.Linear(10, 3))


def hooks_in_torch() -> int:
    return len(torch_module._global_forward_hooks) + len(torch_module._global_forward_pre_hooks)


def test_the_seeds_snippet(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(1)
    inputs, targets = torch.rand(2, 20), torch.rand(2, 3)
    model = small()
    TM = TooledModel(model)

    output = model(inputs)
    loss = F.mse_loss(output, targets)
    loss.backward()

    table = TM.table()
    assert TM.table(show=False) == table, "reading it again gives the same"
    hidden = model[0](inputs).detach().requires_grad_()
    output = model[1](hidden)
    output.retain_grad()
    F.mse_loss(output, targets).backward()
    expected = {
        ("0", "weights"): model[0].weight,
        ("1", "weights"): model[1].weight,
        ("0", "inputs"): inputs,
        ("1", "inputs"): hidden,
        ("0", "grad_out"): hidden.grad,
        ("1", "grad_in"): hidden.grad,
        ("1", "grad_out"): output.grad,
    }
    assert {(row, source) for row in table for source in table[row]} == expected.keys()
    for (row, source), tensor in expected.items():
        assert tensor is not None
        assert table[row][source]["mean"] == pytest.approx(float(tensor.detach().mean()), abs=1e-5)
        assert table[row][source]["std"] == pytest.approx(float(tensor.detach().std()), abs=1e-5)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[3] == lines[-1] == "+--------+" + "------------------+" * 4
    assert [word.strip() for word in lines[1].split("|")[2:-1]] == ["Grad_in", "Grad_out", "Inputs", "Weights"]
    assert lines[2].split() == ["|", "Layers", "|", *["mean", "std", "|"] * 4]
    number = r" +-?\d+\.\d{4}"
    assert re.fullmatch(rf"\| 0      \| +– +– \|({number}{number} \|){{3}}", lines[4])
    assert re.fullmatch(rf"\| 1      \|({number}{number} \|){{4}}", lines[5])


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    model = small()
    tooled = TooledModel(model, sources=["weights", "grads"])
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    tooled.table()
    out = capsys.readouterr().out
    assert "Weights" in out
    assert "nan" in out
    assert "–" in out


def test_every_forward_pass_after_a_table_is_a_new_one() -> None:
    model = small()
    tooled = TooledModel(model, sources="inputs", stats="max")
    for value in (1.0, 3.0, 2.0):
        model(torch.full((4, 20), value))
        model(torch.full((4, 20), 50.0))  # without an optimizer the first pass is the one that counts
        assert tooled.table(show=False)["0"]["inputs"] == {"max": value}


def test_with_an_optimizer_all_passes_of_its_step_are_pooled() -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tooled = TooledModel(model, optimizer, sources="inputs", stats="max")
    for value in (1.0, 3.0, 2.0):
        model(torch.full((4, 20), 0.5)).sum().backward()
        model(torch.full((4, 20), value)).sum().backward()
        optimizer.step()
        assert tooled.latest is not None
        assert tooled.latest.table()["0"]["inputs"] == {"max": value}
    assert tooled.latest.step == 2


def test_steps_that_are_not_due_have_no_hooks_at_all() -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tooled = TooledModel(model, optimizer, every=3)
    seen = []
    for _ in range(7):
        seen.append(hooks_in_torch())
        model(torch.rand(2, 20)).sum().backward()
        optimizer.step()
    assert seen == [2, 0, 0, 2, 0, 0, 2]
    assert tooled.status()["collected"] == 3
    assert tooled.latest is not None
    assert tooled.latest.step == 6


def test_a_step_that_must_be_collected_gives_what_can_still_be_read() -> None:
    model = small()
    tooled = TooledModel(model, every=10, sources=["weights", "grads", "inputs"])
    for step in range(3):
        model(torch.rand(2, 20)).sum().backward()
        snapshot = tooled.step(collect=step == 2)
        assert (snapshot is None) == (step == 1)
    assert snapshot is not None
    assert snapshot.table()["0"].keys() == {"weights", "grads"}


def test_the_model_holds_no_hook_and_torch_none_after_remove() -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    before = {name: dict(module.__dict__) for name, module in model.named_modules()}
    tooled = TooledModel(model, optimizer)
    assert {name: dict(module.__dict__) for name, module in model.named_modules()} == before
    model(torch.rand(2, 20)).sum().backward()
    assert {name: dict(module.__dict__) for name, module in model.named_modules()} == before
    tooled.remove()
    assert hooks_in_torch() == 0
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    assert tooled.step() is None
    assert hooks_in_torch() == 0, "removed is removed"


def test_clear_forgets_and_rests_until_the_next_step() -> None:
    model = small()
    tooled = TooledModel(model)
    model(torch.rand(2, 20))
    tooled.clear()
    assert tooled.latest is None
    assert hooks_in_torch() == 0
    model(torch.rand(2, 20))
    tooled.step()
    assert hooks_in_torch() == 2


def test_a_forgotten_tooled_model_takes_its_hooks_with_it() -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tooled = TooledModel(model, optimizer)
    assert hooks_in_torch() == 2
    del tooled
    gc.collect()
    assert hooks_in_torch() == 0
    assert not optimizer._optimizer_step_pre_hooks


def test_copies_and_pickles_of_a_watched_model_are_plain() -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    keys = list(model.state_dict())
    tooled = TooledModel(model, optimizer, sources=["inputs", "outputs", "grad_out"], stats=["mean"])
    model(torch.ones(2, 20)).sum().backward()
    average = copy.deepcopy(model)
    again = pickle.loads(pickle.dumps(model))
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    assert list(model.state_dict()) == keys
    for other in (average, again, loaded):
        other(torch.full((2, 20), 9.0)).sum().backward()
    copied = copy.deepcopy(optimizer)
    pickle.loads(pickle.dumps(optimizer))
    copied.step()
    assert tooled.latest is None, "the copy's step is not ours"
    optimizer.step()
    assert tooled.latest is not None
    assert tooled.latest.table()["0"]["inputs"]["mean"] == 1.0, "nor are the copies' inputs"


def test_hooks_of_parameters_whose_optimizer_steps_in_backward_stay_as_they_were() -> None:
    model = small()
    calls: list[str] = []
    for name in ("first", "second"):
        model[0].weight.register_post_accumulate_grad_hook(lambda _, name=name: calls.append(name))
    before = dict(model[0].weight._post_accumulate_grad_hooks or {})
    tooled = TooledModel(model, sources="grads")
    tooled.step()
    model(torch.rand(2, 20)).sum().backward()
    tooled.remove()
    assert list((model[0].weight._post_accumulate_grad_hooks or {}).items()) == list(before.items())
    assert model[0].bias._post_accumulate_grad_hooks is None
    assert calls == ["first", "second"]


def test_hooks_of_the_users_own_go_on_working() -> None:
    model = small()
    model[0].register_forward_hook(lambda module, args, output: output * 2)
    handle = model[1].register_full_backward_hook(lambda module, grad_in, grad_out: None)
    tooled = TooledModel(model, sources=["outputs", "grad_out"], stats=["mean"])
    output = model(torch.rand(2, 20))
    output.sum().backward()
    table = tooled.table(show=False)
    assert table["1"]["outputs"]["mean"] == pytest.approx(float(output.detach().mean()), abs=1e-6)
    handle.remove()


# ---- what goes wrong


def test_an_error_in_here_ends_collecting_and_not_training(caplog: pytest.LogCaptureFixture) -> None:
    def broken(tensor: torch.Tensor) -> float:
        raise ZeroDivisionError("no")

    model = small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tooled = TooledModel(model, optimizer, stats=[broken])
    for _ in range(3):
        model(torch.rand(2, 20)).sum().backward()
        optimizer.step()
    assert tooled.status()["broken"] == "ZeroDivisionError: no"
    assert hooks_in_torch() == 0
    assert tooled.table(show=False) == {}
    assert len([record for record in caplog.records if "statistics of the model" in record.message]) == 1
    faults.forget()


class Fails(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.fails = nn.Linear(4, 4), nn.Linear(4, 4), True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x)
        if self.fails:
            raise MemoryError
        return self.last(hidden)


@pytest.mark.parametrize("with_optimizer", [False, True])
def test_a_pass_that_fails_half_way_does_not_count(with_optimizer: bool) -> None:
    model = Fails()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tooled = TooledModel(model, optimizer if with_optimizer else None, sources=["inputs"], stats=["max", "min"])
    with pytest.raises(MemoryError):
        model(torch.full((8, 4), 9.0))
    model.fails = False
    model(torch.full((2, 4), 3.0)).sum().backward()
    optimizer.step()
    table = tooled.latest.table() if tooled.latest else tooled.table(show=False)
    assert table["first"]["inputs"] == {"max": 3.0, "min": 3.0}
    assert "inputs" in table["last"]


def test_an_exception_that_the_model_catches_is_a_part_of_its_pass() -> None:
    class Careful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.risky, self.other = Fails(), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            try:
                return self.risky(x)
            except MemoryError:
                return self.other(x)

    model = Careful()
    tooled = TooledModel(model, sources=["inputs"], stats=["max"], layers=["other"])
    for value in (1.0, 2.0):
        model(torch.full((2, 4), value)).sum().backward()
    assert tooled.table(show=False)["other"]["inputs"] == {"max": 1.0}, "the first pass"


def test_several_optimizers_make_one_step() -> None:
    model = small()
    before = copy.deepcopy(model)
    optimizers = [torch.optim.SGD(model[0].parameters(), 0.1), torch.optim.SGD(model[1].parameters(), 0.2)]
    tooled = TooledModel(model, optimizers, sources={"weights": ["norm", "update_ratio"], "grads": ["norm"]})
    for step in range(2):
        before.load_state_dict(model.state_dict())
        model.zero_grad()
        model(torch.rand(2, 20)).square().sum().backward()
        for optimizer in optimizers:
            optimizer.step()
        assert tooled.latest is not None
        assert tooled.latest.step == step
        table = tooled.latest.table()
        for row in (0, 1):
            weight, old, grad = model[row].weight.detach(), before[row].weight.detach(), model[row].weight.grad
            assert grad is not None
            assert table[str(row)]["weights"]["norm"] == pytest.approx(float(old.norm()), rel=1e-5)
            assert table[str(row)]["grads"]["norm"] == pytest.approx(float(grad.norm()), rel=1e-5)
            moved = float((weight - old).norm() / old.norm())
            assert table[str(row)]["weights"]["update_ratio"] == pytest.approx(moved, rel=1e-4)


def test_a_pass_that_fails_leaves_the_next_one_whole() -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tooled = TooledModel(model, optimizer, sources=["inputs"], stats=["max"])
    with pytest.raises(RuntimeError, match="shapes"):
        model(torch.rand(2, 21))
    model(torch.full((2, 20), 3.0)).sum().backward()
    optimizer.step()
    assert tooled.latest is not None
    assert tooled.latest.table()["1"].keys() == {"inputs"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": ["weigths"]}, "sources: unknown source 'weigths'; did you mean 'weights'?"),
        ({"sources": []}, "sources: expected some of weights, grads"),
        ({"stats": ["meen"]}, "stats: unknown statistic 'meen'; did you mean 'mean'?"),
        ({"sources": {"grads": ["update_ratio"]}}, "sources.grads: update_ratio is a statistic of weights"),
        ({"sources": {"grads": []}}, "sources.grads: expected at least one statistic"),
        ({"stats": ["subprocess.run"]}, "'subprocess.run' is not below a package that may be imported"),
        ({"stats": [3]}, "stats: expected a statistic's name, a function or a class, but got 3"),
        ({"sources": 3}, "sources: expected names such as weights, grads, but got 3"),
        ({"stats": 3}, "stats: expected statistics such as mean, std, but got 3"),
        ({"sources": {"grads": 3}}, "sources.grads: expected statistics such as mean, std, but got 3"),
        ({"stats": ["update_ratio"]}, "update_ratio: needs the optimizer"),
        ({"optimizer": "Adam"}, "optimizer: expected a torch.optim.Optimizer, but got str"),
        ({"layers": 3}, "layers: expected a name, a class, a function or a list of them, got 3"),
        ({"layers": []}, "layers: expected at least one choice, but got none"),
        ({"layers": "Linear"}, "layers: 'Linear' is the name of no layer; did you mean 'type:Linear'"),
        ({"layers": "fc*"}, "layers: 'fc\\*' chooses none of the model's layers: 0, 1"),
        ({"layers": "type:Linaer"}, "layers: unknown type 'Linaer'; did you mean 'Linear'?"),
        ({"layers": "re:("}, "layers: 're:\\(' is no regular expression"),
        ({"every": 0}, "every: expected an integer of at least 1, but got 0"),
        ({"budget": "150%"}, "budget: expected a share of the steps' time such as '1%' or 0.01, but got '150%'"),
        ({"bins": 0}, "bins: expected an integer of at least 1, but got 0"),
        ({"bins": True}, "bins: expected an integer of at least 1, but got True"),
        ({"bins": "64"}, "bins: expected an integer of at least 1, but got '64'"),
        ({"sample": 0}, "sample: expected an integer of at least 1 or 'all', but got 0"),
        ({"sample": True}, "sample: expected an integer of at least 1 or 'all', but got True"),
        ({"sample": 0.5}, "sample: expected an integer of at least 1 or 'all', but got 0.5"),
        ({"sample": "al"}, "sample: expected an integer of at least 1 or 'all', but got 'al'"),
        ({"every": 2, "budget": 0.1}, "every and budget: expected one of them, but got both"),
    ],
)
def test_what_cannot_be_collected_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueRefusedError, match=message):
        TooledModel(small(), **options)


def test_something_that_is_no_model_is_refused() -> None:
    with pytest.raises(ValueRefusedError, match=r"expected a torch.nn.Module, but got str"):
        TooledModel("model")  # type: ignore[arg-type]


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x)[0]


def test_layers_that_no_hook_can_see_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    model = Attentive()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tooled = TooledModel(model, optimizer)
    for _ in range(2):
        model(torch.rand(2, 3, 8)).sum().backward()
        optimizer.step()
    told = [record.message for record in caplog.records]
    assert len(told) == 1
    assert "attention.out_proj" in told[0]
    assert tooled.status()["unseen"] == ["attention.out_proj"]
    table = tooled.latest.table() if tooled.latest else {}
    assert table["attention.out_proj"].keys() == {"weights"}
    assert table["attention.in_proj_weight"].keys() == {"weights"}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_fast_path_that_skips_every_layer_is_told_by_the_table(caplog: pytest.LogCaptureFixture) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    tooled = TooledModel(model, sources=["outputs"])
    with torch.no_grad():
        model(torch.randn(2, 3, 8))
    assert tooled.table(show=False) == {}
    assert "layers.0.linear1" in tooled.status()["unseen"]
    assert "no hook has seen these layers" in caplog.text


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch lets quantised tensors go
def test_quantised_values_count_as_what_they_stand_for() -> None:
    class Rounded(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.quantize_per_tensor(x, 0.5, 0, torch.qint8)

    model = nn.Sequential(Rounded())
    tooled = TooledModel(model, sources=["outputs"], stats=["mean", "max", "histogram"])
    model(torch.tensor([[0.6, 1.4, -2.1]]))
    assert tooled.table(show=False)["0"]["outputs"] == {"mean": 0.0, "max": 1.5}
    assert tooled.status()["broken"] is None


def test_flattened_parameters_are_refused() -> None:
    model = small()
    model[0]._modules["_fsdp_wrapped_module"] = nn.Linear(20, 10)  # what FSDP's first version does
    with pytest.raises(ValueRefusedError, match="use torch's fully_shard"):
        TooledModel(model)
    TooledModel(model, sources=["outputs"])


# ---- what it shows


def test_a_narrow_terminal_gets_sources_below_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small()
    tooled = TooledModel(model, sources=["weights", "grads"], stats=["mean", "std", "norm", "min", "max"])
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for columns in (60, 20):
        monkeypatch.setenv("COLUMNS", str(columns))
        tooled.table()
        out = capsys.readouterr().out
        assert "Grads" in out
        assert "Weights" in out
        assert out.count("Layers") == 2
        assert f"{float(model[0].weight.detach().norm()):.4f}" in out


def test_a_title_has_room_above_one_statistic(capsys: pytest.CaptureFixture[str]) -> None:
    TooledModel(small(), sources=["weights", "grad_out"], stats=["norm"]).table()
    assert "| Grad_out |" in capsys.readouterr().out


def test_frozen_is_said_and_not_zero(capsys: pytest.CaptureFixture[str]) -> None:
    model = small()
    model[0].requires_grad_(False)
    tooled = TooledModel(model, sources=["weights", "grads"])
    model(torch.rand(2, 20)).sum().backward()
    table = tooled.table()
    assert "grads" not in table["0"]
    assert tooled.latest is not None
    assert tooled.latest.frozen == {"0"}
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].split()[:5] == ["|", "0", "|", "frozen", "frozen"]


def test_the_gradient_of_a_value_with_several_consumers_is_the_whole_one() -> None:
    model = cases.Branches()
    tooled = TooledModel(model, sources=["grad_in", "grad_out"], stats=["norm"])
    x = torch.rand(4, 6)
    model(x).sum().backward()
    table = tooled.table(show=False)
    hidden = model.first(x).detach().requires_grad_()
    (hidden + model.left(hidden) * model.right(hidden)).sum().backward()
    assert hidden.grad is not None
    for row, source in (("first", "grad_out"), ("left", "grad_in"), ("right", "grad_in")):
        assert table[row][source]["norm"] == pytest.approx(float(hidden.grad.norm()), rel=1e-5)


def test_update_ratio_is_how_far_the_weights_moved() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 40_000))
    model[0].requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    tooled = TooledModel(model, optimizer, sources={"weights": ["update_ratio", "norm"], "grads": ["norm"]})
    before = [layer.weight.detach().clone() for layer in model]
    model(torch.rand(4, 6)).square().sum().backward()
    optimizer.step()
    table = tooled.latest.table() if tooled.latest else {}
    before = [weight.double() for weight in before]
    moved = (model[1].weight.detach() - before[1]).norm() / before[1].norm()
    assert table["1"]["weights"]["update_ratio"] == pytest.approx(float(moved), rel=1e-5)
    assert table["1"]["weights"]["norm"] == pytest.approx(float(before[1].norm()), rel=1e-5)
    assert "update_ratio" not in table["0"]["weights"]


def test_update_ratio_of_an_optimizer_with_a_closure() -> None:
    model = nn.Linear(3, 2)
    optimizer = torch.optim.LBFGS(model.parameters(), 0.1, max_iter=2)
    tooled = TooledModel(model, optimizer, sources={"weights": ["update_ratio"]})
    before = model.weight.detach().clone()

    def closure() -> float:
        optimizer.zero_grad()
        loss = model(torch.ones(1, 3)).square().sum()
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    moved = (model.weight.detach() - before).norm() / model.weight.detach().norm()
    table = tooled.latest.table() if tooled.latest else {}
    assert table["Linear"]["weights"]["update_ratio"] == pytest.approx(float(moved), rel=1e-4)


class Count:
    def __call__(self, tensor: torch.Tensor) -> int:
        return tensor.numel()


def kurtosis(tensor: torch.Tensor) -> torch.Tensor:
    centred = tensor.float() - tensor.float().mean()
    return centred.pow(4).mean() / centred.square().mean() ** 2


def test_own_statistics_by_function_class_and_path() -> None:
    model = small()
    path = "flexlogger.model.statistics.dense"
    tooled = TooledModel(model, sources=["weights"], stats=["mean", kurtosis, Count], layers="0")
    table = tooled.table(show=False)
    assert table["0"]["weights"]["Count"] == 200
    assert table["0"]["weights"]["kurtosis"] == pytest.approx(float(kurtosis(model[0].weight.detach())), rel=1e-6)
    assert list(table["0"]["weights"]) == ["mean", "kurtosis", "Count"]
    assert TooledModel(model, stats=[path]).plan.stats["weights"] == ("dense",)
    with pytest.raises(ValueRefusedError, match="did you mean 'dense'"):
        TooledModel(model, stats=["flexlogger.model.statistics.dens"])


def test_histograms_are_kept_apart_from_the_table() -> None:
    model = small()
    tooled = TooledModel(model, sources={"weights": ["histogram"], "grads": ["histogram", "norm"]}, bins=8)
    model(torch.rand(2, 20)).sum().backward()
    table = tooled.table(show=False)
    assert table["0"] == {"grads": {"norm": table["0"]["grads"]["norm"]}}
    histograms = tooled.latest.histograms() if tooled.latest else {}
    assert histograms.keys() == {(row, source) for row in "01" for source in ("weights", "grads")}
    assert histograms["0", "weights"].shape == (2, 9)
    assert histograms["0", "weights"][1].sum() == 200


def test_a_lazy_model_has_rows_once_it_has_sizes() -> None:
    model = nn.Sequential(nn.LazyLinear(5), nn.Linear(5, 2))
    tooled = TooledModel(model, sources=["weights", "inputs"], stats=["norm"])
    assert "0" not in tooled.table(show=False)
    model(torch.rand(3, 4))
    assert tooled.table(show=False)["0"].keys() == {"weights", "inputs"}


def test_a_parameter_that_is_replaced_is_read_anew() -> None:
    model = small()
    tooled = TooledModel(model, sources=["weights"], stats=["max"])
    tooled.table(show=False)
    model[0].weight = nn.Parameter(torch.full((10, 20), 7.0))
    tooled.step()
    assert tooled.table(show=False)["0"]["weights"]["max"] == 7.0


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_tracing_sees_no_hook_of_ours() -> None:
    model = small()
    tooled = TooledModel(model, sources=["outputs"])
    traced = torch.jit.trace(model, torch.rand(2, 20))
    assert "copy_" not in str(traced.inlined_graph)
    assert tooled.table(show=False) == {}


def test_biases_have_rows_where_they_are_asked_for() -> None:
    model = small()
    assert list(TooledModel(model, sources=["weights"], biases=True).table(show=False)) == [
        "0",
        "0.bias",
        "1",
        "1.bias",
    ]
