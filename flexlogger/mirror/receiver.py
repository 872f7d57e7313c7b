"""The dashboard machine's side: many trainers' run logs, written here as they grow there."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from flexlogger import faults
from flexlogger.errors import WireError
from flexlogger.mirror import protocol
from flexlogger.mirror.protocol import Head, message
from flexlogger.mirror.store import Store
from flexlogger.net.keys import HostKeys
from flexlogger.net.sockets import FAILED, Doorkeeper, host_socket
from flexlogger.net.tags import Frame, Message

POLL_MS = 500
MAX_REASONS = 100


class Receiver:
    """Listens in a thread of its own and keeps every run it is sent below `base`.

    What is acknowledged is on disk here. `on_run` is called, in that thread, with the folder of each run that something
    came for, once. Raises ServerError where the address cannot be had.
    """

    def __init__(
        self, where: str, base: Path, keys: HostKeys | None, on_run: Callable[[Path], object] = lambda folder: None
    ) -> None:
        self.refused: Counter[str] = Counter()
        """What was refused, by reason."""
        self.received = 0
        """Bytes of segments that were written."""
        self.runs: set[Path] = set()
        self._store = Store(base)
        self._on_run = on_run
        self._context: zmq.Context[Any] = zmq.Context()
        self._door = Doorkeeper(self._context, keys) if keys is not None else None
        try:
            self._socket = host_socket(self._context, where, keys)
        except BaseException:
            self._let_go()
            raise
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._monitor = self._socket.get_monitor_socket(sum(FAILED))
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="flexlogger-mirror-receiver", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)

    # ---- the thread

    def _run(self) -> None:
        poller = zmq.Poller()
        for source in (self._socket, self._monitor, self._wake):
            poller.register(source, zmq.POLLIN)
        while not self._stopping:
            ready = dict(poller.poll(POLL_MS))
            try:
                if self._monitor in ready:
                    event = recv_monitor_message(self._monitor, zmq.NOBLOCK)
                    self._count(f"a connection was refused: {FAILED.get(int(event['event']), 'it failed')}")
                if self._socket in ready:
                    self._hear()
            except Exception as error:
                faults.swallow("receiving run logs", error)
        self._store.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._door is not None:
            self._door.stop()
        self._context.destroy(linger=200)

    def _hear(self) -> None:
        while not self._stopping:
            try:
                route, *frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            name = ""
            try:
                said = protocol.parse([frame.buffer for frame in frames])
                name = said.head.name
                answer = self._answer(said)
            except WireError as error:
                self._count(str(error))
                answer = message(protocol.REFUSED, Head(name=name, why=str(error)))
            except OSError as error:
                why = f"cannot write below {self._store.base} ({error.strerror or error})"
                self._count(why)
                answer = message(protocol.REFUSED, Head(name=name, why=why))
            self._socket.send_multipart([route.bytes, *answer], zmq.NOBLOCK)

    def _answer(self, said: Message[Head]) -> list[Frame]:
        head = said.head
        if said.kind == protocol.PING:
            return message(protocol.PING)
        folder = self._store.folder(head.project, head.run)
        if said.kind == protocol.ASK:
            sizes = {name: self._store.size(folder, name) for name in head.sizes}
            here = [digest for digest in head.digests if self._store.has_blob(folder, digest)]
            return message(protocol.HAVE, Head(sizes=sizes, digests=here))
        if len(said.frames) != 1:
            raise WireError(f"a message with {len(said.frames)} parts of a run where one was expected")
        size = self._keep(said.kind, folder, head, said.frames[0])
        if folder not in self.runs:
            self.runs.add(folder)
            self._on_run(folder)
        return message(protocol.STORED, Head(name=head.name, size=size))

    def _keep(self, kind: bytes, folder: Path, head: Head, content: Frame) -> int:
        if kind == protocol.SEGMENT:
            before = self._store.size(folder, head.name)
            size = self._store.append(folder, head.name, head.offset, content)
            self.received += size - before
            return size
        if kind == protocol.BLOB:
            self._store.put_blob(folder, head.name, content)
        elif kind == protocol.CARD:
            self._store.put_card(folder, content)
        else:
            raise WireError("a message that only a receiver sends")
        return -1

    def _count(self, why: str) -> None:
        if why not in self.refused:
            if len(self.refused) >= MAX_REASONS:
                why = "more of the like"
            faults.log.warning("flexlogger: monitor: %s", why)
        self.refused[why] += 1
