"""States as bytes and back: MessagePack for the structure, arrays as they are in memory. Nothing but data is decoded.

A message is a list of frames. The first is MessagePack; its extension types, whose payload is MessagePack again:

    1  array      [descr, shape, frame]    numpy's dtype descr; bytes in C order, little-endian, in frame number `frame`
    2  datetime   ISO 8601 text            with its offset, where it has one
    3  integer    decimal text             beyond 64 bits
    4  complex    [real, imaginary]
    5  date       ISO 8601 text
    6  timedelta  [days, seconds, microseconds]

numpy is imported with the first array: it takes longer than all else that a process which only watches has to import.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from flexlogger.errors import WireError
from flexlogger.net.tags import Frame

MAX_DEPTH = 100
"""Dicts and lists inside one another."""
_PLAIN = frozenset({float, str, bool, type(None), bytes})
_NUMBERS = frozenset({float, bool, int})
_INT64 = (-(2**63), 2**64 - 1)
EXTENSIONS = range(1, 7)
_ARRAY, _DATETIME, _INTEGER, _COMPLEX, _DATE, _TIMEDELTA = EXTENSIONS
pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


# ---- encoding


def encode(value: Any) -> list[Frame]:
    """Encode a state: dicts and lists of numbers, strings, bytes, None, datetimes, numpy arrays and torch tensors.

    What is encoded is a copy: later changes of an array do not show. Tuples become lists, numpy's numbers Python's, its
    times and records arrays without dimensions, tensors arrays (bfloat16 becomes float32, and a tensor on a device is
    waited for).

    Raises TypeError that names the place of anything else: `state['losses'][3]: expected …`.

    >>> decode(encode({"epoch": 3, "losses": [0.5, 0.25]}))
    {'epoch': 3, 'losses': [0.5, 0.25]}
    >>> encode({"losses": [0.5, {1, 2}]})
    Traceback (most recent call last):
    TypeError: state['losses'][1]: expected data (numbers, text, bytes, datetimes, arrays, dicts, lists), got set
    """
    frames: list[Frame] = [b""]
    plain = _plain(value, "state", frames, 0)
    try:
        frames[0] = pack(plain)
    except UnicodeEncodeError:
        raise TypeError(f"{_not_utf8(plain, 'state')}: expected text that can be encoded as UTF-8") from None
    return frames


def _plain(value: Any, path: str, frames: list[Frame], depth: int) -> Any:
    """Return what msgspec packs as we mean it; arrays go into frames of their own."""
    if value.__class__ in _PLAIN or (value.__class__ is int and _INT64[0] <= value <= _INT64[1]):
        return value
    if isinstance(value, (Mapping, list, tuple)):
        if depth >= MAX_DEPTH:
            raise TypeError(f"{path}: expected at most {MAX_DEPTH} dicts and lists inside one another; is it a cycle?")
        return _container(value, path, frames, depth + 1)
    if _of_numpy(value):
        from flexlogger.monitor import arrays

        number = arrays.number(value)
        return _array(value, path, frames) if number is None else _plain(number, path, frames, depth)
    for kinds, convert in _CONVERT:
        if isinstance(value, kinds):
            try:
                return convert(value)
            except TypeError as error:
                raise TypeError(f"{path}: {error}") from None
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        from flexlogger.monitor import arrays

        return _array(arrays.of_tensor(value, path), path, frames)
    raise TypeError(
        f"{path}: expected data (numbers, text, bytes, datetimes, arrays, dicts, lists), got {type(value).__name__}"
    )


def _of_numpy(value: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")  # no value is numpy's before it is imported; another thread may be at it
    return hasattr(numpy, "generic") and isinstance(value, (numpy.ndarray, numpy.generic))


def _container(value: Any, path: str, frames: list[Frame], depth: int) -> Any:
    if not isinstance(value, Mapping):
        if _all_plain(value):
            return value
        return [_plain(item, f"{path}[{index}]", frames, depth) for index, item in enumerate(value)]
    plain = {}
    for key, item in value.items():
        plain[_key(key, path)] = _plain(item, f"{path}[{key!r}]", frames, depth)
    if len(plain) != len(value):
        raise TypeError(f"{path}: expected keys that differ, but some are the same as numbers of 64 bits")
    return plain


def _key(key: Any, path: str) -> Any:
    if key.__class__ is str or key is None:
        return key
    own = key
    if _of_numpy(key):
        from flexlogger.monitor import arrays

        own = arrays.number(key)
    for kinds, convert in _CONVERT_KEYS:
        if isinstance(own, kinds):
            own = convert(own)
            if own.__class__ is int and not _INT64[0] <= own <= _INT64[1]:
                raise TypeError(f"{path}: expected keys of at most 64 bits, got {own}")
            return own
    raise TypeError(f"{path}: expected keys that are text or numbers, got {type(key).__name__}")


def _all_plain(items: Sequence[Any]) -> bool:
    """True where msgspec packs a list as we mean it: of losses, say, where looking at each would take longer."""
    kinds = set(map(type, items))
    return kinds <= _PLAIN or (kinds <= _NUMBERS and _INT64[0] <= min(items) and max(items) <= _INT64[1])


def _integer(value: int) -> Any:
    own = int(value)
    if _INT64[0] <= own <= _INT64[1]:
        return own
    try:
        return _ext(_INTEGER, str(own))
    except ValueError:
        raise TypeError("expected an integer of at most 4,300 digits") from None


def _datetime(value: datetime.datetime) -> Any:
    if value != value:
        raise TypeError("expected a moment, got NaT")
    return _ext(_DATETIME, value.isoformat())


def _ext(code: int, content: Any) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, pack(content))


_CONVERT_KEYS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bool, bool),
    (int, int),
    (float, float),
    (str, str.__str__),  # `str` would give the name of a member of an enumeration, not its text
)
_CONVERT: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bool, bool),
    (int, _integer),
    *_CONVERT_KEYS[2:],
    ((bytes, bytearray, memoryview), bytes),
    (complex, lambda value: _ext(_COMPLEX, [float(value.real), float(value.imag)])),
    (datetime.datetime, _datetime),
    (datetime.date, lambda value: _ext(_DATE, value.isoformat())),
    (datetime.timedelta, lambda value: _ext(_TIMEDELTA, [value.days, value.seconds, value.microseconds])),
)


def _not_utf8(plain: Any, path: str) -> str | None:
    """Where in what msgspec packs there is text with a lone surrogate, as in a file's name that is no UTF-8."""
    if isinstance(plain, str):
        return path if not plain.isascii() and plain != plain.encode("utf-8", "ignore").decode() else None
    if isinstance(plain, dict):
        inner = [pair for key, item in plain.items() for pair in ((key, path), (item, f"{path}[{key!r}]"))]
    elif isinstance(plain, (list, tuple)):
        inner = [(item, f"{path}[{index}]") for index, item in enumerate(plain)]
    else:
        return None
    return next((found for item, place in inner if (found := _not_utf8(item, place)) is not None), None)


