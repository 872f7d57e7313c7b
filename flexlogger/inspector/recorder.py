"""DataRecorder: callbacks that turn tensors into videos, and show them on a dashboard while they are made."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from flexlogger.errors import ValueRefusedError
from flexlogger.inspector import frames
from flexlogger.inspector.callbacks import takes_arrays
from flexlogger.inspector.canvas import Pixels
from flexlogger.inspector.live import Live, Place
from flexlogger.inspector.names import LARGEST, SMALLEST, within
from flexlogger.inspector.video import Video, check_codec
from flexlogger.sinks.where import server_of, token_of

Draw = Callable[[frames.Numbers, tuple[int, int], str, str], Pixels]


class DataRecorder:
    """Videos of tensors, one a key: `<key>_<process>_<number>.mp4` in `folder`, of `size` (width, height) in pixels,
    `fps` frames a second. After `seconds` of video the next file begins. No file that exists is written over.

    Its methods are callbacks of a ParallelHandler: one of `tensor_plot2D`, `tensor_histogram` and `tensor_pca` as
    `callback_onrun`, `flush` as `callback_onclosing`. They work without torch. Each frame is in the file once the
    next one is drawn, or at once where `fps` is below 1: a process that is killed leaves a video that plays up to
    there. A full disk ends a file with its last whole frame; as soon as there is room again another one begins.

    `codec` is h264, which every browser of today plays, or vp8 for those built without it (files are .webm then).

    With `live` the frames are shown on the dashboard as well, in a window for each key with a slider, and the video at
    the end. `server`, `port`, `env`, `uid` and `token` say where, as for a FlexLogger.

    Raises ValueRefusedError for sizes, rates and folders that cannot be, MissingExtraError where PyAV is missing.
    """

    def __init__(
        self,
        size: tuple[int, int],
        fps: float = 20.0,
        seconds: float = 100.0,
        folder: str | Path = "output",
        *,
        codec: str = "h264",
        live: bool = False,
        server: str | None = None,
        port: int | None = None,
        env: str = "inspector",
        uid: str | None = None,
        token: str | None = None,
    ) -> None:
        self.size = _size(size)
        self.fps = _number("fps", fps)
        self.frames = max(1, round(self.fps * _number("seconds", seconds)))
        """Frames in a file."""
        self.codec = check_codec(codec)
        self.folder = _folder(folder)
        self._place = Place(server_of(server, port), token_of(token), env, uid or env) if live else None
        self._begin()

    def _begin(self) -> None:
        self._videos: dict[tuple[int, str], Video] = {}
        self._live: Live | None = None

    # ---- callbacks

    @takes_arrays
    def tensor_plot2D(self, unique_id: int, key: str, internal_message: str, message: str, tensor: Any) -> None:
        """Add a frame: H x W and 1 x H x W as a heat map, any other shape as a histogram."""
        numbers = frames.numbers_of(tensor)
        draw = frames.heat_map if frames.is_matrix(numbers) else frames.histogram
        self._add(draw, unique_id, key, internal_message, message, numbers)

    @takes_arrays
    def tensor_histogram(self, unique_id: int, key: str, internal_message: str, message: str, tensor: Any) -> None:
        """Add a frame: how often values occur."""
        self._add(frames.histogram, unique_id, key, internal_message, message, frames.numbers_of(tensor))

    @takes_arrays
    def tensor_pca(self, unique_id: int, key: str, internal_message: str, message: str, tensor: Any) -> None:
        """Add a frame: the rows (a batch's entries) at their first two principal components."""
        self._add(frames.pca, unique_id, key, internal_message, message, frames.numbers_of(tensor))

    def flush(self) -> None:
        """Close all videos; the next frame begins another one."""
        videos, live = self._videos, self._live
        self._begin()
        with ExitStack() as ends:  # from the last to the first, whatever of it raises
            if live is not None:
                ends.callback(live.close)
                for (number, key), video in videos.items():
                    ends.callback(live.end, number, key, video.path)
            for video in videos.values():
                ends.callback(video.close)

    # ----

    def _add(
        self, draw: Draw, unique_id: int, key: str, internal_message: str, message: str, numbers: frames.Numbers
    ) -> None:
        told = "   ".join(part for part in (f"step {message}", internal_message) if part)
        frame = draw(numbers, self.size, key, told)
        if self._place is not None:
            self._live = self._live or Live(self._place)
            self._live.add(unique_id, key, frame, told)
        video = self._videos.pop((unique_id, key), None)  # one that cannot be written is not gone on with
        if video is not None and video.frames >= self.frames:
            video.close()
            video = None
        video = video or Video(self.folder, f"{_safe(key)}_{unique_id}", self.size, self.fps, self.codec)
        video.add(frame)
        self._videos[unique_id, key] = video

    def __getstate__(self) -> dict[str, Any]:
        """Settings travel to another process; open videos stay."""
        return {**self.__dict__, "_videos": {}, "_live": None}


def _safe(key: str) -> str:
    return re.sub(r"[^\w.+-]", "_", key)[:100].lstrip(".") or "tensor"


def _size(size: object) -> tuple[int, int]:
    if isinstance(size, tuple | list) and len(size) == 2:
        width, height = size
        if all(type(side) is int and side % 2 == 0 and SMALLEST <= side <= LARGEST for side in size):
            return width, height
    raise ValueRefusedError(f"size: expected (width, height), even, from {SMALLEST} to {LARGEST}, but got {size!r}")


def _number(name: str, given: float) -> float:
    if wrong := within(name, given):
        raise ValueRefusedError(f"{name}: {wrong}")
    return float(given)


def _folder(given: object) -> Path:
    """Make a folder, unless there is one, and see that it takes files."""
    if not isinstance(given, str | Path) or not str(given):
        raise ValueRefusedError(f"folder: expected a path, but got {given!r}")
    folder = Path(given).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueRefusedError(f"folder: {folder} cannot be made ({error.strerror or error})") from error
    try:
        with NamedTemporaryFile(dir=folder, prefix="."):
            pass
    except OSError as error:
        raise ValueRefusedError(f"folder: {folder} takes no files ({error.strerror or error})") from error
    return folder
