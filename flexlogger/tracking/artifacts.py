"""Artifacts: files and tables kept under a name, in versions, with their content checked when it is used."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

from flexlogger.config.hyper import plain_data
from flexlogger.errors import ArtifactError, UnknownNameError, ValueRefusedError, unknown
from flexlogger.runs.format import plain
from flexlogger.tracking import objects
from flexlogger.tracking.content import DamagedError
from flexlogger.tracking.manifest import Entry, Manifest, check_name, check_path
from flexlogger.tracking.progress import Progress
from flexlogger.tracking.sources import Source, Sources
from flexlogger.tracking.store import ArtifactStore
from flexlogger.tracking.storing import Storing

DOWNLOADS = "artifacts"
"""The folder below the current one that `download` uses unless told otherwise."""


class Artifact:
    """Files under a name. Gather them here and log the artifact: each log of new content is a version.

    `name` has letters, digits, '_', '-' and '.'; `type` is a word ("dataset", "model"), the same for all versions;
    `metadata` is plain data.

    Files are named now and read when the artifact is logged. Raises ValueRefusedError.

    >>> artifact = Artifact("iris", type="dataset", metadata={"rows": 2})
    >>> with artifact.new_file("iris.csv") as file:
    ...     print("5.1,3.5", "4.9,3.0", sep=chr(10), file=file)
    >>> artifact
    Artifact('iris', type='dataset', 1 file, not logged)
    """

    def __init__(
        self, name: str, type: str, description: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        self.name = check_name(name)
        if not isinstance(type, str) or not type:
            raise ValueRefusedError(f"artifact {name}: type: expected a word such as 'dataset', but got {type!r}")
        self.type = type
        self.description = description
        self.metadata: dict[str, Any] = dict(metadata or {})
        self._sources = Sources(f"artifact {name}")
        self._store: ArtifactStore | None = None
        self._storing: Storing | None = None
        self._found: Manifest | None = None

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], name: str, type: str) -> Self:
        """An artifact of one file, or of all files below a folder."""
        artifact = cls(name, type)
        if Path(path).is_dir():
            artifact.add_dir(path)
        else:
            artifact.add_file(path)
        return artifact

    @classmethod
    def from_version(cls, store: ArtifactStore, manifest: Manifest) -> Self:
        """The artifact that a version in a store is."""
        artifact = cls(manifest.name, manifest.type, manifest.description, manifest.metadata)
        artifact._store, artifact._found = store, manifest
        return artifact

    # ---- gathering

    def add(self, value: Any, name: str) -> str:
        """Take in a table, an image, HTML or a histogram, as it is now; `get(name)` returns it.

        Returns the name of the file that holds it, such as iris_table.table.json.
        """
        self._check_open()
        target = self._sources.own_file()
        path = objects.write(value, check_path(name), target)
        self._sources.add(path, target)
        return path

    def add_file(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Take in a file, as `name` if given. It is read when the artifact is logged."""
        self._check_open()
        file = Path(path).absolute()
        self._sources.add(name if name is not None else file.name, file)

    def add_dir(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Take in all files below a folder, below the folder `name` of the artifact if given.

        A link to a file within the folder is taken in as a file; a link that leads out of it, or to a folder, is
        refused. Empty folders are left out.
        """
        self._check_open()
        root = Path(path).absolute()
        if not root.is_dir():
            raise ValueRefusedError(f"artifact {self.name}: add_dir: expected a folder, but {root} is none")
        for file in self._sources.below(root):
            below = file.relative_to(root).as_posix()
            self._sources.add(f"{name}/{below}" if name is not None else below, file)

    @contextmanager
    def new_file(self, name: str, mode: str = "w", encoding: str | None = None) -> Iterator[IO[Any]]:
        """Open a new file that is taken in as `name` once it is closed."""
        self._check_open()
        check_path(name)
        target = self._sources.own_file()
        with open(target, mode, encoding=encoding) as file:
            yield file
        self._sources.add(name, target)

    def _check_open(self) -> None:
        if self.logged:
            raise ValueRefusedError(f"artifact {self.name}: it is logged and does not change; make a new Artifact")

    # ---- being logged

    @property
    def logged(self) -> bool:
        """True once it is logged, or where `use_artifact` found it."""
        return self._store is not None

    @property
    def sources(self) -> list[Source]:
        """The files that were taken in, by name; none once it is logged."""
        return self._sources.sorted()

    def draft(self, run: str, aliases: Sequence[str]) -> Manifest:
        """What a version of it will say, its content aside."""
        metadata = plain(plain_data(self.metadata))
        return Manifest(self.name, self.type, "", "", 0.0, (), run, tuple(aliases), self.description, metadata)

    def stored_by(self, store: ArtifactStore, storing: Storing) -> None:
        """Say that its content was taken: it is about to be a version of the store's."""
        self._store, self._storing = store, storing
        self._sources.forget()

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until it is stored, and return it. Raises ArtifactError where that fails or takes longer."""
        self._version(timeout)
        return self

    # ---- once logged; all of it waits until the artifact is stored

    @property
    def version(self) -> str:
        """v0, v1 …"""
        return self._version().version

    @property
    def digest(self) -> str:
        """The sha256 that versions with the same content share."""
        return self._version().digest

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(entry.size for entry in self._version().entries)

    @property
    def aliases(self) -> list[str]:
        """The aliases that stand for this version now."""
        manifest = self._version()
        assert self._store is not None
        there = self._store.aliases(self.name)
        return [alias for alias, number in there.items() if f"v{number}" == manifest.version]

    def files(self) -> list[File]:
        """Its files, by name."""
        return [File(self, entry) for entry in sorted(self._version().entries, key=lambda entry: entry.path)]

    def get_path(self, name: str) -> File:
        """One file, by its name or the name that `add` was given. Raises UnknownNameError."""
        entries = {entry.path: entry for entry in self._version().entries}
        names = [name, *(name + form.suffix for form in objects.FORMS.values())]
        found = next((entries[each] for each in names if each in entries), None)
        if found is None:
            raise UnknownNameError(f"artifact {self._called()}: {unknown('file', name, entries)}")
        return File(self, found)

    def get(self, name: str) -> Any:
        """What `add` was given as `name`: a table, an image … Raises UnknownNameError."""
        file = self.get_path(name)
        form = objects.form_of(file.path)
        if form is None:
            instead = f"get_path({name!r}).download() returns the path of a copy"
            raise ValueRefusedError(f"artifact {self._called()}: {name!r} was added as a file; {instead}")
        with tempfile.TemporaryDirectory(prefix="flexlogger-artifact-") as folder:
            return form.read(Path(file.download(folder)))

    def download(self, root: str | os.PathLike[str] | None = None) -> str:
        """Copy its files into the folder `root` (./artifacts/<name>/<version> if not given) and return that folder.

        Each is checked against its digest. Files that are there already are kept where they are the same and replaced
        where they are not; others in the folder are left alone. Raises ArtifactError where what is stored is damaged.
        """
        return self._copy_out(self._version().entries, root)

    def _copy_out(self, entries: Sequence[Entry], root: str | os.PathLike[str] | None) -> str:
        manifest = self._version()
        folder = Path(root) if root is not None else Path(DOWNLOADS, self.name, manifest.version)
        assert self._store is not None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = f"cannot be copied to {folder} ({error.strerror or error})"
            raise ArtifactError(f"artifact {self._called()} {why}") from error
        with Progress(f"copying {self._called()}", sum(entry.size for entry in entries)) as progress:
            for entry in entries:
                target = folder / entry.path
                try:
                    self._store.content.copy_out(entry, target, progress.advance)
                except DamagedError as error:
                    repair = "use another version, or log the same file again, which mends every version that has it"
                    raise ArtifactError(f"artifact {self._called()}: {entry.path}: {error}; {repair}") from error
                except OSError as error:
                    why = f"cannot be copied to {target} ({error.strerror or error})"
                    raise ArtifactError(f"artifact {self._called()}: {entry.path} {why}") from error
        return str(folder)

    def _version(self, timeout: float | None = None) -> Manifest:
        if self._storing is not None:
            return self._storing.wait(timeout)
        if self._found is None:
            raise ArtifactError(f"artifact {self.name}: it is not logged yet; log_artifact makes a version of it")
        return self._found

    def _called(self) -> str:
        return f"{self.name}:{self._version().version}"

    def __repr__(self) -> str:
        count = len(self._found.entries) if self._found is not None else len(self._sources)
        files = f"{count} file{'s' * (count != 1)}, " if self._found is not None or not self.logged else ""
        state = "not logged" if not self.logged else self._found.version if self._found is not None else "logged"
        return f"Artifact({self.name!r}, type={self.type!r}, {files}{state})"


class File:
    """One file of a version: its `path` (also `name`) within the artifact, its `size` in bytes, its `digest`."""

    def __init__(self, artifact: Artifact, entry: Entry) -> None:
        self.path = self.name = entry.path
        self.size = entry.size
        self.digest = entry.digest
        self._artifact = artifact
        self._entry = entry

    def download(self, root: str | os.PathLike[str] | None = None) -> str:
        """Copy it below the folder `root`, as `Artifact.download` does, and return the path of the copy."""
        return str(Path(self._artifact._copy_out([self._entry], root), self.path))

    def __repr__(self) -> str:
        return f"File({self.path!r}, {self.size:,} bytes)"
