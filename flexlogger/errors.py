"""Every error a user can meet, drawn once.

FlexLoggerError
├── ConfigError          a dashboard declaration is wrong (also a ValueError); lists every problem with its place
├── UnknownNameError     a meter, plot or preset nobody declared (also a KeyError)
├── ValueRefusedError    a call was given a value it cannot take, such as a step that is NaN (also a ValueError)
├── MissingExtraError    an optional library is not installed (also an ImportError); names the pip line
├── RunLogError          a run log cannot be opened or written
├── RanksError           the ranks of a training did not meet; names those that were missing
├── WireError            what came over a socket is not what was agreed
├── ArtifactError        an artifact cannot be stored, or what is stored is damaged
├── NonFiniteError       a model's numbers are no longer finite, and training was to stop then (also an ArithmeticError)
└── SinkError            a view cannot take its batch now
    └── ServerError      the dashboard server refused, is away or is not one
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import msgspec


class FlexLoggerError(Exception):
    """Base of all errors raised by flexlogger."""


class Place(msgspec.Struct, frozen=True):
    """Where a value of a declaration stands: file (or ``<dict>``), line and column from 1 (0 = unknown)."""

    file: str = "<dict>"
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a declaration: where, the key path (``meters.train_loss.type``), and what."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.path + ': ' if self.path else ''}{self.message}"


class ConfigError(FlexLoggerError, ValueError):
    """A dashboard declaration is wrong. ``problems`` holds all of them, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownNameError(FlexLoggerError, KeyError):
    """A name nobody declared."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""


class ValueRefusedError(FlexLoggerError, ValueError):
    """A value that a call cannot take."""


class MissingExtraError(FlexLoggerError, ImportError):
    """An optional library is not installed."""

    def __init__(self, wanted_by: str, library: str, extra: str) -> None:
        super().__init__(
            f"{wanted_by} needs {library}, which is not installed; install it with: pip install 'flexlogger[{extra}]'"
        )


class RunLogError(FlexLoggerError):
    """A run log cannot be opened, read or written."""


class RanksError(FlexLoggerError):
    """The ranks of a training did not meet where they have to."""


class ArtifactError(FlexLoggerError):
    """An artifact cannot be stored, or what is stored of it is gone or damaged."""


class NonFiniteError(FlexLoggerError, ArithmeticError):
    """A model's numbers are no longer finite; raised only where it was asked for."""


class WireError(FlexLoggerError):
    """What came over a socket is damaged, of another version, or nothing of ours."""


class SinkError(FlexLoggerError):
    """A view cannot take its batch now; it is offered again after a pause."""


class ServerError(SinkError):
    """The dashboard server refused the request, is away, or is no visdom server."""


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate most like `name`, or None where nothing is close (case is ignored).

    A slip of a letter or two comes first, then a name that `name` abbreviates, then whatever is similar.

    >>> nearest("AvgMeter", ["APMeter", "AverageValueMeter", "MSEMeter"])
    'AverageValueMeter'
    >>> nearest("APMetr", ["APMeter", "AverageValueMeter", "mAPMeter"])
    'APMeter'
    >>> nearest("xyzzy", ["loss", "acc"]) is None
    True
    """
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    wanted = name.casefold()
    slips = difflib.get_close_matches(wanted, by_folded, n=1, cutoff=0.85)
    longer = sorted((c for c in by_folded if _abbreviates(wanted, c)), key=len)
    similar = difflib.get_close_matches(wanted, by_folded, n=1, cutoff=0.55)
    close = [*slips, *longer, *similar]
    return by_folded[close[0]] if close else None


def _abbreviates(short: str, long: str) -> bool:
    """True where the letters of `short` stand in `long` in the same order, from its first letter on."""
    letters = iter(long)
    return len(short) >= 3 and short[0] == long[:1] and all(letter in letters for letter in short)


def unknown(kind: str, name: str, candidates: Iterable[str]) -> str:
    """The repair note for a name nobody declared: what came, the nearest valid name, or all valid ones.

    >>> unknown("meter", "AvgMeter", ["AverageValueMeter", "MSEMeter"])
    "unknown meter 'AvgMeter'; did you mean 'AverageValueMeter'?"
    >>> unknown("plot", "xyzzy", ["loss", "acc"])
    "unknown plot 'xyzzy'; expected one of: acc, loss"
    """
    names = sorted(candidates)
    close = nearest(name, names)
    if close is not None:
        return f"unknown {kind} {name!r}; did you mean {close!r}?"
    return f"unknown {kind} {name!r}; " + (f"expected one of: {', '.join(names)}" if names else "there are none")
