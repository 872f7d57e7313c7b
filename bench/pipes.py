"""States and records from one process to another, beside plain PyZMQ and torch's queue."""

from __future__ import annotations

from contextlib import ExitStack

from bench.figures import Spread, ratios, short
from bench.results import Picture, Result, Table, Target
from bench.session import Rounds, Session

NAME = "pipes"
OURS, PLAIN, QUEUE, TCP = "StateMonitor", "PyZMQ and msgspec", "torch.multiprocessing.Queue", "pipe: tcp://…"
KINDS = {OURS: "monitor", PLAIN: "plain", QUEUE: "queue"}

HOW = """\
From one process to another on this machine, over TCP on loopback; in turns, each from the first `put` until the other
process has taken everything and said so; a first round of each, which connects and imports, is not counted. *Small
dicts* hold five floats and a number; *arrays* are one array of 16 MB that the sender changes between two puts, so
everyone has to copy it. *PyZMQ and msgspec* is a PUSH and a PULL socket, a message a state, the array in a frame of
its own: no acknowledgement, and what is under way when either side dies is gone. torch's queue sends the array as a
tensor in shared memory. *`pipe: tcp://…`* logs five scalars a record, writes the run log here, and `flexlogger
monitor` writes it again there. *put* is what the caller pays for a dict of five scalars while the states before it are
sent, beside a function that encodes with msgspec and appends to a deque; both in batches of 500, in turns."""


def run(session: Session) -> Result:
    dicts, arrays, records, calls = session.pick((200_000, 40, 100_000, 200), (40_000, 3, 20_000, 10))
    rounds = session.pick(7, 1)
    with ExitStack() as stack:
        folder = str(stack.enter_context(session.folder()))
        started = {name: session.worker("pipes", {"kind": kind}) for name, kind in KINDS.items()}
        tcp = {TCP: stack.enter_context(session.worker("pipes_tcp", {"folder": folder}))}
        workers = {name: stack.enter_context(worker) for name, worker in started.items()}
        small = {name: [{"what": "dicts", "count": dicts}] * (1 + rounds) for name in workers}
        whole = session.interleave(workers | tcp, small | {TCP: [{"count": records}] * (1 + rounds)})
        whole = {name: answers[1:] for name, answers in whole.items()}
        large = session.interleave(workers, dict.fromkeys(workers, [{"what": "arrays", "count": arrays}] * rounds))
        put = session.interleave({OURS: workers[OURS]}, {OURS: [{"what": "calls", "count": calls}] * rounds})
    return Result(
        NAME,
        "Pipes",
        HOW,
        session.quick,
        [_table("Small dicts", whole), _table("Arrays of 16 MB", large), _calls(put)],
        [
            _beside_plain("small dicts", whole, OURS, 0.5),
            _beside_plain("records of five scalars through the tcp pipe", whole, TCP, 0.5),
            _beside_plain("arrays of 16 MB", large, OURS, 0.6),
            _put(put),
        ],
    )


def _table(title: str, found: Rounds) -> Table:
    rows = [[name, str(Spread.of(_column(found, name, "per_second"))), str(_beside(found, name))] for name in found]
    picture = Picture(f"{title} from one process to another", "a second", ["a second"])
    return Table(title, ["", "a second", "× PyZMQ and msgspec"], rows, picture=picture)


def _calls(found: Rounds) -> Table:
    rows = [
        [label, str(Spread.of([figure / 1000 for figure in _column(found, OURS, key)]))]
        for label, key in (("encode and append", "bare_ns"), ("put", "put_ns"))
    ]
    picture = Picture("What the caller pays for five scalars", "µs", ["µs"])
    return Table("A call, five scalars", ["", "µs"], rows, picture=picture)


def _beside_plain(what: str, found: Rounds, name: str, least: float) -> Target:
    beside = _beside(found, name)
    return Target(what, f"≥ {least:g} × plain PyZMQ and msgspec", f"{beside} ×", beside.middle >= least)


def _put(found: Rounds) -> Target:
    times = ratios(_column(found, OURS, "put_ns"), _column(found, OURS, "bare_ns"))
    what = "put of five scalars beside a bare encode and append"
    return Target(what, "≤ 3 ×", f"{short(times.middle)} × ({times})", times.middle <= 3)


def _beside(found: Rounds, name: str) -> Spread:
    return ratios(_column(found, name, "per_second"), _column(found, PLAIN, "per_second"))


def _column(found: Rounds, name: str, key: str) -> list[float]:
    return [float(answer[key]) for answer in found[name]]
