"""Runs of other machines on this disk, written as they arrive."""

from __future__ import annotations

import hashlib
import os
import re
from collections import OrderedDict
from pathlib import Path

from flexlogger.errors import WireError
from flexlogger.net.tags import Frame
from flexlogger.runs.card import FILE
from flexlogger.runs.files import write_whole

MAX_OPEN = 256
_NAME = re.compile(r"[\w@+=,~ ()\[\]-][\w@+=,~ ()\[\].-]{0,199}")
_SEGMENT = re.compile(r"[\w.]+-\d+-\d+-\w+")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Store:
    """Keeps segments, blobs and cards below `base`, as `<base>/<project>/<run>/`.

    What comes from outside is only ever a name that is checked and bytes that are appended: nothing is overwritten but
    a card, and nothing lies anywhere else. Raises WireError for what it refuses, OSError where the disk does.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self._open: OrderedDict[Path, int] = OrderedDict()

    def folder(self, project: str, run: str) -> Path:
        """Where a run lies; raises WireError for names that are no folder's."""
        for what, name in (("project", project), ("run", run)):
            if not _NAME.fullmatch(name):
                raise WireError(f"{what}: expected a name that can be a folder's, got {name!r}")
        return self.base / project / run

    def size(self, folder: Path, name: str) -> int:
        """Bytes of a segment that are here."""
        return _size(self._segment(folder, name))

    def append(self, folder: Path, name: str, offset: int, content: Frame) -> int:
        """Write a part of a segment where it goes on from what is here; return the bytes that are here then.

        Bytes that are here already are passed over; a part that leaves a gap is not written.
        """
        path = self._segment(folder, name)
        return self._append(path, self.size(folder, name), offset, content)

    def _append(self, path: Path, size: int, offset: int, content: Frame) -> int:
        if not 0 <= offset <= size or offset + len(content) <= size:
            return size
        if not size:
            self._forget(path)  # it may have been deleted meanwhile
        fd = self._descriptor(path)
        rest = memoryview(content)[size - offset :]
        while rest:
            written = os.write(fd, rest)
            rest = rest[written:]
            size += written
        return size

    def append_blob(self, folder: Path, digest: str, offset: int, content: Frame, whole: int) -> int:
        """Take a part of a blob of `whole` bytes; return the bytes that are here then: all of them once it is kept.

        Raises WireError where it turns out not to be what its digest says.
        """
        path = self._blob(folder, digest)
        if not 0 <= offset + len(content) <= whole:
            raise WireError(f"blob {digest}: a part that ends at byte {offset + len(content)} of {whole}")
        if path.exists():
            return whole
        unfinished = path.with_name(f".new-{digest}")
        here = self._append(unfinished, _size(unfinished), offset, content)
        if here == whole:
            self._finish(unfinished, path, digest)
        return here

    def _finish(self, unfinished: Path, path: Path, digest: str) -> None:
        self._forget(unfinished)
        with unfinished.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            unfinished.unlink()
            raise WireError(f"blob {digest}: its content does not match its digest")
        unfinished.rename(path)

    def put_card(self, folder: Path, content: Frame) -> None:
        """Keep run.json."""
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / FILE, bytes(content))

    def close(self) -> None:
        """Close the files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _segment(self, folder: Path, name: str) -> Path:
        if not _SEGMENT.fullmatch(name):
            raise WireError(f"segment: expected a name <host>-<pid>-<start>-<random>, got {name!r}")
        return folder / f"{name}.jsonl"

    def _blob(self, folder: Path, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise WireError(f"blob: expected 64 hex digits, got {digest!r}")
        return folder / "blobs" / digest[:2] / digest

    def _forget(self, path: Path) -> None:
        fd = self._open.pop(path, None)
        if fd is not None:
            os.close(fd)

    def _descriptor(self, path: Path) -> int:
        fd = self._open.pop(path, None)
        if fd is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            if len(self._open) >= MAX_OPEN:
                os.close(self._open.popitem(last=False)[1])
        self._open[path] = fd
        return fd


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
