"""Meters never make the host wait for a device in `add` or `log`, and own what they keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from flexlogger.errors import ValueRefusedError
from flexlogger.meters import accuracy, ap, auc, confusion, histogram, histograms, kept, pixels, scalar, tensors
from flexlogger.meters.base import Payload
from tests.meter_cases import CASES, batches, close, make, meter_of

WAITS = {
    *("_local_scalar_dense", "nonzero", "bincount", "equal", "masked_select", "unique_consecutive", "_unique2", "item"),
    *("is_nonzero", "repeat_interleave"),
}
LABELS = sorted(CASES)


class NoWait(TorchDispatchMode):
    """Refuses what would make the host wait if its tensors were on an accelerator."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in WAITS, f"{name} waits for the device"
        if name.startswith("index") and len(args) > 1 and isinstance(args[1], list | tuple):
            masks = [index for index in args[1] if isinstance(index, torch.Tensor) and index.dtype == torch.bool]
            assert not masks, "indexing by a mask waits for the device"
        return func(*args, **(kwargs or {}))


@pytest.fixture
def pretend_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tensor of torch's counts as one on an accelerator."""
    for module in (tensors, scalar, accuracy, confusion, auc, ap, kept, histograms, pixels):
        monkeypatch.setattr(module, "on_device", lambda tensor: True)


def test_the_watch_notices_a_wait() -> None:
    with pytest.raises(AssertionError, match="waits"), NoWait():
        float(torch.zeros(2).sum())


@pytest.mark.parametrize("label", LABELS)
def test_add_and_log_do_not_wait(label: str, pretend_device: None) -> None:
    meter = meter_of(label)
    data = batches(label)
    with NoWait():
        for args in data:
            meter.add(*args)
        logged = meter.collect()
    with pytest.MonkeyPatch.context() as undo:
        for module in (tensors, scalar, accuracy, confusion, auc, ap, kept, histograms, pixels):
            undo.setattr(module, "on_device", lambda tensor: tensor.device.type != "cpu")
        plain = meter_of(label)
        for args in data:
            plain.add(*args)
        assert close(logged, plain.collect())


@pytest.mark.parametrize("label", LABELS)
def test_on_a_device_that_holds_no_data(label: str) -> None:
    """On 'meta', whatever asks for a value raises."""
    meter = meter_of(label)
    for args in batches(label):
        meter.add(*(arg.to("meta") for arg in args))
    assert not meter.empty
    for value in meter.collect().values():
        value = value.value if isinstance(value, Payload) else value
        assert value.device.type == "meta"


@pytest.mark.parametrize("label", ["average", "sum", "min", "moving"])
def test_many_numbers_of_a_device_are_reduced_as_they_come(label: str, pretend_device: None) -> None:
    numbers = torch.randn(1000, dtype=torch.float64)
    meter = meter_of(label)
    with NoWait():
        for number in numbers.unbind():
            meter.add(number)
        logged = meter.collect()[""]
    expected = {"average": numbers.mean(), "sum": numbers.sum(), "min": numbers.min(), "moving": numbers[-3:].mean()}
    assert float(logged) == pytest.approx(float(expected[label]))
    assert len(meter._pending) < scalar.STACK_AT


@pytest.mark.parametrize("label", ["average", "sum", "min", "max", "moving"])
def test_floats_and_device_numbers_mix(label: str, pretend_device: None) -> None:
    numbers = [3.0, -1.0, 4.0, 1.5, -9.0, 2.5]
    meter, plain = meter_of(label), meter_of(label)
    for i, number in enumerate(numbers):
        plain.add(number)
        meter.add(torch.tensor(number) if i % 2 == 0 else number)
    assert close(meter.value(), plain.value(), 1e-12)
    assert close(meter.collect(), plain.collect(), 1e-12)


def test_weighted_device_numbers(pretend_device: None) -> None:
    meter = make("AverageValueMeter")
    with NoWait():
        meter.add(torch.tensor(1.0), 3)
        meter.add(torch.tensor(5.0))
        meter.collect()
    assert meter.value() == (2.0, 2.0)


