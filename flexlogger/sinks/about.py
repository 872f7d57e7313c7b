"""What a run is, in the forms that trackers have places for; and what of it they were sent before."""

from __future__ import annotations

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
    """How far a tracker elsewhere has been sent the run's values, by the times in the log, kept in `file`.

    A run that is taken up again is read from its beginning; what such a tracker has already, it is not sent again.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.before = _time_in(file)
        """What is no later than this was sent in an earlier life of the run."""
        self._until = self._kept = self.before

    def note(self, time: float) -> None:
        """Something of this time was sent."""
        self._until = max(self._until, time)

    def keep(self) -> None:
        """Write down how far it is; a disk that refuses costs no more than values that are sent twice."""
        if self._until > self._kept and self._file.parent.is_dir():
            try:
                write_whole(self._file, msgspec.json.encode({"until": self._until}))
            except OSError:
                return
            self._kept = self._until


def _time_in(file: Path) -> float:
    try:
        return float(msgspec.json.decode(file.read_bytes())["until"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
