"""JSON as a dashboard needs it: what a browser cannot parse never gets in."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec


class NotJSON(ValueError):
    """The bytes are not JSON, or nested too deeply."""


def decode(raw: bytes | str) -> Any:
    """Parse JSON; NaN and infinities, which visdom's client sends and no browser can read, become None.

    >>> decode(b'{"y": [1, NaN, -Infinity, 1e999]}')
    {'y': [1, None, None, None]}
    """
    try:
        return msgspec.json.decode(raw)
    except RecursionError as error:
        raise NotJSON("nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # Python's parser takes more than the standard does: NaN, numbers of any size, lone surrogates
    try:
        return json.loads(raw, parse_constant=lambda _: None, parse_float=_finite)
    except RecursionError as error:
        raise NotJSON("nested too deeply") from error
    except ValueError as error:
        raise NotJSON(str(error)) from error


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def encode(data: Any) -> bytes:
    """Write JSON that `decode`, browsers and visdom read alike; non-finite numbers become null.

    >>> encode({"y": [1.5, float("nan")]})
    b'{"y":[1.5,null]}'
    """
    try:
        return msgspec.json.encode(data)
    except (UnicodeEncodeError, OverflowError, ValueError):  # lone surrogates, numbers beyond 64 bits
        return json.dumps(data).encode()
