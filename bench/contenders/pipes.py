"""States from one process to another: our monitor, plain PyZMQ with msgspec, torch's queue; and what `put` costs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Any

import msgspec
import numpy as np
import zmq

from bench.stepping import made_up_values
from flexlogger.monitor.state_monitor import StateMonitor

ENTRIES = 4_000_000
"""Of float32, in an array: 16 MB."""
BATCH = 500

State = dict[str, Any]


class Contender:
    """`kind` is monitor, plain or queue."""

    def __init__(self, kind: str) -> None:
        self._scalars = made_up_values()[0]
        self._array = np.zeros(ENTRIES, np.float32)
        self._put: Callable[[State], object]
        if kind == "queue":
            self._put, self._expect, self._answer = _queue()
            return
        command = [sys.executable, "-m", "bench.contenders.pipes_receiver", kind]
        self._far = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect, self._answer = self._tell_far, self._hear_far
        port = self._hear_far()
        if kind == "plain":
            self._put = _plain(port)
        else:  # it waits where its queue is full, as the others do: nothing may be dropped here
            self._client = StateMonitor("client", port=port, when_full="wait", patience=60.0).start()
            self._put = self._client.put

    def _tell_far(self, count: int) -> None:
        assert self._far.stdin is not None
        print(count, file=self._far.stdin, flush=True)

    def _hear_far(self) -> int:
        assert self._far.stdout is not None
        return int(self._far.stdout.readline())

    def round(self, what: str, count: int) -> dict[str, Any]:
        """`what` is dicts or arrays, `count` of them until the other side has all, or calls: batches of them."""
        answer: dict[str, Any] = getattr(self, f"_{what}")(count)
        return answer

    def _dicts(self, count: int) -> dict[str, Any]:
        return self._send(count, count * (count - 1) // 2, lambda n: {**self._scalars, "n": n})

    def _arrays(self, count: int) -> dict[str, Any]:
        """One array over and over, changed in between: what was put is not to show it."""

        def state(n: int) -> State:
            self._array[-1] = n
            return {"n": n, "a": self._array}

        return self._send(count, count * (count - 1), state)

    def _send(self, count: int, total: int, state: Callable[[int], State]) -> dict[str, Any]:
        self._expect(count)
        put = self._put
        started = time.perf_counter()
        for n in range(count):
            put(state(n))
        assert self._answer() == total, "something was lost, came twice, or was changed after it was put"
        return {"per_second": count / (time.perf_counter() - started)}

    def _calls(self, batches: int) -> dict[str, Any]:
        """`put` of five scalars, in batches, in turns with a function that encodes and appends."""
        encode, queue = msgspec.msgpack.Encoder().encode, deque[bytes]()

        def bare(state: State) -> None:
            queue.append(encode(state))

        state = {**self._scalars, "n": 0}
        del state["lr"]  # five in all
        found: dict[str, list[float]] = {"bare": [], "put": []}
        self._expect(batches * BATCH)
        for _ in range(batches):
            for name, function in (("bare", bare), ("put", self._client.put)):
                started = time.perf_counter_ns()
                for _ in range(BATCH):
                    function(state)
                found[name].append((time.perf_counter_ns() - started) / BATCH)
            queue.clear()
            self._client.flush()
        assert self._answer() == 0
        return {f"{name}_ns": median(figures) for name, figures in found.items()}

    def close(self) -> dict[str, Any]:
        return {}


def _plain(port: int) -> Callable[[State], object]:
    """A message a state; an array in a frame of its own, copied, for the caller goes on with it."""
    socket = zmq.Context().socket(zmq.PUSH)
    socket.connect(f"tcp://127.0.0.1:{port}")
    encode = msgspec.msgpack.Encoder().encode

    def put(state: State) -> None:
        array = state.get("a")
        if array is None:
            socket.send(encode(state))
        else:
            head = {"n": state["n"], "dtype": array.dtype.str, "shape": array.shape}
            socket.send_multipart([encode(head), array])

    return put


def _queue() -> tuple[Callable[[State], object], Callable[[int], None], Callable[[], int]]:
    """torch.multiprocessing.Queue. What is put moves to memory that both processes see, so a copy is put."""
    import torch
    from torch import multiprocessing

    from bench.contenders.pipes_receiver import take_from_queue

    context = multiprocessing.get_context("spawn")
    states, wanted, answers = context.Queue(), context.Queue(), context.Queue()
    context.Process(target=take_from_queue, args=(states, wanted, answers), daemon=True).start()

    def put(state: State) -> None:
        if "a" in state:
            state["a"] = torch.from_numpy(state["a"].copy())
        states.put(state)

    return put, wanted.put, answers.get
