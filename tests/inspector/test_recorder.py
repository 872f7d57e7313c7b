"""Videos as they lie in the folder, also where the process that wrote them was killed."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from torch import nn

from flexlogger import DataRecorder, MissingExtraError, ParallelHandler, ValueRefusedError
from flexlogger.inspector import video as videos
from tests.inspector.test_processes import ended, step, wait_for

VIEWS = ("tensor_plot2D", "tensor_histogram", "tensor_pca")


def decoded(path: Path) -> list[np.ndarray[Any, Any]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_seeds_script_leaves_a_video_of_each_tensor(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10), nn.Linear(10, 3))
    dr = DataRecorder((640, 480), 20.0, 100, tmp_path / "output")
    ph = ParallelHandler(callback_onrun=dr.tensor_plot2D, callback_onclosing=dr.flush, frequency=2.0, timeout=30.0)
    ph.track_model(-1, {"model": model})
    ph.track_layer(-1, {"conv_": model[0], "classifier0_": model[3], "classifier3_": model[4]})
    for _ in range(10):
        model(torch.randn(8, 1, 8, 8)).pow(2).mean().backward()
    assert ParallelHandler().is_alive()
    assert ph.stop()
    keys = [("model", 0), ("conv_", 1), ("classifier0_", 1), ("classifier3_", 1)]
    expected = [f"{key}.{source}_{number}_0.mp4" for key, number in keys for source in ("outputs", "grad_out")]
    assert names(tmp_path / "output") == sorted(expected)
    for name in expected:
        frames = decoded(tmp_path / "output" / name)
        assert len(frames) == 5
        assert frames[0].shape == (480, 640, 3)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("codec", videos.CODECS)
def test_a_process_that_is_killed_leaves_all_but_its_last_second(tmp_path: Path, view: str, codec: str) -> None:
    dr = DataRecorder((320, 240), 10.0, 100.0, tmp_path, codec=codec)
    ph = ParallelHandler(getattr(dr, view), dr.flush)
    layer = nn.Identity()
    ph.track_layer(-1, {"a": layer}, sources="outputs")
    for _ in range(40):
        layer(torch.randn(8, 6))
    wait_for(lambda: ph.status()[0]["taken"] >= 25)
    os.kill(ph.status()[0]["pid"], signal.SIGKILL)
    assert not ph.stop()
    (path,) = tmp_path.iterdir()
    assert len(decoded(path)) >= 24 - 10


@pytest.mark.parametrize("codec", videos.CODECS)
def test_a_frame_that_is_shown_for_longer_than_a_second_is_there_at_once(tmp_path: Path, codec: str) -> None:
    """The process is killed as soon as it has drawn the third one."""
    script = f"""
import os, sys
import numpy as np
from flexlogger import DataRecorder
dr = DataRecorder((320, 240), 0.5, 100.0, sys.argv[1], codec={codec!r})
for n in range(3):
    dr.tensor_plot2D(0, "a", "", str(n), np.roll(np.eye(4), n, 0))
os.kill(os.getpid(), 9)
"""
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    (path,) = tmp_path.iterdir()
    with av.open(str(path)) as container:
        shown = [(frame.time, frame.to_ndarray(format="rgb24").astype(float)) for frame in container.decode(video=0)]
    changes = [time for (_, before), (time, after) in pairwise(shown) if np.abs(after - before).mean() > 5]
    assert changes == [2.0, 4.0]


def test_a_video_that_is_full_is_followed_by_another(tmp_path: Path) -> None:
    dr = DataRecorder((64, 64), 10.0, 0.3, tmp_path)
    for n in range(7):
        dr.tensor_plot2D(5, "layer/weird [name]", "", str(n), torch.zeros(2, 2))
    dr.flush()
    assert names(tmp_path) == [f"layer_weird__name__5_{number}.mp4" for number in range(3)]
    assert [len(decoded(path)) for path in sorted(tmp_path.iterdir())] == [3, 3, 1]
    dr.tensor_plot2D(5, "layer/weird [name]", "", "7", torch.zeros(2, 2))
    dr.flush()
    assert len(names(tmp_path)) == 4


def test_frames_are_shown_at_the_rate_and_size_asked_for(tmp_path: Path) -> None:
    dr = DataRecorder((128, 96), 12.5, 10.0, tmp_path)
    for n in range(25):
        dr.tensor_histogram(0, "a", "epoch 3", str(n), np.arange(n + 2.0))
    dr.flush()
    with av.open(str(tmp_path / "a_0_0.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, float(stream.average_rate or 0)) == (128, 96, 12.5)
        assert container.duration == 2_000_000
        keys = [packet.pts * packet.time_base for packet in container.demux(stream) if packet.is_keyframe]
    assert max(b - a for a, b in pairwise(keys)) <= 1.05  # a key frame a second


def test_without_h264_videos_are_vp8_and_that_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(videos._CODECS, "h264", ("no such encoder", *videos._CODECS["h264"][1:]))
    monkeypatch.setattr(videos, "_warn_once", videos.faults.Once())
    for key in "ab":
        dr = DataRecorder((64, 64), 10.0, 1.0, tmp_path)
        dr.tensor_plot2D(0, key, "", "0", np.zeros((2, 2)))
        dr.flush()
    assert names(tmp_path) == ["a_0_0.webm", "b_0_0.webm"]
    assert caplog.text.count("this PyAV cannot write H.264; videos are written as VP8 (.webm)") == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": (641, 480)}, r"size: expected \(width, height\), even, from 64 to 4096, but got \(641, 480\)"),
        ({"size": 640}, "but got 640"),
        ({"fps": 0}, "fps: expected a number from 0.01 to 1000, but got 0"),
        ({"fps": 1e-4}, "fps: expected a number from 0.01 to 1000, but got 0.0001"),
        ({"seconds": 0}, r"seconds: expected a number from 0.001 to 1e\+06, but got 0"),
        ({"seconds": "1"}, r"seconds: expected a number from 0.001 to 1e\+06, but got '1'"),
        ({"codec": "h265"}, "unknown codec 'h265'; did you mean 'h264'"),
        ({"folder": "/dev/null/x"}, "folder: /dev/null/x cannot be made"),
        ({"folder": "/proc/self"}, "folder: /proc/self takes no files"),
        ({"folder": None}, "folder: expected a path, but got None"),
        ({"live": True, "server": "ftp://x"}, "server: expected a host name"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueRefusedError, match=message):
        DataRecorder(**{"size": (640, 480), "folder": tmp_path, **settings})


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(videos, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"DataRecorder needs PyAV.*pip install 'flexlogger\[video\]'"):
        DataRecorder((64, 64), folder=tmp_path)


def test_an_open_recorder_travels_as_its_settings(tmp_path: Path) -> None:
    dr = DataRecorder((64, 64), 10.0, 1.0, tmp_path)
    dr.tensor_plot2D(0, "a", "", "0", np.zeros((2, 2)))
    other = pickle.loads(pickle.dumps(dr))
    other.tensor_plot2D(0, "a", "", "0", np.zeros((2, 2)))
    other.flush()
    dr.flush()
    assert names(tmp_path) == ["a_0_0.mp4", "a_0_1.mp4"]


def test_recording_needs_neither_torch_nor_matplotlib(tmp_path: Path) -> None:
    code = f"""
