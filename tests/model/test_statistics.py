"""Every statistic of every kind of tensor, on every way it can take, against float64 written out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flexlogger.model import gather as gather_module
from flexlogger.model.gather import Gather, Wanted
from flexlogger.model.shelves import MOST, Shelves
from flexlogger.model.statistics import STATISTICS, N, Rows, exact, measure, merge, needs
from flexlogger.readback import Copied

EVERYTHING = Wanted(needs(STATISTICS))


def slow(tensor: torch.Tensor) -> dict[str, float]:
    """The obvious reference."""
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    values = (tensor.abs() if tensor.is_complex() else tensor).detach().double().flatten()
    n = values.numel()
    return {
        "mean": float(values.sum() / n),
        "std": float(values.std()) if n > 1 else math.nan,
        "norm": float(values.square().sum().sqrt()),
        "min": float(values.min()),
        "max": float(values.max()),
        "abs_mean": float(values.abs().mean()),
        "zero_fraction": float((values == 0).sum() / n),
        "nonfinite_fraction": float((~values.isfinite()).sum() / n),
    }


def statistics_of(row: Rows) -> dict[str, float]:
    return {name: float(statistic.of(row[None])[0]) for name, statistic in STATISTICS.items()}


def gathered(tensor: torch.Tensor, **options: object) -> Rows:
    """The row by way of a collection."""
    gather = Gather(EVERYTHING.need, Shelves(), **options)  # type: ignore[arg-type]
    gather.add(7, tensor, EVERYTHING)
    collected = gather.finish().read()
    assert collected.keys.tolist() == [7]
    return collected.rows[0]


WAYS: dict[str, Callable[[torch.Tensor], Rows]] = {
    "reduced at once": lambda tensor: measure(tensor, EVERYTHING.need),
    "collected": gathered,
    "on a device": lambda tensor: gathered(tensor, elsewhere=lambda _: True),
}


def _csr(tensor: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "in beta"
        return tensor.to_sparse_csr()


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(7, 33)
    return {
        "float32": x,
        "float64": x.double() * 1e200,
        "float16": (x * 20000).clamp(-60000, 60000).half(),
        "bfloat16": x.bfloat16(),
        "int64": torch.randint(-5, 5, (4, 9)),
        "uint8": torch.randint(0, 255, (50,), dtype=torch.uint8),
        "bool": x > 0.5,
        "complex64": torch.randn(5, 6, dtype=torch.complex64),
        "float8": x.clamp(-2, 2).to(torch.float8_e4m3fn),
        "single": torch.tensor([3.5]),
        "scalar": torch.tensor(-2.0),
        "constant": torch.full((10, 10), 0.1),
        "around one": 1 + 1e-4 * x,
        "far away": 1e4 + x,
        "zeros": torch.zeros(5),
        "transposed": x.t(),
        "channels last": torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last),
        "strided": x[:, ::3],
        "expanded": torch.randn(1, 4).expand(6, 4),
        "requires grad": (x * 2).requires_grad_(),
        "sparse": torch.sparse_coo_tensor(
            torch.tensor([[0, 2, 2]]), torch.tensor([[1.0, -3], [2, 2], [5, 5]]), (9, 2), check_invariants=True
        ),
        "sparse, all stored": torch.tensor([[1.0, 2.0]]).to_sparse(),
        "sparse, nothing stored": torch.zeros(3, 3).to_sparse(),
        "csr": _csr(torch.eye(4)),
        "large": torch.randn(300_000) + 0.3,
        "large half": torch.randn(100_000).half(),
        "large around one": 1 + 1e-4 * torch.randn(200_000),
        "large sparse": torch.randn(400, 400).relu().to_sparse(),
        "nan": torch.tensor([1.0, math.nan, 2.0]),
        "inf": torch.tensor([1.0, -math.inf, 2.0]),
        "large nan": torch.cat([torch.randn(100_000), torch.tensor([math.nan])]),
        "vanishing": x * 1e-25,
        "large vanishing": torch.randn(100_000) * 1e-25,
        "large vanishing around a mean": 1e-22 + torch.randn(100_000) * 1e-25,
        "large zeros": torch.zeros(100_000),
        "huge": torch.full((100,), 3e30),
        "large huge": torch.full((70_000,), 3e30),
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", tensors())
def test_every_statistic_of_every_kind_of_tensor(kind: str, way: str) -> None:
    tensor = tensors()[kind]
    expected, got = slow(tensor), statistics_of(WAYS[way](tensor))
    if way == "on a device" and kind == "inf":
        expected["mean"] = math.nan  # Welford's way
    for name in STATISTICS:
        if way == "on a device" and ("huge" in kind or "vanishing" in kind):
            if name in ("norm", "std"):
                continue  # float32 squares overflow and underflow there, as torch's own do
            if name == "abs_mean" and "large" in kind:
                continue  # a CPU adds equal entries up one by one, in float32
        scale = max(abs(expected["max"]), abs(expected["min"])) if math.isfinite(expected["max"]) else 1.0
        assert got[name] == pytest.approx(expected[name], rel=2e-5, abs=3e-8 * scale, nan_ok=True), name


@pytest.mark.parametrize("asked", ["norm", "std", "max", "abs_mean", "nonfinite_fraction", None])
@pytest.mark.parametrize("way", [{}, {"elsewhere": lambda _: True}])
@pytest.mark.parametrize("kind", ["float64", "huge", "large huge", "vanishing", "nan", "inf", "large nan"])
def test_only_entries_that_are_not_finite_are_told_to_be(kind: str, way: dict[str, Any], asked: str | None) -> None:
    """And not those whose squares do not fit into the precision they are summed in."""
    wanted = Wanted(needs([asked] if asked else STATISTICS))
    gather = Gather(wanted.need, Shelves(), **way)
    gather.add(7, tensors()[kind], wanted)
    bad = "nan" in kind or kind == "inf"
    assert gather.finish().read().bad == ((7,) if bad else ())


def test_the_norm_of_ten_million_entries_is_right() -> None:
    tensor = torch.randn(10_000_000, generator=torch.Generator().manual_seed(0))
    row = measure(tensor, EVERYTHING.need)
    assert statistics_of(row)["norm"] == pytest.approx(float(tensor.double().norm()), rel=1e-6)


def test_an_empty_tensor_has_no_row() -> None:
    gather = Gather(EVERYTHING.need, Shelves())
    gather.add(0, torch.empty(0, 3), EVERYTHING)
    assert len(gather.finish().read().keys) == 0


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), min_size=1, max_size=6))
def test_rows_of_parts_are_the_row_of_the_whole(parts: list[list[float]]) -> None:
    whole = exact(np.concatenate([np.array(part) for part in parts]))
    merged = merge(np.stack([exact(np.array(part)) for part in parts]))
    np.testing.assert_allclose(merged, whole, rtol=1e-9, atol=1e-4)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 3)), min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_a_buffer_used_again_holds_what_was_added_last(sizes: list[tuple[int, int]], seed: int) -> None:
    """Two steps with other shapes: each key's row is that of all its tensors together."""
    generator, shelves = torch.Generator().manual_seed(seed), Shelves()
    for step in range(2):
        gather, given_ = Gather(EVERYTHING.need, shelves), {}
        for n, key in sizes[step:]:
            tensor = torch.randn(n, generator=generator)
            gather.add(key, tensor, EVERYTHING)
            given_.setdefault(key, []).append(tensor.clone())
            tensor.fill_(math.nan)
        collected = gather.finish().read()
        for key, row in zip(collected.keys.tolist(), collected.rows, strict=True):
            expected = slow(torch.cat(given_[key]))
            assert statistics_of(row) == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("together", [True, False])
