"""What a dashboard costs a small training."""

from __future__ import annotations

from bench.figures import Spread, ratios
from bench.results import Plot, Result, Table, Target
from bench.session import Rounds, Session

NAME = "training_step"
PLAIN, HAND, SCALARS, FULL = "no logger", "by hand", "loss and learning rate", "the demo's dashboard"
WATCHED = {PLAIN: "", HAND: "by hand", SCALARS: "scalars", FULL: "all"}

HOW = """\
The demo: a conv net of 38,000 parameters on scikit-learn's 8 × 8 digits, batches of 32, one thread: a step is about a
millisecond, far shorter than a real one. With the demo's whole dashboard, every step logs loss, accuracy, learning
rate and samples per second, and every epoch (43 steps) tests and logs loss, accuracy, F1 per class, a confusion matrix,
25 images and histograms of all weights, on a real server. In turns, a few epochs each, in one process. *Step*: the
median of a training step with its logging, of which *add + log* is what the training thread spends in flexlogger's
calls. *By hand*: the same loss and accuracy by three torch calls and two `item()`, into a deque; nothing is drawn.
*Everything*: the whole time, tests and views included, divided by the steps."""


def run(session: Session) -> Result:
    epochs, rounds = session.pick((15, 15), (4, 4))
    with session.folder() as folder, session.server() as server:
        options = {"folder": str(folder), "port": server.port}
        with session.worker("training", options) as worker:
            for watched in WATCHED.values():
                worker.round(watched=watched, epochs=2)
            requests = {label: [{"watched": watched, "epochs": epochs}] * rounds for label, watched in WATCHED.items()}
            found = session.interleave(dict.fromkeys(WATCHED, worker), requests)
    targets = [
        Target(
            f"step with {label}", "≤ 1 %", f"{_more(found, label, 'step')} %", _more(found, label, "step").middle <= 1
        )
        for label in (SCALARS, FULL)
    ]
    everything = _more(found, FULL, "each")
    targets.append(Target("everything, with the demo's dashboard", "≤ 1 %", f"{everything} %", everything.middle <= 1))
    picture = Plot(
        "bench-training-step.png",
        "bars",
        "A training step of the demo",
        "µs",
        {key: {label: Spread.of([r[key] for r in rounds]).middle for label, rounds in found.items()} for key in KEYS},
    )
    return Result(NAME, "A training step", HOW, session.quick, [_table(found)], targets, [picture])


KEYS = ("step", "each", "test")


def _more(found: Rounds, label: str, key: str) -> Spread:
    """How many percent more than without a logger."""
    beside = ratios([r[key] for r in found[label]], [r[key] for r in found[PLAIN]])
    return Spread(*((times - 1) * 100 for times in beside))


def _table(found: Rounds) -> Table:
    columns = ["", "step µs", "+ %", "of it add + log µs", "everything, µs a step", "+ %", "test µs", "+ %"]
    rows = []
    for label, rounds in found.items():
        shown = {key: str(Spread.of([r[key] for r in rounds])) for key in (*KEYS, "logging")}
        more = {key: "" if label == PLAIN else str(_more(found, label, key)) for key in KEYS}
        row = [label, shown["step"], more["step"], shown["logging"]]
        rows.append([*row, shown["each"], more["each"], shown["test"], more["test"]])
    return Table("In turns", columns, rows)
