"""The artifacts of a project on disk: numbered versions, aliases, and the content they share.

    <project>/artifacts/<name>/v3/manifest.json      one version, made whole by one rename
    <project>/artifacts/<name>/aliases/best.json     an alias that was moved to a version made earlier
    <project>/artifacts/blobs/<2 digits>/<sha256>    content
    <project>/artifacts/.staging/                    what is being stored

Any number of processes may use one folder at once, without locks. A version's manifest names the aliases it was logged
with, so that a rename makes both; only when content is logged again that a version has already is a file of its own
written for each alias.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from flexlogger import faults
from flexlogger.errors import ArtifactError, UnknownNameError, ValueRefusedError, nearest, unknown
from flexlogger.runs import format as lines
from flexlogger.runs.files import write_whole
from flexlogger.tracking import manifest as manifests
from flexlogger.tracking.content import Content
from flexlogger.tracking.manifest import LATEST, Head, Manifest, check_name, number_of

MANIFEST = "manifest.json"
ABANDONED_S = 86400.0
"""What a killed process left half stored is removed by the next one a day later."""


class Moved(msgspec.Struct, frozen=True):
    """An alias moved by hand: to `version`, when `seen` was the newest one. Versions after `seen` may take it back."""

    version: int
    seen: int


_decode_moved = msgspec.json.Decoder(Moved).decode


class ArtifactStore:
    """The artifacts below the folder of a project. Holds nothing but a cache: what is on disk counts."""

    def __init__(self, project: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = project / "artifacts"
        self.content = Content(self.folder / manifests.CONTENT)
        self._clock = clock
        self._heads: dict[tuple[str, int, int], Head] = {}

    # ---- looking

    def names(self) -> list[str]:
        """The artifacts that have a version, sorted."""
        try:
            found = sorted(path.name for path in self.folder.iterdir() if path.name[0] != ".")
        except OSError:
            return []
        return [name for name in found if name != manifests.CONTENT and self.versions(name)]

    def versions(self, name: str) -> list[int]:
        """The numbers of an artifact's versions, rising."""
        try:
            found = [number_of(entry.name) for entry in os.scandir(self.folder / name)]
        except OSError:
            return []
        return sorted(number for number in found if number is not None)

    def aliases(self, name: str) -> dict[str, int]:
        """Every alias of an artifact and the version it stands for now."""
        found = {LATEST}
        for number in self.versions(name):
            head = self._head(name, number)
            found.update(head.aliases if head is not None else ())
        with suppress(OSError):
            found.update(entry.name.removesuffix(".json") for entry in os.scandir(self._moved_folder(name)))
        resolved = {alias: self._resolve(name, alias) for alias in sorted(found)}
        return {alias: number for alias, number in resolved.items() if number is not None}

    def find(self, spec: str) -> Manifest:
        """The version that `name`, `name:v3` or `name:alias` means; `name` alone is its latest.

        Raises UnknownNameError with what there is, ArtifactError where its manifest is damaged.
        """
        name, _, wanted = spec.partition(":")
        numbers = self.versions(check_name(name))
        if not numbers:
            raise UnknownNameError(f"{self.folder}: {unknown('artifact', name, self.names())}")
        number = self._resolve(name, wanted or LATEST)
        if number is None:
            raise UnknownNameError(self._no_such_version(name, wanted))
        return self._read(name, number)

    def _no_such_version(self, name: str, wanted: str) -> str:
        aliases = self.aliases(name)
        close = nearest(wanted, aliases) if number_of(wanted) is None else None
        meant = f"did you mean {close!r}? " if close else ""
        there = f"there are {', '.join(_ranges(self.versions(name)))} and the aliases {', '.join(aliases)}"
        return f"artifact {name}: unknown version or alias {wanted!r}; {meant}{there}"

    def newest(self, name: str) -> Manifest | None:
        """The highest version, None where there is none or it cannot be read."""
        numbers = self.versions(name)
        try:
            return self._read(name, numbers[-1]) if numbers else None
        except ArtifactError:
            return None

    def _resolve(self, name: str, alias: str) -> int | None:
        numbers = self.versions(name)
        number = number_of(alias)
        if number is not None:
            return number if number in numbers else None
        moved = self._moved(name, alias)
        for number in reversed(numbers):
            if moved is not None and number <= moved.seen:
                break
            if alias == LATEST or ((head := self._head(name, number)) is not None and alias in head.aliases):
                return number
        if moved is not None and moved.version in numbers:
            return moved.version
        return numbers[-1] if alias == LATEST and numbers else None

    # ---- reading

    def _path(self, name: str, number: int) -> Path:
        return self.folder / name / f"v{number}" / MANIFEST

    def _read(self, name: str, number: int) -> Manifest:
        path = self._path(name, number)
        try:
            return manifests.decode(path.read_bytes())
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            others = [other for other in self.versions(name) if other != number]
            instead = f"use another version ({', '.join(_ranges(others))}) or " if others else ""
            raise ArtifactError(
                f"artifact {name}:v{number}: its manifest {path} cannot be read ({error}); {instead}log it again"
            ) from error

    def _head(self, name: str, number: int) -> Head | None:
        """What tells a version from others; None, reported, where its manifest is damaged. Versions never change."""
        path = self._path(name, number)
        try:
            key = (name, number, path.stat().st_ino)
            if key not in self._heads:
                self._heads[key] = manifests.decode_head(path.read_bytes())
            return self._heads[key]
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            faults.log.warning("flexlogger: artifact %s:v%d: %s cannot be read (%s)", name, number, path, error)
            return None

    def _moved_folder(self, name: str) -> Path:
        return self.folder / name / "aliases"

    def _moved(self, name: str, alias: str) -> Moved | None:
        path = self._moved_folder(name) / f"{alias}.json"
        try:
            return _decode_moved(lines.unseal(path.read_bytes().rstrip(b"\n")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            faults.log.warning("flexlogger: artifact %s: alias file %s cannot be read (%s)", name, path, error)
            return None

    # ---- writing

    def stage(self) -> Path:
        """A new folder on the store's own file system for what is being stored; who asked for it removes it."""
        parent = self.folder / ".staging"
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.iterdir():
            with suppress(FileNotFoundError):  # its owner has just removed it
                if self._clock() - left.stat().st_mtime > ABANDONED_S:
                    shutil.rmtree(left, ignore_errors=True)
        folder = parent / f"{os.getpid()}-{secrets.token_hex(6)}"
        folder.mkdir()
        return folder

    def check_type(self, name: str, type: str) -> None:
        """Raise ValueRefusedError where the artifact has versions of another type."""
        for number in self.versions(name):
            head = self._head(name, number)
            if head is not None and head.type != type:
                raise ValueRefusedError(
                    f"artifact {name}: expected type {head.type!r} as in v{number}, but got {type!r}"
                )
            if head is not None:
                return

    def publish(self, draft: Manifest, staging: Path) -> Manifest:
        """Make a version of a draft whose content is stored, and return it; its `version` and `created` are set here.

        Where a version has the same content already that one is returned, and takes the draft's aliases. Raises
        ValueRefusedError where the artifact is of another type, OSError where the disk refuses.
        """
        while True:
            self.check_type(draft.name, draft.type)
            numbers = self.versions(draft.name)
            heads = ((number, self._head(draft.name, number)) for number in reversed(numbers))
            same = next((number for number, head in heads if head and head.digest == draft.digest), None)
            if same is not None:
                return self._again(draft, same)
            number = numbers[-1] + 1 if numbers else 0
            made = msgspec.structs.replace(draft, version=f"v{number}", created=self._clock())
            if self._create(made, number, staging):
                return made

    def alias(self, name: str, version: str, aliases: Iterable[str]) -> None:
        """Make aliases stand for a version that is there. Raises OSError where the disk refuses."""
        number, seen = number_of(version), self.versions(name)[-1]
        for alias in aliases:
            if number is not None and self._resolve(name, alias) != number:
                self._moved_folder(name).mkdir(parents=True, exist_ok=True)
                line = lines.seal(lines.encode_json(Moved(number, seen)))
                write_whole(self._moved_folder(name) / f"{alias}.json", line)

    def _create(self, made: Manifest, number: int, staging: Path) -> bool:
        """Rename a folder with the manifest into place; False where another process was first."""
        folder = staging / f"v{number}"
        folder.mkdir()
        (folder / MANIFEST).write_bytes(manifests.encode(made))
        target = self.folder / made.name / folder.name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(folder, target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            return False
        return True

    def _again(self, draft: Manifest, number: int) -> Manifest:
        there = self._read(draft.name, number)
        self.alias(draft.name, there.version, (LATEST, *draft.aliases))
        if draft.metadata not in ({}, there.metadata) or draft.description not in (None, there.description):
            faults.log.warning(
                "flexlogger: artifact %s has the content of %s, whose metadata and description stay as they are",
                draft.name,
                there.version,
            )
        return there


def _ranges(numbers: list[int]) -> list[str]:
    """Versions as a person would name them.

    >>> _ranges([0, 1, 2, 5])
    ['v0 … v2', 'v5']
    """
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return [f"v{first} … v{last}" if first != last else f"v{first}" for first, last in spans]
