"""What is on disk: whole files, only what changed, nothing overwritten that was not read."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import websocket

from flexlogger.server.envs import Environments, EnvStoreError
from flexlogger.server.process import ServerProcess, start_server
from tests.server.peers import browser, envs, exists, post, show

NEVER = 3600.0
EMPTY = {"jsons": {}, "reload": {}}


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def stored(folder: Path, env: str) -> dict[str, Any]:
    return json.loads((folder / f"{env}.json").read_text())


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def open_store(tmp_path: Path, said: list[str]) -> Callable[[], Environments]:
    return lambda: Environments(tmp_path, said.append)


def test_changes_are_saved_on_the_interval(fresh_server: ServerProcess) -> None:
    show(fresh_server, "a", "w", "one")
    path = fresh_server.env_path / "a.json"
    wait_until(path.exists)
    show(fresh_server, "a", "w", "two")
    wait_until(lambda: stored(path.parent, "a")["jsons"]["w"]["content"] == "two")
    post(fresh_server, "/close", {"eid": "a", "win": "w"})
    wait_until(lambda: stored(path.parent, "a")["jsons"] == {})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_saves_and_ends(tmp_path: Path, number: signal.Signals) -> None:
    with start_server(tmp_path, save_every=NEVER) as server:
        show(server, "late", "w")
        opened = [
            websocket.create_connection(server.url.replace("http", "ws") + path) for path in ("/socket", "/vis_socket")
        ]
        os.kill(server.pid, number)
        assert server.wait() == 0
        assert server.messages() == ""
        for connection in opened:
            connection.close()
    assert "w" in stored(tmp_path, "late")["jsons"]


def test_an_impatient_second_signal_does_not_cut_the_last_save_short(tmp_path: Path) -> None:
    with start_server(tmp_path, save_every=NEVER) as server:
        show(server, "late", "w", "x" * 2**20)
        pipe = tmp_path / ".late.now.partial"
        os.mkfifo(pipe)  # so that the test can tell when the server is in the middle of writing
        os.kill(server.pid, signal.SIGINT)
        with open(pipe, "rb") as halfway:
            read = len(halfway.read(1000))
            os.kill(server.pid, signal.SIGINT)
            read += len(halfway.read())
        assert server.wait() == 0
    assert read > 2**20


def test_the_end_of_its_parent_saves_and_ends_it(tmp_path: Path) -> None:
    server = start_server(tmp_path, save_every=NEVER)
    show(server, "late", "w")
    assert server._process.stdin is not None
    server._process.stdin.close()
    assert server.wait() == 0
    assert "w" in stored(tmp_path, "late")["jsons"]


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps({"jsons": {"w": {"id": "w"}}, "reload": {}}))
    before = (tmp_path / "old.json").stat()
    with start_server(tmp_path) as server:
        assert {"old", "main"} <= envs(server)
        show(server, "new", "w")
        assert post(server, "/save", {"data": ["old", "new", "none"]}).json() == ["old", "new"]
    after = (tmp_path / "old.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not (tmp_path / "main.json").exists()


def test_an_env_nobody_opened_survives_save_fork_and_delete(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        show(server, "a", "w", "kept")
    for _ in range(2):
        with start_server(tmp_path) as server:
            post(server, "/save", {"data": ["a"]})
            post(server, "/fork_env", {"prev_eid": "a", "eid": "b"})
            assert stored(tmp_path, "b")["jsons"]["w"]["content"] == "kept"
            assert post(server, "/delete_env", {"eid": "b"}).status_code == 200
            assert post(server, "/delete_env", {"eid": "b"}).status_code == 200
            assert not (tmp_path / "b.json").exists()
    assert stored(tmp_path, "a")["jsons"]["w"]["content"] == "kept"


def test_a_pages_commands_are_kept(tmp_path: Path) -> None:
    with start_server(tmp_path, save_every=NEVER) as server:
        show(server, "main", "w")
        with browser(server) as page:
            page.send(cmd="layout_item_update", eid="main", win="w", data={"w": 3})
            page.send(cmd="save", eid="copy/of main", prev_eid="main", data={"w": {"h": 1}})
            page.send(cmd="save_layouts", data='[["view", {}]]')
            page.settle()
        assert stored(tmp_path, "copy_of main")["reload"] == {"w": {"h": 1}}
    assert stored(tmp_path, "main")["reload"] == {"w": {"w": 3}}
    assert (tmp_path / "view" / "layouts.json").read_text() == '[["view", {}]]'
    with start_server(tmp_path) as server, browser(server) as page:
        assert page.wait_for("layout_update")["data"] == '[["view", {}]]'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"jsons": {"w": {',
        b"null",
        b"[]",
        b'{"jsons": 3, "reload": {}}',
        b'{"jsons": {"w": 1}, "reload": {}}',
        b"{\xff}",
    ],
)
def test_an_unreadable_file_is_kept_aside_and_said_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    (tmp_path / "bad.damaged-1").write_bytes(b"an earlier one")
    (tmp_path / "good.json").write_text(json.dumps({"jsons": {"w": {"id": "w"}}, "reload": {}}))
    with start_server(tmp_path) as server:
        assert exists(server, "good", "w")
        assert not exists(server, "bad", "w")
        show(server, "bad", "new")
        assert server.messages().startswith(f"flexlogger server: cannot read {tmp_path / 'bad.json'}: ")
        assert server.messages().endswith("the file is kept as bad.damaged-2\n")
        assert server.messages().count("\n") == 1
    assert (tmp_path / "bad.damaged-1").read_bytes() == b"an earlier one"
    assert (tmp_path / "bad.damaged-2").read_bytes() == content
    assert list(stored(tmp_path, "bad")["jsons"]) == ["new"]


def test_files_of_visdom_itself_are_read(tmp_path: Path) -> None:
    text = '{"jsons": {"w": {"id": "w", "content": {"data": [{"y": [NaN, Infinity, 1.5]}]}, "i": 0}}, "reload": {}}'
    (tmp_path / "theirs.json").write_text(text)
    with start_server(tmp_path) as server:
        answer = post(server, "/win_data", {"eid": "theirs", "win": "w"})
    assert answer.json()["content"]["data"][0]["y"] == [None, None, 1.5]


def test_a_file_with_a_name_no_env_may_have_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "it's.json").write_text(json.dumps(EMPTY))
    with start_server(tmp_path) as server:
        assert envs(server) == {"main"}
        assert "it's.json is left alone: env name" in server.messages()
    assert (tmp_path / "it's.json").exists()


def test_two_servers_do_not_share_a_folder(tmp_path: Path, open_store: Callable[[], Environments]) -> None:
    first = open_store()
    with pytest.raises(EnvStoreError, match="in use; give this one its own with --env-path"):
        open_store()
    first.close()
    open_store().close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvStoreError, match="cannot keep environments in"):
        Environments(tmp_path / "file" / "envs", said.append)


def test_a_disk_that_refuses_loses_nothing_and_is_said_once(
    open_store: Callable[[], Environments], said: list[str], tmp_path: Path
) -> None:
    store = open_store()
    blocked = tmp_path / ".a.now.partial"
    blocked.mkdir()
    store["a"] = {"jsons": {"w": {}}, "reload": {}}
    store.save_all()
    store.save_all()
    assert len(said) == 1
    assert "cannot save env 'a'" in said[0]
    blocked.rmdir()
    store.save_all()
    assert stored(tmp_path, "a")["jsons"] == {"w": {}}
    store.close()


async def slow_save(store: Environments, meanwhile: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run `save_touched` with `meanwhile` happening on the loop while the file is being written."""
    write = asyncio.to_thread

    async def to_thread(*work: Any) -> None:
        meanwhile()
        await write(*work)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    await store.save_touched()


