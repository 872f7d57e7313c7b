"""Who may talk to a server, and what a name may be: each hole of a bare visdom server, tried and found closed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import websocket
from hypothesis import assume, given
from hypothesis import strategies as st

from flexlogger.config.names import SAFE_NAME, name_refusal
from flexlogger.server.names import MAX_BYTES, refusal
from flexlogger.server.process import ServerProcess, start_server
from tests.server.peers import browser, envs, exists, get, post, show
from tests.servers import RunFlexlogger

EVIL_NAMES = [
    "../../victim/secret",
    "..",
    ".hidden",
    "",
    "a\\",
    "..\\victim",
    "line\nbreak",
    "nul\x00",
    "quote'",
    'quote"',
    "<script>alert(1)</script>",
    "&amp;",
    "a.json",
    "x" * (MAX_BYTES + 1),
    7,
    ["a"],
    {"a": 1},
]


@pytest.mark.parametrize(
    "name", ["digits", "2024-05-01 10:30", "lr=0.1,wd=1e-4 (best)", "日本語", "a+b", "user@host", "_x", "a/b"]
)
def test_everyday_names_are_fine(name: str) -> None:
    assert refusal(name) is None


@given(st.from_regex(SAFE_NAME, fullmatch=True, alphabet=st.characters(max_codepoint=0x17F)))
def test_what_a_config_may_ask_for_the_server_takes(name: str) -> None:
    assume(name_refusal(name) is None and len(name.encode()) <= MAX_BYTES)
    assert refusal(name) is None


@pytest.mark.parametrize("name", EVIL_NAMES, ids=repr)
def test_evil_names_are_refused_wherever_they_come_in(server: ServerProcess, name: object) -> None:
    before = envs(server)
    for path, body in [
        ("/events", {"eid": name, "win": "w", "data": [{"type": "text", "content": ""}], "layout": {}}),
        ("/update", {"eid": name, "win": "w", "data": [], "layout": {}}),
        ("/env/main", {"eid": name}),
        ("/save", {"data": [name]}),
        ("/fork_env", {"prev_eid": "main", "eid": name}),
        ("/fork_env", {"prev_eid": name, "eid": "copy"}),
        ("/delete_env", {"eid": name}),
        ("/win_data", {"eid": name, "win": None, "data": "{}"}),
        ("/close", {"eid": name, "win": None}),
    ]:
        answer = post(server, path, body)
        assert answer.status_code == 400, (path, answer.text)
        assert "is refused" in answer.json()["error"]
    with browser(server) as page:
        page.send(cmd="save", eid=name, prev_eid="main", data={})
        page.send(cmd="delete_env", eid=name)
        page.send(cmd="close", eid=name, data="w")
        page.send(cmd="layout_item_update", eid=name, win="w", data={})
        page.send(cmd="forward_to_vis", data={"eid": name, "target": "w"})
        page.send(cmd="pop_embeddings_pane", data={"eid": name, "target": "w"})
        page.settle()
    assert envs(server) == before


@pytest.mark.parametrize("path", ["/env/%5C", "/env/..", "/env/a%22b", "/compare/main+%3Cb%3E", "/env//etc"])
def test_evil_names_in_addresses_are_refused(server: ServerProcess, path: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as raw:  # requests would tidy the path
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{server.port}\r\nConnection: close\r\n\r\n".encode())
        status = raw.makefile("rb").readline().split()[1]
    assert status in (b"400", b"200")
    if status == b"200":
        assert path == "/env//etc"  # becomes _etc, an environment that does not exist


@pytest.mark.parametrize("victim", ["../victim/secret", "{absolute}/secret"])
def test_no_file_outside_the_folder_is_deleted(fresh_server: ServerProcess, victim: str) -> None:
    folder = fresh_server.env_path.parent / "victim"
    folder.mkdir()
    secret = folder / "secret.json"
    secret.write_text("{}")
    name = victim.format(absolute=folder)
    post(fresh_server, "/env/x", {"eid": name})
    with browser(fresh_server) as page:
        page.send(cmd="delete_env", eid=name)
        page.settle()
    assert secret.exists()


def test_no_file_outside_the_folder_is_read(fresh_server: ServerProcess) -> None:
    folder = fresh_server.env_path.parent
    (folder / ".json").write_text('{"jsons": {"w": {"content": "secret"}}, "reload": {}}')
    with browser(fresh_server) as page:
        post(fresh_server, f"/env/{folder}", {"sid": page.sid})
        show(fresh_server, "main", "next")
        post(fresh_server, "/env/main", {"sid": page.sid})
        assert page.wait_for("window")["id"] == "next"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example:8097"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
    ids=str,
)
def test_strangers_pages_are_refused(server: ServerProcess, headers: dict[str, str]) -> None:
    body = {"eid": "csrf", "win": "w", "data": [{"type": "text", "content": ""}], "layout": {}}
    answer = post(server, "/events", body, **headers, **{"Content-Type": "text/plain"})
    assert answer.status_code == 403
    assert "csrf" not in envs(server)
    for page in ("/", "/env/main", "/static/js/main.js", "/user/style.css", "/nothing"):
        assert get(server, page, **headers).status_code == 403


@pytest.mark.parametrize("path", ["socket", "vis_socket"])
@pytest.mark.parametrize("options", [{"origin": "http://evil.example"}, {"host": "evil.example"}], ids=str)
def test_strangers_sockets_are_refused(server: ServerProcess, path: str, options: dict[str, str]) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(f"ws://127.0.0.1:{server.port}/{path}", timeout=20, **options)
    assert refused.value.status_code == 403


def test_a_tunnel_to_another_port_works(server: ServerProcess) -> None:
    assert get(server, "/", Host="localhost:9000", Origin="http://localhost:9000").status_code == 200


def test_nothing_tells_how_the_server_works(server: ServerProcess) -> None:
    for path in ("/error/x", "/static/../../x", "/static/nothing.js", "/socket_wrap", "/login"):
        answer = get(server, path)
        assert answer.status_code in (403, 404)
        assert "Traceback" not in answer.text
        assert "site-packages" not in answer.text
    assert "tornado" not in get(server, "/").headers["Server"].lower()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"eid": "x"}',
        b"[" * 100_000,
        b'{"data": 5}',
        b"\xff",
        b'{"win": ["a"], "data": [{"type": "text"}]}',
    ],
    ids=lambda body: repr(body[:20]),
)
@pytest.mark.parametrize(
    "path", ["/events", "/update", "/win_data", "/save", "/fork_env", "/env/main", "/compare/main"]
)
def test_odd_bodies_are_refused_in_one_line(server: ServerProcess, path: str, body: bytes) -> None:
    answer = post(server, path, body)
    assert answer.status_code in (200, 400, 404)
    if answer.status_code != 200:
        assert answer.json()["error"].count("\n") == 0


def test_an_unknown_env_is_named(server: ServerProcess) -> None:
    answer = post(server, "/update", {"eid": "nobody", "win": "w", "append": True, "data": [], "layout": {}})
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no env 'nobody'"})


def test_odd_commands_of_a_page_leave_the_server_alive(server: ServerProcess) -> None:
    with browser(server) as page:
        for message in (
            "",
            "{",
            "7",
            "[]",
            "{}",
            '{"cmd": 1}',
            '{"cmd": "close"}',
            '{"cmd": "save_layouts", "data": 7}',
        ):
            page.connection.send(message)
        page.settle()
    assert exists(server, "main", "w") is False


def test_a_page_cannot_hold_memory_without_end(tmp_path: Path) -> None:
    with start_server(tmp_path) as server, browser(server):
        backlog = 0
        while backlog < 400 * 2**20:  # more than may wait; the page never reads
            show(server, "main", "big", "x" * 16 * 2**20)
            backlog += 16 * 2**20
        assert "reads too slowly" in server.messages()


def test_a_body_beyond_the_limit_is_refused(server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(
            f"POST /events HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Length: {2**30}\r\n\r\n".encode()
        )
        assert raw.makefile("rb").readline().split()[1] == b"400"


def test_a_host_beyond_this_machine_is_refused(run_flexlogger: RunFlexlogger) -> None:
    ended = run_flexlogger("server", "--host", "0.0.0.0", "--port", "0")
    assert ended.returncode == 1
    assert ended.stderr.startswith("flexlogger server: refusing to listen on 0.0.0.0: ")
    assert ended.stderr.count("\n") == 1
