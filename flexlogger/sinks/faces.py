"""The latest scalars as lines for a terminal, as one plain line, and as HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flexlogger.records import Step
from flexlogger.sinks.latest import Latest, Meter
from flexlogger.sinks.pace import Pace, duration

PLAIN_VALUES = 20
"""A plain line holds no more values than this."""
_GAP = "  "


class Word(NamedTuple):
    """A piece of text; its mood is "", "dim", "bold" or "bad"."""

    text: str
    mood: str = ""


class Column(NamedTuple):
    """A column of the table. Where there is no room, the one with the highest `rank` goes first."""

    title: str
    rank: int
    cells: list[Word]
    to_right: bool = True


# ---- what is said


def head(latest: Latest, now: float) -> list[Word]:
    """Where the run is, how fast it goes, when it will be done."""
    pace = latest.pace
    if pace.step is None:
        return [Word("nothing logged yet", "dim")]
    words = [Word(f"step {_step(pace.step)}" + (f" of {_step(pace.total)}" if pace.total else ""), "bold")]
    if pace.share is not None:
        words.append(Word(f"{pace.share:.0%}"))
    if pace.left and latest.ending is None:
        words.append(Word(f"{duration(pace.left)} left"))
    if pace.in_epoch is not None:
        number, share, left = pace.in_epoch
        words.append(Word(f"epoch {number} {share:.0%}" + (f", {duration(left)} left" if left is not None else "")))
    words += speed(pace)
    silence = pace.silent(now)
    if latest.ending is not None:
        words.append(Word(latest.ending, "bad" if latest.ending == "crashed" else ""))
    elif silence is not None:
        words.append(Word(f"nothing new for {duration(silence)}", "bad"))
    return words


def speed(pace: Pace) -> list[Word]:
    """Steps a second, and the time a step takes."""
    if not pace.rate:
        return []
    each = Word(f"{duration(1 / pace.rate)} a step", "dim")
    return [Word(f"{pace.rate:.3g} steps/s"), each] if pace.rate >= 1 else [each]


def health(status: Mapping[str, Any]) -> list[Word]:
    """How the pipe is: what waits, what was lost, which views are away, whether the disk takes the log."""
    words = [Word("the run log cannot be written", "bad")] if status.get("stuck") else []
    words += [Word(f"{count:,} dropped ({reason})", "bad") for reason, count in status.get("dropped", {}).items()]
    for name, view in status.get("views", {}).items():
        if name in ("terminal", "card"):
            continue
        if not view.get("ok", True):
            words.append(Word(f"{name} is away", "bad"))
        elif view.get("behind"):
            words.append(Word(f"{name} catches up", "bad"))
        else:
            words.append(Word(f"{name} ok", "dim"))
    return [*words, Word(f"{status.get('queued', 0):,} queued", "dim")]


def columns(latest: Latest) -> list[Column]:
    """The meters, one a row; a spread `loss.std` stands beside its `loss`."""
    rows = [(name, meter) for name, meter in latest.ordered() if _base(name, latest) is None]
    spread = {base: meter for name, meter in latest.meters.items() if (base := _base(name, latest)) is not None}
    steps = any(meter.step != latest.step or _bad(meter) for _, meter in rows)
    table = [
        Column("meter", 0, [Word(clean(name), "bad" if _bad(meter) else "") for name, meter in rows], to_right=False),
        Column("last", 0, [Word(_number(meter.last), "bad" if _bad(meter) else "bold") for _, meter in rows]),
        Column("±", 2, [Word(_number(spread[name].last) if name in spread else "", "dim") for name, _ in rows]),
        Column("min", 1, [Word(_number(meter.low) if meter.low <= meter.high else "") for _, meter in rows]),
        Column("max", 3, [Word(_number(meter.high) if meter.low <= meter.high else "") for _, meter in rows]),
        Column("trend", 5, [Word(meter.trend, "dim") for _, meter in rows], to_right=False),
        Column("step", 4, [_when(meter) for _, meter in rows] if steps else []),
    ]
    return [column for column in table if any(cell.text for cell in column.cells)]


def _base(name: str, latest: Latest) -> str | None:
    base = name.removesuffix(".std")
    return base if base != name and base in latest.meters else None


def _when(meter: Meter) -> Word:
    if _bad(meter) and meter.bad is not None:
        return Word(f"since {_step(meter.bad)}", "bad")
    return Word(_step(meter.step), "dim")


def _bad(meter: Meter) -> bool:
    return meter.last - meter.last != 0.0


def _number(value: float) -> str:
    return f"{value:.5g}" if value == value else "NaN"


def _step(step: Step) -> str:
    return f"{step:,}" if isinstance(step, int) else f"{step:,.6g}"


def clean(text: str) -> str:
    """Text without what would move the cursor."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


