"""Reductions over axes: sum, mean, max, min, softmax and its logarithm, argmax and argmin. Also
`expand`, the adjoint of `sum`: it repeats a tensor along axes that it lacks or has with size 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.assumptions import agree, within
from netdsl.ir.dim import Dim, size
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, Op, Origin, RankError, Rows, ShapeError, broadcast_origin
from netdsl.ir.tensor import TensorType, show_shape
from netdsl.ops.elementwise import Term, cast, equal, exp, float_type


@dataclass(frozen=True, slots=True)
class AxesAttrs(Attrs):
    """`keep` leaves the reduced axes in place with size 1."""

    axes: tuple[int, ...]
    keep: bool = False


def checked_axes(axes: tuple[int, ...], x: TensorType) -> tuple[int, ...]:
    """The axes counted from the front. Raises ShapeError for one that x does not have, and
    for one that stands twice."""
    for axis in axes:
        if not -x.rank <= axis < x.rank:
            raise RankError(f"there is no axis {axis} in a tensor of rank {x.rank}", 0)
    found = tuple(sorted({axis % x.rank for axis in axes}))
    if len(found) < len(axes):
        raise ShapeError(f"an axis stands twice in {list(axes)}",
                         suggestion=f"`axis = {list(found) if len(found) > 1 else found[0]}`")
    return found


def reduced(a: AxesAttrs, x: TensorType) -> tuple[Dim, ...]:
    axes = checked_axes(a.axes, x)
    if a.keep:
        return tuple(1 if i in axes else dim for i, dim in enumerate(x.shape))
    return tuple(dim for i, dim in enumerate(x.shape) if i not in axes)


def reduced_origin(a: AxesAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    x, = inputs
    axes = checked_axes(a.axes, x.type)
    if a.keep:
        return Origin(None, settings="keep = true") if axis in axes else Origin(0, axis)
    return Origin(0, [i for i in range(x.type.rank) if i not in axes][axis])


def reduced_rows(a: AxesAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    (own,), gone = axes, checked_axes(a.axes, inputs[0])
    if own is None or own in gone:
        return Rows.MEET
    return own if a.keep else own - sum(axis < own for axis in gone)


def sum_shape(a: AxesAttrs, x: TensorType) -> TensorType:
    if x.dtype == "bool":
        raise ShapeError("bool tensors are not numbers", 0, suggestion="cast with `f32(…)`")
    return TensorType(x.dtype, reduced(a, x))


def sum_kernel(a: AxesAttrs, x: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(x, axis=a.axes, keepdims=a.keep, dtype=x.dtype))


def sum_gradient(emit: Emitter, node, g: Value):
    return (spread(emit, g, node),)


def spread(emit: Emitter, g: Value, node) -> Value:
    """The gradient of a reduction's result, repeated over the axes it reduced."""
    x = node.inputs[0]
    axes = () if node.attrs.keep else checked_axes(node.attrs.axes, x.type)
    return emit(expand, g, shape=x.shape, axes=axes)


def mean_shape(a: AxesAttrs, x: TensorType) -> TensorType:
    return TensorType(float_type(a, x).dtype, reduced(a, x))


def mean_kernel(a: AxesAttrs, x: np.ndarray) -> np.ndarray:
    return np.asarray(np.mean(x, axis=a.axes, keepdims=a.keep, dtype=x.dtype))


def mean_gradient(emit: Emitter, node, g: Value):
    x = node.inputs[0]
    count = size(tuple(x.shape[axis] for axis in checked_axes(node.attrs.axes, x.type)))
    return (spread(emit, (Term(emit, g) / count).value, node),)


def reduction_onnx(op_type: str):
    def onnx(emit, node):
        if not node.attrs.axes:  # ONNX takes "no axes" as "all axes"
            return emit("Identity", node.inputs, node.outputs)
        axes = emit.constant(np.array(node.attrs.axes, np.int64))
        emit(op_type, [*node.inputs, axes], node.outputs, keepdims=int(node.attrs.keep))

    return onnx


sum_ = Op(
    name="sum", inputs=("x",), attrs=AxesAttrs,
    shape=sum_shape, kernel=sum_kernel, gradient=sum_gradient, onnx=reduction_onnx("ReduceSum"),
    origin=reduced_origin, rows=reduced_rows, stepwise=True, doc="The sum over axes.",
)
mean = Op(
    name="mean", inputs=("x",), attrs=AxesAttrs,
    shape=mean_shape, kernel=mean_kernel, gradient=mean_gradient,
    onnx=reduction_onnx("ReduceMean"), origin=reduced_origin, rows=reduced_rows, stepwise=True,
    doc="The mean over axes.",
)