def test_more_tensors_of_a_shape_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch, together: bool) -> None:
    monkeypatch.setattr("flexlogger.model.shelves.PIECE", 100)
    tensors = [torch.randn(30 + n % 2) + 1000 * (n == 5) for n in range(16)]
    tensors[3][2] = math.nan
    gather = Gather(EVERYTHING.need, Shelves())
    if together:
        gather.add_together([[key] for key in range(16)], tensors, object())
    else:
        for key, tensor in enumerate(tensors):
            gather.add(key, tensor, EVERYTHING)
    collected = gather.finish().read()
    assert collected.keys.tolist() == list(range(16))
    for tensor, row in zip(tensors, collected.rows, strict=True):
        assert statistics_of(row) == pytest.approx(slow(tensor), rel=1e-5, abs=1e-6, nan_ok=True)


def test_inputs_of_ever_new_lengths_leave_no_room_behind() -> None:
    shelves = Shelves()
    for step in range(1, 2 * MOST):
        gather = Gather(EVERYTHING.need, shelves)
        gather.add(0, torch.ones(step), EVERYTHING)
        assert gather.finish().read().rows[0, N] == step
    assert len(shelves._shelves) <= MOST + 1


def test_keys_that_share_a_tensor_have_equal_rows() -> None:
    gather = Gather(EVERYTHING.need, Shelves())
    gather.add(0, torch.tensor([1.0, 2.0]), EVERYTHING).append(5)
    gather.add(0, torch.tensor([3.0]), EVERYTHING)
    collected = gather.finish().read()
    rows = dict(zip(collected.keys.tolist(), collected.rows, strict=True))
    assert statistics_of(rows[0])["mean"] == 2.0
    assert statistics_of(rows[5])["mean"] == 1.5


