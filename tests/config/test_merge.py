"""Merging rules and phases, on trees."""

import pytest

from flexlogger.config.document import parse
from flexlogger.config.merge import merge
from flexlogger.config.phases import expand
from flexlogger.config.tree import Problems, plain


def tree(text, file="f.yaml"):
    return parse(text, file, Problems())


def merged(*texts):
    return plain(merge([tree(text) for text in texts]))


def expanded(text, phases):
    problems = Problems()
    return plain(expand(tree(text), phases, problems)), problems.found


def test_mappings_merge_and_lists_and_scalars_replace():
    assert merged("a: {x: 1, y: {z: 2}}\nl: [1, 2]\ns: 1", "a: {y: {w: 3}}\nl: [3]\ns: 2") == {
        "a": {"x": 1, "y": {"z": 2, "w": 3}},
        "l": [3],
        "s": 2,
    }


@pytest.mark.parametrize(("below", "above"), [("a: {x: 1}", "a: 5"), ("a: 5", "a: {x: 1}"), ("a: [1]", "a: {x: 1}")])
def test_where_shapes_differ_the_later_one_replaces(below, above):
    assert merged(below, above) == plain(tree(above))


def test_null_deletes_what_is_inherited_at_any_depth():
    assert merged("a: 1\nb: {c: {d: 1, e: 2}}", "a: null\nb: {c: {d: null}}") == {"b": {"c": {"e": 2}}}


def test_a_null_with_nothing_to_delete_stays_to_be_judged():
    assert merged("a: {}", "a: {b: null}\nc: null") == {"a": {"b": None}, "c": None}


def test_what_was_deleted_can_come_back_at_the_end():
    assert list(merged("p: {a: 1, b: 2}", "p: {a: null}", "p: {a: 3}")["p"]) == ["b", "a"]


def test_values_keep_the_place_they_came_from():
    root = merge([tree("a: {x: 1}", "base.yaml"), tree("\na: {y: 2}", "top.yaml")])
    assert str(root.get("a").get("x").place) == "base.yaml:1:8"
    assert str(root.get("a").get("y").place) == "top.yaml:2:8"


@pytest.mark.parametrize("kind", ["plots", "meters"])
def test_a_new_type_drops_inherited_opts_and_display_and_nothing_else(kind):
    base = f"{kind}: {{m: {{type: A, opts: {{k: 1}}, display: {{color: red}}, target: t}}}}"
    assert merged(base, f"{kind}: {{m: {{type: B}}}}") == {kind: {"m": {"type": "B", "target": "t"}}}
    own = merged(base, f"{kind}: {{m: {{type: B, opts: {{j: 2}}}}}}")
    assert own == {kind: {"m": {"type": "B", "target": "t", "opts": {"j": 2}}}}


def test_the_same_type_again_keeps_them():
    base = "plots: {p: {type: line, opts: {a: 1}}}"
    assert merged(base, "plots: {p: {type: line, opts: {b: 2}}}")["plots"]["p"]["opts"] == {"a": 1, "b": 2}


def test_a_first_type_keeps_opts_that_came_without_one():
    assert merged("plots: {p: {opts: {a: 1}}}", "plots: {p: {type: line}}")["plots"]["p"]["opts"] == {"a": 1}


def test_type_means_something_only_in_plots_and_meters():
    both = merged("other: {x: {type: A, opts: 1}}", "other: {x: {type: B}}")
    assert both == {"other": {"x": {"type": "B", "opts": 1}}}


def test_phases_expand_in_place_and_leave_other_names_alone():
    tree_, problems = expanded("meters: {a: {}, '{phase}_loss': {}, z: {}}", ["train", "val"])
    assert list(tree_["meters"]) == ["a", "train_loss", "val_loss", "z"]
    assert not problems


def test_what_an_expanded_entry_says_follows_its_phase():
    text = (
        "meters: {'{phase}_m': {target: '{phase}_p', labels: ['{phase}']}}\n"
        "plots: {'{phase}_p': {opts: {title: 'in {phase}'}}}"
    )
    tree_, _ = expanded(text, ["train", "test"])
    assert tree_["meters"]["test_m"] == {"target": "test_p", "labels": ["test"]}
    assert tree_["plots"]["train_p"] == {"opts": {"title": "in train"}}


def test_phases_expand_once():
    tree_, _ = expanded("meters: {'{phase}_loss': {}}", ["{phase}"])
    assert list(tree_["meters"]) == ["{phase}_loss"]


@pytest.mark.parametrize(
    ("name", "stripped"), [("{phase}_loss", "loss"), ("loss_{phase}", "loss"), ("a_{phase}_b", "a_b")]
)
def test_no_phases_take_the_mark_out(name, stripped):
    tree_, _ = expanded(f"meters: {{'{name}': {{target: '{name}'}}}}", [])
    assert tree_["meters"] == {stripped: {"target": stripped}}


def test_the_layout_order_expands_too():
    tree_, _ = expanded("layout: {order: [a, '{phase}_p', 5]}", ["x", "y"])
    assert tree_["layout"]["order"] == ["a", "x_p", "y_p", 5]


def test_two_entries_of_one_name_are_a_problem_with_both_places():
    _, problems = expanded("meters:\n  train_loss: {}\n  '{phase}_loss': {}\n", ["train", "test"])
    (problem,) = problems
    assert (problem.place.line, problem.path) == (3, "meters.{phase}_loss")
    assert "'train_loss' is also declared at f.yaml:2:3" in problem.message


def test_two_entries_of_one_name_without_phases():
    _, problems = expanded("plots:\n  '{phase}_p': {}\n  p: {}\n", [])
    assert [(p.place.line, p.path) for p in problems] == [(3, "plots.p")]