def extreme(name: str, reduce, op_type: str, doc: str) -> Op:
    """The largest or smallest element over axes. Equal ones share the gradient evenly, as in
    PyTorch's amax and amin."""

    def kernel(a: AxesAttrs, x: np.ndarray) -> np.ndarray:
        return np.asarray(reduce(x, axis=a.axes, keepdims=a.keep))

    def gradient(emit: Emitter, node, g: Value):
        x, dtype = node.inputs[0], node.inputs[0].dtype
        chosen = emit(cast, emit(equal, x, spread(emit, node.outputs[0], node)), dtype=dtype)
        count = emit(sum_, chosen, axes=node.attrs.axes, keep=node.attrs.keep)
        share = spread(emit, (Term(emit, g) / Term(emit, count)).value, node)
        return ((Term(emit, share) * Term(emit, chosen)).value,)

    return Op(
        name=name, inputs=("x",), attrs=AxesAttrs, shape=extreme_shape, kernel=kernel,
        gradient=gradient, onnx=reduction_onnx(op_type), origin=reduced_origin,
        rows=reduced_rows, doc=doc,
    )


def extreme_shape(a: AxesAttrs, x: TensorType) -> TensorType:
    y = sum_shape(a, x)
    if not all(within(1, x.shape[axis]) for axis in checked_axes(a.axes, x)):
        raise ShapeError(f"{x} has an axis without elements: none is the largest or smallest", 0)
    return y


max_ = extreme("max", np.max, "ReduceMax", "The largest element over axes.")
min_ = extreme("min", np.min, "ReduceMin", "The smallest element over axes.")


def logsumexp_kernel(a: AxesAttrs, x: np.ndarray) -> np.ndarray:
    # an infinite largest is not subtracted: exp(-inf) of a masked row is 0, its result -inf
    largest = x.max(a.axes, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, x.dtype.type(0))
    total = np.log(np.exp(x - largest).sum(a.axes, keepdims=True)) + largest
    return np.asarray(total if a.keep else total.squeeze(a.axes))


def logsumexp_gradient(emit: Emitter, node, g: Value):
    x, y = node.inputs[0], spread(emit, node.outputs[0], node)
    return ((Term(emit, spread(emit, g, node)) * (Term(emit, x) - Term(emit, y)).then(exp)).value,)


logsumexp = Op(
    name="logsumexp", inputs=("x",), attrs=AxesAttrs,
    shape=lambda a, x: extreme_shape(a, float_type(a, x)), kernel=logsumexp_kernel,
    gradient=logsumexp_gradient, onnx=reduction_onnx("ReduceLogSumExp"),
    origin=reduced_origin, rows=reduced_rows, stepwise=True,
    doc="log Σ exp(x) over axes, without its overflow.",
)


# ------------------------------------------------------------------ expand


@dataclass(frozen=True, slots=True)
class ExpandAttrs(Attrs):
    """`axes` are those of `shape` that the operand lacks."""

    shape: tuple[Dim, ...]
    axes: tuple[int, ...] = ()


def with_axes(a: ExpandAttrs, shape: tuple) -> tuple:
    """The operand's shape with size 1 put in at the axes it lacks."""
    sizes = iter(shape)
    return tuple(1 if i in a.axes else next(sizes) for i in range(len(a.shape)))


def expand_shape(a: ExpandAttrs, x: TensorType) -> TensorType:
    if x.rank + len(a.axes) != len(a.shape):
        raise RankError(f"rank {x.rank} does not expand to rank {len(a.shape)}", 0)
    for axis, (have, want) in enumerate(zip(with_axes(a, x.shape), a.shape)):
        if have != 1 and not agree(have, want):
            raise ShapeError(f"axis {axis} has size {have}: only size 1 expands to {want}", 0)
    return TensorType(x.dtype, a.shape)


