"""What a dashboard costs a small training."""

from __future__ import annotations

from typing import Any

from bench.driver import Worker
from bench.figures import Spread, at_most
from bench.results import Picture, Result, Table, Target
from bench.session import Rounds, Session

NAME = "training_step"
PLAIN, AGAIN, HAND = "no logger", "no logger, again", "by hand"
SCALARS, FULL = "loss and learning rate", "the demo's dashboard"
MOST_PERCENT = 1
"""What a dashboard may add."""
BATCHES = (32, 256)
"""The demo's own, and one with which a step takes as long as a small real one."""
WATCHED = {PLAIN: "", HAND: "by hand", AGAIN: "", SCALARS: "scalars", FULL: "all"}

HOW = """\
The demo: a conv net of 38,000 parameters on scikit-learn's 8 × 8 digits, one thread. With the demo's own batches of
32 a step takes a few milliseconds, far less than a real one; batches of 256 come nearer. With the demo's whole
dashboard, every step logs loss, accuracy, learning rate and samples per second, and every epoch tests and logs loss,
accuracy, F1 per class, a confusion matrix, 25 images and histograms of all weights, on a real server. In turns,
forwards and backwards, in one process; ratios are taken turn by turn, and what *no logger, again* is more than *no
logger* is the noise. *Step*: the median of a training step with its logging, of which *add + log* is what the
training thread spends in flexlogger's calls; its *share* is taken step by step, so that the machine's mood is in
both. *By hand*: all the same values, computed with torch and kept in a deque; nothing is written or drawn.
*Everything*: the whole time, tests and views included, divided by the steps; *CPU*: what of it the training thread
computed rather than waited. Where the rounds scatter so much that they say neither yes nor no (sign test, 5 %), it is
*not shown* whether a target is reached."""


def run(session: Session) -> Result:
    rounds = session.pick(16, 2)
    found: dict[int, Rounds] = {}
    with session.folder() as folder, session.server() as server:
        options = {"folder": str(folder), "port": server.port}
        with session.worker("training", options) as worker:
            for batch in session.pick(BATCHES, BATCHES[:1]):
                steps = session.pick(20_000, 1_400) // batch
                found[batch] = _turns(session, worker, rounds, steps, batch)
    targets = [target for batch in found for target in _step_targets(batch, found[batch])]
    targets += [_target("everything", found[BATCHES[0]], "each", FULL, beside) for beside in (PLAIN, HAND)]
    tables = [_table(batch, found[batch]) for batch in found]
    return Result(NAME, "A training step", HOW, session.quick, tables, targets)


def _turns(session: Session, worker: Worker, rounds: int, steps: int, batch: int) -> Rounds:
    for watched in WATCHED.values():
        worker.round(watched=watched, steps=steps // 4, batch=batch)
    found: Rounds = {label: [] for label in WATCHED}
    for turn in range(rounds):
        session.tell(f"batches of {batch}: turn {turn + 1} of {rounds}")
        for label in WATCHED if turn % 2 else reversed(WATCHED):
            found[label].append(worker.round(watched=WATCHED[label], steps=steps, batch=batch))
    return found


KEYS = ("step", "each", "cpu", "test")


def _step_targets(batch: int, found: Rounds) -> list[Target]:
    targets = []
    for label in (SCALARS, FULL):
        shares = [r["share"] for r in found[label]]
        what = f"batches of {batch}: add + log of {label}, of the step"
        targets.append(Target(what, f"≤ {MOST_PERCENT} %", f"{Spread.of(shares)} %", at_most(shares, MOST_PERCENT)))
        targets.append(_target(f"batches of {batch}: step", found, "step", label, PLAIN))
    return targets


def _target(what: str, found: Rounds, key: str, label: str, beside: str) -> Target:
    more = _more(found, label, key, beside)
    reached = at_most(more, MOST_PERCENT)
    return Target(f"{what} with {label}, over {beside}", f"≤ {MOST_PERCENT} %", f"{Spread.of(more)} %", reached)


def _of(rounds: list[dict[str, Any]], key: str) -> Spread:
    return Spread.of([r[key] for r in rounds])


def _more(found: Rounds, label: str, key: str, beside: str = PLAIN) -> list[float]:
    """How many percent more than without a logger, or by hand, turn by turn."""
    return [100 * (r[key] / other[key] - 1) for r, other in zip(found[label], found[beside], strict=True)]


def _table(batch: int, found: Rounds) -> Table:
    drawn = ["step µs", "everything, µs a step", "CPU, µs a step", "test µs"]
    columns = ["", drawn[0], "+ %", "of it add + log µs", "share %"]
    columns += [column for wholes in drawn[1:] for column in (wholes, "+ %")]
    rows = []
    for label, rounds in found.items():
        shown = {key: str(_of(rounds, key)) for key in (*KEYS, "logging", "share")}
        more = {key: "" if label == PLAIN else str(Spread.of(_more(found, label, key))) for key in KEYS}
        row = [label, shown["step"], more["step"], shown["logging"], shown["share"], shown["each"], more["each"]]
        rows.append([*row, shown["cpu"], more["cpu"], shown["test"], more["test"]])
    picture = Picture(f"A training step of the demo, batches of {batch}", "µs", drawn)
    return Table(f"Batches of {batch}", columns, rows, picture=picture)
