"""What `define_metric` asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.runs.summaries import WAYS, fits, specific

GOALS = ("minimize", "maximize")
AXES = ("step", "time")
"""What the x axis of a window is where it is no metric: these names stand for the run's own step and hours."""


class Rule(msgspec.Struct, frozen=True):
    """What is asked for the metrics that a glob `name` fits."""

    name: str
    summary: tuple[str, ...] = ()
    goal: str | None = None
    step_metric: str | None = None
    hidden: bool = False


class Rules:
    """The rules given so far, one a glob. The closest fit goes first: the name itself, then the longer glob, then the
    later one; as in the run's summary (`flexlogger.runs.summaries`)."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}

    def add(self, rule: Rule) -> None:
        """Take a rule in place of the one before for the same glob."""
        self._rules.pop(rule.name, None)
        self._rules[rule.name] = rule

    def axis(self, name: str) -> str | None:
        """The metric that a metric is drawn over; None for the run's step."""
        found = self._closest(name, lambda rule: rule.step_metric is not None)
        return found.step_metric if found is not None else None

    def ways(self, name: str) -> tuple[str, ...]:
        """What the summary of a metric is to hold; nothing where it is the last value."""
        found = self._closest(name, lambda rule: True)
        return found.summary if found is not None else ()

    def hidden(self, name: str) -> bool:
        """Whether a metric is to have no window."""
        found = self._closest(name, lambda rule: True)
        return found is not None and found.hidden

    def _closest(self, name: str, holds: Callable[[Rule], bool]) -> Rule | None:
        fitting = [rule for rule in self._rules.values() if holds(rule) and fits(rule.name, name)]
        return max(reversed(fitting), key=lambda rule: specific(rule.name, name), default=None)


def checked_rule(name: Any, summary: Any, goal: Any, step_metric: Any, hidden: Any) -> Rule:
    """Check what `define_metric` was given. Raises ValueRefusedError with the nearest word.

    >>> checked_rule("val_*", "min, last", None, "epoch", None)
    Rule(name='val_*', summary=('min', 'last'), goal=None, step_metric='epoch', hidden=False)
    >>> checked_rule("loss", "minimum", None, None, None)
    Traceback (most recent call last):
    flexlogger.errors.ValueRefusedError: define_metric: summary: unknown word 'minimum'; did you mean 'min'?
    """
    for word, text in (("name", name), ("step_metric", step_metric)):
        if not (isinstance(text, str) and text.strip()) and not (text is None and word == "step_metric"):
            raise ValueRefusedError(f"define_metric: {word}: expected a metric's name, but got {text!r}")
    if goal is not None and goal not in GOALS:
        raise ValueRefusedError(f"define_metric: goal: {unknown('word', str(goal), GOALS)}")
    return Rule(name, tuple(_ways(summary)), goal, step_metric, bool(hidden))


def _ways(summary: Any) -> Iterable[str]:
    words = summary.split(",") if isinstance(summary, str) else summary or ()
    for word in words:
        way = str(word).strip()
        if way not in WAYS:
            raise ValueRefusedError(f"define_metric: summary: {unknown('word', way, WAYS)}")
        yield way
