"""A sound, or a waveform."""

from __future__ import annotations

import base64
import io
import wave

import numpy as np

from flexlogger.errors import ValueRefusedError
from flexlogger.plots.entries import part
from flexlogger.plots.media import checked
from flexlogger.plots.text import page
from flexlogger.plots.window import Array, Window
from flexlogger.records import Panel

_LOUDEST = 32767


class AudioPlot:
    """The latest sound of the first meter that has one; a waveform is sent as 16-bit WAV."""

    def draw(self, window: Window) -> Panel:
        """Draw the player."""
        files = window.values("audio")
        waves = [samples for feed in window.feeds if (samples := part(feed, "")) is not None] if not files else []
        if files:
            uri = checked(str(files[0][2].value), "audio")
        elif waves:
            sound = wav(waves[0], window.plot.opts.get("sample_frequency", 44100))
            uri = f"data:audio/wav;base64,{base64.b64encode(sound).decode()}"
        else:
            return page(window, "")
        return page(window, f'<audio controls style="width:100%" src="{uri}"></audio>')


def wav(samples: Array, rate: int) -> bytes:
    """Return a waveform (N,) or (N, 2), from -1 to 1, as a WAV file; a louder one is made softer as a whole.

    Raises ValueRefusedError for any other shape.
    """
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] != 2):
        raise ValueRefusedError(f"expected a waveform (N,), or (N, 2) for stereo, got shape {samples.shape}")
    sound = np.nan_to_num(samples.astype(np.float64), posinf=0.0, neginf=0.0)
    if samples.dtype == np.int16:
        sound /= _LOUDEST
    sound /= max(1.0, float(np.abs(sound).max(initial=0.0)))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(samples.ndim)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(sound * _LOUDEST).astype("<i2").tobytes())
    return out.getvalue()
