"""What a user of ParallelHandler is promised, with processes as they are."""

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import module as hooks
from torch.utils.checkpoint import checkpoint

from flexlogger import ParallelHandler, ValueRefusedError
from tests.inspector.callbacks import Notes, Tensors, ignores, read, seen


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def handler(notes: Notes, **settings: Any) -> ParallelHandler:
    return ParallelHandler(notes.onrun, notes.onclosing, **settings)


def arrays(folder: Path) -> dict[tuple[str, int], np.ndarray[Any, Any]]:
    return {(line["key"], line["step"]): line["array"] for line in read(folder) if "key" in line}


def test_every_so_many_steps_the_tensors_of_one_step_arrive(tmp_path: Path) -> None:
    model, taken = net(), []
    parallel = handler(Notes(tmp_path), frequency=20.0, timeout=30.0)
    parallel.track_model(-1, {"model": model}, sources="outputs")
    parallel.track_layer(0, {"first_": model[0], "last_": model[2]}, sources=["outputs", "grad_out"])
    for step in range(41):
        output = model(torch.randn(5, 4))
        output.pow(2).sum().backward()
        if step % 20 == 0:
            taken.append(output.detach().numpy().copy())
    assert parallel.stop()
    keys = ["model", "first_.outputs", "last_.outputs", "last_.grad_out", "first_.grad_out"]
    assert set(seen(tmp_path)) == {(key, step) for key in keys for step in (0, 20, 40)}
    found = arrays(tmp_path)
    for step, output in zip((0, 20, 40), taken, strict=True):
        np.testing.assert_array_equal(found["model", step], output)
        np.testing.assert_array_equal(found["last_.outputs", step], output)
        np.testing.assert_array_equal(found["last_.grad_out", step], 2 * output)


def test_its_process_needs_no_torch_for_callbacks_that_take_arrays(tmp_path: Path) -> None:
    parallel = handler(Notes(tmp_path))
    parallel.track_model(-1, {"model": net()}, sources="weights", layers="0")
    assert parallel.stop()
    (closed,) = read(tmp_path)
    assert (closed["closed"], closed["torch"]) == (0, False)


def test_other_callbacks_get_tensors_of_their_own_type(tmp_path: Path) -> None:
    notes = Tensors(tmp_path)
    layer = nn.Identity()
    parallel = ParallelHandler(notes.on_tensor, notes.onclosing)
    parallel.track_layer(-1, {"a": layer}, sources="outputs")
    for dtype in (torch.bfloat16, torch.float16, torch.int32, torch.bool, torch.float8_e5m2):
        layer(torch.tensor([[1.0, 0.0]]).to(dtype))
    assert parallel.stop()
    lines = read(tmp_path)[:-1]
    names = ("bfloat16", "float16", "int32", "bool", "float32")
    assert [line["dtype"] for line in lines] == [f"torch.{name}" for name in names]
    assert {line["kind"] for line in lines} == {"Tensor"}
    assert all(line["values"] == [[1.0, 0.0]] for line in lines)


def unusual() -> dict[str, tuple[torch.Tensor, torch.dtype]]:
    """Tensors, and the types they arrive with."""
    return {
        "float8": (torch.ones(2, 2).to(torch.float8_e4m3fn), torch.float32),
        "uint32": (torch.tensor([2**32 - 1], dtype=torch.uint32), torch.uint32),
        "uint64": (torch.tensor([2**64 - 1], dtype=torch.uint64), torch.uint64),
        "complex": (torch.tensor([1 + 2j]), torch.complex64),
        "complex32": (torch.tensor([1 + 2j], dtype=torch.complex32), torch.complex64),
        "conjugated": (torch.tensor([1 + 2j]).conj(), torch.complex64),
        "sparse": (torch.eye(3).to_sparse(), torch.float32),
        "csr": (torch.eye(3).to_sparse_csr(), torch.float32),
        "one number": (torch.tensor(7), torch.int64),
        "no number": (torch.zeros(0, 3), torch.float32),
        "expanded": (torch.ones(1, 3).expand(4, 3), torch.float32),
        "turned": (torch.arange(6).reshape(2, 3).t(), torch.int64),
    }


def unsendable() -> dict[str, torch.Tensor]:
    """Tensors without numbers, without a shape, and of a type that torch cannot convert."""
    return {
        "meta": torch.empty(2, 2, device="meta"),
        "nested": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], layout=torch.jagged),
        "uint1": torch.empty(2, dtype=torch.uint1),
    }


