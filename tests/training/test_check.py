"""Programs against models, nothing read and nothing run."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod

import pytest
from small_networks import B, Building, perceptron, program, recipe

from netdsl.ir.graph import Graph
from netdsl.ir.program import Feed, Flow, Minimize, Recipe, Reference, Stage, Step
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


def name(path: str) -> Reference:
    return Reference(tuple(path.split(".")))


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
    ({"data": recipe("digits", classes=(3, 11))}, ["N508"]),
    ({"data": recipe("digits", fractions=1)}, ["N202"]),
    ({"data": Recipe("digits", bare=True)}, ["N440"]),
    ({"settings": {"epoch": 3}}, ["N431"]),
    ({"settings": {"batchsize": 3, "optimizer": recipe("adam", 1)}}, ["N431"] * 2),
    ({"settings": {"accumulate": 0}}, ["N433"]),
    ({"settings": {"accumulate": 3}}, ["N452"]),
    ({"settings": {"clip": 0}}, ["N433"]),
    ({"settings": {"clip": "much"}}, ["N433"]),
    ({"settings": {"workers": Fraction(1, 2)}}, ["N433"]),
    ({"settings": {"precision": name("f64")}}, ["N433"]),
    ({"settings": {"precision": "bf16"}}, ["N433"]),
    ({"settings": {"reset": name("fc")}}, ["N454"]),
    ({"settings": {"reset": 3}}, ["N433"]),
    ({"settings": {"stop": recipe("early", name("val.tpo1"))}}, ["N449"]),
    ({"settings": {"stop": recipe("early", name("train.ce"))}}, ["N449"]),
    ({"settings": {"stop": recipe("early", "val.ce")}}, ["N405"]),
    ({"settings": {"stop": recipe("early", name("val.ce"), patience=0)}}, ["N405"]),
    ({"settings": {"stop": recipe("late", name("val.ce"))}}, ["N401"]),
    ({"settings": {"stop": name("early")}}, ["N440"]),
    ({"settings": {"stop": 3}}, ["N433"]),
    ({"settings": {"weights": "a.safetensors"}}, ["N433"]),
    ({"settings": {"weights": recipe("file", name("a"))}}, ["N405"]),
    ({"settings": {"weights": recipe("file", "a", **{"except": name("fd")})}}, ["N423"]),
    ({"settings": {"weights": recipe("file", "a", **{"except": 3})}}, ["N405"]),
    ({"settings": {"weights": recipe("file", "a", except_=name("fc"))}}, ["N202"]),
    ({"settings": {"weights": recipe("from_run", name("probe"))}}, ["N450"]),
    ({"settings": {"weights": recipe("from_run", "probe")}}, ["N405"]),
    ({"batch": 0}, ["N433"]),
    ({"epochs": -1}, ["N433"]),
    ({"feeds": (feed(names=("imgae",)),)}, ["N441"]),
    ({"feeds": (feed(), feed())}, ["N442"]),
    ({"feeds": (feed(names=("image", "image")),)}, ["N442"]),
    ({"feeds": (feed(field="imgae"),)}, ["N444"]),
    ({"feeds": (feed(Stage(recipe("flip"))),)}, ["N401"]),
    ({"feeds": (feed(Stage(recipe("random_flip", p=2))),)}, ["N405"]),
    ({"feeds": (feed(Stage(recipe("random_flip"), name("val"))),)}, ["N445"]),
    ({"feeds": (feed(Stage(recipe("random_flip"), 3)),)}, ["N445"]),
    ({"feeds": (Feed(("image",), "image"),)}, ["N407"]),
    ({"feeds": (Feed(("image",), name("data.image.x")),)}, ["N407"]),
    ({"feeds": (Feed(("image",), recipe("random_flip")),)}, ["N407"]),
    ({"feeds": (Feed(("image",), 3),)}, ["N446"]),
    ({"feeds": (Feed(("image",), recipe("cosine", 1)),)}, ["N446"]),
    ({"feeds": (Feed(("image",), name("data.image")),)}, ["N457"]),
    ({"feeds": (Feed(("image",), name("data.frequencies")),)}, ["N446"]),
    ({"feeds": (Feed(("label",), recipe("normal")),)}, ["N446"]),
    ({"feeds": (Feed(("image",), recipe("normal", std=-1)),)}, ["N405"]),
    ({"feeds": (Feed(("image",), recipe("uniform", 1, 0)),)}, ["N406"]),
    ({"feeds": (feed(Stage(recipe("normalize", (0.1, 0.2), 1))),)}, ["N540"]),
    ({"feeds": (feed(Stage(recipe("center_crop", 9))),)}, ["N540"]),
    ({"feeds": (feed(Stage(recipe("normalize", (0.1, 0.2), (1, 2, 3)))),)}, ["N406"]),
    ({"feeds": (feed(Stage(recipe("random_flip")), names=("label",)),)}, ["N446"]),
    ({"steps": ()}, ["N414"]),
    ({"steps": (Step("", (Minimize("c", (), ADAM),)),)}, ["N411"]),
    ({"steps": (Step("A", (Minimize("ce", (), ADAM),)), Step("B", (Minimize("c", (), ADAM),)))},
     ["N411"]),
    ({"steps": (Step("", (Minimize("ce", (), Recipe("adam", bare=True)),)),)}, ["N440"]),
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
