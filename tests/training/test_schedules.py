"""Schedules as pictures: the value at a few steps of 4 epochs of 10."""

from __future__ import annotations

from fractions import Fraction

import pytest
from small_networks import recipe

from netdsl.diagnostics import Refused, Report
from netdsl.ir.program import Flow, Recipe, Reference, Stage
from netdsl.layers.arguments import BadArgument
from netdsl.training.optimizers import OPTIMIZERS
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
    (-1, {0: -1.0, 39: -1.0}),
    (recipe("cosine", Fraction(1, 2), 1), {0: 0.5, 20: 0.75}),
    (recipe("ramp", 2, 4, epochs=2), {0: 2.0, 5: 2.5, 10: 3.0, 20: 4.0, 39: 4.0}),
    (recipe("inverse_sqrt", 8, warmup=4), {0: 2.0, 3: 8.0, 15: 4.0, 35: 8 / 3}),
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
    (recipe("cosine", "high"), "N405"),
    (recipe("cosine", 0.1, float("inf")), "N405"),
    (recipe("ramp", 0, 1), "N203"),
    (recipe("ramp", 0, 1, epochs=0), "N405"),
    (recipe("inverse_sqrt", 1, warmup=0), "N405"),
    (recipe("steps", 1, at=(1,) * 400, factor=10), "N406"),
    (Recipe("cosine", bare=True), "N440"),
    (Reference(("cosine",)), "N440"),
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
    float("inf"), float("nan"), 10**400, True, None, "fast", (0.1,),
    Reference(("lr",)),
])
def test_no_schedule(setting):
    with pytest.raises(BadArgument):
        bind_schedule(setting)


@pytest.mark.parametrize(("setting", "beginning"), [
    (0.1, 0.1), (recipe("cosine", 0.1), 0.1), (recipe("ramp", 2, 4, epochs=2), 2.0),
    (recipe("inverse_sqrt", 8, warmup=4), 8.0),
    (flow(recipe("warmup", 5), recipe("linear", 3, 1)), 3.0),
])
def test_where_a_schedule_begins(setting, beginning):
    assert bind_schedule(setting).beginning == beginning


@pytest.mark.parametrize("setting", [
    0.3, recipe("cosine", 0.25, 0.75), recipe("linear", 1, -1), recipe("ramp", 2, 4, epochs=2),
    recipe("inverse_sqrt", 8, warmup=4), recipe("steps", 1, at=(1, 2), factor=3),
    flow(recipe("warmup", 2), recipe("cosine", 1, 5)),
])
def test_every_value_lies_between_the_ends(setting):
    schedule = bind_schedule(setting)
    values = [schedule.value(step, 40, 10) for step in range(40)]
    assert min(schedule.ends) <= min(values) and max(values) <= max(schedule.ends)


@pytest.mark.parametrize(("name", "setting"), [
    ("lr", -1), ("lr", recipe("linear", 0.1, -0.1)), ("momentum", recipe("cosine", 0.9, 1)),
    ("weight_decay", recipe("linear", 0.1, -0.1)), ("momentum", 1),
])
def test_an_argument_keeps_its_range_all_the_way(name, setting):
    report = Report()
    given = {"lr": 0.1, name: setting}
    assert OPTIMIZERS.bind(recipe("sgd", **given), report) is None
    assert [problem.code for problem in report.problems] == ["N405"]
