"""Mistakes in train programs: unknown names hide nothing, ways out use the program's own words."""

from __future__ import annotations

import pytest
from building import compiled

from netdsl.diagnostics import Diagnostic, Refused

MODEL = """
model M {
    input image: f32[B, 1, 8, 8]
    input label: i64[B] in 0..10
    logits = image -> flatten -> body: linear{4} -> fc: linear{10}
    output logits
    loss ce = cross_entropy(logits, label)
    metric top1 = accuracy(logits, label)
}
"""


def told(text: str, **settings: str) -> list[Diagnostic]:
    """Every error of a file."""
    with pytest.raises(Refused) as refused:
        compiled(text, settings=settings)
    return [each.describe() for each in refused.value.problems if each.severity == "error"]


def test_a_name_that_nothing_defines_hides_no_other_mistake():
    found = told(MODEL + """train M {
        data digits(tak = 3)  let rate = 0.1  let half = rete / 2  clip max_norm  epochs many
        feed image = image -> random_crop(pad = width)
        minimize ce with sgd(lr = warmup(1) -> cosine(half), momentum = rat)
        freze fc
    }""")
    assert [(each.code, each.marks[0].span.text, each.suggestion) for each in found] == [
        ("N202", "tak = 3", "did you mean `take`?"), ("N201", "rete", "did you mean `rate`?"),
        ("N201", "max_norm", None), ("N201", "many", None), ("N201", "width", None),
        ("N201", "rat", "did you mean `rate`?"), ("N431", "freze", "did you mean `freeze`?"),
    ]


@pytest.mark.parametrize(("train", "settings", "code", "way"), [
    ("minimize ce with sgd(lr = cosine(1e-3) -> warmup(1))", {}, "N407",
     "`warmup(1) -> cosine(1e-3)`"),
    ("minimize ce with sgd(lr = warmup(3))", {}, "N407", "`warmup(3) -> cosine(0.1)`"),
    ("minimize top1 with sgd(lr = 1)", {}, "N411", "`minimize ce with …`"),
    ("minimize ce with sgd(lr = 1) stop early(top1)", {}, "N449", "did you mean `val.top1`?"),
    ("minimize ce with sgd(lr = 1) stop early(val.acc)", {}, "N449", "did you mean `val.top1`?"),
    ("minimize ce over fc with sgd(lr = 1) minimize ce over rest with sgd(lr = 2)",
     {"fd.lr": "3"}, "N202", "did you mean `fc.lr`?"),
])
def test_the_way_out_is_in_the_words_of_the_program(train, settings, code, way):
    error, = told(f"{MODEL} train M {{ {train} }}", **settings)
    assert (error.code, error.suggestion) == (code, way)


COPY = """model M {
    input x: f32[B, 8]
    online = linear{4}
    target = ema(online)
    output y = online(x)
    loss l = mean((y - stop_grad(target(x))) ** 2)
}"""


def test_a_copy_is_not_trained():
    error, = told(COPY + "train M { minimize l over target with sgd(lr = 1) }")
    assert error.message == "`target` is a copy, which follows `online` and which nothing trains"


def test_a_copy_of_what_is_never_applied():
    error, = told("model M { input x: f32[B, 8]  h = ema(linear{4})  output y = h(x) }")
    assert "`m = linear{4}`, then `m(x)` and `ema(m)`" in error.suggestion