def test_a_save_under_way_does_not_undo_a_newer_one(
    open_store: Callable[[], Environments], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    store["a"] = {"jsons": {"w": {"n": 1}}, "reload": {}}

    def save_a_newer_one() -> None:
        store["a"] = {"jsons": {"w": {"n": 2}}, "reload": {}}
        store.save(["a"])

    asyncio.run(slow_save(store, save_a_newer_one, monkeypatch))
    assert stored(tmp_path, "a")["jsons"]["w"] == {"n": 2}
    store.close()


def test_a_save_under_way_does_not_bring_a_deleted_env_back(
    open_store: Callable[[], Environments], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    store["a"] = {"jsons": {}, "reload": {}}
    asyncio.run(slow_save(store, lambda: store.pop("a") and None, monkeypatch))
    store.close()
    assert not (tmp_path / "a.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_change_while_saving_is_saved_next_time(
    open_store: Callable[[], Environments], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    store["a"] = {"jsons": {"w": {"n": 1}}, "reload": {}}

    def change() -> None:
        store["a"]["jsons"]["w"]["n"] = 2
        store.touch("a")

    asyncio.run(slow_save(store, change, monkeypatch))
    assert stored(tmp_path, "a")["jsons"]["w"] == {"n": 1}
    store.save_all()
    assert stored(tmp_path, "a")["jsons"]["w"] == {"n": 2}
    store.close()


def test_killed_while_saving_leaves_a_whole_file(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        show(server, "big", "w", "old")
    partial = tmp_path / ".big.beside.partial"
    os.mkfifo(partial)  # so that the test can tell when the server is in the middle of writing
    with start_server(tmp_path, save_every=0.05) as server:
        show(server, "big", "w", "new" * 2**20)
        with open(partial, "rb") as halfway:
            assert halfway.read(1000)
            server.kill()
    partial.unlink()
    assert stored(tmp_path, "big")["jsons"]["w"]["content"] == "old"
    with start_server(tmp_path) as server:
        assert exists(server, "big", "w")
        assert server.messages() == ""
