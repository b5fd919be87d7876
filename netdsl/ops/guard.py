"""A guard: an operation that changes nothing and ends the run where a number is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, NotFinite, Op, broadcast_origin
from netdsl.ops.elementwise import float_type


@dataclass(frozen=True, slots=True)
class FiniteAttrs(Attrs):
    """`name` is what the value is called where it is told of."""

    name: str


def finite_kernel(a: FiniteAttrs, x: np.ndarray) -> np.ndarray:
    if not np.isfinite(x).all():
        raise NotFinite(a.name, float(x[~np.isfinite(x)].flat[0]))
    return x


def finite_gradient(emit: Emitter, node, g: Value):
    return (g,)


finite = Op(
    name="finite", inputs=("x",), attrs=FiniteAttrs, shape=float_type, kernel=finite_kernel,
    gradient=finite_gradient, onnx=Absent("it guards the training; inference gives what it gives"),
    inference=lambda emit, node: node.inputs, origin=broadcast_origin,
    doc="x itself; the run ends before the next operation where an element is NaN or infinite.",
)

OPS = (finite,)
