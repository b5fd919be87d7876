"""Recipes against rows: what binds, and what is said about what does not."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from typing import get_type_hints

import pytest
from small_networks import recipe

from netdsl.data.noise import RANDOM_DRAWS
from netdsl.data.sources import SOURCES
from netdsl.data.transforms import TRANSFORMS
from netdsl.diagnostics import Report
from netdsl.diagnostics.suggest import FOREIGN, nearest
from netdsl.generate.samplers import SAMPLERS
from netdsl.ir.program import Flow, Recipe, Reference, Stage
from netdsl.language.words import TRAIN_SETTINGS
from netdsl.layers import WORDS
from netdsl.layers.initializers import INITIALIZERS
from netdsl.registry import argument, kind_of, show
from netdsl.training.optimizers import OPTIMIZERS, Adam, AdamW, Sgd
from netdsl.training.schedules import SCHEDULES, Constant, Cosine
from netdsl.training.settings import SETTINGS, STOPS, WEIGHTS

TABLES = (OPTIMIZERS, SCHEDULES, TRANSFORMS, SOURCES, RANDOM_DRAWS, STOPS, WEIGHTS, SAMPLERS,
          SETTINGS)


@pytest.mark.parametrize(("written", "row"), [
    (recipe("sgd", Fraction(1, 10)), Sgd(Constant(0.1))),
    (recipe("sgd", lr=1, momentum=Fraction(9, 10), nesterov=True),
     Sgd(Constant(1.0), 0.9, 0.0, True)),
    (recipe("adam", recipe("cosine", Fraction(1, 100))), Adam(Cosine(0.01))),
    (recipe("adam", 0.01, betas=(Fraction(1, 2), 0)), Adam(Constant(0.01), (0.5, 0.0))),
    (recipe("adamw", 0.01, weight_decay=recipe("cosine", 0, 1)),
     AdamW(Constant(0.01), weight_decay=Cosine(0.0, 1.0))),
])
def test_binds(written, row):
    report = Report()
    assert OPTIMIZERS.bind(written, report) == row
    assert not report.problems


@pytest.mark.parametrize(("written", "message", "suggestion"), [
    (recipe("addam", 0.1), "there is no optimiser called `addam`", "did you mean `adam`?"),
    (recipe("sgd", 0.1, momentun=0.9), "`sgd` has no argument `momentun`",
     "did you mean `momentum`?"),
    (recipe("sgd"), "`sgd` needs `lr`", "`lr = 1e-3`"),
    (recipe("sgd", 0.1, 0, 0, False, 0, 3), "`sgd` is given more than it takes", None),
    (recipe("sgd", 0.1, lr=0.2), "the arguments of `sgd` do not fit: `lr` is given twice", None),
    (recipe("sgd", Fraction(-1, 10)), "`lr` of `sgd` must be a number of at least 0 or a schedule "
     "such as `cosine(0.1)`, not -0.1", None),
    (recipe("sgd", 0.1, momentum=1),
     "`momentum` of `sgd` must be a number from 0 to below 1, or a schedule of such, not 1", None),
    (recipe("sgd", 0.1, nesterov=1), "`nesterov` of `sgd` must be true or false, not 1", None),
    (recipe("sgd", 0.1, nesterov=True),
     "the arguments of `sgd` do not fit: `nesterov` needs a `momentum` above 0", None),
    (recipe("adam", 0.1, betas=(0.9, 0.99, 0.5)),
     "`betas` of `adam` must be two numbers from 0 to below 1, not [0.9, 0.99, 0.5]", None),
    (recipe("adam", 0.1, eps=0),
     "`eps` of `adam` must be a number above 0, or a schedule of such, not 0", None),
    (recipe("adam", 10**5000), "`lr` of `adam` must be a number of at least 0 or a schedule such "
     "as `cosine(0.1)`, not 1e30 or more", None),
    (recipe("adam", learning_rate=0.1), "`adam` has no argument `learning_rate`",
     "did you mean `lr`?"),
    (Recipe("adam", bare=True), "the optimiser `adam` stands without its parentheses",
     "`adam(lr = 1e-3)`"),
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
        for field in fields(row):
            assert kind_of(hints[field.name]).expected


@pytest.mark.parametrize(("setting", "text"), [
    (None, "none"), (True, "true"), (3, "3"), (Fraction(1, 8), "0.125"), (Fraction(6, 3), "2"),
    ('a"b', '"a\\"b"'), ((1, "x"), '[1, "x"]'), (tuple(range(50)), None),
    (recipe("npz", "a.npz", take=3), 'npz("a.npz", take = 3)'),
    (Flow(Reference(("image",)), (Stage(recipe("random_flip"), Reference(("training",))),)),
     "image -> random_flip() when training"),
])
def test_settings_as_text(setting, text):
    assert show(setting) == text if text is not None else show(setting).endswith("19, …]")


@pytest.mark.parametrize(("word", "known", "meant"), [
    ("learning_rate", ("lr", "momentum"), "lr"), ("step_size", ("lr",), "lr"),
    ("kernel_size", ("c", "k", "pad"), "k"), ("padding", ("c", "k", "pad"), "pad"),
    ("out_channels", ("c", "k"), "c"), ("num_classes", ("classes",), "classes"),
    ("batch_size", ("batch", "epochs"), "batch"), ("optimizer", ("minimize", "feed"), "minimize"),
    ("Conv2d", ("conv", "linear"), "conv"), ("rate", ("p",), "p"), ("rate", ("lr", "p"), "lr"),
    ("num_workers", ("workers",), "workers"), ("kernel_size", ("c", "pad"), None),
])
def test_words_of_other_libraries(word, known, meant):
    assert nearest(word, known) == meant


def test_foreign_words_stand_for_words_that_exist():
    arguments = {name for table in TABLES for row in table.rows.values()
                 for name in map(argument, fields(row))}
    arguments |= {each.name for word in WORDS.values() for each in word.attributes}
    words = {*WORDS, *INITIALIZERS, *(name for table in TABLES for name in table.rows)}
    words |= {*SETTINGS.rows}
    asked = {"minimize", "classes", "training", "validating"}  # attributes of models, keywords
    assert set(FOREIGN) - {"heads", "take"} <= arguments | words | asked


def test_the_settings_are_those_that_the_parser_knows():
    assert {name.upper() for name in SETTINGS.rows} == TRAIN_SETTINGS
    for name, row in SETTINGS.rows.items():
        assert name in row.form.split() and len(fields(row)) == 1
