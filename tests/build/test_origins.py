"""How each size came to be, and the way out: told in the words of the body that speaks, and right
when followed. Each case is a text, what is said of its first error, and the text repaired."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from building import errors_of, picture, problems_of
from netdsl.diagnostics import Diagnostic

CONV_BN = """\
net 1
layer ConvBN{c, k = 3, stride = 1}(x) {
    return x -> conv: conv{c, k, stride = stride, pad = k // 2, bias = false} -> bn: batchnorm{}
}
"""
BOTTLENECK = CONV_BN + """\
layer Bottleneck{c, stride = 1, expand = 4}(x: [B, cin, H, W]) {
    main = x -> conv1: ConvBN{c, k = 1} -> relu
             -> conv2: ConvBN{c, stride = stride} -> relu
             -> conv3: ConvBN{c * expand, k = 1}
    skip = x -> proj: ConvBN{c * expand, k = 1, stride = stride} when WHEN
    return relu(main + skip)
}
model Net {
    input image: f32[B, 3, 56, 56]
    x = image -> stem: ConvBN{64}
    stage: for (i in 0..2) { x = x -> Bottleneck{64 * 2 ** i, stride = i + 1} }
    output x
}
"""


@dataclass(frozen=True)
class Case:
    """`notes` are the axes and ranks told, `way` is the suggestion, `repair` what following it
    does to the text."""

    text: str
    notes: tuple[str, ...]
    way: str | None = None
    repair: dict[str, str] = field(default_factory=dict)


def model(statements: str, layers: str = "", image: str = "f32[B, 8, 28, 28]") -> str:
    return f"net 1\n{layers}\nmodel Net {{\n    input image: {image}\n{statements}\n}}\n"


CASES = {
    "a stage skipped by its when": Case(
        BOTTLENECK.replace("WHEN", "stride != 1"),
        ("axis 1 (channels): 256 = c * expand (c = 64, expand = 4, line 8)\n"
         "64 = cin, because `proj` was skipped: its `when` is false (line 9)",
         "in Net.stage.0 = Bottleneck{64}, made at test.net:15"),
        "`when cin != c * expand or stride != 1`",
        {"when stride != 1": "when cin != c * expand or stride != 1"},
    ),
    "a when that compares the wrong size": Case(
        BOTTLENECK.replace("WHEN", "cin != c or stride != 1"),
        ("axis 1 (channels): 256 = c * expand (c = 64, expand = 4, line 8)\n"
         "64 = cin, because `proj` was skipped: its `when` is false (line 9)",
         "in Net.stage.0 = Bottleneck{64}, made at test.net:15"),
        "`when cin != c * expand or stride != 1`",
        {"when cin != c or": "when cin != c * expand or"},
    ),
    "a when that forgets the stride": Case(
        BOTTLENECK.replace("WHEN", "cin != c * expand").replace("64 * 2 ** i", "16"),
        ("axis 2 (rows): 28 = (56 + 2 * 1 - 3) // 2 + 1: "
         "`conv2.conv` with k = 3, pad = 1, stride = 2 (line 3)\n"
         "56 = H, because `proj` was skipped: its `when` is false (line 9)",
         "axis 3 (columns) likewise: 28 and 56",
         "in Net.stage.1 = Bottleneck{16, stride = 2}, made at test.net:15"),
        "`when cin != c * expand or stride != 1`",
        {"when cin != c * expand": "when cin != c * expand or stride != 1"},
    ),
    "an attribute that is not passed on": Case(
        BOTTLENECK.replace("WHEN", "true").replace(", stride = stride} when", "} when"),
        ("axis 2 (rows): 28 = (56 + 2 * 1 - 3) // 2 + 1: "
         "`conv2.conv` with k = 3, pad = 1, stride = 2 (line 3)\n"
         "56 = H, as in `x: [B, cin, H, W]` (line 5)",
         "axis 3 (columns) likewise: 28 and 56",
         "in Net.stage.1 = Bottleneck{128, stride = 2}, made at test.net:15"),
        "`stride = stride` in `ConvBN{c * expand, k = 1}`",
        {"{c * expand, k = 1} when": "{c * expand, k = 1, stride = stride} when"},
    ),
    "no projection": Case(
        model("    output y = image -> a: Block{16}", """\
layer Block{c}(x: [B, cin, H, W]) {
    wide = 2 * c
    return (x -> inner: conv{wide, k = 1} -> relu) + x
}"""),
        ("axis 1 (channels): 32 = 2 * c (c = 16, line 3)\n"
         "8 = cin, as in `x: [B, cin, H, W]` (line 2)",
         "in Net.a = Block{16}, made at test.net:8"),
        "`(x -> proj: conv{2 * c, 1})` in place of `x`",
        {"+ x\n": "+ (x -> proj: conv{2 * c, 1})\n"},
    ),
    "a projection of features": Case(
        model("    output y = image -> flatten -> r: Res{32}", """\
layer Res{d}(x: [B, have]) { return x + (x -> mlp: Mlp{d, d}) }
layer Mlp{h, d}(x) { return x -> up: linear{4 * h} -> relu -> down: linear{d} }"""),
        ("axis 1 (features): 6272 = have, as in `x: [B, have]` (line 2)\n32 = d (line 2)",
         "in Net.r = Res{32}, made at test.net:6"),
        "`(x -> proj: linear{d})` in place of `x`",
        {"return x + ": "return (x -> proj: linear{d}) + "},
    ),
    "padding by the name of the window": Case(
        model("    output y = image -> r: Residual{8}", """\
layer Residual{c, k = 3}(x) { return (x -> conv: conv{c, k}) + x }"""),
        ("axis 2 (rows): 26 = (28 + 2 * 0 - 3) // 1 + 1: "
         "`conv` with k = 3, pad = 0, stride = 1 (line 2)\n"
         "28 as declared: `input image: f32[B, 8, 28, 28]` (line 4)",
         "axis 3 (columns) likewise: 26 and 28",
         "in Net.r = Residual{8}, made at test.net:5"),
        "`pad = k // 2` in `conv{c, k}` (line 2)",
        {"conv{c, k}": "conv{c, k, pad = k // 2}"},
    ),
    "padding of a window that is not square": Case(
        model("    output y = image + (image -> wide: conv{8, k = (1, 7)})"),
        ("axis 3 (columns): 28 as declared: `input image: f32[B, 8, 28, 28]` (line 4)\n"
         "22 = (28 + 2 * 0 - 7) // 1 + 1: `wide` with k = 7, pad = 0, stride = 1 (line 5)",),
        "`pad = (0, 3)` in `conv{8, k = (1, 7)}` (line 5)",
        {"k = (1, 7)": "k = (1, 7), pad = (0, 3)"},
    ),
    "the wrong padding": Case(
        model("    output y = image + (image -> wide: conv{8, k = 5, pad = 1})"),
        ("axis 2 (rows): 28 as declared: `input image: f32[B, 8, 28, 28]` (line 4)\n"
         "26 = (28 + 2 * 1 - 5) // 1 + 1: `wide` with k = 5, pad = 1, stride = 1 (line 5)",
         "axis 3 (columns) likewise: 28 and 26"),
        "`pad = 2` in place of `pad = 1` (line 5)",
        {"pad = 1": "pad = 2"},
    ),
    "padding of all branches": Case(
        model("""\
    a = image -> one: conv{4, 1}
    b = image -> three: conv{4, 3}
    output y = concat(a, b, image -> maxpool(3, stride = 1), axis = 1)"""),
        ("axis 2 (rows): 28 as declared: `input image: f32[B, 8, 28, 28]` (line 4)\n"
         "26 = (28 + 2 * 0 - 3) // 1 + 1: `three` with k = 3, pad = 0, stride = 1 (line 6)",),
        "`pad = 1` in `conv{4, 3}` (line 6) and `pad = 1` in `maxpool(3, stride = 1)` (line 7)",
        {"conv{4, 3}": "conv{4, 3, pad = 1}", "stride = 1)": "stride = 1, pad = 1)"},
    ),
    "a long way": Case(
        model("""\
    x = image -> c1: conv{4, k = 5} -> maxpool(2) -> c2: conv{4, k = 5}
    output y = x -> maxpool(4) -> maxpool(2) -> maxpool(2)"""),
        ("axis 2 (rows): 1 = (2 + 2 * 0 - 2) // 2 + 1: `maxpool` with k = 2, pad = 0, stride = 2 "
         "(line 6)\n"
         "28 → 24 → 12 → 8 → 2: `c1` (line 5), `maxpool` (line 5), `c2` (line 5), "
         "`maxpool` (line 6)\n"
         "28 as declared: `input image: f32[B, 8, 28, 28]` (line 4)",),
    ),
    "through every layout": Case(
        model("""\
    a = concat(image, image[_, 0..3], image, axis = 1)
    b = transpose(sum(a, axis = 2), [0, 2, 1])
    c = reshape(b, [B, 28 * 19]) -> relu
    output y = c + flatten(image)"""),
        ("axis 1: 532 = 28 * 19: `reshape` (line 7)\n"
         "6272 = 8 * 28 * 28: `flatten` (line 8)",),
    ),
    "joined, sliced, turned": Case(
        model("""\
    a = concat(image, image[_, 2..5], image, image, axis = 1) -> stop_grad
    output y = transpose(a, [0, 2, 3, 1]) + transpose(image[_, _, 3..5, 0..1], [0, 3, 2, 1])"""),
        ("axis 2: 28 as declared: `input image: f32[B, 8, 28, 28]` (line 4)\n"
         "2 = 5 - 3: `image[_, _, 3..5, 0..1]` (line 6)",
         "axis 3: 27 = 8 + 3 + 2 * 8: `concat` (line 5)\n"
         "8 as declared: `input image: f32[B, 8, 28, 28]` (line 4)"),
    ),
    "an attribute from a list": Case(
        model("    output y = image -> deep: Deep{[4, 6]}", """\
layer Deep{widths}(x) { return x + (x -> last: conv{widths[1] * 3}) }"""),
        ("axis 1 (channels): 8 as declared: `input image: f32[B, 8, 28, 28]` (line 4)\n"
         "18 = widths[1] * 3 (widths = [4, 6], line 2)",
         "in Net.deep = Deep{[4, 6]}, made at test.net:5"),
        "`(x -> proj: conv{widths[1] * 3, 1})` in place of `x`",
        {"return x +": "return (x -> proj: conv{widths[1] * 3, 1}) +"},
    ),
    "an attribute left to its default": Case(
        model("    output y = (image -> a: Wide{}) + (image -> b: Wide{up = 3})", """\
layer Wide{c = 2, up = 2 * c}(x) { return x -> grow: conv{up} }"""),
        ("axis 1 (channels): 4 = 2 * c: the default of `up` in `Wide` (c = 2, line 2)\n"
         "3 as given: `Wide{up = 3}` (line 5)",),
        "`(image -> a: Wide{} -> proj: conv{3, 1})` in place of `(image -> a: Wide{})`",
        {"a: Wide{})": "a: Wide{} -> proj: conv{3, 1})"},
    ),
    "an attribute that a nested layer works out": Case(
        model("    output y = image + (image -> a: Wide{3})", """\
layer Wide{n}(x) { return x -> inner: Wider{n} }
layer Wider{c}(x) { return x -> grow: conv{c * 4} }"""),
        ("axis 1 (channels): 8 as declared: `input image: f32[B, 8, 28, 28]` (line 5)\n"
         "12 = c * 4 in `Wider` (c = 3, line 3)",),
        "`(image -> proj: conv{12, 1})` in place of `image`",
        {"image + ": "(image -> proj: conv{12, 1}) + "},
    ),
    "a pipeline's operand in another body": Case(
        model("    output y = image -> wide: conv{12, 1} -> r: Inner{8}", """\
layer Inner{c}(x) { return x + (x -> one: conv{c, 1}) }"""),
        ("axis 1 (channels): 12 as given: `conv{12, 1}` (line 5)\n8 = c (line 2)",
         "in Net.r = Inner{8}, made at test.net:5"),
        "`(x -> proj: conv{c, 1})` in place of `x`",
        {"return x +": "return (x -> proj: conv{c, 1}) +"},
    ),
    "flatten before linear": Case(
        model("""\
    input label: i64[B] in 0..10
    x = image -> c: conv{16, 3} -> maxpool(2) -> relu
    output logits = x -> fc: linear{10}
    loss ce = cross_entropy(logits, label)"""),
        ("rank 4 as declared: `input image: f32[B, 8, 28, 28]` (line 4)",
         "rank 1 as declared: `input label: i64[B]` (line 5)"),
        "`-> flatten` before `linear{10}`",
        {"-> fc": "-> flatten -> fc"},
    ),
    "flatten where linear meets one place": Case(
        model("""\
    x = image -> c: conv{16, 3} -> maxpool(26)
    output logits = x -> fc: linear{10}"""),
        (),
        "`-> flatten` first",
        {"-> fc": "-> flatten -> fc"},
    ),
    "operands of a loss the other way round": Case(
        model("""\
    input label: i64[B] in 0..10
    output logits = image -> global_avgpool -> fc: linear{10}
    loss ce = cross_entropy(label, logits)"""),
        ("rank 1 as declared: `input label: i64[B]` (line 5)",),
        "`cross_entropy(logits, label)`",
        {"(label, logits)": "(logits, label)"},
    ),
    "the axis of the classes": Case(
        model("""\
    input word: i64[B, 7] in 0..50
    x = word -> wte: embedding{50, 16}
    output logits = x -> head: linear{50}
    loss ce = cross_entropy(logits, word, axis = 1)
    output image"""),
        ("axes 2 and 1 (features): 50 as given: `linear{50}` (line 7)\n"
         "7 as declared: `input word: i64[B, 7]` (line 5)",),
        "`axis = 2`",
        {"axis = 1": "axis = 2"},
    ),
    "a tied table that is not turned": Case(
        model("""\
    input word: i64[B, L] in 0..50
    wte = embedding{50, 16}
    output logits = matmul(wte(word), wte.weight)
    output image"""),
        ("axes 2 and 0: 16 as given: `embedding{50, 16}` (line 6)\n"
         "50 as given: `embedding{50, 16}` (line 6)",),
        "`transpose(wte.weight)` in place of `wte.weight`",
        {", wte.weight": ", transpose(wte.weight)"},
    ),
    "the axis of a concatenation": Case(
        model("    output y = concat(image, image[_, _, _, 0..4], axis = 1)"),
        ("axis 3: 28 as declared: `input image: f32[B, 8, 28, 28]` (line 4)\n"
         "4: `image[_, _, _, 0..4]` (line 5)",),
        "`axis = 3`",
        {"axis = 1": "axis = 3"},
    ),
    "an upsampled skip": Case(
        model("""\
    down = image -> maxpool(2) -> maxpool(2) -> maxpool(2)
    up = down -> up: deconv{8, k = 2, stride = 2}
    output y = concat(up, image -> maxpool(4), axis = 1)
    output z = up + (image -> maxpool(4))"""),
        ("axis 2 (rows): 6 = 2 * (3 - 1) + 2 - 2 * 0: `up` with k = 2, stride = 2, pad = 0 (line 6)"
         "\n28 → 14 → 7 → 3: `maxpool` (line 5), `maxpool` (line 5), `maxpool` (line 5)\n"
         "28 as declared: `input image: f32[B, 8, 28, 28]` (line 4)\n"
         "7 = (28 + 2 * 0 - 4) // 4 + 1: `maxpool` with k = 4, pad = 0, stride = 4 (line 7)",),
    ),
    "a scale without its axes": Case(
        model("    output y = image -> se: Squeeze{}", """\
layer Squeeze{r = 4}(x: [B, c, H, W]) {
    s = x -> global_avgpool -> down: linear{c // r} -> relu -> up: linear{c} -> sigmoid
    return x * s
}"""),
        ("ranks 4 and 2 differ", "rank 4, as in `x: [B, c, H, W]` (line 2)",
         "rank 2: `global_avgpool` of [B, 8, 28, 28] (line 3)",
         "in Net.se = Squeeze{}, made at test.net:8"),
        "`reshape(s, [B, 8, 1, 1])` in place of `s`",
        {"x * s": "x * reshape(s, [B, 8, 1, 1])"},
    ),
    "a mean that should keep its axis": Case(
        model("    m = mean(image, axis = 1)\n    output y = image - m"),
        ("ranks 4 and 3 differ", "rank 4 as declared: `input image: f32[B, 8, 28, 28]` (line 4)",
         "rank 3: `mean` of [B, 8, 28, 28] (line 5)"),
        "`mean(image, axis = 1, keep = true)`",
        {"axis = 1)": "axis = 1, keep = true)"},
    ),
    "integers beside floats": Case(
        model("    input label: i64[B]\n    output y = mean(image, axis = [1, 2, 3]) + label"),
        (),
        "`f32(label)` in place of `label`",
        {"+ label": "+ f32(label)"},
    ),
    "a number beside integers": Case(
        model("    input label: i64[B]\n    output y = (label + 1) ** 2\n    output image"),
        (),
        "`f32(label + 1)` in place of `(label + 1)`",
        {"(label + 1)": "f32(label + 1)"},
    ),
    "an operand that is not flat": Case(
        model("    output y = image -> relu -> head: Head{10}", """\
layer Head{n}(x: [B, d]) -> [B, n] { return x -> fc: linear{n} }"""),
        ("the rank is 4, 2 is declared", "in Net.head = Head{10}, made at test.net:5"),
        "`-> flatten` before `Head{10}`",
        {"-> head": "-> flatten -> head"},
    ),
    "an operand against an attribute": Case(
        model("    output y = Head{64}(image, image[_, _, 0, 0])", """\
layer Head{d}(a: [B, n, H, W], b: [B, d]) { return b * mean(a) }"""),
        ("axis 1: 8 as declared: `input image: f32[B, 8, 28, 28]` (line 4)\n"
         "64 = d, as in `Head{64}` (line 5)",
         "in Net.Head_0 = Head{64}, made at test.net:5"),
    ),
    "a result against its signature": Case(
        model("    output y = image -> down: Down{16}", """\
layer Down{c}(x: [B, _, H, W]) -> [B, c, H // 2, W // 2] {
    return x -> conv: conv{c, k = 3, stride = 2}
}"""),
        ("axis 2 (rows): 13 = (28 + 2 * 0 - 3) // 2 + 1: "
         "`conv` with k = 3, pad = 0, stride = 2 (line 3)\n"
         "28 = H, as in `x: [B, _, H, W]` (line 2)\n14 = H // 2 (H = 28, line 2)",
         "in Net.down = Down{16}, made at test.net:7"),
        "`pad = 1` in `conv{c, k = 3, stride = 2}` (line 3)",
        {"stride = 2}": "stride = 2, pad = 1}"},
    ),
    "a result that is not flat": Case(
        model("    output y = image -> head: Head{}", """\
layer Head{}(x: [B, ...]) -> [B, _] { return x -> maxpool(4) }"""),
        ("the rank is 4, 2 is declared", "in Net.head = Head{}, made at test.net:5"),
        "`-> flatten` at its end",
        {"maxpool(4)": "maxpool(4) -> flatten"},
    ),
    "one size, seen from outside": Case(
        model("    output y = image -> maxpool(7) -> p: Pool{}", """\
layer Pool{}(x: [B, c, H, W]) { return x -> avgpool(8) }"""),
        ("axis 2 (rows): 4 = H, as in `x: [B, c, H, W]` (line 2)\n"
         "4 = (28 + 2 * 0 - 7) // 7 + 1: `maxpool` with k = 7, pad = 0, stride = 7 (line 5)\n"
         "28 as declared: `input image: f32[B, 8, 28, 28]` (line 4)",
         "in Net.p = Pool{}, made at test.net:5"),
        "`k = 4`", {"avgpool(8)": "avgpool(4)"},
    ),
    "a free parameter": Case(
        model("    output y = image -> flatten -> add: Add{}", """\
layer Add{n = 7}(x) {
    parameter shift: f32[1, 2 * n] = zeros()
    return x + shift
}"""),
        ("axis 1: 6272 = 8 * 28 * 28: `flatten` (line 8)\n"
         "14 = 2 * n: `parameter shift: f32[1, 2 * n]` (n = 7, line 3)",
         "in Net.add = Add{}, made at test.net:8"),
    ),
}


def lines(diagnostic: Diagnostic) -> tuple[str, ...]:
    """The notes without the margins of their later lines."""
    return tuple("\n".join(line.strip() for line in note.split("\n"))
                 for note in diagnostic.notes)


@pytest.mark.parametrize("name", CASES)
def test_what_is_told(name):
    case = CASES[name]
    first = next(p for p in problems_of(case.text) if p.severity == "error").describe()
    assert lines(first) == case.notes
    assert first.suggestion == case.way


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.repair])
def test_the_way_out_works(name):
    text = CASES[name].text
    for wrong, right in CASES[name].repair.items():
        assert text.count(wrong) == 1
        text = text.replace(wrong, right)
    assert errors_of(text) == []


def test_the_picture(golden):
    problems = problems_of(CASES["a stage skipped by its when"].text)
    golden(Path(__file__).parent / "golden" / "origins.txt", picture(problems))
