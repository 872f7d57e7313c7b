"""Long work on artifacts says how far it is."""

from __future__ import annotations

from pathlib import Path

from tests.terminals import Terminal

START = """
from pathlib import Path
from flexlogger.screen import screen
from flexlogger.tracking import content, progress
from flexlogger.tracking.keeping import RunArtifacts
"""


def test_a_bar_is_shown_once_the_work_takes_long_and_goes_when_it_is_done() -> None:
    code = (
        START
        + """
now = 0.0
work = progress.Progress("copying iris", 100_000_000, clock=lambda: now)
with work:
    work.advance(25_000_000)
    print("nothing yet")
    now = 5.0
    work.advance(25_000_000)
    pause()
    work.advance(25_000_000)  # too soon after the last drawing
    now = 6.0
    work.advance(-25_000_000)
    pause()
print("done")
"""
    )
    with Terminal(code, columns=70) as terminal:
        lines = terminal.until(lambda lines: any(line.startswith("copying") for line in lines))
        assert lines[:3] == ["nothing yet", "", ""]
        assert lines[3].startswith("copying iris ━━━")
        assert lines[3].endswith(" 50% of 100 MB, 5 s left")
        terminal.go()
        terminal.until(lambda lines: lines[3].endswith(" 50% of 100 MB, 6 s left"))
        terminal.go()
        assert terminal.finish() == 0
        assert terminal.everything == ["nothing yet", "done"]


def test_copying_shows_it(tmp_path: Path) -> None:
    code = (
        START
        + f"""
progress.PATIENCE_S = progress.INTERVAL_S = 0.0
copy = content.copy_file
def slow(source, target, advance):
    seen = copy(source, target, advance)
    pause()
    return seen
from flexlogger.tracking import storing
storing.copy_file = slow
folder = Path({str(tmp_path)!r})
(folder / "big.bin").write_bytes(bytes(3_000_000))
RunArtifacts(folder, "run", lambda info: None).log_model(folder / "big.bin", "big").wait()
print("stored")
"""
    )
    with Terminal(code, columns=70) as terminal:
        terminal.until(lambda lines: any(line.endswith("100% of 3 MB, 0 s left") for line in lines))
        terminal.go()
        assert terminal.finish() == 0
        assert terminal.everything == ["stored"]
