from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flexlogger.errors import SinkError
from flexlogger.sinks.mlflow import MlflowSink
from tests.ports import free_port
from tests.sinks import logged
from tests.sinks.reading import mlflow_run, of_mlflow


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/runs.db"


@pytest.fixture(scope="module")
def tracking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's own server in a process group of its own."""
    folder, port = tmp_path_factory.mktemp("mlflow-server"), free_port()
    command = [sys.executable, "-W", "ignore", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/runs.db", "--artifacts-destination", str(folder / "art")]
    with (folder / "said").open("wb") as said:
        server = subprocess.Popen(
            [*command, "--workers", "1"], cwd=folder, stdout=said, stderr=said, start_new_session=True
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while not _answers(uri):
            assert server.poll() is None, (folder / "said").read_text()
            assert time.monotonic() < deadline, (folder / "said").read_text()
            time.sleep(0.2)
        yield uri
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_what_is_logged_is_on_a_tracking_server(tracking_server: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    with logged.logging({"mlflow": {"uri": tracking_server}}, run="served") as stat:
        logged.log_losses(stat, range(20))
        logged.log_the_rest(stat, 20)
        stat.add({"train_loss": math.nan, "test_loss": math.inf})
        stat.log(21)
        assert stat.flush(logged.WAIT_S)
        assert stat.status()["views"]["mlflow"]["left_out"] == {"matrix": 1, "histogram": 1}
    found = of_mlflow(tracking_server, "pets/served")
    expected = logged.losses(range(20))
    assert found["train_loss"][:-1] == expected["train_loss"]
    assert math.isnan(found["train_loss"][-1][1])
    assert found["test_loss"][:-1] == expected["test_loss"]
    assert found["test_loss"][-1][1] > 1e308
    assert found["recall.cat"] == [(20, 0.25)]
    run = mlflow_run(tracking_server, "pets/served")
    assert run.data.params == {"lr": "0.1", "net.sizes": "[8,16]"}
    assert run.info.run_name == "first"
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.note.content"] == "what it is about"
    assert run.data.tags["tags"] == "a, b"
    client = MlflowClient(tracking_uri=tracking_server)
    artifacts = {
        file.path
        for name in ("picture", "grid", "words", "rows")
        for file in client.list_artifacts(run.info.run_id, name)
    }
    assert artifacts == {"picture/20.png", "grid/20-0.png", "grid/20-1.png", "words/20.txt", "rows/20.json"}
    words = client.download_artifacts(run.info.run_id, "words/20.txt", str(tmp_path))
    assert Path(words).read_text() == "hello"


def test_a_run_that_is_taken_up_again_has_each_value_once(database: str) -> None:
    for steps, lr in ((range(10), 0.1), (range(10, 20), 0.2)):
        with logged.logging({"mlflow": {"uri": database}}, run="resumed", config={"lr": lr}) as stat:
            logged.log_losses(stat, steps)
            folder = stat.folder
    assert of_mlflow(database, "pets/resumed") == logged.losses(range(20))
    run = mlflow_run(database, "pets/resumed")
    assert (run.data.params["lr"], run.data.tags["config.lr"]) == ("0.1", "0.2")
    (folder / "mlflow.json").unlink()  # not even where it is not known how far it was sent
    with logged.logging({"mlflow": {"uri": database}}, run="resumed") as stat:
        logged.log_losses(stat, range(20, 25))
    assert of_mlflow(database, "pets/resumed") == logged.losses(range(25))


def test_each_place_is_sent_what_it_lacks(database: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    for steps, uris in ((range(10), [database]), (range(10, 20), [database, other]), (range(20, 30), [other])):
        with logged.logging(*({"mlflow": {"uri": uri}} for uri in uris), run="moved") as stat:
            logged.log_losses(stat, steps)
    assert of_mlflow(database, "pets/moved") == logged.losses(range(20))
    assert of_mlflow(other, "pets/moved") == logged.losses(range(30))


def test_a_run_that_crashed_has_failed(database: str) -> None:
    def crash() -> None:
        with logged.logging({"mlflow": {"uri": database}}, run="crashed") as stat:
            logged.log_losses(stat, range(2))
            assert stat.flush(logged.WAIT_S)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    assert mlflow_run(database, "pets/crashed").info.status == "FAILED"


def test_a_server_that_is_away_is_told_at_once_without_its_password(tmp_path: Path) -> None:
    sink = MlflowSink(tmp_path / "p" / "r", f"http://me:planted@127.0.0.1:{free_port()}")
    with pytest.raises(SinkError, match=r"no MLflow server answers at http://me:\*\*\*@127.0.0.1") as refused:
        sink.write([])
    assert "planted" not in str(refused.value)
