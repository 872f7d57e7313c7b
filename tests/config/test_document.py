"""YAML to a located tree: places, traps, and limits that hold before anything grows."""

import tracemalloc

import pytest

from flexlogger.config.document import parse
from flexlogger.config.sources import MAX_BYTES
from flexlogger.config.tree import Problems, plain
from flexlogger.errors import Place


def problems_of(text):
    problems = Problems()
    parse(text, "f.yaml", problems)
    return [(p.place.line, p.place.column, p.path, p.message) for p in problems.found]


def test_every_key_value_and_entry_knows_its_place():
    tree = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f.yaml", Problems())
    assert plain(tree) == {"a": 1, "b": ["x", {"c": 2}]}
    assert tree.entries["b"].place == Place("f.yaml", 2, 1)
    entry = tree.get("b").nodes[1]
    assert entry.place == Place("f.yaml", 4, 5)
    assert entry.entries["c"].place == Place("f.yaml", 4, 6)
    assert entry.get("c").place == Place("f.yaml", 4, 9)


def test_plain_tags_are_understood_and_quoting_makes_text():
    tree = parse("a: !!str 5\nb: '5'\nc: !!int '7'\nd: ! 5\ne: !!map {x: !!seq [1]}", "f.yaml", Problems())
    assert plain(tree) == {"a": "5", "b": "5", "c": 7, "d": "5", "e": {"x": [1]}}


def test_an_alias_is_the_anchored_value_with_the_place_of_its_anchor():
    tree = parse("a: &x {t: 1}\nb: *x", "f.yaml", Problems())
    assert plain(tree) == {"a": {"t": 1}, "b": {"t": 1}}
    assert tree.get("b").place.line == 1


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "words"),
    [
        ("", 1, 1, "", "got nothing"),
        ("# only a comment\n", 1, 1, "", "got nothing"),
        ("\n- a\n", 2, 1, "", "expected a mapping"),
        ("just words", 1, 1, "", "expected a mapping"),
        ("a: 1\na: 2\n", 2, 1, "a", "duplicate key; it stands first at f.yaml:1:1"),
        ("p:\n  l: {t: 1, t: 2}\n", 2, 13, "p.l.t", "duplicate key"),
        ("1: x\n", 1, 1, "", "expected a string as key, but got 1"),
        ("a:\n  null: x\n", 2, 3, "a", "expected a string as key, but got null"),
        ("? [x]\n: 1\n", 1, 3, "", "but got a list or mapping"),
        ("a: &k [1]\n? *k\n: 1\n", 2, 3, "", "but got a list or mapping"),
        ("a: 1\n---\nb: 1\n", 2, 1, "", "expected one document"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, 4, "a", "tag !!python/object/apply:os.system is not allowed"),
        ("a: [1, !thing 2]\n", 1, 8, "a[1]", "tag !thing is not allowed"),
        ("a: !!binary aGk=\n", 1, 4, "a", "tag !!binary is not allowed"),
        ("a: &x [*x]\n", 1, 8, "a[0]", "a cycle"),
        ("a: &x {b: {c: *x}}\n", 1, 15, "a.b.c", "a cycle"),
        ("a: *nope\n", 1, 4, "a", "unknown alias *nope"),
        ("a:\n\tb: 1\n", 2, 1, "a", "use spaces"),
        ("a: b: c\n", 1, 5, "", "a colon does not fit here"),
        ("a: 'x\nb: 1\n", 3, 1, "a", "end of stream (while scanning a quoted scalar, which starts at line 1)"),
        ("a: {x: 1\nb: 2\n", 2, 2, "a", "while parsing a flow mapping, which starts at line 1"),
        ("a: 1\nb\nc: 2\n", 2, 1, "", "expected a colon and a space after this key"),
        ("a: @b\n", 1, 4, "a", "cannot start with @"),
        ('a: "\\UFFFFFFFF"\n', 1, 7, "a", "impossible number"),
        ('a: "\\ud800"\n', 1, 4, "a", "half of a surrogate pair"),
        ("a: b\0c\n", 1, 5, "", "is not allowed"),
        ("%YAML " + "9" * 5000 + ".1\n---\na: 1\n", 1, 7, "", "impossible number"),
        ("a: " + "9" * 30, 1, 4, "a", "64 bits"),
        (b"a: b\nc: \xe9\n", 2, 4, "", "expected UTF-8 text, but got byte 0xe9"),
        ("a: b".encode("utf-16"), 1, 1, "", "expected UTF-8 text"),
    ],
)
def test_a_trap_is_refused_at_its_place(text, line, column, path, words):
    first = problems_of(text)[0]
    assert first[:3] == (line, column, path)
    assert words in first[3]


def test_a_byte_order_mark_and_text_beyond_ascii_are_fine():
    assert plain(parse("\ufeffπ: ☃ 🎉".encode(), "f.yaml", Problems())) == {"π": "☃ 🎉"}


def test_several_slips_are_found_at_once():
    assert [p[2] for p in problems_of("a: 1\na: 2\nb: !x 1\n3: 4\n")] == ["a", "b", ""]


def levels(depth):
    return "a: " + "[" * (depth - 1) + "]" * (depth - 1)


def test_depth_fifty_is_read_and_fifty_one_is_not():
    assert not problems_of(levels(50))
    assert "at most 50 levels" in problems_of(levels(51))[0][3]


def test_aliases_cannot_build_what_may_not_be_written():
    text = "a: &x " + "[" * 30 + "]" * 30 + "\nb: " + "[" * 30 + "*x" + "]" * 30
    assert "at most 50 levels" in problems_of(text)[0][3]


def test_a_hundred_aliases_are_read_and_one_more_is_not():
    def text(n):
        return "a: &x 1\nb: [" + ", ".join(["*x"] * n) + "]"

    assert not problems_of(text(100))
    assert "at most 100 aliases" in problems_of(text(101))[0][3]


def bomb(levels, width):
    lines = ["a0: &a0 [" + ",".join("x" * width) + "]"]
    lines += [f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * width) + "]" for i in range(1, levels)]
    return "\n".join(lines)


def test_an_alias_bomb_is_refused_before_it_takes_memory():
    tracemalloc.start()
    try:
        found = problems_of(bomb(11, 9))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "at most 100,000 values, aliases written out" in found[0][3]
    assert peak < 5 * 2**20


@pytest.mark.parametrize(
    "text",
    ["[" * 500_000, "{" * 500_000, "- " * 300_000, "? " * 300_000, "a: " + "&a " * 300_000, "a: [" + "1," * 500_000],
    ids=["flow lists", "flow mappings", "block lists", "block keys", "anchors", "entries"],
)
def test_a_megabyte_of_nothing_good_ends_in_a_problem(text):
    assert problems_of(text)


def test_a_megabyte_is_read_and_more_is_not():
    assert not problems_of("a: " + "x" * (MAX_BYTES - 3))
    assert problems_of("a: " + "x" * MAX_BYTES)[0][:3] == (1, 1, "")
