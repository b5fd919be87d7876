"""Constants: a value repeated over a shape, numbers in even steps, numbers one by one."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from netdsl.ir.dim import Dim, Expr
from netdsl.ir.op import Attrs, Op, Rows
from netdsl.ir.tensor import INTEGERS, NUMPY_DTYPES, TensorType


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
    rows=lambda a, inputs, axes: 0 if a.shape else Rows.MEET,
    doc="A tensor of one value.",
)


# ------------------------------------------------------------------ arange


@dataclass(frozen=True, slots=True)
class ArangeAttrs(Attrs):
    count: Dim
    start: float | Fraction = 0
    step: float | Fraction = 1
    dtype: str = "f32"


def arange_kernel(a: ArangeAttrs) -> np.ndarray:
    places = np.arange(a.count)
    if a.dtype in INTEGERS:
        return (a.start + a.step * places).astype(NUMPY_DTYPES[a.dtype])
    return (float(a.start) + float(a.step) * places).astype(NUMPY_DTYPES[a.dtype])


def arange_onnx(emit, node):
    # in float64, as the kernel: counted, multiplied, added, then cast
    a, wide = node.attrs, "i64" if node.attrs.dtype in INTEGERS else "f64"
    number = np.int64 if wide == "i64" else np.float64
    vector = TensorType("i64", (a.count,))
    zero, one = (emit.constant(np.array(n, np.int64)) for n in (0, 1))
    scalar = emit.intermediate("Squeeze", [emit.shape((a.count,))], TensorType("i64", ()))
    made, type = emit.intermediate("Range", [zero, scalar, one], vector), vector.with_dtype(wide)
    if wide == "f64":
        made = emit.intermediate("Cast", [made], type, to=emit.dtype(wide))
    for op_type, value, neutral in (("Mul", a.step, 1), ("Add", a.start, 0)):
        if value != neutral:
            made = emit.intermediate(op_type, [made, emit.constant(np.array(value, number))], type)
    emit("Cast", [made], node.outputs, to=emit.dtype(a.dtype))


arange = Op(
    name="arange", inputs=(), attrs=ArangeAttrs,
    shape=lambda a: TensorType(a.dtype, (a.count,)), kernel=arange_kernel,
    gradient=full_gradient, onnx=arange_onnx,
    doc="The numbers start, start + step, … , count of them.",
)

# ------------------------------------------------------------------ numbers of the text


@dataclass(frozen=True, slots=True)
class VectorAttrs(Attrs):
    values: tuple[float, ...]
    dtype: str = "f32"


def vector_kernel(a: VectorAttrs) -> np.ndarray:
    return np.array(a.values, NUMPY_DTYPES[a.dtype])


vector = Op(
    name="vector", inputs=(), attrs=VectorAttrs,
    shape=lambda a: TensorType(a.dtype, (len(a.values),)), kernel=vector_kernel,
    gradient=full_gradient,
    onnx=lambda emit, node: emit(
        "Identity", [emit.constant(vector_kernel(node.attrs))], node.outputs
    ),
    doc="The numbers of a list.",
)

OPS = (full, arange, vector)
