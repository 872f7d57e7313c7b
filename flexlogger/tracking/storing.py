"""How an artifact gets to disk: its content is copied while the caller waits, and made a version behind his back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import NamedTuple

import msgspec

from flexlogger import faults
from flexlogger.errors import ArtifactError, FlexLoggerError
from flexlogger.tracking.content import Advance, copy_file
from flexlogger.tracking.manifest import Entry, Manifest, digest_of
from flexlogger.tracking.progress import Progress
from flexlogger.tracking.sources import Source
from flexlogger.tracking.store import ArtifactStore

POLL_S = 0.1


class Copied(NamedTuple):
    """A source's content as it was: a copy of ours, or an entry where the store has it already."""

    path: str
    copy: Path | None
    entry: Entry | None


def take(store: ArtifactStore, name: str, sources: Sequence[Source], staging: Path) -> list[Copied]:
    """Copy what the sources hold now to `staging`, except what the newest version holds already.

    Raises ArtifactError where a file cannot be read or the disk refuses.
    """
    newest = store.newest(name)
    known = {entry.path: entry for entry in newest.entries} if newest is not None else {}
    copied = []
    with Progress(f"copying {name}", sum(_size(source.file) for source in sources)) as progress:
        for number, source in enumerate(sources):
            entry = known.get(source.path)
            if entry is not None and _has(store, entry, source, progress.advance):
                copied.append(Copied(source.path, None, entry))
                continue
            copy = staging / str(number)
            try:
                seen = copy_file(source.file, copy, progress.advance)
            except OSError as error:
                shutil.rmtree(staging, ignore_errors=True)  # before the room that is left is looked at
                what = f"{source.path} ({_size(source.file) / 1e6:,.1f} MB) cannot be copied from {source.file}"
                raise refused(name, store, error, what) from error
            if seen != source.seen:
                faults.log.warning("flexlogger: artifact %s: %s changed after it was added", name, source.file)
            copied.append(Copied(source.path, copy, None))
    return copied


def _has(store: ArtifactStore, entry: Entry, source: Source, advance: Advance) -> bool:
    return entry.size == _size(source.file) and store.content.holds(entry.digest, source.file, advance)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # told when it is copied


def refused(name: str, store: ArtifactStore, error: OSError, what: str = "it cannot be stored") -> ArtifactError:
    """What to tell where the operating system refuses: why, and how much room there is."""
    try:
        free = f"; {shutil.disk_usage(store.folder.parent).free / 1e6:,.1f} MB are free in {store.folder}"
    except OSError:
        free = f", in {store.folder}"
    why = error.strerror or str(error)
    return ArtifactError(f"artifact {name}: {what} ({why}){free}; no version was made of it")


class Storing:
    """One artifact on its way: `run` in the background makes the version and tells `note`, `wait` returns it."""

    def __init__(
        self,
        store: ArtifactStore,
        draft: Manifest,
        copied: Sequence[Copied],
        staging: Path,
        note: Callable[[Manifest], object],
    ) -> None:
        self.name = draft.name
        self.future: Future[Manifest] = Future()
        self._store = store
        self._draft = draft
        self._copied = copied
        self._staging = staging
        self._note = note
        self._total = sum(_size(copy) for _, copy, _ in copied if copy is not None)
        self._done = 0

    def run(self) -> None:
        """Hash what was copied, move it into the store and publish the version; the outcome is the future's."""
        try:
            outcome: Manifest | FlexLoggerError = self._publish()
        except OSError as error:
            shutil.rmtree(self._staging, ignore_errors=True)
            outcome = refused(self.name, self._store, error)
        except FlexLoggerError as error:
            outcome = error
        except Exception as error:
            faults.swallow("storing an artifact", error)
            outcome = ArtifactError(f"artifact {self.name}: storing it failed ({error})")
        shutil.rmtree(self._staging, ignore_errors=True)
        if isinstance(outcome, Manifest):
            self._tell(outcome)
            self.future.set_result(outcome)
        else:
            faults.log.warning("flexlogger: %s", outcome)
            self.future.set_exception(outcome)

    def _publish(self) -> Manifest:
        entries = tuple(self._adopt(each) for each in self._copied)
        draft = msgspec.structs.replace(self._draft, digest=digest_of(entries), entries=entries)
        return self._store.publish(draft, self._staging)

    def _tell(self, made: Manifest) -> None:
        try:
            self._note(made)
        except Exception as error:
            faults.swallow("noting an artifact", error)

    def _adopt(self, copied: Copied) -> Entry:
        if copied.entry is not None:
            return copied.entry
        assert copied.copy is not None
        return self._store.content.adopt(copied.copy, copied.path, self._advance)

    def _advance(self, size: int) -> None:
        self._done += size

    def wait(self, timeout: float | None = None, patience: float | None = None) -> Manifest:
        """The version, once it is made. Raises what kept it from being made, ArtifactError after `timeout` seconds or
        after `patience` seconds in which nothing moved."""
        waited = idle = 0.0
        with Progress(f"storing {self.name}", self._total) as progress:
            while True:
                try:
                    return self.future.result(POLL_S if timeout is None else min(POLL_S, max(timeout - waited, 0.0)))
                except FutureTimeoutError:
                    waited += POLL_S
                    idle = idle + POLL_S if progress.done == self._done else 0.0
                if (timeout is not None and waited >= timeout) or (patience is not None and idle >= patience):
                    raise ArtifactError(f"artifact {self.name}: not stored in time; it is being stored still")
                progress.done = self._done
                progress.show()
