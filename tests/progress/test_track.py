from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import flexlogger.runs as runs
from flexlogger import FlexLogger, track
from flexlogger.errors import ValueRefusedError
from flexlogger.progress.counted import Counted, samples_in
from flexlogger.progress.track import Tracked
from flexlogger.runs.reader import RunReader
from tests.terminals import Terminal


@pytest.fixture
def stat() -> Iterator[FlexLogger]:
    with FlexLogger({"loss": {}}, sinks=[]) as logger:
        yield logger


def logged(stat: FlexLogger, name: str) -> list[tuple[float, float]]:
    assert stat.flush()
    steps, values = RunReader(stat.folder).series(name)
    return [*zip(steps.tolist(), values.tolist(), strict=True)]


def test_samples_a_second_and_step_time_are_logged_by_the_second(stat: FlexLogger) -> None:
    now = [100.0]
    batches = [torch.zeros(32, 3)] * 10
    for _ in range(2):
        for _ in Tracked(batches, "train", 10, out=io.StringIO(), clock=lambda: now[0]):
            now[0] += 0.25
    expected = [(3, 0.25), (7, 0.25), (9, 0.25), (13, 0.25), (17, 0.25), (19, 0.25)]
    assert logged(stat, "train_step_s") == expected
    assert logged(stat, "train_samples_per_s") == [(step, 128.0) for step, _ in expected]


def test_a_real_loader_keeps_its_length_and_its_batches(stat: FlexLogger) -> None:
    loader = DataLoader(TensorDataset(torch.arange(10.0)), batch_size=4)
    out = io.StringIO()
    tracked = track(loader, "read", out=out)
    assert len(tracked) == 3
    assert [len(batch) for (batch,) in tracked] == [4, 4, 2]
    ((step, rate),) = logged(stat, "read_samples_per_s")
    assert step == 2
    assert rate > 0
    assert out.getvalue().startswith("read  100%  3 steps  ")


def test_a_loop_that_is_left_early_is_logged_and_ended(stat: FlexLogger) -> None:
    now, out = [0.0], io.StringIO()
    for number in Tracked(range(100), "part", 100, out=out, clock=lambda: now[0]):
        now[0] += 0.5
        if number == 4:
            break
    assert logged(stat, "part_step_s") == [(1, 0.5), (3, 0.5)]
    assert out.getvalue() == "part  4%  4 steps  1.6 steps/s  in 2.5 s\n"


def test_without_a_run_it_only_shows() -> None:
    out = io.StringIO()
    assert list(track(iter("abc"), out=out)) == ["a", "b", "c"]
    assert out.getvalue().startswith("3 steps")


def test_it_logs_into_the_run_that_it_is_given() -> None:
    with FlexLogger({"a": {}}, sinks=[], run="one") as one, FlexLogger({"a": {}}, sinks=[], run="two") as two:
        list(track([1, 2], "x", run=one, out=io.StringIO()))
        assert len(logged(one, "x_step_s")) == 1
        assert two.flush()
        assert "x_step_s" not in RunReader(two.folder).names()


def test_a_run_that_is_taken_up_again_goes_on_counting() -> None:
    for _ in range(2):
        with runs.init(project="p", id="r", mode="offline") as run:
            list(track([1, 2, 3], "x", out=io.StringIO()))
            folder = run.dir
    assert RunReader(folder).series("x_step_s")[0].tolist() == [2, 5]


def test_what_cannot_be_iterated_over_is_refused() -> None:
    with pytest.raises(ValueRefusedError, match="expected something to iterate over, but got 3"):
        track(3)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValueRefusedError, match="expected a logger or an open run, but got 'latest'"):
        track([], run="latest")


@pytest.mark.parametrize("wrong", [{"description": 5}, {"total": -1}, {"total": 2.5}, {"total": True}])
def test_a_description_or_a_total_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    ((word, value),) = wrong.items()
    with pytest.raises(ValueRefusedError, match=rf"track: {word}: expected a .*, but got {value}"):
        track([], **wrong)


def test_a_bar_shows_what_is_logged_and_not_how_fast_other_loops_were(stat: FlexLogger) -> None:
    list(track([1, 2], "valid", out=io.StringIO()))
    out = io.StringIO()
    for _ in track([1], "train", out=out):
        stat.add({"loss": 0.5})
        stat.log()
        assert stat.flush()
    assert out.getvalue().endswith("  loss 0.5\n")
    assert "valid_step_s" not in out.getvalue()


def test_the_size_of_a_batch_is_that_of_its_first_array() -> None:
    assert samples_in((torch.tensor(3), [torch.zeros(5, 2)])) == 5
    assert samples_in({"a": "text"}) == 0
    assert samples_in(object()) == 0


def test_nothing_is_known_before_the_first_step() -> None:
    loop = Counted("", None, 0.0)
    assert (loop.rates(1.0), loop.left(1.0), loop.due(5.0, last=True)) == (None, None, None)


CODE = """
import torch, flexlogger
with flexlogger.FlexLogger({"loss": {}}, sinks=[], dir=%r) as stat:
    for epoch in flexlogger.track(range(2), "epochs"):
        for number in flexlogger.track(range(4), "train"):
            stat.add({"loss": 0.125})
            stat.log()
            if number == 2:
                stat.flush()
                print("in epoch", epoch)
                pause()
print("all is done")
"""


def test_bars_on_a_terminal_have_the_live_values_and_the_outer_one_stays(tmp_path: object) -> None:
    def shown(lines: list[str], epoch: int) -> bool:
        inner = any(line.startswith("train") and "2/4" in line and "loss 0.125" in line for line in lines)
        outer = any(line.startswith("epochs") and f"{epoch}/2" in line for line in lines)
        return f"in epoch {epoch}" in lines and inner and outer

    with Terminal(CODE % str(tmp_path), columns=100) as terminal:
        for epoch in range(2):
            terminal.until(lambda lines, epoch=epoch: shown(lines, epoch))
            terminal.go()
        assert terminal.finish() == 0
    last = [line for line in terminal.everything if line.strip()]
    assert last[-1] == "all is done"
    assert [line for line in last if line.startswith("train")] == []
    (bar,) = [line for line in last if line.startswith("epochs")]
    assert "100% ▕████████████████████▏ 2/2" in bar
    assert "loss 0.125" in bar
