"""The user's end of a host: states are handed out one after the other, to whoever asks or to a callback."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Any

from flexlogger import faults
from flexlogger.monitor.host import Host, Received

LOOK_S = 0.5
"""How often a callback's thread looks whether it is to end."""


class Reader:
    """Hands out what `host` receives; whoever asks for the next state is done with the one before.

    With `on_state` a thread calls it with each state, and is done with it when it returns. One that raises is told
    about once, with its traceback; states go on. That thread keeps `owner` alive until the end: a host with a callback
    need not be held by anybody.
    """

    def __init__(self, host: Host, on_state: Callable[[Any], object] | None, owner: object) -> None:
        self.failed = 0
        """How often the callback raised."""
        self._host = host
        self._on_state = on_state
        self._held: Received | None = None
        self._over = False
        self._caller: threading.Thread | None = None
        self._owner = owner if on_state is not None else None
        if on_state is not None:
            self._caller = threading.Thread(target=self._call, name="flexlogger-monitor-callback", daemon=True)
            self._caller.start()

    def take(self, timeout: float | None, until_ended: bool = False) -> Received | None:
        """The next state; None where none came in time, or none will: `flexlogger.monitor.host.Host.take`."""
        self._done_with_held()
        self._held = self._host.take(timeout, until_ended)
        return self._held

    def _done_with_held(self) -> None:
        if self._held is not None:
            self._host.done_with(self._held)
            self._held = None

    def _call(self) -> None:
        assert self._on_state is not None
        while not (self._over or self._host.stopped):
            received = self._host.take(LOOK_S)
            if received is None:
                continue
            try:
                self._on_state(received.value)
            except BaseException:  # a SystemExit would end this thread without a word
                self.failed += 1
                if self.failed == 1:
                    faults.log.warning("flexlogger: monitor: on_state failed; states go on\n%s", traceback.format_exc())
            self._host.done_with(received)

    def end(self, timeout: float) -> None:
        """Be done with the last state, and stop the host. A callback that is under way gets `timeout` seconds."""
        self._over = True
        self._owner = None
        self._done_with_held()
        self._host.stop()
        if self._caller is not None and self._caller is not threading.current_thread():
            self._caller.join(timeout)

    def status(self) -> dict[str, Any]:
        """Health in plain data: the clients, what waits, what was refused."""
        peers = {
            peer.id: {
                "name": peer.name,
                "received": peer.received,
                "ended": peer.ended,
                "silent_s": round(self._host.silence(peer), 1),
            }
            for peer in list(self._host.peers.values())
        }
        refused = dict(self._host.refused)
        return {"clients": peers, "waiting": self._host.waiting, "refused": refused, "failed callbacks": self.failed}
