"""Every environment's windows: read from disk when first looked at, written back whole or not at all."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from flexlogger.errors import FlexLoggerError
from flexlogger.server import wire
from flexlogger.server.files import partial, replace_file, write_through
from flexlogger.server.names import refusal

Env = dict[str, Any]
"""One environment as visdom keeps it: ``jsons`` {window id: window}, ``reload`` {window id: its place on the page}."""


class EnvStoreError(FlexLoggerError):
    """The folder of environments cannot be used."""


class Environments(MutableMapping[str, Env]):
    """What visdom's functions use as their `state`, kept in `folder` as visdom's own ``NAME.json`` files.

    An environment is parsed when it is first asked for. Whoever changes one in place calls `touch`; `save_touched`
    then writes it. `say` takes one line for the person who started the server. Not thread-safe: one event loop owns it.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self._say = say
        self._envs: dict[str, Env | None] = {}  # None: on disk, not read yet
        self._touched: set[str] = set()
        self._epochs: Counter[str] = Counter()  # counts what makes a write under way out of date: saves, deletions
        self._failed: str | None = None
        self._lock = _own(folder)
        for path in sorted(folder.glob("*.json")):
            self._find(path)
        if "main" not in self._envs:  # the page opens on it
            self._envs["main"] = {"jsons": {}, "reload": {}}

    def __getitem__(self, name: str) -> Env:
        env = self._envs[name]
        if env is None:
            env = self._envs[name] = self._read(name)
        return env

    def __setitem__(self, name: str, env: Env) -> None:
        refused = refusal(name)
        if refused is not None:
            raise ValueError(refused)
        self._envs[name] = env
        self.touch(name)

    def __delitem__(self, name: str) -> None:
        del self._envs[name]
        self._touched.discard(name)
        self._epochs[name] += 1
        self._path(name).unlink(missing_ok=True)

    def __contains__(self, name: object) -> bool:  # Mapping's own would parse the file
        return name in self._envs

    def __iter__(self) -> Iterator[str]:
        return iter(self._envs)

    def __len__(self) -> int:
        return len(self._envs)

    def touch(self, name: str) -> None:
        """Note that `name` differs from its file."""
        self._touched.add(name)

    def save(self, names: Iterable[str]) -> list[str]:
        """Write those of `names` that exist and differ from their files now; return the ones that exist."""
        known = [name for name in names if name in self._envs]
        for name in self._touched.intersection(known):
            self._save_now(name)
        return known

    def save_all(self) -> None:
        """Write everything that differs from its file."""
        self.save(list(self._touched))

    async def save_touched(self) -> None:
        """As `save_all`, with the disk's share of the work off the event loop."""
        for name in list(self._touched):
            if name in self._touched:  # not deleted or saved meanwhile
                await self._save_beside(name)

    def close(self) -> None:
        """Write what is left and let another server use the folder."""
        self.save_all()
        self._lock.close()

    def _save_now(self, name: str) -> None:
        try:
            replace_file(self._path(name), self._text(name))
        except (OSError, RecursionError) as error:
            self._complain(name, error)
        else:
            self._touched.discard(name)
            self._epochs[name] += 1
            self._failed = None

    async def _save_beside(self, name: str) -> None:
        path = self._path(name)
        prepared = partial(path, "beside")
        epoch = self._epochs[name]
        try:
            text = self._text(name)
            self._touched.discard(name)  # a change from here on is the next round's
            await asyncio.to_thread(write_through, prepared, text)
            if self._epochs[name] == epoch:
                os.replace(prepared, path)
            else:
                prepared.unlink()
        except (OSError, RecursionError) as error:
            if name in self._envs:
                self._touched.add(name)
            self._complain(name, error)
        else:
            self._failed = None

    def _complain(self, name: str, error: Exception) -> None:
        if str(error) != self._failed:  # once, not at every interval
            self._failed = str(error)
            self._say(f"cannot save env {name!r}: {error}; its windows stay in memory and are tried again")

    def _text(self, name: str) -> bytes:
        return wire.encode(self._envs[name])

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _find(self, path: Path) -> None:
        name = path.name.removesuffix(".json")
        if refusal(name) is not None:
            self._say(f"{path} is left alone: {refusal(name)}")
        elif _looks_whole(path):
            self._envs[name] = None
        else:
            self._set_aside(path, "it is cut off or is not JSON")

    def _read(self, name: str) -> Env:
        path = self._path(name)
        try:
            return _parse(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._set_aside(path, str(error))
            return {"jsons": {}, "reload": {}}

    def _set_aside(self, path: Path, reason: str) -> None:
        stem = path.name.removesuffix(".json")
        count = 1
        while (kept := path.with_name(f"{stem}.damaged-{count}")).exists():
            count += 1
        try:
            path.rename(kept)
            self._say(f"cannot read {path}: {reason}; the file is kept as {kept.name}")
        except OSError as error:
            self._say(f"cannot read {path}: {reason}; nor move it aside: {error}")


def _own(folder: Path) -> Any:
    """Create `folder` and hold it until the returned file is closed or this process ends, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115 - held open for the life of the store
    except OSError as error:
        raise EnvStoreError(f"cannot keep environments in {folder}: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise EnvStoreError(f"another server has {folder} in use; give this one its own with --env-path") from error
    except OSError:
        pass  # a file system without locks: two servers on it are the user's to avoid
    return lock


def _looks_whole(path: Path) -> bool:
    """Whether the file begins and ends as an environment does; what is in between is read when it is needed."""
    try:
        with open(path, "rb") as file:
            head = file.read(1)
            file.seek(-min(16, os.path.getsize(path)), os.SEEK_END)
            return head == b"{" and file.read().rstrip().endswith(b"}")
    except OSError:
        return False


def _parse(raw: bytes) -> Env:
    stored = wire.decode(raw)
    jsons, reload = stored["jsons"], stored["reload"]
    if not isinstance(reload, dict) or not all(isinstance(window, dict) for window in jsons.values()):
        raise ValueError("it is JSON, but not an environment")
    return {"jsons": jsons, "reload": reload}
