"""The naming rule: from texts to the names of parameters, which checkpoints and ONNX keep."""

from __future__ import annotations

import pytest

from building import body, codes_of, graph_of, parameters

CONV_BN = """
layer ConvBN{c, k = 3}(x) {
    return x -> conv: conv{c, k, pad = k // 2, bias = false} -> bn: batchnorm{}
}
layer Block{c}(x) { return x -> conv1: ConvBN{c} -> relu -> conv2: ConvBN{c, k = 1} }
"""
IMAGE = "f32[B, 3, 8, 8]"

NAMES = {
    "a label": ("output y = x -> fc: linear{4, bias = false}", ["fc.weight"]),
    "a label before a construction": ("output y = fc: linear{4, bias = false}(x)", ["fc.weight"]),
    "the name it is bound to": ("fc = linear{4, bias = false}\noutput y = fc(x)", ["fc.weight"]),
    "the name its result is bound to":
        ("fc = linear{4, bias = false}(x)\noutput y = fc", ["fc.weight"]),
    "each of several names":
        ("q, k = linear{4, bias = false}, linear{4, bias = false}\noutput y = q(x) + k(x)",
         ["q.weight", "k.weight"]),
    "the name of its output": ("output y = linear{4, bias = false}(x)", ["linear_0.weight"]),
    "not a name bound again":
        ("y = x\ny = linear{4, bias = false}(y)\noutput y", ["linear_0.weight"]),
    "not the underscore":
        ("_ = linear{4, bias = false}(x)\noutput y = relu(x)", ["linear_0.weight"]),
    "kind and number, for each kind":
        ("output y = x -> linear{3, bias = false} -> batchnorm{} -> linear{3, bias = false}",
         ["linear_0.weight", "batchnorm_0.weight", "batchnorm_0.bias", "linear_1.weight"]),
    "a label wins over a name":
        ("y = fc: linear{4, bias = false}\noutput z = y(x)", ["fc.weight"]),
    "a keyword is a label": ("output y = x -> in: linear{4, bias = false}", ["in.weight"]),
    "one instance takes the path of its loop":
        ("block: for (i in 0..2) { x = x -> linear{3, bias = false} }\noutput x",
         ["block.0.weight", "block.1.weight"]),
    "labels within a loop":
        ("block: for (i in 0..2) { x = x -> fc: linear{3, bias = false} }\noutput x",
         ["block.0.fc.weight", "block.1.fc.weight"]),
    "a name first bound in a turn":
        ("block: for (i in 0..2) {\n fc = linear{3, bias = false}(x)\n x = relu(fc)\n}\noutput x",
         ["block.0.fc.weight", "block.1.fc.weight"]),
    "one without a label beside labelled ones":
        ("block: for (i in 0..1) { x = x -> linear{3, bias = false} -> bn: batchnorm{} }\noutput x",
         ["block.0.weight", "block.0.bn.weight", "block.0.bn.bias"]),
    "loops in loops":
        ("stage: for (n in [1, 2]) { block: for (i in 0..n) { x = x -> linear{3, bias = false} } }"
         "\noutput x",
         ["stage.0.block.0.weight", "stage.1.block.0.weight", "stage.1.block.1.weight"]),
    "an index counts turns, not values":
        ("stage: for (n in 5..7) { x = x -> linear{3, bias = false} }\noutput x",
         ["stage.0.weight", "stage.1.weight"]),
    "a free parameter":
        ("parameter scale: f32[1, 3] = ones()\noutput y = x * scale", ["scale"]),
    "a free parameter in a loop":
        ("block: for (i in 0..2) {\n parameter scale: f32[1, 3] = ones()\n x = x * scale\n}\n"
         "output x", ["block.0.scale", "block.1.scale"]),
    "a branch names as what is around it":
        ("if (1 < 2) { fc = linear{4, bias = false}(x) } else { fc = x }\noutput y = fc",
         ["fc.weight"]),
}


@pytest.mark.parametrize("statements, names", NAMES.values(), ids=NAMES)
def test_names(statements, names):
    assert list(parameters(graph_of(body(statements)))) == names


def test_names_of_layers_within_layers():
    text = body("stage: for (c in [4, 8]) { x = x -> Block{c} }\noutput x", CONV_BN, IMAGE)
    shapes = {name: shape for name, shape in parameters(graph_of(text)).items() if "bn" not in name}
    assert shapes == {
        "stage.0.conv1.conv.weight": "[4, 3, 3, 3]", "stage.0.conv2.conv.weight": "[4, 4, 1, 1]",
        "stage.1.conv1.conv.weight": "[8, 4, 3, 3]", "stage.1.conv2.conv.weight": "[8, 8, 1, 1]",
    }


def test_a_note_tells_what_rests_on_position():
    assert codes_of(body("output y = x -> linear{4}")) == ["N227"]
    assert codes_of(body("output y = x -> fc: linear{4}")) == []


REFUSED = {
    "two labels alike": ("output y = x -> a: linear{3} -> a: linear{3}", "N209"),
    "two loops of one label":
        ("a: for (i in 0..1) { x = x -> linear{3} }\na: for (i in 0..1) { x = x -> batchnorm{} }\n"
         "output x", "N209"),
    "a parameter and a layer": ("parameter a: f32[1, 3] = ones()\noutput y = x * a -> a: linear{3}",
                                "N209"),
    "a loop without a label": ("for (i in 0..2) { x = x -> linear{3} }\noutput x", "N210"),
    "a labelled instance in a loop without":
        ("for (i in 0..2) { x = x -> fc: linear{3} }\noutput x", "N210"),
    "a labelled loop in one without":
        ("for (i in 0..2) { a: for (j in 0..2) { x = x -> linear{3} } }\noutput x", "N210"),
    "a second instance": ("a: for (i in 0..2) { x = x -> linear{3} -> linear{3} }\noutput x",
                          "N211"),
}


@pytest.mark.parametrize("statements, code", REFUSED.values(), ids=REFUSED)
def test_names_that_cannot_be(statements, code):
    assert codes_of(body(statements)) == [code]


def test_every_dropout_has_a_stream_of_its_own():
    text = body(
        "for (i in 0..2) { x = x -> dropout(0.5) }\ntwice = Drop{}\n"
        "output y = x -> dropout(0.5) -> d: dropout(0.5) -> twice -> twice",
        "layer Drop{}(x) { return x -> dropout(0.5) }",
    )
    streams = [node.attrs.stream for node in graph_of(text).nodes if node.op.name == "dropout"]
    assert len(streams) == 6 and len(set(streams)) == 6
    assert streams[:3] == ["dropout_0", "dropout_1", "dropout_2"]
    assert streams[4:] == ["twice.dropout_0", "twice.dropout_0#1"]
