"""Losses that earn an operation of their own: the others are plain arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.assumptions import agree
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
    broadcast_rows,
)
from netdsl.ir.tensor import INTEGERS, TensorType
from netdsl.ops.activation import clip
from netdsl.ops.elementwise import Term, float_arithmetic_shape, float_type, log, unbroadcast


@dataclass(frozen=True, slots=True)
class CrossEntropyAttrs(Attrs):
    """`axis` holds the classes; `smooth` is the label smoothing of Szegedy et al. 2015; rows with
    the label `ignore` have the loss 0 and no gradient."""

    axis: int = 1
    smooth: float = 0.0
    ignore: int | None = None


def without(shape: tuple, axis: int) -> tuple:
    return shape[:axis] + shape[axis + 1 :]


def cross_entropy_shape(
    a: CrossEntropyAttrs, logits: TensorType, label: TensorType
) -> tuple[TensorType, TensorType]:
    float_type(a, logits)
    if not 0 <= a.axis < logits.rank:
        raise RankError(f"there is no axis {a.axis} in a tensor of rank {logits.rank}", 0)
    if label.dtype not in INTEGERS:
        raise ShapeError(f"the labels must be integers, not {label.dtype}", 1)
    rows = without(logits.shape, a.axis)
    wanted = TensorType(label.dtype, rows)
    if len(rows) != label.rank:
        raise RankError(f"logits {logits} need labels {wanted}, not {label}", 0, 1)
    for axis, (m, n) in enumerate(zip(rows, label.shape)):
        if not agree(m, n):
            raise ShapeError(f"logits {logits} need labels {wanted}, not {label}", 0, 1,
                             axes=((0, axis + (axis >= a.axis)), (1, axis)))
    y = TensorType(logits.dtype, rows)
    return y, y


def known_labels(
    label: np.ndarray, classes: int, ignore: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The labels, with 0 in place of those to ignore, and where there are others; None: all are.
    Raises ElementError for labels that are no class: negative ones would count from the end."""
    counts = None
    if ignore is not None:
        counts = label != ignore
        label = np.where(counts, label, label.dtype.type(0))
    if label.size and not (0 <= label.min() and label.max() < classes):
        wrong = label[(label < 0) | (label >= classes)].flat[0]
        raise ElementError(f"the label {wrong} is none of the {classes} classes 0..{classes}")
    return label, counts


