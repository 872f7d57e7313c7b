"""Names and files that an artifact refuses, content that was damaged, disks that refuse."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from flexlogger import faults
from flexlogger.errors import ArtifactError, ValueRefusedError
from flexlogger.tracking import content
from flexlogger.tracking.artifacts import Artifact
from flexlogger.tracking.keeping import RunArtifacts


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> RunArtifacts:
    return RunArtifacts(tmp_path / "runs" / "p", "run-1", lambda info: None)


def log_text(run: RunArtifacts, text: str) -> Artifact:
    Path("notes.txt").write_text(text)
    return run.log_artifact("notes.txt", "notes", "text")


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# ---- names


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../up", "a:b", "blobs", "a b", "x" * 129, "grün", None])
def test_a_name_that_cannot_name_a_folder_is_refused(name: Any) -> None:
    with pytest.raises(ValueRefusedError, match="artifact: expected a name of at most 128 letters"):
        Artifact(name, "dataset")


@pytest.mark.parametrize("alias", ["", "v3", "a/b", "..", ".json", "a:b"])
def test_an_alias_that_is_a_version_or_a_path_is_refused(run: RunArtifacts, alias: str) -> None:
    with pytest.raises(ValueRefusedError, match="artifact: expected an alias"):
        run.log_artifact(Artifact("notes", "text"), aliases=[alias])
    assert not run.store.folder.exists()


@pytest.mark.parametrize("path", ["", ".", "/etc/passwd", "../up", "a/../../up", "nul\0", "bad\udc80"])
def test_a_path_that_leaves_the_artifact_is_refused(path: str) -> None:
    Path("a.txt").write_text("a")
    artifact = Artifact("notes", "text")
    with pytest.raises(ValueRefusedError, match="artifact: expected a"):
        artifact.add_file("a.txt", name=path)
    with pytest.raises(ValueRefusedError, match="artifact: expected a"), artifact.new_file(path):
        pass
    assert artifact.sources == []


def test_a_manifest_that_leads_out_of_the_folder_is_refused(run: RunArtifacts, tmp_path: Path) -> None:
    from flexlogger.tracking import manifest

    log_text(run, "text").wait()
    path = run.store.folder / "notes" / "v0" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"notes.txt", b"../../out"))
    with pytest.raises(ArtifactError, match="checksum does not match"):
        run.use_artifact("notes")
    body = path.read_bytes().split(b',"c":')[0] + b"}"
    path.write_bytes(manifest.lines.seal(body))  # whoever changes content can mend checksums
    with pytest.raises(ArtifactError, match=r"expected a relative path without '\.\.'"):
        run.use_artifact("notes")


# ---- files


def test_links_that_leave_the_folder_are_refused() -> None:
    Path("secret").write_text("secret")
    Path("data/sub").mkdir(parents=True)
    Path("data/sub/out").symlink_to("../../secret")
    with pytest.raises(
        ValueRefusedError, match=r"data/sub/out leads out of \S+/data, to \S+/secret; use add_file for it"
    ):
        Artifact("data", "dataset").add_dir("data")
    Path("data/sub/out").unlink()
    Path("data/all").symlink_to("sub")
    with pytest.raises(ValueRefusedError, match="data/all is a link to a folder"):
        Artifact("data", "dataset").add_dir("data")
    Path("data/all").unlink()
    Path("data/gone").symlink_to("nothing")
    with pytest.raises(ValueRefusedError, match="data/gone cannot be read"):
        Artifact("data", "dataset").add_dir("data")


def test_only_regular_files_are_taken_in() -> None:
    os.mkfifo("pipe")  # opening it would wait for ever
    Path("folder").mkdir()
    for path, message in [("pipe", "expected a regular file"), ("folder", "is a folder"), ("none", "No such file")]:
        with pytest.raises(ValueRefusedError, match=message):
            Artifact("data", "dataset").add_file(path)
    with pytest.raises(ValueRefusedError, match="add_dir: expected a folder"):
        Artifact("data", "dataset").add_dir("none")


def test_a_name_is_taken_once_as_a_file_or_as_a_folder() -> None:
    for name in ("one", "two"):
        Path(name).write_text(name)
    artifact = Artifact("data", "dataset")
    artifact.add_file("one", name="a/b")
    artifact.add_file("one", name="a/b")
    for taken in ("a/b", "a", "a/b/c"):
        with pytest.raises(ValueRefusedError, match=f"'{taken}' is in it already"):
            artifact.add_file("two", name=taken)


def test_a_file_that_is_written_again_before_it_is_logged_is_no_second_file(
    run: RunArtifacts, caplog: pytest.LogCaptureFixture
) -> None:
    artifact = Artifact("parts", "dataset")
    Path("part").write_text("first")
    artifact.add_file("part", name="0")
    Path("part").write_text("second part")
    with pytest.raises(ValueRefusedError, match=r"was added as '0' and has changed since.* or use new_file"):
        artifact.add_file("part", name="1")
    assert Path(run.use_artifact(run.log_artifact(artifact)).download("out"), "0").read_text() == "second part"
    assert "part changed after it was added" in caplog.text


def test_a_file_that_is_gone_when_it_is_logged_leaves_nothing(run: RunArtifacts) -> None:
    Path("a").write_text("a")
    Path("b").write_text("b")
    artifact = Artifact("data", "dataset")
    artifact.add_file("a")
    artifact.add_file("b")
    Path("b").unlink()
    with pytest.raises(ArtifactError, match=r"artifact data: b \(0.0 MB\) cannot be copied from \S+/b \(No such file"):
        run.log_artifact(artifact)
    assert below(run.store.folder) == []
    Path("b").write_text("b")
    assert run.log_artifact(artifact).version == "v0"


# ---- damage


def flip(path: Path) -> None:
    os.chmod(path, 0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_flipped_byte_is_told_and_logging_the_file_again_mends_it(run: RunArtifacts) -> None:
    log_text(run, "one").wait()
    log_text(run, "two").wait()
    for path in run.store.content.folder.rglob("*"):
        if path.is_file():
            flip(path)
    for version in ("v0", "v1"):
        found = run.use_artifact(f"notes:{version}")
        with pytest.raises(ArtifactError) as caught:
            found.download("out")
        assert f"artifact notes:{version}: notes.txt: the stored {run.store.content.folder}" in str(caught.value)
        assert "does not match its digest; use another version, or log the same file again" in str(caught.value)
    assert below(Path("out")) == []
    for version, text in (("v1", "two"), ("v0", "one")):  # the newest version is compared, the other one hashed
        assert log_text(run, text).version == version
        assert Path(run.use_artifact(f"notes:{version}").download(version), "notes.txt").read_text() == text


def test_content_that_is_gone_is_told(run: RunArtifacts) -> None:
    log_text(run, "one").wait()
    shutil.rmtree(run.store.content.folder)
    with pytest.raises(ArtifactError, match=r"artifact notes:v0: notes.txt: the stored \S+ is missing; use another"):
        run.use_model("notes")


def test_a_damaged_manifest_costs_its_version_only(run: RunArtifacts, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("one", "two", "three"):
        log_text(run, text).wait()
    flip(run.store.folder / "notes" / "v1" / "manifest.json")
    other = RunArtifacts(run.store.folder.parent, "run-2", lambda info: None)
    with pytest.raises(ArtifactError, match=r"v1: its manifest \S+ cannot be read .*; use another version \(v0, v2\)"):
        other.use_artifact("notes:v1")
    assert other.use_artifact("notes").version == "v2"
    assert log_text(other, "two").version == "v3"
    assert "artifact notes:v1:" in caplog.text


# ---- disks


def no_room(*args: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_and_leaves_nothing(run: RunArtifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "copy_file_range", no_room)
        with pytest.raises(ArtifactError, match=r"cannot be copied .*No space left on device\); [\d,.]+ MB are free"):
            log_text(run, "text")
    assert below(run.store.folder) == []
    assert not list((run.store.folder / ".staging").iterdir())


def test_a_disk_that_is_full_when_the_version_is_made_is_told_by_wait(
    run: RunArtifacts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "rename", no_room)
        artifact = log_text(run, "text")
        with pytest.raises(ArtifactError, match=r"artifact notes: it cannot be stored .*No space left on device"):
            artifact.wait()
    assert not run.wait()
    assert "no version was made of it" in caplog.text
    assert run.store.names() == []
    assert log_text(run, "text").version == "v0"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the runs should be")
    run = RunArtifacts(tmp_path / "runs" / "p", "run-1", lambda info: None)
    with pytest.raises(ArtifactError, match="artifact notes: it cannot be stored"):
        log_text(run, "text")


def test_a_bug_while_storing_is_reported_and_waiting_ends(run: RunArtifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise TypeError("a bug of ours")

    monkeypatch.setattr(run.store, "publish", broken)
    artifact = log_text(run, "text")
    with pytest.raises(ArtifactError, match=r"artifact notes: storing it failed \(a bug of ours\)"):
        artifact.wait()
    assert isinstance(faults.seen[0], TypeError)
    faults.forget()


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS])
def test_what_the_kernel_cannot_copy_is_copied_by_hand(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*args: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "copy_file_range", cannot)
    monkeypatch.setattr(content, "CHUNK", 1000)
    source, told = tmp_path / "source", []
    source.write_bytes(os.urandom(2500))
    content.copy_file(source, tmp_path / "copy", told.append)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert told == [1000, 1000, 500]


def test_files_that_have_no_size_before_they_are_read_are_copied(tmp_path: Path) -> None:
    content.copy_file(Path("/proc/self/limits"), tmp_path / "copy", lambda size: None)
    assert "Max open files" in (tmp_path / "copy").read_text()
