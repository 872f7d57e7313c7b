"""The bytes of artifacts: files named by their sha256, stored once, copied in and out without being read whole."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from flexlogger.tracking.manifest import Entry

CHUNK = 1 << 20
COPY_CHUNK = 32 << 20
"""In-kernel copies go in steps of this size, so that progress can be shown."""

Advance = Callable[[int], None]
"""Told how many bytes are done."""


class DamagedError(Exception):
    """Stored content is gone or is not what its digest says."""


class Content:
    """Content-addressed files below `folder`. A file is whole or absent: it is made elsewhere and moved into place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Where the content with this digest lies."""
        return self.folder / digest[:2] / digest

    def holds(self, digest: str, source: Path, advance: Advance) -> bool:
        """True where the stored content equals the file `source`, byte by byte; the first difference ends it."""
        compared = 0
        try:
            with open(self.path(digest), "rb") as ours, open(source, "rb") as theirs:
                while (left := ours.read(CHUNK)) == theirs.read(CHUNK):
                    if not left:
                        return True
                    compared += len(left)
                    advance(len(left))
        except OSError:
            pass
        advance(-compared)
        return False

    def adopt(self, staged: Path, path: str, advance: Advance) -> Entry:
        """Move a file of ours in under its digest, in place of what may be there: a damaged one is mended so."""
        digest, size = hash_file(staged, advance)
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # some file systems know no modes
            os.chmod(staged, 0o444)  # content never changes
        os.replace(staged, target)
        return Entry(path, digest, size)

    def copy_out(self, entry: Entry, target: Path, advance: Advance) -> None:
        """Copy content to `target`, which is replaced when the copy is whole and checked.

        A file there that has this content already is left alone. Raises DamagedError where what is stored does not
        match its digest, OSError where the disk refuses.
        """
        if _is(target, entry, advance):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".new-{secrets.token_hex(4)}")
        try:
            copy_file(self.path(entry.digest), temporary, advance)
            if hash_file(temporary, _ignore) != (entry.digest, entry.size):
                raise DamagedError(f"the stored {self.path(entry.digest)} does not match its digest")
            os.replace(temporary, target)
        except FileNotFoundError as error:
            if not self.path(entry.digest).exists():
                raise DamagedError(f"the stored {self.path(entry.digest)} is missing") from error
            raise
        finally:
            temporary.unlink(missing_ok=True)


def _ignore(size: int) -> None:
    pass


def _is(path: Path, entry: Entry, advance: Advance) -> bool:
    """True where a file is what an entry says."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.size:
        return False
    same = hash_file(path, _ignore)[0] == entry.digest
    if same:
        advance(entry.size)
    return same


def hash_file(path: Path, advance: Advance) -> tuple[str, int]:
    """The sha256 and the size of a file, read piece by piece."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
            size += len(piece)
            advance(len(piece))
    return digest.hexdigest(), size


_NOT_IN_KERNEL = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM)


def copy_file(source: Path, target: Path, advance: Advance) -> tuple[int, int]:
    """Copy a regular file to a new one, and return the size and the time of change (ns) that it has afterwards.

    Within the kernel where that is possible: file systems that can share blocks (btrfs, XFS) then copy nothing.
    """
    with open(source, "rb", buffering=0) as old, open(target, "xb", buffering=0) as new:
        if not _copy_in_kernel(old.fileno(), new.fileno(), advance):
            while piece := old.read(CHUNK):
                _write_all(new.fileno(), piece)
                advance(len(piece))
        status = os.fstat(old.fileno())
    return status.st_size, status.st_mtime_ns


def _copy_in_kernel(old: int, new: int, advance: Advance) -> bool:
    """Copy from one descriptor to another; False, with nothing copied, where the system cannot (or /proc pretends)."""
    copied = 0
    copy = getattr(os, "copy_file_range", None)
    while copy is not None:
        try:
            done = copy(old, new, COPY_CHUNK)
        except OSError as error:
            if copied or error.errno not in _NOT_IN_KERNEL:
                raise
            return False
        if not done:
            return copied > 0
        copied += done
        advance(done)
    return False


def _write_all(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]
