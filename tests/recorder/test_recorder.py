from __future__ import annotations

import asyncio
import copy
import io
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torchmetrics import MaxMetric, MeanMetric, MetricCollection, MinMetric

import flexlogger.runs as runs
from flexlogger import FlexLogger, Recorder, RecorderHelper
from flexlogger.errors import ValueRefusedError
from flexlogger.recorder.gathered import Gathered
from flexlogger.recorder.table import GrowingTable
from flexlogger.runs.reader import RunReader

shared = Recorder()


class Half(nn.Module):
    def __init__(self, factor: float = 0.5) -> None:
        super().__init__()
        self.factor = factor

    @shared.metric("half")
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


@shared.metric("tenth")
def tenth(x: float) -> float:
    return x / 10


def mean_of(values: Any) -> float:
    return float(torch.stack(values).mean())


@pytest.fixture(autouse=True)
def offline() -> Iterator[None]:
    runs.init(project="recorded", mode="offline")
    yield
    runs.finish()


def logged(name: str) -> list[tuple[float, float]]:
    run = runs.run
    assert run is not None
    assert run.flush()
    steps, values = RunReader(run.dir).series(name)
    return [*zip(steps.tolist(), values.tolist(), strict=True)]


def test_outside_a_block_and_in_the_other_kind_nothing_is_recorded() -> None:
    recorder = Recorder()

    @recorder.track_scalar("train")
    @recorder.metric("valid")
    def value(x: float) -> float:
        return x

    assert value(1.0) == 1.0
    with recorder(train=True):
        value(2.0)
    with recorder(train=False):
        value(3.0)
    assert (logged("train"), logged("valid")) == ([(0, 2.0)], [(0, 3.0)])


def test_numbers_need_no_aggregation_and_others_do() -> None:
    recorder = Recorder()

    @recorder.track_scalar("a")
    def value(x: Any) -> Any:
        return x

    with recorder(train=True):
        value(1)
        value(torch.tensor(2.0, requires_grad=True))
        value(6.0)
    assert logged("a") == [(0, 3.0)]
    with (
        pytest.raises(ValueRefusedError, match=r"'a': expected a number or a 0-d tensor, but got Tensor"),
        recorder(train=True),
    ):
        value(torch.zeros(3))


def test_what_was_returned_may_be_changed_afterwards() -> None:
    recorder = Recorder()

    @recorder.track_scalar("a", mean_of)
    def value(x: torch.Tensor) -> torch.Tensor:
        return x

    tensor = torch.tensor([1.0, 3.0])
    with recorder(train=True):
        value(tensor)
        tensor.fill_(float("nan"))
    assert logged("a") == [(0, 2.0)]


def test_a_block_that_an_exception_ends_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder()

    @recorder.metric("a")
    def value(x: float) -> float:
        return x

    def fail() -> None:
        with recorder(train=False):
            value(1.0)
            raise KeyError("of the user's")

    with pytest.raises(KeyError):
        fail()
    assert recorder.recording is None
    with recorder(train=False):
        value(2.0)
    assert logged("a") == [(0, 2.0)]
    assert capsys.readouterr().out.split() == ["a", "2.0000"]


def test_an_aggregation_that_fails_says_of_what() -> None:
    recorder = Recorder()

    @recorder.track_scalar("a", mean_of)
    def value() -> float:
        return 1.0

    def block() -> None:
        with recorder(train=True):
            value()

    with pytest.raises(TypeError) as failed:
        block()
    assert failed.value.__notes__ == ["while the recorder aggregated 1 values of 'a'"]


def test_a_validation_within_training_goes_into_its_own_row() -> None:
    recorder = Recorder()

    @recorder.track_scalar("train")
    @recorder.metric("valid")
    def value(x: float) -> float:
        return x

    with recorder(train=True):
        value(1.0)
        with recorder(train=False):
            value(10.0)
        value(3.0)
    assert (logged("train"), logged("valid")) == ([(0, 2.0)], [(0, 10.0)])


