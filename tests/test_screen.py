"""Lines that stay below what others print, on a real terminal."""

from __future__ import annotations

import signal

import pytest

from tests.terminals import Terminal

START = """
import logging, threading, time
from flexlogger.screen import screen
me = object()
def show(*lines):
    screen().show(me, lines)
"""


def between(lines: list[str], first: str, last: str) -> list[str]:
    return lines[lines.index(first) : lines.index(last) + 1]


def test_prints_go_above_the_lines_and_none_is_lost_or_broken() -> None:
    code = (
        START
        + """
for n in range(200):
    print("line", n, file=sys.stderr if n % 3 == 0 else sys.stdout)
    if n % 7 == 0:
        show(f"table {n}", "second line")
show(f"table {n}", "second line")
pause()
screen().release(me, ["last"])
print("after")
"""
    )
    with Terminal(code, lines=12) as terminal:
        lines = terminal.until(lambda lines: "line 199" in lines and "second line" in lines)
        assert lines[-6:] == ["line 198", "line 199", "", "", "table 199", "second line"]
        terminal.go()
        assert terminal.finish() == 0
        assert terminal.everything == [*(f"line {n}" for n in range(200)), "last", "after"]


def test_a_line_that_is_not_ended_goes_on_where_it_was() -> None:
    code = (
        START
        + """
print("one, ", end="", flush=True)
show("table")
pause()
print("two, ", end="", flush=True)
show("table", "with more")
print("three")
show("table")
pause()
"""
    )
    with Terminal(code) as terminal:
        assert terminal.until(lambda lines: "table" in lines)[:3] == ["one,", "", "table"]
        terminal.go()
        lines = terminal.until(lambda lines: "one, two, three" in lines and lines[3] == "table")
        assert lines[:5] == ["one, two, three", "", "", "table", ""]


def test_a_bar_that_returns_to_its_line_start_stays_above() -> None:
    code = (
        START
        + """
for n in range(50):
    sys.stderr.write(f"\\r{n:3d}% of the epoch")
    sys.stderr.flush()
    if n % 10 == 0:
        show("table", f"at {n}")
pause()
print()
"""
    )
    with Terminal(code) as terminal:
        lines = terminal.until(lambda lines: lines[0].startswith(" 49%") and "at 40" in lines)
        assert lines[:5] == [" 49% of the epoch", "", "table", "at 40", ""]
        terminal.go()
        terminal.finish()


def test_bars_below_each_other_stay_above() -> None:
    """Nested bars go down a line, write, and come up again, as tqdm does."""
    code = (
        START
        + """
def bar(position, text):
    for piece in ("\\n" * position, "\\r" + text, "\\x1b[A" * position):
        sys.stderr.write(piece)
        sys.stderr.flush()
for n in range(20):
    bar(0, f"epoch {n}")
    bar(1, f"batch {n}")
    show("table", f"at {n}")
pause()
bar(2, "a third")
show("table", "at last")
pause()
"""
    )
    with Terminal(code) as terminal:
        lines = terminal.until(lambda lines: "batch 19" in lines and "at 19" in lines)
        assert lines[:6] == ["epoch 19", "batch 19", "", "table", "at 19", ""]
        terminal.go()
        lines = terminal.until(lambda lines: "at last" in lines)
        assert lines[:7] == ["epoch 19", "batch 19", "a third", "", "table", "at last", ""]


def test_what_is_written_past_python_is_whole_after_the_next_drawing() -> None:
    code = (
        START
        + """
handler = logging.StreamHandler()  # keeps the stream of now
logging.getLogger("early").addHandler(handler)
show("a table that is quite wide", "second line")
logging.getLogger("early").warning("warned")
show("a table that is quite wide", "second line")
os.write(2, b"from C code\\nin two lines\\n")
show("a table that is quite wide", "second line")
pause()
"""
    )
    with Terminal(code) as terminal:
        lines = terminal.until(lambda lines: "in two lines" in lines and "second line" in lines[6:])
        assert lines[:3] == ["warned", "from C code", "in two lines"]
        assert lines[3:8] == ["", "", "a table that is quite wide", "second line", ""]


