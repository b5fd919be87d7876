"""Graph to graph: what each pass changes, and that the numbers stay."""

from __future__ import annotations

import numpy as np
import pytest

from netdsl.autodiff import differentiate
from netdsl.backends.numpy import Runner
from netdsl.ir.dim import symbol
from netdsl.ir.graph import Emitter, Graph, Initializer, Layer, Value, Variable
from netdsl.ir.op import NotDefined, ShapeError
from netdsl.ir.tensor import TensorType
from netdsl.ir.verify import verify
from netdsl.ops.constant import full
from netdsl.ops.elementwise import (
    add, cast, equal, exp, multiply, negative, relu, stop_grad, subtract, tanh,
)
from netdsl.ops.layout import concat, reshape
from netdsl.ops.matmul import matmul
from netdsl.ops.random import KEY, dropout
from netdsl.ops.reduction import argmax, mean, sum_
from netdsl.rewrite.deduplicate import deduplicate
from netdsl.rewrite.phases import infer, phase, train, validate
from netdsl.rewrite.rebuild import prefixes, prune, rebuild
from netdsl.rewrite.specialize import specialize

B = symbol("B")


def input_(name: str = "x", shape: tuple = (B, 3), dtype: str = "f32") -> Value:
    return Value(TensorType(dtype, shape), name=name)


def parameter(name: str, *shape: int) -> Variable:
    return Variable(name, "parameter", input_(name, shape), Initializer("zeros"))


def graph_of(emit: Emitter, inputs=(), variables=(), **roles) -> Graph:
    roles.setdefault("outputs", {})
    graph = Graph(
        "test", tuple(emit.nodes), {value.name: value for value in inputs},
        {variable.name: variable for variable in variables}, **roles,
    )
    verify(graph)
    return graph


def run(graph: Graph, inputs: dict, variables: dict | None = None, **options):
    return Runner(graph, variables or {}).run(inputs, **options)


X = np.array([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]], np.float32)


# ------------------------------------------------------------------ prune and rebuild


def test_prune_keeps_what_results_need():
    x, unused, w, v = input_(), input_("u"), parameter("w", 3, 3), parameter("v", 3, 3)
    emit = Emitter("a.b")
    y = emit(matmul, x, w.value)
    emit.path = "dead"
    z = emit(matmul, unused, v.value)
    layers = tuple(Layer(path, "l", (), ()) for path in ("a", "a.b", "dead"))
    graph = graph_of(emit, (x, unused), (w, v), outputs={"y": y}, names={"y": y, "z": z},
                     layers=layers, ranges={"x": (0, 1), "u": (0, 1)})
    kept = prune(graph)
    verify(kept)
    assert [node.op for node in kept.nodes] == [matmul]
    assert list(kept.inputs) == list(kept.ranges) == ["x"] and list(kept.variables) == ["w"]
    assert list(kept.names) == ["y"] and [layer.path for layer in kept.layers] == ["a", "a.b"]
    assert prune(kept).nodes == kept.nodes


def test_rebuild_exchanges_nodes_and_keeps_the_others():
    x = input_()
    emit = Emitter("here")
    y = emit(relu, x)
    z = emit(tanh, y)
    w = emit(exp, x)
    graph = graph_of(emit, (x,), outputs={"z": z, "w": w}, names={"y": y})

    def twice(node, inputs, emit):
        return (emit(negative, emit(negative, *inputs)),) if node.op is relu else None

    changed = rebuild(graph, twice)
    verify(changed)
    assert [node.op for node in changed.nodes] == [negative, negative, tanh, exp]
    assert changed.nodes[-1] is graph.nodes[-1]  # what nothing touched is the same node
    assert changed.nodes[0].path == "here" and changed.names["y"] is changed.nodes[1].outputs[0]
    assert [node.op for node in graph.nodes] == [relu, tanh, exp]


def test_prefixes_of_a_path():
    assert list(prefixes("a.b.c")) == ["a.b.c", "a.b", "a"] and list(prefixes("")) == []


# ------------------------------------------------------------------ deduplicate


