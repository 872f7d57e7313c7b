"""The files that an artifact takes in, before it is logged."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import weakref
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from flexlogger.errors import ValueRefusedError
from flexlogger.tracking.manifest import check_path


class Source(NamedTuple):
    """A file that is taken in as `path`; `seen` tells whether it has changed since."""

    path: str
    file: Path
    seen: tuple[int, int]


class Sources:
    """Files by their path in an artifact, and a folder of ours for those that are made for it.

    `where` begins every error.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._sources: dict[str, Source] = {}
        self._files: dict[Path, Source] = {}
        self._folders: set[str] = set()
        self._own: Path | None = None

    def __len__(self) -> int:
        return len(self._sources)

    def sorted(self) -> list[Source]:
        """All of them, by path."""
        return [self._sources[path] for path in sorted(self._sources)]

    def add(self, name: str, file: Path) -> None:
        """Take in a regular file. Raises ValueRefusedError where it is none, or where its name is taken or unsafe."""
        path = check_path(name)
        folders = {str(parent) for parent in PurePosixPath(path).parents}
        known = self._sources.get(path)
        if (known is not None and known.file != file) or path in self._folders or folders & self._sources.keys():
            raise ValueRefusedError(f"{self._where}: {path!r} is in it already, as a file or a folder")
        source = Source(path, file, self._seen(file))
        earlier = self._files.setdefault(file, source)
        if earlier.seen != source.seen:
            raise ValueRefusedError(
                f"{self._where}: {file} was added as {earlier.path!r} and has changed since; files are read when the "
                "artifact is logged, so write each to a file of its own, or use new_file"
            )
        self._sources[path] = source
        self._folders |= folders

    def below(self, root: Path) -> list[Path]:
        """Every file below a folder. Raises ValueRefusedError at a link that leads out of it or to a folder."""
        inside = root.resolve()
        found = []

        def unreadable(error: OSError) -> None:
            raise ValueRefusedError(f"{self._where}: {error.filename}: {error.strerror}") from error

        for folder, folders, files in os.walk(root, onerror=unreadable):
            for each in folders:
                if os.path.islink(os.path.join(folder, each)):
                    raise ValueRefusedError(f"{self._where}: {folder}/{each} is a link to a folder; add that folder")
            for each in files:
                file = Path(folder, each)
                if file.is_symlink() and not file.resolve().is_relative_to(inside):
                    leads = f"{file} leads out of {root}, to {file.resolve()}"
                    raise ValueRefusedError(f"{self._where}: {leads}; use add_file for it")
                found.append(file)
        return sorted(found)

    def own_file(self) -> Path:
        """A path for a new file of ours. Such files go when they are removed by `forget`, or with this object."""
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix="flexlogger-artifact-"))
            weakref.finalize(self, _remove, self._own, os.getpid())
        return self._own / str(len(os.listdir(self._own)))

    def forget(self) -> None:
        """Let go of all files; ours are removed."""
        self._sources.clear()
        self._files.clear()
        if self._own is not None:
            _remove(self._own, os.getpid())

    def _seen(self, file: Path) -> tuple[int, int]:
        try:
            status = file.stat()
        except OSError as error:
            raise ValueRefusedError(f"{self._where}: {file} cannot be read ({error.strerror})") from error
        if not stat.S_ISREG(status.st_mode):
            raise ValueRefusedError(f"{self._where}: {file} is a folder or a device; expected a regular file")
        return status.st_size, status.st_mtime_ns


def _remove(folder: Path, pid: int) -> None:
    """Remove a folder of ours; a forked child leaves its parent's alone."""
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
