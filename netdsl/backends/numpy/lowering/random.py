"""Drawing: the numbers of `netdsl/ops/random.py`, a block at a time."""

from __future__ import annotations

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.lowering.reference import unless_half
from netdsl.ir.graph import Node
from netdsl.ops.random import Uniform

BLOCK = 1 << 14  # numbers drawn at once: their 64-bit originals stay small


def dropout(
    x: np.ndarray, key: np.ndarray, p: float, stream: str, y: np.ndarray, mask: np.ndarray
) -> None:
    """mask = 1 / (1 - p) where a draw reaches p, else 0; y = x · mask. All flat."""
    draws, keep = Uniform(key, stream, len(mask)), 1 / (1 - p) if p < 1 else 1.0
    for start in range(0, len(mask), BLOCK):
        part = mask[start : start + BLOCK]
        np.greater_equal(draws.take(len(part)), np.float32(p), out=part)
        np.multiply(part, keep, out=part)
    np.multiply(x, mask, out=y)


def dropout_rule(emit: CallEmitter, node: Node) -> None:
    a, x, key = node.attrs, emit.read_dense(node.inputs[0]), emit.read(node.inputs[1])
    y, mask = emit.write(node.outputs[0], over=node.inputs[:1]), emit.write(node.outputs[1])
    x, y, mask = (view.reshape(view.size) for view in (x, y, mask))
    emit(dropout, x, key, a.p, a.stream, y=y, mask=mask)


RULES = {"dropout": unless_half(dropout_rule)}