import sys, numpy as np
from flexlogger.inspector.recorder import DataRecorder
recorder = DataRecorder((64, 64), 10.0, 1.0, {str(tmp_path)!r})
recorder.tensor_pca(0, "a", "", "0", np.eye(3))
recorder.flush()
print([name for name in ("torch", "matplotlib", "cv2") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_folder_that_is_lost_is_told_and_training_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "videos"
    dr = DataRecorder((64, 64), 10.0, 1.0, folder)
    ph = ParallelHandler(dr.tensor_plot2D, dr.flush)
    model = nn.Linear(4, 3)
    ph.track_model(-1, {"model": model}, sources="outputs")
    pid = ph.status()[0]["pid"]
    folder.rmdir()
    step(model)
    step(model)
    assert ph.stop()
    assert ended(pid, 0)
    assert caplog.text.count("callback_onrun raised") == 1
    assert "FileNotFoundError" in caplog.text


@pytest.mark.parametrize("codec", videos.CODECS)
def test_a_full_disk_costs_the_frames_that_it_has_no_room_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, codec: str
) -> None:
    """A limit on the size of files stands for it: both are errors of write(2)."""
    dr = DataRecorder((320, 240), 20.0, 100.0, tmp_path, codec=codec)
    ph = ParallelHandler(dr.tensor_plot2D, dr.flush)
    layer = nn.Identity()
    ph.track_layer(-1, {"a": layer}, sources="outputs")
    pid = ph.status()[0]["pid"]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    sent = 0
    while not ph.status()[0]["errors"]:
        layer(torch.randn(64, 64))
        sent += 1
        wait_for(lambda: ph.status()[0]["waiting"] == 0)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for _ in range(10):
        layer(torch.randn(64, 64))
    errors = ph._outboxes[0][0].errors
    assert ph.stop()
    assert caplog.text.count("File too large") == 1
    shown = [len(decoded(path)) for path in tmp_path.iterdir()]  # each file is whole
    assert len(shown) == errors["callback_onrun"] + 1
    assert sum(shown) == sent + 10 - 2 * errors["callback_onrun"]  # one, and the one before it, which was on its way


def test_a_full_disk_leaves_the_one_frame_that_is_shown_for_long(tmp_path: Path) -> None:
    """Below a frame a second the first is in the file at once."""
    video = videos.Video(tmp_path, "a", (320, 240), 0.1, "h264")
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    video.add(noise)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (video.path.stat().st_size, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            video.add(noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert len(decoded(video.path)) >= 1


def test_a_disk_without_any_room_is_left_without_empty_files(tmp_path: Path) -> None:
    dr = DataRecorder((64, 64), 10.0, 1.0, tmp_path)
    ph = ParallelHandler(dr.tensor_plot2D, dr.flush)
    layer = nn.Identity()
    ph.track_layer(-1, {"a": layer}, sources="outputs")
    process = ph._outboxes[0][0]
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
    for _ in range(3):
        layer(torch.randn(8, 8))
    assert ph.stop()
    assert process.errors == {"callback_onrun": 3}
    assert names(tmp_path) == []


def test_a_video_that_cannot_be_closed_keeps_no_other_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dr = DataRecorder((64, 64), 10.0, 1.0, tmp_path)
    for key in "abc":
        dr.tensor_plot2D(0, key, "", "0", np.zeros((2, 2)))
    closed = []

    def close(video: videos.Video) -> None:
        closed.append(video.path.name)
        raise OSError("no room")

    monkeypatch.setattr(videos.Video, "close", close)
    with pytest.raises(OSError, match="no room"):
        dr.flush()
    assert sorted(closed) == ["a_0_0.mp4", "b_0_0.mp4", "c_0_0.mp4"]
