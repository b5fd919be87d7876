"""Constants: one number, repeated with stride 0."""

from __future__ import annotations

from fractions import Fraction

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.ir.graph import Node


def full_rule(emit: CallEmitter, node: Node) -> None:
    a, y = node.attrs, node.outputs[0]
    value = float(a.value) if isinstance(a.value, Fraction) else a.value
    emit.place(y, emit.scalar(value, y.type.numpy_dtype).broadcast(y.shape))


RULES = {"full": full_rule}