def test_gradients_of_a_scaled_loss_are_unscaled() -> None:
    wanted = Wanted(EVERYTHING.need, {"peak": torch.max}, histogram=True)
    gradient = torch.tensor([1.0, -2.0, 4.0])
    gather = Gather(EVERYTHING.need, Shelves())
    gather.factor = torch.tensor(1024.0)
    gather.add(0, gradient * 1024, wanted, scaled=True)
    gather.add(1, gradient, wanted)
    collected = gather.finish().read()
    for row in collected.rows:
        assert statistics_of(row) == pytest.approx(slow(gradient))
    assert collected.own == {(0, "peak"): 4.0, (1, "peak"): 4.0}
    assert collected.histograms[0].tolist() == collected.histograms[1].tolist()


def test_what_is_not_finite_is_named_in_the_order_it_came() -> None:
    gather = Gather(EVERYTHING.need, Shelves())
    gather.add(3, torch.ones(2), EVERYTHING)
    gather.add(2, torch.full((70_000,), math.inf), EVERYTHING)
    gather.add(9, torch.tensor([math.nan]), EVERYTHING)
    gather.add(1, torch.tensor([math.nan], dtype=torch.float64), EVERYTHING)
    gather.add(2, torch.tensor([math.nan]), EVERYTHING)
    assert gather.finish().read().bad == (2, 9, 1)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_histograms_and_own_statistics(elsewhere: bool) -> None:
    wanted = Wanted(needs(["mean"]), {"peak": lambda t: t.abs().max()}, histogram=True)
    gather = Gather(wanted.need, Shelves(), bins=4, elsewhere=lambda _: elsewhere)
    gather.add(0, torch.tensor([0.0, 1.0, 4.0]), wanted)
    gather.add(0, torch.tensor([-2.0]), wanted)
    collected = gather.finish().read()
    counts, edges = np.histogram([0.0, 1.0, 4.0, -2.0], 4)
    assert collected.histograms[0][0].tolist() == pytest.approx(edges.tolist())
    assert collected.histograms[0][1, :-1].tolist() == counts.tolist()
    assert collected.own == {(0, "peak"): 3.0}, "the mean over the tensors of one key"