def whole(tensor: torch.Tensor) -> list[complex]:
    """The numbers of a tensor of any kind."""
    dense = tensor if tensor.layout is torch.strided else tensor.to_dense()
    dense = dense.float() if dense.dtype.itemsize == 1 else dense
    return [complex(value) for value in dense.reshape(-1).tolist()]


@pytest.mark.filterwarnings("ignore:ComplexHalf support", "ignore:Sparse CSR tensor support")
def test_every_kind_of_tensor_arrives_or_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "said"

    def note(unique_id: int, key: str, internal_message: str, message: str, tensor: torch.Tensor) -> None:
        with path.open("a") as file:
            file.write(
                f"{key}|{tensor.dtype}|{list(tensor.shape)}|{[complex(n) for n in tensor.reshape(-1).tolist()]}\n"
            )

    arriving, left_out = unusual(), unsendable()
    tensors = {name: tensor for name, (tensor, _) in arriving.items()} | left_out
    layers = {name: nn.Identity() for name in tensors}
    parallel = ParallelHandler(note)
    parallel.track_layer(-1, layers, sources="outputs")
    for _ in range(2):  # what cannot be sent ends nothing
        for name, layer in layers.items():
            layer(tensors[name])
    assert parallel.status()[0]["dropped"] == {"of a kind that cannot be sent": 2 * len(left_out)}
    assert not parallel.stop()
    expected = [f"{name}|{dtype}|{list(tensor.shape)}|{whole(tensor)}" for name, (tensor, dtype) in arriving.items()]
    assert path.read_text().splitlines() == 2 * expected
    for name in left_out:
        assert caplog.text.count(f"the inspector leaves out {name!r}: ") == 1


def test_weights_that_a_layer_has_not_made_yet_are_waited_for(tmp_path: Path) -> None:
    model = nn.Sequential(nn.LazyLinear(3))
    parallel = handler(Notes(tmp_path))
    parallel.track_model(-1, {"model": model}, layers="0", sources=["weights", "outputs"])
    for _ in range(2):
        model(torch.randn(2, 4))
    assert parallel.status()[0]["dropped"] == {"of a kind that cannot be sent": 1}
    assert not parallel.stop()
    assert seen(tmp_path) == [("model.0.outputs", 0), ("model.0.weights", 1), ("model.0.outputs", 1)]


def test_what_arrives_is_what_was_there_not_what_became_of_it(tmp_path: Path) -> None:
    """In-place activations, and weights that the optimizer moves on."""
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    parallel = handler(Notes(tmp_path, pause=0.05))
    parallel.track_layer(-1, {"linear": model[0]}, sources=["outputs", "grad_out", "weights"])
    kept = []
    for _ in range(3):
        data = torch.randn(6, 4)
        weight = model[0].weight.detach().clone()
        kept.append((weight, data @ weight.T + model[0].bias.detach()))
        model(data).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert parallel.stop()
    found = arrays(tmp_path)
    for step, (weight, output) in enumerate(kept):
        np.testing.assert_array_equal(found["linear.weights", step], weight)
        np.testing.assert_allclose(found["linear.outputs", step], output, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found["linear.grad_out", step], (found["linear.outputs", step] > 0) * 1.0)


def test_each_number_is_a_process(tmp_path: Path) -> None:
    model = net()
    parallel = handler(Notes(tmp_path))
    assert parallel.track_layer(-1, {"a": model[0]}) == 0
    assert parallel.track_layer(-1, {"b": model[1]}) == 1
    assert parallel.track_layer(0, {"c": model[2]}) == 0
    assert parallel.track_layer(7, {"d": model[2]}) == 7
    model(torch.randn(1, 4)).sum().backward()
    assert {n: s["alive"] for n, s in parallel.status().items()} == {0: True, 1: True, 7: True}
    assert len({s["pid"] for s in parallel.status().values()}) == 3
    assert parallel.is_alive()
    assert parallel.is_alive(7)
    with pytest.raises(ValueRefusedError, match="unknown process '3'; expected one of: 0, 1, 7"):
        parallel.is_alive(3)
    assert parallel.stop()
    assert not parallel.is_alive()
    by_process = {(line["id"], line["key"][0]) for line in read(tmp_path) if "key" in line}
    assert by_process == {(0, "a"), (0, "c"), (1, "b"), (7, "d")}


def test_there_is_one_in_a_program(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueRefusedError, match="callback_onrun: expected a function, but got None"):
        ParallelHandler()
    first = handler(Notes(tmp_path), frequency=3)
    assert ParallelHandler() is first
    assert not caplog.records
    assert ParallelHandler(ignores) is first
    assert ParallelHandler(frequency=5) is first
    assert caplog.text.count("there is a ParallelHandler already, and it stays as it is") == 2
    assert first.stop()
    assert first.stop()
    second = handler(Notes(tmp_path))
    assert second is not first
    with pytest.raises(ValueRefusedError, match="was stopped"):
        first.track_model(-1, {"model": net()})


