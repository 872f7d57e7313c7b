"""Claims on what only one process may do: own a run, draw its windows. A file with a heart-beat, no locks."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from itertools import count
from pathlib import Path

import msgspec

from flexlogger.runs.processes import Process, is_gone, this_process

STALE_S = 10.0
"""A claim whose heart has not beaten for longer is anybody's."""
_SIZE = 512
"""Bytes a claim is padded to, so that every heart-beat overwrites the last one whole."""


def windows_claim(base: Path, server: str, env: str, uid: str) -> Path:
    """Where those who draw the windows of (server, env, uid) claim them, for all runs below `base`."""
    name = hashlib.blake2s("\0".join((server, env, uid)).encode(), digest_size=10).hexdigest()
    return base / ".windows" / f"{name}.json"


class Holder(msgspec.Struct, frozen=True):
    """What stands in a claim: who holds it, for which run, and when its heart last beat (unix seconds)."""

    token: str
    run: str = ""
    host: str = ""
    boot: str = ""
    pid: int = 0
    pid_start: str = ""
    beat: float = 0.0

    def is_stale(self, now: float) -> bool:
        """True where the heart has not beaten for ten seconds, or the process ran here and is gone."""
        return now - self.beat > STALE_S or is_gone(Process(self.host, self.boot, self.pid, self.pid_start))


class Claim:
    """A claim on the file `path` in the name of run `who`. One process holds it at a time.

    The holder keeps the file open and beats inside it, so it never writes over what somebody else put in its place.
    A stale claim is replaced by whoever makes the one file named after its token and then still finds it in place.
    Hosts that share a folder need clocks that agree within a few seconds. `take` and `beat` raise OSError where the
    disk refuses.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "owner.json"
    >>> mine, other = Claim(path, "run-a"), Claim(path, "run-b")
    >>> mine.take(100.0), other.take(105.0), other.holder().run
    (True, False, 'run-a')
    >>> other.take(110.5), mine.beat(110.6)
    (True, False)
    >>> other.release(), mine.take(111.0), mine.release()
    (None, True, None)
    """

    def __init__(self, path: Path, who: str) -> None:
        self.path = path
        self.who = who
        self.lost = False
        """True once `beat` has found somebody else in its place, until the next `take`."""
        self._fd: int | None = None
        self._pid = 0
        self._me = Holder("")

    @property
    def held(self) -> bool:
        """True from a `take` that succeeded until it is released or `beat` finds it lost; not in forked children."""
        return self._fd is not None and self._pid == os.getpid()

    def holder(self) -> Holder | None:
        """Who holds it now, alive or not; None where nobody does. A claim that cannot be parsed is its file's time."""
        try:
            content = self.path.read_bytes()
            changed = self.path.stat()
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(content, type=Holder)
        except msgspec.MsgspecError:  # just made and not yet written, or damaged
            return Holder(f"{changed.st_ino}-{changed.st_mtime_ns}", beat=changed.st_mtime)

    def take(self, now: float) -> bool:
        """Try to become the holder; False where somebody else is, and lives."""
        if self.held:
            return self.beat(now)
        self.lost = False
        process = this_process()
        self._me = Holder(secrets.token_hex(8), self.who, process.host, process.boot, process.pid, process.pid_start)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self._create(self.path, now) or self._succeed(now)

    def _create(self, path: Path, now: float) -> bool:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return False
        self._pid = os.getpid()
        try:
            self._write(now)
        except OSError:
            self._let_go()
            path.unlink(missing_ok=True)
            raise
        return True

    def _succeed(self, now: float) -> bool:
        """Replace a stale claim. Its token is never used again, so once it is replaced nobody else can succeed it."""
        found = self.holder()
        if found is None or not found.is_stale(now):
            return False
        for turn in count():
            door = self.path.with_name(f"{self.path.name}.{found.token}.{turn}")
            if self._create(door, now):
                break
            if not _is_old(door, now):
                return False  # somebody is just going through
        again = self.holder()
        if again is None or again.token != found.token or not again.is_stale(now):
            self._let_go()
            door.unlink(missing_ok=True)
            return False
        os.replace(door, self.path)
        for earlier in range(turn):  # those who died on the threshold
            self.path.with_name(f"{self.path.name}.{found.token}.{earlier}").unlink(missing_ok=True)
        return self._is_in_place() is True

    def beat(self, now: float) -> bool:
        """Say that the holder lives; False where the claim is lost to somebody else, or was never held."""
        if not self.held:
            return False
        in_place = self._is_in_place()
        if in_place is None and self.path.parent.is_dir():
            self._make_again(now)
        elif in_place is False:
            self._let_go()
            self.lost = True
        else:
            self._write(now)
        return not self.lost

    def _make_again(self, now: float) -> None:
        """The file was deleted, so it is free for anybody. Where the disk refuses, the next beat tries again."""
        deleted, self._fd = self._fd, None
        try:
            self.lost = not self._create(self.path, now)
        except OSError:
            self._fd = deleted
            raise
        assert deleted is not None
        os.close(deleted)

    def release(self) -> None:
        """Give the claim back; nothing where it is not held. Raises no error: a claim left behind goes stale."""
        if self.held and self._is_in_place():
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        self._let_go()

    def _write(self, now: float) -> None:
        assert self._fd is not None
        self._me = msgspec.structs.replace(self._me, beat=now)
        os.pwrite(self._fd, msgspec.json.encode(self._me).ljust(_SIZE - 1) + b"\n", 0)
        os.utime(self._fd, (now, now))

    def _is_in_place(self) -> bool | None:
        """Whether `path` is still our file; None where there is none at all."""
        assert self._fd is not None
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return None
        return os.path.samestat(there, os.fstat(self._fd))

    def _let_go(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _is_old(path: Path, now: float) -> bool:
    try:
        return now - path.stat().st_mtime > STALE_S
    except FileNotFoundError:
        return False
