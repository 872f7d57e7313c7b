"""From whatever a meter holds to what can be logged: numbers, or arrays of a known kind.

`take` decides what kind of value it is and makes an own copy; `finish` turns that into what a record holds, which for
images and histograms is arithmetic. Tensors stay on their device, and nothing here waits for one.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import torch

from flexlogger.errors import ValueRefusedError
from flexlogger.meters.base import Payload
from flexlogger.meters.documents import document
from flexlogger.meters.histograms import histogram
from flexlogger.meters.pixels import CHANNELS, pixels
from flexlogger.meters.tensors import on_device
from flexlogger.records import Kind

KINDS: tuple[str, ...] = get_args(Kind)

_PICTURES = "an image (H, W), (C, H, W), (H, W, C) or a batch of them, with C of 1, 3 or 4"
_EXPECTED = {
    "scalar": "a single number",
    "vector": "a vector (1-d)",
    "matrix": "a matrix (2-d)",
    "curve": "a curve: (2, N), or x and y of equal length",
    "points": "points: (N, 2) or (N, 3)",
    "histogram": "an array of numbers",
    "image": _PICTURES,
    "images": _PICTURES,
    "text": "a string",
    "table": "a table: a DataFrame, a list of dicts, a dict of lists, or {columns, rows}",
    "figure": "a plotly figure, or its {data, layout}",
    "video": "a video: the path of a file (frames are of kind images)",
    "audio": "a sound: the path of a file (a waveform is of kind vector, in stereo matrix)",
    "any": "a number, a string, an array or tensor, a table or a figure",
}
_STRINGS = ("text", "table", "figure", "video", "audio")


def interpret(value: Any, kind: Kind = "any") -> dict[str, Any]:
    """Return what to log for a value, by output suffix: floats, 0-d tensors on a device, and payloads.

    Raises ValueRefusedError where the value is not of the `kind`. With "any" its shape decides.

    >>> interpret(0.5)
    {'': 0.5}
    >>> interpret({"lr": 0.1, "momentum": 0.9})
    {'.lr': 0.1, '.momentum': 0.9}
    >>> interpret(torch.zeros(3, 8, 8))[""].value.shape
    torch.Size([8, 8, 3])
    """
    return {suffix: finish(payload) for suffix, payload in take(value, kind).items()}


def take(value: Any, kind: Kind = "any") -> dict[str, Payload]:
    """Decide the kind of a value, from `kind` or else by shape, and copy it: {output suffix: payload}.

    The payloads hold the value as it came; `finish` makes of them what is logged. Raises ValueRefusedError.

    >>> take([1, 2, 3])[""].kind
    'vector'
    """
    if isinstance(value, Payload):
        return {"": value}
    found = document(value, kind)
    if found is not None:
        return {"": found}
    if isinstance(value, Mapping):
        return _take_dict(value, kind)
    if kind not in _STRINGS:
        array = as_array(_rows(value) if kind == "curve" else value)
        if array is not None:
            chosen = _kind_of(array, kind)
            return {"": Payload(chosen, _own(array, chosen))}
    raise refusal(value, kind)


def finish(payload: Payload) -> Any:
    """Return what is logged of a taken value: a float, a 0-d tensor, or a payload in the layout of its kind."""
    if payload.kind == "scalar":
        return payload.value
    if payload.kind in ("image", "images") and not isinstance(payload.value, str):
        return Payload(payload.kind, pixels(torch.as_tensor(payload.value), payload.kind))
    if payload.kind == "histogram":
        return Payload("histogram", histogram(torch.as_tensor(payload.value)))
    return payload


def as_array(value: Any) -> torch.Tensor | np.ndarray[Any, Any] | None:
    """Return numbers, arrays, tensors and (nested) lists of them as one tensor or array of numbers; else None."""
    if isinstance(value, torch.Tensor):
        tensor = value.detach()
        return None if tensor.is_complex() else tensor
    if isinstance(value, list | tuple):
        first = next((entry for entry in value if isinstance(entry, torch.Tensor)), None)
        if first is not None:
            return _stacked(value, first)
    if isinstance(value, str | bytes | type) or value is None or callable(value):
        return None
    try:
        array = np.asarray(float(value) if isinstance(value, numbers.Real) else value)
    except (ValueError, TypeError, RuntimeError, OverflowError):
        return None
    return array if array.dtype.kind in "biuf" else None


def _stacked(entries: Sequence[Any], first: torch.Tensor) -> torch.Tensor | None:
    """Stack tensors of one shape and device, and numbers among them, without waiting for the device."""
    tensors = [
        entry.detach() if isinstance(entry, torch.Tensor) else torch.full((), float(entry), device=first.device)
        for entry in entries
        if isinstance(entry, torch.Tensor | numbers.Real)
    ]
    alike = all(t.shape == first.shape and t.device == first.device and not t.is_complex() for t in tensors)
    return torch.stack(tensors) if alike and len(tensors) == len(entries) else None


def refusal(value: Any, kind: Kind) -> ValueRefusedError:
    """The error for a value that is not of the kind."""
    return ValueRefusedError(f"Expected {_EXPECTED[kind]}, but got {describe(value)}")


def describe(value: Any) -> str:
    """Say what came in a few words, shapes first.

    >>> describe(np.zeros((2, 3))), describe([1, "a"]), describe(None), describe(2.5)
    ('an array of shape (2, 3)', 'a list of 2', 'None', '2.5')
    """
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}" + (" (complex)" if value.is_complex() else "")
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" + ("" if value.dtype.kind in "biuf" else f" of {value.dtype}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None or isinstance(value, str | numbers.Number):
        return repr(value) if len(repr(value)) <= 40 else repr(value)[:39] + "…"
    return f"a {type(value).__name__}"


def _take_dict(value: Mapping[Any, Any], kind: Kind) -> dict[str, Payload]:
    if not value:
        raise refusal(value, kind)
    taken: dict[str, Payload] = {}
    for key, entry in value.items():
        taken.update((f".{key}{suffix}", payload) for suffix, payload in take(entry, kind).items())
    return taken


def _rows(value: Any) -> Any:
    """Take x and y of (x, y) or (x, y, thresholds)."""
    return value[:2] if isinstance(value, list | tuple) and len(value) == 3 else value


def _kind_of(array: Any, kind: Kind) -> Kind:
    """Check a shape against a kind, or choose the kind by it."""
    shape = tuple(array.shape)
    size = int(np.prod(shape))
    rank = len(shape)
    if kind == "any":
        kind = _by_shape(array, shape, size)
    elif kind in ("image", "images"):
        kind = "image" if rank == 2 and size else _picture(array, shape, kind)
    if kind in ("image", "images"):
        return kind
    fits = {
        "scalar": size == 1,
        "vector": rank == 1,
        "matrix": rank == 2,
        "curve": rank == 2 and shape[0] == 2,
        "points": rank == 2 and shape[1] in (2, 3),
        "histogram": rank > 0,
    }[kind]
    if not fits:
        raise refusal(array, kind)
    return kind


def _by_shape(array: Any, shape: tuple[int, ...], size: int) -> Kind:
    rank = len(shape)
    if size == 1 and rank <= 1:
        return "scalar"
    if rank in (1, 2):
        return "vector" if rank == 1 else "matrix"
    return _picture(array, shape, "any")


def _picture(array: Any, shape: tuple[int, ...], kind: Kind) -> Kind:
    """Tell an image from a batch: of rank 3, one side of 1, 3 or 4 at either end is taken for channels."""
    if 0 not in shape and len(shape) == 3:
        return "image" if shape[0] in CHANNELS or shape[2] in CHANNELS else "images"
    if 0 not in shape and len(shape) == 4 and (shape[1] in CHANNELS or shape[3] in CHANNELS):
        return "images"
    raise refusal(array, kind)


def _own(array: Any, kind: Kind) -> Any:
    """Copy on the device; a single number on the host becomes a float."""
    if kind == "scalar":
        if isinstance(array, torch.Tensor) and on_device(array):
            return array.reshape(()).clone()
        return float(array.item())
    return own_copy(array)


def own_copy(array: torch.Tensor | np.ndarray[Any, Any]) -> torch.Tensor | np.ndarray[Any, Any]:
    """Copy an array, or a tensor on its device; unusual number formats become float32, float64 or native order."""
    if isinstance(array, torch.Tensor):
        return array.clone()
    dtype = array.dtype.newbyteorder("=")
    if dtype.kind == "f":
        dtype = np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    return np.array(array, dtype=dtype, order="C")
