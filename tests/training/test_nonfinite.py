"""NaN and infinity in a loss: the first operation that made one is named, and nothing has moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_networks import built

from netdsl.diagnostics import Refused
from netdsl.training.trainer import Trainer

MODEL = """
model M {{
    input x: f32[B, 3]
    h = x -> body: linear{{4}}
    y = {y}
    loss total = mean({loss})
}}
train M {{ batch 2  minimize total with adam(lr = 1e-3) }}
"""
ONES = np.ones((2, 3), np.float32)

CASES = {  # expression, its loss, x, what is blamed, what it made, the text of its place
    "log of 0": ("log(h - h)", "y", ONES, "`log`", "-inf", "log(h - h)"),
    "root of a negative": ("sqrt(0 - h * h - 1)", "y", ONES, "`sqrt`", "NaN",
                           "sqrt(0 - h * h - 1)"),
    "division by 0": ("h / (h - h)", "y", ONES, "`divide`", "inf", "h / (h - h)"),
    "overflow": ("exp(h * 1e4)", "relu(y)", ONES, "`exp`", "inf", "exp(h * 1e4)"),
    "inf - inf": ("where(h > 99, h, log(h - h))", "y - y", ONES, "`log`", "-inf", "log(h - h)"),
    "data": ("relu(h)", "y", np.array([[1, 2, np.nan], [0, 0, 0]]), "the input `x`", "NaN", None),
}


def step(y: str, loss: str, x: np.ndarray, spoil: str | None = None):
    made = built(MODEL.format(y=y, loss=loss))
    trainer = Trainer(made.graph, made.program, seed=1)
    if spoil:
        trainer.variables[spoil][0] = np.nan
    before = trainer.state
    with pytest.raises(Refused) as refused:
        trainer.step({"x": x.astype(np.float32)})
    after = trainer.state
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in before)
    problem, = refused.value.problems
    assert (problem.code, problem.loss, problem.where) == ("N461", "total", "step 1")
    return problem


@pytest.mark.parametrize(("y", "loss", "x", "what", "made", "text"), CASES.values(), ids=CASES)
def test_the_first_operation_is_named(y, loss, x, what, made, text):
    first = step(y, loss, x).culprit
    assert (first.what, first.made) == (what, made)
    assert text is None and first.span is None or first.span.text == text


def test_a_weight_that_held_it_already():
    problem = step("relu(h)", "y", ONES, spoil="body.weight")
    assert problem.culprit.what == "the variable `body.weight`"
    assert "other weights" in problem.describe().suggestion
    assert "clip" in replace(problem, begins=False).describe().suggestion


@pytest.mark.parametrize("case", CASES)
def test_no_learning_rate_is_blamed_before_it_acted(case):
    y, loss, x, *_ = CASES[case]
    problem = step(y, loss, x)
    for each in (problem, replace(problem, culprit=None)):
        assert "rate" not in each.describe().suggestion and "data" in each.describe().suggestion
        later = replace(each, begins=False).describe().suggestion
        assert case == "data" or later.startswith("a lower learning rate")


def test_the_message_shows_loss_place_and_operands():
    text = str(Refused(step("log(h - h)", "y", ONES)))
    assert "the loss `total` became -inf in step 1" in text
    assert "`log` was the first to make -inf, of 0" in text and "-inf began here" in text
