"""The trainer's side: what grows in a run's folder is sent, and sent again after every interruption."""

from __future__ import annotations

import os
import re
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zmq
from msgspec import structs

from flexlogger import faults
from flexlogger.errors import WireError
from flexlogger.mirror import protocol
from flexlogger.mirror.protocol import Head, message
from flexlogger.net.keys import ClientKeys
from flexlogger.net.sockets import client_socket
from flexlogger.runs.blobs import BlobStore
from flexlogger.runs.card import FILE
from flexlogger.runs.segment import segments

LOOK_S = 0.2
"""How often the folder is looked at while nobody says that something was written."""
SILENCE_S = 3.0
"""A receiver that does not answer for so long is tried again over a new connection."""
RETRY_S = 2.0
"""Pause after the receiver could not take something."""
CHUNK = 2**20
_DIGEST = re.compile(rb'"digest":"([0-9a-f]{64})"')


class _SilenceError(Exception):
    """No answer, or no connection that would take the question."""


class Sender:
    """Keeps a receiver's copy of the run in `folder` equal to it, in a thread of its own.

    Nothing is queued in memory: the folder itself is what waits while the receiver or the network is away. One part is
    on its way at a time and answered once it is on the receiver's disk; a blob is there before the line that names it.
    """

    def __init__(self, folder: Path, project: str, run: str, where: str, keys: ClientKeys | None = None) -> None:
        self.problem = ""
        """Why the receiver does not take something; empty while it does."""
        self.connected = False
        """True while the receiver answers."""
        self._folder = folder
        self._whose = Head(project=project, run=run)
        self._where = where
        self._keys = keys
        self._there: dict[str, int] = {}  # bytes of each segment that the receiver has
        self._blobs: set[str] = set()  # digests of blobs that it has
        self._shrunk: set[str] = set()  # segments that are not what it has
        self._card = b""
        self._away = False
        self._changed = threading.Condition()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="flexlogger-mirror-sender", daemon=True)
        self._thread.start()

    # ---- called by others

    def wake(self) -> None:
        """Something was written."""
        os.eventfd_write(self._wake, 1)

    def flush(self, timeout: float) -> bool:
        """Wait until the receiver has what is in the segments now; False where time ran out."""
        wanted = self._sizes()
        self.wake()
        with self._changed:
            return self._changed.wait_for(lambda: self._has(wanted), timeout)

    def _has(self, wanted: dict[str, int]) -> bool:
        return self.connected and all(self._there.get(name, 0) >= size for name, size in wanted.items())

    @property
    def behind(self) -> int:
        """Bytes of segments that the receiver does not have yet."""
        return sum(max(0, size - self._there.get(name, 0)) for name, size in self._sizes().items())

    def stop(self) -> None:
        """Stop sending. What is left stays in the folder."""
        self._stopping = True
        self.wake()
        self._thread.join()
        os.close(self._wake)

    def runs_in(self, thread: threading.Thread) -> bool:
        """True where `thread` is the sender's own."""
        return thread is self._thread

    # ---- the thread

    def _run(self) -> None:
        context: zmq.Context[Any] = zmq.Context()
        try:
            while not self._stopping:
                socket = client_socket(context, self._where, self._keys)
                try:
                    self._keep_equal(socket)
                except _SilenceError:
                    self._tell_away()
                except WireError as error:
                    self._refused(str(error))
                except OSError as error:  # our own folder
                    self._refused(f"{self._folder} cannot be read ({error.strerror or error})")
                except Exception as error:
                    faults.swallow("sending the run log", error)
                finally:
                    self.connected = False
                    socket.close()
        finally:
            context.destroy(linger=0)

    def _keep_equal(self, socket: zmq.Socket[bytes]) -> None:
        """Over one connection: learn what the receiver has, then send whatever grows."""
        have = self._call(socket, protocol.ASK, structs.replace(self._whose, sizes=self._sizes()))
        with self._changed:
            self._there = dict(have.sizes)
            self._blobs.clear()
            self._card = b""
            self.connected = True
            self._changed.notify_all()
        self._tell_back()
        spoken = time.monotonic()
        while not self._stopping:
            if self._send_grown(socket):
                spoken = time.monotonic()
            elif time.monotonic() - spoken > SILENCE_S / 3:
                self._call(socket, protocol.PING, Head())
                spoken = time.monotonic()
            else:
                self._rest(LOOK_S)

    def _rest(self, seconds: float) -> None:
        if select.select([self._wake], [], [], seconds)[0]:
            os.eventfd_read(self._wake)

    def _call(self, socket: zmq.Socket[bytes], kind: bytes, head: Head, *content: bytes) -> Head:
        """Say something and return the answer; raise _SilenceError without one, WireError where it is a refusal."""
        try:
            socket.send_multipart(message(kind, head, content), zmq.NOBLOCK)
        except zmq.Again:
            raise _SilenceError from None
        deadline = time.monotonic() + SILENCE_S
        while not socket.poll(100):
            if self._stopping or time.monotonic() > deadline:
                raise _SilenceError
        said = protocol.parse(socket.recv_multipart())
        if said.kind == protocol.REFUSED:
            raise WireError(said.head.why)
        return said.head

    # ---- what grows

    def _send_grown(self, socket: zmq.Socket[bytes]) -> bool:
        """Send a part of each segment that has grown, and run.json; True where there was something."""
        sent = False
        for name, offset in list(self._grown()):
            content = self._part(name, offset)
            for digest in {found.decode() for found in _DIGEST.findall(content)} - self._blobs:
                self._send_blob(socket, digest)
            head = structs.replace(self._whose, name=name, offset=offset)
            size = self._call(socket, protocol.SEGMENT, head, content).size
            with self._changed:
                self._there[name] = size
                self._changed.notify_all()
            sent = True
        sent = self._send_card(socket) or sent
        if sent and self.problem:
            self.problem = ""
            faults.log.warning("flexlogger: %s takes the run log again", self._where)
        return sent

    def _sizes(self) -> dict[str, int]:
        sizes = {}
        for path in segments(self._folder) if self._folder.is_dir() else ():
            try:
                sizes[path.stem] = path.stat().st_size
            except OSError:
                continue  # deleted just now
        return sizes

    def _grown(self) -> Iterator[tuple[str, int]]:
        for name, size in self._sizes().items():
            there = self._there.get(name, 0)
            if size < there and name not in self._shrunk:
                self._shrunk.add(name)
                faults.log.warning(
                    "flexlogger: segment %s was deleted and begun again; what is new in it is kept in %s, and not sent",
                    name,
                    self._folder,
                )
            if size > there and name not in self._shrunk:
                yield name, there

    def _part(self, name: str, offset: int) -> bytes:
        """What follows `offset` in a segment, in whole lines where they end: a digest is never cut in two."""
        with (self._folder / f"{name}.jsonl").open("rb") as file:
            file.seek(offset)
            content = file.read(CHUNK)
            if not content.endswith(b"\n"):
                content += file.readline()
        return content

    def _send_blob(self, socket: zmq.Socket[bytes], digest: str) -> None:
        try:
            content = BlobStore(self._folder / "blobs").path(digest).read_bytes()
        except OSError:
            return  # the line that names it is as damaged there as it is here
        self._call(socket, protocol.BLOB, structs.replace(self._whose, name=digest), content)
        self._blobs.add(digest)

    def _send_card(self, socket: zmq.Socket[bytes]) -> bool:
        try:
            card = (self._folder / FILE).read_bytes()
        except OSError:
            return False
        if card == self._card:
            return False
        self._call(socket, protocol.CARD, structs.replace(self._whose, name=FILE), card)
        self._card = card
        return True

    # ---- what is told

    def _refused(self, why: str) -> None:
        """Tell once why, and go on after a pause."""
        if why != self.problem:
            self.problem = why
            faults.log.warning(
                "flexlogger: %s does not take the run log: %s; it is kept in %s and tried again",
                self._where,
                why,
                self._folder,
            )
        deadline = time.monotonic() + RETRY_S
        while not self._stopping and time.monotonic() < deadline:
            self._rest(RETRY_S)

    def _tell_away(self) -> None:
        if not self._away and not self._stopping:
            self._away = True
            faults.log.warning(
                "flexlogger: nobody takes run logs at %s; training goes on, everything is kept in %s and sent later",
                self._where,
                self._folder,
            )

    def _tell_back(self) -> None:
        if self._away:
            self._away = False
            faults.log.warning("flexlogger: connected to %s; what it missed is on its way", self._where)
