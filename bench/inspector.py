"""What looking at tensors costs the thread that trains."""

from __future__ import annotations

from bench.figures import Spread, ratios, short
from bench.results import Picture, Result, Table, Target
from bench.session import Rounds, Session

NAME = "inspector"
SIZES = {"16 KB": 2**12, "256 KB": 2**16, "1 MB": 2**18, "4 MB": 2**20, "16 MB": 2**22}
LARGE = "16 MB"

HOW = """\
`Outbox.send` of a tensor that was just made, until it returns, beside `copy_` into memory that is there already, in
turns; one thread. The memory shared with the other process is free each time: where it is full, a tensor is dropped and
nothing is copied. *Not due* is what a call of a tracked layer costs more than one that nobody tracks, in a step that is
not looked at."""


def run(session: Session) -> Result:
    rounds, times = session.pick(9, 1), session.pick(60, 10)
    asked = {name: {"what": "send", "entries": entries, "times": times} for name, entries in SIZES.items()}
    asked["idle"] = {"what": "idle", "times": session.pick(100_000, 20_000)}
    found: Rounds = {name: [] for name in asked}
    with session.worker("inspector", {}) as worker:
        for turn in range(rounds):
            for name, request in asked.items():
                session.tell(f"round {turn + 1} of {rounds}: {name}")
                found[name].append(worker.round(**request))
    return Result(
        NAME,
        "The inspector",
        HOW,
        session.quick,
        [_table(found)],
        _targets(found),
    )


def _table(found: Rounds) -> Table:
    rows = [
        [
            name,
            str(Spread.of(_column(found, name, "send_us"))),
            str(Spread.of(_column(found, name, "copy_us"))),
            str(_over(found, name)),
        ]
        for name in SIZES
    ]
    columns = ["tensor", "sent µs", "copied µs", "times a copy"]
    picture = Picture("A tensor that is looked at: how long the caller is held up", "µs", columns[1:3])
    return Table("The caller is held up", columns, rows, picture=picture)


def _targets(found: Rounds) -> list[Target]:
    over, idle = _over(found, LARGE), Spread.of(_column(found, "idle", "idle_us"))
    return [
        Target(f"a tensor of {LARGE} sent, over a copy", "< 1.2", f"{short(over.middle)} ({over})", over.middle < 1.2),
        Target("a call that is not due", "≤ 5 µs", f"{idle} µs", idle.middle <= 5),
    ]


def _over(found: Rounds, name: str) -> Spread:
    return ratios(_column(found, name, "send_us"), _column(found, name, "copy_us"))


def _column(rounds: Rounds, what: str, key: str) -> list[float]:
    return [float(answer[key]) for answer in rounds[what]]
