"""Logging files and tables under a name, and getting them back."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flexlogger.errors import ArtifactError, UnknownNameError, ValueRefusedError
from flexlogger.tracking.artifacts import Artifact
from flexlogger.tracking.keeping import RunArtifacts
from flexlogger.tracking.media import Histogram, Html, Image
from flexlogger.tracking.table import Table


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def notes() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def run(tmp_path: Path, notes: list[dict[str, Any]]) -> RunArtifacts:
    return RunArtifacts(tmp_path / "runs" / "iris", "run-1", notes.append)


def blobs(run: RunArtifacts) -> list[Path]:
    return [path for path in run.store.content.folder.rglob("*") if path.is_file()]


def log_text(run: RunArtifacts, text: str, name: str = "notes", **how: Any) -> Artifact:
    Path("notes.txt").write_text(text)
    return run.log_artifact("notes.txt", name, "text", **how)


def test_a_dataset_of_a_table_and_a_file_comes_back_in_another_run(tmp_path: Path, run: RunArtifacts) -> None:
    Path("iris.csv").write_text("5.1,3.5\n")
    artifact = Artifact("iris", type="dataset", description="flowers", metadata={"rows": 2, "split": (0.8, 0.2)})
    artifact.add(Table(columns=["sepal", "kind"], data=[[5.1, "setosa"], [4.9, None]]), "iris_table")
    artifact.add_file("iris.csv")
    run.log_artifact(artifact).wait()
    found = RunArtifacts(tmp_path / "runs" / "iris", "run-2", lambda info: None).use_artifact("iris")
    assert found.get("iris_table").data == [[5.1, "setosa"], [4.9, None]]
    assert Path(found.download(), "iris.csv").read_text() == "5.1,3.5\n"
    assert Path(found.get_path("iris.csv").download("elsewhere")) == Path("elsewhere/iris.csv")
    assert [file.name for file in found.files()] == ["iris.csv", "iris_table.table.json"]
    assert (found.type, found.description, found.metadata) == ("dataset", "flowers", {"rows": 2, "split": [0.8, 0.2]})
    assert (found.version, found.aliases) == ("v0", ["latest"])


def test_a_model_comes_back_with_equal_weights(run: RunArtifacts) -> None:
    model = torch.nn.Linear(300, 200)
    torch.save(model.state_dict(), "model_0.pth")
    run.log_model(path="model_0.pth", name="model_0")
    with torch.no_grad():
        model.weight.zero_()
    torch.save(model.state_dict(), "model_0.pth")  # the user goes on; what was logged stays
    path = run.use_model("model_0")
    assert path == str(Path("artifacts", "model_0", "v0", "model_0.pth"))
    assert torch.load(path, weights_only=True)["weight"].abs().sum() > 0


def test_a_model_of_several_files_is_a_folder(run: RunArtifacts) -> None:
    Path("model").mkdir()
    for name in ("weights.bin", "config.json"):
        Path("model", name).write_text(name)
    run.log_model("model", "net", aliases=["best"])
    folder = run.use_model("net:best")
    assert sorted(os.listdir(folder)) == ["config.json", "weights.bin"]


def test_media_are_files_that_others_read_and_come_back_as_they_were(run: RunArtifacts) -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    artifact = Artifact("media", "media")
    names = [
        artifact.add(Image(picture, caption="größer"), "sample"),
        artifact.add(Html("<b>done</b>"), "note"),
        artifact.add(Histogram([1.0, 2.0, 4.0], num_bins=2), "weights"),
    ]
    assert names == ["sample.image.png", "note.html", "weights.histogram.json"]
    found = run.use_artifact(run.log_artifact(artifact))
    image = found.get("sample")
    assert image.caption == "größer"
    assert np.array_equal(image.pixels(), picture)
    assert "<b>done</b>" in found.get("note").html
    assert np.array_equal(found.get("weights").to_datum("h").value, [[1.0, 2.5, 4.0], [2.0, 1.0, 0.0]])


def test_new_content_is_a_new_version_and_the_same_is_not(run: RunArtifacts) -> None:
    versions = [log_text(run, text).version for text in ("one", "two", "two", "one", "three")]
    assert versions == ["v0", "v1", "v1", "v0", "v2"]
    assert len(blobs(run)) == 3


def test_content_logged_again_takes_the_aliases_with_it(run: RunArtifacts) -> None:
    log_text(run, "one", aliases=["best"])
    log_text(run, "two", aliases="best")
    assert run.use_artifact("notes:best").version == "v1"
    log_text(run, "one", aliases=["best", "kept"])
    assert run.use_artifact("notes").version == "v0"
    assert run.use_artifact("notes:v0").aliases == ["best", "kept", "latest"]
    assert run.use_artifact("notes:v1").aliases == []
    log_text(run, "three", aliases=["best"])
    assert run.use_artifact("notes:best").version == run.use_artifact("notes:latest").version == "v2"
    assert run.use_artifact("notes:kept").version == "v0"


def test_a_version_in_use_can_be_given_aliases(run: RunArtifacts) -> None:
    log_text(run, "one")
    log_text(run, "two")
    run.log_artifact(run.use_artifact("notes:v0"), aliases=["production"])
    assert run.use_artifact("notes:production").version == "v0"


def test_content_is_stored_once_for_all_versions_and_artifacts(run: RunArtifacts) -> None:
    Path("data").mkdir()
    for name in ("a", "b", "copy_of_b"):
        Path("data", name).write_text(name[-1] * 10)
    run.log_artifact("data", "first", "dataset").wait()
    Path("data", "a").write_text("changed")
    run.log_artifact("data", "first", "dataset").wait()
    run.log_artifact("data", "second", "dataset").wait()
    assert len(blobs(run)) == 3
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in blobs(run))


def test_what_differs_only_in_metadata_is_the_same_version_and_says_so(
    run: RunArtifacts, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2):
        artifact = Artifact("notes", "text", metadata={"number": number})
        with artifact.new_file("a.txt") as file:
            file.write("same")
        assert run.log_artifact(artifact).version == "v0"
    assert run.use_artifact("notes").metadata == {"number": 0}
    assert "artifact notes has the content of v0, whose metadata" in caplog.text


def test_folders_keep_their_shape(run: RunArtifacts) -> None:
    Path("data/train/deep").mkdir(parents=True)
    Path("data/train/deep/x.bin").write_bytes(b"")
    Path("data/link").symlink_to("train/deep/x.bin")
    artifact = Artifact("data", "dataset")
    artifact.add_dir("data")
    artifact.add_dir("data/train", name="again")
    with artifact.new_file("words/größe.txt", encoding="utf-8") as file:
        file.write("größe")
    folder = Path(run.use_artifact(run.log_artifact(artifact)).download("out"))
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert found == ["again/deep/x.bin", "link", "train/deep/x.bin", "words/größe.txt"]
    assert Path(folder, "words/größe.txt").read_text(encoding="utf-8") == "größe"


def test_a_download_mends_what_is_not_as_logged_and_leaves_the_rest(run: RunArtifacts) -> None:
    log_text(run, "text")
    folder = Path(run.use_artifact("notes").download("out"))
    (folder / "notes.txt").write_text("TEXT")
    (folder / "mine.txt").write_text("mine")
    run.use_artifact("notes").download("out")
    assert [(path.name, path.read_text()) for path in sorted(folder.iterdir())] == [
        ("mine.txt", "mine"),
        ("notes.txt", "text"),
    ]


def test_the_run_is_told_what_it_logged_and_used(run: RunArtifacts, notes: list[dict[str, Any]]) -> None:
    logged = log_text(run, "text", aliases=["best"]).wait()
    run.use_artifact("notes", type="text")
    common = {"name": "notes", "type": "text", "version": "v0", "digest": logged.digest}
    assert notes == [
        {**common, "use": False, "aliases": ["latest", "best"]},
        {**common, "use": True, "aliases": ["best", "latest"]},
    ]


def test_logging_returns_before_the_version_is_made_and_using_waits_for_it(
    run: RunArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, publish = threading.Event(), run.store.publish

    def late(*args: Any) -> Any:
        assert go_on.wait(10)
        return publish(*args)

    monkeypatch.setattr(run.store, "publish", late)
    artifact = log_text(run, "text")
    with pytest.raises(ArtifactError, match="artifact notes: not stored in time"):
        artifact.wait(0.01)
    assert not run.wait(0.01)
    with pytest.raises(UnknownNameError, match="there are none"):
        run.store.find("notes")
    threading.Timer(0.05, go_on.set).start()
    assert run.use_artifact("notes").version == "v0"
    assert run.wait(10)


def test_versions_follow_the_order_of_the_calls(run: RunArtifacts) -> None:
    logged = [log_text(run, f"number {n}") for n in range(20)]
    assert [artifact.version for artifact in logged] == [f"v{n}" for n in range(20)]
    assert run.use_artifact("notes").version == "v19"


def test_a_logged_artifact_does_not_change(run: RunArtifacts) -> None:
    artifact = log_text(run, "text")
    with pytest.raises(ValueRefusedError, match="artifact notes: it is logged and does not change"):
        artifact.add_file("notes.txt")


def test_what_is_not_logged_yet_has_no_version() -> None:
    with pytest.raises(ArtifactError, match="artifact notes: it is not logged yet; log_artifact makes a version"):
        _ = Artifact("notes", "text").version


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("note", "unknown artifact 'note'; did you mean 'notes'?"),
        ("notes:v7", "artifact notes: unknown version or alias 'v7'; there are v0 … v1 and the aliases best, latest"),
        ("notes:bets", "unknown version or alias 'bets'; did you mean 'best'? there are v0 … v1 and"),
    ],
)
def test_what_is_not_there_names_what_is(run: RunArtifacts, spec: str, message: str) -> None:
    log_text(run, "one")
    log_text(run, "two", aliases=["best"])
    run.wait()
    with pytest.raises(UnknownNameError) as caught:
        run.use_artifact(spec)
    assert message in str(caught.value)


def test_a_file_that_is_not_in_it_names_the_nearest(run: RunArtifacts) -> None:
    found = run.use_artifact(log_text(run, "text"))
    with pytest.raises(UnknownNameError, match=r"unknown file 'note.txt'; did you mean 'notes.txt'"):
        found.get_path("note.txt")
    with pytest.raises(ValueRefusedError, match=r"added as a file; get_path\('notes.txt'\).download\(\)"):
        found.get("notes.txt")


def test_types_do_not_mix(run: RunArtifacts) -> None:
    log_text(run, "text").wait()
    with pytest.raises(ValueRefusedError, match="artifact notes: expected type 'text' as in v0, but got 'model'"):
        run.log_model("notes.txt", "notes")
    with pytest.raises(ValueRefusedError, match="expected type 'model', but it is of type 'text'"):
        run.use_artifact("notes", type="model")


def test_a_path_without_a_name_is_called_after_run_and_file(run: RunArtifacts) -> None:
    Path("my notes.txt").write_text("text")
    artifact = run.log_artifact("my notes.txt")
    assert (artifact.name, artifact.type) == ("run-run-1-my_notes.txt", "unspecified")


def test_waiting_for_all_of_them_lasts_as_long_as_something_moves(
    run: RunArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, adopt = threading.Event(), run.store.content.adopt

    def slowly(staged: Path, path: str, advance: Any) -> Any:
        for _ in range(4):
            go_on.wait(0.2)  # more in all than the patience below
            advance(1)
        return adopt(staged, path, advance)

    monkeypatch.setattr(run.store.content, "adopt", slowly)
    log_text(run, "text")
    assert run.wait(patience=0.5)
    assert run.store.find("notes").version == "v0"