def _array(value: Any, path: str, frames: list[Frame]) -> msgspec.msgpack.Ext:
    from flexlogger.monitor import arrays

    array, descr = arrays.plain(value, path)
    frames.append(array.reshape(-1).view("u1").data if array.nbytes else b"")
    return _ext(_ARRAY, [descr, list(array.shape), len(frames) - 1])


def together(states: Sequence[Any]) -> bytes:
    """Several encoded states of one frame each, as one: a list of them.

    >>> decode([together([encode({"epoch": 3})[0], encode({"epoch": 4})[0]])])
    [{'epoch': 3}, {'epoch': 4}]
    """
    return b"".join((b"\xdd", len(states).to_bytes(4, "big"), *states))


# ---- decoding


def decode(frames: Sequence[Frame]) -> Any:
    """Decode a message; arrays are read-only views of their frames.

    Raises WireError for anything that `encode` would not have made. Takes no more memory than the frames hold.
    """
    try:
        if len(frames) == 1:
            return _decode_alone(frames[0])
        decoder = msgspec.msgpack.Decoder(ext_hook=lambda code, data: _from_ext(code, bytes(data), frames))
        return decoder.decode(frames[0])
    except WireError:
        raise
    except RecursionError:
        raise WireError("a state with too many dicts and lists inside one another") from None
    except Exception as error:  # whatever odd bytes make numpy, datetime or msgspec say
        raise WireError(f"a state that cannot be read ({type(error).__name__}: {error})") from error


def _from_ext(code: int, data: bytes, frames: Sequence[Frame]) -> Any:
    content = _unpack(data)
    if code == _ARRAY:
        descr, shape, index = content
        if not 0 < index < len(frames):
            raise WireError("a state with an array that holds no data")
        from flexlogger.monitor import arrays

        return arrays.back(descr, shape, frames[index])
    if code == _DATETIME:
        return datetime.datetime.fromisoformat(content)
    if code == _INTEGER:
        return int(content)  # Python's own limit holds: 4,300 digits
    if code == _COMPLEX:
        return complex(*map(float, content))
    if code == _DATE:
        return datetime.date.fromisoformat(content)
    if code == _TIMEDELTA:
        return datetime.timedelta(*map(int, content))
    raise WireError(f"a state with a value of unknown type {code}")


_decode_alone = msgspec.msgpack.Decoder(ext_hook=lambda code, data: _from_ext(code, bytes(data), ())).decode


def is_of_numbers(state: Any) -> bool:
    """True of a dict of plain numbers; what else can be added up with numbers (an odd `__radd__`) is none of them.

    >>> is_of_numbers({"loss": 0.5, "n": 3}), is_of_numbers({"when": None})
    (True, False)
    """
    return type(state) is dict and all(type(value) in _NUMBERS for value in state.values())
