"""Activations beyond what the table of examples covers: many numbers, large ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from checks import gradients_by_graph
from netdsl.backends.numpy import Runner, emitter
from netdsl.ir.graph import Emitter, Graph, Value
from netdsl.ir.op import Attrs
from netdsl.ir.tensor import TensorType
from netdsl.ops import OPS

GRID = np.concatenate([np.linspace(-6, 6, 40_001), [-1e30, 1e30, 1e-30, 0.0]]).astype(np.float32)


def engine(op: str, x: np.ndarray, lanes: int) -> np.ndarray:
    emit, value = Emitter(), Value(TensorType("f32", x.shape))
    y = emit(OPS[op], value)
    graph = Graph(op, tuple(emit.nodes), {"x": value}, {}, {"y": y})
    return Runner(graph, {}, lanes).run({"x": x}).outputs["y"].astype(np.float64)


@pytest.mark.parametrize("lanes", (1, 2))
def test_float32_is_exact_to_its_last_places(lanes, monkeypatch):
    monkeypatch.setattr(emitter, "WORTH_SPLITTING", 0)
    x = GRID.astype(np.float64)
    erf = np.array([math.erf(number) for number in x])
    assert np.abs(engine("erf", GRID, lanes) - erf).max() < 2.5e-7
    gelu = x * np.array([0.5 * math.erfc(-number / math.sqrt(2)) for number in x])
    error = np.abs(engine("gelu", GRID, lanes) - gelu) / np.maximum(np.abs(x), 1)
    assert error.max() < 2.5e-7


def test_the_slope_of_silu_keeps_its_digits_where_x_is_large():
    x = np.array([-1e17, 40.0, 1e17])
    found = gradients_by_graph(OPS["silu"], Attrs(), [x], {0: np.ones(3)}, {})
    np.testing.assert_allclose(found["operand 0"], [0.0, 1.0, 1.0], 1e-15)
