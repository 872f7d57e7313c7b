"""Tensors on their way into the shared memory: copied at once, or dropped and counted where there is no room."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import numpy as np
import torch
from torch.nn.parameter import is_lazy

from flexlogger import faults
from flexlogger.inspector import wire
from flexlogger.inspector.landing import Landing
from flexlogger.inspector.process import Process
from flexlogger.model.sharded import is_sharded
from flexlogger.readback import Copier, copy_to_host

_NAMES = {getattr(torch, name): name for name in wire.DTYPES}
_PLAIN = (torch.Tensor, torch.nn.Parameter)


class Outbox:
    """What is sent to one process. `send` may be called from any thread, and returns once the tensor may be changed or
    freed: one on the CPU is then in the shared memory, one on a device has a copy under way, without a wait.

    Where there is no room for all tensors of a step, those that were left out come first the next time.
    """

    def __init__(self, process: Process, copier: Copier = copy_to_host) -> None:
        self._process = process
        self._memory = np.frombuffer(process.ring.memory, np.uint8)
        self._landing = Landing(self._put, process.ring.size, copier)
        self._lock = threading.Lock()
        self._heads: dict[Any, bytes] = {}
        self._hungry: set[str] = set()
        self._first = frozenset[str]()
        self._warned: set[tuple[str, str]] = set()
        self.message = ""
        """What callbacks are given as `internal_message`."""
        self.sent = 0
        self.dropped: Counter[str] = Counter()
        """Tensors that were not sent, by reason."""

    def begin(self) -> bool:
        """Another step is due; False where the process has ended."""
        with self._lock:
            if not self._process.alive:
                return False
            self._process.watch()
            if not self._process.open:
                return False
            self._first = frozenset(self._hungry)
            return True

    def send(self, key: str, step: int, tensor: torch.Tensor) -> None:
        """Send one tensor."""
        try:
            tensor = _plain(tensor)
        except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            self._leave_out(key, "of a kind that cannot be sent", str(error).partition("\n")[0])
            return
        if wire.aligned(tensor.nbytes) + wire.ALIGN * 8 > self._process.ring.size:
            told = (
                f"{_size(tensor.nbytes)} do not fit into the {_size(self._process.ring.size)} that are shared with its "
                "process; give ParallelHandler a larger capacity (bytes)"
            )
            self._leave_out(key, "larger than the memory", told)
        elif self._first and key not in self._first:
            self.dropped["memory full"] += 1  # it had its turn
        elif tensor.is_cpu:
            self._put(key, step, tensor)
        elif not self._landing.take(key, step, tensor):
            self.dropped["device behind"] += 1

    def status(self) -> dict[str, Any]:
        """What was sent and what was not, and the health of the process, in plain data."""
        with self._lock:
            return {**self._process.status(), "sent": self.sent, "dropped": dict(self.dropped)}

    def close(self) -> None:
        """Wait until what is still on its way from a device has been put into the memory. No `send` may follow."""
        self._landing.close(self._process.timeout)

    def _put(self, key: str, step: int, tensor: torch.Tensor) -> None:
        """Copy a tensor of the CPU into the memory, and tell the process."""
        with self._lock:
            if not self._process.open:
                return
            head = self._head(key, tensor)
            bytes_at = wire.aligned(len(head))
            size = bytes_at + tensor.nbytes
            begin = self._process.ring.reserve(size)
            if begin is None:
                self._process.hear()
                begin = self._process.ring.reserve(size)
            if begin is None:
                self._no_room(key)
                return
            self._memory[begin : begin + len(head)] = np.frombuffer(head, np.uint8)
            self._copy(tensor, begin + bytes_at)
            if self._process.note(begin, len(head), step):
                self.sent += 1
                self._hungry.discard(key)
            elif self._process.open:
                self._process.ring.withdraw()
                self._no_room(key)

    def _head(self, key: str, tensor: torch.Tensor) -> bytes:
        known = key, self.message, tensor.dtype, tensor.shape
        head = self._heads.get(known)
        if head is None:
            if len(self._heads) > 1000:
                self._heads.clear()
            named = wire.Head(key, self.message, _NAMES[tensor.dtype], tuple(tensor.shape))
            head = self._heads[known] = wire.encode(named)
        return head

    def _copy(self, tensor: torch.Tensor, begin: int) -> None:
        source = tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor
        array = source.numpy()
        place = self._memory[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
        np.copyto(place, array)

    def _no_room(self, key: str) -> None:
        self.dropped["memory full"] += 1
        self._hungry.add(key)

    def _leave_out(self, key: str, reason: str, told: str) -> None:
        self.dropped[reason] += 1
        if (key, reason) not in self._warned:
            self._warned.add((key, reason))
            faults.log.warning("flexlogger: the inspector leaves out %r: %s", key, told)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """A strided tensor of a type that travels, detached; nothing is copied where it is one already. Raises what torch
    does for one that cannot be made into such, and ValueError for one without numbers or of a shape that differs."""
    if is_lazy(tensor) or tensor.is_meta:
        raise ValueError("it holds no numbers")
    tensor = tensor.detach()
    if tensor.is_nested:
        raise ValueError("a nested tensor has no shape of its own")
    if type(tensor) not in _PLAIN and is_sharded(tensor):
        tensor = tensor.to_local()  # type: ignore[attr-defined]  # a DTensor: of each rank its own part
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    if tensor.dtype in _NAMES:
        return tensor
    return tensor.to(torch.complex64) if tensor.is_complex() else tensor.float()


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count:,} bytes"
