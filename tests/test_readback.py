from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from flexlogger.readback import Copied, Readback, Reading, copy_to_host
from flexlogger.records import Item, Record


class Gate:
    """Stands for a CUDA event; it passes when the test says so."""

    def __init__(self) -> None:
        self.passed = False

    def query(self) -> bool:
        return self.passed


class Device:
    """A pretend device: copies 'arrive' when their gate is opened."""

    def __init__(self) -> None:
        self.gates: list[Gate] = []

    def copy(self, tensors: Sequence[torch.Tensor]) -> Copied:
        self.gates.append(Gate())
        return Copied([t.clone() for t in tensors], self.gates[-1])


def drained(readback: Readback) -> list[Item]:
    items: list[Item] = []
    readback.drain(items.append)
    return items


def test_nothing_comes_out_before_its_copy_has_arrived_and_order_holds() -> None:
    device = Device()
    readback = Readback(device.copy)
    readback.push(0, 0.0, {"lr": 0.5}, (), {"loss": torch.tensor(2.0)}, [])
    readback.push_record(Record(1, 0.0, {"lr": 0.25}))
    readback.push(2, 0.0, {}, (), {"loss": torch.tensor(3.0)}, [])
    assert drained(readback) == []
    device.gates[1].passed = True
    assert drained(readback) == []
    device.gates[0].passed = True
    assert drained(readback) == [
        Record(0, 0.0, {"lr": 0.5, "loss": 2.0}),
        Record(1, 0.0, {"lr": 0.25}),
        Record(2, 0.0, {"loss": 3.0}),
    ]
    assert readback.pending == 0


def test_all_scalars_of_a_log_call_leave_in_one_copy() -> None:
    device = Device()
    readback = Readback(device.copy)
    scalars = {name: torch.tensor(float(n)) for n, name in enumerate("abcde")}
    readback.push(0, 0.0, {}, (), scalars, [])
    assert len(device.gates) == 1


def test_arrays_and_short_vectors_find_their_place() -> None:
    readback = Readback(Device().copy)
    matrix = torch.arange(4.0).reshape(2, 2)
    readings = [Reading("cm", "matrix", matrix), Reading("f1", "vector", torch.tensor([0.5, 1.0]), ("cat", "dog"))]
    readback.push(0, 0.0, {}, (), {}, readings)
    for waiting in readback._fifo:
        for copied in waiting.copied:  # type: ignore[union-attr]
            copied.event.passed = True  # type: ignore[union-attr]
    (record,) = drained(readback)
    assert isinstance(record, Record)
    assert record.values == {"f1.cat": 0.5, "f1.dog": 1.0}
    assert np.array_equal(record.data[0].value, matrix.numpy())
    assert not record.data[0].value.flags.writeable  # type: ignore[union-attr]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_cuda_nothing_synchronises_and_buffers_are_pinned() -> None:
    tensors = [torch.arange(3.0, device="cuda")]
    copy_to_host(tensors)  # the first pinned allocation may synchronise
    torch.cuda.set_sync_debug_mode("error")
    try:
        copied = copy_to_host(tensors)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(host.is_pinned() for host in copied.hosts)
    torch.cuda.synchronize()
    assert copied.event is not None
    assert copied.event.query()
    assert copied.hosts[0].tolist() == [0.0, 1.0, 2.0]
