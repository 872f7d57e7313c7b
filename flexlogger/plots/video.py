"""A video, or images as its frames."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

from flexlogger.errors import MissingExtraError
from flexlogger.plots.media import FILL, checked, inset
from flexlogger.plots.pixels import Pixels, bytes_of, enlarge, factor_for, on_white
from flexlogger.plots.text import page
from flexlogger.plots.window import Array, Window
from flexlogger.records import Panel

_QUALITY = "23"  # x264's usual one


class VideoPlot:
    """The latest video of the first meter that has one; a batch of images is encoded as H.264, its frames."""

    def draw(self, window: Window) -> Panel:
        """Draw the player."""
        videos = window.values("video", "images")
        if not videos or not np.size(videos[0][2].value):
            return page(window, "")
        opts, latest = window.plot.opts, videos[0][2]
        if latest.kind == "video":
            uri = checked(str(latest.value), "video")
        else:
            frames = encoded(np.asarray(latest.value), opts.get("fps", 25))
            uri = f"data:video/mp4;base64,{base64.b64encode(frames).decode()}"
        wanted = ("loop", "autoplay", "autoplay muted")  # browsers start by themselves only what is silent
        flags = " ".join(flag for flag in wanted if opts.get(flag.split()[0]))
        player = f'<video controls playsinline {flags} style="{FILL}" src="{uri}"></video>'
        return page(window, inset(player))


def encoded(frames: Array, fps: int) -> bytes:
    """Return images (N, H, W[, 3 or 4]) as an MP4 file, tiny ones enlarged with sharp pixels."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("a video of images", "PyAV", "video") from error
    pictures = [_even(_enlarged(bytes_of(frame))) for frame in frames]
    height, width = pictures[0].shape[:2]
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=fps, options={"crf": _QUALITY, "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1  # training wants the others
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode())
    return out.getvalue()


def _enlarged(frame: Pixels) -> Pixels:
    return enlarge(on_white(frame), factor_for(*frame.shape[:2]))


def _even(frame: Pixels) -> Pixels:
    """Repeat the last row or column where there is an odd number of them: H.264 wants even ones."""
    rows, columns = (side % 2 for side in frame.shape[:2])
    return np.pad(frame, ((0, rows), (0, columns), (0, 0)), "edge")
