"""Cross entropy over rows of logits; other layouts run the reference."""

from __future__ import annotations

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.lowering.reference import by_reference, unless_half
from netdsl.ir.graph import Node
from netdsl.ops.loss import known_labels


def cross_entropy_rows(
    logits: np.ndarray, label: np.ndarray, rows: np.ndarray, smooth: float, ignore: int | None,
    loss: np.ndarray, normaliser: np.ndarray, work: np.ndarray, largest: np.ndarray,
) -> None:
    """log Σ exp(z) - Σ t·z and log Σ exp(z) of logits [N, C]; `rows` counts 0 … N - 1."""
    label, counts = known_labels(label, logits.shape[1], ignore)
    np.maximum.reduce(logits, 1, None, largest, True)
    np.subtract(logits, largest, out=work)
    hit = (1 - smooth) * work[rows, label]
    if smooth:
        hit += smooth * work.mean(1)
    np.exp(work, out=work)
    np.add.reduce(work, 1, None, normaliser)
    np.log(normaliser, out=normaliser)
    np.subtract(normaliser, hit, out=loss)
    np.add(normaliser, largest[:, 0], out=normaliser)
    if counts is not None:
        np.copyto(loss, 0, where=~counts)


def logits_gradient_rows(
    g: np.ndarray, logits: np.ndarray, label: np.ndarray, normaliser: np.ndarray,
    rows: np.ndarray, smooth: float, ignore: int | None, back: np.ndarray,
) -> None:
    """back = g [N, 1] · (softmax(z) - t) for logits [N, C] and normaliser [N, 1]."""
    label, counts = known_labels(label, logits.shape[1], ignore)
    np.subtract(logits, normaliser, out=back)
    np.exp(back, out=back)
    if smooth:
        np.subtract(back, smooth / logits.shape[1], out=back)
    back[rows, label] -= 1 - smooth
    np.multiply(back, g, out=back)
    if counts is not None:
        back[~counts] = 0


def over_rows(rule):
    """The rule for logits [N, C], else the reference."""

    def chosen(emit: CallEmitter, node: Node) -> None:
        logits = node.outputs[0] if len(node.inputs) == 4 else node.inputs[0]
        by_rows = logits.type.rank == 2 and node.attrs.axis == 1
        (unless_half(rule) if by_rows else by_reference)(emit, node)

    return chosen


def cross_entropy_rule(emit: CallEmitter, node: Node) -> None:
    logits, label = map(emit.read, node.inputs)
    loss, normaliser = map(emit.write, node.outputs)
    emit(
        cross_entropy_rows, logits, label, emit.constant(np.arange(logits.shape[0])),
        node.attrs.smooth, node.attrs.ignore, loss=loss, normaliser=normaliser,
        work=emit.scratch(logits.shape, logits.dtype),
        largest=emit.scratch((logits.shape[0], 1), logits.dtype),
    )


def logits_gradient_rule(emit: CallEmitter, node: Node) -> None:
    g, logits, label, normaliser = map(emit.read, node.inputs)
    back = emit.write(node.outputs[0], over=node.inputs[1:2])
    rows = logits.shape[0]
    emit(
        logits_gradient_rows, g.expand((rows, 1), (1,)), logits, label,
        normaliser.expand((rows, 1), (1,)), emit.constant(np.arange(rows)), node.attrs.smooth,
        node.attrs.ignore, back=back,
    )


RULES = {
    "cross_entropy": over_rows(cross_entropy_rule),
    "cross_entropy_logits_gradient": over_rows(logits_gradient_rule),
}
