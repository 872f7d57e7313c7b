"""The summary of a run, as its script reads and sets it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from flexlogger.config.hyper import plain_data
from flexlogger.errors import UnknownNameError, ValueRefusedError, unknown
from flexlogger.records import Item
from flexlogger.runs import summaries
from flexlogger.runs.card import read_card
from flexlogger.runs.format import Resume
from flexlogger.runs.tail import Tail
from flexlogger.session import Run
from flexlogger.sinks.view import View
from flexlogger.tracking.cycles import refuse_cycle
from flexlogger.tracking.metrics import Rules

LOG_S = 1.0
"""The longest that reading waits for the log: a disk that refuses must not stop who reads."""
VIEW_S = 60.0
"""The longest that reading waits for what is in the log to be summed up."""


class SummarySink:
    """The view that a script's own summary is read from: it sees what the run's card is made from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._summary = summaries.Summary()

    def write(self, batch: Sequence[Item]) -> None:
        """Take items in log order."""
        with self._lock:
            self._summary.write(batch)

    def flush(self) -> None:
        """Everything written is there to be read."""

    def close(self) -> None:
        """Nothing is held open; it can be read on."""

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as of what was written."""
        with self._lock:
            return self._summary.as_dict()


class Known:
    """What is known of a run's values: the last ones this process logged, and what a view of its log has seen.

    The view is opened when it is first wanted; it begins with all that is in the log, so that costs nobody anything
    who does not ask. Without a log there is nothing to begin with, and it is opened at once. `settle` sends off what
    is about to be logged.
    """

    def __init__(self, run: Run, rules: Rules, settle: Callable[[], None]) -> None:
        self.newest: dict[str, float | torch.Tensor] = {}
        """The last number logged by name; on its device where it came from one."""
        self._run = run
        self._rules = rules
        self._settle = settle
        self._sink = SummarySink()
        self._view: View | None = None
        if run.pipe.status()["log"] is None:
            self._open(None)

    def last(self, name: str) -> float | None:
        """The last number, where it is what the summary of this name holds. Waits for a device."""
        if name not in self.newest or self._rules.ways(name):
            return None
        value = self.newest[name]
        return float(value.item()) if isinstance(value, torch.Tensor) else value

    def forget(self, name: str) -> None:
        """Let `last` know nothing of a name until it is logged again."""
        self.newest.pop(name, None)

    def all(self) -> dict[str, Any]:
        """The summary as the run's card has it, with all that was sent to the log so far; waits for that."""
        if self._run.closed and (card := read_card(self._run.folder)) is not None:
            return card.summary
        if self._view is None:
            self._open(self._others())
        assert self._view is not None
        self._settle()
        self._run.pipe.flush(LOG_S)
        self._view.flush(VIEW_S)
        return self._sink.as_dict()

    def _others(self) -> Tail:
        """What other processes logged, but for what this one hides as it takes the run up again."""
        step = self._run.identity.resume_step
        resume = Resume(step, self._run.started) if step is not None else None
        return Tail(self._run.folder, skip=Path(self._run.pipe.status()["log"]), resume=resume)

    def _open(self, tail: Tail | None) -> None:
        self._view = View(self._sink, "summary", tail=tail)
        self._run.pipe.add_view(self._view)


class Summary(Mapping[str, Any]):
    """One value a name: what was set by hand, else the last logged one, or what `define_metric` asked for.

    Entries are attributes too. Reading what was set here, or a last value, looks it up; anything else waits a few
    milliseconds for the log's worker, and never for a dashboard. `record` is called with what is set and deleted.

    Raises UnknownNameError (AttributeError for an attribute) for a name that is not there, with the nearest one.
    """

    _known: Known
    _record: Callable[[Mapping[str, Any]], None]
    _own: dict[str, Any]
    _frozen: str

    def __init__(self, known: Known, record: Callable[[Mapping[str, Any]], None]) -> None:
        vars(self).update(_known=known, _record=record, _own={}, _frozen="")

    def __getitem__(self, name: str) -> Any:
        if name in self._own:
            return self._own[name]
        last = self._known.last(name)
        if last is not None:
            return last
        found = self.as_dict()
        if name not in found:
            raise UnknownNameError(f"summary: {unknown('entry', str(name), found)}")
        return found[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle ask for their own
            raise AttributeError(name)
        try:
            return self[name]
        except UnknownNameError as error:
            raise AttributeError(str(error)) from None

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise ValueRefusedError(f"summary.{name} is something of its own; write summary[{name!r}] = …")
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        self._refuse_frozen()
        if name not in self:
            raise UnknownNameError(f"summary: {unknown('entry', str(name), self)}")
        self._own.pop(name, None)
        self._known.forget(name)
        self._record({"delete": [name]})

    def __iter__(self) -> Iterator[str]:
        return iter(self.as_dict())

    def __len__(self) -> int:
        return len(self.as_dict())

    def __repr__(self) -> str:
        return repr(self.as_dict())

    def update(self, values: Mapping[str, Any]) -> None:
        """Set several entries: numbers, strings, lists and dicts of them; 0-d tensors are read.

        Raises ValueRefusedError for anything but a mapping of names, and once the run is finished.
        """
        self._refuse_frozen()
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise ValueRefusedError(f"summary: expected a dict of names and values, but got {values!r}")
        for name, value in values.items():
            refuse_cycle(f"summary: {name}", value)
        plain = {name: plain_data(_on_host(value)) for name, value in values.items()}
        self._own.update(plain)
        if plain:
            self._record({"set": plain})

    def as_dict(self) -> dict[str, Any]:
        """Return every entry."""
        return {**self._known.all(), **self._own}

    def freeze(self, why: str) -> None:
        """Refuse changes from now on, saying why."""
        vars(self)["_frozen"] = why

    def _refuse_frozen(self) -> None:
        if self._frozen:
            raise ValueRefusedError(f"summary: {self._frozen}")


def _on_host(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy() if value.ndim else value.item()
    if isinstance(value, Mapping):
        return {key: _on_host(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_on_host(entry) for entry in value]
    return value
