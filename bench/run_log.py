"""The run log: how fast it is written, how large it is, how fast it is read back and drawn again."""

from __future__ import annotations

from bench.figures import Spread, exponent, ratios, short
from bench.results import Plot, Result, Table, Target
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
sent. A point is one scalar. Files are in the page cache. In turns, in one process."""


def run(session: Session) -> Result:
    sizes = session.pick((100_000, 1_000_000, 10_000_000), (100_000, 1_000_000))
    rounds = session.pick(3, 2)
    found: dict[int, Rounds] = {}
    for size in sizes:
        with session.folder() as folder, session.worker("log_files", {"folder": str(folder)}) as worker:
            worker.round(what="write", records=1000)
            found[size] = {what: [] for what in WHAT}
            for turn in range(rounds):
                for what in WHAT:
                    session.tell(f"{size:,} points, round {turn + 1} of {rounds}: {what}")
                    found[size][what].append(worker.round(what=what, records=size // SCALARS))
    return Result(
        NAME,
        "The run log",
        HOW,
        session.quick,
        [_table(found)],
        _targets(found),
        [
            Plot(
                "bench-run-log.png",
                "lines",
                "The run log",
                "seconds",
                {
                    label: {str(size): _middle(rounds, what, "seconds") for size, rounds in found.items()}
                    for what, label in WHAT.items()
                },
                "points",
            )
        ],
    )


def _column(rounds: Rounds, what: str, key: str) -> list[float]:
    return [float(r[key]) for r in rounds[what]]


def _middle(rounds: Rounds, what: str, key: str) -> float:
    return Spread.of(_column(rounds, what, key)).middle


def _table(found: dict[int, Rounds]) -> Table:
    columns = ["points", "", "seconds", "points/s", "bytes a scalar", "memory grown MB"]
    rows = []
    for size, rounds in found.items():
        for what, label in WHAT.items():
            seconds = Spread.of(_column(rounds, what, "seconds"))
            each = short(_middle(rounds, what, "bytes") / size) if what.endswith("write") else ""
            grown = str(Spread.of(_column(rounds, what, "grown")))
            rows.append([f"{size:,}", label, str(seconds), short(size / seconds.middle), each, grown])
    return Table("Writing and reading", columns, rows)


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
