"""`train` declarations to programs: numbers worked out, names kept, overrides put in."""

from __future__ import annotations

from fractions import Fraction

import pytest

from building import compiled, compiled_source
from netdsl.diagnostics import Refused
from netdsl.ir.program import Flow, Recipe, Reference, TrainProgram
from netdsl.source import Source

MODEL = """
let base = 1 / 10
model M {
    input image: f32[B, 1, 8, 8]
    input label: i64[B] in 0..10
    logits = image -> flatten -> body: linear{4} -> fc: linear{10}
    output logits
    loss ce = cross_entropy(logits, label)
    loss size = mean(logits)
}
"""
TRAIN = """
train M {
    data digits(take = 100)
    let rate = base * 2
    feed image = image -> random_flip() when training -> normalize(mean = 0.5, std = 0.25)
    batch 8 * 4
    epochs 3
    minimize ce with sgd(lr = warmup(1) -> cosine(rate), momentum = 0.9)
}
"""


def program(train: str = TRAIN, **settings: str) -> TrainProgram:
    built, _ = compiled(MODEL + train, settings=settings)
    return built.program


def test_a_program():
    made = program()
    assert (made.model, made.name, made.batch, made.epochs) == ("M", None, 32, 3)
    assert made.data == Recipe("digits", (), {"take": 100})
    feed, = made.feeds
    assert feed.inputs == ("image",)
    assert feed.value.head == Reference(("image",))
    flip, normalise = feed.value.stages
    assert flip.recipe == Recipe("random_flip") and flip.condition == Reference(("training",))
    assert normalise.recipe.keywords == {"mean": Fraction(1, 2), "std": Fraction(1, 4)}
    step, = made.steps
    minimize, = step.minimize
    assert (minimize.loss, minimize.over) == ("ce", ())
    assert minimize.optimizer.name == "sgd"
    assert minimize.optimizer.keywords["momentum"] == Fraction(9, 10)
    rate = minimize.optimizer.keywords["lr"]
    assert isinstance(rate, Flow) and rate.head == Recipe("warmup", (1,))
    assert rate.stages[0].recipe == Recipe("cosine", (Fraction(1, 5),))


def test_without_settings():
    made = program("train M { minimize ce with adam(lr = 1e-3) }")
    assert (made.data, made.batch, made.epochs) == (None, 32, 1)
    assert made.steps[0].minimize[0].optimizer.keywords == {"lr": Fraction(1, 1000)}


def test_a_model_without_a_program():
    assert compiled(MODEL)[0].program is None


def test_paths_of_parameters():
    made = program("train M { freeze body  minimize ce over fc with adam(lr = 1e-3) }")
    assert made.freeze == (("body",),)
    assert made.steps[0].minimize[0].over == (("fc",),)


def rate_of(made: TrainProgram):
    return made.steps[0].minimize[0].optimizer.keywords["lr"]


OVERRIDES = {
    "the batch": ({"batch": "16"}, lambda p: p.batch == 16),
    "worked out": ({"epochs": "2 ** 3"}, lambda p: p.epochs == 8),
    "a let": ({"rate": "3"}, lambda p: rate_of(p).stages[0].recipe.arguments == (3,)),
    "an argument of the optimiser": ({"lr": "0.5"}, lambda p: rate_of(p) == Fraction(1, 2)),
    "the data": ({"data": "digits(take = 7)"}, lambda p: p.data.keywords == {"take": 7}),
    "a schedule": ({"lr": "cosine(1)"}, lambda p: rate_of(p) == Recipe("cosine", (1,))),
}


@pytest.mark.parametrize("settings, holds", OVERRIDES.values(), ids=OVERRIDES)
def test_overrides(settings, holds):
    assert holds(program(**settings))


REFUSED = {
    "an unknown setting": ({"bacth": "16"}, TRAIN, ["N202"]),
    "no number": ({"batch": "2.5"}, TRAIN, ["N216"]),
    "none at all": ({"batch": "0"}, TRAIN, ["N216"]),
    "no expression": ({"batch": "3 +"}, TRAIN, ["N111"]),
    "several": ({"batch": "3 let b = 4"}, TRAIN, ["N110"]),
    "a setting twice": ({}, "train M { batch 3 batch 4 minimize ce with sgd(lr = 1) }", ["N213"]),
    "a let twice": ({}, "train M { let a = 3 let a = 4 minimize ce with sgd(lr = a) }", ["N213"]),
    "no optimiser": ({}, "train M { minimize ce with 3 }", ["N216"]),
    "no source": ({}, "train M { data 3 minimize ce with sgd(lr = 1) }", ["N216"]),
    "arithmetic on names": ({}, "train M { minimize ce with sgd(lr = base + image) }", ["N218"]),
    "too large": ({}, "train M { batch 9 ** 9 ** 9 minimize ce with sgd(lr = 1) }", ["N218"]),
    "a layer": ({}, "train M { batch linear{3} minimize ce with sgd(lr = 1) }", ["N216"]),
    "a transform of a transform": ({}, "train M { feed image = image -> 3 "
                                       "minimize ce with sgd(lr = 1) }", ["N216"]),
    "another model": ({}, "train N { minimize ce with sgd(lr = 1) }", ["N220"]),
}


@pytest.mark.parametrize("settings, train, codes", REFUSED.values(), ids=REFUSED)
def test_programs_that_cannot_be(settings, train, codes):
    with pytest.raises(Refused) as refused:
        program(train, **settings)
    assert [problem.code for problem in refused.value.problems] == codes


def test_where_a_setting_stands_is_known():
    source = Source("test.net", MODEL + TRAIN)
    made = compiled_source(source)[0].program
    assert made.spans["batch"].text == "batch 8 * 4"
    assert made.steps[0].minimize[0].span.text.startswith("minimize ce")
