"""`flexlogger demo`."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from flexlogger.cli.common import new_app
from flexlogger.errors import ServerError
from flexlogger.server.process import ServerProcess, start_server

app = new_app()


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="How long to train.", min=1.0)] = 60.0,
    port: Annotated[int, typer.Option(help="Port of the dashboard; 0 takes a free one.", min=0, max=65535)] = 8097,
) -> None:
    """Train a small conv net on handwritten digits and watch its dashboard fill.

    In a terminal it goes on serving until Ctrl-C; otherwise it ends with the training.
    """
    with tempfile.TemporaryDirectory(prefix="flexlogger-demo-") as folder, _server(Path(folder), port) as server:
        url = _train(server, seconds)
        print(f"dashboard: {url}", flush=True)
        if sys.stdout.isatty():
            print("serving until Ctrl-C")
            _until_interrupted()


def _train(server: ServerProcess, seconds: float) -> str:
    from importlib.resources import as_file, files

    import torch

    from flexlogger.demo import train
    from flexlogger.logger import FlexLogger

    torch.set_num_threads(1)  # so small a net is fastest on one, and the dashboard needs the other
    with as_file(files("flexlogger.configs") / "digits.yaml") as config:
        stat = FlexLogger.from_config(config, server="127.0.0.1", port=server.port, env="digits")
    with stat:
        print(f"dashboard: {stat.url}", flush=True)
        print(f"training for about {seconds:g} s; the run log is in {stat.folder}", flush=True)
        epochs = train(stat, seconds)
        stat.flush()
        print(f"trained {epochs} epochs: test accuracy {stat.last('test_acc'):.3f}, loss {stat.last('test_loss'):.3f}")
        assert stat.url is not None  # the config draws on visdom
        return stat.url


@contextmanager
def _server(folder: Path, port: int) -> Iterator[ServerProcess]:
    """A server on `port`, or on a free one where that is taken."""
    try:
        server = start_server(folder, port)
    except ServerError as error:
        print(f"flexlogger demo: {error}; taking a free port instead", file=sys.stderr)
        server = start_server(folder, 0)
    with server:
        yield server


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