def test_equal_work_is_done_once():
    x = input_()
    emit = Emitter()
    a, b = emit(relu, x), emit(relu, x)
    y = emit(add, emit(tanh, a), emit(tanh, b))
    graph = graph_of(emit, (x,), outputs={"y": y})
    fewer = deduplicate(graph)
    verify(fewer)
    assert [node.op for node in fewer.nodes] == [relu, tanh, add]
    assert np.array_equal(run(fewer, {"x": X}).outputs["y"], run(graph, {"x": X}).outputs["y"])


DIFFERENT = {
    "attributes": lambda emit, x: (emit(sum_, x, axes=(0,)), emit(sum_, x, axes=(1,))),
    "kinds of number": lambda emit, x: (emit(full, value=1), emit(full, value=True)),
    "signs of zero": lambda emit, x: (emit(full, value=0.0), emit(full, value=-0.0)),
    "operands": lambda emit, x: (emit(subtract, x, emit(relu, x)),
                                 emit(subtract, emit(relu, x), x)),
}


@pytest.mark.parametrize("make", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_stays_apart(make):
    x = input_()
    emit = Emitter()
    one, other = make(emit, x)
    graph = graph_of(emit, (x,), outputs={"one": one, "other": other, "x": x})
    fewer = deduplicate(graph)
    assert fewer.outputs["one"] is not fewer.outputs["other"]


def test_streams_keep_draws_apart():
    x, key = input_(), Value(KEY, name="key")
    emit = Emitter()
    drawn = [emit(dropout, x, key, p=0.5, stream=stream)[0] for stream in ("a", "a", "b")]
    graph = graph_of(emit, (x,), outputs=dict(zip("pqr", drawn)), key=key)
    fewer = deduplicate(graph)
    assert len(fewer.nodes) == 2 and fewer.outputs["p"] is fewer.outputs["q"]
    values = run(fewer, {"x": np.ones((64, 3), np.float32)}, key=(0, 0)).outputs
    assert not np.array_equal(values["p"], values["r"])


# ------------------------------------------------------------------ specialize


def test_sizes_and_dtypes_are_put_in_everywhere():
    x, w = input_(shape=(B, 2, 3)), parameter("w", 6, 6)
    emit = Emitter()
    flat = emit(reshape, x, shape=(B, 6))
    count = emit(full, value=B * 6, dtype="f32")
    y = emit(multiply, emit(matmul, flat, w.value), count)
    graph = graph_of(emit, (x,), (w,), outputs={"y": y}, ranges={})
    sized = specialize(graph, {"B": 4}, {"f32": "f64"})
    verify(sized)
    assert not sized.symbols and str(sized.outputs["y"].type) == "f64[4, 6]"
    assert sized.nodes[1].attrs.value == 24 and sized.nodes[1].attrs.dtype == "f64"
    assert sized.nodes[0].attrs.shape == (4, 6)
    assert graph.symbols == {"B"}  # the original stays


def test_sizes_go_into_formulas():
    x, y = input_("x", (B, 3)), input_("y", (symbol("N"), 3))
    emit = Emitter()
    w = emit(reshape, emit(concat, x, y, axis=0), shape=(B + symbol("N"), 3))
    graph = graph_of(emit, (x, y), outputs={"w": w})
    assert specialize(graph, {"B": 2}).outputs["w"].shape == (symbol("N") + 2, 3)
    assert specialize(graph, {"B": 2, "N": 5}).outputs["w"].shape == (7, 3)


def test_a_window_that_no_longer_fits_is_refused():
    from netdsl.ops.pool import max_pool

    x = input_("x", (B, 1, symbol("H"), 8))
    emit = Emitter()
    y = emit(max_pool, x, kernel=(9, 1), stride=(1, 1), pads=((0, 0), (0, 0)), dilation=(1, 1))
    graph = graph_of(emit, (x,), outputs={"y": y})
    assert specialize(graph, {"H": 9}).outputs["y"].shape == (B, 1, 1, 8)
    with pytest.raises(ShapeError, match="does not fit"):
        specialize(graph, {"H": 8})


# ------------------------------------------------------------------ phases


def test_a_phase_goes_by_its_name():
    x = input_()
    emit = Emitter()
    y = emit(relu, x)
    loss = emit(mean, emit(tanh, y), axes=(0, 1))
    graph = graph_of(emit, (x,), outputs={"y": y}, losses={"l": loss}, metrics={"m": loss})
    for name, made in (("infer", infer), ("train", train), ("validate", validate)):
        assert [n.op for n in phase(graph, name).nodes] == [n.op for n in made(graph).nodes]
    assert [node.op for node in infer(graph).nodes] == [relu]
    assert not train(graph).outputs and not train(graph).metrics
    with pytest.raises(KeyError):
        phase(graph, "test")
    with pytest.raises(KeyError):
        train(graph, ["nothing"])


def test_inference_keeps_no_training_form():
    x, key = input_(), Value(KEY, name="key")
    emit = Emitter()
    y = emit(stop_grad, emit(dropout, x, key, p=0.5, stream="s")[0])
    graph = graph_of(emit, (x,), outputs={"y": y}, key=key)
    settled = infer(graph)
    verify(settled)
    assert settled.nodes == () and settled.outputs["y"] is x and settled.key is None


# ------------------------------------------------------------------ gradients


def test_a_value_used_twice_adds_what_comes_back():
    x, w = input_(), parameter("w", 3, 3)
    emit = Emitter()
    h = emit(matmul, x, w.value)
    loss = emit(sum_, emit(add, emit(multiply, h, h), h), axes=(0, 1))
    graph = graph_of(emit, (x,), (w,), losses={"l": loss})
    back = differentiate(graph, ["l"], ["w"])
    verify(back)
    weight = np.arange(9, dtype=np.float32).reshape(3, 3) / 10
    found = run(back, {"x": X}, {"w": weight}).gradients["w"]
    np.testing.assert_allclose(found, X.T @ (2 * (X @ weight) + 1), rtol=1e-5)


def test_losses_add_up():
    x, w = input_(), parameter("w", 3, 3)
    emit = Emitter()
    h = emit(matmul, x, w.value)
    losses = {"a": emit(sum_, h, axes=(0, 1)), "b": emit(mean, emit(tanh, h), axes=(0, 1))}
    graph = graph_of(emit, (x,), (w,), losses=losses)
    weight = {"w": np.ones((3, 3), np.float32)}
    parts = [run(differentiate(graph, [name], ["w"]), {"x": X}, weight).gradients["w"]
             for name in losses]
    both = run(differentiate(graph, losses, ["w"]), {"x": X}, weight).gradients["w"]
    np.testing.assert_allclose(both, parts[0] + parts[1], rtol=1e-6)


def test_what_no_loss_needs_has_the_gradient_0():
    x, w, v = input_(), parameter("w", 3, 3), parameter("v", 2)
    emit = Emitter()
    y = emit(relu, v.value)
    loss = emit(mean, emit(matmul, x, emit(stop_grad, w.value)), axes=(0, 1))
    graph = graph_of(emit, (x,), (w, v), losses={"l": loss}, outputs={"y": y})
    back = differentiate(graph, ["l"], ["w", "v"])
    verify(back)
    gradients = run(back, {"x": X}, {"w": np.ones((3, 3), np.float32),
                                     "v": np.ones(2, np.float32)}).gradients
    assert not gradients["w"].any() and not gradients["v"].any()


def test_an_operation_without_a_gradient_tells_why():
    x, w = input_(), parameter("w", 3, 3)
    emit = Emitter()
    same = emit(equal, emit(matmul, x, w.value), x)
    loss = emit(mean, emit(cast, same, dtype="f32"), axes=(0, 1))
    graph = graph_of(emit, (x,), (w,), losses={"l": loss})
    back = differentiate(graph, ["l"], ["w"])  # nothing moves behind a comparison
    assert not run(back, {"x": X}, {"w": np.eye(3, dtype=np.float32)}).gradients["w"].any()
    with pytest.raises(NotDefined, match="integer output"):
        argmax.facet("gradient")
