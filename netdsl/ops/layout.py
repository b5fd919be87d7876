"""Operations that move numbers and change none: reshape, transpose, flip, concat, slice, pad."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from netdsl.ir.assumptions import agree, within
from netdsl.ir.dim import Dim, size
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Attrs, Op, Origin, RankError, Rows, ShapeError
from netdsl.ir.tensor import TensorType, show_factor, show_shape


@dataclass(frozen=True, slots=True)
class ReshapeAttrs(Attrs):
    shape: tuple[Dim, ...]


def reshape_shape(a: ReshapeAttrs, x: TensorType) -> TensorType:
    if not agree(size(a.shape), x.size):
        raise ShapeError(
            f"{show_shape(x.shape)} has {x.size} elements, "
            f"{show_shape(a.shape)} has {size(a.shape)}", 0,
        )
    return TensorType(x.dtype, a.shape)


def reshape_gradient(emit: Emitter, node, g: Value):
    return (emit(reshape, g, shape=node.inputs[0].shape),)


def reshape_origin(a: ReshapeAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    """An axis that was there before, or several as one; else what the arguments say."""
    x, whole = inputs[0].shape, y.shape[axis]
    before, first = size(y.shape[:axis]), 0
    while first < len(x) and size(x[:first]) != before:
        first += 1
    if whole != 1:
        while first < len(x) and x[first] == 1:
            first += 1
    for last in range(first + 1, len(x) + 1):
        parts = [dim for dim in x[first:last] if dim != 1]
        if size(tuple(parts)) == whole:
            if last == first + 1:
                return Origin(0, first)
            return Origin(None, formula=" * ".join(map(show_factor, parts)))
    return Origin(None, settings=f"shape = {show_shape(a.shape)}")


def reshape_rows(a: ReshapeAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    """The axis that begins where the rows' did; axes of size 1 in front of it do not count."""
    own, = axes
    if own is None:
        return Rows.MEET
    before = size(inputs[0].shape[:own])
    starts = (axis for axis, dim in enumerate(a.shape)
              if dim != 1 and size(a.shape[:axis]) == before)
    return next(starts, Rows.MEET)


def reshape_onnx(emit, node):
    x, shape = node.inputs[0], node.attrs.shape
    if 0 in shape:  # an empty tensor: 0 is a size here, where it else copies the operand's
        return emit("Reshape", [x, emit.shape(shape)], node.outputs, allowzero=1)
    emit("Reshape", [x, emit.shape(shape, like=x.shape)], node.outputs)


reshape = Op(
    name="reshape", inputs=("x",), attrs=ReshapeAttrs,
    shape=reshape_shape, kernel=lambda a, x: x.reshape(a.shape),
    gradient=reshape_gradient, onnx=reshape_onnx, origin=reshape_origin, rows=reshape_rows,
    doc="The same elements, in row-major order, under another shape.",
)


@dataclass(frozen=True, slots=True)
class TransposeAttrs(Attrs):
    """Axis i of the result is axis `axes[i]` of the operand."""

    axes: tuple[int, ...]


def transpose_shape(a: TransposeAttrs, x: TensorType) -> TensorType:
    if sorted(a.axes) != list(range(x.rank)):
        raise ShapeError(f"{a.axes} is not an order of the {x.rank} axes", 0)
    return TensorType(x.dtype, tuple(x.shape[axis] for axis in a.axes))


def transpose_gradient(emit: Emitter, node, g: Value):
    back = tuple(int(i) for i in np.argsort(node.attrs.axes))
    return (emit(transpose, g, axes=back),)


transpose = Op(
    name="transpose", inputs=("x",), attrs=TransposeAttrs,
    shape=transpose_shape, kernel=lambda a, x: np.transpose(x, a.axes),
    gradient=transpose_gradient,
    onnx=lambda emit, node: emit(
        "Transpose", node.inputs, node.outputs, perm=list(node.attrs.axes)
    ),
    origin=lambda a, inputs, y, axis: Origin(0, a.axes[axis]),
    rows=lambda a, inputs, axes: a.axes.index(axes[0]) if axes[0] is not None else Rows.MEET,
    doc="Axes in another order.",
)


