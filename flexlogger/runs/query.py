"""Filters over runs: `config.lr<1e-3`, `summary.val_loss.min<=0.2`, `name~resnet*`, `status!=crashed`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from flexlogger.errors import UnknownNameError, ValueRefusedError, nearest

_FORM = re.compile(r"\s*(?P<path>[^=!<>~]+?)\s*(?P<operator>!=|<=|>=|==|=|<|>|~)\s*(?P<wanted>.*?)\s*", re.S)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_SHOWN = 12  # names that an error lists


class Missing:
    """What `lookup` returns where a run has no such key."""


MISSING = Missing()


class Filter(msgspec.Struct, frozen=True):
    """One comparison: the value at a dotted `path`, an `operator` of = != < <= > >= ~, and what is `wanted`.

    Numbers compare as numbers, `true` and `false` as booleans, all else as text; `~` matches the text against a glob
    (`*`, `?`, `[abc]`, case counts). A list, such as the tags, matches where one of its entries does, and `!=` where
    none is equal. A run that lacks the key matches nothing.
    """

    text: str
    path: str
    operator: str
    wanted: str

    def matches(self, facts: Mapping[str, Any]) -> bool:
        """Whether a run with these facts passes.

        >>> facts = {"config": {"lr": 0.0005, "optimizer": {"name": "adam"}}, "tags": ["demo", "cnn"]}
        >>> [parse(text).matches(facts) for text in ("config.lr<1e-3", "config.optimizer.name~ad*", "tags=demo")]
        [True, True, True]
        """
        found = lookup(facts, self.path)
        if found is MISSING or isinstance(found, Mapping):
            return False
        entries = found if isinstance(found, (list, tuple)) else [found]
        if self.operator == "!=":
            return not any(_equal(entry, self.wanted) for entry in entries)
        return any(self._holds(entry) for entry in entries)

    def _holds(self, value: Any) -> bool:
        if self.operator == "=":
            return _equal(value, self.wanted)
        if self.operator == "~":
            return fnmatchcase(_text(value), self.wanted)
        here, there = number(value), number(self.wanted)
        if here is not None and there is not None:
            return _ordered(self.operator, here, there)
        return isinstance(value, str) and there is None and _ordered(self.operator, value, self.wanted)


def parse(text: str) -> Filter:
    """Read a filter. Raises ValueRefusedError where it is none.

    >>> parse("config.lr < 1e-3").path
    'config.lr'
    >>> parse("config.lr")
    Traceback (most recent call last):
    flexlogger.errors.ValueRefusedError: filter 'config.lr': expected KEY, one of = != < <= > >= ~, and a value, ...
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueRefusedError(
            f"filter {text!r}: expected KEY, one of = != < <= > >= ~, and a value, such as config.lr<1e-3"
        )
    operator = "=" if form["operator"] == "==" else form["operator"]
    return Filter(text, form["path"], operator, _unquoted(form["wanted"]))


def check(filters: Sequence[Filter], facts: Sequence[Mapping[str, Any]]) -> None:
    """Refuse filters that cannot match by mistake: of a key that no run has, or a number compared with a word.

    Raises UnknownNameError with the nearest key, or ValueRefusedError.
    """
    for filter in filters:
        known_key(filter.path, facts, f"filter {filter.text!r}")
        found = [value for value in (lookup(each, filter.path) for each in facts) if value is not MISSING]
        ordered = filter.operator in ("<", "<=", ">", ">=")
        if ordered and found and number(filter.wanted) is None and all(number(value) is not None for value in found):
            raise ValueRefusedError(
                f"filter {filter.text!r}: {filter.path} is a number; expected one after {filter.operator}, "
                f"got {filter.wanted!r}"
            )


def known_key(path: str, facts: Sequence[Mapping[str, Any]], where: str) -> None:
    """Raise UnknownNameError, with the nearest key, where none of the runs has this one; without runs all are fine."""
    if not facts or any(lookup(each, path) is not MISSING for each in facts):
        return
    names = sorted({key for each in facts for key in keys(each)})
    same_end = [name for name in names if name.endswith(f".{path}")]
    close = same_end[0] if same_end else nearest(path, names)
    if close is not None:
        raise UnknownNameError(f"{where}: no run has the key {path!r}; did you mean {close!r}?")
    more = ", …" if len(names) > _SHOWN else ""
    raise UnknownNameError(f"{where}: no run has the key {path!r}; there are {', '.join(names[:_SHOWN])}{more}")


def lookup(facts: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, or MISSING. Names with dots of their own are found, and a mapping of one
    number stands for it, so that `summary.loss` is also what a rule has made `summary.loss.min`.

    >>> lookup({"summary": {"a.b": {"min": 2.0}}}, "summary.a.b")
    2.0
    """
    found = _descend(facts, path)
    if isinstance(found, Mapping) and len(found) == 1:
        (only,) = found.values()
        return found if isinstance(only, (Mapping, list)) else only
    return found


def _descend(facts: Mapping[str, Any], path: str) -> Any:
    if path in facts:
        return facts[path]
    for end, letter in enumerate(path):
        if letter == "." and isinstance(below := facts.get(path[:end]), Mapping):
            found = _descend(below, path[end + 1 :])
            if found is not MISSING:
                return found
    return MISSING


def keys(facts: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all values.

    >>> list(keys({"id": "r", "config": {"lr": 1, "net": {"depth": 2}}}))
    ['id', 'config.lr', 'config.net.depth']
    """
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def order(facts: Iterable[Mapping[str, Any]], key: str) -> list[int]:
    """Return the places of the runs in ascending order of a key, or descending for `-key`; those without come last.

    Numbers come before text.

    >>> order([{"n": 2}, {}, {"n": 1}], "n"), order([{"n": 2}, {}, {"n": 1}], "-n")
    ([2, 0, 1], [0, 2, 1])
    """
    path = key.removeprefix("-")
    values = [lookup(each, path) for each in facts]
    there = [place for place, value in enumerate(values) if value is not MISSING and _rank(value) is not None]
    there.sort(key=lambda place: _rank(values[place]) or (), reverse=key.startswith("-"))
    placed = set(there)
    return there + [place for place in range(len(values)) if place not in placed]


def _rank(value: Any) -> tuple[int, float, str] | None:
    amount = number(value)
    if amount is not None:
        return None if math.isnan(amount) else (0, amount, "")
    return None if value is None else (1, 0.0, _text(value))


def number(value: Any) -> float | None:
    """Return what counts as a number, also the strings that stand for non-finite ones, or None.

    >>> number("1e-3"), number("Infinity"), number(True), number("adam")
    (0.001, inf, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _equal(value: Any, wanted: str) -> bool:
    here, there = number(value), number(wanted)
    if here is not None and there is not None:
        return here == there or (math.isnan(here) and math.isnan(there))
    if isinstance(value, bool) or value is None:
        return _WORDS.get(wanted.casefold(), MISSING) is value
    return _text(value) == wanted


def _ordered(operator: str, here: Any, there: Any) -> bool:
    if operator == "<":
        return bool(here < there)
    if operator == "<=":
        return bool(here <= there)
    return bool(here > there) if operator == ">" else bool(here >= there)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _unquoted(wanted: str) -> str:
    quoted = len(wanted) >= 2 and wanted[0] == wanted[-1] and wanted[0] in "'\""
    return wanted[1:-1] if quoted else wanted