def expand_kernel(a: ExpandAttrs, x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(x.reshape(with_axes(a, x.shape)), a.shape)


def expand_gradient(emit: Emitter, node, g: Value):
    a, x = node.attrs, node.inputs[0]
    if a.axes:
        g = emit(sum_, g, axes=a.axes)
    kept = tuple(dim for i, dim in enumerate(a.shape) if i not in a.axes)
    repeated = tuple(i for i, (have, want) in enumerate(zip(x.shape, kept)) if have != want)
    return (emit(sum_, g, axes=repeated, keep=True) if repeated else g,)


def expand_origin(a: ExpandAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    have = with_axes(a, tuple(range(inputs[0].type.rank)))[axis]  # the operand's axis
    if axis not in a.axes and inputs[0].shape[have] == y.shape[axis]:
        return Origin(0, have)
    return Origin(None, settings=f"shape = {show_shape(a.shape)}")


def expand_rows(a: ExpandAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    (x,), (own,) = inputs, axes
    repeated = [i for i, have in enumerate(with_axes(a, x.shape)) if have != a.shape[i]]
    if own is None:
        return repeated[0] if repeated else Rows.MEET
    axis = [i for i in range(len(a.shape)) if i not in a.axes][own]
    return Rows.MEET if axis in repeated else axis


def expand_onnx(emit, node):
    a, x = node.attrs, node.inputs[0]
    wide = with_axes(a, x.shape)
    # Expand broadcasts both ways: 1 asks for the size that is there
    target = tuple(1 if have == want else want for have, want in zip(wide, a.shape))
    if a.axes:
        axes = emit.constant(np.array(a.axes, np.int64))
        if all(dim == 1 for dim in target):
            return emit("Unsqueeze", [x, axes], node.outputs)
        x = emit.intermediate("Unsqueeze", [x, axes], x.type.with_shape(*wide))
    emit("Expand", [x, emit.shape(target)], node.outputs)


expand = Op(
    name="expand", inputs=("x",), attrs=ExpandAttrs,
    shape=expand_shape, kernel=expand_kernel, gradient=expand_gradient, onnx=expand_onnx,
    origin=expand_origin, rows=expand_rows,
    doc="Repeats along axes of size 1 and along axes that the operand lacks.",
)


# ------------------------------------------------------------------ softmax and argmax


@dataclass(frozen=True, slots=True)
class AxisAttrs(Attrs):
    axis: int


def along_axis_shape(a: AxisAttrs, x: TensorType) -> TensorType:
    checked_axes((a.axis,), x)
    return float_type(a, x)


def beside_rows(a: Attrs, inputs: tuple, axes: tuple) -> int | Rows:
    """Of what works along one axis, its attribute `axis`: the rows lie along another."""
    return Rows.MEET if axes[0] in (None, a.axis % inputs[0].rank) else axes[0]


def softmax_kernel(a: AxisAttrs, x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(a.axis, keepdims=True, initial=-np.inf))
    return e / e.sum(a.axis, keepdims=True)


def softmax_gradient(emit: Emitter, node, g: Value):
    # y · (g - Σ g·y)
    y, flow = Term(emit, node.outputs[0]), Term(emit, g)
    total = emit(sum_, (flow * y).value, axes=(node.attrs.axis,), keep=True)
    return ((y * (flow - Term(emit, total))).value,)


def log_softmax_kernel(a: AxisAttrs, x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(a.axis, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(a.axis, keepdims=True))


def log_softmax_gradient(emit: Emitter, node, g: Value):
    # g - softmax(x) · Σ g
    y, flow = Term(emit, node.outputs[0]), Term(emit, g)
    total = emit(sum_, g, axes=(node.attrs.axis,), keep=True)
    return ((flow - y.then(exp) * Term(emit, total)).value,)


def axis_onnx(op_type: str, **fixed):
    return lambda emit, node: emit(
        op_type, node.inputs, node.outputs, axis=node.attrs.axis, **fixed
    )


softmax = Op(
    name="softmax", inputs=("x",), attrs=AxisAttrs, shape=along_axis_shape,
    kernel=softmax_kernel, gradient=softmax_gradient, onnx=axis_onnx("Softmax"),
    origin=broadcast_origin, rows=beside_rows, word=True, doc="exp(x) / Σ exp(x) along an axis.",
)
log_softmax = Op(
    name="log_softmax", inputs=("x",), attrs=AxisAttrs, shape=along_axis_shape,
    kernel=log_softmax_kernel, gradient=log_softmax_gradient, onnx=axis_onnx("LogSoftmax"),
    origin=broadcast_origin, rows=beside_rows, word=True,
    doc="log(softmax(x)) along an axis, without its overflow.",
)


def argmax_shape(a: AxisAttrs, x: TensorType) -> TensorType:
    axis, = checked_axes((a.axis,), x)
    if x.shape[axis] == 0:
        raise ShapeError(f"axis {axis} of {x} has no elements: there is none to find", 0)
    return TensorType("i64", x.shape[:axis] + x.shape[axis + 1 :])


def index_rows(a: AxisAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    own, gone = beside_rows(a, inputs, axes), a.axis % inputs[0].rank
    return own if own is Rows.MEET else own - (own > gone)


def along_origin(a: AxisAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    """Of what takes one axis away."""
    gone, = checked_axes((a.axis,), inputs[0].type)
    return Origin(0, axis + (axis >= gone))


def place(name: str, find, op_type: str, doc: str) -> Op:
    """The index of an element along an axis."""
    return Op(
        name=name, inputs=("x",), attrs=AxisAttrs, shape=argmax_shape,
        kernel=lambda a, x: find(x, a.axis), gradient=Absent("integer output"),
        onnx=axis_onnx(op_type, keepdims=0), origin=along_origin, rows=index_rows, word=True,
        doc=doc,
    )


argmax = place("argmax", np.argmax, "ArgMax",
               "The index of the first largest element along an axis.")
argmin = place("argmin", np.argmin, "ArgMin",
               "The index of the first smallest element along an axis.")

OPS = (
    sum_, mean, max_, min_, logsumexp, expand, softmax, log_softmax, argmax, argmin,
)