@dataclass(frozen=True, slots=True)
class FlipAttrs(Attrs):
    axes: tuple[int, ...]


def flip_shape(a: FlipAttrs, x: TensorType) -> TensorType:
    for axis in a.axes:
        if not 0 <= axis < x.rank:
            raise RankError(f"there is no axis {axis} in a tensor of rank {x.rank}", 0)
    return x


def flip_onnx(emit, node):
    def all_of(number: int) -> str:
        return emit.constant(np.array([number] * len(node.attrs.axes), np.int64))

    axes = emit.constant(np.array(node.attrs.axes, np.int64))
    end = np.iinfo(np.int64)
    emit("Slice", [node.inputs[0], all_of(end.max), all_of(end.min), axes, all_of(-1)],
         node.outputs)


flip = Op(
    name="flip", inputs=("x",), attrs=FlipAttrs,
    shape=flip_shape, kernel=lambda a, x: np.flip(x, a.axes),
    gradient=lambda emit, node, g: (emit(flip, g, axes=node.attrs.axes),), onnx=flip_onnx,
    origin=lambda a, inputs, y, axis: Origin(0, axis),
    rows=lambda a, inputs, axes: Rows.MEET if axes[0] in (None, *a.axes) else axes[0],
    doc="Some axes read backwards.",
)


# ------------------------------------------------------------------ concat


@dataclass(frozen=True, slots=True)
class ConcatAttrs(Attrs):
    axis: int


def concat_shape(a: ConcatAttrs, *xs: TensorType) -> TensorType:
    if not xs:
        raise ShapeError("nothing to concatenate")
    first = xs[0]
    if not 0 <= a.axis < first.rank:
        raise RankError(f"there is no axis {a.axis} in a tensor of rank {first.rank}", 0)
    for i, x in enumerate(xs[1:], 1):
        if x.dtype != first.dtype:
            raise ShapeError(f"{first.dtype} and {x.dtype} do not mix", 0, i)
        if x.rank != first.rank:
            raise RankError(f"ranks {first.rank} and {x.rank} differ", 0, i)
        for axis, (m, n) in enumerate(zip(first.shape, x.shape)):
            if axis != a.axis and not agree(m, n):
                raise ShapeError(
                    f"axis {axis}: {m} and {n} differ; only axis {a.axis} is joined", 0, i,
                    axes=((0, axis), (i, axis)),
                )
    joined = sum((x.shape[a.axis] for x in xs), start=0)
    return TensorType(first.dtype, (*first.shape[: a.axis], joined, *first.shape[a.axis + 1 :]))


def concat_gradient(emit: Emitter, node, g: Value):
    axis, start, parts = node.attrs.axis, 0, []
    for x in node.inputs:
        stop = start + x.shape[axis]
        parts.append(emit(slice_, g, axis=axis, start=start, stop=stop))
        start = stop
    return tuple(parts)


