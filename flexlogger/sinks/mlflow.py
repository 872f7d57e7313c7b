"""An MLflow tracking server or database, through MLflow's own client."""

from __future__ import annotations

import os
import posixpath
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from flexlogger.errors import SinkError
from flexlogger.records import Datum, Event, Item, Record
from flexlogger.runs.ledger import Ledger
from flexlogger.runs.secrets import hide
from flexlogger.sinks.about import Sent, as_text, flat
from flexlogger.sinks.scalars import LeftOut, Numbers, WholeSteps, is_short

RUN = "flexlogger.run"
"""The tag that an MLflow run is found by when ours is taken up again."""
MOST_METRICS, MOST_PARAMS = 1000, 100
"""What MLflow takes at once."""
LONGEST = 5000
"""Letters of a parameter or tag."""
REACH_S = 3.0
_WORDS = {"finished": "FINISHED", "crashed": "FAILED"}


class MlflowSink:
    """Logs to an MLflow run: numbers as metrics, hyper-parameters as parameters, name, notes, tags and what the summary
    was set to as tags; images, texts, tables and plotly's figures as artifacts.

    `uri` is the tracking server's or a database's (`sqlite:///mlflow.db`), else MLFLOW_TRACKING_URI, else MLflow's own
    default. `experiment` is the run's project if not given. In names, letters that MLflow refuses become `_`; steps
    become integers. A parameter cannot change there: its later values are tags. A run that is taken up again is found
    by its tag, and is sent what is new.
    """

    def __init__(self, folder: Path, uri: str | None = None, experiment: str | None = None) -> None:
        self._run_name = f"{folder.parent.name}/{folder.name}"
        self._experiment = experiment or folder.parent.name
        self._uri = uri
        place = uri or os.environ.get("MLFLOW_TRACKING_URI", "")
        self._sent = Sent(folder / "mlflow.json", f"{hide(place)} {self._experiment}")
        self._numbers = Numbers()
        self._steps = WholeSteps("mlflow")
        self._ledger = Ledger()
        self._summary: dict[str, Any] = {}
        self._left_out = LeftOut("mlflow")
        self.left_out = self._left_out.counts
        self._client: Any = None
        self._run = ""
        self._done = 0  # items of a batch whose artifacts are sent, where it could not be sent whole
        self._params: dict[str, str] = {}
        self._tags: dict[str, str] = {}

    def write(self, batch: Sequence[Item]) -> None:
        """Log the records of a batch. Raises SinkError where no server takes them."""
        if not self._done:
            self._note(batch)
        with _translated():
            self._open()
            records = [item for item in batch if isinstance(item, Record) and item.time > self._sent.before]
            for record in records[self._done :]:
                self._log_artifacts(record)
                self._done += 1
            for metrics in _parts((metric for record in records for metric in self._metrics(record)), MOST_METRICS):
                self._client.log_batch(self._run, metrics=metrics)  # one that is there already is not added again
        self._done = 0
        for record in records:
            self._sent.note(record.time)

    def _note(self, batch: Sequence[Item]) -> None:
        self._numbers.note(batch)
        self._ledger.write(batch)
        for item in batch:
            if isinstance(item, Event) and item.kind == "summary":
                self._summary.update(hide(item.info.get("set", {})))

    def _metrics(self, record: Record) -> Iterator[Any]:
        from mlflow.entities import Metric

        time, step = round(1000 * record.time), self._steps.of(record.step)
        for name, value in self._numbers.of(record).items():
            yield Metric(allowed(name), value, time, step)

    def _log_artifacts(self, record: Record) -> None:
        for datum in record.data:
            if datum.kind in _ARTIFACTS:
                name = f"{allowed(datum.name)}/{self._steps.of(record.step)}"
                _ARTIFACTS[datum.kind](self._client, self._run, name, datum)
            elif not is_short(datum):
                self._left_out.add(datum)

    # ---- the run there

    def _open(self) -> None:
        if self._run:
            return
        import mlflow

        self._client = mlflow.MlflowClient(tracking_uri=self._uri)
        _reach(self._client.tracking_uri)
        found = self._client.get_experiment_by_name(self._experiment)
        experiment = found.experiment_id if found is not None else self._client.create_experiment(self._experiment)
        runs = self._client.search_runs([experiment], f"tags.`{RUN}` = '{self._run_name}'", max_results=1)
        if runs:
            self._params = dict(runs[0].data.params)
            self._client.update_run(runs[0].info.run_id, status="RUNNING")
            self._run = runs[0].info.run_id
        else:
            card = self._ledger.card()
            start, name = round(1000 * card.start), card.name or self._run_name
            run = self._client.create_run(experiment, start, {RUN: self._run_name}, name)
            self._run = run.info.run_id

    def flush(self) -> None:
        """Send what has changed of what the run is, and that it has ended."""
        if not self._run:
            return
        with _translated():
            self._tell()
            end = self._ledger.end
            if end is not None:
                self._client.set_terminated(self._run, _WORDS.get(end.status, "KILLED"), round(1000 * end.time))
        self._sent.keep()

    def _tell(self) -> None:
        from mlflow.entities import Param, RunTag

        card = self._ledger.card()
        config = {allowed(name): as_text(value)[:LONGEST] for name, value in flat(card.config).items()}
        new = [Param(name, value) for name, value in config.items() if name not in self._params]
        for params in _parts(new, MOST_PARAMS):
            self._client.log_batch(self._run, params=params)
            self._params |= {param.key: param.value for param in params}
        tags = {f"config.{name}": value for name, value in config.items() if self._params[name] != value}
        tags |= {f"summary.{allowed(name)}": as_text(value)[:LONGEST] for name, value in self._summary.items()}
        tags |= {"mlflow.runName": card.name} if card.name else {}
        tags |= {"mlflow.note.content": card.notes} if card.notes else {}
        tags |= {"tags": ", ".join(card.tags)} if card.tags else {}
        changed = [RunTag(name, value) for name, value in tags.items() if self._tags.get(name) != value]
        for some in _parts(changed, MOST_PARAMS):
            self._client.log_batch(self._run, tags=some)
            self._tags |= {tag.key: tag.value for tag in some}

    def close(self) -> None:
        """Nothing is held open."""


