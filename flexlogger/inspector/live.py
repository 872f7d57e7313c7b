"""Frames on a dashboard while a video is made: one window a key with a slider, and the video at the end."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flexlogger.inspector.canvas import Pixels
from flexlogger.plots.pixels import data_uri
from flexlogger.records import Datum, Item, Record
from flexlogger.sinks.view import View
from flexlogger.sinks.where import window_id
from flexlogger.sinks.wire import Address, Connection, RefusedError

HISTORY = 30
"""A window's slider goes over at most so many frames: beyond, every second one is left out."""
QUALITY = 80
LARGEST_VIDEO = 32 * 2**20
WIDEST = 640
"""A window is as wide as its frames, so that what they say can be read, up to so many pixels."""
CONTROLS = 110
"""What a window has besides the frame: captions and the slider."""
CLOSE_S = 5.0


class Place(NamedTuple):
    """Where frames are shown."""

    server: Address
    token: str | None
    env: str
    uid: str


class Live:
    """Shows frames from a thread of its own, which a server that is slow or away cannot stop the caller with."""

    def __init__(self, place: Place) -> None:
        repair = f"Start a server with: flexlogger server --port {place.server.port}"
        self._view = View(HistorySink(place), "inspector", repair=repair, interval=1.0)

    def add(self, number: int, key: str, frame: Pixels, caption: str) -> None:
        """Show a frame of a key of the process `number`, unless the next one comes before its turn."""
        self._offer(Datum(f"{number}/{key}", "image", frame, (caption,)))

    def end(self, number: int, key: str, video: Path) -> None:
        """Show the video of a key."""
        self._offer(Datum(f"{number}/{key}", "text", str(video)))

    def _offer(self, datum: Datum) -> None:
        self._view.offer([Record(0, time.time(), {}, (datum,))], None, 0)

    def close(self) -> None:
        """Wait until all is shown, at most a few seconds."""
        self._view.close(CLOSE_S)


class History:
    """One key's frames. `shown` is how many of them the server has."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.shown = 0
        self.next: tuple[Pixels, str] | None = None
        self.video: Path | None = None
        self.room: dict[str, int] = {}
        """Width and height of its windows."""

    def turn(self) -> None:
        """Take in the latest frame."""
        if self.next is None:
            return
        if len(self.frames) >= HISTORY:
            self.frames = self.frames[1::2]
            self.shown = 0
        frame, caption = self.next
        height, width = frame.shape[:2]
        wide = min(width, WIDEST)
        self.room = {"width": wide, "height": height * wide // width + CONTROLS}
        self.frames.append({"src": data_uri(frame, QUALITY), "caption": caption})
        self.next = None


class HistorySink:
    """A sink of records that hold images (the next frame of their name) and texts (the path of its video). A name is a
    process's number, a slash and a key: two processes may have the same key, and a window each."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._connection = Connection(place.server, place.token)
        self._generation = 0
        self._keys: dict[str, History] = {}

    def write(self, batch: Sequence[Item]) -> None:
        """Take frames; of several between two flushes the last one is kept."""
        for item in batch:
            if not isinstance(item, Record):
                continue
            for datum in item.data:
                history = self._keys.setdefault(datum.name, History())
                if isinstance(datum.value, str):
                    history.video = Path(datum.value)
                else:
                    history.next = datum.value, datum.captions[0]

    def flush(self) -> None:
        """Send what the server does not have. Raises ServerError."""
        generation = self._connection.open()
        if generation != self._generation:
            for history in self._keys.values():
                history.shown = 0
            self._generation = generation
        for key, history in self._keys.items():
            history.turn()
            self._show(key, history)
            if history.video is not None:
                self._post("/events", _video_window(key, history.video, history.room), f"{key}.video")
                history.video = None

    def _show(self, key: str, history: History) -> None:
        """Visdom makes a history with one frame and adds the others one by one."""
        while history.shown < len(history.frames):
            frame = history.frames[history.shown]
            opts = {"title": _title(key), "show_slider": True, **history.room}
            body = {"data": [{"type": "image_history", "content": frame}], "layout": {}, "opts": opts}
            self._post("/update" if history.shown else "/events", body, key)
            history.shown += 1

    def _post(self, path: str, body: dict[str, Any], name: str) -> None:
        win = window_id(self._place.uid, self._place.env, f"inspector/{name}")
        answer = self._connection.post(path, {"win": win, "eid": self._place.env, **body}).decode(errors="replace")
        if answer != win:
            for history in self._keys.values():  # somebody has closed a window: it is made again
                history.shown = 0
            raise RefusedError(f"{self._place.server} did not take a frame of {name!r}: it answered {answer[:80]!r}")

    def close(self) -> None:
        """Let go of the server."""
        self._connection.close()


def _title(name: str) -> str:
    return name.partition("/")[2]


def _video_window(key: str, path: Path, room: dict[str, int]) -> dict[str, Any]:
    title = f"{_title(key)}: video"
    if path.stat().st_size > LARGEST_VIDEO:
        html = f"<p>{path.name} has more than {LARGEST_VIDEO // 2**20} MB; it is in its folder.</p>"
    else:
        kind = "mp4" if path.suffix == ".mp4" else "webm"
        content = base64.b64encode(path.read_bytes()).decode("ascii")
        html = f'<video controls loop width="100%" src="data:video/{kind};base64,{content}"></video>'
    return {"data": [{"type": "text", "content": html}], "layout": {}, "opts": {"title": title, **room}}