def test_validations_without_training_between_them_have_steps_of_their_own() -> None:
    recorder = Recorder()

    @recorder.metric("a")
    def value(x: float) -> float:
        return x

    for x in (1.0, 2.0, 3.0):
        with recorder(train=False):
            value(x)
    assert logged("a") == [(0, 1.0), (1, 2.0), (2, 3.0)]


def test_methods_are_bound_to_their_instances_and_models_can_be_copied_and_pickled() -> None:
    half, third = Half(), Half(1 / 3)
    again = pickle.loads(pickle.dumps(half))
    copied = copy.deepcopy(third)
    with shared(train=False):
        assert (half(torch.tensor(3.0)).item(), again(torch.tensor(1.0)).item()) == (1.5, 0.5)
        assert copied(torch.tensor(3.0)).item() == pytest.approx(1.0)
    assert logged("half")[-1][1] == pytest.approx(1.0)
    assert pickle.loads(pickle.dumps(tenth)) is tenth
    buffer = io.BytesIO()
    torch.save(half, buffer)


@pytest.mark.parametrize("fullgraph", [False, True])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_records_what_it_returns(backend: str, fullgraph: bool) -> None:
    torch.compiler.reset()
    compiled = torch.compile(Half(), backend=backend, fullgraph=fullgraph)
    assert compiled(torch.tensor(4.0)).item() == 2.0
    for x in (2.0, 6.0):
        with shared(train=False):
            compiled(torch.tensor(x))
    assert [value for _, value in logged("half")][-2:] == [1.0, 3.0]


def test_metrics_are_recorded_where_they_are_called_or_updated(capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder()
    whole, batches = MeanMetric(), MeanMetric()
    metrics = RecorderHelper(recorder).metric(whole=whole, wrong=lambda a, b: float(a != b))
    metrics |= RecorderHelper(recorder).metric(mean_of, batches=batches)
    assert metrics["whole"] is whole
    pickle.loads(pickle.dumps(batches))
    whole.update(torch.tensor([100.0]))  # not of this validation
    with recorder(train=False):
        metrics["whole"].update(torch.tensor([1.0, 2.0]))
        metrics["whole"].update(torch.tensor([6.0]))
        metrics["batches"](torch.tensor([1.0, 3.0]))
        metrics["batches"](torch.tensor([4.0]))
        metrics["wrong"](1, 2)
        metrics["wrong"](1, 1)
    assert (logged("whole"), logged("batches"), logged("wrong")) == ([(0, 3.0)], [(0, 3.0)], [(0, 0.5)])
    head, row = capsys.readouterr().out.splitlines()
    assert dict(zip(head.split(), row.split(), strict=True)) == dict.fromkeys(["whole", "batches"], "3.0000") | {
        "wrong": "0.5000"
    }


def test_it_logs_into_the_run_of_a_logger_that_is_open() -> None:
    runs.finish()
    with FlexLogger({"loss": {}}, sinks=[]) as stat:
        recorder = Recorder()

        @recorder.metric("valid")
        def value() -> float:
            return 0.25

        with recorder(train=False):
            value()
        assert recorder.run.dir == stat.folder
        recorder.finish()
        assert stat.flush()
        assert RunReader(stat.folder).series("valid")[1].tolist() == [0.25]


@pytest.mark.parametrize("words", [{}, {"train": True, "training": True}, {"train": 1}])
def test_a_block_says_which_kind_it_is(words: dict[str, Any]) -> None:
    with pytest.raises(ValueRefusedError, match="expected train=True or train=False"):
        Recorder()(**words)


def test_a_decorator_without_its_name_is_refused() -> None:
    recorder = Recorder()
    with pytest.raises(ValueRefusedError, match=r"expected a name, as in metric\('valid_loss'\)"):
        recorder.metric(lambda: 1.0)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValueRefusedError, match="expected a function of a list of values, but got 3"):
        recorder.metric("a", 3)  # type: ignore[arg-type]  # the same


def test_a_name_that_is_new_has_the_head_printed_again() -> None:
    out = io.StringIO()
    table = GrowingTable(out)
    table.add({"a": 1.0})
    table.add({"a": float("nan"), "a_longer_name": 1e-9})
    table.add({"a_longer_name": 123456789.0})
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines == [
        "\t a",
        "\t 1.0000",
        "\t a                a_longer_name",
        "\t nan              1.000e-09",
        "\t                  1.235e+08",
    ]


