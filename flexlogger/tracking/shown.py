"""What an open run tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flexlogger.notebook import run_html
from flexlogger.records import Step
from flexlogger.session import Run
from flexlogger.tracking.rows import Rows
from flexlogger.tracking.summaries import Known


class Shown:
    """The part of a `TrackedRun` that says what the run is and how it is doing."""

    _run: Run
    _rows: Rows
    _known: Known
    _refused: dict[str, int]
    _finished: bool

    @property
    def session(self) -> Run:
        """The open run, which loggers of this process may share."""
        return self._run

    @property
    def id(self) -> str:
        """The run's id, which is its folder's name."""
        return self._run.id

    @property
    def name(self) -> str:
        """What it is called; may be set."""
        return self._run.name

    @name.setter
    def name(self, name: str) -> None:
        self._run.describe(name=name)

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self._run.project

    @property
    def tags(self) -> tuple[str, ...]:
        """The words it can be found by; may be set."""
        return self._run.identity.tags

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self._run.describe(tags=tags)

    @property
    def notes(self) -> str:
        """What there is to say about it; may be set."""
        return self._run.identity.notes

    @notes.setter
    def notes(self, notes: str) -> None:
        self._run.describe(notes=notes)

    @property
    def dir(self) -> Path:
        """Where its log lies."""
        return self._run.folder

    @property
    def url(self) -> str | None:
        """The dashboard's address, with the run's environment; None where no dashboard is drawn on."""
        return self._run.url

    @property
    def step(self) -> Step:
        """The step that what is logged next without one will have."""
        return self._rows.step

    @property
    def finished(self) -> bool:
        """True once it was ended."""
        return self._finished

    def status(self) -> dict[str, Any]:
        """Health in plain data: as `FlexLogger.status`."""
        return {"refused": dict(self._refused), **self._run.status()}

    def __repr__(self) -> str:
        return f"<flexlogger run {self.project}/{self.id}{f', {self.url}' if self.url else ''}>"

    def _repr_html_(self) -> str:
        """The last values and the dashboard's address, as a notebook shows them."""
        values = [(name, self._known.last(name)) for name in list(self._known.newest)]
        shown = [(name, f"{value:.6g}") for name, value in values if value is not None]
        return run_html(f"{self.project}/{self.name}", self.url, shown)
