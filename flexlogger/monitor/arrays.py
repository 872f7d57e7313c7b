"""Arrays and tensors as plain bytes and back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flexlogger.errors import WireError
from flexlogger.net.tags import Frame

_NUMBERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (np.timedelta64, lambda value: None),  # to numpy it is an integer
    (np.bool_, bool),
    (np.integer, int),
    (np.floating, float),
    (np.complexfloating, complex),
    (np.str_, str.__str__),
    (np.bytes_, bytes),
)


def number(value: Any) -> Any:
    """Python's own of one of numpy's numbers and texts; None of arrays, and of what is sent as one."""
    return next((convert(value) for kind, convert in _NUMBERS if isinstance(value, kind)), None)


def plain(value: Any, path: str) -> tuple[np.ndarray[Any, Any], Any]:
    """A little-endian copy in C order, and numpy's descr of its type; TypeError for what is at `path` otherwise."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{path}: expected an array without a mask; send its filled(), or its data and its mask")
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError(f"{path}: expected an array of numbers or text, got one of Python objects")
    dtype, descr = _described(array.dtype.newbyteorder("<"), path)
    return array.astype(dtype, order="C", copy=True), descr


def _described(dtype: np.dtype[Any], path: str) -> tuple[np.dtype[Any], Any]:
    """The type an array is sent as, and its descr; fields that overlap or stand in another order are put in order."""
    if dtype.names is not None:
        try:
            return dtype, dtype.descr
        except ValueError:
            packed = _in_order(dtype)
            return packed, packed.descr
    if dtype.kind == "V" and dtype.type is not np.void:
        raise TypeError(
            f"{path}: expected an array of a type that numpy itself has, got {dtype}; convert it with astype"
        )
    return dtype, dtype.str


def _in_order(dtype: np.dtype[Any]) -> np.dtype[Any]:
    from numpy.lib.recfunctions import repack_fields

    packed: np.dtype[Any] = repack_fields(dtype, recurse=True)
    return packed


def of_tensor(tensor: Any, path: str) -> np.ndarray[Any, Any]:
    """The numbers of a torch tensor, on the host; TypeError for one that holds none."""
    torch = sys.modules["torch"]
    if tensor.is_nested:
        raise TypeError(f"{path}: expected a dense tensor, got a nested one; send its unbind()")
    if tensor.layout != torch.strided:
        raise TypeError(f"{path}: expected a dense tensor, got layout {tensor.layout}; send its to_dense()")
    if tensor.is_quantized:
        raise TypeError(f"{path}: expected a tensor of numbers, got a quantized one; send its dequantize()")
    if tensor.is_meta:
        raise TypeError(f"{path}: expected a tensor of numbers, got one on the meta device, which has none")
    host = tensor.detach().resolve_conj().resolve_neg().cpu()
    try:
        array: np.ndarray[Any, Any] = host.numpy()
    except TypeError:  # bfloat16, the 8-bit floats and complex32, which numpy does not know
        array = _widened(host, path)
    return array


def _widened(tensor: Any, path: str) -> Any:
    torch = sys.modules["torch"]
    try:
        return (tensor.to(torch.complex64) if tensor.is_complex() else tensor.float()).numpy()
    except RuntimeError:
        raise TypeError(f"{path}: expected a tensor of numbers, got one of {tensor.dtype}") from None


def back(descr: Any, shape: Sequence[int], frame: Frame) -> np.ndarray[Any, Any]:
    """A read-only view of a frame; WireError, or whatever numpy says, where it is not what type and shape tell."""
    dtype = np.lib.format.descr_to_dtype(_tuples(descr))
    if dtype.hasobject:
        raise WireError("a state with an array that holds no data")
    flat = np.frombuffer(frame, np.uint8)
    count = 1
    for length in shape:
        count *= int(length)
    if min(shape, default=0) < 0 or count * dtype.itemsize != flat.size:
        raise WireError(
            f"a state with an array of {flat.size} bytes where shape and type tell {count * dtype.itemsize}"
        )
    array = flat.view(dtype).reshape(shape) if flat.size else np.zeros(shape, dtype)
    array.flags.writeable = False
    return array


def _tuples(descr: Any) -> Any:
    """A dtype's descr with its fields as the tuples that numpy wants; MessagePack knows lists only."""
    if not isinstance(descr, list):
        return descr
    return [_field(*field) for field in descr]


def _field(name: Any, kind: Any, *shape: Any) -> Any:
    """One field of a descr; its name may be (title, name)."""
    name = tuple(name) if isinstance(name, list) else name
    return (name, _tuples(kind), *(tuple(lengths) for lengths in shape))
