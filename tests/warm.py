"""Python that has imported torch already: a script begins within milliseconds, without the seconds of that import.

A server forks for each script before it has done anything but import, so a script has an interpreter of its own, with
`__main__`, arguments, exit status and an end like any other's.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import CodeType

from tests.processes import Process

ROOT = Path(__file__).parent.parent
IMPORTED = ("torch", "torch.distributed", "flexlogger.logger", "flexlogger.sinks.visdom")
_STREAMS = 4
"""What is sent with a script: standard input, output and error, and where to tell its number and status."""


class _Server:
    """The asking side. It is started by the first script of a test session and ends with it."""

    def __init__(self) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        begin = f"from tests.warm import serve\nexec(serve({other.fileno()}))"
        self._process = subprocess.Popen(
            [sys.executable, "-c", begin],
            cwd=ROOT,
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        other.close()
        atexit.register(self._end)

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()

    def start(self, asked: dict[str, object], streams: list[int]) -> None:
        socket.send_fds(self._socket, [json.dumps(asked).encode()], streams)


_server: _Server | None = None


def start(
    script: str,
    *arguments: object,
    stdin: int = subprocess.DEVNULL,
    env: dict[str, str] | None = None,
    start_new_session: bool = False,
) -> Process:
    """Run a script as `python -c` does. `stdin` is subprocess.DEVNULL or subprocess.PIPE."""
    global _server
    _server = _server or _Server()
    asked = {
        "script": script,
        "arguments": list(map(str, arguments)),
        "environment": dict(env or os.environ),
        "folder": os.getcwd(),
        "session": start_new_session,
    }
    given = os.pipe() if stdin == subprocess.PIPE else (os.open(os.devnull, os.O_RDONLY), -1)
    out, errors, told = os.pipe(), os.pipe(), os.pipe()
    theirs = [given[0], out[1], errors[1], told[1]]
    try:
        _server.start(asked, theirs)
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    return Process(told[0], given[1], out[0], errors[0])


# ---- in the server


def serve(descriptor: int) -> CodeType:
    """Fork for every script that is asked for; return it in the child, which runs it as its own `__main__`."""
    for name in IMPORTED:
        __import__(name)
    gc.freeze()  # what was imported is not collected again at the end of every script
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for pytest, which then goes away
    asking = socket.socket(fileno=descriptor)
    with selectors.DefaultSelector() as waiting:
        waiting.register(asking, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.data is not None:
                    waiting.unregister(key.fd)
                    _tell_end(key.fd, *key.data)
                    continue
                message, streams, _, _ = socket.recv_fds(asking, 2**20, _STREAMS)
                if not message:
                    os._exit(0)
                asked = json.loads(message)
                pid = os.fork()
                if pid == 0:
                    return _become(asked, streams)
                for stream in streams[:3]:
                    os.close(stream)
                os.write(streams[3], b"%d\n" % pid)
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, streams[3]))


def _tell_end(descriptor: int, pid: int, told: int) -> None:
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
    os.close(told)


def _become(asked: dict[str, object], streams: list[int]) -> CodeType:
    for number, stream in enumerate(streams[:3]):
        os.dup2(stream, number)
    os.closerange(3, 4096)
    if asked["session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(str(asked["folder"]))
    os.environ.clear()
    os.environ.update(dict(asked["environment"]))  # type: ignore[call-overload]
    sys.argv = ["-c", *asked["arguments"]]  # type: ignore[misc]
    return compile(str(asked["script"]), "<string>", "exec", dont_inherit=True)
