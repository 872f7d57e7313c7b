"""The page's scripts and styles, fetched once with npm and served from this package: no browser leaves the machine.

`assets.lock.json` beside this file lists every npm package with the hash of its tarball and what we take out of it.
visdom's own files (its page, main.js, three style sheets) are not copied: the server takes them from the installed
visdom. Standard library only: setup.py runs this file by its path to put the assets into a wheel.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TypedDict

LOCK = Path(__file__).with_name("assets.lock.json")
STATIC = Path(__file__).with_name("static")
COMMAND = "flexlogger assets"
STAMP = "assets.digest"


class Entry(TypedDict):
    """One package of the lock file: the hash of its tarball, and {file in it: place in ``static``}."""

    integrity: str
    files: dict[str, str]


class AssetError(Exception):
    """The assets cannot be fetched; the message says what to do."""


def digest() -> str:
    """Return a short hash of the lock file: it names one set of assets."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]


def ready(static: Path = STATIC) -> bool:
    """Whether `static` holds the assets that the lock file asks for."""
    try:
        return (static / STAMP).read_text() == digest()
    except OSError:
        return False


def fetch(static: Path = STATIC, progress: Callable[[str], None] = lambda line: None) -> None:
    """Fetch every package, check its hash and put the files in `static` at once: all of them or none.

    `progress` is given one line per package. Raises `AssetError` where npm is missing or fails, where a hash is not
    the locked one, and where the folder cannot be written.
    """
    static = static.absolute()  # npm runs in a folder of its own
    npm = shutil.which("npm")
    if npm is None:
        raise AssetError(f"npm was not found on the PATH; install Node.js (its npm is enough), then run: {COMMAND}")
    lock: dict[str, Entry] = json.loads(LOCK.read_text())
    try:
        static.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=static.parent, prefix=".static-") as folder:
            fresh, tarballs = Path(folder, "static"), Path(folder, "npm")
            fresh.mkdir()
            tarballs.mkdir()
            with ThreadPoolExecutor(4) as pool:
                jobs = [pool.submit(_package, npm, spec, entry, tarballs, fresh) for spec, entry in lock.items()]
                for count, (spec, job) in enumerate(zip(lock, jobs, strict=True), 1):
                    progress(f"[{count}/{len(lock)}] {spec}: {job.result()} files")
            (fresh / STAMP).write_text(digest())
            if static.exists():
                static.rename(Path(folder, "old"))
            fresh.rename(static)
    except OSError as error:
        raise AssetError(f"cannot write {static}: {error}; run this as its owner: {COMMAND}") from error


def _package(npm: str, spec: str, entry: Entry, tarballs: Path, static: Path) -> int:
    """Fetch one package and copy what the lock names; return the number of files."""
    folder = tarballs / spec
    folder.mkdir()
    command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), spec]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    packed = list(folder.glob("*.tgz"))
    if done.returncode or len(packed) != 1:
        reason = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise AssetError(f"npm could not fetch {spec}: {reason}; check the network, then run: {COMMAND}")
    found = "sha512-" + base64.b64encode(hashlib.sha512(packed[0].read_bytes()).digest()).decode()
    if found != entry["integrity"]:
        raise AssetError(f"{spec} is not what was locked: expected {entry['integrity']}, got {found}; nothing was kept")
    return _unpack(packed[0], spec, entry["files"], static)


def _unpack(tarball: Path, spec: str, wanted: dict[str, str], static: Path) -> int:
    with tarfile.open(tarball) as archive:
        members = {member.name.partition("/")[2]: member for member in archive if member.isfile()}
        count = 0
        for source, target in _targets(wanted, members, spec):
            content = archive.extractfile(members[source])
            assert content is not None  # only files were listed
            path = static / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            count += 1
    return count


def _targets(wanted: dict[str, str], names: Collection[str], spec: str) -> Iterator[tuple[str, PurePosixPath]]:
    """Pair each file to take with its place; a source ending in ``/**`` takes a folder with all below it."""
    for source, target in wanted.items():
        prefix = source.removesuffix("**") if source.endswith("/**") else None
        matches = [source] if prefix is None else [name for name in names if name.startswith(prefix)]
        if not matches or matches[0] not in names:
            raise AssetError(f"{spec} holds no {source}: {LOCK.name} and the package disagree")
        for match in matches:
            yield match, PurePosixPath(target) if prefix is None else PurePosixPath(target, match.removeprefix(prefix))
