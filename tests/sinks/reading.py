"""What sinks wrote, read back with the libraries it is for: {name: [(step, value), ...]} in the order found."""

from __future__ import annotations

import csv
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

Series = dict[str, list[tuple[float, float]]]


def of_csv(path: Path) -> Series:
    found: Series = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            for name, cell in row.items():
                if name not in ("step", "time") and cell:
                    found[name].append((float(row["step"]), float(cell)))
    return dict(found)


def of_jsonl(path: Path) -> Series:
    found: Series = defaultdict(list)
    for line in map(msgspec.json.decode, path.read_bytes().splitlines()):
        for name, value in line.get("values", {}).items():
            found[name].append((line["step"], float(value)))
    return dict(found)


def event_files(folder: Path) -> Any:
    """TensorBoard's own reader, with everything in memory."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), dict.fromkeys(("scalars", "images", "histograms", "tensors"), 0)).Reload()


def of_tensorboard(folder: Path) -> Series:
    events = event_files(folder)
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def text_of(events: Any, tag: str) -> str:
    return events.Tensors(tag)[-1].tensor_proto.string_val[0].decode()


def wandb_records(folder: Path) -> Iterator[Any]:
    """What W&B's own inspector prints of the files below a run's folder, as its messages."""
    from google.protobuf import text_format
    from wandb.proto import wandb_internal_pb2
    from wandb.util import get_core_path

    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb"), key=lambda file: file.stat().st_mtime):
        command = [get_core_path(), "leet", "--no-observability", "--inspect", "--run-file", str(file), str(folder)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        for text in printed.split("# record ")[1:]:
            yield text_format.Parse(text.partition("\n")[2], wandb_internal_pb2.Record())


def wandb_rows(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for record in wandb_records(folder):
        if record.WhichOneof("record_type") == "history":
            row: dict[str, Any] = {}
            for item in record.history.item:
                *above, last = item.nested_key or [item.key]
                within = row
                for name in above:
                    within = within.setdefault(name, {})
                within[last] = _json(item.value_json)
            rows.append(row)
    return rows


def _json(text: str) -> Any:
    return float(text.strip('"')) if text.strip('"') in ("NaN", "Infinity", "-Infinity") else msgspec.json.decode(text)


def of_wandb(folder: Path) -> Series:
    found: Series = defaultdict(list)
    for row in wandb_rows(folder):
        for name, value in row.items():
            if not name.startswith("_") and name != "step" and isinstance(value, int | float):
                found[name].append((row["step"], float(value)))
    return dict(found)


def mlflow_run(uri: str, run: str) -> Any:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(run.partition("/")[0])
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id], f"tags.`flexlogger.run` = '{run}'")
    return found


def of_mlflow(uri: str, run: str) -> Series:
    from mlflow import MlflowClient

    client, found = MlflowClient(tracking_uri=uri), mlflow_run(uri, run)
    histories = {name: client.get_metric_history(found.info.run_id, name) for name in found.data.metrics}
    return {name: sorted((entry.step, entry.value) for entry in history) for name, history in histories.items()}
