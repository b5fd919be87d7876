"""Operations that move numbers: views where strides can say it, copies where not."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.backends.numpy.emitter import CallEmitter, copy
from netdsl.backends.numpy.view import View
from netdsl.ir.graph import Node


def reshape_rule(emit: CallEmitter, node: Node) -> None:
    x, y = emit.read(node.inputs[0]), node.outputs[0]
    view = x.reshape(*y.shape)
    emit.place(y, view if view is not None else emit.dense(x).reshape(*y.shape))


def transpose_rule(emit: CallEmitter, node: Node) -> None:
    emit.place(node.outputs[0], emit.read(node.inputs[0]).transpose(*node.attrs.axes))


def flip_rule(emit: CallEmitter, node: Node) -> None:
    emit.place(node.outputs[0], emit.read(node.inputs[0]).flip(*node.attrs.axes))


def slice_rule(emit: CallEmitter, node: Node) -> None:
    a = node.attrs
    emit.place(node.outputs[0], emit.read(node.inputs[0]).slice(a.axis, a.start, a.stop))


def expand_rule(emit: CallEmitter, node: Node) -> None:
    a = node.attrs
    emit.place(node.outputs[0], emit.read(node.inputs[0]).expand(a.shape, a.axes))


def reserve_parts(emit: CallEmitter, node: Node) -> None:
    """Before anything is emitted: let what is joined be written into its place at once."""
    if emit.is_home(node.outputs[0]):
        return
    out = emit.reserved(node.outputs[0])
    for value, part in zip(node.inputs, parts_of(node, out)):
        if value.node is not None:
            emit.reserve(value, part)


def concat_rule(emit: CallEmitter, node: Node) -> None:
    out = emit.write(node.outputs[0], by_rows=True)
    for value, part in zip(node.inputs, parts_of(node, out)):
        if emit.read(value) != part:
            emit(copy, emit.read(value), out=part)


def parts_of(node, out: View) -> Iterator[View]:
    """Where the operands of a concat lie in its result."""
    start = 0
    for value in node.inputs:
        stop = start + value.shape[node.attrs.axis]
        yield out.slice(node.attrs.axis, start, stop)
        start = stop


def pad_rule(emit: CallEmitter, node: Node) -> None:
    a, x, out = node.attrs, emit.read(node.inputs[0]), emit.write(node.outputs[0])
    end = a.before + x.shape[a.axis]
    zero = emit.scalar(0, out.dtype)
    if a.before:
        emit(copy, zero, out=out.slice(a.axis, 0, a.before))
    emit(copy, x, out=out.slice(a.axis, a.before, end))
    if a.after:
        emit(copy, zero, out=out.slice(a.axis, end, end + a.after))


RULES = {
    "reshape": reshape_rule, "transpose": transpose_rule, "flip": flip_rule, "slice": slice_rule,
    "expand": expand_rule, "concat": concat_rule, "pad": pad_rule,
}
RESERVATIONS = {"concat": reserve_parts}