def cross_entropy_kernel(
    a: CrossEntropyAttrs, logits: np.ndarray, label: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    label, counts = known_labels(label, logits.shape[a.axis], a.ignore)
    # -Σ t·log softmax(z) = log Σ exp(z) - Σ t·z, with t = 1 - smooth at the label + smooth / C;
    # of z - max(z), so that nothing overflows and large logits lose no digits
    largest = logits.max(a.axis, keepdims=True)
    shifted = logits - largest
    total = np.log(np.exp(shifted).sum(a.axis))
    chosen = np.take_along_axis(shifted, np.expand_dims(label, a.axis), a.axis)
    hit = np.squeeze(chosen, a.axis)
    if a.smooth:
        hit = (1 - a.smooth) * hit + a.smooth * shifted.mean(a.axis)
    loss, normaliser = total - hit, total + np.squeeze(largest, a.axis)
    if counts is not None:
        loss = np.where(counts, loss, 0)
    return loss.astype(logits.dtype), normaliser.astype(logits.dtype)


def cross_entropy_gradient(emit: Emitter, node, g: Value | None, *unused):
    if g is None:
        return None, None
    logits, label = node.inputs
    operands = (g, logits, label, node.outputs[1])
    return emit.with_attrs(cross_entropy_logits_gradient, operands, node.attrs), None


def cross_entropy_onnx(emit, node):
    # not SoftmaxCrossEntropyLoss, which has no smoothing and takes only axis 1
    a, (logits, label), (loss, normaliser) = node.attrs, node.inputs, node.outputs
    axis = emit.constant(np.array([a.axis], np.int64))
    kept = (*label.shape[: a.axis], 1, *label.shape[a.axis :])
    emit("ReduceLogSumExp", [logits, axis], [normaliser], keepdims=0)
    known = label
    if a.ignore is not None:
        whole = label.type.numpy_dtype
        number, first = (emit.constant(np.array(n, whole)) for n in (a.ignore, 0))
        skipped = emit.intermediate("Equal", [label, number], label.type.with_dtype("bool"))
        known = emit.intermediate("Where", [skipped, first, label], label.type)
    index = emit.intermediate("Unsqueeze", [known, axis], label.type.with_shape(*kept))
    chosen = emit.intermediate(
        "GatherElements", [logits, index], logits.type.with_shape(*kept), axis=a.axis
    )
    hit = emit.intermediate("Squeeze", [chosen, axis], loss.type)
    if a.smooth:
        share = emit.constant(np.array(a.smooth, logits.type.numpy_dtype))
        rest = emit.constant(np.array(1 - a.smooth, logits.type.numpy_dtype))
        mean = emit.intermediate("ReduceMean", [logits, axis], loss.type, keepdims=0)
        hit = emit.intermediate("Add", [
            emit.intermediate("Mul", [rest, hit], loss.type),
            emit.intermediate("Mul", [share, mean], loss.type),
        ], loss.type)
    if a.ignore is None:
        return emit("Sub", [normaliser, hit], [loss])
    each = emit.intermediate("Sub", [normaliser, hit], loss.type)
    nothing = emit.constant(np.array(0, logits.type.numpy_dtype))
    emit("Where", [skipped, nothing, each], [loss])


def cross_entropy_origin(a: CrossEntropyAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    return Origin(0, axis + (axis >= a.axis))


def cross_entropy_rows(a: CrossEntropyAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    logits, label = axes
    if logits is None or logits == a.axis:
        return Rows.MEET
    return label if label == logits - (logits > a.axis) else Rows.MEET


cross_entropy = Op(
    name="cross_entropy", inputs=("logits", "label"), outputs=("loss", "normaliser"),
    attrs=CrossEntropyAttrs, shape=cross_entropy_shape, kernel=cross_entropy_kernel,
    gradient=cross_entropy_gradient, onnx=cross_entropy_onnx, origin=cross_entropy_origin,
    rows=cross_entropy_rows,
    doc="-log softmax(logits)[label] for each row, and log Σ exp(logits), which its gradient uses.",
)


def logits_gradient_shape(
    a: CrossEntropyAttrs, g: TensorType, logits: TensorType, label: TensorType,
    normaliser: TensorType,
) -> TensorType:
    cross_entropy_shape(a, logits, label)
    return logits


def logits_gradient_kernel(
    a: CrossEntropyAttrs, g: np.ndarray, logits: np.ndarray, label: np.ndarray,
    normaliser: np.ndarray,
) -> np.ndarray:
    # g·(softmax(z) - t), 0 in rows to ignore
    label, counts = known_labels(label, logits.shape[a.axis], a.ignore)
    back = np.exp(logits - np.expand_dims(normaliser, a.axis))
    if a.smooth:
        back -= a.smooth / logits.shape[a.axis]
    at = np.expand_dims(label, a.axis)
    chosen = np.take_along_axis(back, at, a.axis) - (1 - a.smooth)
    np.put_along_axis(back, at, chosen.astype(back.dtype), a.axis)
    back = back * np.expand_dims(g, a.axis)
    return back if counts is None else np.where(np.expand_dims(counts, a.axis), back, 0)


cross_entropy_logits_gradient = Op(
    name="cross_entropy_logits_gradient", inputs=("g", "logits", "label", "normaliser"),
    attrs=CrossEntropyAttrs, shape=logits_gradient_shape, kernel=logits_gradient_kernel,
    gradient=Absent("second derivatives of cross entropy are not needed by any training program"),
    onnx=Absent("ONNX has no operator for it"),
    doc="The gradient of cross_entropy for its logits.",
)


# ------------------------------------------------------------------ binary cross entropy

LEAST_LOG, LEAST_SPREAD = -100.0, 1e-12  # PyTorch's bounds: neither loss nor gradient is infinite


def check_probabilities(p: np.ndarray) -> None:
    """Raises ElementError for what is no probability; NaN passes, to be found where it began."""
    outside = (p < 0) | (p > 1)
    if outside.any():
        raise ElementError(f"{p[outside].flat[0]:g} is no probability: bce takes sigmoid(x), "
                           "bce_logits takes x itself")


def bce_kernel(a: Attrs, p: np.ndarray, target: np.ndarray) -> np.ndarray:
    check_probabilities(p)
    hit, missed = np.maximum(np.log(p), LEAST_LOG), np.maximum(np.log1p(-p), LEAST_LOG)
    return ((target - 1) * missed - target * hit).astype(p.dtype)


def bce_gradient(emit: Emitter, node, g: Value):
    p, target, flow = (Term(emit, value) for value in (*node.inputs, g))
    spread = (1.0 - p) * p
    floor = spread.number(LEAST_SPREAD)
    to_p = flow * (p - target) / (spread < floor).choose(floor, spread)
    hit, missed = (Term(emit, emit(clip, each.then(log).value, low=LEAST_LOG))
                   for each in (p, 1.0 - p))
    return (
        unbroadcast(emit, to_p.value, node.inputs[0].shape),
        unbroadcast(emit, (flow * (missed - hit)).value, node.inputs[1].shape),
    )


def bce_onnx(emit, node):
    # t·(missed - hit) - missed
    (p, target), (y,) = node.inputs, node.outputs
    one, least = (emit.constant(np.array(n, p.type.numpy_dtype)) for n in (1.0, LEAST_LOG))

    def clipped_log(x):
        return emit.intermediate("Max", [emit.intermediate("Log", [x], p.type), least], p.type)

    hit, missed = clipped_log(p), clipped_log(emit.intermediate("Sub", [one, p], p.type))
    apart = emit.intermediate("Sub", [missed, hit], p.type)
    emit("Sub", [emit.intermediate("Mul", [target, apart], y.type), missed], [y])


bce = Op(
    name="bce", inputs=("p", "target"), shape=float_arithmetic_shape, kernel=bce_kernel,
    gradient=bce_gradient, onnx=bce_onnx, origin=broadcast_origin, rows=broadcast_rows,
    doc="-t · log p - (1 - t) · log(1 - p), logarithms at least -100.",
)

OPS = (cross_entropy, cross_entropy_logits_gradient, bce)
