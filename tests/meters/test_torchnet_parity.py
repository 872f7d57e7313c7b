"""Our nine meters give what torchnet's give, from the first value on."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from tests.meter_cases import CASES, batches, close, make, meter_of

torchnet = pytest.importorskip("torchnet.meter")

NINE = {
    *("AverageValueMeter", "MSEMeter", "ConfusionMeter", "ClassErrorMeter", "AUCMeter", "APMeter", "mAPMeter"),
    *("MovingAverageValueMeter", "TimeMeter"),
}
LABELS = [label for label, (name, _, _) in CASES.items() if name in NINE]


def both(name: str, opts: dict[str, Any], calls: list[tuple[Any, ...]]) -> tuple[Any, Any]:
    """Values of ours and of theirs after the same calls."""
    ours, theirs = make(name, **opts), getattr(torchnet, name)(**opts)
    for args in calls:
        ours.add(*copy.deepcopy(args))
        theirs.add(*copy.deepcopy(args))
    return ours.value(), theirs.value()


def test_every_one_of_the_nine_is_compared() -> None:
    assert {CASES[label][0] for label in LABELS} | {"TimeMeter"} == NINE


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("seed", range(5))
def test_after_several_adds(label: str, seed: int) -> None:
    name, opts, _ = CASES[label]
    ours, theirs = both(name, opts, batches(label, seed))
    assert close(ours, theirs)


@pytest.mark.parametrize("label", [label for label in LABELS if label not in ("average", "moving")])
def test_after_one_add(label: str) -> None:
    name, opts, _ = CASES[label]
    ours, theirs = both(name, opts, batches(label)[:1])
    assert close(ours, theirs)


@pytest.mark.parametrize("name", ["AverageValueMeter", "MovingAverageValueMeter"])
def test_the_mean_of_one(name: str) -> None:
    opts = {"windowsize": 4} if name.startswith("Moving") else {}
    ours, theirs = both(name, opts, [(2.5,)])
    assert ours[0] == float(theirs[0]) == 2.5


@pytest.mark.parametrize("label", LABELS)
def test_after_a_reset(label: str) -> None:
    name, opts, _ = CASES[label]
    ours, theirs = meter_of(label), getattr(torchnet, name)(**opts)
    for meter in (ours, theirs):
        for args in batches(label, 1):
            meter.add(*args)
        meter.reset()
        for args in batches(label, 2):
            meter.add(*args)
    assert close(ours.value(), theirs.value())


@pytest.mark.parametrize("windowsize", [2, 3, 10])
@pytest.mark.parametrize("n", [2, 3, 9, 25])
def test_moving_windows(windowsize: int, n: int) -> None:
    numbers = np.random.default_rng(n).normal(size=n).tolist()
    ours, theirs = both("MovingAverageValueMeter", {"windowsize": windowsize}, [(x,) for x in numbers])
    assert close(ours, theirs, 1e-4)  # theirs keeps a float32 window and subtracts


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.int32, torch.int64])
@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), (2, 1, 4, 4)])
def test_mse_over_shapes_and_dtypes(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    g = torch.Generator().manual_seed(1)
    pair = tuple((torch.randn(shape, generator=g) * 3).to(dtype) for _ in range(2))
    ours, theirs = both("MSEMeter", {}, [pair, pair])
    assert close(ours, theirs, 2e-2 if dtype == torch.float16 else 1e-5)  # theirs sums in half precision


def test_mse_of_arrays() -> None:
    pair = (np.arange(6.0).reshape(2, 3), np.ones((2, 3)))
    assert close(*both("MSEMeter", {"root": True}, [pair]))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.uint8])
@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("scores", [False, True])
def test_confusion_of_every_kind_of_argument(dtype: torch.dtype, one_hot: bool, scores: bool) -> None:
    g = torch.Generator().manual_seed(2)
    truth = torch.randint(4, (20,), generator=g)
    target = torch.nn.functional.one_hot(truth, 4).to(dtype) if one_hot else truth.to(dtype)
    predicted = torch.randn(20, 4, generator=g) if scores else torch.randint(4, (20,), generator=g).to(dtype)
    ours, theirs = both("ConfusionMeter", {"k": 4}, [(predicted, target)])
    assert (ours == theirs).all()


@pytest.mark.parametrize("given", ["tensor", "array"])
def test_class_error_of_one_sample(given: str) -> None:
    scores = torch.tensor([0.1, 0.5, 0.4])
    args = (scores, 1) if given == "tensor" else (scores.numpy(), np.array([1]))
    assert close(*both("ClassErrorMeter", {"topk": [1, 2]}, [args, args]))


def test_class_error_at_one_k() -> None:
    ours, theirs = make("ClassErrorMeter", topk=[1, 5]), torchnet.ClassErrorMeter(topk=[1, 5])
    for meter in (ours, theirs):
        meter.add(*batches("top-k")[0])
    assert ours.value(5) == pytest.approx(theirs.value(5))


def test_auc_of_arrays() -> None:
    rng = np.random.default_rng(3)
    ours, theirs = both("AUCMeter", {}, [(rng.random(40), rng.integers(0, 2, 40)) for _ in range(3)])
    assert close(ours, theirs, 1e-12)


def test_ap_of_flat_scores() -> None:
    assert close(*both("APMeter", {}, [(torch.tensor([0.9, 0.1, 0.5]), torch.tensor([1, 0, 1]))]))


def test_ap_of_a_class_without_positives() -> None:
    assert close(*both("APMeter", {}, [(torch.rand(5, 2), torch.tensor([[0, 1]] * 5))]))


def test_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    ours, theirs = make("TimeMeter", clock=lambda: now[0]), torchnet.TimeMeter(False)
    now[0] = 107.5
    assert ours.value() == theirs.value() == 7.5
