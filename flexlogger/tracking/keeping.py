"""What a run does with artifacts: log them and use them, and note both in its log."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flexlogger.errors import FlexLoggerError, ValueRefusedError
from flexlogger.tracking.artifacts import Artifact
from flexlogger.tracking.manifest import LATEST, Manifest, check_alias, safe_name
from flexlogger.tracking.store import ArtifactStore
from flexlogger.tracking.storing import Storing, refused, take

Note = Callable[[dict[str, Any]], object]
"""Takes the info of an "artifact" event: name, type, version, digest, use, aliases."""

MODEL = "model"


class RunArtifacts:
    """The artifacts of a project as one run sees them.

    What is logged is copied while the caller waits: afterwards its files may change. Hashing and publishing happen in
    a thread, in the order of the calls; `artifact.wait()` or `wait` waits for it, and so does the interpreter's exit.
    `note` is told of each version logged or used; for one that is logged, from that thread.
    """

    def __init__(self, project: Path, run: str, note: Note) -> None:
        self.store = ArtifactStore(project)
        self._run = run
        self._note = note
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._thread = ThreadPoolExecutor(1, "flexlogger-artifacts")
        self._lock = threading.Lock()
        self._pending: list[Storing] = []

    # ---- logging

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,
        aliases: str | Sequence[str] | None = None,
    ) -> Artifact:
        """Log an artifact, or the file or folder at a path, and return it; the version gets the aliases and `latest`.

        `name` and `type` are for paths: run-<id>-<file name> and "unspecified" if not given. An artifact that is logged
        already gets the aliases.

        Raises ValueRefusedError for what cannot be logged, ArtifactError where a file cannot be read or copied.
        """
        names = _aliases(aliases)
        if isinstance(artifact_or_path, Artifact):
            artifact = artifact_or_path
            if name not in (None, artifact.name) or type not in (None, artifact.type):
                raise ValueRefusedError(f"artifact {artifact.name}: name and type are said when it is made")
        else:
            path = Path(artifact_or_path)
            called = name if name is not None else safe_name(f"run-{self._run}-{path.absolute().name}")
            artifact = Artifact.from_path(path, called, type if type is not None else "unspecified")
        self._log(artifact, names)
        return artifact

    def log_model(
        self, path: str | os.PathLike[str], name: str | None = None, aliases: str | Sequence[str] | None = None
    ) -> Artifact:
        """Log the file or folder of a model; as `log_artifact` with type "model"."""
        return self.log_artifact(path, name, MODEL, aliases)

    def _log(self, artifact: Artifact, aliases: Sequence[str]) -> None:
        if os.getpid() != self._pid:
            self._begin()  # a forked child: the parent's thread is not here, its work not ours
        if artifact.logged:
            self._alias(artifact, aliases)
            return
        self.store.check_type(artifact.name, artifact.type)
        storing = self._copy(artifact, aliases)
        artifact.stored_by(self.store, storing)
        with self._lock:
            self._pending = [each for each in self._pending if not each.future.done()] + [storing]
        try:
            self._thread.submit(storing.run)
        except RuntimeError:  # the interpreter ends: no thread starts any more
            storing.run()

    def _alias(self, artifact: Artifact, aliases: Sequence[str]) -> None:
        try:
            self.store.alias(artifact.name, artifact.version, [LATEST, *aliases])
        except OSError as error:
            raise refused(artifact.name, self.store, error, "it cannot be given aliases") from error

    def _copy(self, artifact: Artifact, aliases: Sequence[str]) -> Storing:
        try:
            staging = self.store.stage()
        except OSError as error:
            raise refused(artifact.name, self.store, error) from error
        try:
            copied = take(self.store, artifact.name, artifact.sources, staging)
            draft = artifact.draft(self._run, aliases)
            given = [LATEST, *aliases]
            return Storing(self.store, draft, copied, staging, lambda made: self._noted(made, given, False))
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise

    # ---- using

    def use_artifact(self, artifact_or_name: Artifact | str, type: str | None = None) -> Artifact:
        """Find `name`, `name:v3` or `name:alias`; the latest where no version is named.

        Raises UnknownNameError with what there is, ValueRefusedError where it is not of the type asked for,
        ArtifactError where it is damaged.
        """
        if isinstance(artifact_or_name, Artifact):
            artifact = artifact_or_name.wait()
            spec = f"{artifact.name}:{artifact.version}"
        else:
            spec = artifact_or_name
        self._settle(spec.partition(":")[0])
        manifest = self.store.find(spec)
        if type not in (None, manifest.type):
            raise ValueRefusedError(f"artifact {spec}: expected type {type!r}, but it is of type {manifest.type!r}")
        found = Artifact.from_version(self.store, manifest)
        self._noted(manifest, found.aliases, True)
        return found

    def use_model(self, name: str) -> str:
        """Copy a model out and return the path of its file, or of its folder where it has several files."""
        artifact = self.use_artifact(name)
        folder = artifact.download()
        files = artifact.files()
        return str(Path(folder, files[0].path)) if len(files) == 1 else folder

    def _settle(self, name: str) -> None:
        """Let what this run has logged under a name become versions first; what fails has been told."""
        for storing in [each for each in self._pending if each.name == name]:
            try:
                storing.wait()
            except FlexLoggerError:
                continue

    def _noted(self, manifest: Manifest, aliases: Sequence[str], use: bool) -> None:
        shown = {key: getattr(manifest, key) for key in ("name", "type", "version", "digest")}
        self._note({**shown, "use": use, "aliases": list(aliases)})

    # ---- the end

    def wait(self, patience: float | None = None) -> bool:
        """Wait until all that was logged is stored, however long that takes, unless nothing moves for `patience`
        seconds; False where some of it is not stored. What failed was told."""
        done = True
        for storing in list(self._pending):
            try:
                storing.wait(patience=patience)
            except FlexLoggerError:
                done = False
        return done


def _aliases(aliases: str | Sequence[str] | None) -> list[str]:
    names = [aliases] if isinstance(aliases, str) else list(aliases or ())
    return [check_alias(name) for name in names if name != LATEST]