def concat_rows(a: ConcatAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    along = axes[0]
    apart = along is not None and along != a.axis and all(axis == along for axis in axes)
    return along if apart else Rows.MEET


def concat_origin(a: ConcatAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    if axis != a.axis:
        return Origin(0, axis)
    runs = [(dim, len(list(run))) for dim, run in groupby(x.shape[axis] for x in inputs)]
    terms = [show_factor(dim) if n == 1 else f"{n} * {show_factor(dim)}" for dim, n in runs]
    return Origin(None, formula=" + ".join(terms)) if len(inputs) > 1 else Origin(0, axis)


concat = Op(
    name="concat", inputs=("xs*",), attrs=ConcatAttrs,
    shape=concat_shape, kernel=lambda a, *xs: np.concatenate(xs, a.axis),
    gradient=concat_gradient,
    onnx=lambda emit, node: emit("Concat", node.inputs, node.outputs, axis=node.attrs.axis),
    origin=concat_origin, rows=concat_rows, doc="Tensors joined along one axis.",
)


# ------------------------------------------------------------------ slice and pad


@dataclass(frozen=True, slots=True)
class SliceAttrs(Attrs):
    """The part `start..stop` (without `stop`) of one axis."""

    axis: int
    start: Dim
    stop: Dim


def slice_shape(a: SliceAttrs, x: TensorType) -> TensorType:
    if not 0 <= a.axis < x.rank:
        raise RankError(f"there is no axis {a.axis} in a tensor of rank {x.rank}", 0)
    length = x.shape[a.axis]
    if not (within(0, a.start) and within(a.start, a.stop) and within(a.stop, length)):
        raise ShapeError(f"{a.start}..{a.stop} does not lie within axis {a.axis} of {length}", 0,
                         axes=((0, a.axis),))
    return TensorType(
        x.dtype, (*x.shape[: a.axis], a.stop - a.start, *x.shape[a.axis + 1 :])
    )


def slice_kernel(a: SliceAttrs, x: np.ndarray) -> np.ndarray:
    return x[(slice(None),) * a.axis + (slice(a.start, a.stop),)]


def slice_gradient(emit: Emitter, node, g: Value):
    a, length = node.attrs, node.inputs[0].shape[node.attrs.axis]
    return (emit(pad, g, axis=a.axis, before=a.start, after=length - a.stop),)


def beside_axis_rows(a: SliceAttrs | PadAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    return Rows.MEET if axes[0] in (None, a.axis) else axes[0]


def slice_origin(a: SliceAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    if axis != a.axis:
        return Origin(0, axis)
    return Origin(None, formula=f"{show_factor(a.stop)} - {a.start}" if a.start != 0 else "")


def slice_onnx(emit, node):
    a, x = node.attrs, node.inputs[0]
    stop = emit.shape((a.stop,)) if a.stop != x.shape[a.axis] else emit.constant(
        np.array([np.iinfo(np.int64).max])
    )
    axis = emit.constant(np.array([a.axis], np.int64))
    emit("Slice", [x, emit.shape((a.start,)), stop, axis], node.outputs)


slice_ = Op(
    name="slice", inputs=("x",), attrs=SliceAttrs,
    shape=slice_shape, kernel=slice_kernel, gradient=slice_gradient, onnx=slice_onnx,
    origin=slice_origin, rows=beside_axis_rows,
    doc="A part of one axis.",
)


@dataclass(frozen=True, slots=True)
class PadAttrs(Attrs):
    """Zeros before and after along one axis."""

    axis: int
    before: Dim
    after: Dim


def pad_shape(a: PadAttrs, x: TensorType) -> TensorType:
    if not 0 <= a.axis < x.rank:
        raise RankError(f"there is no axis {a.axis} in a tensor of rank {x.rank}", 0)
    length = x.shape[a.axis] + a.before + a.after
    return TensorType(x.dtype, (*x.shape[: a.axis], length, *x.shape[a.axis + 1 :]))


def pad_kernel(a: PadAttrs, x: np.ndarray) -> np.ndarray:
    widths = [(0, 0)] * x.ndim
    widths[a.axis] = (a.before, a.after)
    return np.pad(x, widths)


def pad_gradient(emit: Emitter, node, g: Value):
    a = node.attrs
    return (emit(slice_, g, axis=a.axis, start=a.before, stop=g.shape[a.axis] - a.after),)


def pad_origin(a: PadAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    have = show_factor(inputs[0].shape[axis])
    return Origin(0, axis, f"{have} + {a.before} + {a.after}" if axis == a.axis else "")


def pad_onnx(emit, node):
    a = node.attrs
    pads = emit.shape((a.before, a.after))
    axis = emit.constant(np.array([a.axis], np.int64))
    emit("Pad", [node.inputs[0], pads, None, axis], node.outputs)


pad = Op(
    name="pad", inputs=("x",), attrs=PadAttrs,
    shape=pad_shape, kernel=pad_kernel, gradient=pad_gradient, onnx=pad_onnx, origin=pad_origin,
    rows=beside_axis_rows,
    doc="Zeros around one axis: the adjoint of slice.",
)

OPS = (reshape, transpose, flip, concat, slice_, pad)
