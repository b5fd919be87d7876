"""Matrix products: `matmul` over the last two axes, and `linear`, y = x Wᵀ + b."""

from __future__ import annotations

import numpy as np

from netdsl.ir.assumptions import agree
from netdsl.ir.dim import size
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Attrs, Cost, Op, Origin, RankError, Rows, ShapeError
from netdsl.ir.tensor import TensorType, show_factor
from netdsl.ops.elementwise import float_type
from netdsl.ops.layout import reshape, transpose
from netdsl.ops.reduction import sum_


def product(*factors) -> Cost:
    """The cost of a matrix product, its derivation as the product of its sizes."""
    return Cost(size(factors), " * ".join(map(show_factor, factors)))


def matmul_shape(a: Attrs, x: TensorType, y: TensorType) -> TensorType:
    float_type(a, x)
    if x.dtype != y.dtype:
        raise ShapeError(f"{x.dtype} and {y.dtype} do not mix", 0, 1)
    if x.rank < 2 or y.rank not in (2, x.rank):
        raise RankError(
            f"needs equal ranks of at least 2, or a second operand of rank 2, not {x.rank} and "
            f"{y.rank}", 0, 1,
        )
    for axis, (m, n) in enumerate(zip(x.shape[:-2], y.shape[:-2])):
        if not agree(m, n):
            raise ShapeError(f"axis {axis}: {m} and {n} differ", 0, 1,
                             axes=((0, axis), (1, axis)))
    if not agree(x.shape[-1], y.shape[-2]):
        raise ShapeError(
            f"the rows of the first have {x.shape[-1]} elements, "
            f"the columns of the second {y.shape[-2]}", 0, 1,
            axes=((0, x.rank - 1), (1, y.rank - 2)),
        )
    return TensorType(x.dtype, (*x.shape[:-1], y.shape[-1]))


def swap_last(emit: Emitter, x: Value) -> Value:
    axes = list(range(x.type.rank))
    axes[-2:] = axes[-1], axes[-2]
    return emit(transpose, x, axes=tuple(axes))


def matmul_gradient(emit: Emitter, node, g: Value):
    x, y = node.inputs
    back = emit(matmul, g, swap_last(emit, y))
    if y.type.rank < x.type.rank:  # one matrix for the whole batch
        rows = size(x.shape[:-1])
        x, g = as_rows(emit, x, rows), as_rows(emit, g, rows)
    return back, emit(matmul, swap_last(emit, x), g)


def matmul_cost(a: Attrs, inputs: tuple, outputs: tuple) -> Cost:
    return product(*outputs[0].shape, inputs[0].shape[-1])


def matmul_rows(a: Attrs, inputs: tuple, axes: tuple) -> int | Rows:
    (x, y), rank, columns = axes, inputs[0].rank, inputs[1].rank - 1
    if y is None:
        shared = inputs[1].rank == 2 or x == rank - 2
        return x if x is not None and x < rank - 1 and shared else Rows.MEET
    if x is None:
        return rank - 1 if y == columns else Rows.MEET
    return x if x == y < rank - 2 else Rows.MEET


def matmul_origin(a: Attrs, inputs: tuple, y: Value, axis: int) -> Origin:
    if axis == y.type.rank - 1:
        return Origin(1, inputs[1].type.rank - 1, name="columns")
    return Origin(0, axis, name="rows" if axis == y.type.rank - 2 else "")


matmul = Op(
    name="matmul", inputs=("x", "y"),
    shape=matmul_shape, kernel=lambda a, x, y: np.matmul(x, y), gradient=matmul_gradient,
    onnx=lambda emit, node: emit("MatMul", node.inputs, node.outputs), cost=matmul_cost,
    origin=matmul_origin, rows=matmul_rows, word=True,
    doc="The matrix product over the last two axes; the axes before are the batch. "
        "A second operand of rank 2 serves the whole batch.",
)


# ------------------------------------------------------------------ linear


def linear_shape(
    a: Attrs, x: TensorType, weight: TensorType, bias: TensorType | None
) -> TensorType:
    float_type(a, x)
    if not x.rank or not agree(x.shape[-1], weight.shape[1]):
        raise ShapeError(f"the last axis of {x} should have {weight.shape[1]} elements", 0)
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ShapeError(f"the bias should have {weight.shape[0]} elements", 2)
    return TensorType(x.dtype, (*x.shape[:-1], weight.shape[0]))


def linear_kernel(
    a: Attrs, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    y = x @ weight.T
    return y if bias is None else y + bias


def linear_gradient(emit: Emitter, node, g: Value):
    x, weight, bias = node.inputs
    rows = size(x.shape[:-1])
    flat_x, flat_g = as_rows(emit, x, rows), as_rows(emit, g, rows)
    back = emit(matmul, flat_g, weight)
    if x.type.rank != 2:
        back = emit(reshape, back, shape=x.shape)
    return (
        back,
        emit(matmul, swap_last(emit, flat_g), flat_x),
        None if bias is None else emit(sum_, flat_g, axes=(0,)),
    )


def as_rows(emit: Emitter, x: Value, rows) -> Value:
    """All axes but the last as one."""
    return x if x.type.rank == 2 else emit(reshape, x, shape=(rows, x.shape[-1]))


def linear_onnx(emit, node):
    x, weight, bias = node.inputs
    if x.type.rank == 2:
        return emit("Gemm", [x, weight, bias], node.outputs, transB=1)
    turned_type = weight.type.with_shape(*weight.shape[::-1])
    turned = emit.intermediate("Transpose", [weight], turned_type, perm=[1, 0])
    if bias is None:
        return emit("MatMul", [x, turned], node.outputs)
    rows = emit.intermediate("MatMul", [x, turned], node.outputs[0].type)
    emit("Add", [rows, bias], node.outputs)


def linear_cost(a: Attrs, inputs: tuple, outputs: tuple) -> Cost:
    return product(*outputs[0].shape, inputs[0].shape[-1])


def linear_rows(a: Attrs, inputs: tuple, axes: tuple) -> int | Rows:
    x, *weights = axes
    meet = x is None or x == inputs[0].rank - 1 or any(axis is not None for axis in weights)
    return Rows.MEET if meet else x


def linear_origin(a: Attrs, inputs: tuple, y: Value, axis: int) -> Origin:
    last = axis == y.type.rank - 1
    return Origin(1, 0, name="features") if last else Origin(0, axis)


linear = Op(
    name="linear", inputs=("x", "weight", "bias?"),
    shape=linear_shape, kernel=linear_kernel, gradient=linear_gradient, onnx=linear_onnx,
    cost=linear_cost, origin=linear_origin, rows=linear_rows,
    doc="x Wᵀ + b over the last axis; weight is [out, in] as in PyTorch.",
)

OPS = (matmul, linear)