def test_a_collection_of_metrics_is_recorded_and_printed_metric_by_metric(capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder()
    collection = MetricCollection({"low": MinMetric(), "high": MaxMetric()})
    metric = RecorderHelper(recorder).metric(m=collection)["m"]
    for values in ([1.0, 2.0], [5.0, 7.0]):
        with recorder(train=False):
            metric.update(torch.tensor(values))
    with recorder(train=False):
        pass  # a validation that does not come to it
    assert (logged("m.low"), logged("m.high")) == ([(0, 1.0), (1, 5.0)], [(0, 2.0), (1, 7.0)])
    head, *rows = capsys.readouterr().out.splitlines()
    assert dict(zip(head.split(), rows[1].split(), strict=True)) == {"m.low": "5.0000", "m.high": "7.0000"}
    assert len(rows) == 2


class Count:
    """A metric of nobody's library; it is not called."""

    def reset(self) -> None:
        self.n = 0

    def update(self, more: int) -> None:
        self.n += more

    def compute(self) -> int:
        return self.n


def test_any_metric_that_is_updated_and_computes_is_recorded() -> None:
    recorder = Recorder()
    metric = RecorderHelper(recorder).metric(n=Count())["n"]
    for _ in range(2):
        with recorder(train=False):
            metric.update(2)
            metric.update(3)
    assert logged("n") == [(0, 5.0), (1, 5.0)]
    with pytest.raises(ValueRefusedError, match="'n': expected a metric to call"):
        RecorderHelper(recorder).metric(max, n=Count())


def test_a_helper_without_its_recorder_is_refused() -> None:
    with pytest.raises(ValueRefusedError, match="expected the Recorder to tell, but got 3"):
        RecorderHelper(3)  # type: ignore[arg-type]  # what is refused


def test_what_a_coroutine_returns_is_recorded() -> None:
    recorder = Recorder()

    @recorder.metric("a")
    async def value() -> float:
        return 2.0

    async def validate() -> float:
        with recorder(train=False):
            return await value()

    assert asyncio.run(validate()) == 2.0
    assert logged("a") == [(0, 2.0)]


def test_static_and_class_methods_are_recorded_in_either_order() -> None:
    recorder = Recorder()

    class Measures:
        @recorder.metric("a")
        @staticmethod
        def inside(x: float) -> float:
            return x

        @staticmethod
        @recorder.metric("b")
        def outside(x: float) -> float:
            return x

        @recorder.metric("c")
        @classmethod
        def of_class(cls, x: float) -> float:
            return x

    with recorder(train=False):
        assert (Measures().inside(1.0), Measures.inside(3.0), Measures().outside(5.0)) == (1.0, 3.0, 5.0)
        Measures().of_class(6.0)
    assert (logged("a"), logged("b"), logged("c")) == ([(0, 2.0)], [(0, 5.0)], [(0, 6.0)])


def test_what_returns_no_value_cannot_be_decorated() -> None:
    recorder = Recorder()

    def batches() -> Iterator[float]:
        yield 1.0

    with pytest.raises(ValueRefusedError, match="a generator's values are its caller's"):
        recorder.metric("a")(batches)
    with pytest.raises(ValueRefusedError, match=r"decorate the method that returns the value, such as Half.forward"):
        recorder.metric("a")(Half)


def test_the_mean_keeps_doubles_and_large_integers() -> None:
    recorder = Recorder()

    @recorder.metric("a")
    def value(x: Any) -> Any:
        return x

    with recorder(train=False):
        value(torch.tensor(1 + 2e-12, dtype=torch.float64))
        value(1.0)
    with recorder(train=False):
        value(torch.tensor(2**24 + 1))
    assert [mean for _, mean in logged("a")] == [1 + 1e-12, 2**24 + 1]


def test_numbers_and_tensors_of_several_devices_have_one_mean() -> None:
    gathered = Gathered("a", None)
    for value in (1.0, torch.tensor(2.0, device="meta"), torch.tensor(3.0)):
        gathered.add(value)
    assert gathered.result().device.type == "meta"