@contextmanager
def _translated() -> Iterator[None]:
    """Make ours of whatever the library raises: its errors, requests' and the database's."""
    try:
        yield
    except SinkError:
        raise
    except Exception as error:
        raise SinkError(f"MLflow does not take what is logged ({_first_line(error)})") from error


def _parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _reach(uri: str) -> None:
    """See whether a server answers, before MLflow's own client goes on trying for minutes."""
    if not uri.startswith(("http://", "https://")):
        return
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=REACH_S).close()
    except urllib.error.HTTPError:
        return  # it answers
    except OSError as error:
        raise SinkError(f"no MLflow server answers at {hide(uri)} ({getattr(error, 'reason', error)})") from error


def allowed(name: str) -> str:
    """A name as MLflow takes it.

    >>> allowed("loss@rank0"), allowed("val/loss"), allowed("../x")
    ('loss_rank0', 'val/loss', '.._x')
    """
    name = re.sub(r"[^\w.\- :/]", "_", name)[:250]
    return name if posixpath.normpath(name) == name and name[:1] not in "./" else name.replace("/", "_")


# ---- what values become


def _image(client: Any, run: str, name: str, datum: Datum) -> None:
    from PIL import Image

    assert not isinstance(datum.value, str)
    client.log_image(run, Image.fromarray(datum.value), artifact_file=f"{name}.png")


def _images(client: Any, run: str, name: str, datum: Datum) -> None:
    from PIL import Image

    for number, image in enumerate(datum.value):
        client.log_image(run, Image.fromarray(image), artifact_file=f"{name}-{number}.png")


def _text(client: Any, run: str, name: str, datum: Datum) -> None:
    client.log_text(run, datum.value, f"{name}.txt")


def _json(client: Any, run: str, name: str, datum: Datum) -> None:
    client.log_dict(run, msgspec.json.decode(str(datum.value)), f"{name}.json")


_ARTIFACTS = {"image": _image, "images": _images, "text": _text, "table": _json, "figure": _json}
