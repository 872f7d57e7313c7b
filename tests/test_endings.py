"""How a script ends, and what Ctrl-C does to an end that is under way."""

from __future__ import annotations

import signal

import pytest

from flexlogger.endings import uninterrupted


def _end(done: list[str], *, fails: bool = False) -> None:
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("the rest")
        if fails:
            raise OSError("no space left")


@pytest.mark.parametrize("fails", [False, True])
def test_ctrl_c_waits_for_the_end_of_what_is_not_to_be_cut_in_two(fails: bool) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _end(done, fails=fails)
    assert done == ["the rest"]
