"""Weights & Biases, through its own library: online, or as files of it to be synced later."""

from __future__ import annotations

import netrc
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from flexlogger.errors import SinkError
from flexlogger.records import Datum, Item, Record
from flexlogger.runs.ledger import Ledger
from flexlogger.sinks.about import Sent
from flexlogger.sinks.scalars import LeftOut, Numbers, is_short

STEP = "step"
"""The metric that the others are drawn over: W&B's own step only counts up by whole numbers."""


class WandbSink:
    """Logs to a W&B run of the same id, name, tags, notes and hyper-parameters, and sets its summary at the end.

    Takes numbers, images, histograms, texts, tables and, where plotly is installed, its figures; matrices, curves and
    points are tables. `folder` is the run's; W&B's files are kept in it. The script's own `wandb.run` is left alone.

    With `mode="offline"` nothing is sent; `wandb sync` does that. Without a mode it is WANDB_MODE, or online: then
    somebody has to have logged in (`wandb login`). A run that is taken up again is sent what is new.
    """

    def __init__(
        self, folder: Path, project: str | None = None, entity: str | None = None, mode: str | None = None
    ) -> None:
        self._folder = folder
        self._project = project or folder.parent.name
        self._entity = entity
        self._mode = mode or os.environ.get("WANDB_MODE") or "online"
        self._sent = Sent(folder / "wandb.json", f"{entity or ''}/{self._project}")
        self._numbers = Numbers()
        self._ledger = Ledger()
        self._left_out = LeftOut("wandb")
        self.left_out = self._left_out.counts
        self._run: Any = None
        self._done = 0  # items of a batch that could not be sent whole
        self._told: dict[str, Any] = {}

    def write(self, batch: Sequence[Item]) -> None:
        """Log the records of a batch. Raises SinkError where W&B does not take them."""
        if not self._done:
            self._numbers.note(batch)
            self._ledger.write(batch)
        run = self._opened()
        for item in islice(batch, self._done, None):
            if isinstance(item, Record) and item.time > self._sent.before:
                row = self._row(item)
                if row:
                    with _translated():
                        run.log({STEP: item.step, "_timestamp": item.time, **row})
                self._sent.note(item.time)
            self._done += 1
        self._done = 0

    def _row(self, record: Record) -> dict[str, Any]:
        row: dict[str, Any] = self._numbers.of(record)
        for datum in record.data:
            if is_short(datum):
                continue
            with _translated():
                value = _media(datum)
            if value is None:
                self._left_out.add(datum)
            else:
                row[datum.name] = value
        return row

    def _opened(self) -> Any:
        if self._run is None:
            if self._mode == "online" and not _logged_in():
                raise SinkError("nobody is logged in to W&B: run `wandb login`, or say `wandb: {mode: offline}`")
            import wandb

            self._folder.mkdir(parents=True, exist_ok=True)
            card = self._ledger.card()
            about = {"name": card.name or self._folder.name, "tags": card.tags, "notes": card.notes}
            with _translated():
                self._run = wandb.init(
                    project=self._project,
                    entity=self._entity,
                    id=re.sub(r"[^\w.-]", "-", self._folder.name),
                    config=card.config,
                    dir=str(self._folder),
                    mode=self._mode,  # type: ignore[arg-type]  # one of its words; the check saw to that
                    resume="allow" if self._mode == "online" else None,
                    reinit="create_new",
                    settings=_settings(),
                    **about,  # type: ignore[arg-type]  # as their names say
                )
                self._run.define_metric(STEP, hidden=True)
                self._run.define_metric("*", step_metric=STEP, step_sync=True)
            self._told = {**about, "config": card.config}
        return self._run

    def flush(self) -> None:
        """Send what has changed of what the run is, and of a run that has ended its summary."""
        if self._run is None:
            return
        card = self._ledger.card()
        about = {"name": card.name or self._folder.name, "tags": card.tags, "notes": card.notes, "config": card.config}
        for key, value in about.items():
            if self._told.get(key) != value:
                with _translated():
                    self._set(key, value)
                self._told[key] = value
        if self._ledger.end is not None:
            with _translated():
                self._run.summary.update(card.summary)
        self._sent.keep()

    def _set(self, key: str, value: Any) -> None:
        if key == "config":
            self._run.config.update(value, allow_val_change=True)
        else:
            setattr(self._run, key, tuple(value) if key == "tags" else value)

    def close(self) -> None:
        """Finish the W&B run, as failed where ours did not finish."""
        if self._run is not None:
            end = self._ledger.end
            self._run.finish(exit_code=0 if end is not None and end.status == "finished" else 1)


@contextmanager
def _translated() -> Iterator[None]:
    """Make ours of whatever the library raises: its errors, and those of the process that it talks to."""
    try:
        yield
    except Exception as error:
        raise SinkError(f"W&B does not take what is logged ({error})") from error


def _settings() -> Any:
    """Only what is logged is sent: no output of the terminal, no code, no sight of the machine."""
    import wandb

    return wandb.Settings(
        console="off", silent=True, disable_git=True, disable_code=True, save_code=False, x_disable_stats=True
    )


def _logged_in() -> bool:
    """Whether W&B would not ask for a key, which the thread of a view must not."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    for path in (os.environ.get("NETRC"), Path.home() / ".netrc", Path.home() / "_netrc"):
        try:
            if path and netrc.netrc(path).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False


def _media(datum: Datum) -> Any:
    """What W&B has for a value, None where it has nothing."""
    import wandb

    value: Any = datum.value
    if datum.kind == "image":
        return wandb.Image(value, caption=datum.captions[0] if datum.captions else None)
    if datum.kind == "images":
        captions = datum.captions or (None,) * len(value)
        return [wandb.Image(image, caption=caption) for image, caption in zip(value, captions, strict=False)]
    if datum.kind == "histogram":
        return wandb.Histogram(np_histogram=(value[1, :-1], value[0]))
    if datum.kind == "text":
        return value
    if datum.kind == "figure":
        return _figure(value)
    return _table(datum.kind, value)


def _figure(value: str) -> Any:
    try:
        from plotly.io import from_json
    except ImportError:
        return None
    import wandb

    return wandb.Plotly(from_json(value))


def _table(kind: str, value: Any) -> Any:
    import wandb

    if kind == "table":
        table = msgspec.json.decode(value)
        names: list[str | int] = [str(name) for name in table["columns"]]
        return wandb.Table(columns=names, data=table["rows"])
    if kind == "curve":
        return wandb.Table(columns=["x", "y"], data=value.T.tolist())
    if kind == "points":
        return wandb.Table(columns=[*("x", "y", "class")[: value.shape[1]]], data=value.tolist())
    if kind == "matrix":
        return wandb.Table(columns=list(range(value.shape[1])), data=value.tolist())
    return None
