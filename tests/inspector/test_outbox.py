"""Tensors of a device on their way: stood in for by ones of the CPU whose copies arrive when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from flexlogger import ParallelHandler, faults
from flexlogger.inspector.landing import Landing
from flexlogger.readback import Copied
from tests.inspector.callbacks import Notes, read

Landed = list[tuple[str, int, list[float]]]


class Event:
    def __init__(self) -> None:
        self.passed = threading.Event()

    def query(self) -> bool:
        return self.passed.is_set()


class Device:
    """Copies arrive once their event is set."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def copy(self, tensors: Sequence[torch.Tensor]) -> Copied:
        self.events.append(Event())
        return Copied([tensor.clone() for tensor in tensors], self.events[-1])


def test_taking_does_not_wait_and_order_holds() -> None:
    device, landed, done = Device(), Landed(), threading.Event()

    def put(key: str, step: int, tensor: torch.Tensor) -> None:
        landed.append((key, step, tensor.tolist()))
        if len(landed) == 2:
            done.set()

    landing = Landing(put, 1000, device.copy)
    first, second = torch.ones(2), torch.zeros(2)
    assert landing.take("a", 0, first)
    assert landing.take("b", 1, second)
    first.fill_(9)
    device.events[1].passed.set()
    assert landed == []
    device.events[0].passed.set()
    assert done.wait(30)
    landing.close(30)
    assert landed == [("a", 0, [1.0, 1.0]), ("b", 1, [0.0, 0.0])]


def test_no_more_is_on_its_way_than_there_is_room_for() -> None:
    device, landed, done = Device(), Landed(), threading.Event()

    def put(key: str, step: int, tensor: torch.Tensor) -> None:
        landed.append((key, step, tensor.tolist()))
        done.set()

    landing = Landing(put, 12, device.copy)
    assert landing.take("a", 0, torch.ones(2))
    assert not landing.take("b", 0, torch.ones(2))
    assert landing.take("c", 0, torch.ones(1))
    for event in device.events:
        event.passed.set()
    assert done.wait(30)
    landing.close(30)
    assert [key for key, _, _ in landed] == ["a", "c"]


def test_a_device_without_such_copies_is_copied_on_itself() -> None:
    landed = Landed()
    landing = Landing(lambda key, step, t: landed.append((key, step, t.tolist())), 1000, lambda ts: Copied(ts, None))
    tensor = torch.ones(2)
    assert landing.take("a", 0, tensor)
    tensor.fill_(9)
    landing.close(30)
    assert landed == [("a", 0, [1.0, 1.0])]


def test_an_error_on_the_way_does_not_hold_up_what_follows() -> None:
    landed: list[str] = []

    def put(key: str, step: int, tensor: torch.Tensor) -> None:
        if key == "a":
            raise RuntimeError("a bug")
        landed.append(key)

    landing = Landing(put, 1000, lambda ts: Copied([t.clone() for t in ts], None))
    assert landing.take("a", 0, torch.ones(1))
    assert landing.take("b", 0, torch.ones(1))
    landing.close(30)
    assert landed == ["b"]
    assert [str(error) for error in faults.seen] == ["a bug"]
    faults.forget()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_tensors_of_a_gpu_arrive_without_a_wait(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    layer = torch.nn.Linear(64, 64, device="cuda")
    parallel = ParallelHandler(notes.onrun, notes.onclosing)
    parallel.track_layer(-1, {"a": layer})
    data = torch.randn(32, 64, device="cuda")
    outputs = []
    layer(data).sum().backward()  # pinned memory and handles are made
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            output = layer(data)
            outputs.append(output.detach().clone())
            output.sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert parallel.stop()
    found = {(line["key"], line["step"]): line["array"] for line in read(tmp_path) if "key" in line}
    for step, output in enumerate(outputs, 1):
        assert torch.equal(torch.from_numpy(found["a.outputs", step]), output.cpu())
        assert (found["a.grad_out", step] == 1).all()
