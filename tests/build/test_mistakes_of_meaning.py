"""Mistakes that parse, and what is said about them: each `golden/*.net` has its picture beside it.

The file's name begins with the code that it shows. A model called `Preset` is built too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from building import codes_of, compiled_source, picture
from netdsl.build.evaluate import BUILT_IN
from netdsl.diagnostics import (
    Problem,
    Refused,
    evaluation,
    in_order,
    names,
    scopes,
    shapes,
    states,
    words,
)
from netdsl.ir.op import Absent, Op
from netdsl.language.text import read_source
from netdsl.layers.words import Word, WordOperand
from netdsl.ops.random import dropout

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = sorted(GOLDEN.glob("*.net"))
PROBLEMS = [
    kind
    for module in (names, evaluation, scopes, shapes, states, words)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Problem) and kind.__module__ == module.__name__
]

noise = Op(
    name="noise", inputs=("x", "key"), outputs=("y", "mask"), shape=dropout.shape,
    attrs=dropout.attrs, kernel=dropout.kernel, gradient=Absent("a test"), onnx=Absent("a test"),
)


@pytest.fixture(autouse=True)
def a_word_that_draws_in_inference(monkeypatch):
    """The language has none yet, but promises what happens to it."""

    def apply(b, x):
        return b.emit(noise, x, b.key(), p=0.5, stream=b.stream())[0]

    word = Word("noise", False, (WordOperand("x"),), (), apply, "Noise.")
    monkeypatch.setitem(BUILT_IN, "noise", word)


def told(path: Path) -> tuple[Problem, ...]:
    source = read_source(path, path.name)
    model = "Preset" if "model Preset" in source.text else None
    try:
        _, report = compiled_source(source, model)
    except Refused as refusal:
        return refusal.problems
    return in_order(report.problems)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_message(path, golden):
    problems = told(path)
    assert path.stem[:4].upper() in {problem.code for problem in problems}
    golden(path.with_suffix(".txt"), picture(problems))


@pytest.mark.parametrize("kind", PROBLEMS, ids=lambda kind: kind.code)
def test_every_problem_has_a_sample(kind):
    shown = {path.stem[:4].upper() for path in SAMPLES}
    assert kind.code in shown, f"{kind.__name__} has none"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_place_is_in_the_text(path):
    for problem in told(path):
        marks = problem.describe().marks
        assert marks or problem.code == "N220"
        for mark in marks:
            assert 0 <= mark.span.start < mark.span.end <= len(mark.span.source.text)


REPAIRED = {  # the sample of a code with the suggestion followed, and what is left to say
    "n201": ({"imgae": "image", "rellu": "relu", "widht": "width"}, []),
    "n206": ({"conv(64, k = 3)(image)": "conv{64, k = 3}(image)", "-> ConvBN\n": "-> ConvBN{8}\n",
              "-> batchnorm\n": "-> batchnorm{}\n"}, ["N227"]),
    "n207": ({"maxpool{2}": "maxpool(2)", "act{0.1}": "act{}"}, []),
    "n211": ({"batchnorm{}": "label: batchnorm{}"}, []),
    "n219": ({"relu(image)": "relu(image) * mask"}, []),
    "n220": ({"train ResNet18": "train Resnet18"}, ["N411"]),
    "n222": ({"    if (deep)": "    if (not deep)"}, []),
    "n226": ({"frist": "first", "wieght": "weight", "    d = x.weight\n": "",
              ".bias.shape": ".bias"}, ["N301"]),
    "n227": ({"-> linear{8} -> relu": "-> a: linear{8} -> relu", "x -> linear{8} -> fc":
              "x -> b: linear{8} -> fc"}, []),
    "n228": ({"    metric m": "    output y\n    metric m"}, []),
    "n231": ({"head,": "heads,", "[b,": "[B,", "c_inn": "d", ", c_in = 3": ""}, []),
    "n232": ({"    y = matmul(x, wte.weight)\n    output z = wte(y)":
              "    z = wte(x)\n    output y = matmul(z, wte.weight)"}, []),
    "n301": ({"conv{c, k}": "conv{c, k, pad = 1}", "image + label": "image + 1",
              "image * (label == 3)": "image", "image[_, _, _, 0] + image": "image",
              "(label + 1) ** 2": "f32(label + 1) ** 2"}, []),
    "n305": ({"= cross_entropy(logits, label, reduce = none)":
              "= mean(cross_entropy(logits, label, reduce = none))",
              "= argmax(logits, 1) == label": "= mean(f32(argmax(logits, 1) == label))"}, []),
    "n310": ({"H == W or H == 2 * W": "H == W", "not (H < 8 and B > 1)": "H >= 8"}, []),
    "n311": ({"batch 63": "batch 50"}, []),
    "n308": ({"f23": "f32", "float32": "f32"}, ["N219"]),
}


@pytest.mark.parametrize("code", REPAIRED)
def test_the_suggestion_works(code):
    path, = GOLDEN.glob(f"{code}_*.net")
    text = path.read_text("utf-8")
    for wrong, right in REPAIRED[code][0].items():
        assert wrong in text
        text = text.replace(wrong, right)
    assert codes_of(text) == REPAIRED[code][1]