def test_classes_out_of_range_on_a_device(pretend_device: None) -> None:
    meter = make("ConfusionMeter", k=3)
    with NoWait():
        meter.add(torch.tensor([0, 1, 7]), torch.tensor([0, -1, 2]))
        matrix = meter.collect()[""].value
    assert int(matrix.sum()) == 1
    with pytest.raises(ValueRefusedError, match="classes from 0 to 2 but got 2 samples outside"):
        meter.value()


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("where", ["cpu", "pretend"])
def test_inputs_may_be_overwritten_after_add(label: str, where: str, request: pytest.FixtureRequest) -> None:
    if where == "pretend":
        request.getfixturevalue("pretend_device")
    meter, plain = meter_of(label), meter_of(label)
    for args in batches(label):
        meter.add(*args)
        for arg in args:
            arg.fill_(float("nan") if arg.is_floating_point() else -77)
    for args in batches(label):
        plain.add(*args)
    assert close(meter.value(), plain.value(), 1e-12)
    assert close(meter.collect(), plain.collect(), 1e-12)


@pytest.mark.parametrize("label", LABELS)
def test_arrays_may_be_overwritten_after_add(label: str) -> None:
    meter, plain = meter_of(label), meter_of(label)
    for args in batches(label):
        arrays = [arg.numpy() for arg in args]
        meter.add(*arrays)
        for array in arrays:
            array.fill(np.nan if array.dtype.kind == "f" else -77)
    for args in batches(label):
        plain.add(*args)
    assert close(meter.value(), plain.value(), 1e-12)


@pytest.mark.parametrize("label", LABELS)
def test_lists_tensors_and_arrays_are_the_same(label: str) -> None:
    values = []
    for shape in (lambda t: t, lambda t: t.numpy(), lambda t: t.tolist()):
        meter = meter_of(label)
        for args in batches(label):
            meter.add(*map(shape, args))
        values.append(meter.value())
    assert close(values[0], values[1])
    assert close(values[0], values[2])


@pytest.mark.parametrize("label", LABELS)
def test_what_was_logged_stays_when_the_meter_goes_on(label: str, pretend_device: None) -> None:
    meter = meter_of(label)
    meter.add(*batches(label)[0])
    logged = meter.collect()
    before = {k: torch.as_tensor(getattr(v, "value", v)).clone() for k, v in logged.items()}
    meter.add(*batches(label, 1)[1])
    meter.collect()
    meter.reset()
    assert close(logged, before, 0)


@pytest.mark.parametrize("label", LABELS)
def test_no_graph_is_kept(label: str) -> None:
    meter = meter_of(label)
    for args in batches(label):
        meter.add(*(arg.requires_grad_() * 1 if arg.is_floating_point() else arg for arg in args))
    for value in meter.collect().values():
        value = value.value if isinstance(value, Payload) else value
        assert not isinstance(value, torch.Tensor) or not value.requires_grad


@pytest.mark.parametrize("label", LABELS)
def test_a_sum_begun_in_inference_mode_goes_on_outside(label: str, pretend_device: None) -> None:
    meter = meter_of(label)
    with torch.inference_mode():
        meter.add(*batches(label)[0])
    meter.add(*batches(label)[1])
    assert meter.collect()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("label", LABELS)
def test_on_cuda(label: str) -> None:
    meter, plain = meter_of(label), meter_of(label)
    data = [tuple(arg.cuda() for arg in args) for args in batches(label)]
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for args in data:
            meter.add(*args)
        logged = meter.collect()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for args in batches(label):
        plain.add(*args)
    assert close(logged, plain.collect())
    assert close(meter.value(), plain.value())


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_large_histogram_on_cuda() -> None:
    values = torch.randn(histogram.KEEP + 5)
    meter, plain = make("HistogramMeter"), make("HistogramMeter")
    meter.add(values.cuda())
    plain.add(values)
    assert close(meter.value(), plain.value())
