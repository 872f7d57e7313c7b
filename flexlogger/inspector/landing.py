"""Tensors of an accelerator on their way to the host, without a wait in the thread that trains."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import torch

from flexlogger import faults
from flexlogger.readback import Copied, Copier

LOOK_S = 0.002
"""How often the worker looks whether a copy has arrived. Waiting for an event of CUDA would keep a core busy."""

Arrival = tuple[str, int, Copied, int]


class Landing:
    """Copies into pinned memory, behind events; a thread, begun with the first of them, hands them to `put` in order.

    At most `bound` bytes are on their way at a time.
    """

    def __init__(self, put: Callable[[str, int, torch.Tensor], None], bound: int, copier: Copier) -> None:
        self._put, self._bound, self._copier = put, bound, copier
        self._queue: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
        self._bytes_in = self._bytes_out = 0  # the latter is written by the worker only
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def take(self, key: str, step: int, tensor: torch.Tensor) -> bool:
        """Start the copy of a tensor; return at once, False where too much is on its way already."""
        with self._lock:
            if self._bytes_in - self._bytes_out + tensor.nbytes > self._bound:
                return False
            self._bytes_in += tensor.nbytes
            if self._worker is None:
                self._worker = threading.Thread(target=self._run, name="flexlogger-inspector", daemon=True)
                self._worker.start()
        copied = self._copier([tensor])
        if copied.event is None and copied.hosts[0] is tensor:  # a device whose copies torch cannot start and leave
            copied = Copied([tensor.clone()], None)
        self._queue.put((key, step, copied, tensor.nbytes))
        return True

    def close(self, timeout: float) -> None:
        """Wait until all is handed over, for at most `timeout` seconds."""
        if self._worker is not None:
            self._queue.put(None)
            self._worker.join(timeout)

    def _run(self) -> None:
        while (arrival := self._queue.get()) is not None:
            key, step, copied, size = arrival
            try:
                while copied.event is not None and not copied.event.query():
                    time.sleep(LOOK_S)
                self._put(key, step, copied.hosts[0].cpu())
            except Exception as error:
                faults.swallow("sending a tensor of a device to the inspector", error)
            self._bytes_out += size
