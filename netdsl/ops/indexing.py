"""Operations that choose elements by numbers known only when they run: gather and its adjoint,
argsort, and reading or writing a stretch of an axis from a place on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.assumptions import agree, within
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import (
    Absent,
    Attrs,
    ElementError,
    Op,
    Origin,
    RankError,
    Rows,
    ShapeError,
    broadcast_origin,
)
from netdsl.ir.tensor import INTEGERS, TensorType, show_shape
from netdsl.ops.constant import full
from netdsl.ops.reduction import AxisAttrs, beside_rows, checked_axes

# ------------------------------------------------------------------ gather


@dataclass(frozen=True, slots=True)
class GatherAttrs(Attrs):
    """`axis` is the one that the index counts on; the axes before it are the batch."""

    axis: int


def integer_type(index: TensorType, operand: int) -> None:
    if index.dtype not in INTEGERS:
        raise ShapeError(f"an index must be of integers, not {index.dtype}", operand)


def gather_shape(a: GatherAttrs, x: TensorType, index: TensorType) -> TensorType:
    integer_type(index, 1)
    if not 0 <= a.axis < x.rank:
        raise RankError(f"there is no axis {a.axis} in a tensor of rank {x.rank}", 0)
    batch = x.shape[: a.axis]
    if index.rank < a.axis:
        raise ShapeError(
            f"axis {a.axis} needs an index that begins with {show_shape(batch)}, "
            f"not {index}", 0, 1,
        )
    for axis, (m, n) in enumerate(zip(batch, index.shape)):
        if not agree(m, n):
            raise ShapeError(
                f"axis {axis}: {m} and {n} differ; the axes before axis {a.axis} are the batch, "
                "which x and the index share", 0, 1, axes=((0, axis), (1, axis)),
            )
    return TensorType(x.dtype, (*index.shape, *x.shape[a.axis + 1 :]))


def places(axis: int, index: np.ndarray) -> tuple[np.ndarray, ...]:
    """NumPy's index for x[b…, index[b…, k…]] with `axis` batch axes."""
    batch = np.ogrid[tuple(slice(n) for n in index.shape[:axis])]
    wide = tuple(b.reshape(*b.shape, *(1,) * (index.ndim - axis)) for b in batch)
    return (*wide, index)


def check_index(index: np.ndarray, size: int) -> None:
    """Raises ElementError for what is no place: negative ones would count from the end."""
    if index.size and not (0 <= index.min() and index.max() < size):
        wrong = index[(index < 0) | (index >= size)].flat[0]
        raise ElementError(f"the index {wrong} is none of the {size} places 0..{size}")


def gather_kernel(a: GatherAttrs, x: np.ndarray, index: np.ndarray) -> np.ndarray:
    check_index(index, x.shape[a.axis])
    return x[places(a.axis, index)]


def gather_gradient(emit: Emitter, node, g: Value):
    x, index = node.inputs
    return emit(scatter_add, g, index, axis=node.attrs.axis, shape=x.shape), None


def gather_onnx(emit, node):
    a, (x, index) = node.attrs, node.inputs
    if a.axis == 0:
        return emit("Gather", [x, index], node.outputs, axis=0)
    last = emit.constant(np.array([-1], np.int64))
    if index.dtype != "i64":
        index_type = index.type.with_dtype("i64")
        index = emit.intermediate("Cast", [index], index_type, to=emit.dtype("i64"))
    wide = TensorType("i64", (*node.inputs[1].shape, 1))
    tuples = emit.intermediate("Unsqueeze", [index, last], wide)
    emit("GatherND", [x, tuples], node.outputs, batch_dims=a.axis)


