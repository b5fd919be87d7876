"""Operations that move numbers: views where strides can say it, copies where not."""

from __future__ import annotations

from netdsl.backends.numpy.emitter import copy


def reshape_rule(emit, node) -> None:
    x, y = emit.read(node.inputs[0]), node.outputs[0]
    view = x.reshape(*y.shape)
    emit.place(y, view if view is not None else emit.dense(x).reshape(*y.shape))


def transpose_rule(emit, node) -> None:
    emit.place(node.outputs[0], emit.read(node.inputs[0]).transpose(*node.attrs.axes))


def slice_rule(emit, node) -> None:
    a = node.attrs
    emit.place(node.outputs[0], emit.read(node.inputs[0]).slice(a.axis, a.start, a.stop))


def expand_rule(emit, node) -> None:
    a = node.attrs
    emit.place(node.outputs[0], emit.read(node.inputs[0]).expand(a.shape, a.axes))


def concat_rule(emit, node) -> None:
    axis, out, start = node.attrs.axis, emit.write(node.outputs[0]), 0
    for value in node.inputs:
        stop = start + value.shape[axis]
        emit(copy, emit.read(value), out=out.slice(axis, start, stop))
        start = stop


def pad_rule(emit, node) -> None:
    a, x, out = node.attrs, emit.read(node.inputs[0]), emit.write(node.outputs[0])
    end = a.before + x.shape[a.axis]
    zero = emit.scalar(0, out.dtype)
    if a.before:
        emit(copy, zero, out=out.slice(a.axis, 0, a.before))
    emit(copy, x, out=out.slice(a.axis, a.before, end))
    if a.after:
        emit(copy, zero, out=out.slice(a.axis, end, end + a.after))


RULES = {
    "reshape": reshape_rule, "transpose": transpose_rule, "slice": slice_rule,
    "expand": expand_rule, "concat": concat_rule, "pad": pad_rule,
}
