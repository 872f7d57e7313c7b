"""Fetching the page's scripts, with an npm of the test's own so that nothing leaves the machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from flexlogger.server import assets
from tests.server.registry import integrity, make_registry


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to fetch into, with the tests' own npm and lock."""
    programs, lock = make_registry(tmp_path)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "lock.json").write_text(lock)
    monkeypatch.setattr(assets, "LOCK", tmp_path / "lock.json")
    return tmp_path / "package" / "static"


def content(static: Path) -> dict[str, bytes]:
    return {str(path.relative_to(static)): path.read_bytes() for path in static.rglob("*") if path.is_file()}


def test_what_is_locked_arrives_and_nothing_else(static: Path) -> None:
    assert not assets.ready(static)
    lines: list[str] = []
    assets.fetch(static, lines.append)
    assert assets.ready(static)
    arrived = content(static)
    assert arrived.pop(assets.STAMP) == assets.digest().encode()
    assert arrived == {"js/1.js": b"1", "licenses/one.txt": b"MIT", "fonts/a/b.js": b"b", "fonts/c.js": b"c"}
    assert lines == ["[1/2] one@1.0.0: 2 files", "[2/2] two@2.0.0: 2 files"]
    assert list(static.parent.iterdir()) == [static]


def test_another_lock_makes_them_stale_and_a_fetch_replaces_all(static: Path) -> None:
    assets.fetch(static)
    lock = json.loads(assets.LOCK.read_text())
    del lock["two@2.0.0"]
    assets.LOCK.write_text(json.dumps(lock))
    assert not assets.ready(static)
    assets.fetch(static)
    assert set(content(static)) == {"js/1.js", "licenses/one.txt", assets.STAMP}


def test_a_wrong_hash_keeps_what_was_there(static: Path) -> None:
    assets.fetch(static)
    before = content(static)
    lock = json.loads(assets.LOCK.read_text())
    lock["two@2.0.0"]["integrity"] = integrity(b"something else")
    assets.LOCK.write_text(json.dumps(lock))
    with pytest.raises(
        assets.AssetError, match=r"^two@2\.0\.0 is not what was locked: expected sha512-.*; nothing was kept$"
    ):
        assets.fetch(static)
    assert content(static) == before
    assert list(static.parent.iterdir()) == [static]


def test_a_file_the_package_does_not_hold_is_named(static: Path) -> None:
    lock = json.loads(assets.LOCK.read_text())
    lock["one@1.0.0"]["files"]["gone.js"] = "js/gone.js"
    assets.LOCK.write_text(json.dumps(lock))
    with pytest.raises(assets.AssetError, match=r"one@1\.0\.0 holds no gone\.js"):
        assets.fetch(static)


def test_npm_failing_is_one_line_with_its_reason(static: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_FAILS", "ENOTFOUND registry")
    with pytest.raises(assets.AssetError) as failed:
        assets.fetch(static)
    assert str(failed.value) == (
        "npm could not fetch one@1.0.0: npm error ENOTFOUND registry; check the network, then run: flexlogger assets"
    )


def test_without_npm_it_says_what_to_install(static: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(assets.AssetError, match="npm was not found on the PATH"):
        assets.fetch(static)


def test_a_folder_that_cannot_be_written_is_said(static: Path) -> None:
    static.parent.write_text("a file")
    with pytest.raises(assets.AssetError, match="cannot write"):
        assets.fetch(static)


def test_the_real_lock_holds_hashes_licences_and_no_addresses() -> None:
    text = assets.LOCK.read_text()
    assert "://" not in text
    for spec, entry in json.loads(text).items():
        assert entry["integrity"].startswith("sha512-"), spec
        assert [place for place in entry["files"].values() if place.startswith("licenses/")], spec