# ---- how it looks

_MOODS = {"": "", "dim": "\x1b[2m", "bold": "\x1b[1m", "bad": "\x1b[1;31m"}


def terminal_lines(
    latest: Latest, status: Mapping[str, Any] | None, now: float, width: int, height: int, colour: bool
) -> list[str]:
    """At most `height` lines, none wider than `width` cells."""
    foot = health(status) if status is not None else []
    table = columns(latest)
    room = max(height - 2 - bool(foot), 1)
    count = len(table[0].cells) if table else 0
    shown = count if count <= room else room - 1
    lines = [_joined(head(latest, now), width, colour)]
    if table:
        lines += _table(table, shown, width, colour)
    if shown < count:
        lines.append(_joined([Word(f"and {count - shown} more", "dim")], width, colour))
    if foot:
        lines.append(_joined(foot, width, colour))
    return lines


def _table(table: list[Column], shown: int, width: int, colour: bool) -> list[str]:
    from rich.cells import set_cell_size  # knows how wide letters are; only terminals need it

    widths = {column.title: _width(column, shown) for column in table}
    while len(table) > 2 and sum(widths[c.title] for c in table) + len(_GAP) * (len(table) - 1) > width:
        table.remove(max(table, key=lambda column: column.rank))
    others = sum(widths[column.title] for column in table[1:]) + len(_GAP) * (len(table) - 1)
    widths[table[0].title] = max(min(widths[table[0].title], width - others), 1)

    def line(cells: list[Word]) -> str:
        out = []
        for column, cell in zip(table, cells, strict=True):
            size = widths[column.title]
            text = cell.text.rjust(size) if column.to_right else set_cell_size(cell.text, size)
            out.append(_painted(Word(text, cell.mood), colour))
        return _GAP.join(out)

    rows = [line([Word(column.title, "dim") for column in table])]
    return rows + [line([column.cells[row] for column in table]) for row in range(shown)]


def _width(column: Column, shown: int) -> int:
    from rich.cells import cell_len

    return max(cell_len(text) for text in (column.title, *(cell.text for cell in column.cells[:shown])))


def _joined(words: list[Word], width: int, colour: bool) -> str:
    """Words side by side, as many as there is room for."""
    out: list[str] = []
    used = 0
    for word in words:
        text = word.text[: width - used]
        if out and text != word.text:
            break
        out.append(_painted(Word(text, word.mood), colour))
        used += len(text) + len(_GAP)
    return _GAP.join(out)


def _painted(word: Word, colour: bool) -> str:
    return f"{_MOODS[word.mood]}{word.text}\x1b[0m" if colour and word.mood and word.text else word.text


def plain_line(latest: Latest) -> str | None:
    """One line of the values that nobody was shown yet; None where there are none."""
    fresh = [(name, meter) for name, meter in latest.ordered() if meter.fresh]
    if not fresh or latest.step is None:
        return None
    for _, meter in fresh:
        meter.fresh = False
    values = [f"{clean(name)} {_number(meter.last)}" for name, meter in fresh[:PLAIN_VALUES]]
    if len(fresh) > PLAIN_VALUES:
        values.append(f"and {len(fresh) - PLAIN_VALUES} more")
    pace = [word.text for word in speed(latest.pace)[:1]]
    if latest.pace.left is not None:
        pace.append(f"{duration(latest.pace.left)} left")
    step = f"step {latest.step}" + (f"/{latest.pace.total:g}" if latest.pace.total else "")
    return _GAP.join([step, *values, *([f"({', '.join(pace)})"] if pace else [])])


def html_table(latest: Latest, status: Mapping[str, Any] | None, now: float, messages: Sequence[str]) -> str:
    """A table for a notebook, and messages below it."""
    colours = {"dim": "opacity:.6", "bold": "font-weight:bold", "bad": "font-weight:bold;color:#c62828"}

    def span(word: Word, tag: str = "span") -> str:
        style = f"padding-right:1em;text-align:left;white-space:pre;{colours.get(word.mood, '')}"
        return f'<{tag} style="{style}">{html.escape(word.text)}</{tag}>'

    table = columns(latest)
    rows = ["".join(span(Word(column.title, "dim"), "th") for column in table)]
    rows += ["".join(span(cell, "td") for cell in cells) for cells in zip(*(c.cells for c in table), strict=True)]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    top, bottom = ("".join(map(span, words)) for words in (head(latest, now), health(status) if status else []))
    notes = "".join(f"<div>{span(Word(f'! {message}'))}</div>" for message in messages)
    return f"<div>{top}</div><table>{body}</table><div>{bottom}</div>{notes}"
