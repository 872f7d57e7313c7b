"""StateMonitor: ship a dict of a loop's state to another process or machine, and look at it there."""

from __future__ import annotations

import math
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from gc import is_tracked
from types import TracebackType
from typing import Any, Literal, Self, get_args

from flexlogger import faults
from flexlogger.errors import ValueRefusedError, unknown
from flexlogger.monitor.client import Client
from flexlogger.monitor.codec import encode, is_of_numbers, pack
from flexlogger.monitor.host import Host, Received
from flexlogger.monitor.outbox import SMALL, Encoded, Outbox, Policy, weight
from flexlogger.monitor.protocol import MAX_NAME
from flexlogger.monitor.reader import Reader
from flexlogger.net.addresses import check_keys, endpoint
from flexlogger.net.keys import client_keys, host_keys
from flexlogger.net.tags import Frame

DEFAULT_PORT = 10086
MAX_BYTES = 256 * 2**20
EXIT_S = 5.0
"""How long interpreter exit waits for what was put."""


class StateMonitor:
    """One end of a wire between a training loop and whoever watches it.

    The loop's process makes a `client` and calls `put(dict)`; another process, on this machine or another, makes a
    `host` and calls `get()`, iterates over it, or passes `on_state`. Either may start first. A state that was put
    arrives once and in order; the client keeps it until the user at the host asks for the next one (or the callback has
    returned), so a host may be killed and started again: it is given again the state it was busy with, and those before
    it whose acknowledgement was still on its way.

    `put` encodes and returns: it never waits for the network, and several threads may call it. Up to `max_bytes` wait
    for a host that is away; beyond that `when_full` decides: "drop_oldest", "drop_newest", or "wait" up to `patience`
    seconds. What is dropped is counted in `status()` and told at the end. `keys` is a file made by `flexlogger keys`,
    needed where the wire leaves the machine. With `verbose`, standard error tells of connections that come and go.

    Raises ValueRefusedError for arguments that make no sense, ServerError at a host's `start` where its port is taken.

    >>> with StateMonitor(mode="host", port=0) as host, StateMonitor(mode="client", port=host.port) as client:
    ...     _ = client.put({"epoch": 1, "losses": [0.5, 0.25]})
    ...     host.get(timeout=10)
    {'epoch': 1, 'losses': [0.5, 0.25]}
    """

    def __init__(
        self,
        mode: Literal["host", "client"],
        host: str = "localhost",
        port: int = DEFAULT_PORT,
        verbose: bool = False,
        *,
        on_state: Callable[[Any], object] | None = None,
        name: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        max_bytes: int = MAX_BYTES,
        when_full: Policy = "drop_oldest",
        patience: float = 1.0,
    ) -> None:
        if mode not in ("host", "client"):
            raise ValueRefusedError(f"StateMonitor: {unknown('mode', str(mode), ('host', 'client'))}")
        if when_full not in get_args(Policy):
            raise ValueRefusedError(f"StateMonitor: when_full: {unknown('policy', str(when_full), get_args(Policy))}")
        if on_state is not None and mode == "client":
            raise ValueRefusedError("StateMonitor: on_state: a client gets no states; give it to the host")
        _check(on_state, name, max_bytes, patience)
        self._where = endpoint(host, port)
        check_keys(host, keys)
        self.mode = mode
        self.verbose = verbose
        self.name = name or f"{os.getpid()}"
        self._host_name = host
        self._port = port
        self._on_state = on_state
        self._keys = keys
        self._outbox_of = partial(Outbox, max_bytes, when_full, patience)
        self._outbox = self._outbox_of()
        self._client: Client | None = None
        self._reader: Reader | None = None
        self._ended = False
        self._starting = threading.Lock()
        self._say = partial(_say, mode) if verbose else _say_nothing
        self._finalizer: weakref.finalize[Any, Any] | None = None
        _monitors.add(self)

    # ---- life

    def start(self) -> Self:
        """Connect, or listen; a client returns at once and connects in the background. Starting twice does nothing."""
        if self._ended:
            raise ValueRefusedError("StateMonitor: it has ended; make a new one")
        with self._starting:
            if self.mode == "client" and self._client is None:
                self._start_client()
            elif self.mode == "host" and self._reader is None:
                self._start_host()
        return self

    def _start_client(self) -> None:
        keys = client_keys(self._keys) if self._keys is not None else None
        self._say(f"sending to {self._host_name}:{self._port}")
        self._client = Client(self._where, self._outbox, self.name, keys, self._say)
        self._finalizer = weakref.finalize(self, _end_at_exit, self._client, os.getpid())
        if (util := sys.modules.get("multiprocessing.util")) is not None:  # its children run no atexit
            util.Finalize(None, self._finalizer, exitpriority=10)

    def _start_host(self) -> None:
        keys = host_keys(self._keys) if self._keys is not None else None
        host = Host(self._where, keys, self._say)
        self._finalizer = weakref.finalize(self, _stop_at_exit, host, os.getpid())
        self._port = int(host.endpoint.rpartition(":")[2])
        self._say(f"listening on {self._host_name}:{self._port}")
        self._reader = Reader(host, self._on_state, self)

    @property
    def port(self) -> int:
        """The port; where 0 was asked for, the one that a started host got."""
        return self._port

    def end(self, timeout: float = 10.0) -> bool:
        """Send what is left and say good-bye, or stop listening. False where something was not acknowledged in time; it
        is counted as dropped."""
        if self._ended:
            return True
        self._ended = True
        self._outbox.shut()
        if self._finalizer is None or self._finalizer.detach() is None:
            return True
        if self._client is not None:
            return self._client.finish(timeout)
        if self._reader is not None:
            self._reader.end(timeout)
        return True

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    # ---- client

    def put(self, state: Any) -> bool:
        """Send a state; False where it was dropped (and counted).

        What it may hold: `flexlogger.monitor.codec.encode`. It is copied here: changing it afterwards does not show.
        Raises TypeError that names the place of anything that is not data.
        """
        try:  # a dict of numbers, the common case, by what runs in C; whatever is in the way of that, `encode` knows
            packed = pack(state)
            sum(state.values(), 0.0)
            odd = is_tracked(state) and not is_of_numbers(state)
        except Exception:
            odd = True
        if odd:
            return self._put(_as_it_waits(encode(state)))
        for key in state:
            if key.__class__ is not str:
                return self._put(_as_it_waits(encode(state)))
        outbox = self._outbox
        if len(packed) <= SMALL and len(outbox.waiting) < outbox.limit:
            outbox.waiting.append(packed)
            return True
        return self._put(packed)

    def _put(self, state: Encoded) -> bool:
        if self.mode != "client":
            raise ValueRefusedError("StateMonitor: put: this is the host; put is the client's, get is the host's")
        if self._ended:
            if not self._outbox.dropped["after the end"]:
                faults.log.warning("flexlogger: monitor: put after the end: it is counted, and not sent")
            self._outbox.dropped["after the end"] += 1
            return False
        if self._client is None:
            self.start()
        assert self._client is not None
        taken = self._outbox.put(state)
        self._client.wake(weight(state))
        return taken

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the user at the host has got everything put so far; False where time ran out."""
        return self._outbox.wait_until_handed(timeout)

    def _after_fork(self) -> None:
        """In a forked child: queue, thread and socket are the parent's. A client's first `put` starts its own; a host
        has ended, for there can be only one."""
        if self._finalizer is not None:
            self._finalizer.detach()
        self._ended = self._ended or self._reader is not None
        self._client = self._reader = None
        self._starting = threading.Lock()
        self._outbox = self._outbox_of()
        self.name = f"{self.name}/{os.getpid()}"[:MAX_NAME]

    # ---- host

    def get(self, timeout: float | None = None) -> Any:
        """The next state, in the order in which they came in; waits for one, also for clients that are yet to start.

        Arrays in it are read-only. Raises TimeoutError where none came within `timeout` seconds, EOFError where this
        host has ended.
        """
        received = self._take(timeout)
        if received is not None:
            return received.value
        if self._ended:
            raise EOFError("StateMonitor: this host has ended")
        raise TimeoutError(f"StateMonitor: no state within {timeout} s")

    def _take(self, timeout: float | None, until_ended: bool = False) -> Received | None:
        if self.mode != "host":
            raise ValueRefusedError("StateMonitor: get: this is a client; put is the client's, get is the host's")
        if self._on_state is not None:
            raise ValueRefusedError("StateMonitor: get: on_state takes the states")
        if self._ended:
            return None
        if self._reader is None:
            self.start()
        assert self._reader is not None
        return self._reader.take(timeout, until_ended)

    def __iter__(self) -> Iterator[Any]:
        """States as they come, until every client that ever connected has ended, or this host has."""
        while (received := self._take(None, until_ended=True)) is not None:
            yield received.value

    # ---- looking

    def status(self) -> dict[str, Any]:
        """Health in plain data: of a client what is queued, acknowledged and dropped by reason, of a host its clients,
        what waits, what was refused."""
        if self.mode == "client":
            connected = self._client is not None and self._client.connected.is_set()
            counts = {"queued": self._outbox.queued, "acknowledged": self._outbox.acknowledged}
            return {"connected": connected, **counts, "dropped": dict(self._outbox.dropped)}
        if self._reader is None:
            return {"clients": {}, "waiting": 0, "refused": {}, "failed callbacks": 0}
        return self._reader.status()


def _check(on_state: object, name: object, max_bytes: object, patience: object) -> None:
    if on_state is not None and not callable(on_state):
        raise ValueRefusedError(f"StateMonitor: on_state: expected a function, got {type(on_state).__name__}")
    if name is not None and not (isinstance(name, str) and len(name) <= MAX_NAME):
        raise ValueRefusedError(f"StateMonitor: name: expected text of at most {MAX_NAME} characters, got {name!r:.50}")
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
        raise ValueRefusedError(f"StateMonitor: max_bytes: expected a positive integer, got {max_bytes!r}")
    if isinstance(patience, bool) or not isinstance(patience, (int, float)) or not 0 <= patience < math.inf:
        raise ValueRefusedError(f"StateMonitor: patience: expected seconds from 0 on, got {patience!r}")


def _as_it_waits(frames: list[Frame]) -> Encoded:
    return bytes(frames[0]) if len(frames) == 1 else frames


def _say(mode: str, text: str) -> None:
    print(f"flexlogger monitor ({mode}): {text}", file=sys.stderr)


def _say_nothing(text: str) -> None:
    """For those who did not ask."""


def _end_at_exit(client: Client, pid: int) -> None:
    if os.getpid() == pid:
        client.finish(EXIT_S)


def _stop_at_exit(host: Host, pid: int) -> None:
    if os.getpid() == pid:
        host.stop()


_monitors: weakref.WeakSet[StateMonitor] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for monitor in list(_monitors):
        monitor._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
