"""What a user's callbacks are given, and how they get into the process that runs them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

from flexlogger.errors import MissingExtraError, ValueRefusedError


class OnRun(Protocol):
    """Called in a process of its own with each tensor that was sent there.

    `unique_id` is the process's number; `key` names the tensor; `internal_message` is what `set_internal_message` set
    last before it was sent; `message` is its step. `tensor` is a torch.Tensor on the CPU, the callback's own to keep or
    change; for a callback marked with `takes_arrays` a numpy array. What is returned is not looked at.
    """

    def __call__(self, unique_id: int, key: str, internal_message: str, message: str, tensor: Any, /) -> object: ...


OnClosing = Callable[[], object]
"""Called once in the same process, when no more tensors come."""
Function = TypeVar("Function", bound=Callable[..., object])
_MARK = "takes_arrays"


def takes_arrays(function: Function) -> Function:
    """Mark a `callback_onrun` that wants numpy arrays (bfloat16 as float32). Its process then does without torch: it
    starts within a second and takes little memory.

    >>> @takes_arrays
    ... def largest(unique_id, key, internal_message, message, array):
    ...     print(key, message, array.max())
    """
    setattr(function, _MARK, True)
    return function


def wants_arrays(onrun: OnRun) -> bool:
    """Whether a callback is marked."""
    return getattr(onrun, _MARK, False) is True


def dump(onrun: OnRun, onclosing: OnClosing | None) -> bytes:
    """Both callbacks as one pickle, so that methods of one object are methods of one object over there.

    What a script itself defines cannot be imported elsewhere: it travels by value, which takes cloudpickle. Raises
    ValueRefusedError for what cannot travel, MissingExtraError where cloudpickle is needed and missing.
    """
    by_value = find_spec("cloudpickle") is not None
    try:
        pickled: bytes = import_module("cloudpickle" if by_value else "pickle").dumps((onrun, onclosing))
    except Exception as error:
        if not by_value:
            raise MissingExtraError("a callback that pickle cannot send", "cloudpickle", "video") from error
        raise ValueRefusedError(
            f"callback_onrun, callback_onclosing: expected what can be pickled, but {type(error).__name__}: {error}"
        ) from error
    if not by_value and b"__main__" in pickled:
        raise MissingExtraError("a callback that the script itself defines", "cloudpickle", "video")
    return pickled


def load(pickled: bytes) -> tuple[OnRun, OnClosing | None]:
    """What `dump` made, from a parent that started this process."""
    onrun, onclosing = pickle.loads(pickled)
    return onrun, onclosing
