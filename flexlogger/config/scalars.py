"""Plain YAML scalars by the core schema of YAML 1.2, a leading zero making text: `no`, `010`, `12:30` are strings."""

from __future__ import annotations

import re

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)(\.inf|\.Inf|\.INF)|(\.nan|\.NaN|\.NAN)")
_LONGEST_NUMBER = 64
"""Characters. A longer run of digits is no number anybody means, and costs more than linear time to turn into one."""

Scalar = str | int | float | bool | None


def resolve(text: str) -> Scalar:
    """Return what a plain (unquoted) scalar means. Raises ValueError for a number that does not fit 64 bits.

    >>> [resolve(text) for text in ("1e-3", "no", "010", "12:30", "0x1F", "~", "true", "-.inf")]
    [0.001, 'no', '010', '12:30', 31, None, True, -inf]
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text, 10)
    if _OTHER_BASE.fullmatch(text):
        return _integer(text, 0)
    if _FLOAT.fullmatch(text):
        if len(text) > _LONGEST_NUMBER:
            raise ValueError(f"a number of {len(text)} characters is too long")
        return float(text)
    special = _SPECIAL.fullmatch(text)
    if special:
        return float("nan") if special[3] else float(f"{special[1]}inf")
    return text


def _integer(text: str, base: int) -> int:
    value = int(text, base) if len(text) <= _LONGEST_NUMBER else 2**64
    if not fits_64_bits(value):
        raise ValueError("an integer must fit 64 bits; quote it to make it text")
    return value


def fits_64_bits(value: int) -> bool:
    """Whether every reader of a run log can hold the integer."""
    return -(2**63) <= value < 2**63