def gather_rows(a: GatherAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    index, (own, of_index) = inputs[1], axes
    if own is None:  # a table; every place of the index is a row of its own
        return of_index if of_index is not None and of_index >= a.axis else Rows.MEET
    if own < a.axis:
        return own if of_index == own else Rows.MEET
    behind = own > a.axis and of_index is None
    return own - a.axis - 1 + index.rank if behind else Rows.MEET


def gather_origin(a: GatherAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    x, index = inputs
    if axis < index.type.rank:
        return Origin(1, axis)
    return Origin(0, axis - index.type.rank + a.axis + 1)


gather = Op(
    name="gather", inputs=("x", "index"), attrs=GatherAttrs,
    shape=gather_shape, kernel=gather_kernel, gradient=gather_gradient, onnx=gather_onnx,
    origin=gather_origin, rows=gather_rows,
    doc="y[b…, k…, r…] = x[b…, index[b…, k…], r…], with as many batch axes b as `axis` says.",
)


@dataclass(frozen=True, slots=True)
class ScatterAttrs(GatherAttrs):
    """`shape` is that of the result."""

    shape: tuple[Dim, ...] = ()


def scatter_add_shape(a: ScatterAttrs, g: TensorType, index: TensorType) -> TensorType:
    y = TensorType(g.dtype, a.shape)
    expected = gather_shape(GatherAttrs(a.axis), y, index)
    if expected.shape != g.shape:
        raise ShapeError(f"what is added should be {expected}, not {g}", 0)
    return y


def scatter_add_kernel(a: ScatterAttrs, g: np.ndarray, index: np.ndarray) -> np.ndarray:
    y = np.zeros(a.shape, g.dtype)
    check_index(index, y.shape[a.axis])
    np.add.at(y, places(a.axis, index), g)
    return y


def scatter_add_gradient(emit: Emitter, node, h: Value):
    return emit(gather, h, node.inputs[1], axis=node.attrs.axis), None


scatter_add = Op(
    name="scatter_add", inputs=("g", "index"), attrs=ScatterAttrs,
    shape=scatter_add_shape, kernel=scatter_add_kernel, gradient=scatter_add_gradient,
    onnx=Absent("it is the gradient of gather; only inference graphs are exported"),
    doc="Zeros, to which g is added at the places of the index: the adjoint of gather.",
)


# ------------------------------------------------------------------ argsort


@dataclass(frozen=True, slots=True)
class SortAttrs(AxisAttrs):
    descending: bool = False


def argsort_shape(a: SortAttrs, x: TensorType) -> TensorType:
    checked_axes((a.axis,), x)
    if x.dtype == "bool":
        raise ShapeError("bool tensors are not numbers", 0, suggestion="cast with `f32(…)`")
    return x.with_dtype("i64")


def argsort_kernel(a: SortAttrs, x: np.ndarray) -> np.ndarray:
    if not a.descending:
        return np.argsort(x, a.axis, kind="stable").astype(np.int64)
    # from the end, so that equal elements keep their order when the result is turned round
    order = np.argsort(np.flip(x, a.axis), a.axis, kind="stable")
    return np.flip(x.shape[a.axis] - 1 - order, a.axis).astype(np.int64)


def argsort_onnx(emit, node):
    a, (x,) = node.attrs, node.inputs
    count = emit.shape((x.shape[a.axis],))
    emit("TopK", [x, count], [x.type, *node.outputs], axis=a.axis, largest=int(a.descending),
         sorted=1)


argsort = Op(
    name="argsort", inputs=("x",), attrs=SortAttrs, shape=argsort_shape, kernel=argsort_kernel,
    gradient=Absent("integer output"), onnx=argsort_onnx, origin=broadcast_origin,
    rows=beside_rows, word=True,
    doc="The indices that sort an axis, smallest first, or largest with `descending`; equal "
        "elements keep their order. "
        "gather(x, argsort(x, 1), axis = 1) is x sorted.",
)


# ------------------------------------------------------------------ read and write


@dataclass(frozen=True, slots=True)
class ReadAttrs(Attrs):
    """`count` elements of one axis."""

    axis: int
    count: Dim


def stretch(a_axis: int, count: Dim, x: TensorType, at: TensorType, operand: int) -> None:
    """Checks that `at` is a place and that so many elements fit into the axis."""
    if at.dtype not in INTEGERS or at.shape:
        raise ShapeError(f"the place must be a whole number, not {at}", operand)
    if not 0 <= a_axis < x.rank:
        raise RankError(f"there is no axis {a_axis} in a tensor of rank {x.rank}", 0)
    if not within(count, x.shape[a_axis]):
        raise ShapeError(f"{count} elements do not fit into axis {a_axis} of {x}", 0)


def from_place(x: np.ndarray, axis: int, at: np.ndarray, count: int) -> tuple:
    """NumPy's index of the stretch. Raises ElementError where it does not lie within x."""
    start, size = int(at), x.shape[axis]
    if not 0 <= start <= size - count:
        raise ElementError(f"{start}..{start + count} does not lie within the {size} places "
                           f"of axis {axis}")
    return (*(slice(None),) * axis, slice(start, start + count))


def read_shape(a: ReadAttrs, x: TensorType, at: TensorType) -> TensorType:
    stretch(a.axis, a.count, x, at, 1)
    return x.with_shape(*x.shape[: a.axis], a.count, *x.shape[a.axis + 1 :])


def read_gradient(emit: Emitter, node, g: Value):
    x, at = node.inputs
    zeros = emit(full, value=0, shape=x.shape, dtype=x.dtype)
    return emit(write, zeros, g, at, axis=node.attrs.axis), None


def ends(emit, at: Value, count: Dim) -> tuple[str, str]:
    """at and at + count, as vectors of one i64."""
    one = emit.constant(np.array([1], np.int64))
    scalar, vector = TensorType("i64", ()), TensorType("i64", (1,))
    whole = emit.intermediate("Cast", [at], scalar, to=emit.dtype("i64"))
    start = emit.intermediate("Reshape", [whole, one], vector)
    return start, emit.intermediate("Add", [start, emit.shape((count,))], vector)


def read_onnx(emit, node):
    a, (x, at) = node.attrs, node.inputs
    start, stop = ends(emit, at, a.count)
    emit("Slice", [x, start, stop, emit.constant(np.array([a.axis], np.int64))], node.outputs)


read = Op(
    name="read", inputs=("x", "at"), attrs=ReadAttrs,
    shape=read_shape, kernel=lambda a, x, at: x[from_place(x, a.axis, at, a.count)],
    gradient=read_gradient, onnx=read_onnx,
    origin=lambda a, inputs, y, axis: Origin(None if axis == a.axis else 0, axis),
    rows=lambda a, inputs, axes: Rows.MEET if axes[0] in (None, a.axis) else axes[0],
    doc="`count` elements of an axis, from the place `at` on.",
)


def write_shape(
    a: AxisAttrs, x: TensorType, value: TensorType, at: TensorType
) -> TensorType:
    if value.dtype != x.dtype:
        raise ShapeError(f"{x.dtype} and {value.dtype} do not mix", 0, 1)
    if value.rank != x.rank:
        raise RankError(f"ranks {x.rank} and {value.rank} differ", 0, 1)
    stretch(a.axis, value.shape[a.axis] if 0 <= a.axis < x.rank else 0, x, at, 2)
    for axis, (m, n) in enumerate(zip(x.shape, value.shape)):
        if axis != a.axis and not agree(m, n):
            raise ShapeError(
                f"axis {axis}: {m} and {n} differ; only axis {a.axis} is written in part", 0, 1,
                axes=((0, axis), (1, axis)),
            )
    return x


def write_kernel(a: AxisAttrs, x: np.ndarray, value: np.ndarray, at: np.ndarray) -> np.ndarray:
    y = x.copy()
    y[from_place(x, a.axis, at, value.shape[a.axis])] = value
    return y


def write_gradient(emit: Emitter, node, g: Value):
    (_, value, at), axis = node.inputs, node.attrs.axis
    zeros = emit(full, value=0, shape=value.shape, dtype=value.dtype)
    return (
        emit(write, g, zeros, at, axis=axis),
        emit(read, g, at, axis=axis, count=value.shape[axis]),
        None,
    )


def write_onnx(emit, node):
    # what lies before, the value, what lies behind
    (x, value, at), axis = node.inputs, node.attrs.axis
    start, stop = ends(emit, at, value.shape[axis])
    along = emit.constant(np.array([axis], np.int64))
    first, last = (emit.constant(np.array([n], np.int64)) for n in (0, np.iinfo(np.int64).max))
    parts = [emit.intermediate("Slice", [x, a, b, along], None)
             for a, b in ((first, start), (stop, last))]
    emit("Concat", [parts[0], value, parts[1]], node.outputs, axis=axis)


write = Op(
    name="write", inputs=("x", "value", "at"), attrs=AxisAttrs,
    shape=write_shape, kernel=write_kernel, gradient=write_gradient, onnx=write_onnx,
    origin=broadcast_origin,
    doc="x with the elements of an axis replaced by `value`, from the place `at` on.",
)

OPS = (gather, scatter_add, argsort, read, write)
