"""Which steps are collected, with time passed in."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from flexlogger.errors import ValueRefusedError
from flexlogger.model.names import parse_share
from flexlogger.model.schedule import FIRST_GAP, PAUSE, Budget, Every, schedule


def run(due: Every | Budget, steps: int, length: float, own: float, hidden: float = 0.0) -> list[int]:
    """The steps collected of a training whose steps take `length`, and `own` + `hidden` more when collected."""
    collected, following = [], 0
    for step in range(steps):
        this = step == following or step > following
        if this:
            collected.append(step)
        if step:
            due.cost.ended(length + (own + hidden if this else 0.0), own if this else None)
        following = due.next(step, this)
    return collected


def test_every_kth_step() -> None:
    assert run(Every(4), 14, 1.0, 0.1) == [0, 4, 8, 12]
    assert run(Every(1), 3, 1.0, 0.1) == [0, 1, 2]


@pytest.mark.parametrize("own", [1e-5, 1e-3, 0.01, 0.3, 3.0])
@pytest.mark.parametrize("hidden", [0.0, 0.5])
@pytest.mark.parametrize("share", [0.01, 0.05])
def test_a_budget_is_held_whatever_a_collected_step_costs(own: float, hidden: float, share: float) -> None:
    budget = Budget(share)
    steps = 20_000
    collected = run(budget, steps, 1.0, own, own * hidden)
    spent = len(collected) * own * (1 + hidden) / steps
    assert spent <= share * 1.1 + 3 * own * (1 + hidden) / steps
    if own * (1 + hidden) > share:
        assert spent >= share * 0.8
    assert budget.cost.share == pytest.approx(spent, rel=0.1, abs=0.001)


def test_the_first_two_steps_of_a_budget_are_fixed_so_that_all_ranks_agree() -> None:
    assert run(Budget("1%"), 6, 1.0, 0.5) == [0, FIRST_GAP]


def test_a_broken_rank_collects_ever_less_often_and_only_its_due_steps_tell() -> None:
    budget, step, due = Budget("1%"), 0, []
    for _ in range(100):
        due.append(step)
        following = budget.next(step, due=True, broken=True)
        assert budget.next(step + 1, due=False, broken=True) == following, (
            "a step that was logged though it was not due"
        )
        step = following
    assert due[:5] == [0, 5, 15, 35, 75]
    assert due[-1] - due[-2] == 1_000_000


def test_a_budget_follows_steps_that_become_faster() -> None:
    budget = Budget(0.01)
    first = run(budget, 2000, 1.0, 0.1)
    slow = first[-1] - first[-2]
    again = run(budget, 2000, 0.1, 0.1)
    assert again[-1] - again[-2] > 5 * slow


def test_pauses_between_steps_are_no_time_to_spend_a_share_of() -> None:
    budget, collected, following, step = Budget(0.01), 0, 0, 0
    for _ in range(8):
        for at in range(400):
            due = step >= following
            pause = 300.0 if at == 0 else 0.0  # an evaluation that takes nearly as long as the steps between two
            cost = 2.5 if due else 0.0  # of which 1.5 are seen by our own code
            if step:
                budget.cost.ended(1.0 + cost + pause, 1.5 if due else None)
            following = budget.next(step, due)
            collected, step = collected + due, step + 1
    assert collected * 2.5 / step == pytest.approx(0.01, rel=0.15)
    assert budget.cost.share == pytest.approx(0.01, rel=0.15)


@pytest.mark.parametrize("make", [lambda: Every(1), lambda: Every(2), lambda: Budget(0.01)])
def test_a_pause_behind_the_first_steps_is_told_from_them_later(make: Callable[[], Every | Budget]) -> None:
    due, following = make(), 0
    for step in range(50):
        collected = step >= following
        if step:
            due.cost.ended(500.0 if step == 2 else 1.0, 0.01 if collected else None)
        following = due.next(step, collected)
    assert due.cost.elapsed <= 48 + PAUSE + 0.1


def test_costs_that_differ_are_counted_by_what_they_add_up_to() -> None:
    cost = Budget(0.01).cost
    for step in range(600):
        length = 1.0 if step % 10 else (5.0 if step % 30 == 0 else 1.5)  # two in three are cheap
        cost.ended(length, None if step % 10 else 0.1)
    assert cost.share == pytest.approx((4.0 + 0.5 + 0.5) / 30, rel=0.2)


def test_our_own_time_counts_once_however_it_differs() -> None:
    cost = Every(10).cost
    for step in range(600):
        own = None if step % 10 else (1.0 if step % 30 == 0 else 0.1)  # two in three are cheap
        cost.ended(1.0 + (own or 0.0), own)
    assert cost.share == pytest.approx((1.0 + 0.1 + 0.1) / 30, rel=0.05)


def test_a_collected_step_that_takes_as_long_as_a_pause_is_counted_whole() -> None:
    budget = Budget(0.01)
    collected = run(budget, 20_000, 1.0, own=15.0, hidden=8.0)
    assert len(collected) * 23.0 / 20_000 == pytest.approx(0.01, rel=0.15)


def test_steps_that_become_much_longer_are_no_pauses_for_long() -> None:
    cost = Budget(0.01).cost
    for length in (1.0, 10_000.0):
        for _ in range(100):
            cost.ended(length, None)
    assert cost.step == 10_000.0
    assert cost.elapsed > 0.7 * 100 * 10_000


def test_a_busy_while_says_nothing_about_the_steps_before() -> None:
    every = Every(2)
    run(every, 2000, 1.0, 0.01)
    run(every, 80, 1.0, 1.0)
    spent = 1000 * 0.01 + 40 * 1.0
    assert every.cost.share == pytest.approx(spent / 2080, rel=0.3)


@pytest.mark.parametrize("hidden", [0.0, 1.0])
def test_a_budget_is_held_on_a_machine_whose_mood_changes(hidden: float) -> None:
    """Steps that differ by 17 % over a while and by 9 % from one to the next; a share of 1 % is asked for."""
    spent = bare = 0.0
    for seed in range(20):
        chance, budget, mood, due = random.Random(seed), Budget(0.01), 0.0, 0
        for step in range(1000):
            mood = 0.97 * mood + chance.gauss(0, 0.17 * math.sqrt(1 - 0.97**2))
            length, own = math.exp(mood + chance.gauss(0, 0.09)), 0.08 * math.exp(mood) * (step == due)
            spent, bare = spent + own * (1 + hidden), bare + length
            budget.cost.ended(length + own * (1 + hidden), own or None)
            due = budget.next(step, step == due)
    assert spent / bare == pytest.approx(0.01, rel=0.15 if not hidden else 0.3)


def test_what_a_collected_step_leaves_to_the_next_one_counts() -> None:
    cost = Budget(0.01).cost
    for step in range(200):
        cost.ended({0: 1.2, 1: 1.3}.get(step % 10, 1.0), 0.1 if step % 10 == 0 else None)
    assert cost.each == pytest.approx(0.5)
    assert cost.share == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), (" 2.5 % ", 0.025), (0.5, 0.5), ("0.02", 0.02)])
def test_shares_are_read(text: object, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("wrong", [0, 1, "100%", -0.1, True, None, "much", math.nan])
def test_shares_that_are_none_are_refused(wrong: object) -> None:
    with pytest.raises(ValueRefusedError, match="budget: expected a share"):
        parse_share(wrong)


def test_one_of_the_two_at_most() -> None:
    assert schedule(None, None).k == 1
    with pytest.raises(ValueRefusedError):
        schedule(1, 0.5)
