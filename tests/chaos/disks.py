"""Disks that fill up, turn read-only, hang: real file systems, mounted for one test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class Disk:
    """A mounted file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Take every byte that is left."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        """Give them back."""
        self._ballast.unlink()

    def break_down(self) -> None:
        """Let the kernel find an error on it: it turns read-only under the files that are open."""
        device = os.path.basename(_mounts()[str(self.folder)])
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("a test")

    def freeze(self) -> None:
        """From now on every write waits, as on a network share whose server is gone."""
        _run("fsfreeze", "--freeze", str(self.folder))

    def thaw(self) -> None:
        """Let the writes go on."""
        _run("fsfreeze", "--unfreeze", str(self.folder))

    def lock(self, folder: Path) -> None:
        """Let nobody make a file in a folder, root neither; the files that are there can be written."""
        _run("chattr", "+i", str(folder))

    def unlock(self, folder: Path) -> None:
        """Take that back."""
        _run("chattr", "-i", str(folder))


@contextmanager
def small_memory_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """A tmpfs."""
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs") as disk:
        yield disk


@contextmanager
def disk_image(folder: Path, megabytes: int) -> Iterator[Disk]:
    """An ext4 in a file, which turns read-only at its first error, as most systems have it."""
    image = folder.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    _run("mkfs.ext4", "-q", str(image))
    with _mounted(folder, "-o", "loop,errors=remount-ro", str(image)) as disk:
        yield disk


@contextmanager
def _mounted(folder: Path, *arguments: str) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    folder.mkdir()
    try:
        _run("mount", *arguments, str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine mounts no {arguments}: {error}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", str(folder)], capture_output=True, check=False)
        _run("umount", str(folder))


def _mounts() -> dict[str, str]:
    """Device of each mounted folder."""
    pairs = [line.split()[:2] for line in Path("/proc/mounts").read_text().splitlines()]
    return {folder: device for device, folder in pairs}


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