def test_somebody_may_be_asked_and_answer() -> None:
    code = (
        START
        + """
def refresh():
    for n in range(10_000):
        show("table", f"at {n}")
        time.sleep(0.001)
threading.Thread(target=refresh, daemon=True).start()
print("hello", input("your name? "))
screen().clear()
"""
    )
    with Terminal(code) as terminal:
        terminal.until(lambda lines: lines[0] == "your name?" and "table" in lines)
        terminal.type("Ada\n")
        assert terminal.finish() == 0
        assert terminal.everything[:2] == ["your name? Ada", "hello Ada"]


@pytest.mark.parametrize(
    ("ending", "status", "last"),
    [
        ("raise ValueError('boom')", 1, "ValueError: boom"),
        ("sys.exit(3)", 3, "printed"),
        ("pause()", -signal.SIGINT, "KeyboardInterrupt"),
    ],
)
def test_however_it_ends_nothing_is_left_of_it(ending: str, status: int, last: str) -> None:
    code = (
        START
        + f"""
signal = __import__("signal")
print("printed")
show("table")
{ending}
"""
    )
    with Terminal(code) as terminal:
        terminal.until(lambda lines: "table" in lines or last in lines)
        if status < 0:
            terminal.type("\x03")
        assert terminal.finish() == status
        assert terminal.everything[-1] == last
        assert "table" not in terminal.everything
        assert terminal.screen.cursor.x == 0


def test_no_mode_of_the_terminal_is_changed_so_that_a_kill_leaves_none() -> None:
    code = (
        START
        + """
print("printed")
show("table")
pause()
"""
    )
    with Terminal(code) as terminal:
        terminal.until(lambda lines: "table" in lines)
        terminal.kill(signal.SIGKILL)
        assert terminal.finish() == -signal.SIGKILL
        assert b"\x1b[?" not in terminal.said
        assert terminal.screen.margins is None
        assert terminal.screen.cursor.y == 1


def test_several_owners_share_the_bottom() -> None:
    code = (
        START
        + """
bar = object()
show("table")
screen().show(bar, ["bar 50%"])
pause()
screen().release(me)
pause()
screen().release(bar)
print(type(sys.stdout).__name__)
"""
    )
    with Terminal(code) as terminal:
        assert terminal.until(lambda lines: "bar 50%" in lines)[:4] == ["", "", "table", "bar 50%"]
        terminal.go()
        assert terminal.until(lambda lines: "table" not in lines and "bar 50%" in lines)[:3] == ["", "", "bar 50%"]
        terminal.go()
        terminal.finish()
        assert terminal.everything == ["TextIOWrapper"]


def test_a_small_terminal_shows_what_fits_and_a_larger_one_more() -> None:
    code = (
        START
        + """
for n in range(6):
    print("line", n)
while True:
    show(*(f"row {n}" for n in range(20)))
    pause()
"""
    )
    with Terminal(code, lines=6) as terminal:
        lines = terminal.until(lambda lines: "row 3" in lines)
        assert lines == ["", "", "row 0", "row 1", "row 2", "row 3"]
        terminal.resize(80, 40)
        terminal.go()
        assert "row 19" in terminal.until(lambda lines: "row 19" in lines)


def test_a_forked_child_prints_without_the_lines_of_its_parent() -> None:
    code = (
        START
        + """
show("table")
child = os.fork()
if not child:
    print("from the child")
    os._exit(0)
os.waitpid(child, 0)
show("table")
pause()
"""
    )
    with Terminal(code) as terminal:
        terminal.until(lambda lines: "table" in lines and "from the child" in lines)


def test_output_that_does_not_go_to_the_terminal_is_left_alone(tmp_path: object) -> None:
    code = (
        START
        + f"""
sys.stdout = open({str(tmp_path)!r} + "/out.txt", "w")
show("table")
print("into the file")
sys.stdout.close()
sys.stdout = sys.__stdout__
print(open({str(tmp_path)!r} + "/out.txt").read(), end="")
pause()
"""
    )
    with Terminal(code) as terminal:
        assert "into the file" in terminal.until(lambda lines: "into the file" in lines)


def test_there_is_no_screen_where_standard_error_is_no_terminal() -> None:
    from flexlogger.screen import screen

    assert screen() is None
