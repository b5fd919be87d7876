"""The layers of `use std`: each compiles, has the shape it promises and the parameters that its
description implies; the library is one module, whoever asks."""

from __future__ import annotations

import numpy as np
import pytest

from building import codes_of, compiled, errors_of, graph_of, outputs
from netdsl.backends.numpy import Runner
from netdsl.build.modules import library
from netdsl.language.formatter import format_file
from netdsl.language.parser import parse
from netdsl.language.text import read_source
from netdsl.layers.initializers import initialize
from netdsl.layers.libraries import LIBRARIES
from netdsl.rewrite.phases import infer


def conv_bn(cin: int, c: int, k: int, groups: int = 1) -> int:
    return cin // groups * c * k * k + 2 * c


def linear(cin: int, c: int) -> int:
    return cin * c + c


def attention(d: int, memory: int | None = None) -> int:
    return 2 * linear(d, d) + 2 * linear(memory or d, d)


def mlp(d: int, hidden: int) -> int:
    return linear(d, hidden) + linear(hidden, d)


IMAGE, WORDS = "f32[B, 16, 9, 8]", "f32[B, L, 32]"
ROWS = {  # expression: what goes in, what comes out, how many parameters
    "ConvBN{8}": (IMAGE, "f32[B, 8, 9, 8]", conv_bn(16, 8, 3)),
    "ConvBN{8, k = 5, stride = 2, act = none}": (IMAGE, "f32[B, 8, 5, 4]", conv_bn(16, 8, 5)),
    "ConvBN{8, dilation = 2, act = prelu}": (IMAGE, "f32[B, 8, 9, 8]", conv_bn(16, 8, 3) + 1),
    "SeparableConvBN{24, stride = 2}":
        (IMAGE, "f32[B, 24, 5, 4]", conv_bn(16, 16, 3, 16) + conv_bn(16, 24, 1)),
    "SqueezeExcite{reduce = 4}": (IMAGE, IMAGE, linear(16, 4) + linear(4, 16)),
    "BasicBlock{16}": (IMAGE, IMAGE, 2 * conv_bn(16, 16, 3)),
    "BasicBlock{24, stride = 2}":
        (IMAGE, "f32[B, 24, 5, 4]", conv_bn(16, 24, 3) + conv_bn(24, 24, 3) + conv_bn(16, 24, 1)),
    "Bottleneck{4}": (IMAGE, IMAGE, 2 * conv_bn(16, 4, 1) - 8 + 32 + conv_bn(4, 4, 3)),
    "Bottleneck{8, stride = 2, groups = 4}": (
        IMAGE, "f32[B, 32, 5, 4]",
        conv_bn(16, 8, 1) + conv_bn(8, 8, 3, 4) + conv_bn(8, 32, 1) + conv_bn(16, 32, 1)),
    "InvertedResidual{16}":
        (IMAGE, IMAGE, conv_bn(16, 96, 1) + conv_bn(96, 96, 3, 96) + conv_bn(96, 16, 1)),
    "InvertedResidual{8, expand = 1, stride = 2, act = silu}":
        (IMAGE, "f32[B, 8, 5, 4]", conv_bn(16, 16, 3, 16) + conv_bn(16, 8, 1)),
    "Mlp{64, 10}": (WORDS, "f32[B, L, 10]", linear(32, 64) + linear(64, 10)),
    "TransformerBlock{heads = 4, p = 0.1}":
        (WORDS, WORDS, 4 * 32 + attention(32) + mlp(32, 128)),
    "TransformerBlock{8, expand = 2, causal = true, act = relu}":
        (WORDS, WORDS, 4 * 32 + attention(32) + mlp(32, 64)),
    "PatchEmbedding{24, 4}":
        ("f32[B, 3, 8, 12]", "f32[B, 6, 24]", 3 * 24 * 16 + 24),
}


@pytest.mark.parametrize("expression", ROWS)
def test_a_layer_has_its_shape_and_parameters(expression):
    taken, given, count = ROWS[expression]
    graph = graph_of(f"use std\nmodel M {{ input x: {taken} output y = x -> a: std.{expression} }}")
    assert outputs(graph) == {"y": given}
    assert sum(v.type.size for v in graph.parameters.values()) == count


def test_every_layer_is_in_a_row_or_below():
    shown = {expression.partition("{")[0] for expression in ROWS}
    assert shown | {"Attention", "DecoderBlock"} == set(library("std").names)


SEQUENCES = """use std
model M {
    input x: f32[B, L, 32]
    input memory: f32[B, S, 24]
    input full: bool[B, S]
    output a = x -> a: std.Attention{4}(memory, memory, full)
    output b = x -> b: std.Attention{4, bias = false}(memory, memory)
    output d = x -> d: std.DecoderBlock{heads = 8, p = 0.1}(memory, full)
}
"""


def test_attention_over_something_else():
    graph = graph_of(SEQUENCES)
    assert set(outputs(graph).values()) == {"f32[B, L, 32]"}
    count = attention(32, 24) + attention(32, 24) - 4 * 32
    count += 6 * 32 + attention(32) + attention(32, 24) + mlp(32, 128)
    assert sum(v.type.size for v in graph.parameters.values()) == count


def test_masked_places_and_later_ones_are_not_seen():
    graph = infer(graph_of(SEQUENCES))
    draw = np.random.default_rng(0)
    x = draw.normal(size=(2, 4, 32)).astype(np.float32)
    memory = draw.normal(size=(2, 5, 24)).astype(np.float32)
    full = np.array([[True, True, True, False, False]] * 2)
    runner = Runner(graph, initialize(graph))
    first = runner.run({"x": x, "memory": memory, "full": full}).outputs
    memory[:, 3:] += 1
    x[:, 3:] += 1
    second = runner.run({"x": x, "memory": memory, "full": full}).outputs
    np.testing.assert_allclose(second["a"][:, :3], first["a"][:, :3], 1e-5, 1e-6)
    np.testing.assert_allclose(second["d"][:, :3], first["d"][:, :3], 1e-5, 1e-6)
    assert np.abs(second["b"] - first["b"]).min(axis=(1, 2)).max() > 0
    assert np.abs(second["d"][:, 3] - first["d"][:, 3]).max() > 0.1


def test_causal_attention_needs_as_many_places():
    text = SEQUENCES.replace("{4, bias = false}", "{4, causal = true}")
    text = text.replace("S, 24", "6, 24").replace("B, S]", "B, 6]").replace("L", "5")
    assert codes_of(text)[0] == "N217"


def test_heads_that_do_not_divide_the_width_are_told():
    assert "N217" in errors_of(
        "use std model M { input x: f32[B, 9, 32] output y = x -> t: std.TransformerBlock{5} }"
    )


def test_the_library_is_one_module():
    text = ("use std model M { input x: f32[B, 3] "
            "output y = if std.Mlp == std.Mlp then x else 2 * x }")
    built, _ = compiled(text)
    assert outputs(built.graph) == {"y": "f32[B, 3]"}
    assert library("std") is library("std")


def test_a_member_that_is_not_there_is_told_with_the_nearest():
    problems = codes_of("use std model M { input x: f32[B, 3] output y = x -> m: std.Mpl{4, 5} }")
    assert problems == ["N226"]


FILES = sorted(path for folder in LIBRARIES.values() for path in folder.glob("*.net"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_are_in_canonical_form(path):
    source = read_source(path)
    assert format_file(parse(source)) == source.text


def test_every_layer_says_what_it_is():
    for layer in library("std").names.values():
        above = layer.module.source.text[: layer.declaration.span.start]
        assert above.splitlines()[-1].startswith("# "), layer.name
