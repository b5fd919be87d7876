"""The memory plan: nothing alive is overwritten, nothing dead is kept, nothing is allocated."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interpret import interpret
from sketch import B, Sketch

from netdsl.autodiff import differentiate
from netdsl.backends.numpy import Runner, compile_program, emitter
from netdsl.backends.numpy.memory import plan
from netdsl.backends.numpy.program import ALIGNMENT
from netdsl.backends.numpy.view import Buffer
from netdsl.ops import OPS
from netdsl.rewrite.specialize import specialize

LIVES = st.lists(
    st.tuples(st.integers(1, 2000), st.integers(0, 30), st.integers(0, 12)), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(LIVES)
def test_buffers_alive_at_once_do_not_overlap(lives):
    planned = {
        Buffer(np.dtype(np.uint8), size): (first, first + length)
        for size, first, length in lives
    }
    offsets, end = plan(planned)
    assert offsets.keys() == planned.keys()
    for a, (first, last) in planned.items():
        assert offsets[a] % ALIGNMENT == 0 and offsets[a] + a.nbytes <= end
        for b, (other_first, other_last) in planned.items():
            if a is not b and first <= other_last and other_first <= last:
                apart = offsets[a] + a.nbytes <= offsets[b] or offsets[b] + b.nbytes <= offsets[a]
                assert apart


@settings(max_examples=100, deadline=None)
@given(LIVES)
def test_arena_is_no_larger_than_everything_and_no_smaller_than_the_busiest_moment(lives):
    planned = {
        Buffer(np.dtype(np.uint8), 64 * size): (first, first + length)
        for size, first, length in lives
    }
    _, end = plan(planned)
    busiest = max(
        (sum(b.nbytes for b, life in planned.items() if life[0] <= time <= life[1])
         for time in range(50)),
        default=0,
    )
    assert busiest <= end <= sum(b.nbytes for b in planned)


def chain(length: int) -> Sketch:
    """exp after exp, each needed once."""
    sketch = Sketch()
    x = sketch.input("x", B, 1000)
    for _ in range(length):
        x = sketch(OPS["exp"], sketch(OPS["negative"], x))
    sketch.result = x
    return sketch


def test_a_chain_of_elementwise_operations_lives_in_one_buffer():
    sketch = chain(20)
    program = compile_program(specialize(sketch.graph(y=sketch.result), {"B": 16}))
    assert program.arena_bytes == 16 * 1000 * 4


def test_views_take_no_memory():
    sketch = Sketch()
    x = sketch.input("x", 4, 6)
    y = sketch(OPS["transpose"], sketch(OPS["reshape"], x, shape=(2, 12)), axes=(1, 0))
    y = sketch(OPS["slice"], y, axis=0, start=2, stop=5)
    y = sketch(OPS["expand"], y, shape=(3, 3, 2), axes=(0,))
    program = compile_program(sketch.graph(y=y))
    assert list(program.calls) == []
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    expected = np.broadcast_to(x.reshape(2, 12).T[2:5], (3, 3, 2))
    np.testing.assert_array_equal(Runner(sketch.graph(y=y), {}).run({"x": x}).outputs["y"],
                                  expected)


@pytest.mark.parametrize("lanes", (1, 2))
def test_what_is_joined_is_written_into_its_place(lanes, monkeypatch):
    monkeypatch.setattr(emitter, "WORTH_SPLITTING", 0)
    sketch = Sketch()
    x = sketch(OPS["relu"], sketch.conv(sketch.input("x", 4, 3, 8, 8), "stem", 4))
    for i in range(3):  # as in DenseNet, each result is part of the next
        y = sketch(OPS["relu"], sketch.norm(x, f"norm{i}"))
        x = sketch(OPS["concat"], x, sketch.conv(y, f"conv{i}", 2, bias=True), axis=1)
    pools = [sketch(OPS["max_pool"], x, kernel=(2, 2), stride=(2, 2), pads=((0, 0), (0, 0)),
                    dilation=(1, 1)) for _ in range(2)]
    both = sketch(OPS["concat"], *pools, sketch(OPS["negative"], pools[0]), axis=1)
    graph = sketch.graph(x=x, both=both)
    program = compile_program(graph, lanes)
    assert [call.function.__name__ for call in program.calls if call.op == "concat"] == ["copy"]
    fed = {"x": np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype(np.float32)}
    values = interpret(graph, fed, sketch.weights)
    got = Runner(graph, sketch.weights, lanes).run(fed).outputs
    for name, value in graph.outputs.items():
        np.testing.assert_allclose(got[name], values[value], 1e-4, 1e-5)


@pytest.mark.parametrize("axis", (0, 1, 2, 3))
def test_parts_of_any_axis_come_together(axis):
    sketch = Sketch()
    x = sketch.input("x", 2, 3, 2, 4)
    once, twice = sketch(OPS["exp"], x), sketch(OPS["relu"], x)
    y = sketch(OPS["concat"], once, twice, x, twice, axis=axis)
    z = sketch(OPS["concat"], once, once, axis=axis)
    fed = {"x": np.random.default_rng(0).normal(size=(2, 3, 2, 4)).astype(np.float32)}
    graph = sketch.graph(y=y, z=z, once=once)
    values = interpret(graph, fed, {})
    got = Runner(graph, {}).run(fed).outputs
    for name, value in graph.outputs.items():
        np.testing.assert_allclose(got[name], values[value], rtol=1e-6)


def trained(batch: int) -> tuple[Sketch, Runner, dict]:
    """A convolutional net with gradients and momentum, over everything that has a fast rule."""
    sketch = Sketch()
    image = sketch.input("image", B, 3, 12, 12)
    label = sketch.input("label", B, dtype="i64")
    rate = sketch.input("rate")
    x = sketch(OPS["relu"], sketch.conv(image, "one", 8, bias=True))
    channels = ("weight", "bias", "mean", "variance")
    vectors = [sketch.variable(f"norm.{name}", 8, low=0.5) for name in channels]
    x, *following = sketch(OPS["batch_norm"], x, *vectors)
    x = sketch(OPS["max_pool"], x, kernel=(2, 2), stride=(2, 2), pads=((0, 0), (0, 0)),
               dilation=(1, 1))
    x = sketch(OPS["relu"], sketch(OPS["add"], sketch.conv(x, "two", 8), x))
    x = sketch(OPS["mean"], x, axes=(2, 3))
    x = sketch(OPS["linear"], x, sketch.variable("fc.weight", 10, 8), None)
    loss, _ = sketch(OPS["cross_entropy"], x, label)
    loss = sketch(OPS["mean"], loss, axes=(0,))
    graph = replace(sketch.graph(), losses={"loss": loss})
    names = [n for n in graph.variables if n not in ("norm.mean", "norm.variance")]
    graph = differentiate(graph, ["loss"], names)
    sketch.nodes[:] = graph.nodes
    updates = dict(zip(("norm.mean", "norm.variance"), following))
    most, none = (sketch(OPS["full"], value=n, dtype="f64") for n in (0.9, 0.0))
    step = sketch(OPS["full"], value=1, dtype="i64")
    for name in names:
        value = graph.variables[name].value
        velocity = sketch.variable(f"{name}@velocity", *value.shape)
        updates[name], updates[f"{name}@velocity"] = sketch(
            OPS["sgd"], value, graph.gradients[name], rate, most, none, none, step, velocity
        )
    graph = replace(graph, nodes=tuple(sketch.nodes), inputs=sketch.inputs,
                    variables=sketch.variables, updates=updates, gradients={})
    rng = np.random.default_rng(0)
    fed = {
        "image": rng.normal(size=(batch, 3, 12, 12)).astype(np.float32),
        "label": rng.integers(0, 10, batch), "rate": np.float32(0.1),
    }
    return sketch, Runner(graph, sketch.weights, lanes=1), fed


@pytest.mark.parametrize("batch", (32, 256))
def test_a_steady_run_allocates_only_tiny_arrays(batch):
    _, runner, fed = trained(batch)
    for _ in range(3):
        runner.run(fed)
    tracemalloc.start()
    runner.run(fed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # two of NumPy's buffers for casting, of 8192 elements each, and rows of labels
    assert peak < 80_000 < fed["image"].nbytes * 8 / 3


def test_peak_is_far_below_the_sum_of_all_values():
    _, runner, _ = trained(batch=1)
    program = runner.program({"B": 512})
    everything = sum(
        value.type.substitute({"B": 512}).size * value.type.numpy_dtype.itemsize
        for node in runner.graph.nodes for value in node.outputs
    )
    assert program.arena_bytes <= program.peak_bytes < everything / 1.5


def test_arrays_lie_on_cache_lines():
    _, runner, fed = trained(batch=3)
    runner.run(fed)
    bound = runner._program({"B": 3})
    assert all(array.ctypes.data % ALIGNMENT == 0 for array in bound.inputs.values())


def test_optimiser_updates_lie_in_the_variables():
    _, runner, fed = trained(batch=4)
    runner.run(fed)
    assert runner.program({"B": 4}).commits == ()


@pytest.mark.parametrize("lanes", (1, 2))
def test_one_arena_serves_all_sizes(lanes):
    _, runner, fed = trained(batch=8)
    runner.lanes = lanes
    losses = []
    for batch in (8, 3, 8, 5):
        part = {n: x[:batch] if x.ndim else x for n, x in fed.items()} | {"rate": np.float32(0)}
        losses.append(float(runner.run(part).losses["loss"]))
    assert losses[0] == losses[2]
    assert runner._arena.nbytes == runner.program({"B": 8}).arena_bytes