def test_all_that_a_device_holds_leaves_it_in_one_copy() -> None:
    copies: list[list[torch.Size]] = []

    def copier(tensors: Sequence[torch.Tensor]) -> Copied:
        copies.append([tensor.shape for tensor in tensors])
        return Copied([tensor.clone() for tensor in tensors], None)

    wanted = Wanted(EVERYTHING.need, {"peak": torch.max}, histogram=True)
    tensors = {key: torch.randn(5 + key) for key in range(20)}
    collected = []
    for elsewhere in (False, True):
        gather = Gather(EVERYTHING.need, Shelves(), bins=8, copier=copier, elsewhere=lambda _, e=elsewhere: e)
        gather.factor, gather.skipped = torch.tensor(4.0), torch.tensor(True)
        for key, tensor in tensors.items():
            gather.add(key, tensor, wanted, scaled=key > 10)
        gather.add_rows([20], torch.arange(1.0, 10.0)[None], [False])
        collected.append(gather.finish().read())
    assert [len(copied) for copied in copies] == [1, 1], "the rows that are given, then all there is"
    here, there = collected
    assert there.skipped
    np.testing.assert_allclose(there.rows, here.rows, rtol=1e-5, atol=1e-6)
    assert there.own == pytest.approx(here.own)
    assert there.histograms.keys() == set(range(20))
    for key, histogram in there.histograms.items():
        np.testing.assert_allclose(histogram, here.histograms[key], rtol=1e-6)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("sparse", [torch.Tensor.to_sparse, _csr])
def test_a_histogram_of_a_sparse_tensor_has_its_zeros(
    sparse: Callable[[torch.Tensor], torch.Tensor], elsewhere: bool
) -> None:
    wanted = Wanted(needs(["mean"]), histogram=True)
    tensor = (torch.rand(300, 400, generator=torch.Generator().manual_seed(0)) > 0.9).float()

    def counted(of: torch.Tensor, sample: int | None) -> Rows:
        gather = Gather(wanted.need, Shelves(), bins=8, sample=sample, elsewhere=lambda _: elsewhere)
        gather.add(0, of, wanted)
        return gather.finish().read().histograms[0]

    assert counted(sparse(tensor), None).tolist() == counted(tensor, None).tolist()
    counts = counted(sparse(tensor), 10_000)[1]
    assert 9_000 <= counts.sum() <= 10_000
    assert counts[0] / counts.sum() == pytest.approx(float((tensor == 0).float().mean()), abs=1e-3)
    assert counted(sparse(torch.zeros(3, 4)), None)[1].sum() == 12


def test_a_histogram_of_a_large_tensor_is_counted_from_an_even_sample() -> None:
    wanted = Wanted(needs(["mean"]), histogram=True)
    tensor = torch.arange(100_000.0)
    gather = Gather(wanted.need, Shelves(), bins=10, sample=1000)
    gather.add(0, tensor, wanted)
    counts = gather.finish().read().histograms[0][1, :-1]
    assert 900 <= counts.sum() <= 1000
    assert counts.max() - counts.min() <= 2
    assert gather_module._sampled(tensor, None)[0].numel() == 100_000


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_zeros_of_a_sparse_tensor_are_counted_without_being_made(elsewhere: bool) -> None:
    wanted = Wanted(needs(["mean"]), histogram=True)
    places, stored = torch.tensor([[3, 5]]), torch.tensor([[-1.0] * 4, [3.0] * 4])
    huge = torch.sparse_coo_tensor(places, stored, (10**12, 4), check_invariants=True)
    gather = Gather(wanted.need, Shelves(), bins=4, sample=None, elsewhere=lambda _: elsewhere)
    gather.add(0, huge, wanted)
    edges, counts = gather.finish().read().histograms[0]
    assert edges.tolist() == [-1.0, 0.0, 1.0, 2.0, 3.0]
    assert counts.tolist() == [4, 4 * 10**12 - 8, 0, 4, 0]
