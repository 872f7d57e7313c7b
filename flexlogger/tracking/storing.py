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
                raise refused(name, store, error, f"{source.path} cannot be copied from {source.file}") from error
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
        free = f"; {shutil.disk_usage(store.folder.parent).free / 1e6:,.0f} MB are free in {store.folder}"
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
            entries = tuple(self._adopt(each) for each in self._copied)
            draft = msgspec.structs.replace(self._draft, digest=digest_of(entries), entries=entries)
            made = self._store.publish(draft, self._staging)
            self._note(made)
            self.future.set_result(made)
        except OSError as error:
            self._failed(refused(self.name, self._store, error))
        except FlexLoggerError as error:
            self._failed(error)
        except Exception as error:
            faults.swallow("storing an artifact", error)
            self.future.set_exception(ArtifactError(f"artifact {self.name}: storing it failed ({error})"))
        finally:
            shutil.rmtree(self._staging, ignore_errors=True)

    def _adopt(self, copied: Copied) -> Entry:
        if copied.entry is not None:
            return copied.entry
        assert copied.copy is not None
        return self._store.content.adopt(copied.copy, copied.path, self._advance)

    def _advance(self, size: int) -> None:
        self._done += size

    def _failed(self, error: FlexLoggerError) -> None:
        faults.log.warning("flexlogger: %s", error)
        self.future.set_exception(error)

    def wait(self, timeout: float | None = None) -> Manifest:
        """The version, once it is made. Raises what kept it from being made, ArtifactError where time runs out."""
        with Progress(f"storing {self.name}", self._total) as progress:
            while True:
                step = 0.1 if timeout is None else min(timeout, 0.1)
                try:
                    return self.future.result(step)
                except FutureTimeoutError:
                    if self.future.done():
                        raise
                    timeout = None if timeout is None else timeout - step
                if timeout is not None and timeout <= 0:
                    raise ArtifactError(f"artifact {self.name}: not stored in time; it is being stored still")
                progress.done = self._done
                progress.show()
