"""Recipes against rows: what binds, and what is said about what does not."""

from __future__ import annotations

from fractions import Fraction
from typing import get_type_hints

import pytest
from small_networks import recipe

from netdsl.data.sources import SOURCES
from netdsl.data.transforms import TRANSFORMS
from netdsl.diagnostics import Report
from netdsl.ir.program import Flow, Reference, Stage
from netdsl.registry import kind_of, show
from netdsl.training.optimizers import OPTIMIZERS, Adam, Sgd
from netdsl.training.schedules import SCHEDULES, Constant, Cosine

TABLES = (OPTIMIZERS, SCHEDULES, TRANSFORMS, SOURCES)


@pytest.mark.parametrize(("written", "row"), [
    (recipe("sgd", Fraction(1, 10)), Sgd(Constant(0.1))),
    (recipe("sgd", lr=1, momentum=Fraction(9, 10), nesterov=True),
     Sgd(Constant(1.0), 0.9, 0.0, True)),
    (recipe("adam", recipe("cosine", Fraction(1, 100))), Adam(Cosine(0.01))),
    (recipe("adam", 0.01, betas=(Fraction(1, 2), 0)), Adam(Constant(0.01), (0.5, 0.0))),
])
def test_binds(written, row):
    report = Report()
    assert OPTIMIZERS.bind(written, report) == row
    assert not report.problems


@pytest.mark.parametrize(("written", "message", "suggestion"), [
    (recipe("addam", 0.1), "there is no optimiser called `addam`", "did you mean `adam`?"),
    (recipe("sgd", 0.1, momentun=0.9), "`sgd` has no argument `momentun`",
     "did you mean `momentum`?"),
    (recipe("sgd"), "`sgd` needs `lr`", "`lr = …`"),
    (recipe("sgd", 0.1, 0, 0, False, 3), "`sgd` is given more than it takes", None),
    (recipe("sgd", 0.1, lr=0.2), "the arguments of `sgd` do not fit: `lr` is given twice", None),
    (recipe("sgd", Fraction(-1, 10)), "`lr` of `sgd` must be a number of at least 0 or a schedule "
     "such as `cosine(0.1)`, not -0.1", None),
    (recipe("sgd", 0.1, momentum=1),
     "`momentum` of `sgd` must be a number from 0 to below 1, not 1", None),
    (recipe("sgd", 0.1, nesterov=1), "`nesterov` of `sgd` must be true or false, not 1", None),
    (recipe("sgd", 0.1, nesterov=True),
     "the arguments of `sgd` do not fit: `nesterov` needs a `momentum` above 0", None),
    (recipe("adam", 0.1, betas=(0.9, 0.99, 0.5)),
     "`betas` of `adam` must be two numbers from 0 to below 1, not [0.9, 0.99, 0.5]", None),
    (recipe("adam", 0.1, eps=0), "`eps` of `adam` must be a number above 0, not 0", None),
    (recipe("adam", 10**5000), "`lr` of `adam` must be a number of at least 0 or a schedule such "
     "as `cosine(0.1)`, not 1e30 or more", None),
    (recipe("adam", recipe("cosin", 0.1)), "there is no schedule called `cosin`",
     "did you mean `cosine`?"),
])
def test_is_refused(written, message, suggestion):
    report = Report()
    assert OPTIMIZERS.bind(written, report) is None
    found = [problem.describe() for problem in report.problems]
    assert [(each.message, each.suggestion) for each in found] == [(message, suggestion)]


def test_several_mistakes_are_all_told():
    report = Report()
    OPTIMIZERS.bind(recipe("adam", -1, eps="small", betas=3), report)
    assert [problem.name for problem in report.problems] == ["lr", "eps", "betas"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.sort)
def test_every_row_is_documented_and_its_fields_have_kinds(table):
    for row in table.rows.values():
        assert row.__doc__ and not row.__doc__.startswith(row.__name__ + "("), row
        hints = get_type_hints(row, include_extras=True)
        for name in row.__dataclass_fields__:
            assert kind_of(hints[name]).expected


@pytest.mark.parametrize(("setting", "text"), [
    (None, "none"), (True, "true"), (3, "3"), (Fraction(1, 8), "0.125"), (Fraction(6, 3), "2"),
    ('a"b', '"a\\"b"'), ((1, "x"), '[1, "x"]'), (tuple(range(50)), None),
    (recipe("npz", "a.npz", take=3), 'npz("a.npz", take = 3)'),
    (Flow(Reference(("image",)), (Stage(recipe("random_flip"), Reference(("training",))),)),
     "image -> random_flip() when training"),
])
def test_settings_as_text(setting, text):
    assert show(setting) == text if text is not None else show(setting).endswith("19, …]")
