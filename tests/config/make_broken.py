"""Makes tests/config/broken/mutated.jsonl: the good presets and configs, each broken in many ways.

Every case knows by construction where it is broken: line, key path, and words that the message must hold. Run it again
after a preset or config has changed:

    python tests/config/make_broken.py
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ("classification", "gan", "language_model", "regression", "segmentation")
FILES_PER_RECIPE = 9
OUT = Path(__file__).parent / "broken" / "mutated.jsonl"


class Spot(NamedTuple):
    """A scalar of a good file: its key path, its place (from 0), what stands there, and whether it is a key."""

    path: tuple[str, ...]
    line: int
    column: int
    text: str
    is_key: bool

    @property
    def name(self) -> str:
        return ".".join(self.path)


class Broken(NamedTuple):
    text: str
    line: int
    path: str
    words: str


def spots(text: str) -> list[Spot]:
    """Every scalar of a YAML text, found with PyYAML's own composer rather than with the code under test."""
    found: list[Spot] = []

    def visit(node: yaml.Node, path: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                add(key, (*path, key.value), True)
                visit(value, (*path, key.value))
        elif isinstance(node, yaml.ScalarNode):
            add(node, path, False)

    def add(node: yaml.Node, path: tuple[str, ...], is_key: bool) -> None:
        start, end = node.start_mark, node.end_mark
        if start.line == end.line:
            written = text.splitlines()[start.line][start.column : end.column]
            found.append(Spot(path, start.line, start.column, written, is_key))

    visit(yaml.compose(text, Loader=yaml.SafeLoader), ())
    return found


def put(text: str, spot: Spot, new: str) -> str:
    """Write `new` over what stands at a spot."""
    lines = text.splitlines(keepends=True)
    line = lines[spot.line]
    lines[spot.line] = line[: spot.column] + new + line[spot.column + len(spot.text) :]
    return "".join(lines)


def misspelt(word: str) -> str:
    """Swap the first two inner letters that differ: `type` becomes `tpye`."""
    at = next(i for i in range(1, len(word) - 1) if word[i] != word[i + 1])
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def key(name: str, depth: int) -> Callable[[Spot], bool]:
    return lambda spot: spot.is_key and spot.path[-1] == name and len(spot.path) == depth


def value(name: str, depth: int, *roots: str) -> Callable[[Spot], bool]:
    return lambda spot: (
        not spot.is_key
        and spot.path[-1] == name
        and len(spot.path) == depth
        and spot.path[0] in (roots or spot.path[:1])
    )


def member(kind: str) -> Callable[[Spot], bool]:
    return lambda spot: spot.is_key and len(spot.path) == 2 and spot.path[0] == kind


def misspell_key(text: str, spot: Spot) -> Broken:
    new = misspelt(spot.text)
    path = ".".join((*spot.path[:-1], new))
    return Broken(put(text, spot, new), spot.line, path, f"{new!r}; did you mean {spot.text!r}?")


def misspell_value(text: str, spot: Spot) -> Broken:
    new = misspelt(spot.text)
    return Broken(put(text, spot, new), spot.line, spot.name, f"{new!r}; did you mean {spot.text!r}?")


def misspell_meter(text: str, spot: Spot) -> Broken:
    new = misspelt(spot.text)
    return Broken(put(text, spot, new), spot.line, spot.name, f"unknown meter {new!r}; did you mean")


def write(new: str, words: str) -> Callable[[str, Spot], Broken]:
    """Replace a value by `new`."""
    return lambda text, spot: Broken(put(text, spot, new), spot.line, spot.name, words)


def prefix(new: str, words: str) -> Callable[[str, Spot], Broken]:
    """Write something before a value."""
    return lambda text, spot: Broken(put(text, spot, f"{new} {spot.text}"), spot.line, spot.name, words)


def repeat_line(text: str, spot: Spot) -> Broken:
    """Say the same key twice."""
    lines = text.splitlines(keepends=True)
    end = spot.line + 1
    while end < len(lines) and lines[end].startswith(" " * (spot.column + 1)):
        end += 1
    lines[end:end] = lines[spot.line : end]
    return Broken("".join(lines), end, spot.name, "duplicate key; it stands first at")


def indent_by_tab(text: str, spot: Spot) -> Broken:
    lines = text.splitlines(keepends=True)
    lines[spot.line] = "\t" + lines[spot.line].lstrip()
    return Broken("".join(lines), spot.line, spot.path[0], "use spaces")


def insert(new: str, path: str, words: str) -> Callable[[str, Spot], Broken]:
    """Add a key of the same level before a key."""

    def mutate(text: str, spot: Spot) -> Broken:
        lines = text.splitlines(keepends=True)
        lines.insert(spot.line, " " * spot.column + new + "\n")
        return Broken("".join(lines), spot.line, ".".join(filter(None, (*spot.path[:-1], path))), words)

    return mutate


def number_as_key(text: str, spot: Spot) -> Broken:
    return Broken(
        put(text, spot, "7"), spot.line, ".".join(spot.path[:-1]), "expected a string as key, but got 7; quote it"
    )


def scalar_for_mapping(text: str, spot: Spot) -> Broken:
    """Leave out the braces: `loss: line`."""
    lines = text.splitlines(keepends=True)
    colon = lines[spot.line].index(":", spot.column + len(spot.text))
    lines[spot.line] = lines[spot.line][: colon + 1] + " line\n"
    end = spot.line + 1
    while end < len(lines) and lines[end].startswith(" " * (spot.column + 1)):
        del lines[end]
    return Broken("".join(lines), spot.line, spot.name, "expected a mapping such as")


RECIPES: tuple[tuple[str, Callable[[Spot], bool], Callable[[str, Spot], Broken]], ...] = (
    ("plots misspelt", key("plots", 1), misspell_key),
    ("meters misspelt", key("meters", 1), misspell_key),
    ("extends misspelt", key("extends", 1), misspell_key),
    ("layout misspelt", key("layout", 1), misspell_key),
    ("phases misspelt", key("phases", 1), misspell_key),
    ("type misspelt", key("type", 3), misspell_key),
    ("opts misspelt", key("opts", 3), misspell_key),
    ("target misspelt", key("target", 3), misspell_key),
    ("display misspelt", key("display", 3), misspell_key),
    ("labels misspelt", key("labels", 3), misspell_key),
    ("xlabel misspelt", key("xlabel", 4), misspell_key),
    ("ylabel misspelt", key("ylabel", 4), misspell_key),
    ("columns misspelt", key("columns", 2), misspell_key),
    ("order misspelt", key("order", 2), misspell_key),
    ("plot type misspelt", value("type", 3, "plots"), misspell_value),
    ("meter type misspelt", lambda s: value("type", 3, "meters")(s) and "." not in s.text, misspell_meter),
    (
        "a program as meter",
        value("type", 3, "meters"),
        write("subprocess.Popen", "'subprocess.Popen' is not below a package"),
    ),
    ("a function as meter", value("type", 3, "meters"), write("os.system", "'os.system' is not below a package")),
    (
        "something private",
        value("type", 3, "meters"),
        write("torchmetrics.__loader__.exec_module", "something private"),
    ),
    ("type as number", value("type", 3, "plots"), write("1e-3", "expected a string, but got 0.001")),
    ("target as list", value("target", 3, "meters"), write("[loss]", "expected a string, but got a list")),
    ("target nowhere", value("target", 3, "meters"), write("xyzzy", "unknown plot 'xyzzy'")),
    (
        "object tag",
        value("type", 3),
        prefix("!!python/object/apply:os.system", "tag !!python/object/apply:os.system is not"),
    ),
    ("class tag", value("type", 3), prefix("!!python/name:subprocess.Popen", "is not allowed")),
    ("own tag", value("target", 3), prefix("!plot", "tag !plot is not allowed")),
    ("unknown alias", value("type", 3), write("*nowhere", "unknown alias *nowhere")),
    ("label as mapping", value("xlabel", 4, "plots"), write("{a: b}", "expected a string, but got a mapping")),
    ("label as null word", value("ylabel", 4, "plots"), write("true", "expected a string, but got true")),
    ("scale nobody knows", value("ytype", 4, "plots"), write("lag", "expected one of linear, log, but got 'lag'")),
    ("plot twice", member("plots"), repeat_line),
    ("meter twice", member("meters"), repeat_line),
    ("tab", member("plots"), indent_by_tab),
    ("tab in meters", member("meters"), indent_by_tab),
    ("plot named by number", member("plots"), number_as_key),
    ("meter named by number", member("meters"), number_as_key),
    ("plot without braces", member("plots"), scalar_for_mapping),
    ("meter without braces", member("meters"), scalar_for_mapping),
    ("plot of nothing", member("plots"), insert("nothing:", "nothing", "nothing inherited to delete")),
    ("meter of nothing", member("meters"), insert("nothing:", "nothing", "nothing inherited to delete")),
    ("environment elsewhere", key("plots", 1), insert("env: ../main", "env", "the server refuses the name '../main'")),
    (
        "port as text",
        key("plots", 1),
        insert("port: 12:30", "port", "expected an integer of at least 1 and at most 65535"),
    ),
    ("octal port", key("plots", 1), insert("port: 010", "port", "but got '010'")),
    ("no as a word", key("plots", 1), insert("strict: no", "strict", "expected true or false, but got 'no'")),
    ("unknown preset", key("plots", 1), lambda text, spot: with_preset(text, spot)),
    ("units mixed", member("meters"), lambda text, spot: with_units(text, spot)),
    (
        "unheard-of sink",
        key("meters", 1),
        insert("sinks: [visdm]", "sinks[0]", "unknown sink 'visdm'; did you mean 'visdom'?"),
    ),
)
"""What is broken, where it can be, and how. Each recipe is used at most once in a file."""


def with_preset(text: str, spot: Spot) -> Broken | None:
    if "\nextends" in text:
        return None
    return insert("extends: [loss, losss]", "extends[1]", "unknown preset 'losss'; did you mean 'loss'?")(text, spot)


def with_units(text: str, spot: Spot) -> Broken:
    lines = text.splitlines(keepends=True)
    pad = " " * spot.column
    lines[spot.line : spot.line] = [
        f"{pad}mixed_a: {{type: AverageValueMeter, target: mixed, unit: s}}\n",
        f"{pad}mixed_b: {{type: AverageValueMeter, target: mixed, unit: ms}}\n",
    ]
    at = next(i for i, line in enumerate(lines) if line.startswith("plots:"))
    lines.insert(at + 1, "  mixed: {type: line}\n")
    line = spot.line + 1 + (1 if at < spot.line else 0)
    return Broken("".join(lines), line, "meters.mixed_b.unit", "two units in plot 'mixed'")


def good_files() -> list[Path]:
    return [*sorted((ROOT / "presets").glob("*.yaml")), *(ROOT / "configs" / f"{name}.yaml" for name in CONFIGS)]


def cases() -> Iterator[dict[str, object]]:
    """Every broken text with what its error must say."""
    files = [(f"{file.parent.name}/{file.stem}", file.read_text(encoding="utf-8")) for file in good_files()]
    good = [(name, text, spots(text)) for name, text in files]
    for number, (title, fits, mutate) in enumerate(RECIPES):
        start = number % len(good)  # each recipe begins at another file, so that all are broken in some ways
        made = (
            (name, mutate(text, spot))
            for name, text, found in good[start:] + good[:start]
            if (spot := next(filter(fits, found), None))
        )
        for name, broken in islice(((name, broken) for name, broken in made if broken), FILES_PER_RECIPE):
            yield {
                "id": f"{name}: {title}",
                "line": broken.line + 1,
                "path": broken.path,
                "words": broken.words,
                "yaml": broken.text,
            }


if __name__ == "__main__":
    written = [json.dumps(case, ensure_ascii=False) for case in cases()]
    OUT.write_text("\n".join(written) + "\n", encoding="utf-8")
    print(f"{len(written)} broken texts in {OUT.relative_to(ROOT)}")
