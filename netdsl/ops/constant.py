"""Constants: a value repeated over a shape."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from netdsl.ir.dim import Dim, Expr
from netdsl.ir.op import Attrs, Op
from netdsl.ir.tensor import NUMPY_DTYPES, TensorType


@dataclass(frozen=True, slots=True)
class FullAttrs(Attrs):
    """`value` may be a size, so that 1 / (B * H) is written before the batch is known."""

    value: Dim | float | Fraction
    shape: tuple[Dim, ...] = ()
    dtype: str = "f32"


def full_shape(a: FullAttrs) -> TensorType:
    return TensorType(a.dtype, a.shape)


def full_kernel(a: FullAttrs) -> np.ndarray:
    value = float(a.value) if isinstance(a.value, Fraction) else a.value
    return np.full(a.shape, value, NUMPY_DTYPES[a.dtype])


def full_gradient(emit, node, g):
    return ()


def full_onnx(emit, node):
    a = node.attrs
    if isinstance(a.value, Expr):
        count = emit.shape((a.value,))
        vector = TensorType(a.dtype, (1,))
        number = emit.intermediate("Cast", [count], vector, to=emit.dtype(a.dtype))
        if a.shape:
            emit("Expand", [number, emit.shape(a.shape)], node.outputs)
        else:
            emit("Squeeze", [number], node.outputs)
    elif a.shape:
        value = full_kernel(FullAttrs(a.value, (1,), a.dtype))
        emit("ConstantOfShape", [emit.shape(a.shape)], node.outputs, value=value)
    else:
        emit("Identity", [emit.constant(full_kernel(a))], node.outputs)


full = Op(
    name="full", inputs=(), attrs=FullAttrs,
    shape=full_shape, kernel=full_kernel, gradient=full_gradient, onnx=full_onnx,
    doc="A tensor of one value.",
)

OPS = (full,)
