"""Schedules as pictures: the value at a few steps of 4 epochs of 10."""

from __future__ import annotations

from fractions import Fraction

import pytest
from small_networks import recipe

from netdsl.diagnostics import Refused
from netdsl.ir.program import Flow, Reference, Stage
from netdsl.layers.arguments import BadArgument
from netdsl.training.schedules import bind_schedule


def flow(*recipes, condition=None):
    return Flow(recipes[0], tuple(Stage(each, condition) for each in recipes[1:]))


@pytest.mark.parametrize(("setting", "expected"), [
    (Fraction(1, 10), {0: 0.1, 39: 0.1}),
    (recipe("constant", 0.1), {0: 0.1, 39: 0.1}),
    (recipe("cosine", 0.1), {0: 0.1, 20: 0.05, 40: 0}),
    (recipe("cosine", 0.1, floor=0.02), {0: 0.1, 20: 0.06, 40: 0.02}),
    (recipe("linear", 0.1), {0: 0.1, 10: 0.075, 40: 0}),
    (recipe("steps", 0.1, at=(1, 3)), {0: 0.1, 9: 0.1, 10: 0.01, 29: 0.01, 30: 0.001}),
    (recipe("steps", 0.1, at=2, factor=Fraction(1, 2)), {19: 0.1, 20: 0.05}),
    (flow(recipe("warmup", 1), recipe("cosine", 0.1)),
     {0: 0.01, 4: 0.05, 9: 0.1, 10: 0.1, 25: 0.05, 40: 0}),
    (flow(recipe("warmup", Fraction(1, 2)), recipe("constant", 0.1)), {0: 0.02, 4: 0.1, 5: 0.1}),
    (flow(recipe("warmup", 9), recipe("cosine", 0.9)), {0: 0.01, 39: 0.4}),  # longer than training
])
def test_values(setting, expected):
    schedule = bind_schedule(setting)
    got = {step: schedule.value(step, 40, 10) for step in expected}
    assert got == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("setting", "code"), [
    (recipe("cosin", 0.1), "N401"),
    (recipe("cosine", 0.1, flor=0), "N202"),
    (recipe("cosine"), "N203"),
    (recipe("cosine", 0.1, 0, 3), "N204"),
    (recipe("cosine", -0.1), "N405"),
    (recipe("steps", 0.1, at=()), "N405"),
    (recipe("warmup", 5), "N407"),
    (flow(recipe("cosine", 0.1), recipe("warmup", 5)), "N407"),
    (flow(recipe("warmup", 5), recipe("warmup", 5)), "N407"),
    (flow(recipe("warmup", 5), recipe("cosine", 1), recipe("cosine", 1)), "N407"),
    (flow(recipe("warmup", 5), recipe("cosine", 1), condition=Reference(("training",))), "N407"),
    (flow(Reference(("image",)), recipe("cosine", 1)), "N407"),
])
def test_refused(setting, code):
    with pytest.raises(Refused) as refused:
        bind_schedule(setting)
    assert [problem.code for problem in refused.value.problems] == [code]


@pytest.mark.parametrize("setting", [
    -1, Fraction(-1, 3), float("inf"), float("nan"), 10**400, True, None, "fast", (0.1,),
    Reference(("lr",)),
])
def test_no_schedule(setting):
    with pytest.raises(BadArgument):
        bind_schedule(setting)
