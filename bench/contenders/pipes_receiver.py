"""The other end of `bench.pipes`, a process of its own: takes in states as its kind does, answers when it has them.

`python -m bench.contenders.pipes_receiver KIND` writes its port; for each number N on stdin it takes N states and
writes the sum of their `n`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import zmq

Take = Callable[[], dict[str, Any]]


def monitor() -> tuple[int, Take]:
    """A StateMonitor that is asked for one state after another."""
    from flexlogger.monitor.state_monitor import StateMonitor

    host = StateMonitor("host", port=0).start()
    return host.port, host.get


def plain() -> tuple[int, Take]:
    """PyZMQ and msgspec and nothing else: a message a state, its array in a frame of its own that nobody copies."""
    socket = zmq.Context().socket(zmq.PULL)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    decode = msgspec.msgpack.Decoder().decode

    def take() -> dict[str, Any]:
        state: dict[str, Any] = decode(socket.recv())
        if socket.rcvmore:
            state["a"] = np.frombuffer(socket.recv(copy=False).buffer, state["dtype"]).reshape(state["shape"])
        return state

    return port, take


def take_from_queue(states: Any, wanted: Any, answers: Any) -> None:
    """What a child of torch.multiprocessing runs; it answers in a queue."""
    while True:
        answers.put(taken(states.get, wanted.get()))


def taken(take: Take, count: int) -> int:
    """Take in `count` states; return the sum of what tells one from another."""
    total = 0
    for _ in range(count):
        state = take()
        total += state["n"]
        if "a" in state:
            total += int(state["a"][-1])
    return total


def main() -> None:
    port, take = {"monitor": monitor, "plain": plain}[sys.argv[1]]()
    print(port, flush=True)
    for line in sys.stdin:
        print(taken(take, int(line)), flush=True)


if __name__ == "__main__":
    main()
