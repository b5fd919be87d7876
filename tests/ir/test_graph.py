"""Graphs: the picture of one, and what `verify` refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import netdsl
from netdsl.autodiff import differentiate
from netdsl.ir.graph import Emitter, Graph, Initializer, Node, Value, Variable
from netdsl.ir.op import Attrs, ShapeError
from netdsl.ir.printer import print_graph
from netdsl.ir.tensor import TensorType
from netdsl.ir.verify import GraphError, verify
from netdsl.ir.dim import symbol
from netdsl.ops.elementwise import add, relu
from netdsl.ops.constant import full
from netdsl.ops.layout import concat
from netdsl.ops.matmul import linear
from netdsl.ops.reduction import mean
from netdsl.rewrite.phases import infer, train
from netdsl.rewrite.specialize import specialize

HERE = Path(__file__).parent
MODELS = HERE.parent.parent / "models"
B = symbol("B")


def test_the_picture_of_a_graph(golden):
    graph = netdsl.load(MODELS / "digits.net").graph
    whole = print_graph(graph)
    golden(HERE / "golden" / "digits.txt", whole + "\n")
    assert print_graph(netdsl.load(MODELS / "digits.net").graph) == whole


def test_the_picture_of_a_small_gradient(golden):
    graph = netdsl.load(MODELS / "mlp.net", hidden=[3], classes=2).graph
    sliced = train(graph)
    graph = specialize(differentiate(sliced, ["ce"], sliced.parameters), {"B": 4})
    golden(HERE / "golden" / "mlp_gradient.txt", print_graph(graph) + "\n")


def small() -> Graph:
    """y = relu(x Wᵀ), loss = mean(y)"""
    x = Value(TensorType("f32", (B, 3)), name="x")
    w = Value(TensorType("f32", (2, 3)), name="w")
    emit = Emitter("fc")
    y = emit(relu, emit(linear, x, w, None))
    loss = emit(mean, y, axes=(0, 1))
    return Graph(
        name="small", nodes=tuple(emit.nodes), inputs={"x": x}, outputs={"y": y},
        variables={"w": Variable("w", "parameter", w, Initializer("zeros"))},
        losses={"l": loss}, names={"y": y}, ranges={"x": (0, 3)},
    )


def test_a_sound_graph_passes():
    verify(small())


def test_an_absent_operand_and_a_foreign_value_are_shown():
    graph = small()
    text = print_graph(replace(graph, nodes=graph.nodes[1:]))
    assert "%0: f32[B, 2] = relu(%?)   # fc" in text
    assert "linear(%x, w, none)" in print_graph(graph)
    assert "input %x: f32[B, 3] in 0..3" in text


def stranger() -> Value:
    return Value(TensorType("f32", (B, 2)), name="stranger")


def wrong_type(graph: Graph) -> Graph:
    node = graph.nodes[1]
    copy = Node(node.op, node.inputs, node.attrs, (TensorType("f32", (B, 5)),))
    return replace(graph, nodes=(graph.nodes[0], copy), outputs={"y": copy.outputs[0]},
                   losses={}, names={})


def extended(graph: Graph, node: Node) -> Graph:
    return replace(graph, nodes=(*graph.nodes, node), outputs={"z": node.outputs[0]})


def leaf_made_by_a_node(graph: Graph) -> Graph:
    return replace(graph, inputs={"x": graph.inputs["x"], "y": graph.outputs["y"]})


BROKEN = {
    "nodes out of order": (lambda g: replace(g, nodes=g.nodes[::-1]), "made nowhere above"),
    "a node missing": (lambda g: replace(g, nodes=g.nodes[1:]), "made nowhere above"),
    "a node twice": (lambda g: replace(g, nodes=(*g.nodes, g.nodes[0])), "stands twice"),
    "an input missing": (lambda g: replace(g, inputs={}), "made nowhere above"),
    "an output of elsewhere": (lambda g: replace(g, outputs={"z": stranger()}), "outputs: z"),
    "a name of elsewhere": (lambda g: replace(g, names={"z": stranger()}), "names: z"),
    "a variable under another name":
        (lambda g: replace(g, variables={"v": g.variables["w"]}), "kept as v"),
    "an input called as a variable":
        (lambda g: replace(g, inputs={"x": g.inputs["x"], "w": stranger()}), "an input and a"),
    "one leaf twice": (lambda g: replace(g, inputs={"x": g.inputs["x"], "z": g.inputs["x"]}),
                       "under two names"),
    "a leaf that is made": (leaf_made_by_a_node, "called a leaf"),
    "an update of nothing": (lambda g: replace(g, updates={"v": g.outputs["y"]}), "no variable v"),
    "an update of another type": (lambda g: replace(g, updates={"w": g.outputs["y"]}), "w is f32"),
    "a gradient of another type":
        (lambda g: replace(g, gradients={"w": g.outputs["y"]}), "w is f32"),
    "a loss with axes": (lambda g: replace(g, losses={"l": g.outputs["y"]}), "loss or metric l"),
    "a metric with axes": (lambda g: replace(g, metrics={"l": g.outputs["y"]}), "metric l"),
    "a type against the rule": (wrong_type, "its rule gives"),
    "a range of nothing": (lambda g: replace(g, ranges={"z": (0, 1)}), "range of z"),
    "an operand too many": (lambda g: extended(g, Node(
        relu, (g.inputs["x"],) * 2, Attrs(), (TensorType("f32", (B, 3)),))), "2 operands"),
    "an operand too few": (lambda g: extended(g, Node(
        add, (None, None), Attrs(), (TensorType("f32", (B, 3)),))), "is missing"),
    "attributes of another op": (lambda g: extended(g, Node(
        full, (), Attrs(), (TensorType("f32", ()),))), "has attributes"),
    "operands against the rule": (lambda g: extended(g, Node(
        concat, (), concat.attrs(0), (TensorType("f32", ()),))), "nothing to concatenate"),
    "a dimension that nothing tells": (lambda g: extended(g, Node(
        full, (), full.attrs(0.0, (symbol("N"),)), (TensorType("f32", (symbol("N"),)),))),
        "no input tells"),
}


@pytest.mark.parametrize("break_it, message", BROKEN.values(), ids=BROKEN)
def test_what_verify_refuses(break_it, message):
    with pytest.raises(GraphError, match=message):
        verify(break_it(small()))


def test_a_foreign_output_is_refused():
    graph = small()
    node = Node(relu, (graph.inputs["x"],), Attrs(), (TensorType("f32", (B, 3)),))
    node.outputs = (Value(node.outputs[0].type),)
    with pytest.raises(GraphError, match="foreign output"):
        verify(extended(graph, node))


def test_the_emitter_checks_shapes_at_once():
    with pytest.raises(ShapeError):
        Emitter()(relu, Value(TensorType("i64", (3,))))


def test_results_come_from_every_role():
    graph = small()
    assert list(graph.results()) == [graph.outputs["y"], graph.losses["l"]]
    assert infer(graph).losses == {}
