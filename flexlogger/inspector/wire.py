"""What lies in the shared memory: a tensor's bytes behind a head that says what they are. Knows no torch.

For each tensor the sender writes a head (JSON) and, from the next multiple of ALIGN on, the bytes in C order. Then it
sends a note through the pipe: where the head begins, how long it is, and the step.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import numpy as np

ALIGN = 64
NOTE = struct.Struct("<QQq")
"""Where a head begins, its length in bytes, and the step."""

DTYPES = (
    *("float16", "float32", "float64", "bfloat16", "complex64", "complex128"),
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
)
"""Types that travel as they are, in the words of numpy and torch; the sender turns others into float32 or complex64."""
BFLOAT16 = "bfloat16"


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What is said of a tensor: whose it is, the handler's message, and how its bytes are to be read."""

    key: str
    internal_message: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """How many bytes the tensor has."""
        count = 1
        for side in self.shape:
            count *= side
        return count * self.numpy_dtype.itemsize

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """How its bytes lie in numpy's words, which has none for bfloat16: two bytes each."""
        return np.dtype(np.uint16 if self.dtype == BFLOAT16 else self.dtype)


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Head).decode


def aligned(offset: int) -> int:
    """The next multiple of ALIGN.

    >>> aligned(0), aligned(1), aligned(64)
    (0, 64, 64)
    """
    return -(-offset // ALIGN) * ALIGN


def read(memory: memoryview, offset: int, length: int) -> tuple[Head, np.ndarray[Any, Any]]:
    """A tensor's head, and an own copy of its numbers (bfloat16 as uint16)."""
    head = decode(memory[offset : offset + length])
    begin = aligned(offset + length)
    flat = np.frombuffer(memory[begin : begin + head.nbytes], head.numpy_dtype)
    return head, flat.reshape(head.shape).copy()


def as_array(head: Head, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What `read` gave as numpy knows it: bfloat16 becomes float32, which holds it exactly.

    >>> one = np.array([0x3F80], np.uint16)
    >>> as_array(Head("a", "", "bfloat16", (1,)), one)
    array([1.], dtype=float32)
    """
    if head.dtype != BFLOAT16:
        return numbers
    wide: np.ndarray[Any, Any] = (numbers.astype(np.uint32) << 16).view(np.float32)
    return wide


def as_tensor(head: Head, numbers: np.ndarray[Any, Any]) -> Any:
    """What `read` gave as a torch.Tensor of the type it was sent as."""
    import torch

    tensor = torch.from_numpy(numbers)
    return tensor.view(torch.bfloat16) if head.dtype == BFLOAT16 else tensor
