"""What a dashboard costs a small training."""

from __future__ import annotations

from bench.figures import Spread, ratios
from bench.results import Plot, Result, Table, Target
from bench.session import Rounds, Session

NAME = "training_step"
PLAIN, AGAIN, HAND = "no logger", "no logger, again", "by hand"
SCALARS, FULL = "loss and learning rate", "the demo's dashboard"
MOST_PERCENT = 1
"""What a dashboard may add; a run whose noise is more than that cannot tell."""
WATCHED = {PLAIN: "", HAND: "by hand", AGAIN: "", SCALARS: "scalars", FULL: "all"}

HOW = """\
The demo: a conv net of 38,000 parameters on scikit-learn's 8 × 8 digits, batches of 32, one thread: a step of a few
milliseconds, far shorter than a real one. With the demo's whole dashboard, every step logs loss, accuracy, learning
rate and samples per second, and every epoch (43 steps) tests and logs loss, accuracy, F1 per class, a confusion matrix,
25 images and histograms of all weights, on a real server. In turns, forwards and backwards, a few epochs each, in one
process; ratios are taken turn by turn, and what *no logger, again* is more than *no logger* is the noise. *Step*: the
median of a training step with its logging, of which *add + log* is what the training thread spends in flexlogger's
calls. *By hand*: all the same values, computed with torch and kept in a deque; nothing is written or drawn.
*Everything*: the whole time, tests and views included, divided by the steps; *CPU*: what of it the training thread
computed rather than waited."""


def run(session: Session) -> Result:
    epochs, rounds = session.pick((8, 30), (4, 10))
    with session.folder() as folder, session.server() as server:
        options = {"folder": str(folder), "port": server.port}
        with session.worker("training", options) as worker:
            for watched in WATCHED.values():
                worker.round(watched=watched, epochs=2)
            found: Rounds = {label: [] for label in WATCHED}
            for turn in range(rounds):
                session.tell(f"turn {turn + 1} of {rounds}")
                for label in WATCHED if turn % 2 else reversed(WATCHED):
                    found[label].append(worker.round(watched=WATCHED[label], epochs=epochs))
    targets = [_target("step", SCALARS, PLAIN, found)]
    targets += [_target(key, FULL, beside, found) for key in ("step", "each") for beside in (PLAIN, HAND)]
    picture = Plot(
        "bench-training-step.png",
        "bars",
        "A training step of the demo",
        "µs",
        {key: {label: Spread.of([r[key] for r in rounds]).middle for label, rounds in found.items()} for key in KEYS},
    )
    return Result(NAME, "A training step", HOW, session.quick, [_table(found)], targets, [picture])


KEYS = ("step", "each", "cpu", "test")
WORDS = {"step": "step", "each": "everything"}


def _target(key: str, label: str, beside: str, found: Rounds) -> Target:
    more, noise = _more(found, label, key, beside), _more(found, AGAIN, key)
    what = f"{WORDS[key]} with {label}, over {beside}"
    telling = abs(noise.middle) <= MOST_PERCENT
    return Target(what, f"≤ {MOST_PERCENT} %", f"{more} %", more.middle <= MOST_PERCENT if telling else None)


def _more(found: Rounds, label: str, key: str, beside: str = PLAIN) -> Spread:
    """How many percent more than without a logger, or by hand."""
    times = ratios([r[key] for r in found[label]], [r[key] for r in found[beside]])
    return Spread(*((ratio - 1) * 100 for ratio in times))


def _table(found: Rounds) -> Table:
    columns = ["", "step µs", "+ %", "of it add + log µs", "everything, µs a step", "+ %", "CPU, µs a step", "+ %"]
    rows = []
    for label, rounds in found.items():
        shown = {key: str(Spread.of([r[key] for r in rounds])) for key in (*KEYS, "logging")}
        more = {key: "" if label == PLAIN else str(_more(found, label, key)) for key in KEYS}
        row = [label, shown["step"], more["step"], shown["logging"], shown["each"], more["each"]]
        rows.append([*row, shown["cpu"], more["cpu"], shown["test"], more["test"]])
    return Table("In turns", [*columns, "test µs", "+ %"], rows)
