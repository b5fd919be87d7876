"""Matrix products: straight to BLAS, which takes transposed views as they are."""

from __future__ import annotations

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.lowering.elementwise import emit_ufunc
from netdsl.backends.numpy.view import View
from netdsl.ir.graph import Node

PRODUCTS_PER_ELEMENT = 16  # multiply-accumulates in the time of an element of simple work


def matmul_rule(emit: CallEmitter, node: Node) -> None:
    x, y = (blas_ready(emit, emit.read(value)) for value in node.inputs)
    out = emit.write(node.outputs[0])
    if y.rank < x.rank:
        x, out = as_rows(emit, x), as_rows(emit, out)
    emit_product(emit, x, y, out)


def as_rows(emit: CallEmitter, x: View) -> View:
    """All axes but the last as one."""
    rows = x.size // x.shape[-1]
    flat = x.reshape(rows, x.shape[-1])
    return emit.dense(x).reshape(rows, x.shape[-1]) if flat is None else flat


def linear_rule(emit: CallEmitter, node: Node) -> None:
    x, weight, bias = node.inputs
    x, weight = blas_ready(emit, emit.read(x)), blas_ready(emit, emit.read(weight))
    flat, out = as_rows(emit, x), as_rows(emit, emit.write(node.outputs[0]))
    emit_product(emit, flat, weight.transpose(1, 0), out)
    if bias is not None:
        emit_ufunc(emit, np.add, out, emit.read(bias), out=out)


def emit_product(emit: CallEmitter, x: View, y: View, out: View) -> None:
    """out = x @ y, its first axis split among the lanes: the batch, or the rows of x."""
    work = out.size * x.shape[-1] / PRODUCTS_PER_ELEMENT
    for start, stop in emit.parts(out.shape[0], work):
        right = y if y.rank == 2 else y.rows(start, stop)
        emit(np.matmul, x.rows(start, stop), right, out=out.rows(start, stop))


def blas_ready(emit: CallEmitter, x: View) -> View:
    """The matrices with one axis contiguous and the other not overlapping it, as BLAS needs."""
    if x.rank < 2:
        return emit.dense(x)
    (rows, columns), (down, along) = x.shape[-2:], x.strides[-2:]
    by_rows = along == 1 and (down >= columns or rows == 1)
    by_columns = down == 1 and (along >= rows or columns == 1)
    return x if by_rows or by_columns else emit.dense(x)


RULES = {"matmul": matmul_rule, "linear": linear_rule}
