"""Draws: their distribution, and that they depend on seed, stream, step and position alone."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from netdsl.backends.numpy import Runner
from netdsl.ir.graph import Emitter, Graph, Value
from netdsl.ir.tensor import TensorType
from netdsl.ops import OPS
from netdsl.ops.random import KEY, Uniform, uniform

COUNT = 1 << 18
FIRST = np.array([7, 1], np.uint64)


def test_uniform_has_the_moments_of_the_uniform_distribution():
    x = uniform(FIRST, "stream", COUNT).astype(np.float64)
    assert x.min() >= 0 and x.max() < 1
    for power in (1, 2, 3, 4):  # E xᵖ = 1 / (p + 1), Var xᵖ ≤ 1/8; five standard errors
        assert abs((x**power).mean() - 1 / (power + 1)) < 5 * np.sqrt(1 / 8 / COUNT)


def test_uniform_fills_all_cells_evenly():
    counts = np.bincount((uniform(FIRST, "stream", COUNT) * 64).astype(int), minlength=64)
    chi_squared = ((counts - COUNT / 64) ** 2 / (COUNT / 64)).sum()
    assert 20 < chi_squared < 130  # 63 degrees of freedom: mean 63, standard deviation 11


@pytest.mark.parametrize("lag", (1, 2, 64))
def test_neighbours_are_independent(lag):
    x = uniform(FIRST, "stream", COUNT).astype(np.float64) - 0.5
    assert abs((x[lag:] * x[:-lag]).mean() * 12) < 5 / np.sqrt(COUNT)


def test_streams_steps_and_seeds_are_independent():
    others = [
        uniform(np.array(key, np.uint64), stream, COUNT)
        for key, stream in (((7, 1), "other"), ((7, 2), "stream"), ((8, 1), "stream"))
    ]
    x = uniform(FIRST, "stream", COUNT).astype(np.float64) - 0.5
    for other in others:
        assert abs((x * (other - 0.5)).mean() * 12) < 5 / np.sqrt(COUNT)


def test_numbers_are_the_same_everywhere():
    expected = [0.10804921, 0.97629911, 0.28571516]
    np.testing.assert_allclose(uniform(FIRST, "stream", 3), expected, rtol=1e-7)


def test_a_longer_draw_begins_like_a_shorter_one():
    np.testing.assert_array_equal(uniform(FIRST, "s", 100), uniform(FIRST, "s", 5000)[:100])


@pytest.mark.parametrize("count", (1, 3, 7, 8, 500))
def test_parts_draw_what_the_whole_would(count):
    parts = [uniform(np.array([*FIRST, i], np.uint64), "s", count) for i in range(5)]
    np.testing.assert_array_equal(np.concatenate(parts), uniform(FIRST, "s", 5 * count))


def test_pieces_of_a_part_are_the_part():
    """The engine takes a block at a time; a part may begin in the middle of 64 bits."""
    key = np.array([*FIRST, 3], np.uint64)
    draws = Uniform(key, "s", 15)
    pieces = [draws.take(count) for count in (4, 1, 6, 0, 3, 1)]
    np.testing.assert_array_equal(np.concatenate(pieces), uniform(key, "s", 15))


# ------------------------------------------------------------------ draws of a shape


def drawn(op: str, shape: tuple[int, ...] = (COUNT,), stream: str = "draw", **attrs) -> np.ndarray:
    emit, key = Emitter(), Value(KEY)
    y = emit(OPS[op], key, shape=shape, stream=stream, **attrs)
    graph = Graph("draw", tuple(emit.nodes), {}, {}, {"y": y}, key=key)
    return Runner(graph, {}).run({}, (7, 1)).outputs["y"]


def test_normal_draws_have_the_moments_of_the_normal_distribution():
    x = drawn("random_normal").astype(np.float64)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((x**power).mean() - moment) < 5 * np.sqrt(variance / COUNT)
    assert 4 < np.abs(x).max() < 6.7


def test_normal_draws_fill_equally_likely_cells_evenly():
    edges = [NormalDist().inv_cdf(i / 64) for i in range(1, 64)]
    counts = np.bincount(np.searchsorted(edges, drawn("random_normal")), minlength=64)
    chi_squared = ((counts - COUNT / 64) ** 2 / (COUNT / 64)).sum()
    assert 20 < chi_squared < 130


def test_the_two_normal_numbers_of_one_word_are_independent():
    pairs = drawn("random_normal").astype(np.float64).reshape(-1, 2)
    for f in (lambda x: x, lambda x: x * x - 1):
        first, second = f(pairs[:, 0]), f(pairs[:, 1])
        error = first.std() * second.std() / np.sqrt(len(pairs))
        assert abs((first * second).mean()) < 5 * error


def test_whole_numbers_are_equally_likely_and_stay_in_their_range():
    x = drawn("random_integers", low=-3, high=61)
    counts = np.bincount(x + 3, minlength=64)
    assert x.dtype == np.int64 and len(counts) == 64
    assert 20 < ((counts - COUNT / 64) ** 2 / (COUNT / 64)).sum() < 130


def test_the_widest_range_of_whole_numbers():
    x = drawn("random_integers", low=-(2**63), high=2**63 - 1)
    assert x.min() < -(2**62) and x.max() > 2**62


def test_categorical_draws_are_as_frequent_as_their_weights():
    emit, key, weights = Emitter(), Value(KEY), Value(TensorType("f64", (5,)))
    y = emit(OPS["random_categorical"], weights, key, shape=(COUNT,), stream="c")
    graph = Graph("draw", tuple(emit.nodes), {"w": weights}, {}, {"y": y}, key=key)
    shares = np.array([0.0, 3.0, 0.5, 6.5, 0.0])
    drawn = Runner(graph, {}).run({"w": shares}, (7, 1)).outputs["y"]
    counts, p = np.bincount(drawn, minlength=5), shares / shares.sum()
    assert (abs(counts - COUNT * p) <= 5 * np.sqrt(COUNT * p * (1 - p))).all()


@pytest.mark.parametrize("op", ("random_uniform", "random_normal"))
def test_a_shape_is_filled_row_by_row_from_its_own_stream(op):
    np.testing.assert_array_equal(drawn(op, (30, 20)).reshape(-1), drawn(op, (600,)))
    assert (drawn(op, stream="other") != drawn(op)).any()


# ------------------------------------------------------------------ dropout


def dropout_graph(count: int, *streams: str, p: float = 0.3) -> Graph:
    """One dropout of ones for each stream."""
    emit, key, x = Emitter(), Value(KEY), Value(TensorType("f32", (count,)))
    ys = {stream: emit(OPS["dropout"], x, key, p=p, stream=stream)[0] for stream in streams}
    return Graph("drop", tuple(emit.nodes), {"x": x}, {}, ys, key=key)


def dropped(graph: Graph, key=(7, 1), lanes: int = 1) -> dict[str, np.ndarray]:
    x = np.ones(graph.inputs["x"].shape, np.float32)
    return Runner(graph, {}, lanes).run({"x": x}, key).outputs


@pytest.mark.parametrize("p", (0.1, 0.5, 0.9))
def test_dropout_keeps_the_expectation(p):
    y = dropped(dropout_graph(COUNT, "a", p=p))["a"]
    error = np.sqrt(p * (1 - p) / COUNT)
    assert abs((y == 0).mean() - p) < 5 * error
    assert abs(y.mean() - 1) < 5 * error / (1 - p)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-6)


@pytest.mark.parametrize("lanes", (1, 2))
def test_a_stream_draws_the_same_whatever_else_is_there(lanes):
    alone = dropped(dropout_graph(50_000, "a"))["a"]
    among = dropped(dropout_graph(50_000, "c", "a", "b"), lanes=lanes)
    np.testing.assert_array_equal(among["a"], alone)
    assert (among["b"] != alone).any() and (among["c"] != alone).any()


def test_a_step_draws_anew_and_again_the_same():
    graph = dropout_graph(1000, "a")
    first, second = dropped(graph, (7, 1))["a"], dropped(graph, (7, 2))["a"]
    assert (first != second).any()
    np.testing.assert_array_equal(dropped(graph, (7, 1))["a"], first)
