"""What a run is, in the forms that trackers have places for; and what of it they were sent before."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from flexlogger.runs.files import write_whole


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    """Nested hyper-parameters under dotted names; what is neither a number nor a text is as JSON has it.

    >>> flat({"lr": 0.1, "net": {"sizes": [8, 16]}})
    {'lr': 0.1, 'net.sizes': '[8,16]'}
    """
    found: dict[str, bool | int | float | str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value if isinstance(value, bool | int | float) else as_text(value)
    return found


def as_text(value: Any) -> str:
    """A string as it is, anything else of plain data as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class Sent:
    """How far the tracker at `place` has been sent the run's values, by the times in the log, kept in `file`.

    A run that is taken up again is read from its beginning; what such a tracker has already, it is not sent again.
    `place` is written as it is, so it must hold no password.
    """

    def __init__(self, file: Path, place: str) -> None:
        self._file = file
        self._place = place
        self.before = _times_in(file).get(place, 0.0)
        """What is no later than this was sent in an earlier life of the run."""
        self._until = self._kept = self.before

    def note(self, time: float) -> None:
        """Something of this time was sent."""
        self._until = max(self._until, time)

    def keep(self) -> None:
        """Write down how far it is; a disk that refuses costs no more than values that are sent twice."""
        if self._until > self._kept and self._file.parent.is_dir():
            try:
                with _one_at_a_time:
                    write_whole(self._file, msgspec.json.encode(_times_in(self._file) | {self._place: self._until}))
            except OSError:
                return
            self._kept = self._until


_one_at_a_time = threading.Lock()
"""Sinks of several places share a file."""


def _times_in(file: Path) -> dict[str, float]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, float])
    except (OSError, msgspec.DecodeError):
        return {}
