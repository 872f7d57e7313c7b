"""What the catalogs of meters and plots say about an option, and the one check of options against them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from flexlogger.errors import unknown


class Option(msgspec.Struct, frozen=True):
    """One option of a meter or a plot: what may stand under its name in `opts`.

    `types` are JSON Schema words: string, integer, number, boolean, array, object, null. `default` is what holds where
    the option is not given. `choices`, where not empty, are the only values. `items` are the words for the entries of
    an array, `minimum` and `maximum` the least and largest number (of an array: of its entries).

    >>> Option("k", ("integer",), "number of classes", required=True, minimum=2).required
    True
    """

    name: str
    types: tuple[str, ...]
    doc: str
    default: Any = None
    choices: tuple[Any, ...] = ()
    required: bool = False
    items: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


_IS: dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list | tuple),
    "object": lambda value: isinstance(value, Mapping),
    "null": lambda value: value is None,
}

_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a finite number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


_PLURALS = {
    "string": "strings",
    "integer": "integers",
    "number": "finite numbers",
    "boolean": "true or false",
    "array": "lists",
    "object": "mappings",
    "null": "nulls",
}


def describe(value: object) -> str:
    """Say what came, short enough for one line.

    >>> describe("no"), describe(None), describe([1, 2])
    ("'no'", 'null', 'a list')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, int) and value.bit_length() > 64:
        return "an integer beyond 64 bits"
    if isinstance(value, str | int | float):
        text = repr(value)
        return text if len(text) <= 60 else text[:57] + "…" + text[-1]
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def words(types: Iterable[str]) -> str:
    """Name JSON Schema types in plain English.

    >>> words(("integer", "null"))
    'an integer or null'
    """
    return " or ".join(_WORDS[word] for word in types)


def fits(types: Iterable[str], value: object) -> bool:
    """Whether `value` is of one of the JSON Schema `types` (true is no integer, NaN is no number)."""
    return any(_IS[word](value) for word in types)


def check_opts(options: Iterable[Option], opts: Mapping[str, Any], kind: str = "option") -> list[tuple[str, str]]:
    """Check `opts` against their `options`; return (key, message) for each thing wrong, in the order of `opts`.

    Keys that are missing come last. Messages call a key a `kind`.

    >>> size = Option("k", ("integer",), "number of classes", required=True, minimum=2)
    >>> check_opts([size], {"kk": 3})
    [('kk', "unknown option 'kk'; did you mean 'k'?"), ('k', "missing option 'k': number of classes")]
    >>> check_opts([size], {"k": 1})
    [('k', 'expected an integer of at least 2, but got 1')]
    """
    known = {option.name: option for option in options}
    found: list[tuple[str, str]] = []
    for key, value in opts.items():
        option = known.get(key)
        message = unknown(kind, str(key), known) if option is None else _wrong(option, value)
        if message is not None:
            found.append((key, message))
    missing = (o for o in known.values() if o.required and o.name not in opts)
    return found + [(o.name, f"missing {kind} {o.name!r}: {o.doc}") for o in missing]


def _wrong(option: Option, value: Any) -> str | None:
    listed = isinstance(value, list | tuple)
    entries = list(value) if listed else [value]
    expected = _expected(option)
    chosen = not option.choices or all(_chosen(option, entry) for entry in entries)
    if not (chosen and fits(option.types, value)):
        return f"expected {expected}, but got {describe(value)}"
    for index, entry in enumerate(entries if listed and option.items else ()):
        if not fits(option.items, entry):
            return f"expected {expected}, but entry {index} is {describe(entry)}"
    low = -math.inf if option.minimum is None else option.minimum
    high = math.inf if option.maximum is None else option.maximum
    for entry in entries:
        if _is_number(entry) and not low <= entry <= high:
            return f"expected {expected}, but got {describe(entry)}"
    return None


def _chosen(option: Option, entry: object) -> bool:
    if entry is None and "null" in option.types:
        return True
    return any(isinstance(entry, type(choice)) and entry == choice for choice in option.choices)


def _expected(option: Option) -> str:
    if option.choices:
        names = ", ".join(str(choice) for choice in option.choices)
        return f"a list of {names}" if option.types == ("array",) else f"one of {names}"
    plural = " or ".join(_PLURALS[word] for word in option.items)
    text = " or ".join(f"a list of {plural}" if word == "array" and plural else _WORDS[word] for word in option.types)
    bounds = [("at least", option.minimum), ("at most", option.maximum)]
    limits = " and ".join(f"{side} {bound:g}" for side, bound in bounds if bound is not None)
    return f"{text} of {limits}" if limits else text
