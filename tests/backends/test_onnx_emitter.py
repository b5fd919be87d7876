"""What is written for a graph: names, positions, constants, sizes, outputs, refusals."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import netdsl
from netdsl.backends.onnx import Session, to_model
from netdsl.diagnostics import Refused
from netdsl.ir.dim import ceil_div, substitute
from netdsl.ops.constant import full
from netdsl.ops.conv import conv_weight_gradient
from netdsl.ops.elementwise import add, multiply, relu
from netdsl.ops.layout import reshape, slice_
from netdsl.ops.matmul import linear
from netdsl.ops.pool import average_pool
from netdsl.ops.random import dropout
from netdsl.ops.reduction import expand, mean, sum_
from netdsl.rewrite.phases import infer
from netdsl.source import Source, Span
from sketch import B, Sketch


def picture(model: onnx.ModelProto) -> str:
    """One node a line: label: operator(operands) -> results @ position."""
    return "\n".join(
        f"{node.name}: {node.op_type}({', '.join(node.input)}) -> {', '.join(node.output)}"
        + (f" @ {node.doc_string}" if node.doc_string else "")
        for node in model.graph.node
    )


def checked(model: onnx.ModelProto) -> onnx.ModelProto:
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: onnx.ModelProto, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    return Session(checked(model).SerializeToString(), threads=1).run(inputs)


TEXT = """net 1
layer Block{c}(x) {
    return relu(x + (x -> conv: conv{c, k = 3, pad = 1, bias = false} -> bn: batchnorm{}))
}
model Tiny {
    input image: f32[B, 2, 4, 4]
    input label: i64[B] in 0..3
    x = image -> stem: conv{4, k = 3, pad = 1} -> bn: batchnorm{} -> relu
    stage: for (i in 0..2) { x = x -> Block{4} }
    logits = 0.5 * (x -> flatten -> dropout(0.5) -> fc: linear{3})
    output logits
    loss ce = cross_entropy(logits, label)
}
"""

PICTURE = """\
stem/conv: Conv(image, stem.weight, stem.bias) -> stem/conv @ tiny.net:8:24
relu_0/relu: Relu(stem/conv) -> relu_0/relu @ tiny.net:8:70
stage.0.conv/conv: Conv(relu_0/relu, stage.0.conv.weight, stage.0.conv.bias) \
-> stage.0.conv/conv @ tiny.net:3:33
stage.0/add: Add(relu_0/relu, stage.0.conv/conv) -> stage.0/add @ tiny.net:3:17
stage.0.relu_0/relu: Relu(stage.0/add) -> stage.0.relu_0/relu @ tiny.net:3:12
stage.1.conv/conv: Conv(stage.0.relu_0/relu, stage.1.conv.weight, stage.1.conv.bias) \
-> stage.1.conv/conv @ tiny.net:3:33
stage.1/add: Add(stage.0.relu_0/relu, stage.1.conv/conv) -> stage.1/add @ tiny.net:3:17
stage.1.relu_0/relu: Relu(stage.1/add) -> stage.1.relu_0/relu @ tiny.net:3:12
flatten_0/reshape: Reshape(stage.1.relu_0/relu, int64[0, 64]) \
-> flatten_0/reshape @ tiny.net:10:26
fc/linear: Gemm(flatten_0/reshape, fc.weight, fc.bias) -> fc/linear @ tiny.net:10:57
multiply: Mul(float32(0.5), fc/linear) -> logits @ tiny.net:10:14"""


def test_a_small_network_reads_like_its_source(tmp_path):
    (tmp_path / "tiny.net").write_text(TEXT)
    model = netdsl.load(tmp_path / "tiny.net")
    assert picture(to_model(infer(model.graph), model.initialize())) == PICTURE


def test_positions_name_the_file_without_its_folders():
    s = Sketch()
    s.span = Span(Source("/home/someone/secret/a.net", "\n\n  relu"), 4, 8)
    y = s(relu, s.input("x", B, 2))
    assert to_model(s.graph(y=y), {}).graph.node[0].doc_string == "a.net:3:3"


# ------------------------------------------------------------------ constants and outputs


def test_equal_constants_are_one_initializer_and_no_node():
    s = Sketch()
    x = s.input("x", B, 2)
    y = s(multiply, s(add, x, s(full, value=2.0)), s(full, value=2.0))
    y = s(add, y, s(full, value=3.0))
    model = to_model(s.graph(y=y), {})
    assert [node.op_type for node in model.graph.node] == ["Add", "Mul", "Add"]
    names = [tensor.name for tensor in model.graph.initializer]
    assert names == ["float32(2.0)", "float32(3.0)"]


def test_outputs_may_be_anything():
    s = Sketch()
    x, w = s.input("x", B, 2), s.variable("w", 3)
    y = s(relu, x)
    outputs = {"x": x, "same": x, "w": w, "weights": w, "y": y, "again": y,
               "one": s(full, value=1.0), "sum": s(sum_, s(full, value=1.0), axes=())}
    model = to_model(s.graph_of(outputs), s.weights)
    assert [out.name for out in model.graph.output] == list(outputs)
    got = run(model, x=np.array([[1.0, -1.0]], np.float32))
    np.testing.assert_array_equal(got["same"], [[1, -1]])
    np.testing.assert_array_equal(got["x"], got["same"])
    np.testing.assert_array_equal(got["weights"], s.weights["w"])
    np.testing.assert_array_equal(got["w"], s.weights["w"])
    np.testing.assert_array_equal(got["again"], got["y"])
    assert got["one"] == got["sum"] == 1.0


def test_computing_the_same_twice_is_one_node():
    s = Sketch()
    x = s.input("x", B, 2)
    model = to_model(s.graph(y=s(add, s(relu, x), s(relu, x))), {})
    assert [node.op_type for node in model.graph.node] == ["Relu", "Add"]


# ------------------------------------------------------------------ names

HOSTILE = ("it's", 'a"b', "a\nb", "\x1b[31m", "nul\0", "../../etc/passwd", "__import__('os')",
           "имя", "𝒙", "x" * 10_000, " ", "relu", "int64[0, 64]", "size/B", "a/relu", "a/relu_1")


def test_hostile_names_stay_as_they_are():
    s = Sketch()
    x = s.input("a\tb", B, 4)
    for name in HOSTILE:
        s.path = "a"
        x = s(relu, s(add, x, s.variable(name, 1, 1)))
    s.path = "a"
    shape = s(reshape, x, shape=(B, 2, 2))
    outputs = {f"{name}-out": x for name in HOSTILE[:4]}
    outputs["y"] = s(expand, shape, shape=(B, 2, 2, B), axes=(3,))
    model = to_model(s.graph_of(outputs, name="b\0\n"), s.weights)
    assert [tensor.name for tensor in model.graph.initializer][-len(HOSTILE) :] == list(HOSTILE)
    made = [name for node in model.graph.node for name in node.output]
    named = {info.name for info in model.graph.input} | set(s.variables)
    assert len(set(made)) == len(made) and not named & set(made)
    got = run(model, **{"a\tb": np.zeros((2, 4), np.float32)})
    assert list(got) == list(outputs)


def test_many_tensors_wanting_one_name_get_numbers():
    s = Sketch()
    y = s.input("x", B, 2)
    for _ in range(4):
        y = s(relu, y)
    model = to_model(s.graph(y=y), {})
    assert [node.name for node in model.graph.node] == ["relu", "relu_1", "relu_2", "relu_3"]


def output_like_input(s):
    return s.graph(x=s(relu, s.input("x", B, 2)))


def output_like_parameter(s):
    return s.graph(w=s(add, s.input("x", B, 2), s.variable("w", 1, 2)))


def empty_name(s):
    return s.graph(y=s(relu, s.input("", B, 2)))


def lone_surrogate(s):
    return s.graph(y=s(relu, s.input("\ud800", B, 2)))


def random_numbers(s):
    return s.graph(y=s(dropout, s.input("x", B, 2), s.input("k", 2, dtype="u64"),
                       p=0.5, stream="a")[0])


def no_outputs(s):
    return s.graph()


def size_of_no_input(s):
    return s.graph(y=s(full, value=1.0, shape=(B,)))


REFUSED = [
    (output_like_input, "N803", "`x` cannot be a name in ONNX: two tensors have it"),
    (output_like_parameter, "N803", "`w` cannot be a name in ONNX: two tensors have it"),
    (empty_name, "N803", "it is empty"),
    (lone_surrogate, "N803", "`\\ud800` cannot be a name in ONNX: it is not valid text"),
    (random_numbers, "N801", "`dropout` has no form in ONNX: training form"),
    (no_outputs, "N802", "has no outputs to export"),
    (size_of_no_input, "N801", "no input of the slice determines B"),
]


@pytest.mark.parametrize(("make", "code", "words"), REFUSED, ids=lambda row: str(row))
def test_what_onnx_cannot_say_is_refused(make, code, words):
    s = Sketch()
    graph = make(s)
    with pytest.raises(Refused) as refused:
        to_model(graph, s.weights)
    assert [problem.code for problem in refused.value.problems] == [code]
    assert words in str(refused.value)


def test_all_operations_without_a_form_are_told_at_once():
    s = Sketch()
    x = s.input("x", B, 2, 4, 4)
    for owner in ("first", "second"):
        s.path = owner
        y = s(conv_weight_gradient, x, x, shape=(2, 2, 1, 1), stride=(1, 1),
              pads=((0, 0), (0, 0)), dilation=(1, 1))
        x = s(add, x, s(mean, s(relu, y), axes=(0, 1, 2, 3)))
    with pytest.raises(Refused) as refused:
        to_model(s.graph(y=x), {})
    assert [problem.path for problem in refused.value.problems] == ["first", "second"]


# ------------------------------------------------------------------ opsets


def test_opset_is_the_one_asked_for_or_the_oldest_that_will_do():
    plain, dilated = Sketch(), Sketch()
    plain_graph = plain.graph(y=plain(relu, plain.input("x", B, 2)))
    dilated_graph = dilated.graph(
        y=dilated(average_pool, dilated.input("x", B, 2, 9), kernel=(2,), stride=(1,),
                  pads=((0, 0),), dilation=(3,))
    )
    for graph, asked, written in ((plain_graph, None, 18), (plain_graph, 21, 21),
                                  (dilated_graph, None, 19), (dilated_graph, 20, 20)):
        model = checked(to_model(graph, {}, opset=asked))
        assert [entry.version for entry in model.opset_import] == [written]
    for graph, asked, code in ((dilated_graph, 18, "N801"), (plain_graph, 17, "N804"),
                               (plain_graph, 9999, "N804")):
        with pytest.raises(Refused) as refused:
            to_model(graph, {}, opset=asked)
        assert refused.value.problems[0].code == code


def test_metadata_is_kept():
    s = Sketch()
    graph = s.graph(y=s(relu, s.input("x", B, 2)))
    model = to_model(graph, {}, metadata={"seed": "1", "source": "net 1\n"})
    assert {p.key: p.value for p in model.metadata_props} == {"seed": "1", "source": "net 1\n"}
    assert (model.producer_name, model.producer_version) == ("netdsl", netdsl.__version__)


# ------------------------------------------------------------------ sizes known at run time

RESHAPES = [  # shape before, after, the vector that says it
    ((B, 4, 4), (B, 16), "int64[0, 16]"),
    ((B, 6), (2 * B, 3), "int64[-1, 3]"),
    ((2 * B, 3), (B, 6), "int64[-1, 6]"),
    ((4, B), (B, 4), "int64[-1, 4]"),
    ((3, B, 5), (15, B), "int64[15, 0]"),
    ((2, 6), (3, 4), "int64[3, 4]"),
    ((B, 2, B), (B, B, 2), "int64[0, -1, 2]"),
]


@pytest.mark.parametrize(("before", "after", "vector"), RESHAPES, ids=str)
def test_reshape_needs_no_sizes(before, after, vector):
    s = Sketch()
    model = to_model(s.graph(y=s(reshape, s.input("x", *before), shape=after)), {})
    assert [node.op_type for node in model.graph.node] == ["Reshape"]
    assert model.graph.node[0].input[1] == vector
    for batch in (2, 5):
        sizes = [substitute(dim, {"B": batch}) for dim in before]
        got = run(model, x=np.zeros(sizes, np.float32))["y"]
        assert got.shape == tuple(substitute(dim, {"B": batch}) for dim in after)


SIZES = (B, 2 * B, B + 3, B * B, 3 * B * B - B + 1, B // 2, (B + 1) // 2 * 3, ceil_div(7, B),
         (B * B - 5) // 3 + 4, 100 // B)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes_are_computed_from_the_inputs(size):
    s = Sketch()
    graph = s.graph(n=s(full, value=size, dtype="i64"), x=s.input("x", B, 1))
    model = to_model(graph, {})
    for batch in (1, 2, 3, 7, 50):
        got = run(model, x=np.zeros((batch, 1), np.float32))["n"]
        assert got == substitute(size, {"B": batch})


@pytest.mark.parametrize("axis", (2 * B, 3 * B + 1, B + 5), ids=str)
def test_a_size_is_solved_for_where_no_input_has_it_plainly(axis):
    s = Sketch()
    s.input("x", axis, 2)
    model = to_model(s.graph(n=s(full, value=B, dtype="i64"), x=s.inputs["x"]), {})
    got = run(model, x=np.zeros((substitute(axis, {"B": 4}), 2), np.float32))["n"]
    assert got == 4
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == str(axis)


def test_sizes_are_computed_once():
    s = Sketch()
    x = s.input("x", B, 3)
    ones = s(full, value=1.0, shape=(B, 2))
    more = s(full, value=2.0, shape=(B, 2))
    model = to_model(s.graph(y=s(add, ones, more), z=s(slice_, x, axis=0, start=0, stop=B)), {})
    assert [node.op_type for node in model.graph.node].count("Shape") == 1


def test_expand_asks_only_for_what_grows():
    s = Sketch()
    x = s.input("x", B, 1, 3)
    model = to_model(s.graph(y=s(expand, x, shape=(B, 4, 3))), {})
    assert [node.input[1] for node in model.graph.node] == ["int64[1, 4, 1]"]
    assert run(model, x=np.zeros((2, 1, 3), np.float32))["y"].shape == (2, 4, 3)


def test_linear_on_sequences_keeps_the_weight_as_it_is():
    s = Sketch()
    s.path = "fc"
    y = s(linear, s.input("x", B, 5, 3), s.variable("fc.weight", 2, 3), s.variable("fc.bias", 2))
    model = to_model(s.graph(y=y), s.weights)
    assert picture(model) == (
        "fc/linear/transpose: Transpose(fc.weight) -> fc/linear/transpose\n"
        "fc/linear/matmul: MatMul(x, fc/linear/transpose) -> fc/linear/matmul\n"
        "fc/linear: Add(fc/linear/matmul, fc.bias) -> y"
    )


# ------------------------------------------------------------------ weights that do not fit


def test_weights_must_fit():
    s = Sketch()
    y = s(linear, s.input("x", B, 3), s.variable("w", 2, 3), s.variable("b", 2))
    graph = s.graph(y=y)
    to_model(graph, s.weights | {"of another phase": np.zeros(1)})
    with pytest.raises(Refused) as refused:
        to_model(graph, {"w": np.zeros((3, 2))})
    assert [problem.code for problem in refused.value.problems] == ["N606", "N608", "N608"]
