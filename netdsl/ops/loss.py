"""Losses that earn an operation of their own: the others are plain arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.assumptions import agree
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, ElementError, Op, Origin, RankError, ShapeError
from netdsl.ir.tensor import INTEGERS, TensorType
from netdsl.ops.elementwise import float_type


@dataclass(frozen=True, slots=True)
class CrossEntropyAttrs(Attrs):
    """`axis` holds the classes; `smooth` is the label smoothing of Szegedy et al. 2015."""

    axis: int = 1
    smooth: float = 0.0


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


def check_labels(label: np.ndarray, classes: int) -> None:
    """Raises ElementError for labels that are no class: negative ones would count from the end."""
    if label.size and not (0 <= label.min() and label.max() < classes):
        wrong = label[(label < 0) | (label >= classes)].flat[0]
        raise ElementError(f"the label {wrong} is none of the {classes} classes 0..{classes}")


def cross_entropy_kernel(
    a: CrossEntropyAttrs, logits: np.ndarray, label: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    check_labels(label, logits.shape[a.axis])
    # -Σ t·log softmax(z) = logsumexp(z) - Σ t·z, with t = 1 - smooth at the label + smooth / C
    largest = logits.max(a.axis, keepdims=True)
    normaliser = np.log(np.exp(logits - largest).sum(a.axis)) + np.squeeze(largest, a.axis)
    chosen = np.take_along_axis(logits, np.expand_dims(label, a.axis), a.axis)
    hit = np.squeeze(chosen, a.axis)
    if a.smooth:
        hit = (1 - a.smooth) * hit + a.smooth * logits.mean(a.axis)
    return (normaliser - hit).astype(logits.dtype), normaliser.astype(logits.dtype)


def cross_entropy_gradient(emit: Emitter, node, g: Value | None, *unused):
    if g is None:
        return None, None
    logits, label = node.inputs
    back = emit(cross_entropy_logits_gradient, g, logits, label, node.outputs[1],
                axis=node.attrs.axis, smooth=node.attrs.smooth)
    return back, None


def cross_entropy_onnx(emit, node):
    # not SoftmaxCrossEntropyLoss, which has no smoothing and takes only axis 1
    a, (logits, label), (loss, normaliser) = node.attrs, node.inputs, node.outputs
    axis = emit.constant(np.array([a.axis], np.int64))
    kept = (*label.shape[: a.axis], 1, *label.shape[a.axis :])
    emit("ReduceLogSumExp", [logits, axis], [normaliser], keepdims=0)
    index = emit.intermediate("Unsqueeze", [label, axis], label.type.with_shape(*kept))
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
    emit("Sub", [normaliser, hit], [loss])


def cross_entropy_origin(a: CrossEntropyAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    return Origin(0, axis + (axis >= a.axis))


cross_entropy = Op(
    name="cross_entropy", inputs=("logits", "label"), outputs=("loss", "normaliser"),
    attrs=CrossEntropyAttrs, shape=cross_entropy_shape, kernel=cross_entropy_kernel,
    gradient=cross_entropy_gradient, onnx=cross_entropy_onnx, origin=cross_entropy_origin,
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
    # g·(softmax(z) - t)
    back = np.exp(logits - np.expand_dims(normaliser, a.axis))
    if a.smooth:
        back -= a.smooth / logits.shape[a.axis]
    at = np.expand_dims(label, a.axis)
    chosen = np.take_along_axis(back, at, a.axis) - (1 - a.smooth)
    np.put_along_axis(back, at, chosen.astype(back.dtype), a.axis)
    return back * np.expand_dims(g, a.axis)


cross_entropy_logits_gradient = Op(
    name="cross_entropy_logits_gradient", inputs=("g", "logits", "label", "normaliser"),
    attrs=CrossEntropyAttrs, shape=logits_gradient_shape, kernel=logits_gradient_kernel,
    gradient=Absent("second derivatives of cross entropy are not needed by any training program"),
    onnx=Absent("ONNX has no operator for it"),
    doc="The gradient of cross_entropy for its logits.",
)

OPS = (cross_entropy, cross_entropy_logits_gradient)
