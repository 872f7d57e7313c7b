"""Videos that browsers play, and that can be opened however their writer ended."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from flexlogger import faults
from flexlogger.errors import MissingExtraError, ValueRefusedError, unknown
from flexlogger.inspector.canvas import Pixels
from flexlogger.inspector.names import CODECS

# One fragment a frame: what a frame was written into is complete, whatever happens next. Costs about 100 bytes each.
_FRAGMENTS = "frag_every_frame+empty_moov+default_base_moof"
_CODECS: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "h264": (
        "libx264",
        "mp4",
        {"preset": "veryfast", "tune": "zerolatency", "crf": "23"},
        {"movflags": _FRAGMENTS, "flush_packets": "1"},
    ),
    "vp8": (
        "libvpx",
        "webm",
        {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "crf": "12", "b": "2M"},
        {"cluster_time_limit": "1", "flush_packets": "1"},
    ),
}
_warn_once = faults.Once()


def check_codec(codec: str) -> str:
    """The codec to use: the one asked for, or VP8 where this PyAV was built without H.264.

    Raises ValueRefusedError for one that there is not, MissingExtraError where PyAV is not installed.
    """
    if codec not in CODECS:
        raise ValueRefusedError(f"codec: {unknown('codec', str(codec), CODECS)}")
    if find_spec("av") is None:
        raise MissingExtraError("DataRecorder", "PyAV", "video")
    return codec


class Video:
    """A file that frames of `size` (width, height) are added to, shown `fps` a second. A key frame begins each second.

    It is the first `<stem>_<number>.mp4` (H.264) or `.webm` (VP8) in `folder` that there is not yet. Each frame is in
    the file when `add` has returned for the next one, which says how long it is shown. Where that would be more than a
    second of video, each is written twice, for half the time, and is in the file when its own `add` has returned. Where
    one cannot be written, the file ends with those that are whole, and the error raises.
    """

    def __init__(self, folder: Path, stem: str, size: tuple[int, int], fps: float, codec: str) -> None:
        import av
        from av.video.stream import VideoStream

        encoder, container, options, container_options = _CODECS[_available(codec)]
        self.path = _new_file(folder, stem, container)
        self.frames = self._whole = 0
        self._times = 2 if fps < 1 else 1
        rate = self._times * Fraction(fps).limit_denominator(1001)
        self._container = av.open(str(self.path), "w", format=container, options=container_options)
        stream = self._container.add_stream(encoder, rate=rate, options=options)
        assert isinstance(stream, VideoStream)  # that is what this encoder makes
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = self._times * max(1, round(fps))
        stream.thread_count = 1
        self._stream, self._rate = stream, rate

    def add(self, frame: Pixels) -> None:
        """Add a frame of (height, width, 3)."""
        import av

        picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
        picture.time_base = 1 / self._rate
        try:
            for time in range(self._times):
                picture.pts = self._times * self.frames + time
                self._container.mux(self._stream.encode(picture))
        except OSError:
            self._give_up()
            raise
        self.frames += 1
        self._whole = self.path.stat().st_size

    def close(self) -> None:
        """Write what is left."""
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        except OSError:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """A full disk: leave the frames that are whole, and no file without any."""
        with suppress(OSError):
            self._container.close()
        with suppress(OSError):
            if self._times * self.frames > 1:
                os.truncate(self.path, self._whole)
            else:
                self.path.unlink()


def _new_file(folder: Path, stem: str, suffix: str) -> Path:
    for number in count():
        path = folder / f"{stem}_{number}.{suffix}"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        return path
    raise AssertionError


def _available(codec: str) -> str:
    from av.codec import Codec

    try:
        Codec(_CODECS[codec][0], "w")
    except Exception:  # PyAV names its error differently from version to version
        if codec != "h264":
            raise
        _warn_once("flexlogger: this PyAV cannot write H.264; videos are written as VP8 (.webm)")
        return "vp8"
    return codec
