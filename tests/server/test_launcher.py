"""Starting a server: what it says, what it refuses, what it weighs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

import flexlogger
from flexlogger.errors import ServerError
from flexlogger.server.process import ServerProcess, start_server
from tests.server.peers import get, show
from tests.servers import RunFlexlogger

SERVER = [sys.executable, "-m", "flexlogger.server"]


def test_one_line_says_where_it_is(tmp_path: Path) -> None:
    command = [*SERVER, "--port", "0", "--env-path", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == ""
    start, _, port = line.rpartition(":")
    assert start == "flexlogger server: http://127.0.0.1"
    assert int(port) > 0
    assert process.returncode == 0


def test_json_says_it_for_programs(fresh_server: ServerProcess) -> None:
    assert fresh_server.url == f"http://127.0.0.1:{fresh_server.port}"
    assert psutil.Process(fresh_server.pid).is_running()
    assert fresh_server.env_path.is_absolute()


def test_it_listens_on_this_machine_only(server: ServerProcess) -> None:
    listening = [c.laddr.ip for c in psutil.Process(server.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


def test_a_port_in_use_is_one_line(server: ServerProcess, tmp_path: Path, run_flexlogger: RunFlexlogger) -> None:
    ended = run_flexlogger("server", "--port", str(server.port), "--env-path", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        f"flexlogger server: port {server.port} on 127.0.0.1 is taken; "
        "if not by your dashboard, choose another with --port (0 finds a free one)\n"
    )


def test_a_folder_in_use_is_one_line(server: ServerProcess) -> None:
    with pytest.raises(ServerError, match=r"another server has .* in use; give this one its own with --env-path"):
        start_server(server.env_path)


@pytest.mark.parametrize("arguments", [("--port", "x"), ("--port", "70000"), ("--save-every", "0"), ("--nothing",)])
def test_what_it_does_not_understand_is_status_2(run_flexlogger: RunFlexlogger, arguments: tuple[str, ...]) -> None:
    ended = run_flexlogger("server", *arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_the_port_may_come_from_the_environment(tmp_path: Path, run_flexlogger: RunFlexlogger) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run_flexlogger("server", "--env-path", str(tmp_path), env={**os.environ, "FLEXLOGGER_PORT": port})
    assert f"port {port} " in ended.stderr


def test_a_server_stays_small(fresh_server: ServerProcess) -> None:
    assert psutil.Process(fresh_server.pid).memory_info().rss < 80e6  # 44 MB; visdom's own is 240 MB with torch
    mapped = {Path(region.path).name for region in psutil.Process(fresh_server.pid).memory_maps()}
    assert not [name for name in mapped if "torch" in name or "numpy" in name]


def test_files_that_change_do_not_restart_it(fresh_server: ServerProcess) -> None:
    show(fresh_server, "unsaved", "w")
    Path(flexlogger.__file__).touch()
    show(fresh_server, "unsaved", "v")
    assert psutil.Process(fresh_server.pid).is_running()


def test_the_page_asks_for_nothing_elsewhere(server: ServerProcess) -> None:
    page = get(server, "/env/main")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert page.text.count("<script") == page.text.count(f'<script nonce="{nonce}"')
    addresses = re.findall(r"""(?:src|href)=['"]?([^'"\s>]+)""", re.sub("<!--.*?-->", "", page.text, flags=re.DOTALL))
    assert len(addresses) > 15
    for address in addresses:
        assert address.startswith(("/static/", "/user/", "favicon.png")), address
        assert get(server, "/" + address.lstrip("/")).status_code in (200, 204), address


def test_missing_scripts_are_said_and_cost_nothing(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from flexlogger.server import assets\n"
    code += "assets.ready = lambda static=None: False\n"
    code += "from flexlogger.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "server", "--json", "--port", "0", "--env-path", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        bare: Any = ServerProcess.__new__(ServerProcess)
        bare.url = json.loads(process.stdout.readline())["url"]
        show(bare, "main", "w")
        assert "flexlogger assets" in get(bare, "/").text
        process.terminate()
        assert process.stderr.read() == (
            "flexlogger server: the page's scripts are not installed; run: flexlogger assets "
            "(what is logged is kept meanwhile)\n"
        )
    assert process.returncode == 0
    assert (tmp_path / "main.json").exists()


def test_without_visdom_one_line_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys, importlib.util as util; find = util.find_spec\n"
    code += "util.find_spec = lambda name, package=None: None if name == 'visdom' else find(name, package)\n"
    code += "from flexlogger.cli import main; sys.exit(main(['server', '--port', '0', '--env-path', sys.argv[1]]))"
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr == (
        "flexlogger server: flexlogger server needs visdom, which is not installed; "
        "install it with: pip install 'flexlogger[server]' (or: flexlogger doctor --fix)\n"
    )


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerError, match=r"did not start: .*cannot keep environments in"):
        start_server(tmp_path / "file" / "envs")


def test_a_killed_server_is_gone(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        server.kill()
        assert not psutil.pid_exists(server.pid)
    shutil.rmtree(tmp_path)
