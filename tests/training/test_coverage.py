"""Which parameters are trained by what, and what is said about gaps and overlaps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_networks import paths, perceptron, program, recipe

from netdsl.diagnostics import Report
from netdsl.ir.program import Minimize, Pattern, Step
from netdsl.training.graph import plan_training
from netdsl.training.steps import bind_steps

SGD = recipe("sgd", 0.1)
FC2 = {"fc2.weight", "fc2.bias"}
ALL = {"stem.fc1.weight", "stem.fc1.bias", "bn.weight", "bn.bias", *FC2}


def over(*patterns: str, loss: str = "ce") -> Minimize:
    return Minimize(loss, paths(*patterns), SGD)


def planned(*minimize: Minimize, freeze: tuple[str, ...] = ()):
    report = Report()
    plan = plan_training(perceptron(), program(*minimize, freeze=paths(*freeze)), report)
    assert (plan is None) == report.has_errors
    return plan, report.problems


@pytest.mark.parametrize(("pattern", "path", "expected"), [
    ("stem", "stem.fc1.weight", True), ("stem.fc1", "stem.fc1.weight", True),
    ("stem.*", "stem.fc1.weight", True), ("*.fc1", "stem.fc1.weight", True),
    ("stem.fc1.weight", "stem.fc1.weight", True), ("ste", "stem.fc1.weight", False),
    ("fc1", "stem.fc1.weight", False), ("stem.fc1.weight.x", "stem.fc1.weight", False),
    ("*.*.*.*", "stem.fc1.weight", False), ("*", "stem", True),
])
def test_patterns(pattern, path, expected):
    assert Pattern.of(pattern).covers(path) == expected


@pytest.mark.parametrize(("minimize", "freeze", "trained"), [
    ([over()], (), [ALL]),
    ([over("rest")], (), [ALL]),
    ([over()], ("stem",), [ALL - {"stem.fc1.weight", "stem.fc1.bias"}]),
    ([over("fc2"), over("rest")], (), [FC2, ALL - FC2]),
    ([over("rest"), over("fc2")], (), [ALL - FC2, FC2]),
    ([over("*.weight", "stem.fc1.weight")], ("rest",),
     [{"bn.weight", "fc2.weight", "stem.fc1.weight"}]),
    ([over()], ("rest",), [ALL]),  # nothing remains
    ([over()], ("aux",), [ALL]),  # aux is no part of what `ce` needs
    ([over("stem", "bn", "fc2"), over("aux", loss="side")], (), [ALL, {"aux.weight", "aux.bias"}]),
])
def test_covered(minimize, freeze, trained):
    plan, problems = planned(*minimize, freeze=freeze)
    assert not problems
    assert [set(names) for names in plan.coverage.trained] == trained


@pytest.mark.parametrize(("minimize", "freeze", "messages"), [
    ([over("fc2")], (), ["`stem.fc1.weight`, `stem.fc1.bias`, `bn.weight`, `bn.bias` are neither "
                         "trained nor frozen"]),
    ([over("fc2"), over("bn")], ("stem.*.bias",),
     ["`stem.fc1.weight` is neither trained nor frozen"]),
    ([over("fc2"), over("*.bias"), over("rest")], (),
     ["`fc2.bias` is covered by `over fc2` and by `over *.bias`"]),
    ([over("fc2"), over()], (), ["`fc2.weight`, `fc2.bias` are covered by `over fc2` and by "
                                 "`minimize`"]),
    ([over(), over("rest")], (), ["minimising `ce` here moves no parameter"]),
    ([over("rest"), over("rest")], (),
     ["`stem.fc1.weight`, `stem.fc1.bias`, `bn.weight`, `bn.bias` and 2 more are covered by "
      "`over rest` and by `over rest`"]),
    ([over("fc2", "rest")], ("fc2",),
     ["`fc2.weight`, `fc2.bias` are covered by `freeze fc2` and by `over fc2`"]),
    ([over("fc3"), over("rest")], (), ["no parameter of the model lies under `fc3`"]),
    ([over()], ("sten",), ["no parameter of the model lies under `sten`"]),
    ([over("fc3"), over("bn")], (), ["no parameter of the model lies under `fc3`"]),
    ([over(loss="cee")], (), ["the model has no loss `cee`"]),
    ([over()], ("stem", "bn", "fc2"), ["minimising `ce` here moves no parameter"]),
])
def test_refused(minimize, freeze, messages):
    _, problems = planned(*minimize, freeze=freeze)
    assert [problem.describe().message for problem in problems] == messages


def test_the_label_meant_is_suggested():
    _, problems = planned(over(), freeze=("sten",))
    assert problems[0].describe().suggestion == "did you mean `stem`?"


# ------------------------------------------------------------------ several steps

AUX = {"aux.weight", "aux.bias"}
TRUNK = ALL - FC2


def covered(*steps: tuple[Minimize, ...], freeze: tuple[str, ...] = ()):
    """What each `minimize` of each step trains, and the messages."""
    report = Report()
    named = tuple(Step(name, minimize) for name, minimize in zip("ABC", steps))
    told = replace(program(freeze=paths(*freeze)), steps=named)
    bound = bind_steps(perceptron(), told, report) or ()
    trained = [[set(names) for names in each.coverage.trained] for each in bound]
    return trained, [problem.describe().message for problem in report.problems]


@pytest.mark.parametrize(("steps", "freeze", "trained"), [
    ([(over("fc2"),), (over("stem", "bn"),)], (), [[FC2], [TRUNK]]),
    ([(over("fc2"),), (over("rest"),)], (), [[FC2], [TRUNK]]),
    ([(over("fc2"),), (over(),)], (), [[FC2], [ALL]]),  # said by one step and the other
    ([(over("fc2"),), (over("aux", loss="side"),)], ("rest",), [[FC2], [AUX]]),
    ([(over("fc2"),), (over("rest", loss="side"),)], (), [[FC2], [TRUNK | AUX]]),
    ([(over("fc2"),), (over(loss="side"),)], ("stem",),
     [[FC2], [{"bn.weight", "bn.bias"} | AUX]]),
    ([(over("rest"),), (over("rest", loss="side"),)], (), [[ALL], [TRUNK | AUX]]),
])
def test_steps_cover_together(steps, freeze, trained):
    assert covered(*steps, freeze=freeze) == (trained, [])


@pytest.mark.parametrize(("steps", "freeze", "message"), [
    ([(over("fc2"),), (over("bn"),)], (),
     "`stem.fc1.weight`, `stem.fc1.bias` are neither trained nor frozen"),
    ([(over("fc2"), over("*.bias")), (over("rest"),)], (),
     "`fc2.bias` is covered by `over fc2` and by `over *.bias`"),
    ([(over("fc2"),), (over("rest"),)], ("bn", "fc2"),
     "`fc2.weight`, `fc2.bias` are covered by `freeze fc2` and by `over fc2`"),
    ([(over("fc2"),), (over("rest"),)], ("rest",),
     "`stem.fc1.weight`, `stem.fc1.bias`, `bn.weight`, `bn.bias` are covered by `over rest` and by "
     "`freeze rest`"),
    ([(over("rest"),), (over("fc3"),)], (), "no parameter of the model lies under `fc3`"),
    ([(over("fc2"),), (over("rest", loss="cee"),)], (), "the model has no loss `cee`"),
])
def test_steps_that_cannot_be(steps, freeze, message):
    assert covered(*steps, freeze=freeze) == ([], [message])


def test_patterns_are_bounded(monkeypatch):
    monkeypatch.setattr("netdsl.training.coverage.MOST_COMPARED", 20)
    assert covered((over("fc2"),), (over("rest"),))[1] == []
    trained, messages = covered((over("fc2", "stem"),), (over("rest"),))
    assert (trained, messages) == ([], ["patterns times parameters: more than 20"])
