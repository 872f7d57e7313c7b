"""Meters over several ranks: what they log together is what one meter would have logged of all samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from flexlogger.config.load import load
from flexlogger.errors import ConfigError
from flexlogger.meters.base import BaseMeter, Payload
from flexlogger.meters.build import build_meter
from flexlogger.meters.catalog import METERS
from flexlogger.meters.reduced import Reduced, Reducible

Sample = tuple[Any, ...]
RANDOM = torch.Generator().manual_seed(0)


def numbers() -> Sample:
    return (float(torch.randn(1, generator=RANDOM)) * 10 + 100,)


def scores() -> Sample:
    return torch.randn(6, 4, generator=RANDOM), torch.randint(0, 4, (6,), generator=RANDOM)


CASES: list[tuple[str, dict[str, Any], Callable[[], Sample]]] = [
    ("AverageValueMeter", {}, numbers),
    ("AverageValueMeter", {}, lambda: (*numbers(), 3)),
    ("MSEMeter", {}, lambda: (torch.randn(5, generator=RANDOM), torch.randn(5, generator=RANDOM))),
    ("MSEMeter", {"root": True}, lambda: (torch.randn(5, generator=RANDOM), torch.randn(5, generator=RANDOM))),
    ("ConfusionMeter", {"k": 4}, scores),
    ("ConfusionMeter", {"k": 4, "normalized": True}, scores),
    ("ClassErrorMeter", {"topk": [1, 3]}, scores),
    ("ClassErrorMeter", {"accuracy": True}, scores),
    ("AccuracyMeter", {}, scores),
    ("MinMeter", {}, numbers),
    ("MaxMeter", {}, numbers),
    ("SumMeter", {}, numbers),
]


class Together:
    """Stands in for the ranks' meeting: the states of the others are given."""

    def __init__(self, others: list[BaseMeter], rank: int = 0) -> None:
        self.others = others
        self.rank = rank
        self.names: list[str] = []

    def rows(self, name: str, state: torch.Tensor, additive: bool) -> torch.Tensor:
        self.names.append(name)
        states = [state]
        for meter in self.others:
            assert isinstance(meter, Reducible)
            states.append(meter.state())
        rows = torch.stack(states)
        return rows.sum(0, keepdim=True) if additive else rows


def plain(outputs: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(v.value if isinstance(v, Payload) else v, float) for name, v in outputs.items()}


@pytest.mark.parametrize(("name", "opts", "sample"), CASES, ids=lambda case: case if isinstance(case, str) else "")
def test_ranks_together_log_what_one_would_have(name: str, opts: dict[str, Any], sample: Callable[[], Sample]) -> None:
    alone = build_meter(name, opts)
    ranks = [build_meter(name, opts) for _ in range(4)]
    for index in range(17):
        values = sample()
        alone.add(*values)
        ranks[index % 3].add(*values)  # the fourth stays empty
    for first in range(4):
        others = [meter for meter in ranks if meter is not ranks[first]]
        expected, together = plain(alone.collect()), plain(Reduced("m", ranks[first], Together(others)).collect())
        assert together.keys() == expected.keys()
        for key, value in expected.items():
            assert np.allclose(together[key], value, rtol=1e-12), key


def test_every_meter_that_says_so_is_tested() -> None:
    assert {name for name, _, _ in CASES} == {name for name, info in METERS.items() if info.reduces} - {"RateMeter"}


def test_a_rate_over_ranks_is_their_sum() -> None:
    fast, slow = build_meter("RateMeter"), build_meter("RateMeter")
    fast._clock, slow._clock = (lambda: 10.0), (lambda: 10.0)  # type: ignore[attr-defined]
    fast._start = slow._start = 0.0  # type: ignore[attr-defined]
    fast.add(100)
    slow.add(50)
    assert Reduced("rate", fast, Together([slow])).collect() == {"": 15.0}


@pytest.mark.parametrize(("name", "opts", "sample"), CASES, ids=lambda case: case if isinstance(case, str) else "")
def test_where_nobody_added_anything_nothing_is_logged(name: str, opts: Any, sample: Any) -> None:
    meter = Reduced("m", build_meter(name, opts), Together([build_meter(name, opts)]))
    assert not meter.empty, "it comes to the meeting all the same"
    assert meter.collect() == {}


def test_only_rank_0_logs_and_reset_is_each_ranks_own() -> None:
    meeting = Together([], rank=1)
    meter = Reduced("loss", build_meter("AverageValueMeter"), meeting)
    meter.add(1.0)
    assert meter.collect() == {}
    assert meter.value()[0] == 1.0
    meter.reset()
    assert math.isnan(meter.value()[0])
    assert meeting.names == ["loss"]


def test_nan_of_one_rank_shows() -> None:
    bad = build_meter("AverageValueMeter")
    bad.add(math.nan)
    good = build_meter("AverageValueMeter")
    good.add(1.0)
    assert math.isnan(Reduced("m", good, Together([bad])).collect()[""])


def test_a_meter_that_cannot_be_reduced_is_refused_by_name() -> None:
    meters = {"auc": {"type": "AUCMeter", "target": "p", "reduce": True}}
    with pytest.raises(ConfigError, match=r"meters.auc.reduce: AUCMeter cannot be reduced over ranks; .*MSEMeter"):
        load({"plots": {"p": {}}, "meters": meters})
    own = {"own": {"type": type("Own", (), dict.fromkeys(("add", "value", "reset"), lambda self: None)), "target": "p"}}
    own["own"]["reduce"] = True
    with pytest.raises(ConfigError, match=r"meters.own.reduce: .* cannot be reduced"):
        load({"plots": {"p": {}}, "meters": own})
    good = {"loss": {"type": "AverageValueMeter", "target": "p", "reduce": True}}
    assert load({"plots": {"p": {}}, "meters": good}).meters[0].reduce
