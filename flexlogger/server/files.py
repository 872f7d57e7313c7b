"""Files that are whole whenever somebody reads them, whatever kills the writer."""

from __future__ import annotations

import os
from pathlib import Path


def partial(path: Path, writer: str = "now") -> Path:
    """Return where `writer` prepares the next content of `path`.

    >>> partial(Path("envs/main.json")).name
    '.main.now.partial'
    """
    # visdom takes any file with ".json" in its name for an environment
    return path.with_name(f".{path.name.removesuffix('.json')}.{writer}.partial")


def write_through(path: Path, content: bytes) -> None:
    """Write `content` and wait until it is on the disk."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Give `path` new content in one step: readers see the old or the new, never a part."""
    beside = partial(path)
    write_through(beside, content)
    os.replace(beside, path)
