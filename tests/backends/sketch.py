"""Graphs by hand, for what the language does not say or says only through many layers."""

from __future__ import annotations

import numpy as np

from netdsl.ir.dim import Dim, symbol
from netdsl.ir.graph import Emitter, Graph, Initializer, Value, Variable
from netdsl.ir.tensor import TensorType
from netdsl.ops.conv import conv
from netdsl.ops.norm import normalize

B = symbol("B")


class Sketch(Emitter):
    """An emitter that also declares inputs and variables, and draws weights for them."""

    def __init__(self, seed: int = 0):
        super().__init__()
        self.inputs: dict[str, Value] = {}
        self.variables: dict[str, Variable] = {}
        self.weights: dict[str, np.ndarray] = {}
        self.ranges: dict[str, tuple[int, int]] = {}
        self._generator = np.random.default_rng(seed)

    def input(self, name: str, *shape: Dim, dtype: str = "f32") -> Value:
        self.inputs[name] = Value(TensorType(dtype, shape), name=name)
        return self.inputs[name]

    def variable(self, name: str, *shape: int, low: float = -1.0, high: float = 1.0) -> Value:
        value = Value(TensorType("f32", shape), name=name)
        self.variables[name] = Variable(name, "parameter", value, Initializer("zeros"))
        self.weights[name] = self._generator.uniform(low, high, shape).astype(np.float32)
        return value

    def graph(self, name: str = "sketch", **outputs: Value) -> Graph:
        return self.graph_of(outputs, name)

    def graph_of(self, outputs: dict[str, Value], name: str = "sketch") -> Graph:
        return Graph(
            name, tuple(self.nodes), self.inputs, self.variables, outputs, ranges=self.ranges
        )

    # ------------------------------------------------------------------ layers

    def conv(self, x: Value, owner: str, filters: int, bias: bool = False, k: int = 3) -> Value:
        """A convolution that keeps the size of the map."""
        axes = x.type.rank - 2
        self.path = owner
        weight = self.variable(f"{owner}.weight", filters, x.shape[1], *(k,) * axes)
        return self(
            conv, x, weight, self.variable(f"{owner}.bias", filters) if bias else None,
            stride=(1,) * axes, pads=((k // 2, k // 2),) * axes, dilation=(1,) * axes,
        )

    def norm(self, x: Value, owner: str) -> Value:
        """Batch norm of inference with statistics that are far from 0 and 1."""
        self.path = owner
        channels = x.shape[1]
        return self(
            normalize, x,
            self.variable(f"{owner}.weight", channels, low=0.5, high=2.0),
            self.variable(f"{owner}.bias", channels),
            self.variable(f"{owner}.running_mean", channels),
            self.variable(f"{owner}.running_var", channels, low=0.1, high=4.0),
            eps=1e-3,
        )