def test_layers_of_a_model_are_chosen_as_for_a_tooled_model(tmp_path: Path) -> None:
    model = net()
    parallel = handler(Notes(tmp_path))
    parallel.track_model(-1, {"net": model}, layers="type:Linear", sources="outputs")
    model(torch.randn(2, 4))
    assert parallel.stop()
    assert seen(tmp_path) == [("net.0", 0), ("net.2", 0)]


def test_evaluations_are_left_out_once_there_was_training(tmp_path: Path) -> None:
    model = net()
    parallel = handler(Notes(tmp_path))
    parallel.track_model(-1, {"model": model}, sources="outputs")
    with torch.no_grad():
        model(torch.randn(1, 4))
    parallel.set_internal_message("training")
    for _ in range(2):
        model(torch.randn(2, 4)).sum().backward()
        with torch.inference_mode():
            model(torch.randn(3, 4))
    assert parallel.stop()
    assert [(line["said"], line["step"], len(line["array"])) for line in read(tmp_path)[:-1]] == [
        ("", 0, 1),
        ("training", 0, 2),
        ("training", 1, 2),
    ]


class Odd(nn.Module):
    """Returns tensors inside of other things, and calls a layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.twice = nn.LSTM(4, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        sequence, state = self.lstm(x)
        return {"loss": self.twice(self.twice(sequence)), "state": [state]}


def test_of_several_tensors_the_first_is_taken(tmp_path: Path) -> None:
    model = Odd()
    parallel = handler(Notes(tmp_path))
    parallel.track_layer(-1, {"lstm": model.lstm, "twice": model.twice}, sources="outputs")
    parallel.track_model(0, {"odd": model})
    model(torch.randn(2, 5, 4))["loss"].sum().backward()
    assert parallel.stop()
    shapes = {line["key"]: line["array"].shape for line in read(tmp_path)[:-1]}
    assert shapes == dict.fromkeys(("lstm", "twice", "odd.outputs", "odd.grad_out"), (2, 5, 3))
    assert len(read(tmp_path)) == 5


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_that_repeats_a_layer_is_no_other_step(tmp_path: Path, reentrant: bool) -> None:
    layer = nn.Linear(4, 4)
    parallel = handler(Notes(tmp_path))
    parallel.track_layer(-1, {"layer": layer})
    for _ in range(2):
        data = torch.randn(2, 4, requires_grad=True)
        checkpoint(layer, data, use_reentrant=reentrant).sum().backward()
    assert parallel.stop()
    assert sorted(seen(tmp_path)) == [
        (f"layer.{source}", step) for source in ("grad_out", "outputs") for step in (0, 1)
    ]


def test_between_due_steps_the_model_has_one_hook_that_counts() -> None:
    model = net()
    parallel = ParallelHandler(ignores, frequency=10)
    parallel.track_model(-1, {"model": model}, layers="*")
    model(torch.randn(1, 4)).sum().backward()
    assert hooks._global_forward_hooks
    for _ in range(9):
        model(torch.randn(1, 4)).sum().backward()
        assert not hooks._global_forward_hooks
        assert not hooks._global_forward_pre_hooks
    assert [len(m._forward_pre_hooks) for m in model.modules()] == [1, 0, 0, 0]
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())
    parallel.stop()
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_copies_of_a_tracked_model_are_not_tracked(tmp_path: Path) -> None:
    model = net()
    parallel = handler(Notes(tmp_path))
    parallel.track_model(-1, {"model": model}, sources="outputs")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other(torch.randn(1, 4))
    assert parallel.stop()
    assert seen(tmp_path) == []


@pytest.mark.filterwarnings("ignore:Using .torch.compile")  # torch forgets to forget hooks of earlier tests
def test_a_compiled_model_is_seen_where_it_is_due(tmp_path: Path) -> None:
    model = net()
    compiled = torch.compile(model, backend="eager")
    compiled(torch.randn(2, 4))
    parallel = handler(Notes(tmp_path), frequency=2)
    parallel.track_model(-1, {"model": compiled}, layers="0")
    for _ in range(3):
        compiled(torch.randn(2, 4)).sum().backward()
    assert parallel.stop()
    assert sorted(seen(tmp_path)) == [
        (f"model.0.{source}", step) for source in ("grad_out", "outputs") for step in (0, 2)
    ]


def test_a_model_that_was_never_called_is_told(caplog: pytest.LogCaptureFixture) -> None:
    parallel = ParallelHandler(ignores)
    parallel.track_model(-1, {"model": net()})
    parallel.stop()
    assert "nothing was seen of 'model.outputs', 'model.grad_out': no call of the module" in caplog.text


def test_training_is_the_same_with_and_without(tmp_path: Path) -> None:
    def train(track: bool) -> list[torch.Tensor]:
        model = net()
        if track:
            handler(Notes(tmp_path)).track_model(
                -1, {"model": model}, layers="*", sources=["outputs", "grad_out", "weights"]
            )
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randn(8, 4)).pow(2).sum().backward()
            optimizer.step()
        return list(model.parameters())

    for bare, tracked in zip(train(False), train(True), strict=True):
        assert torch.equal(bare, tracked)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frequency": 0}, "frequency: expected a whole number of steps, at least 1"),
        ({"frequency": 2.5}, "but got 2.5"),
        ({"frequency": float("nan")}, "frequency: expected a whole number of steps, at least 1"),
        ({"frequency": float("inf")}, "frequency: expected a whole number of steps, at least 1"),
        ({"timeout": 0}, "timeout: expected a number from 0.001 to 1e\\+06, but got 0"),
        ({"timeout": 1e30}, "but got 1e\\+30"),
        ({"timeout": float("nan")}, "but got nan"),
        ({"capacity": 10}, "capacity: expected a number of bytes, at least 4096, but got 10"),
        ({"callback_onclosing": "flush"}, "callback_onclosing: expected a function or None, but got 'flush'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueRefusedError, match=message):
        ParallelHandler(**{"callback_onrun": ignores, **settings})


def test_what_cannot_be_tracked_is_refused_before_anything_starts() -> None:
    parallel, model, in_place = ParallelHandler(ignores), net(), net()
    in_place.compile(backend="eager")
    for call, message in (
        (lambda: parallel.track_layer(-1, {"a": model.state_dict}), "track_layer\\['a'\\]: expected a torch.nn.Module"),
        (lambda: parallel.track_layer(-1, model[0]), "expected a mapping of names to modules, but got Linear"),
        (lambda: parallel.track_layer(-2, {"a": model[0]}), "unique_id: expected -1 or the number of a process"),
        (lambda: parallel.track_layer(-1, {"a": model[0]}, sources="output"), "unknown source 'output'; did you mean"),
        (lambda: parallel.track_layer(-1, {"a": model[1]}, sources="weights"), "none of these layers has a weight"),
        (lambda: parallel.track_model(-1, {"a": model}, layers="conv*"), "layers: 'conv\\*' chooses none"),
        (lambda: parallel.track_layer(-1, {"a": model[0], "b": model[0]}), "'b'\\]: it is the same module as 'a'"),
        (lambda: parallel.track_model(-1, {"a": in_place}), "'a'\\]: it was compiled in place, which hides it"),
    ):
        with pytest.raises(ValueRefusedError, match=message):
            call()
    assert parallel.status() == {}
    parallel.track_layer(3, {"a": model[0]})
    with pytest.raises(ValueRefusedError, match="process 3 gets a 'a' already"):
        parallel.track_layer(3, {"a": model[1]})


def test_a_callback_that_cannot_travel_is_refused() -> None:
    lock = __import__("threading").Lock()
    parallel = ParallelHandler(lambda *args: lock.acquire())
    with pytest.raises(ValueRefusedError, match="expected what can be pickled, but TypeError: cannot pickle"):
        parallel.track_model(-1, {"model": net()})
    assert not parallel.is_alive()


class Unloadable:
    def __reduce__(self) -> Any:
        return int, ("no number",)

    def __call__(self, *args: Any) -> None: ...


def test_a_callback_that_cannot_be_loaded_is_refused_with_its_traceback() -> None:
    parallel = ParallelHandler(Unloadable())
    with pytest.raises(ValueRefusedError, match=r"(?s)cannot be loaded elsewhere.*ValueError: invalid literal"):
        parallel.track_model(-1, {"model": net()})


def test_errors_of_our_own_end_the_tracking_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from flexlogger import faults
    from flexlogger.inspector.outbox import Outbox

    def fails(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Outbox, "send", fails)
    model = net()
    parallel = ParallelHandler(ignores)
    parallel.track_model(-1, {"model": model})
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            model(torch.randn(1, 4)).sum().backward()
    assert [str(error) for error in faults.seen] == ["a bug"]
    assert not model._forward_pre_hooks
    faults.forget()
