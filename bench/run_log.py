"""The run log: how fast it is written, how large it is, how fast it is read back and drawn again."""

from __future__ import annotations

from bench.figures import Spread, exponent, ratios, short
from bench.results import Picture, Result, Table, Target
from bench.session import Rounds, Session

NAME = "run_log"
SCALARS = 5
WHAT = {
    "write": "run log, written",
    "bare_write": "bare encode and write",
    "read": "run log, read",
    "bare_read": "bare read and decode",
    "replay": "run log, read and drawn",
}

HOW = """\
Records of five scalars with ordinary names and values (float64 of full length), in batches of 1,024 as the pipe writes
them. *Bare* writes the same steps, times and values with the same encoder, without sequence numbers and checksums; and
reads lines and decodes them, without checking anything. *Drawn*: through the board to the window that a dashboard is
sent. A point is one scalar. Files are in the page cache. In turns, in one process.

*Opened*: a run's folder as `flexlogger replay` reads it, from all its segments merged in order of time, again to the
window. *Listed*: the whole command `flexlogger runs list` with a filter, from the start of its interpreter; cards have
30 settings and 20 results."""
RUNS = 1000
OPENED = 1_000_000
SEGMENTS = (1, 3)


def run(session: Session) -> Result:
    sizes = session.pick((100_000, 1_000_000, 10_000_000), (100_000, 1_000_000))
    rounds = session.pick(3, 1)
    found: dict[int, Rounds] = {}
    for size in sizes:
        with session.folder() as folder, session.worker("log_files", {"folder": str(folder)}) as worker:
            worker.round(what="write", records=1000)
            found[size] = {what: [] for what in WHAT}
            for turn in range(rounds):
                for what in WHAT:
                    session.tell(f"{size:,} points, round {turn + 1} of {rounds}: {what}")
                    found[size][what].append(worker.round(what=what, records=size // SCALARS))
    folders = _folders(session, rounds)
    return Result(
        NAME,
        "The run log",
        HOW,
        session.quick,
        [_table(found), _opening(folders)],
        _targets(found) + _opening_targets(folders),
    )


def _folders(session: Session, rounds: int) -> Rounds:
    """Runs opened, by their segments, and runs listed; each once before it counts, where there is time."""
    asked = {f"open {parts}": {"what": "open", "count": OPENED // SCALARS, "parts": parts} for parts in SEGMENTS}
    asked["list"] = {"what": "list", "count": RUNS}
    found: Rounds = {what: [] for what in asked}
    warm = session.pick(1, 0)
    with session.folder() as folder, session.worker("run_folders", {"folder": str(folder)}) as worker:
        for turn in range(warm + rounds):
            for what, request in asked.items():
                session.tell(f"round {turn + 1} of {warm + rounds}: {what}")
                found[what].append(worker.round(**request))
    return {what: answers[warm:] for what, answers in found.items()}


def _opening(folders: Rounds) -> Table:
    rows = [
        [
            f"a run of {OPENED:,} points, {parts} segment{'s' * (parts > 1)}, opened",
            str(Spread.of(_column(folders, f"open {parts}", "seconds"))),
            str(Spread.of(_column(folders, f"open {parts}", "grown"))),
        ]
        for parts in SEGMENTS
    ]
    rows.append([f"{RUNS:,} runs listed", str(Spread.of(_column(folders, "list", "seconds"))), ""])
    picture = Picture("Runs opened and listed", "seconds", ["seconds"])
    return Table("Opening and listing", ["", "seconds", "memory grown MB"], rows, picture=picture)


def _opening_targets(folders: Rounds) -> list[Target]:
    slowest = max(_middle(folders, f"open {parts}", "seconds") for parts in SEGMENTS)
    listed = _middle(folders, "list", "seconds")
    return [
        Target(f"a run of {OPENED:,} points, opened and thinned", "< 2 s", f"{short(slowest)} s", slowest < 2),
        Target(f"`runs list` over {RUNS:,} runs, warm", "< 1 s", f"{short(listed)} s", listed < 1),
    ]


def _column(rounds: Rounds, what: str, key: str) -> list[float]:
    return [float(r[key]) for r in rounds[what]]


def _middle(rounds: Rounds, what: str, key: str) -> float:
    return Spread.of(_column(rounds, what, key)).middle


def _table(found: dict[int, Rounds]) -> Table:
    columns = ["", "points", "seconds", "points/s", "bytes a scalar", "memory grown MB"]
    rows = []
    for size, rounds in found.items():
        for what, label in WHAT.items():
            seconds = Spread.of(_column(rounds, what, "seconds"))
            each = short(_middle(rounds, what, "bytes") / size) if what.endswith("write") else ""
            grown = str(Spread.of(_column(rounds, what, "grown")))
            rows.append([label, f"{size:,}", str(seconds), short(size / seconds.middle), each, grown])
    picture = Picture("The run log", "seconds", ["seconds"], over="points")
    return Table("Writing and reading", columns, rows, picture=picture)


def _targets(found: dict[int, Rounds]) -> list[Target]:
    size = 1_000_000
    speed = ratios(_column(found[size], "bare_write", "seconds"), _column(found[size], "write", "seconds"))
    each = _middle(found[size], "write", "bytes") / size
    targets = [
        Target("speed of the writer beside a bare encode-and-write", "≥ 0.5 ×", f"{speed} ×", speed.middle >= 0.5),
        Target("bytes a scalar, five scalars a record", "≤ 40", short(each), each <= 40),
    ]
    for what in ("read", "replay"):
        slope = exponent({size: _middle(rounds, what, "seconds") for size, rounds in found.items()})
        label = f"exponent of {WHAT[what].removeprefix('run log, ')} over points, to {max(found):,}"
        targets.append(Target(label, "linear (≤ 1.05)", f"{slope:.2f}", slope <= 1.05))
    return targets
