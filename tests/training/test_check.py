"""Programs against models, nothing read and nothing run."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
from small_networks import B, Building, perceptron, program, recipe

from netdsl.ir.graph import Graph
from netdsl.ir.program import Feed, Flow, Minimize, Reference, Stage, Step
from netdsl.ops.layout import reshape
from netdsl.training.check import check_program

ADAM = recipe("adam", 0.01)


def digit_graph(*shape: int) -> Graph:
    """Sums of images as logits: only the types of its inputs matter."""
    made = Building()
    image, target = made.input("image", "f32", B, *shape), made.input("label", "i64", B)
    logits = made.linear("fc", made.emit(reshape, image, shape=(B, prod(shape))), 10)
    losses = {"ce": made.loss(logits, target)}
    return Graph("Digits", tuple(made.emit.nodes), made.inputs, made.variables,
                 {"logits": logits}, losses)


def feed(*stages, names=("image",), field="image") -> Feed:
    head = Reference((field,))
    return Feed(names, Flow(head, stages) if stages else head)


def codes(graph, told) -> list[str]:
    return [problem.code for problem in check_program(graph, told)]


def test_a_sound_program_has_no_problems():
    crop = Stage(recipe("random_crop", pad=1), Reference(("training",)))
    scale = Stage(recipe("normalize", 0.3, 0.4))
    told = program(data=recipe("digits", take=100), feeds=(feed(crop, scale),))
    assert check_program(digit_graph(1, 8, 8), told) == []


@pytest.mark.parametrize(("fields", "expected"), [
    ({"data": recipe("digit")}, ["N401"]),
    ({"data": recipe("digits", tak=3)}, ["N202"]),
    ({"data": recipe("mnist")}, ["N203"]),
    ({"data": recipe("digits", 3)}, ["N204"]),
    ({"data": recipe("digits", take=0)}, ["N405"]),
    ({"data": recipe("digits", fraction=2)}, ["N405"]),
    ({"data": recipe("digits", classes=())}, ["N405"]),
    ({"data": recipe("mnist", Reference(("folder",)))}, ["N405"]),
    ({"settings": {"epoch": 3}}, ["N431"]),
    ({"settings": {"accumulate": 4, "clip": 1, "stop": recipe("early")}}, ["N432"] * 3),
    ({"batch": 0}, ["N433"]),
    ({"epochs": -1}, ["N433"]),
    ({"feeds": (feed(names=("imgae",)),)}, ["N441"]),
    ({"feeds": (feed(), feed())}, ["N442"]),
    ({"feeds": (feed(field="imgae"),)}, ["N444"]),
    ({"feeds": (feed(Stage(recipe("flip"))),)}, ["N401"]),
    ({"feeds": (feed(Stage(recipe("random_flip", p=2))),)}, ["N405"]),
    ({"feeds": (feed(Stage(recipe("random_flip"), Reference(("val",)))),)}, ["N445"]),
    ({"feeds": (feed(Stage(recipe("random_flip"), 3)),)}, ["N445"]),
    ({"feeds": (Feed(("image",), 3),)}, ["N407"]),
    ({"feeds": (Feed(("image",), recipe("cosine", 1)),)}, ["N432"]),
    ({"feeds": (Feed(("image",), Reference(("data", "image"))),)}, ["N432"]),
    ({"feeds": (feed(Stage(recipe("normalize", (0.1, 0.2), 1))),)}, ["N446"]),
    ({"feeds": (feed(Stage(recipe("normalize", (0.1, 0.2), (1, 2, 3)))),)}, ["N406"]),
    ({"feeds": (feed(Stage(recipe("random_flip")), names=("label",)),)}, ["N446"]),
    ({"steps": ()}, ["N414"]),
    ({"steps": (Step("A", (Minimize("ce", (), ADAM),)), Step("B", (Minimize("ce", (), ADAM),)))},
     ["N432"]),
    ({"steps": (Step("A", (Minimize("ce", (), ADAM),), every=2),)}, ["N432"]),
    ({"steps": (Step("", (Minimize("c", (), recipe("adem"),),)),)}, ["N411"]),
])
def test_problems(fields, expected):
    told = replace(program(data=recipe("digits")), **fields)
    assert codes(digit_graph(1, 8, 8), told) == expected


@pytest.mark.parametrize(("graph", "reason"), [
    (digit_graph(1, 28, 28), "its rows are [1, 8, 8] when training, not [1, 28, 28]"),
    (digit_graph(64), "its rows are [1, 8, 8] when training, not [64]"),
])
def test_fields_that_do_not_fit(graph, reason):
    problem, = check_program(graph, program(data=recipe("digits")))
    assert problem.code == "N446"
    assert reason in problem.describe().message


def test_sizes_that_the_files_decide_are_not_refused():
    assert not check_program(digit_graph(1, 28, 28), program(data=recipe("mnist", "anywhere")))
    assert not check_program(digit_graph(3), program(data=recipe("npz", "anything.npz")))


def test_an_input_that_no_field_feeds():
    assert codes(perceptron(), program(data=recipe("digits"))) == ["N443"]


def test_a_loss_with_rows_is_refused():
    graph = perceptron()
    logits = graph.outputs["logits"]
    problem, = check_program(replace(graph, losses={"ce": logits}), program())
    assert problem.describe().message == "the loss `ce` is f32[B, 3], not one number"
